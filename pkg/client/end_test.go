package client

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/boson-project/boson/pkg/enet"
	"github.com/boson-project/boson/pkg/photon"
)

// dialFor connects and returns the peer and where its end is told.
func dialFor(t *testing.T, s *server, opt Options) (*Peer, chan *DisconnectError) {
	t.Helper()
	gone := make(chan *DisconnectError, 1)
	opt.OnDisconnect = func(err *DisconnectError) { gone <- err }
	p, err := Dial(testContext(t), opt, s.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p, gone
}

// TestServerDisconnects: the cause of the end is the one that official clients
// report. // wire W-21
func TestServerDisconnects(t *testing.T) {
	for _, tt := range []struct {
		transport Transport
		want      Cause
	}{
		{TCP, ServerTimeout},
		{WebSocket, DisconnectByServerReasonUnknown},
		{UDP, DisconnectByServerLogic},
	} {
		t.Run(tt.transport.String(), func(t *testing.T) {
			s := start(t, tt.transport, func(c *serverConn, _ *photon.Request) { c.close() })
			p, gone := dialFor(t, s, Options{Transport: tt.transport})
			_, err := p.Operation(testContext(t), 1, nil)
			var end *DisconnectError
			if !errors.As(err, &end) || end.Cause != tt.want {
				t.Errorf("operation: %v, want %v", err, tt.want)
			}
			if end := receive(t, gone); end.Cause != tt.want {
				t.Errorf("cause %v, want %v", end, tt.want)
			}
		})
	}
}

// TestDisconnectMessage: a server's words end the peer. // wire W-28
func TestDisconnectMessage(t *testing.T) {
	for _, l := range links {
		if l.protocol == photon.JSON {
			continue
		}
		t.Run(l.name, func(t *testing.T) {
			s := start(t, l.transport, func(c *serverConn, _ *photon.Request) {
				msg, err := photon.AppendDisconnect(nil, c.protocol, 7, "bye")
				if err != nil {
					t.Error(err)
				}
				c.write(msg)
			})
			p, gone := dialFor(t, s, Options{Transport: l.transport, Protocol: l.protocol})
			if err := p.Send(1, nil, SendReliable); err != nil {
				t.Fatal(err)
			}
			end := receive(t, gone)
			if end.Cause != DisconnectByDisconnectMessage || end.Code != 7 || end.Text != "bye" {
				t.Errorf("end %v", end)
			}
		})
	}
}

// TestBrokenMessages: what a server must not send ends the peer with an error
// that says so.
func TestBrokenMessages(t *testing.T) {
	for name, msg := range map[string][]byte{
		"magic":            {0xAA, 4, 1, 0},
		"short":            {0xF3},
		"no event code":    {0xF3, 4},
		"event cut":        {0xF3, 4, 1, 1, 2, 7, 9},
		"event too long":   {0xF3, 4, 1, 0, 0},
		"response cut":     {0xF3, 3, 1, 0},
		"debug is an int":  {0xF3, 3, 1, 0, 0, 11, 1, 0},
		"request":          {0xF3, 2, 1, 0},
		"unknown type":     {0xF3, 0x30, 1},
		"no key":           {0xF3, 0x84, 1, 2, 3},
		"unasked exchange": {0xF3, 7, 0, 0, 0, 8, 0},
		"ping lacks time":  {0xF3, 7, 1, 0, 0, 8, 0},
	} {
		t.Run(name, func(t *testing.T) {
			for _, tr := range []Transport{TCP, UDP, WebSocket} {
				if tr == UDP && name == "short" {
					continue // an enet message may be anything; the server's own rule
				}
				s := start(t, tr, func(c *serverConn, _ *photon.Request) { c.write(msg) })
				p, gone := dialFor(t, s, Options{Transport: tr, OnEvent: func(*Event) {}})
				if err := p.Send(1, nil, SendReliable); err != nil {
					t.Fatal(err)
				}
				if end := receive(t, gone); end.Cause != ProtocolError || end.Err == nil {
					t.Errorf("%s: end %v", tr, end)
				}
			}
		})
	}
}

// pipe connects a stream's framing to a test without a socket.
func pipe(t *testing.T, transport Transport, protocol photon.Protocol) (*Peer, *stream, net.Conn) {
	t.Helper()
	ours, theirs := net.Pipe()
	p := &Peer{
		opt: Options{Transport: transport, Protocol: protocol}.withDefaults(), start: time.Now(),
		ready: make(chan struct{}), done: make(chan struct{}), gone: make(chan struct{}),
	}
	var s *stream
	if transport == TCP {
		f := &tcp{}
		s = newStream(p, ours, f)
		f.s = s
	} else {
		f := &webSocket{}
		s = newStream(p, ours, f)
		f.s = s
	}
	p.link = s
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	return p, s, theirs
}

// TestUnitsInPieces feeds the streams byte by byte, and all at once. // wire W-29
func TestUnitsInPieces(t *testing.T) {
	event := []byte{0xF3, 4, 9, 0}
	long := append([]byte{0xF3, 4, 9, 1, 1, 0x43, 0xAC, 0x02}, make([]byte, 300)...)
	tcpBytes := append(appendFrame(nil, event, reliable), tcpPing, 0, 0, 0, 1, 0, 0, 0, 0)
	tcpBytes = appendFrame(appendFrame(tcpBytes, long, reliable), event, reliable)

	frame := func(op ws.OpCode, fin bool, b []byte) []byte {
		f := ws.MustCompileFrame(ws.NewFrame(op, fin, b))
		return f
	}
	var wsBytes []byte
	wsBytes = append(wsBytes, frame(ws.OpBinary, true, event)...)
	wsBytes = append(wsBytes, frame(ws.OpBinary, false, long[:10])...)
	wsBytes = append(wsBytes, frame(ws.OpPing, true, []byte("x"))...)
	wsBytes = append(wsBytes, frame(ws.OpContinuation, false, long[10:20])...)
	wsBytes = append(wsBytes, frame(ws.OpContinuation, true, long[20:])...)
	wsBytes = append(wsBytes, frame(ws.OpBinary, true, long)...)

	for _, tt := range []struct {
		transport Transport
		stream    []byte
	}{{TCP, tcpBytes}, {WebSocket, wsBytes}} {
		for _, size := range []int{1, 2, 3, 7, 100, len(tt.stream)} {
			p, s, theirs := pipe(t, tt.transport, photon.GpBinaryV18)
			events := 0
			p.opt.OnEvent = func(e *Event) {
				if e.Code != 9 {
					t.Errorf("event %d", e.Code)
				}
				events++
			}
			go func() {
				for b := tt.stream; len(b) > 0; {
					n := min(size, len(b))
					theirs.Write(b[:n])
					b = b[n:]
				}
				theirs.Close()
			}()
			end := s.receive()
			if events != 3 || end.Cause != s.framing.cutOff() {
				t.Errorf("%s in pieces of %d: %d events, %v", tt.transport, size, events, end)
			}
		}
	}
}

func TestBrokenUnits(t *testing.T) {
	for name, tt := range map[string]struct {
		transport Transport
		stream    []byte
	}{
		"tcp magic":        {TCP, []byte{0xAB}},
		"tcp short frame":  {TCP, []byte{0xFB, 0, 0, 0, 6, 0, 1}},
		"tcp huge frame":   {TCP, []byte{0xFB, 0xFF, 0xFF, 0xFF, 0xFF, 0, 1}},
		"ws masked":        {WebSocket, []byte{0x82, 0x80, 1, 2, 3, 4}},
		"ws reserved":      {WebSocket, []byte{0xC2, 0}},
		"ws text":          {WebSocket, []byte{0x81, 1, 'x'}},
		"ws continuation":  {WebSocket, []byte{0x80, 1, 'x'}},
		"ws unknown":       {WebSocket, []byte{0x83, 0}},
		"ws huge":          {WebSocket, []byte{0x82, 127, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}},
		"ws ping in parts": {WebSocket, []byte{0x09, 0}},
		"ws unknown ctrl":  {WebSocket, []byte{0x8B, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			_, s, theirs := pipe(t, tt.transport, photon.GpBinaryV18)
			go theirs.Write(tt.stream)
			if end := s.receive(); end.Cause != ProtocolError {
				t.Errorf("end %v", end)
			}
		})
	}
}

// FuzzUnits holds that no server makes the client panic, whatever it sends.
func FuzzUnits(f *testing.F) {
	f.Add(byte(0), []byte{0xFB, 0, 0, 0, 11, 0, 1, 0xF3, 4, 9, 0, 0xF0, 0, 0, 0, 1, 0, 0, 0, 2})
	f.Add(byte(1), []byte{0x82, 4, 0xF3, 4, 9, 0, 0x88, 2, 3, 0xE8})
	f.Add(byte(2), []byte("\x81\x1a~m~20~m~~j~{\"evt\":1,\"vals\":[]}"))
	f.Fuzz(func(t *testing.T, kind byte, b []byte) {
		p := &Peer{opt: Options{OnEvent: func(e *Event) { e.Params() }}.withDefaults(), ready: make(chan struct{})}
		p.opt.MaxMessageSize = 1 << 16
		s := newStream(p, nil, nil)
		switch kind % 3 {
		case 0:
			p.opt.Transport = TCP
			s.framing = &tcp{s: s}
		case 1:
			p.opt.Transport = WebSocket
			s.framing = &webSocket{s: s}
		default:
			p.opt.Transport, p.opt.Protocol = WebSocket, photon.JSON
			s.framing = &webSocket{s: s}
		}
		p.link = s
		for len(b) > 0 {
			n, need, end := s.framing.next(b)
			if end != nil || n == 0 {
				if end == nil && need <= len(b) {
					t.Fatalf("needs %d bytes and has %d", need, len(b))
				}
				return
			}
			if n > len(b) {
				t.Fatalf("took %d of %d bytes", n, len(b))
			}
			b = b[n:]
		}
	})
}

// TestEventsDoNotAllocate holds that an event costs a load generator nothing,
// raw and with its table.
func TestEventsDoNotAllocate(t *testing.T) {
	msg, err := photon.AppendEvent(nil, photon.GpBinaryV18, 7, photon.Params{
		photon.Param(photon.ParamData, "content"), photon.Param(photon.ParamActorNr, int32(3)),
	})
	if err != nil {
		t.Fatal(err)
	}
	unit := appendFrame(nil, msg, reliable)
	for _, raw := range []bool{true, false} {
		p, s, _ := pipe(t, TCP, photon.GpBinaryV18)
		n := 0
		p.opt.OnRawEvent = func(photon.EventCode, []byte, photon.Delivery) bool { n++; return raw }
		p.opt.OnEvent = func(e *Event) {
			if e.ActorNr() == 3 {
				n++
			}
		}
		allocs := testing.AllocsPerRun(100, func() { s.framing.next(unit) })
		if allocs != 0 || n < 100 {
			t.Errorf("raw %v: %v allocations, %d events", raw, allocs, n)
		}
	}
}

// BenchmarkReceiveEvent is the way of one event from the stream's buffer to the callback.
func BenchmarkReceiveEvent(b *testing.B) {
	msg, err := photon.AppendEvent(nil, photon.GpBinaryV18, 7, photon.Params{
		photon.Param(photon.ParamData, make([]byte, 100)), photon.Param(photon.ParamActorNr, int32(3)),
	})
	if err != nil {
		b.Fatal(err)
	}
	unit := appendFrame(nil, msg, reliable)
	p := &Peer{opt: Options{Transport: TCP, OnEvent: func(*Event) {}}.withDefaults(), ready: make(chan struct{})}
	s := newStream(p, nil, nil)
	s.framing = &tcp{s: s}
	b.ReportAllocs()
	for b.Loop() {
		s.framing.next(unit)
	}
}

// TestWebSocketCloseFrame: a close frame is the server's decision, and is answered.
func TestWebSocketCloseFrame(t *testing.T) {
	for _, code := range []ws.StatusCode{ws.StatusNormalClosure, ws.StatusInternalServerError} {
		_, s, theirs := pipe(t, WebSocket, photon.GpBinaryV18)
		answered := make(chan ws.OpCode, 1)
		go func() {
			theirs.Write(ws.MustCompileFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(code, "x"))))
			if op, _, err := readWebSocket(theirs); err == nil {
				answered <- op
			}
		}()
		if end := s.run(); end.Cause != DisconnectByServerLogic || (end.Err == nil) != (code == ws.StatusNormalClosure) {
			t.Errorf("close with %d: %v", code, end)
		}
		if op := receive(t, answered); op != ws.OpClose {
			t.Errorf("close frame was answered by opcode %d", op)
		}
	}
}

// TestSilence: a server that says nothing is given up.
func TestSilence(t *testing.T) {
	for _, tr := range []Transport{TCP, WebSocket} {
		t.Run(tr.String(), func(t *testing.T) {
			s := startServer(t, tr, &server{t: t, script: echo, dead: true})
			_, gone := dialFor(t, s, Options{Transport: tr, PingInterval: 10 * time.Millisecond, Timeout: 30 * time.Millisecond})
			if end := receive(t, gone); end.Cause != ClientTimeout {
				t.Errorf("end %v", end)
			}
		})
	}
}

// TestPings: answers to pings bring the round-trip time and the server's clock.
func TestPings(t *testing.T) {
	for _, l := range links {
		t.Run(l.name, func(t *testing.T) {
			s := start(t, l.transport, echo)
			p, _ := dialFor(t, s, Options{Transport: l.transport, Protocol: l.protocol, PingInterval: time.Millisecond})
			for {
				ms, ok := p.ServerTime()
				if !ok {
					// Every operation gives the answer another chance to be seen.
					if _, err := p.Operation(testContext(t), 1, nil); err != nil {
						t.Fatal(err)
					}
					continue
				}
				if ms < serverClock || ms > serverClock+60000 || p.RTT() <= 0 {
					t.Errorf("server time %d, rtt %v", ms, p.RTT())
				}
				return
			}
		})
	}
}

func TestDialFails(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	l.Close()
	for name, tt := range map[string]struct {
		opt     Options
		address string
	}{
		"refused":       {Options{Transport: TCP}, closed},
		"no port":       {Options{Transport: TCP}, "localhost"},
		"udp no port":   {Options{Transport: UDP}, "localhost"},
		"ws refused":    {Options{Transport: WebSocket}, closed},
		"ws scheme":     {Options{Transport: WebSocket}, "wss://" + closed},
		"transport":     {Options{Transport: 9}, closed},
		"json on udp":   {Options{Transport: UDP, Protocol: photon.JSON}, closed},
		"json token":    {Options{Transport: WebSocket, Protocol: photon.JSON, Token: "x"}, closed},
		"secret length": {Options{Transport: TCP, Secret: []byte("short")}, closed},
	} {
		t.Run(name, func(t *testing.T) {
			if p, err := Dial(testContext(t), tt.opt, tt.address); err == nil {
				p.Close()
				t.Error("connected")
			}
		})
	}
}

// TestDialEndsWithItsContext: a server that accepts and says nothing.
func TestDialEndsWithItsContext(t *testing.T) {
	for _, tr := range []Transport{TCP, UDP} {
		s := startServer(t, tr, &server{t: t, mute: true})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if _, err := Dial(ctx, Options{Transport: tr}, s.address); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", tr, err)
		}
	}
}

func TestRemoteCause(t *testing.T) {
	for reason, want := range map[byte]Cause{
		enet.ReasonServerLogic: DisconnectByServerLogic, enet.ReasonTimeout: ServerTimeout,
		enet.ReasonUserLimit: DisconnectByServerUserLimit, 0: DisconnectByServerReasonUnknown,
		4: DisconnectByServerReasonUnknown,
	} {
		if got := remoteCause(reason); got != want {
			t.Errorf("reason %d: %s, want %s", reason, got, want)
		}
	}
}
