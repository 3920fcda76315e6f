package webcall

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// site is a web service on loopback that notes what it is asked.
type site struct {
	*httptest.Server
	mu    sync.Mutex
	heard []*http.Request
}

func newSite(t *testing.T, tls bool, handler http.HandlerFunc) *site {
	s := &site{}
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.heard = append(s.heard, r)
		s.mu.Unlock()
		handler(w, r)
	})
	if tls {
		s.Server = httptest.NewTLSServer(h)
	} else {
		s.Server = httptest.NewServer(h)
	}
	t.Cleanup(s.Close)
	return s
}

func (s *site) requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.heard)
}

func newClient(t *testing.T, opt ClientOptions) *Client {
	t.Helper()
	c, err := NewClient(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// PL-93: what becomes of answers.
func TestStatuses(t *testing.T) {
	s := newSite(t, false, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Seen", r.Method+" "+r.Header.Get("Content-Type")+" "+r.Header.Get("X-Own")+" "+r.Host+" "+string(body))
		switch r.URL.Path {
		case "/404":
			w.WriteHeader(404)
			_, _ = io.WriteString(w, "not here")
		case "/500":
			w.WriteHeader(500)
		case "/long":
			_, _ = w.Write(make([]byte, 101))
		case "/bomb":
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = z.Write(make([]byte, 1<<20))
			_ = z.Close()
		case "/cut":
			w.Header().Set("Content-Length", "50")
			_, _ = io.WriteString(w, "short")
		default:
			w.WriteHeader(201)
			_, _ = w.Write(bytes.Repeat([]byte("x"), 100))
		}
	})
	c := newClient(t, ClientOptions{Rules: Rules{Allow: []string{s.URL}}, MaxBody: 100})
	r := c.Do(t.Context(), &Request{URL: s.URL + "/ok?secret=1", Method: "POST", Body: []byte("hello"),
		Header: http.Header{"content-type": {"text/x"}, "X-Own": {"own"}, "Host": {"evil"}, "Proxy-Authorization": {"x"}, "Connection": {"close"}}})
	if want := "POST text/x own " + strings.TrimPrefix(s.URL, "http://") + " hello"; r.Status != Success || r.HTTPCode != 201 || len(r.Body) != 100 || r.Header.Get("X-Seen") != want {
		t.Errorf("%+v", r)
	}
	for _, tt := range []struct {
		path, body, reason string
		code               int
	}{
		{"/404", "not here", "HTTP 404", 404}, {"/500", "", "HTTP 500", 500},
		{"/long", "", "longer than 100", 200}, {"/bomb", "", "longer than 100", 200}, {"/cut", "", "EOF", 200},
	} {
		r := c.Do(t.Context(), &Request{URL: s.URL + tt.path + "?secret=1"})
		if r.Status != Error || r.HTTPCode != tt.code || string(r.Body) != tt.body || !strings.Contains(r.Reason, tt.reason) || r.refused || strings.Contains(r.Reason, "secret") {
			t.Errorf("%s: %+v", tt.path, r)
		}
	}

	// Nobody there: a port that was free a moment ago, and a name that no name
	// service is asked about.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := "http://" + l.Addr().String()
	l.Close()
	c = newClient(t, ClientOptions{Rules: Rules{Allow: []string{dead, "no..host"}}})
	for _, u := range []string{dead, "http://no..host/"} {
		r := c.Do(t.Context(), &Request{URL: u + "?secret=1"})
		if r.Status != Error || r.HTTPCode != 0 || r.refused || r.Reason == "" || strings.Contains(r.Reason, "secret") {
			t.Errorf("%s: %+v", u, r)
		}
	}
}

// PL-94
func TestNoAnswer(t *testing.T) {
	asked := make(chan struct{}, 1)
	s := newSite(t, false, func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	})
	c := newClient(t, ClientOptions{Rules: Rules{Allow: []string{s.URL}}})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { <-asked; cancel() }()
	if r := c.Do(ctx, &Request{URL: s.URL}); r.Status != RequestTimeout || r.HTTPCode != 0 {
		t.Errorf("%+v", r)
	}
}

// PL-139: names and numbers that lead to this machine are refused before a
// byte is sent, unless they are listed.
func TestSpecialAddressesAreRefused(t *testing.T) {
	s := newSite(t, false, func(http.ResponseWriter, *http.Request) {})
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	port := u.Port()
	for name, rules := range map[string]Rules{"public": {Public: true}, "listed": {Allow: []string{"*.localhost", "10.0.0.0/8", "localhost:1"}}} {
		c := newClient(t, ClientOptions{Rules: rules})
		for _, host := range []string{"localhost", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "１２７.0.0.1"} {
			if r := c.Do(t.Context(), &Request{URL: "http://" + host + ":" + port}); r.Status != Error {
				t.Errorf("%s: %s: %+v", name, host, r)
			}
		}
	}
	if s.requests() != 0 {
		t.Fatal("a refused request arrived")
	}
	for _, rules := range []Rules{{Allow: []string{"localhost"}}, {Allow: []string{"localhost:" + port}}, {Public: true, Private: true}, {Public: true, Allow: []string{"127.0.0.0/8"}}} {
		c := newClient(t, ClientOptions{Rules: rules})
		if r := c.Do(t.Context(), &Request{URL: "http://localhost:" + port}); r.Status != Success {
			t.Errorf("%+v: %+v", rules, r)
		}
	}
}

// plugins.md 17: redirects, at most three, checked each, never across schemes;
// a host that a call was not meant for gets none of its headers.
func TestRedirects(t *testing.T) {
	secure := newSite(t, true, func(http.ResponseWriter, *http.Request) {})
	other := newSite(t, false, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Seen", fmt.Sprint(r.Header["X-Own"], r.Header["Authorization"], r.Header["Referer"], r.Header["Content-Type"]))
	})
	hidden := newSite(t, false, func(http.ResponseWriter, *http.Request) {})
	s := newSite(t, false, func(w http.ResponseWriter, r *http.Request) {
		to := map[string]string{
			"/3": "/2", "/2": "/1", "/1": "/0", "/4": "/3", "/loop": "/loop",
			"/other": other.URL + "/", "/secure": secure.URL + "/", "/hidden": hidden.URL + "/", "/metadata": "http://169.254.169.254/",
			"/file": "file:///etc/passwd", "/outside": "/../x",
		}[r.URL.Path]
		if to != "" {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusTemporaryRedirect)
		}
	})
	c := newClient(t, ClientOptions{Rules: Rules{Allow: []string{s.URL, other.URL, secure.URL}}})
	for path, want := range map[string]Status{
		"/0": Success, "/3": Success, "/4": Error, "/loop": Error, "/other": Success,
		"/secure": Error, "/hidden": Error, "/metadata": Error, "/file": Error,
	} {
		r := c.Do(t.Context(), &Request{URL: s.URL + path + "?secret=1", Method: "POST", Body: []byte("b"),
			Header: http.Header{"X-Own": {"own"}, "Authorization": {"secret"}, "Content-Type": {"text/x"}}})
		if r.Status != want || strings.Contains(r.Reason, "secret") {
			t.Errorf("%s: %+v", path, r)
		}
		if path == "/other" && r.Header.Get("X-Seen") != "[] [] [] [text/x]" {
			t.Errorf("another host got %s", r.Header.Get("X-Seen"))
		}
	}
	if secure.requests()+hidden.requests() != 0 {
		t.Error("a forbidden redirect was followed")
	}
}
