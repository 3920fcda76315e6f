package transport

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// wire 10
func TestPolicies(t *testing.T) {
	for _, tt := range []struct {
		name, request, end string
		policy             Policy
		want               []string
	}{
		{"flash", policyRequest + "\x00", "\x00", FlashPolicy("4530-4533"), []string{"<cross-domain-policy>", `domain="*"`, `to-ports="4530-4533"`}},
		{"silverlight", policyRequest, "</access-policy>", SilverlightPolicy(), []string{`<domain uri="*"/>`, `port="4502-4534" protocol="tcp"`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, err := ListenPolicy("127.0.0.1:0", tt.policy)
			if err != nil {
				t.Fatal(err)
			}
			defer shutdown(t, l)
			c := dialStream(t, l.Addr())
			write(t, c, []byte(tt.request[:5])) // in pieces
			write(t, c, []byte(tt.request[5:]))
			answer := string(wantEnd(t, c))
			if !strings.HasSuffix(answer, tt.end) || strings.Count(answer, "\x00") != strings.Count(tt.end, "\x00") {
				t.Errorf("answer ends wrong: %q", answer)
			}
			for _, w := range tt.want {
				if !strings.Contains(answer, w) {
					t.Errorf("answer %q lacks %s", answer, w)
				}
			}
			for _, wrong := range []string{"GET / HTTP/1.1\r\n\r\n", tt.request[:10] + "!", tt.request + strings.Repeat("x", policyRequestMax)} {
				c := dialStream(t, l.Addr())
				write(t, c, []byte(wrong))
				if answer, _ := io.ReadAll(c); len(answer) > 0 {
					t.Errorf("%q is answered %q", wrong, answer)
				}
			}
		})
	}
}

// A client that says nothing is closed after five seconds. wire 10
func TestPolicyTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipes := newPipeListener()
		l := serveStream(pipes, policyConfig(), TCP, FlashPolicy("*").serve)
		start := time.Now()
		c := pipes.dial()
		write(t, c, []byte(policyRequest)) // all but the zero byte
		if answer, _ := io.ReadAll(c); len(answer) > 0 || time.Since(start) != policyTimeout {
			t.Errorf("%q after %v", answer, time.Since(start))
		}
		shutdown(t, l)
	})
}

// wire 9, wire W-37: the HTTP listener answers pings and sends the rest away.
func TestHTTPListener(t *testing.T) {
	a := newStreamApp()
	cfg := a.config(Limits{})
	l, err := ListenHTTP("127.0.0.1:0", cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer shutdown(t, l)
	for _, tt := range []struct {
		method, path string
		status       int
		text         string
	}{
		{"GET", "/photon/m/?ping&r=3", http.StatusOK, "ok"},
		{"POST", "/?init=&app=x&clientversion=4.0.0.0&protocol=GpBinaryV16&sid=1&", http.StatusNotFound, "long polling"},
		{"GET", "/", http.StatusNotFound, "long polling"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tt.method, "http://"+l.Addr().String()+tt.path, bytes.NewReader([]byte("abc")))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != tt.status || !strings.Contains(string(body), tt.text) || resp.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s %s: %s %q %v", tt.method, tt.path, resp.Status, body, resp.Header)
		}
	}
	if len(a.opened) != 0 || cfg.Counters.Peers.Load() != 0 {
		t.Error("HTTP made a session")
	}
}
