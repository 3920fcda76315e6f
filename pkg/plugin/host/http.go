package host

import (
	"bytes"
	"net/http"

	"github.com/boson-project/boson/pkg/plugin"
	"github.com/boson-project/boson/pkg/webcall"
)

// HTTP implements plugin.Host.
func (h *Host) HTTP(req *plugin.HTTPRequest) error {
	if err := h.check(); err != nil {
		return err
	}
	if req.Async {
		h.send(req, nil)
		return nil
	}
	answered := make(chan webcall.Response, 1)
	start := h.opt.Now()
	h.suspended.Store(true)
	r := webcall.Response{Status: webcall.Error, Reason: "the server is stopping"}
	h.do(req, func(r webcall.Response) { answered <- r })
	select {
	case r = <-answered:
	case <-h.ctx.Done():
	}
	h.suspended.Store(false)
	h.waited += h.opt.Now() - start
	if req.Callback != nil {
		req.Callback(response(req, nil, r), req.UserState)
	}
	return nil
}

// HTTPFor implements plugin.Host.
func (h *Host) HTTPFor(c plugin.Deferrable, req *plugin.HTTPRequest) error {
	if err := plugin.Postpone(c); err != nil {
		return err
	}
	h.send(req, c)
	return nil
}

func (h *Host) send(req *plugin.HTTPRequest, c plugin.Deferrable) {
	h.do(req, func(r webcall.Response) {
		h.opt.Post(func() {
			if req.Callback != nil {
				req.Callback(response(req, c, r), req.UserState)
			}
		})
	})
}

// do sends a request. done may be called on any goroutine, once.
func (h *Host) do(req *plugin.HTTPRequest, done func(webcall.Response)) {
	if h.lane == nil && h.opt.Lane != nil {
		h.lane = h.opt.Lane()
	}
	if h.lane == nil {
		done(webcall.Response{Status: webcall.Error, Reason: "plugins.http is not configured"})
		return
	}
	header := http.Header{}
	for k, v := range req.Headers {
		switch http.CanonicalHeaderKey(k) {
		case "Connection", "Content-Length", "Host", "Range", "Proxy-Connection":
			continue
		}
		header.Set(k, v)
	}
	if req.Accept != "" {
		header.Set("Accept", req.Accept)
	}
	if req.ContentType != "" {
		header.Set("Content-Type", req.ContentType)
	}
	method := req.Method
	if method == "" {
		method = http.MethodGet
	}
	// The plugin may use its body's memory again while the request waits for its turn.
	h.lane.Do(h.ctx, &webcall.Request{Method: method, URL: req.URL, Header: header, Body: bytes.Clone(req.Body)}, done)
}

func response(req *plugin.HTTPRequest, c plugin.Deferrable, r webcall.Response) *plugin.HTTPResponse {
	return &plugin.HTTPResponse{
		Status: plugin.HTTPStatus(r.Status), HTTPCode: r.HTTPCode, Reason: r.Reason, Body: r.Body, Headers: r.Header,
		Request: req, Call: c,
	}
}
