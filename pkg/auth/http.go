package auth

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

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

// Bounds of one question and its answer, in bytes: thousands of questions may wait.
const (
	maxAuthParams = 8 << 10
	maxAuthData   = 32 << 10
	maxAnswer     = 64 << 10
)

// maxRedirects are followed, within the same host only: credentials go nowhere else.
const maxRedirects = 3

// httpProvider asks a web service (loadbalancing-auth.md 3.2).
type httpProvider struct {
	client *http.Client
	base   *url.URL
	keys   url.Values
}

// NewHTTP returns the provider for a web service. The error names what is wrong
// with the options.
func NewHTTP(opt HTTPOptions) (Provider, error) {
	base, err := url.Parse(opt.URL)
	if err != nil {
		return nil, err
	}
	if base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, fmt.Errorf("%q is not an http or https URL", opt.URL)
	}
	keys, err := url.ParseQuery(base.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("query of %q: %w", opt.URL, err)
	}
	for k, v := range opt.Keys {
		keys.Set(k, v)
	}
	base.Fragment = ""
	return &httpProvider{
		base: base, keys: keys,
		client: &http.Client{
			CheckRedirect: func(r *http.Request, via []*http.Request) error {
				if len(via) > maxRedirects || r.URL.Host != base.Host || r.URL.Scheme != base.Scheme {
					return errors.New("redirect to another host, or too many")
				}
				return nil
			},
			Transport: &http.Transport{
				TLSClientConfig: &tls.Config{RootCAs: opt.RootCAs, MinVersion: tls.VersionTLS12},
				MaxConnsPerHost: opt.MaxConns, MaxIdleConnsPerHost: max(opt.MaxConns, 2), IdleConnTimeout: time.Minute,
				TLSHandshakeTimeout: 10 * time.Second, MaxResponseHeaderBytes: maxAnswer, ForceAttemptHTTP2: true,
			},
		},
	}, nil
}

// Check implements Provider.
func (p *httpProvider) Check(ctx context.Context, login *Login) (*Verdict, error) {
	r, err := p.request(ctx, login)
	if err != nil {
		return nil, err
	}
	resp, err := p.client.Do(r)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err // without the URL, which holds the credentials
		}
		return nil, fmt.Errorf("authentication service: %w", err)
	}
	defer resp.Body.Close()
	switch s := resp.StatusCode; {
	case s >= 200 && s <= 299:
	case s >= 400 && s <= 499 && s != http.StatusRequestTimeout && s != http.StatusTooManyRequests:
		// The service refuses this client. It is there, so this is no reason to
		// let the client in unchecked, nor to pause for all others.
		return nil, app.Fail(photon.ReturnCustomAuthenticationFailed, fmt.Sprintf("the authentication service refused the request (HTTP %d)", s))
	default:
		return nil, fmt.Errorf("authentication service: HTTP %d", s)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("authentication service: %w", err)
	}
	if len(body) > maxAnswer {
		return nil, fmt.Errorf("authentication service: answer is longer than %d bytes", maxAnswer)
	}
	return parseVerdict(body)
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
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "Boson")
	return r, nil
}

// query joins the configured keys with those of the client. Keys are compared
// without case, as many web frameworks do: a client can't put its own value
// beside a configured secret.
func (p *httpProvider) query(params string) (string, error) {
	if len(params) > maxAuthParams {
		return "", photon.BadParam(photon.ParamClientAuthenticationParams, "has %d bytes, at most %d", len(params), maxAuthParams)
	}
	own, err := url.ParseQuery(strings.TrimPrefix(params, "?"))
	if err != nil {
		return "", photon.BadParam(photon.ParamClientAuthenticationParams, "is not a URL-encoded query")
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
// Package json matches the names of members without case.
func parseVerdict(body []byte) (*Verdict, error) {
	var answer struct {
		ResultCode *json.Number
		Message    string
		UserID     string `json:"UserId"`
		Nickname   string
		AuthCookie json.RawMessage
		Data       json.RawMessage
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("authentication service: %w", err)
	}
	if answer.ResultCode == nil {
		return nil, errors.New("authentication service: answer without ResultCode")
	}
	code, err := answer.ResultCode.Int64()
	if err != nil {
		return nil, errors.New("authentication service: ResultCode is not a whole number")
	}
	v := &Verdict{Code: int(code), Message: answer.Message, UserID: answer.UserID, Nickname: answer.Nickname}
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
