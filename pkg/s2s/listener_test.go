package s2s

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// initRequest is the one of cluster.md 1.7.
func initRequest(t testing.TB) []byte {
	b := unhex(t, "FB 00 00 00 30 00 01 F3 00 01 06 1E 41 08 0B 00")
	return append(b, append([]byte("LoadBalancing"), make([]byte, 32-13)...)...)
}

// cluster CL-01, over a real socket.
func TestInitResponse(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	run := serve(t, NewListener(ListenerConfig{Self: master(1), Key: sharedKey}), ln)
	defer run.end()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	// A ping before init is answered too (wire W-29).
	if _, err := conn.Write(append(appendPing(nil, 77), initRequest(t)...)); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 9+10)
	if _, err := io.ReadFull(conn, got); err != nil {
		t.Fatal(err)
	}
	if got[0] != pingMagic || be32(got[5:]) != 77 || !bytes.Equal(got[9:], unhex(t, "FB 00 00 00 0A 00 01 F3 01 00")) {
		t.Errorf("%x", got)
	}
}

// stranger is a client that speaks by hand.
type stranger struct {
	net.Conn
	in *frameReader
}

func knock(t *testing.T, n *pipes) *stranger {
	t.Helper()
	conn, err := n.dial(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	return &stranger{conn, newFrameReader(conn, true)}
}

func (s *stranger) say(t *testing.T, b []byte) {
	t.Helper()
	if _, err := s.Write(b); err != nil {
		t.Fatal(err)
	}
}

func (s *stranger) operation(t *testing.T, op Op, p gpbinary.Params) {
	t.Helper()
	b, err := photon.AppendRequest(beginFrame(nil), photon.GpBinaryV16, photon.OpCode(op), p)
	if err != nil || !endFrame(b, 0) {
		t.Fatal(err)
	}
	s.say(t, b)
}

// answer reads a response.
func (s *stranger) answer(t *testing.T) *gpbinary.OperationResponse {
	t.Helper()
	b, _, err := s.in.next()
	if err != nil {
		t.Fatal(err)
	}
	r, _, err := gpbinary.DecodeResponse(gpbinary.V16, b[2:])
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// hello says init and Hello and returns the answer to the latter.
func (s *stranger) hello(t *testing.T, h hello) *gpbinary.OperationResponse {
	t.Helper()
	s.say(t, initRequest(t))
	if _, _, err := s.in.next(); err != nil {
		t.Fatal(err)
	}
	s.operation(t, OpHello, h.params())
	return s.answer(t)
}

// closedAfter waits for the other side to close.
func (s *stranger) closedAfter(t *testing.T) time.Duration {
	t.Helper()
	begin := time.Now()
	for {
		if _, _, err := s.in.next(); err != nil {
			return time.Since(begin)
		}
	}
}

// gate is a listener in virtual time.
type gate struct {
	net      pipes
	log      log
	listener *Listener
	run      *running
}

func newGate(t *testing.T, key []byte) *gate {
	g := &gate{}
	g.listener = NewListener(ListenerConfig{Self: master(1_700_000_000_000), Key: key, Handlers: g.log.handlers()})
	g.run = serve(t, g.listener, g.net.listen())
	return g
}

// cluster CL-02: who says no Hello is out, within five seconds.
func TestStrangersAreClosed(t *testing.T) {
	for name, c := range map[string]struct {
		say    func(t *testing.T, s *stranger)
		within time.Duration
	}{
		"says nothing": {func(*testing.T, *stranger) {}, handshakeTimeout},
		"stops after init": {func(t *testing.T, s *stranger) {
			s.say(t, initRequest(t))
			if _, _, err := s.in.next(); err != nil {
				t.Error(err)
			}
		}, handshakeTimeout},
		"authenticates like a client": {func(t *testing.T, s *stranger) {
			s.say(t, initRequest(t))
			if _, _, err := s.in.next(); err != nil {
				t.Error(err)
			}
			s.operation(t, 230, gpbinary.Params{param(224, "app")})
		}, 0},
		"stops after Hello": {func(t *testing.T, s *stranger) {
			s.hello(t, hello{Hello: gameServer("gs-1"), protocol: "1.0"})
		}, handshakeTimeout},
		"is too large": {func(t *testing.T, s *stranger) {
			go func() { _, _ = s.Write(frame(make([]byte, maxEarlyFrame)...)) }()
		}, 0},
		"wants another protocol": {func(t *testing.T, s *stranger) {
			b := initRequest(t)
			b[10] = 8 // V18
			s.say(t, b)
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGate(t, sharedKey)
				s := knock(t, &g.net)
				c.say(t, s)
				if d := s.closedAfter(t); d != c.within {
					t.Errorf("closed after %v, want %v", d, c.within)
				}
				synctest.Wait()
				if got := g.log.take(); !strings.HasPrefix(got, "failed") || strings.Contains(got, "up") {
					t.Error(got)
				}
				g.run.end()
			})
		})
	}
}

// Pings do not buy a stranger time.
func TestDrippingStranger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, sharedKey)
		s := knock(t, &g.net)
		begin := time.Now()
		go func() { _, _ = io.Copy(io.Discard, s.Conn) }()
		for {
			if _, err := s.Write(appendPing(nil, 1)); err != nil {
				break
			}
			after(time.Second)
		}
		if d := time.Since(begin); d > handshakeTimeout+time.Second {
			t.Errorf("closed after %v", d)
		}
		g.run.end()
	})
}

// cluster CL-04
func TestHelloIsJudged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, nil)
		gs := func(change func(*hello)) hello {
			h := hello{Hello: gameServer("gs-9"), protocol: ProtocolVersion}
			change(&h)
			return h
		}
		for name, c := range map[string]struct {
			hello hello
			want  int16
		}{
			"another cluster":          {gs(func(h *hello) { h.Cluster = "other" }), ReturnWrongCluster},
			"no cluster":               {gs(func(h *hello) { h.Cluster = "" }), ReturnWrongCluster},
			"another major":            {gs(func(h *hello) { h.protocol = "2.0" }), ReturnIncompatible},
			"no protocol":              {gs(func(h *hello) { h.protocol = "" }), ReturnIncompatible},
			"another minor":            {gs(func(h *hello) { h.protocol = "1.9" }), ReturnOk}, // CL-11
			"no id":                    {gs(func(h *hello) { h.ID = "" }), ReturnDuplicate},
			"the listener's own id":    {gs(func(h *hello) { h.ID = "ms-1" }), ReturnDuplicate},
			"long id":                  {gs(func(h *hello) { h.ID = strings.Repeat("x", maxID+1) }), ReturnDuplicate},
			"master of greater id":     {gs(func(h *hello) { h.Role, h.ID = RoleMaster, "ms-2" }), ReturnOtherDials}, // CL-06
			"the listener itself":      {gs(func(h *hello) { h.Role, h.ID, h.Generation = RoleMaster, "ms-1", 1_700_000_000_000 }), ReturnSelf},
			"master of smaller id":     {gs(func(h *hello) { h.Role, h.ID = RoleMaster, "ms-0" }), ReturnOk},
			"game server of a good id": {gs(func(*hello) {}), ReturnOk},
		} {
			s := knock(t, &g.net)
			r := s.hello(t, c.hello)
			if r.ReturnCode != c.want {
				t.Errorf("%s: %d %s, want %d", name, r.ReturnCode, r.Debug, c.want)
			}
			if c.want != ReturnOk {
				if d := s.closedAfter(t); d != 0 {
					t.Errorf("%s: closed after %v", name, d)
				}
			}
			_ = s.Close()
			synctest.Wait()
		}
		g.run.end()
	})
}

// cluster CL-05: wrong code 1 and close, nothing is processed, the address is
// blocked for a minute after three times.
func TestWrongKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, sharedKey)
		attempt := func(second func(*stranger, [16]byte)) {
			s := knock(t, &g.net)
			r := s.hello(t, hello{Hello: gameServer("gs-1"), protocol: "1.0"})
			f := fields{params: r.Params}
			second(s, f.array16(10))
			if r := s.answer(t); r.ReturnCode != ReturnAuthFailed {
				t.Errorf("%+v", r)
			}
			if d := s.closedAfter(t); d != 0 {
				t.Errorf("closed after %v", d)
			}
			synctest.Wait()
		}
		self := gameServer("gs-1")
		wrong := func(s *stranger, nonce [16]byte) {
			s.operation(t, OpAuth, gpbinary.Params{param(1, authCode([]byte("wrong"), macClient, nonce, self.ID, self.Generation))})
		}
		attempt(wrong)
		attempt(func(s *stranger, _ [16]byte) { s.operation(t, OpLoadReport, nil) }) // before Auth
		// A right key does not count as a failure, nor does it forgive others.
		s := knock(t, &g.net)
		f := fields{params: s.hello(t, hello{Hello: self, protocol: "1.0"}).Params}
		s.operation(t, OpAuth, gpbinary.Params{param(1, authCode(sharedKey, macClient, f.array16(10), self.ID, self.Generation))})
		f = fields{params: s.answer(t).Params}
		if code := field[[]byte](&f, 1); !bytes.Equal(code, authCode(sharedKey, macServer, [16]byte{}, "ms-1", 1_700_000_000_000)) {
			t.Errorf("the listener proves itself with %x", code)
		}
		_ = s.Close()
		attempt(func(s *stranger, nonce [16]byte) { // the listener's own code comes back
			s.operation(t, OpAuth, gpbinary.Params{param(1, authCode(sharedKey, macServer, nonce, self.ID, self.Generation))})
		})
		got := g.log.take()
		if strings.Count(got, "refused with 1") != 3 || strings.Contains(got, "LoadReport") || strings.Count(got, "up ") != 1 {
			t.Error(got)
		}

		blocked := func() bool {
			s := knock(t, &g.net)
			go func() { _, _ = s.Write(initRequest(t)) }()
			_, _, err := s.in.next()
			_ = s.Close()
			synctest.Wait()
			return err != nil
		}
		if !blocked() {
			t.Error("not blocked")
		}
		after(blockTime - time.Second)
		if !blocked() {
			t.Error("blocked for less than a minute")
		}
		after(2 * time.Second)
		if blocked() {
			t.Error("blocked for more than a minute")
		}
		g.run.end()
	})
}

// Three failures in more than a minute are not blocked.
func TestRareFailuresAreForgiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, sharedKey)
		for range 5 {
			s := knock(t, &g.net)
			s.hello(t, hello{Hello: gameServer("gs-1"), protocol: "1.0"})
			s.operation(t, OpAuth, nil)
			if r := s.answer(t); r.ReturnCode != ReturnAuthFailed {
				t.Errorf("%+v", r)
			}
			after(45 * time.Second)
		}
		g.run.end()
	})
}

func TestFailuresAreBounded(t *testing.T) {
	s := NewListener(ListenerConfig{})
	failed := &RefusedError{ReturnCode: ReturnAuthFailed}
	addr := remote(nopConn{})
	for range maxFailureAddrs + 500 {
		addr = addr.Next()
		s.refused(addr, failed)
	}
	if n := len(s.failures); n > maxFailureAddrs {
		t.Errorf("%d addresses", n)
	}
}

// nopConn has an address and nothing else.
type nopConn struct{ net.Conn }

func (nopConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 1} }

// The dialling side wants proof too: a master that does not know the key gets
// no link (cluster.md 6, "both ends").
func TestDialerWantsProof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n pipes
		ln := n.listen()
		go func() {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			s := &stranger{conn, newFrameReader(conn, false)}
			if _, _, err := s.in.next(); err != nil {
				t.Error(err)
			}
			s.say(t, frame(photon.InitResponse...))
			for _, op := range []Op{OpHello, OpAuth} {
				if _, _, err := s.in.next(); err != nil {
					t.Error(err)
				}
				own := hello{Hello: master(1), protocol: "1.0"}
				b, err := photon.AppendResponse(beginFrame(nil), photon.GpBinaryV16, photon.OpCode(op), 0, "", own.replyParams())
				if err != nil || !endFrame(b, 0) {
					t.Error(err)
				}
				s.say(t, b)
			}
		}()
		var seen log
		o := NewOutbound(OutboundConfig{Addr: "x", Self: func() Hello { return gameServer("gs-1") }, Key: sharedKey, Dial: n.dial, Handlers: seen.handlers()})
		run := keep(t, o)
		after(time.Millisecond)
		if got := seen.take(); !strings.HasPrefix(got, "failed s2s: handshake with x") || strings.Contains(got, "up") {
			t.Error(got)
		}
		run.end()
		_ = ln.Close()
	})
}

// cluster CL-06: one link per server, the newest one.
func TestNewerLinkReplaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, nil)
		knockAs := func(generation int64) (*stranger, int16) {
			h := hello{Hello: gameServer("gs-1"), protocol: "1.0"}
			h.Generation = generation
			s := knock(t, &g.net)
			rc := s.hello(t, h).ReturnCode
			synctest.Wait()
			return s, rc
		}
		first, _ := knockAs(100)
		second, rc := knockAs(100)
		if rc != ReturnOk || first.closedAfter(t) != 0 {
			t.Errorf("same generation: %d", rc)
		}
		third, rc := knockAs(101)
		if rc != ReturnOk || second.closedAfter(t) != 0 {
			t.Errorf("later generation: %d", rc)
		}
		old, rc := knockAs(100)
		if rc != ReturnDuplicate || old.closedAfter(t) != 0 {
			t.Errorf("earlier generation: %d", rc)
		}
		want := "up gs-1; down gs-1: " + ErrReplaced.Error() + "; up gs-1; down gs-1: " + ErrReplaced.Error() + "; up gs-1; failed "
		if got := g.log.take(); !strings.HasPrefix(got, want) {
			t.Error(got)
		}
		if l := g.listener.Link("gs-1"); l == nil || l.Peer().Generation != 101 || len(g.listener.Links()) != 1 {
			t.Error("wrong link")
		}
		_ = third.Close()
		g.run.end()
	})
}

// cluster CL-06: two masters that know each other have one link.
func TestOneOfTwoMastersDials(t *testing.T) {
	if !DialsMaster("ms-0", "ms-1") || DialsMaster("ms-1", "ms-0") || DialsMaster("ms-1", "ms-1") {
		t.Error("who dials?")
	}
}

// More handshakes than the limit are turned away, and do no harm to links.
func TestHandshakesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		var all []*stranger
		for range maxOpening + 1 {
			all = append(all, knock(t, &p.net))
		}
		synctest.Wait()
		if d := all[maxOpening].closedAfter(t); d != 0 {
			t.Errorf("closed after %v", d)
		}
		after(handshakeTimeout)
		s := knock(t, &p.net)
		go func() { _, _ = s.Write(initRequest(t)) }()
		if _, _, err := s.in.next(); err != nil {
			t.Errorf("after all of them: %v", err)
		}
		if p.listener.Link("gs-1") == nil {
			t.Error("the link is gone")
		}
		for _, s := range append(all, s) {
			_ = s.Close()
		}
		p.gsRun.end()
		p.msRun.end()
	})
}

func TestShutdownIsOrderly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		if err := p.listener.Link("gs-1").SendEvent(&Masters{[]string{"other"}}); err != nil {
			t.Error(err)
		}
		s := knock(t, &p.net)
		p.msRun.end()
		synctest.Wait()
		if got := p.gs.take(); !strings.HasPrefix(got, "up ms-1; *s2s.Masters&{Addresses:[other]}; down ms-1") {
			t.Error(got)
		}
		if d := s.closedAfter(t); d != 0 {
			t.Errorf("a handshake under way was closed after %v", d)
		}
		if _, err := p.net.dial(t.Context(), "x"); err == nil {
			t.Error("still listening")
		}
		p.gsRun.end()
	})
}

// The end of the context ends an attempt that waits for the other side.
func TestStopWhileConnecting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n pipes
		ln := n.listen()
		go func() { _, _ = ln.Accept() }() // and says nothing
		o := NewOutbound(OutboundConfig{Addr: "x", Self: func() Hello { return gameServer("gs-1") }, Dial: n.dial})
		run := keep(t, o)
		after(time.Second)
		begin := time.Now()
		run.end()
		if d := time.Since(begin); d != 0 {
			t.Errorf("took %v", d)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		o.Run(ctx)
		_ = ln.Close()
	})
}

func TestListenerThatFails(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = ln.Close()
	if err := NewListener(ListenerConfig{Self: master(1)}).Serve(t.Context(), ln); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}
