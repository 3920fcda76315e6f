package transport

import (
	"bytes"
	"io"
	"net"
	"testing"

	"github.com/gobwas/ws"

	"github.com/boson-project/boson/pkg/photon"
)

// countingApp takes whatever comes.
type countingApp struct{ bytes int }

func (a *countingApp) Accept(Session) Receiver               { return a }
func (a *countingApp) Receive(msg []byte, _ photon.Delivery) { a.bytes += len(msg) }
func (a *countingApp) Closed(Reason)                         {}

// deafConn is a connection that the fuzzed bytes come from, and that swallows
// what the server says.
type deafConn struct {
	net.Conn
	in io.Reader
}

func (c *deafConn) Read(b []byte) (int, error)  { return c.in.Read(b) }
func (c *deafConn) Write(b []byte) (int, error) { return len(b), nil }

// fuzzStream runs a session on input, and returns how many bytes of messages
// the application got.
func fuzzStream(t *testing.T, input []byte, serve func(*streamSession)) int {
	pipe, other := net.Pipe()
	defer other.Close()
	a := &countingApp{}
	cfg := StreamConfig{Acceptor: a, Clock: func() uint32 { return 0 }}
	l := &streamListener{cfg: cfg, limits: Limits{MaxMessageSize: 1000, MaxMessagesPerSecond: -1}.WithDefaults(), counters: &Counters{}}
	s := newStreamSession(l, &deafConn{pipe, bytes.NewReader(input)}, unmapped(nil))
	serve(s)
	s.finish()
	l.wg.Wait()
	if !s.ended.Load() || s.reason == ReasonUnknown {
		t.Fatalf("ended for %v", s.reason)
	}
	if len(s.in.b) > streamBufferBusy {
		t.Fatalf("a buffer of %d bytes for messages of 1000", len(s.in.b))
	}
	return a.bytes
}

func FuzzTCPStream(f *testing.F) {
	f.Add([]byte{})
	f.Add(initFrame)
	f.Add(append(bytes.Clone(initFrame), 0xF0, 0, 0, 0, 1, 0xFB, 0, 0, 0, 11, 0, 1, 0xF3, 2, 1, 0))
	f.Add(tcpFrameOf("POST /?init=&app=x&protocol=GpBinaryV18& HTTP/1.1\r\nContent-Length: 3\r\n\r\n\x07\x01x"))
	f.Fuzz(func(t *testing.T, input []byte) {
		if n := fuzzStream(t, input, serveTCP); n > len(input) {
			t.Fatalf("%d bytes became %d", len(input), n)
		}
	})
}

func FuzzWebSocketStream(f *testing.F) {
	const head = "GET /app?xInit HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: bmqa7TWYacZnUgbv2h7vvg==\r\nSec-WebSocket-Protocol: "
	masked := func(fin bool, code ws.OpCode, payload string) string {
		return string(ws.MustCompileFrame(ws.MaskFrameInPlaceWith(ws.NewFrame(code, fin, []byte(payload)), [4]byte{1, 2, 3, 4})))
	}
	f.Add([]byte("GET /photon/m HTTP/1.1\r\n\r\n"))
	f.Add([]byte(head + "Json\r\n\r\n" + masked(true, ws.OpText, `~m~26~m~~j~{"irq":1,"vals":[1,16]}`) + masked(true, ws.OpPing, "x")))
	f.Add([]byte(head + "Json\r\n\r\n" + masked(false, ws.OpText, `~m~24~m~~j~{"req":`) + masked(true, ws.OpContinuation, `229,"vals":[]}`) + masked(true, ws.OpClose, "")))
	f.Add([]byte(head + "GpBinaryV18\r\n\r\n" + masked(true, ws.OpBinary, string(tcpFrameOf("POST /?protocol=GpBinaryV18& HTTP/1.1\r\n\r\n\x07\x01x"))) + masked(true, ws.OpBinary, "\xf3\x02\x01\x00")))
	f.Fuzz(func(t *testing.T, input []byte) {
		if n := fuzzStream(t, input, serveWebSocket); n > len(input) {
			t.Fatalf("%d bytes became %d", len(input), n)
		}
	})
}
