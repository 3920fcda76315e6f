package webcall

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Status is what became of a call (plugins.md 8.3).
type Status byte

// The statuses. The numbers are Photon's.
const (
	Success        Status = 0 // the service answered with 2xx
	RequestTimeout Status = 1 // no answer in time
	QueueTimeout   Status = 2 // the call waited too long for its turn
	Offline        Status = 3 // too many failures: calls pause
	QueueFull      Status = 4 // too many calls wait
	Error          Status = 5 // bad URL, not allowed, unreachable, answer too long, or not 2xx
)

var statusNames = [...]string{"Success", "RequestTimeout", "QueueTimeout", "Offline", "QueueFull", "Error"}

// String returns Photon's name of the status.
func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return strconv.Itoa(int(s))
}

// Request is one call. It must not change before the call has ended.
type Request struct {
	// Method is GET if it is empty.
	Method string
	// URL is absolute, http or https.
	URL string
	// Header may be nil. Host, Content-Length, Connection, Range, Transfer-Encoding
	// and what begins with Proxy- are left out (plugins.md 8.1).
	Header http.Header
	Body   []byte
}

// Response is what came of a call. Whoever gets it owns it.
type Response struct {
	Status Status
	// HTTPCode is the HTTP status of the answer, 0 if there was none.
	HTTPCode int
	// Reason is for people, and holds neither URL nor credentials.
	Reason string
	// Body is complete where Status is Success; answers that are not 2xx have
	// theirs too.
	Body   []byte
	Header http.Header

	// refused: the call never went out, which says nothing about the service.
	refused bool
}

// ClientOptions of a Client. Zero numbers take the defaults.
type ClientOptions struct {
	Rules
	// MaxBody of an answer in bytes, unpacked; 1 MiB. Longer answers are errors.
	MaxBody int
	// MaxConnsPerHost at once; 0 is no limit.
	MaxConnsPerHost int
	// RootCAs to trust; nil: those of the system.
	RootCAs *x509.CertPool
	// Transport takes the place of the guarded one, for tests in virtual time.
	// URLs are checked as always, addresses are its own business then.
	Transport http.RoundTripper
}

const (
	defaultMaxBody = 1 << 20
	maxHeader      = 64 << 10
	// maxRedirects of one call, within one scheme (plugins.md 17).
	maxRedirects = 3
)

// Client calls web services within its rules. It may be used from any
// goroutine; one is enough for a process.
type Client struct {
	guard   *Guard
	http    *http.Client
	maxBody int
}

// NewClient returns a client. Proxies of the environment are not used: a proxy
// would dial what the guard may not see. The error names the rule that can't be
// read.
func NewClient(opt ClientOptions) (*Client, error) {
	g, err := NewGuard(opt.Rules)
	if err != nil {
		return nil, err
	}
	if opt.MaxBody <= 0 {
		opt.MaxBody = defaultMaxBody
	}
	if opt.Transport == nil {
		opt.Transport = &http.Transport{
			DialContext:            g.Dial,
			TLSClientConfig:        &tls.Config{RootCAs: opt.RootCAs, MinVersion: tls.VersionTLS12},
			MaxConnsPerHost:        opt.MaxConnsPerHost,
			MaxIdleConns:           256,
			MaxIdleConnsPerHost:    32,
			IdleConnTimeout:        30 * time.Second,
			TLSHandshakeTimeout:    10 * time.Second,
			MaxResponseHeaderBytes: maxHeader,
			ForceAttemptHTTP2:      true,
		}
	}
	c := &Client{guard: g, maxBody: opt.MaxBody}
	c.http = &http.Client{Transport: opt.Transport, CheckRedirect: c.redirect}
	return c, nil
}

// redirect checks one step of the way. What a request carries beside the
// ordinary stays with the host that it was meant for.
func (c *Client) redirect(r *http.Request, via []*http.Request) error {
	first := via[0].URL
	switch {
	case len(via) > maxRedirects:
		return refuse("more than %d redirects", maxRedirects)
	case r.URL.Scheme != first.Scheme:
		return refuse("redirect from %s to %.16s", first.Scheme, r.URL.Scheme)
	}
	r.Header.Del("Referer") // it would hold the query
	if r.URL.Host != first.Host {
		for name := range r.Header {
			switch name {
			case "Accept", "Content-Type", "User-Agent":
			default:
				r.Header.Del(name)
			}
		}
	}
	return c.guard.Check(r.URL)
}

// Do makes a call and waits for its end, or that of ctx. A deadline of ctx
// that passes makes a RequestTimeout, also when it ends for another reason.
func (c *Client) Do(ctx context.Context, req *Request) Response {
	r, err := c.request(ctx, req)
	if err != nil {
		return Response{Status: Error, Reason: err.Error(), refused: true}
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return failure(ctx, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, int64(c.maxBody)+1))
	out := Response{HTTPCode: resp.StatusCode, Header: resp.Header, Body: body}
	switch {
	case err != nil:
		f := failure(ctx, err)
		f.HTTPCode = resp.StatusCode
		return f
	case len(body) > c.maxBody:
		out.Status, out.Body = Error, nil
		out.Reason = fmt.Sprintf("the answer is longer than %d bytes", c.maxBody)
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		out.Status, out.Reason = Error, "HTTP "+strconv.Itoa(resp.StatusCode)
	}
	return out
}

func (c *Client) request(ctx context.Context, req *Request) (*http.Request, error) {
	u, err := url.Parse(req.URL)
	if err != nil {
		return nil, errors.New("the URL can't be read") // err holds all of it
	}
	if err := c.guard.Check(u); err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, req.Method, req.URL, bytes.NewReader(req.Body))
	if err != nil {
		return nil, errors.New("the method or URL can't be used")
	}
	for name, values := range req.Header {
		name = http.CanonicalHeaderKey(name)
		if !hopHeader(name) {
			r.Header[name] = values
		}
	}
	if r.Header.Get("User-Agent") == "" {
		r.Header.Set("User-Agent", "Boson")
	}
	return r, nil
}

func hopHeader(name string) bool {
	switch name {
	case "Host", "Content-Length", "Connection", "Range", "Transfer-Encoding", "Upgrade", "Te", "Trailer":
		return true
	}
	return len(name) > 6 && name[:6] == "Proxy-"
}

// failure makes the response of a call that got no whole answer.
func failure(ctx context.Context, err error) Response {
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err // without the URL, whose query may be a secret
	}
	var refused *RefusedError
	switch {
	case errors.As(err, &refused):
		return Response{Status: Error, Reason: refused.Error(), refused: true}
	case errors.Is(err, context.DeadlineExceeded), ctx.Err() != nil, timeout(err):
		return Response{Status: RequestTimeout, Reason: "no answer in time"}
	}
	return Response{Status: Error, Reason: err.Error()}
}

func timeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// CheckURL says whether the client would call a URL, as far as that shows
// before its host is looked up.
func (c *Client) CheckURL(u *url.URL) error { return c.guard.Check(u) }

// Close closes connections that wait for further calls.
func (c *Client) Close() { c.http.CloseIdleConnections() }
