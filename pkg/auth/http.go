package auth

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/gpjson"
	"github.com/boson-project/boson/pkg/photon"
)

// HTTPOptions of a web service that knows users.
type HTTPOptions struct {
	// URL to ask, http or https. A query in it counts as Keys.
	URL string
	// Keys are sent with every question. Where a client's parameter has the same
	// key, this one is sent alone.
	Keys map[string]string
	// RootCAs to trust; nil: those of the system.
	RootCAs *x509.CertPool
	// MaxConns at once; 0 is no limit.
	MaxConns int
}

// Bounds of what a client may send to a provider, in bytes: thousands of
// questions may wait.
const (
	maxAuthParams = 8 << 10
	maxAuthData   = 32 << 10
)

// parseParams reads parameter 216.
func parseParams(params string) (url.Values, error) {
	if len(params) > maxAuthParams {
		return nil, photon.BadParam(photon.ParamClientAuthenticationParams, "has %d bytes, at most %d", len(params), maxAuthParams)
	}
	values, err := url.ParseQuery(strings.TrimPrefix(params, "?"))
	if err != nil {
		return nil, photon.BadParam(photon.ParamClientAuthenticationParams, "is not a URL-encoded query")
	}
	return values, nil
}

// httpProvider asks a web service that speaks Photon's form of custom
// authentication (loadbalancing-auth.md 3.2).
type httpProvider struct {
	service *service
	base    *url.URL
	keys    url.Values
}

// NewHTTP returns the provider for a web service. The error names what is wrong
// with the options.
func NewHTTP(opt HTTPOptions) (Provider, error) {
	base, err := parseURL(opt.URL)
	if err != nil {
		return nil, err
	}
	keys, err := url.ParseQuery(base.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("query of %q: %w", opt.URL, err)
	}
	for k, v := range opt.Keys {
		keys.Set(k, v)
	}
	return &httpProvider{service: newService(base, opt.RootCAs, opt.MaxConns), base: base, keys: keys}, nil
}

// Check implements Provider.
func (p *httpProvider) Check(ctx context.Context, login *Login) (*Verdict, error) {
	r, err := p.request(ctx, login)
	if err != nil {
		return nil, err
	}
	status, body, err := p.service.call(r)
	switch {
	case err != nil:
		return nil, err
	case status >= 200 && status <= 299:
		return parseVerdict(body)
	case refusal(status):
		// The service refuses this client. It is there, so this is no reason to
		// let the client in unchecked, nor to pause for all others.
		return nil, app.Fail(photon.ReturnCustomAuthenticationFailed, fmt.Sprintf("the authentication service refused the request (HTTP %d)", status))
	}
	return nil, fmt.Errorf("authentication service: HTTP %d", status)
}

func (p *httpProvider) request(ctx context.Context, login *Login) (*http.Request, error) {
	query, err := p.query(login.Params)
	if err != nil {
		return nil, err
	}
	method, contentType := http.MethodPost, ""
	var body []byte
	switch data := login.Data.(type) {
	case nil:
		method = http.MethodGet
	case string:
		body, contentType = []byte(data), "text/plain; charset=utf-8"
		if data == "" {
			method, contentType = http.MethodGet, ""
		}
	case []byte:
		body, contentType = data, "application/octet-stream"
	case bool, byte, int16, int32, int64, float32, float64:
		return nil, photon.BadParam(photon.ParamClientAuthenticationData, "is neither text, bytes, table nor array")
	default:
		contentType = "application/json"
		if body, err = gpjson.AppendWeb(nil, data); err != nil {
			return nil, photon.BadParam(photon.ParamClientAuthenticationData, "can't be sent as JSON: %v", err)
		}
	}
	if len(body) > maxAuthData {
		return nil, photon.BadParam(photon.ParamClientAuthenticationData, "has %d bytes, at most %d", len(body), maxAuthData)
	}
	target := *p.base
	target.RawQuery = query
	r, err := http.NewRequestWithContext(ctx, method, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	return r, nil
}

// query joins the configured keys with those of the client. Keys are compared
// without case, as many web frameworks do: a client can't put its own value
// beside a configured secret.
func (p *httpProvider) query(params string) (string, error) {
	own, err := parseParams(params)
	if err != nil {
		return "", err
	}
	configured := make([]string, 0, len(p.keys))
	for k := range p.keys {
		configured = append(configured, k)
	}
	for k := range own {
		if slices.ContainsFunc(configured, func(c string) bool { return strings.EqualFold(c, k) }) {
			delete(own, k)
		}
	}
	for k, v := range p.keys {
		own[k] = v
	}
	return own.Encode(), nil
}

// parseVerdict reads the answer's JSON object (loadbalancing-auth.md 3.3).
// Package json matches the names of members without case. Services that give user
// ids as numbers, or begin with the mark of UTF-8, have always got through.
func parseVerdict(body []byte) (*Verdict, error) {
	var answer struct {
		ResultCode *json.Number
		Message    looseText
		UserID     looseText `json:"UserId"`
		Nickname   looseText
		AuthCookie json.RawMessage
		Data       json.RawMessage
	}
	if err := json.Unmarshal(bytes.TrimPrefix(body, []byte("\ufeff")), &answer); err != nil {
		return nil, fmt.Errorf("authentication service: %w", err)
	}
	if answer.ResultCode == nil {
		return nil, errors.New("authentication service: answer without ResultCode")
	}
	code, err := answer.ResultCode.Int64()
	if err != nil {
		return nil, errors.New("authentication service: ResultCode is not a whole number")
	}
	v := &Verdict{Code: int(code), Message: string(answer.Message), UserID: string(answer.UserID), Nickname: string(answer.Nickname)}
	if present(answer.AuthCookie) {
		var cookie bytes.Buffer
		if answer.AuthCookie[0] != '{' || json.Compact(&cookie, answer.AuthCookie) != nil {
			return nil, errors.New("authentication service: AuthCookie is not an object")
		}
		v.Cookie = cookie.Bytes()
	}
	if present(answer.Data) {
		value, err := gpjson.DecodeWeb(answer.Data)
		if err != nil {
			return nil, fmt.Errorf("authentication service: Data: %w", err)
		}
		data, ok := value.(*gpbinary.Dictionary)
		if !ok {
			return nil, errors.New("authentication service: Data is not an object")
		}
		v.Data = data
	}
	return v, nil
}

func present(m json.RawMessage) bool { return len(m) > 0 && string(m) != "null" }
