package auth

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// maxAnswer bounds what a web service may answer, in bytes.
const maxAnswer = 64 << 10

// maxRedirects are followed, within the same host only: credentials go nowhere else.
const maxRedirects = 3

// service is a web service of an operator or a platform. All questions of this
// package leave through its call.
type service struct{ client *http.Client }

// parseURL reads the address of a service.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%q is not an http or https URL", text)
	}
	u.Fragment = ""
	return u, nil
}

func newService(base *url.URL, roots *x509.CertPool, maxConns int) *service {
	return &service{&http.Client{
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects || r.URL.Host != base.Host || r.URL.Scheme != base.Scheme {
				return errors.New("redirect to another host, or too many")
			}
			return nil
		},
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			MaxConnsPerHost: maxConns, MaxIdleConnsPerHost: max(maxConns, 2), IdleConnTimeout: time.Minute,
			TLSHandshakeTimeout: 10 * time.Second, MaxResponseHeaderBytes: maxAnswer, ForceAttemptHTTP2: true,
		},
	}}
}

// call sends a request and returns the whole answer, whatever its status. The
// error never has the request's URL in it, which holds secrets.
func (s *service) call(r *http.Request) (status int, body []byte, err error) {
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "Boson")
	resp, err := s.client.Do(r)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return 0, nil, fmt.Errorf("authentication service: %w", err)
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return 0, nil, fmt.Errorf("authentication service: %w", err)
	}
	if len(body) > maxAnswer {
		return 0, nil, fmt.Errorf("authentication service: answer is longer than %d bytes", maxAnswer)
	}
	return resp.StatusCode, body, nil
}

// refusal says whether a status means that the service is well and does not
// like the request.
func refusal(status int) bool {
	return status >= 400 && status <= 499 && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests
}
