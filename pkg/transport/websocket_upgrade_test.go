package transport

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/boson-project/boson/pkg/photon"
)

// WJ-001, WJ-003
func TestSubprotocols(t *testing.T) {
	for _, c := range []struct {
		header, status, echo string
		protocol             photon.Protocol
	}{
		{"Sec-WebSocket-Protocol: Json", "101", "Json", photon.JSON},
		{"sec-websocket-protocol: GpBinaryV16", "101", "GpBinaryV16", photon.GpBinaryV16},
		{"Sec-WebSocket-Protocol: GpBinaryV18", "101", "GpBinaryV18", photon.GpBinaryV18},
		{"Sec-WebSocket-Protocol: Foo, Json", "101", "Json", photon.JSON},
		{"Sec-WebSocket-Protocol: GpBinaryV18,Json", "101", "GpBinaryV18", photon.GpBinaryV18},
		{"Sec-WebSocket-Protocol: Foo\r\nSec-WebSocket-Protocol: GpBinaryV16", "101", "GpBinaryV16", photon.GpBinaryV16},
		{"X-Nothing: offered", "101", "", photon.JSON},
		{"Sec-WebSocket-Protocol: Foo", "400", "", 0},
		{"Sec-WebSocket-Protocol: json", "400", "", 0},
	} {
		t.Run(c.header, func(t *testing.T) {
			a := newStreamApp()
			l := startWebSocket(t, a.config(Limits{}))
			conn := dialStream(t, l.Addr())
			// WJ-007: extensions are offered, and not accepted.
			head := handshake(t, conn, "/app", c.header, "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits")
			if !strings.HasPrefix(head, "HTTP/1.1 "+c.status+" ") {
				t.Fatalf("got %s", head)
			}
			if c.status != "101" {
				wantEnd(t, conn)
				_ = conn.Close()
				return
			}
			if strings.Contains(head, "Extensions") || (c.echo == "") == strings.Contains(head, "Sec-WebSocket-Protocol:") ||
				c.echo != "" && !strings.Contains(head, "Sec-WebSocket-Protocol: "+c.echo+"\r\n") {
				t.Errorf("got %s", head)
			}
			if p := next(t, a.opened); p.Info().Protocol != c.protocol {
				t.Errorf("protocol %v", p.Info().Protocol)
			}
			_ = conn.Close()
		})
	}
}

// WJ-002; wire.md 6.1
func TestTargets(t *testing.T) {
	for _, c := range []struct {
		protocol, target, app string
		version               [4]byte
		ipv6                  bool
	}{
		{"Json", "/app?libversion=4.4.0.0", "app", [4]byte{4, 4, 0, 0}, false},
		{"Json", "/x/y/app", "app", [4]byte{}, false},
		{"Json", "//app", "app", [4]byte{}, false},
		{"Json", "/app%20with%C3%A9?libversion=4.1.0.0", "app withé", [4]byte{4, 1, 0, 0}, false},
		{"Json", "/undefined?libversion=new", "undefined", [4]byte{}, false},
		{"Json", "/100%?libversion=4.4.0.0", "100%", [4]byte{4, 4, 0, 0}, false},
		{"Json", "/?app=query", "query", [4]byte{}, false},
		{"GpBinaryV18", "/?libversion=4.1.8.11&sid=30&app=Master", "Master", [4]byte{4, 1, 8, 11}, false},
		{"GpBinaryV18", "/some/path/?libversion=4.1.8.11&sid=30&app=&IPv6", "", [4]byte{4, 1, 8, 11}, true},
		{"GpBinaryV16", "/", "", [4]byte{}, false},
	} {
		t.Run(c.target, func(t *testing.T) {
			a := newStreamApp()
			l := startWebSocket(t, a.config(Limits{}))
			conn := dialStream(t, l.Addr())
			if head := handshake(t, conn, c.target, "Sec-WebSocket-Protocol: "+c.protocol); !strings.HasPrefix(head, "HTTP/1.1 101 ") {
				t.Fatalf("got %s", head)
			}
			info := next(t, a.opened).Info()
			if info.AppID != c.app || info.ClientVersion != c.version || info.IPv6 != c.ipv6 {
				t.Errorf("info: %+v", info)
			}
			_ = conn.Close()
		})
	}
}

func TestPlainHTTP(t *testing.T) {
	long := "X-Cookie: " + strings.Repeat("x", webSocketHeadMax)
	upgrade := "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: bmqa7TWYacZnUgbv2h7vvg==\r\n"
	for _, c := range []struct {
		name, request string
		status        int
	}{
		{"region ping", "GET /photon/m/?ping&r=1 HTTP/1.1\r\nHost: x\r\nOrigin: https://game\r\n\r\n", 200}, // wire 37
		{"region ping, short", "GET /photon/m?ping HTTP/1.0\r\n\r\n", 200},
		{"browser", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 426},
		{"form", "POST /photon/m HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 404},
		{"not HTTP", "\x16\x03\x01\r\n\r\n", 404},
		{"too large", "GET / HTTP/1.1\r\nHost: x\r\n" + long + "\r\n\r\n", 431},
		{"old WebSocket", "GET / HTTP/1.1\r\nHost: x\r\n" + strings.Replace(upgrade, "13", "8", 1) + "\r\n", 426},
		{"no key", "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 400},
		{"wrong method", "POST / HTTP/1.1\r\nHost: x\r\n" + upgrade + "\r\n", 405},
		{"wrong protocol in the query", "GET /?protocol=x HTTP/1.1\r\nHost: x\r\n" + upgrade + "\r\n", 400},
		{"no request line", "\r\n" + upgrade + "\r\n", 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newStreamApp()
			l := startWebSocket(t, a.config(Limits{}))
			conn := dialStream(t, l.Addr())
			write(t, conn, []byte(c.request))
			r, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.Close()
			if r.StatusCode != c.status || len(body) > 100 {
				t.Errorf("status %s, body %s", r.Status, body)
			}
			if c.status == 200 && (r.Header.Get("Access-Control-Allow-Origin") != "*" || r.Header.Get("Cache-Control") != "no-store") {
				t.Errorf("headers %v", r.Header)
			}
		})
	}
}

// WJ-012
func TestOrigins(t *testing.T) {
	for _, c := range []struct {
		allowed []string
		origin  string
		ok      bool
	}{
		{nil, "https://anywhere", true},
		{[]string{"*"}, "https://anywhere", true},
		{[]string{"https://game.example"}, "https://Game.example", true},
		{[]string{"https://game.example"}, "https://evil.example", false},
		{[]string{"https://game.example"}, "null", false},
		{[]string{"https://game.example"}, "", true}, // no browser
	} {
		a := newStreamApp()
		cfg := a.config(Limits{})
		cfg.AllowedOrigins = c.allowed
		l := startWebSocket(t, cfg)
		conn := dialStream(t, l.Addr())
		headers := []string{"Sec-WebSocket-Protocol: Json"}
		if c.origin != "" {
			headers = append(headers, "Origin: "+c.origin)
		}
		want := "HTTP/1.1 403 "
		if c.ok {
			want = "HTTP/1.1 101 "
		}
		if head := handshake(t, conn, "/app", headers...); !strings.HasPrefix(head, want) {
			t.Errorf("%v, %s: %s", c.allowed, c.origin, head)
		}
		_ = conn.Close()
	}
}

// A client may send right behind its handshake, in the same packet.
func TestWebSocketEarlyFrames(t *testing.T) {
	a := newStreamApp()
	l := startWebSocket(t, a.config(Limits{}))
	c := dialStream(t, l.Addr())
	early := ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte(`~m~24~m~~j~{"req":229,"vals":[]}`))))
	head := handshake(t, c, "/app", "Sec-WebSocket-Protocol: Json", "X-More: "+strings.Repeat("x", 5000), "", string(early))
	if !strings.HasPrefix(head, "HTTP/1.1 101 ") {
		t.Fatalf("got %s", head)
	}
	// The helper's line end follows the frame; it is no frame and ends the session.
	p := next(t, a.opened)
	if m := next(t, p.received); m.bytes != `{"req":229,"vals":[]}` {
		t.Errorf("received %q", m.bytes)
	}
	_ = c.Close()
}

// wire W-30: with xInit the init request comes framed, and is answered once.
func TestWebSocketBadToken(t *testing.T) {
	request := "POST /?init=&app=&clientversion=4.1.8.11&protocol=%s&sid=30& HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\n%s"
	good := fmt.Sprintf(request, "GpBinaryV18", "\x07\x0atokenvalue")
	for _, c := range []struct {
		name, send string
		code       ws.StatusCode
	}{
		{"framed", string(tcpFrameOf(good)), 0},
		{"not framed", good, 0},
		{"other protocol", string(tcpFrameOf(fmt.Sprintf(request, "GpBinaryV16", "s\x00\x09tokenvalu"))), 1002},
		{"broken token", string(tcpFrameOf(fmt.Sprintf(request, "GpBinaryV18", "\x07\x7ftokenvalue"))), 1002},
		{"operation", "\xf3\x02\x01\x00", 1002},
		{"ping", "\xf3\x06\x01\x01\x01\x0d\x74\x04", 1002},
		{"empty", "", 1002},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newStreamApp()
			l := startWebSocket(t, a.config(Limits{}))
			conn := &wsClient{dialStream(t, l.Addr()), t}
			handshake(t, conn, "/?libversion=4.1.6.6&sid=30&app=Query&xInit=", "Sec-WebSocket-Protocol: GpBinaryV18")
			conn.binary(c.send)
			if c.code != 0 {
				conn.wantClose(c.code)
				return
			}
			conn.want(ws.OpBinary, "\xf3\x01\x00")
			info := next(t, a.opened).Info()
			if string(info.Token) != "\x07\x0atokenvalue" || info.AppID != "Query" || info.ClientVersion != [4]byte{4, 1, 8, 11} {
				t.Errorf("info: %+v", info)
			}
			_ = conn.Close()
		})
	}
}
