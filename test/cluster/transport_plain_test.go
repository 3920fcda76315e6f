package cluster

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/transport"
)

func get(t testing.TB, url string) (status int, body string, header http.Header) {
	t.Helper()
	hc := &http.Client{Timeout: Timeout, Transport: &http.Transport{TLSClientConfig: anyCertificate(), DisableKeepAlives: true}}
	resp, err := hc.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text), resp.Header
}

// Region pings over UDP, HTTP and HTTPS are answered by all three servers, and
// make no peers. wire W-37, LB-039, LB-040
func TestRegionPing(t *testing.T) {
	up := Start(t, func(c *config.Config) {
		secure(c)
		for _, e := range []*config.Endpoints{&c.NameServer.Listen, &c.Master.Listen, &c.GameServer.Listen} {
			e.HTTP = "127.0.0.1:0"
		}
	})
	for name, bound := range map[string][]app.Bound{"name server": up.NameServer(), "master": up.Master(), "game server": up.GameServer()} {
		t.Run(name, func(t *testing.T) {
			c, err := net.Dial("udp", address(bound, client.UDP))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(Timeout))
			buf := make([]byte, 64)
			// Of that length, but with another start: no answer.
			if _, err := c.Write([]byte(strings.Repeat("}", 11) + "|\x01")); err != nil {
				t.Fatal(err)
			}
			for id := range 200 {
				ping := strings.Repeat("}", 12) + string([]byte{byte(id)})
				if _, err := c.Write([]byte(ping)); err != nil {
					t.Fatal(err)
				}
				if n, err := c.Read(buf); err != nil || string(buf[:n]) != ping {
					t.Fatalf("ping %d: %q, %v", id, buf[:n], err)
				}
			}
			for _, b := range bound {
				scheme := map[transport.Kind]string{transport.WebSocket: "http", transport.SecureWebSocket: "https", transport.HTTP: "http"}[b.Kind]
				if scheme != "" {
					status, body, header := get(t, scheme+"://"+b.Addr.String()+"/photon/m/?ping&r=1")
					if status != 200 || len(body) > 64 || header.Get("Access-Control-Allow-Origin") != "*" || header.Get("Cache-Control") != "no-store" {
						t.Errorf("%s: %d %q %v", b.Kind, status, body, header)
					}
				}
				if b.Kind != transport.TCP && b.Counters.Accepted.Load() != 0 {
					t.Errorf("%s: pings made %d peers", b.Kind, b.Counters.Accepted.Load())
				}
				if b.Kind == transport.HTTP { // wire 9
					if status, body, _ := get(t, "http://"+b.Addr.String()+"/"); status != 404 || !strings.Contains(body, "long polling") {
						t.Errorf("long polling is answered %d %q", status, body)
					}
				}
			}
		})
	}
}

// wire 10: policy files, where an operator turns them on.
func TestPolicyFiles(t *testing.T) {
	up := Start(t, func(c *config.Config) {
		c.Policy = config.Policy{Flash: "127.0.0.1:0", Silverlight: "127.0.0.1:0", Ports: "4530-4533"}
	})
	for i, want := range []string{`to-ports="4530-4533"`, `uri="*"`} {
		c, err := net.Dial("tcp", up.Policies()[i].String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(Timeout))
		request := "<policy-file-request/>"
		if i == 0 {
			request += "\x00"
		}
		if _, err := io.WriteString(c, request); err != nil {
			t.Fatal(err)
		}
		if answer, err := io.ReadAll(c); err != nil || !strings.Contains(string(answer), want) {
			t.Errorf("%q, %v", answer, err)
		}
	}
}
