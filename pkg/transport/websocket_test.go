//lint:file-ignore SA1019 the tests read frames of our own server, whose sizes they know

package transport

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/boson-project/boson/pkg/gpjson"
	"github.com/boson-project/boson/pkg/photon"
)

func startWebSocket(t *testing.T, cfg StreamConfig) *WebSocketListener {
	t.Helper()
	l, err := ListenWebSocket("127.0.0.1:0", cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shutdown(t, l) })
	return l
}

// wsClient is a WebSocket client that can do everything wrong.
type wsClient struct {
	net.Conn
	t *testing.T
}

// handshake sends a request with the usual headers and more, and returns the
// head of the answer.
func handshake(t *testing.T, c net.Conn, target string, headers ...string) string {
	t.Helper()
	write(t, c, fmt.Appendf(nil, "GET %s HTTP/1.1\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: bmqa7TWYacZnUgbv2h7vvg==\r\n"+
		"Connection: Upgrade\r\nUpgrade: websocket\r\nHost: 127.0.0.1:9093\r\n%s\r\n", target, strings.Join(append(headers, ""), "\r\n")))
	return readHTTPHead(t, c)
}

// readHTTPHead reads byte by byte, so that nothing of what follows is lost.
func readHTTPHead(t *testing.T, c net.Conn) string {
	t.Helper()
	var head []byte
	for !bytes.HasSuffix(head, []byte("\r\n\r\n")) {
		b := make([]byte, 1)
		if _, err := io.ReadFull(c, b); err != nil {
			t.Fatalf("after %q: %v", head, err)
		}
		head = append(head, b...)
	}
	return string(head)
}

func connectWS(t *testing.T, a *streamApp, l *WebSocketListener, protocol string) (*wsClient, *streamPeer) {
	t.Helper()
	c := &wsClient{dialStream(t, l.Addr()), t}
	if head := handshake(t, c, "/my-app-id?libversion=4.4.0.0&app=query-app", "Sec-WebSocket-Protocol: "+protocol); !strings.HasPrefix(head, "HTTP/1.1 101 ") {
		t.Fatalf("handshake: %s", head)
	}
	p := next(t, a.opened)
	if protocol == "Json" {
		c.want(ws.OpText, string(gpjson.AppendSessionID(nil, fmt.Sprint(p.ID()))))
	} else {
		c.want(ws.OpBinary, "\xf3\x01\x00")
	}
	return c, p
}

func (c *wsClient) frame(fin bool, code ws.OpCode, payload string) {
	c.t.Helper()
	write(c.t, c, ws.MustCompileFrame(ws.MaskFrame(ws.NewFrame(code, fin, []byte(payload)))))
}

func (c *wsClient) text(payload string)   { c.t.Helper(); c.frame(true, ws.OpText, payload) }
func (c *wsClient) binary(payload string) { c.t.Helper(); c.frame(true, ws.OpBinary, payload) }

func (c *wsClient) json(payload string) {
	c.t.Helper()
	c.text(string(gpjson.AppendFrame(nil, []byte("~j~"+payload))))
}

func (c *wsClient) want(code ws.OpCode, payload string) {
	c.t.Helper()
	f, err := ws.ReadFrame(c)
	if err != nil {
		c.t.Fatalf("no frame: %v", err)
	}
	if !f.Header.Fin || f.Header.Masked || f.Header.Rsv != 0 || f.Header.OpCode != code || string(f.Payload) != payload {
		c.t.Fatalf("got %+v %.100q, want opcode %d %.100q", f.Header, f.Payload, code, payload)
	}
}

// wantClose reads a close frame with the code and the end of the stream.
func (c *wsClient) wantClose(code ws.StatusCode) {
	c.t.Helper()
	f, err := ws.ReadFrame(c)
	if err != nil {
		c.t.Fatalf("no close frame: %v", err)
	}
	if f.Header.OpCode != ws.OpClose {
		c.t.Fatalf("got opcode %d %.100q, want a close frame", f.Header.OpCode, f.Payload)
	}
	if got, text := ws.ParseCloseFrameData(f.Payload); got != code {
		c.t.Errorf("closed with %d %s, want %d", got, text, code)
	}
	if rest := wantEnd(c.t, c); len(rest) > 0 {
		c.t.Errorf("%x after the close frame", rest)
	}
	_ = c.Close()
}

// wire W-24, W-25, W-30, W-31: the recorded sessions of the official clients.
func TestWebSocketVectors(t *testing.T) {
	for _, file := range vectorFiles(t, "ws_*.json") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			v, packets := readVector(t, file)
			a := newStreamApp()
			l := startWebSocket(t, a.config(Limits{}))
			c := &wsClient{dialStream(t, l.Addr()), t}
			write(t, c, []byte(v.HTTPRequest))
			wantBytes(t, c, []byte(v.HTTPResponse))
			withToken := strings.Contains(v.HTTPRequest, "&xInit")
			if packets[0].c2s && !withToken {
				// Recorded with a server that leaves it out; the client does not mind it.
				c.want(ws.OpBinary, "\xf3\x01\x00")
			}
			var p *streamPeer
			if !withToken {
				p = next(t, a.opened)
			}
			for i, pkt := range packets {
				isClose := i >= len(packets)-2
				switch {
				case pkt.c2s && isClose:
					c.frame(true, ws.OpClose, string(pkt.bytes))
				case pkt.c2s:
					c.binary(string(pkt.bytes))
					if p == nil {
						p = next(t, a.opened)
					} else if m := next(t, p.received); m.bytes != string(pkt.bytes) || m.d != (photon.Delivery{Mode: photon.Reliable}) {
						t.Errorf("received %x %v, want %x", m.bytes, m.d, pkt.bytes)
					}
				case isClose:
					c.want(ws.OpClose, string(pkt.bytes))
				default:
					if !bytes.Equal(pkt.bytes, photon.InitResponse) {
						p.Send(pkt.bytes, photon.Delivery{Mode: photon.Reliable})
					}
					c.want(ws.OpBinary, string(pkt.bytes))
				}
			}
			wantEnd(t, c)
			_ = c.Close()
			p.wantClosed(t, ReasonClientDisconnect)

			info := p.Info()
			version := [4]byte{4, 1, 8, 11}
			if strings.Contains(file, "4_1_6_6") {
				version = [4]byte{4, 1, 6, 6}
			}
			protocol := photon.GpBinaryV18
			if strings.Contains(file, "v16") {
				protocol = photon.GpBinaryV16
			}
			token := ""
			if withToken {
				token = "\x07\x0atokenvalue"
			}
			if info.Kind != WebSocket || info.AppID != "Master" || info.ClientVersion != version || info.Protocol != protocol || string(info.Token) != token {
				t.Errorf("info: %+v", info)
			}
		})
	}
}

func TestJSONSession(t *testing.T) {
	a := newStreamApp()
	a.clock.Store(1 << 31)
	l := startWebSocket(t, a.config(Limits{}))
	c, p := connectWS(t, a, l, "Json") // WJ-004: the session id first
	if info := p.Info(); info.AppID != "my-app-id" || info.Protocol != photon.JSON {
		t.Errorf("info: %+v", info)
	}
	wantReceived := func(want string) {
		t.Helper()
		if m := next(t, p.received); m.bytes != want || m.d != (photon.Delivery{Mode: photon.Reliable}) {
			t.Errorf("received %q %v, want %q", m.bytes, m.d, want)
		}
	}
	c.text("~m~29~m~~j~{\"evt\":7,\"vals\":[1,\"é😀\"]}")
	wantReceived(`{"evt":7,"vals":[1,"é😀"]}`)
	c.text("~m~32~m~~j~{\"evt\":7,\"vals\":[1,\"é😀\"]}") // WJ-021
	wantReceived(`{"evt":7,"vals":[1,"é😀"]}`)
	c.text(`~m~24~m~~j~{"req":229,"vals":[]}~m~24~m~~j~{"req":228,"vals":[]}`) // WJ-022
	wantReceived(`{"req":229,"vals":[]}`)
	wantReceived(`{"req":228,"vals":[]}`)
	c.text("~m~3~m~abc") // WJ-025
	c.text("~m~0~m~")

	// WJ-031, websocket-json.md 3.3
	c.json(`{"irq":1,"vals":[1,16]}`)
	c.want(ws.OpText, `~m~59~m~~j~{"err":0,"irs":1,"vals":[1,16,2,-2147483648],"msg":null}`)
	for _, sent := range []string{"1700000000000", "1.5", "-2147483649", "null"} {
		c.json(` { "vals" : [ 1 , ` + sent + ` ] , "irq" : 1 } `)
		body := `~j~{"err":0,"irs":1,"vals":[1,` + sent + `,2,-2147483648],"msg":null}`
		c.want(ws.OpText, fmt.Sprintf("~m~%d~m~%s", len(body), body))
	}
	c.json(`{"irq":1,"vals":[]}`)
	c.want(ws.OpText, `~m~61~m~~j~{"err":0,"irs":1,"vals":[1,null,2,-2147483648],"msg":null}`)
	c.json(`{"irq":2,"vals":[1,16]}`)        // WJ-033: no answer
	c.json(`{"req":253,"vals":[245,"irq"]}`) // not a ping
	wantReceived(`{"req":253,"vals":[245,"irq"]}`)
	p.Send([]byte("~m~1~m~x"), photon.Delivery{})
	c.want(ws.OpText, "~m~1~m~x")
	c.frame(true, ws.OpClose, "") // the SDK's goodbye: no status
	c.want(ws.OpClose, "")
	wantEnd(t, c)
	_ = c.Close()
	p.wantClosed(t, ReasonClientDisconnect)
}

// WJ-005, WJ-006: one message per WebSocket message, in order, text only.
func TestJSONBurst(t *testing.T) {
	a := newStreamApp()
	l := startWebSocket(t, a.config(Limits{MaxQueuedBytes: 10 << 20}))
	c, p := connectWS(t, a, l, "Json")
	var want []string
	for i := range 1000 {
		want = append(want, string(gpjson.AppendContentEvent(nil, 1, []byte(fmt.Sprintf(`"%s"`, strings.Repeat("x", i*i%3000))), int32(i))))
	}
	go func() {
		for _, m := range want {
			p.Send([]byte(m), photon.Delivery{Mode: photon.Reliable})
		}
	}()
	for _, m := range want {
		c.want(ws.OpText, m)
	}
	_ = c.Close()
	p.wantClosed(t, ReasonConnectionLost) // no close frame
}

// WJ-023 as far as it is the transport's business, and RFC 6455.
func TestWebSocketProtocolErrors(t *testing.T) {
	frame := func(fin bool, code ws.OpCode, payload string) []byte {
		return ws.MustCompileFrame(ws.MaskFrame(ws.NewFrame(code, fin, []byte(payload))))
	}
	text := func(s string) []byte { return frame(true, ws.OpText, s) }
	reserved := text("~m~1~m~x")
	reserved[0] |= 0x40
	longPing := ws.MustCompileFrame(ws.MaskFrame(ws.NewFrame(ws.OpPing, true, make([]byte, 126))))
	for _, c := range []struct {
		name     string
		protocol string
		send     []byte
		want     ws.StatusCode
	}{
		{"no header", "Json", text("x"), 1002},
		{"empty", "Json", text(""), 1002},
		{"header only", "Json", text("~m~"), 1002},
		{"negative length", "Json", text("~m~-1~m~x"), 1002},
		{"absurd length", "Json", text("~m~99999999999999999999~m~x"), 1002},
		{"length does not fit", "Json", text("~m~5~m~~j~{"), 1002},
		{"no frame", "Json", text("~j~[]"), 1002},
		{"second frame", "Json", text("~m~1~m~xy"), 1002},
		{"broken ping", "Json", text(`~m~13~m~~j~{"irq":1,,}`[:8] + `~j~{"irq":1,,}`), 1002},
		{"odd ping", "Json", text(`~m~24~m~~j~{"irq":1,"vals":[1]}`), 1002},
		{"binary on Json", "Json", frame(true, ws.OpBinary, "~m~1~m~x"), 1002},
		{"text on binary", "GpBinaryV18", text("\xf3\x02"), 1002},
		{"unmasked", "Json", ws.MustCompileFrame(ws.NewTextFrame([]byte("~m~1~m~x"))), 1002},
		{"reserved bit", "Json", reserved, 1002},
		{"reserved opcode", "Json", frame(true, 3, ""), 1002},
		{"reserved control opcode", "Json", frame(true, 11, ""), 1002},
		{"negative frame length", "Json", []byte{0x81, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 1002},
		{"long ping", "Json", longPing, 1002},
		{"fragmented ping", "Json", frame(false, ws.OpPing, ""), 1002},
		{"continuation of nothing", "GpBinaryV18", frame(true, ws.OpContinuation, "x"), 1002},
		{"message in a message", "GpBinaryV18", append(frame(false, ws.OpBinary, "x"), frame(true, ws.OpBinary, "x")...), 1002},
		{"close with one byte", "Json", frame(true, ws.OpClose, "x"), 1002},
		{"close with a bad code", "Json", frame(true, ws.OpClose, "\x03\xec"), 1002},
		{"too big", "GpBinaryV18", frame(true, ws.OpBinary, strings.Repeat("x", 2001))[:8], 1009}, // WJ-011
		{"too big, announced", "Json", []byte{0x81, 0xFF, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}, 1009},
		{"too big in parts", "GpBinaryV18", append(frame(false, ws.OpBinary, strings.Repeat("x", 1500)), frame(true, ws.OpContinuation, strings.Repeat("x", 501))[:8]...), 1009},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newStreamApp()
			l := startWebSocket(t, a.config(Limits{MaxMessageSize: 2000}))
			conn, p := connectWS(t, a, l, c.protocol)
			write(t, conn, c.send)
			conn.wantClose(c.want)
			reason := ReasonProtocolError
			if c.want == 1009 {
				reason = ReasonMessageTooBig
			}
			p.wantClosed(t, reason)
			for m := range p.received {
				t.Errorf("received %q", m.bytes)
			}
		})
	}
}

// websocket-json.md 1.4: JSON may be longer than the default message limit.
func TestJSONLimit(t *testing.T) {
	a := newStreamApp()
	l := startWebSocket(t, a.config(Limits{}))
	c, p := connectWS(t, a, l, "Json")
	largest := gpjson.AppendFrame(nil, []byte("~j~"+strings.Repeat("x", webSocketJSONMax-16)))
	if len(largest) != webSocketJSONMax {
		t.Fatalf("test message of %d bytes", len(largest))
	}
	go c.text(string(largest))
	if m := next(t, p.received); len(m.bytes) != webSocketJSONMax-16 {
		t.Errorf("received %d bytes", len(m.bytes))
	}
	go func() {
		_, _ = c.Write(ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame(append(largest, 'x')))))
	}()
	c.wantClose(1009)
	p.wantClosed(t, ReasonMessageTooBig)
}

func TestWebSocketFragments(t *testing.T) {
	a := newStreamApp()
	l := startWebSocket(t, a.config(Limits{MaxMessageSize: 300000}))
	c, p := connectWS(t, a, l, "GpBinaryV18")
	big := strings.Repeat("0123456789", 30000) // 300000 bytes, the limit
	go func() {
		c.binary(big)
		c.frame(false, ws.OpBinary, big[:100])
		c.frame(true, ws.OpPing, "are you there") // in between
		c.frame(false, ws.OpContinuation, "")
		c.frame(false, ws.OpContinuation, big[100:70000])
		c.frame(true, ws.OpPong, "")
		c.frame(true, ws.OpContinuation, big[70000:])
		c.binary("\xf3\x02\x01\x00")
	}()
	for _, want := range []string{big, big, "\xf3\x02\x01\x00"} {
		if m := next(t, p.received); m.bytes != want {
			t.Errorf("received %d bytes, want %d", len(m.bytes), len(want))
		}
	}
	c.want(ws.OpPong, "are you there")
	for _, n := range []int{0, 125, 126, 65535, 65536, 300000} {
		p.Send([]byte(big[:n]), photon.Delivery{Mode: photon.Reliable})
		c.want(ws.OpBinary, big[:n])
	}
	_ = c.Close()
}

// wire 31, websocket-json.md 1.5: the code that each end has, after what was queued.
func TestWebSocketCloseCodes(t *testing.T) {
	for reason, code := range map[Reason]ws.StatusCode{
		ReasonServerDisconnect: 1000, ReasonManaged: 1000, ReasonRateLimit: 1000, ReasonUserLimit: 1000, ReasonReplaced: 1000,
		ReasonShutdown: 1001, ReasonProtocolError: 1002, ReasonMessageTooBig: 1009, ReasonUnknown: 1011,
	} {
		a := newStreamApp()
		l := startWebSocket(t, a.config(Limits{}))
		c, p := connectWS(t, a, l, "GpBinaryV16")
		p.Send([]byte("last"), photon.Delivery{Mode: photon.Reliable})
		p.Close(reason)
		c.want(ws.OpBinary, "last")
		c.wantClose(code)
		p.wantClosed(t, reason)
	}
}

// WJ-010
func TestWebSocketShutdown(t *testing.T) {
	a := newStreamApp()
	l := startWebSocket(t, a.config(Limits{}))
	c, p := connectWS(t, a, l, "Json")
	done := make(chan struct{})
	go func() { shutdown(t, l); close(done) }()
	c.wantClose(1001)
	p.wantClosed(t, ReasonShutdown)
	<-done
}

// WJ-008 on this floor; wire 32
func TestSecureWebSocket(t *testing.T) {
	certificate := selfSigned(t)
	a := newStreamApp()
	cfg := a.config(Limits{})
	cfg.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	l := startWebSocket(t, cfg)
	secure := tls.Client(dialStream(t, l.Addr()), &tls.Config{InsecureSkipVerify: true})
	c := &wsClient{secure, t}
	handshake(t, c, "/app", "Sec-WebSocket-Protocol: Json")
	p := next(t, a.opened)
	if p.Info().Kind != SecureWebSocket {
		t.Errorf("kind %v", p.Info().Kind)
	}
	c.want(ws.OpText, string(gpjson.AppendSessionID(nil, fmt.Sprint(p.ID()))))
	big := string(gpjson.AppendFrame(nil, []byte("~j~"+strings.Repeat("x", 100000))))
	c.text(big)
	next(t, p.received)
	for range 10 {
		p.Send([]byte(big), photon.Delivery{Mode: photon.Reliable})
		c.want(ws.OpText, big)
	}
	p.Close(ReasonManaged)
	c.wantClose(1000)
	p.wantClosed(t, ReasonManaged)

	// A client that speaks no TLS does no harm.
	plain := dialStream(t, l.Addr())
	write(t, plain, []byte("GET / HTTP/1.1\r\n\r\n"))
	_, _ = io.ReadAll(plain)
}

func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// The budget of an idle client (stream_buffer.go): 16 KiB, its goroutine's stack included.
func TestWebSocketIdleMemory(t *testing.T) {
	a := newStreamApp()
	a.room = 0
	l := startWebSocket(t, a.config(Limits{}))
	per := memoryPerPeer(t, l.Addr(), func(c net.Conn) {
		handshake(t, c, "/my-app-id?libversion=4.4.0.0", "Sec-WebSocket-Protocol: Json")
		if _, err := ws.ReadFrame(c); err != nil {
			t.Fatal(err)
		}
		next(t, a.opened)
	})
	if limit := 16 << 10; per > limit && !raceEnabled {
		t.Errorf("%d bytes per idle client, want at most %d", per, limit)
	}
}
