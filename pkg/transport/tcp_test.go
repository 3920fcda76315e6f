package transport

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/photon"
)

// connectTCP opens a session.
func connectTCP(t *testing.T, a *streamApp, l *TCPListener) (net.Conn, *streamPeer) {
	t.Helper()
	c := dialStream(t, l.Addr())
	write(t, c, initFrame)
	wantBytes(t, c, initAnswer)
	return c, next(t, a.opened)
}

// unitsOf cuts a chunk of a vector into its units.
func unitsOf(b []byte) (units [][]byte) {
	for len(b) > 0 {
		n := 5
		if b[0] == 0xFB {
			n = int(binary.BigEndian.Uint32(b[1:]))
		} else if len(b) >= 9 {
			n = 9
		}
		units = append(units, b[:n])
		b = b[n:]
	}
	return units
}

// wire W-24, W-25, W-29: the recorded sessions of the official clients.
func TestTCPVectors(t *testing.T) {
	for _, file := range vectorFiles(t, "tcp_*.json") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			_, packets := readVector(t, file)
			a := newStreamApp()
			l := startTCP(t, a, a.config(Limits{}))
			c := dialStream(t, l.Addr())
			var p *streamPeer
			for i, pkt := range packets {
				if pkt.c2s {
					// The server's clock is that of the answer.
					if i+1 < len(packets) && packets[i+1].bytes[0] == 0xF0 {
						a.clock.Store(binary.BigEndian.Uint32(packets[i+1].bytes[1:]))
					}
					write(t, c, pkt.bytes)
					if p == nil {
						p = next(t, a.opened)
						continue
					}
					for _, u := range unitsOf(pkt.bytes) {
						if u[0] != 0xFB {
							continue
						}
						want := streamMessage{string(u[7:]), photon.Delivery{Channel: u[5], Mode: photon.DeliveryMode(u[6])}}
						if got := next(t, p.received); got != want {
							t.Errorf("received %x %v, want %x %v", got.bytes, got.d, want.bytes, want.d)
						}
					}
					continue
				}
				for _, u := range unitsOf(pkt.bytes) {
					if u[0] == 0xFB && i > 1 {
						p.Send(u[7:], photon.Delivery{Mode: photon.Reliable})
					}
				}
				wantBytes(t, c, pkt.bytes)
			}
			info := p.Info()
			version := map[string][4]byte{"tcp_session_4_0_5_7_v16.json": {4, 0, 5, 7}, "tcp_session_4_1_6_6_v18.json": {4, 1, 6, 6}}[filepath.Base(file)]
			if version == [4]byte{} {
				version = [4]byte{4, 1, 8, 11}
			}
			protocol := photon.GpBinaryV18
			if strings.Contains(file, "v16") {
				protocol = photon.GpBinaryV16
			}
			token := ""
			if strings.Contains(file, "token") {
				token = "\x07\x0atokenvalue"
			}
			if info.Kind != TCP || info.AppID != "Master" || info.ClientVersion != version || info.Protocol != protocol ||
				string(info.Token) != token || info.Listener != "test" || info.Local != l.Addr() || info.IPv6 || info.Remote.String() != c.LocalAddr().String() {
				t.Errorf("info: %+v", info)
			}
			// The client closes its socket without a word.
			_ = c.Close()
			p.wantClosed(t, ReasonClientDisconnect)
		})
	}
}

// wire 29: units may be split anywhere.
func TestTCPSplit(t *testing.T) {
	a := newStreamApp()
	a.clock.Store(0x01020304)
	l := startTCP(t, a, a.config(Limits{}))
	stream := append([]byte{0xF0, 0, 0, 0, 1}, initFrame...) // a ping before the init request
	stream = append(stream, tcpFrameOf("\xf3\x02\x01\x00")...)
	stream = append(stream, 0xF0, 0, 0, 0, 2)
	stream = append(stream, tcpFrameOf("\xf3\x02\x02\x00")...)
	for at := range len(stream) + 1 {
		c := dialStream(t, l.Addr())
		write(t, c, stream[:at])
		write(t, c, stream[at:])
		wantBytes(t, c, []byte{0xF0, 1, 2, 3, 4, 0, 0, 0, 1})
		wantBytes(t, c, initAnswer)
		wantBytes(t, c, []byte{0xF0, 1, 2, 3, 4, 0, 0, 0, 2})
		p := next(t, a.opened)
		for op := range 2 {
			if m := next(t, p.received); m.bytes != fmt.Sprintf("\xf3\x02%c\x00", op+1) {
				t.Fatalf("split at %d: received %x", at, m.bytes)
			}
		}
		_ = c.Close()
	}
	c := dialStream(t, l.Addr())
	for i := range stream {
		write(t, c, stream[i:i+1])
	}
	p := next(t, a.opened)
	next(t, p.received)
	next(t, p.received)
}

func TestTCPLargeMessages(t *testing.T) {
	a := newStreamApp()
	l := startTCP(t, a, a.config(Limits{}))
	c, p := connectTCP(t, a, l)
	big := strings.Repeat("0123456789", 51200) // exactly the limit
	go func() { _, _ = c.Write(tcpFrameOf(big)) }()
	if m := next(t, p.received); m.bytes != big {
		t.Errorf("received %d bytes", len(m.bytes))
	}
	p.Send([]byte(big), photon.Delivery{Mode: photon.Reliable})
	wantBytes(t, c, tcpFrameOf(big))
	write(t, c, tcpFrameOf(big + "x")[:7])
	p.wantClosed(t, ReasonMessageTooBig)
	wantEnd(t, c)
}

func TestTCPProtocolErrors(t *testing.T) {
	ready := string(initFrame)
	for _, c := range []struct {
		name, send string
		want       Reason
	}{
		{"first byte", "GET / HTTP/1.1\r\n\r\n", ReasonProtocolError},
		{"first byte later", ready + "\x00", ReasonProtocolError},
		{"length below the head", ready + "\xfb\x00\x00\x00\x06\x00\x01", ReasonProtocolError},
		{"length 0", "\xfb\x00\x00\x00\x00\x00\x01", ReasonProtocolError},
		{"length above the limit", ready + "\xfb\xff\xff\xff\xff\x00\x01", ReasonMessageTooBig},
		{"large init", "\xfb\x00\x02\x00\x00\x00\x01", ReasonMessageTooBig},
		{"operation instead of init", string(tcpFrameOf("\xf3\x02\x01\x00")), ReasonProtocolError},
		{"short init", string(tcpFrameOf("\xf3\x00\x01")), ReasonProtocolError},
		{"broken HTTP init", string(tcpFrameOf("POST /?init=&protocol=GpBinaryV18& HTTP/1.1\r\nContent-Length: 9\r\n\r\nx")), ReasonProtocolError},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newStreamApp()
			cfg := a.config(Limits{})
			l := startTCP(t, a, cfg)
			conn := dialStream(t, l.Addr())
			write(t, conn, []byte(c.send))
			wantEnd(t, conn)
			_ = conn.Close()
			shutdown(t, l)
			if n := cfg.Counters.Closed[c.want].Load(); n != 1 {
				t.Errorf("%d closed for %v", n, c.want)
			}
			if n := cfg.Counters.Peers.Load(); n != 0 {
				t.Errorf("%d peers left", n)
			}
		})
	}
}

// A client that hits a limit is told which, in words, before the end.
func TestTCPLimitNotice(t *testing.T) {
	a := newStreamApp()
	l := startTCP(t, a, a.config(Limits{MaxMessageSize: 1000}))
	conn := dialStream(t, l.Addr())
	write(t, conn, initFrame)
	write(t, conn, []byte("\xfb\x00\x00\x10\x00\x00\x01"))
	all, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\xf3\x01\x00", "\xf3\x05", "max_message_size"} {
		if !bytes.Contains(all, []byte(want)) {
			t.Errorf("%q lacks %q", all, want)
		}
	}
}

// Close sends first what was queued before it, all of it, and nothing of what
// comes after.
func TestTCPCloseFlushes(t *testing.T) {
	a := newStreamApp()
	l := startTCP(t, a, a.config(Limits{}))
	c, p := connectTCP(t, a, l)
	var want bytes.Buffer
	for i := range 2000 {
		msg := fmt.Appendf(nil, "message %d %s", i, strings.Repeat("x", i%1500*(i%7/6)))
		if i%100 == 0 {
			msg = nil
		}
		want.Write(tcpFrameOf(string(msg)))
		p.Send(msg, photon.Delivery{Mode: photon.Reliable})
	}
	p.Close(ReasonServerDisconnect)
	p.Close(ReasonManaged) // too late
	p.Send([]byte("late"), photon.Delivery{Mode: photon.Reliable})
	if got := wantEnd(t, c); !bytes.Equal(got, want.Bytes()) {
		t.Errorf("got %d bytes, want %d", len(got), want.Len())
	}
	p.wantClosed(t, ReasonServerDisconnect)
}

// A handler may close the session it is called for; messages that came with
// the same read are not delivered any more.
func TestTCPCloseInReceive(t *testing.T) {
	a := newStreamApp()
	l := startTCP(t, a, a.config(Limits{}))
	c, p := connectTCP(t, a, l)
	f := func([]byte) { p.Close(ReasonManaged) }
	p.onReceive.Store(&f)
	write(t, c, append(tcpFrameOf("\xf3\x02\x01\x00"), tcpFrameOf("\xf3\x02\x02\x00")...))
	p.wantClosed(t, ReasonManaged)
	var got []string
	for m := range p.received {
		got = append(got, m.bytes)
	}
	if len(got) != 1 {
		t.Errorf("received %q", got)
	}
	wantEnd(t, c)
}

// WJ-172, for any stream: a client that stops reading is dropped, others do not notice.
func TestSlowReader(t *testing.T) {
	a := newStreamApp()
	cfg := a.config(Limits{MaxQueuedBytes: 100000})
	l := startTCP(t, a, cfg)
	_, slow := connectTCP(t, a, l)
	msg := make([]byte, 20000)
	for len(slow.closed) == 0 {
		slow.Send(msg, photon.Delivery{Mode: photon.Reliable})
	}
	slow.wantClosed(t, ReasonSendQueueFull)
	c, p := connectTCP(t, a, l)
	p.Send([]byte("x"), photon.Delivery{Mode: photon.Reliable})
	wantBytes(t, c, tcpFrameOf("x"))
}

// Unreliable messages give way when the queue is full; reliable ones stay in order.
func TestQueueDropsUnreliable(t *testing.T) {
	server, client := net.Pipe()
	defer client.Close()
	a := newStreamApp()
	cfg := a.config(Limits{MaxQueuedBytes: 10 * (outgoingCost + 1)})
	l := &streamListener{cfg: cfg, limits: cfg.Limits.WithDefaults(), counters: cfg.Counters}
	l.peerLimits = l.limits.Peer()
	s := newStreamSession(l, server, unmapped(server.RemoteAddr()))
	s.appendHead = func(dst []byte, _ int) []byte { return dst }
	s.flushing = true // nobody writes yet
	for _, b := range "abcdefghij" {
		mode := photon.Unreliable
		if b%2 == 0 {
			mode = photon.Reliable
		}
		s.Send([]byte{byte(b)}, photon.Delivery{Mode: mode})
	}
	s.Send([]byte("R"), photon.Delivery{Mode: photon.Reliable})              // pushes out a
	s.Send([]byte("U"), photon.Delivery{Mode: photon.UnreliableUnsequenced}) // pushes out c
	for range 4 {
		s.Send([]byte("S"), photon.Delivery{Mode: photon.Reliable}) // e, g, i, U
	}
	s.Send([]byte("V"), photon.Delivery{Mode: photon.Unreliable}) // finds no place
	var got []byte
	for _, o := range s.queue {
		got = append(got, o.msg...)
	}
	if string(got) != "bdfhjRSSSS" || s.queued != 10*(outgoingCost+1) || s.unreliable != 0 {
		t.Errorf("queue %s, %d bytes, %d unreliable", got, s.queued, s.unreliable)
	}
	if n := cfg.Counters.DroppedUnreliable.Load(); n != 7 {
		t.Errorf("%d dropped", n)
	}
	s.Send([]byte("T"), photon.Delivery{Mode: photon.Reliable})
	if !s.ended.Load() || s.reason != ReasonSendQueueFull {
		t.Errorf("reliable message above the limit: %v", s.reason)
	}
}

func TestTCPRefuses(t *testing.T) {
	a := newStreamApp()
	cfg := a.config(Limits{MaxPeersPerAddress: 1})
	l := startTCP(t, a, cfg)
	c, p := connectTCP(t, a, l)
	second := dialStream(t, l.Addr())
	if _, err := second.Read(make([]byte, 1)); err == nil {
		t.Error("second connection was let in")
	}
	_ = c.Close()
	p.wantClosed(t, ReasonClientDisconnect)
	// Its place is free once the connection is gone for good.
	for {
		third := dialStream(t, l.Addr())
		_, _ = third.Write(initFrame)
		if _, err := third.Read(make([]byte, 1)); err == nil {
			_ = third.Close()
			break
		}
	}
	if cfg.Counters.Refused.Load() == 0 {
		t.Error("refused connections are not counted")
	}
}

func TestTCPAcceptorRefuses(t *testing.T) {
	a := newStreamApp()
	a.refuse.Store(true)
	cfg := a.config(Limits{})
	l := startTCP(t, a, cfg)
	c := dialStream(t, l.Addr())
	write(t, c, initFrame)
	wantBytes(t, c, initAnswer)
	wantEnd(t, c)
	_ = c.Close()
	shutdown(t, l)
	if cfg.Counters.Refused.Load() != 1 || cfg.Counters.Accepted.Load() != 0 || cfg.Counters.Peers.Load() != 0 {
		t.Error("wrong counts")
	}
}

func TestShutdown(t *testing.T) {
	a := newStreamApp()
	cfg := a.config(Limits{})
	l := startTCP(t, a, cfg)
	c, p := connectTCP(t, a, l)
	silent := dialStream(t, l.Addr()) // no init request yet
	write(t, silent, []byte{0xF0, 0, 0, 0, 1})
	wantBytes(t, silent, []byte{0xF0, 0, 0, 0, 0, 0, 0, 0, 1})
	p.Send([]byte("last"), photon.Delivery{Mode: photon.Reliable})
	done := make(chan error)
	go func() { done <- l.Shutdown(context.Background()) }()
	wantBytes(t, c, tcpFrameOf("last"))
	wantEnd(t, c)
	_ = c.Close()
	wantEnd(t, silent)
	_ = silent.Close()
	if err := next(t, done); err != nil {
		t.Error(err)
	}
	p.wantClosed(t, ReasonShutdown)
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("still listening")
	}
	if n := cfg.Counters.Closed[ReasonShutdown].Load(); n != 2 {
		t.Errorf("%d closed", n)
	}
}

// Clients that do not take part can't hold up a shutdown whose time is over.
func TestShutdownCutsOff(t *testing.T) {
	a := newStreamApp()
	l := startTCP(t, a, a.config(Limits{}))
	connectTCP(t, a, l)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := l.Shutdown(ctx); err != context.Canceled {
		t.Errorf("shutdown: %v", err)
	}
}

func TestListenNeedsItsParts(t *testing.T) {
	if _, err := ListenTCP("127.0.0.1:0", StreamConfig{}); err == nil {
		t.Error("listens without an acceptor")
	}
	a := newStreamApp()
	if _, err := ListenTCP("256.0.0.1:0", a.config(Limits{})); err == nil {
		t.Error("listens nowhere")
	}
}

// The budget of an idle client (stream_buffer.go): 8 KiB, its goroutine's stack included.
func TestTCPIdleMemory(t *testing.T) {
	a := newStreamApp()
	a.room = 0
	l := startTCP(t, a, a.config(Limits{}))
	per := memoryPerPeer(t, l.Addr(), func(c net.Conn) {
		write(t, c, initFrame)
		wantBytes(t, c, initAnswer)
		next(t, a.opened)
	})
	if limit := 8 << 10; per > limit && !raceEnabled {
		t.Errorf("%d bytes per idle client, want at most %d", per, limit)
	}
}

func BenchmarkTCPSend(b *testing.B) {
	a := newStreamApp()
	l, err := ListenTCP("127.0.0.1:0", a.config(Limits{MaxQueuedBytes: 1 << 30}))
	if err != nil {
		b.Fatal(err)
	}
	defer l.Shutdown(context.Background())
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	_, _ = c.Write(initFrame)
	p := <-a.opened
	go func() { _, _ = io.Copy(io.Discard, c) }()
	msg := make([]byte, 100)
	b.ReportAllocs()
	b.SetBytes(100)
	for b.Loop() {
		p.Send(msg, photon.Delivery{Mode: photon.Reliable})
	}
}

func BenchmarkTCPReceive(b *testing.B) {
	a := newStreamApp()
	l, err := ListenTCP("127.0.0.1:0", a.config(Limits{MaxMessagesPerSecond: -1}))
	if err != nil {
		b.Fatal(err)
	}
	defer l.Shutdown(context.Background())
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	_, _ = c.Write(initFrame)
	p := <-a.opened
	burst := bytes.Repeat(tcpFrameOf(strings.Repeat("x", 100)), 100)
	b.ReportAllocs()
	b.SetBytes(100)
	go func() {
		for {
			if _, err := c.Write(burst); err != nil {
				return
			}
		}
	}()
	for b.Loop() {
		select {
		case <-p.received:
		case <-time.After(10 * time.Second):
			b.Fatal("nothing came")
		}
	}
	_ = c.Close()
	for range p.received {
	}
}
