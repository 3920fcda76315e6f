package s2s

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// pair is a listener and an outbound link in one bubble of virtual time.
type pair struct {
	net          pipes
	ms, gs       log
	listener     *Listener
	outbound     *Outbound
	msRun, gsRun *running
}

func newPair(t *testing.T) *pair {
	p := &pair{}
	p.listener = NewListener(ListenerConfig{Self: master(1), Key: sharedKey, Handlers: p.ms.handlers()})
	p.outbound = NewOutbound(OutboundConfig{
		Addr: "ms-1:4520", Self: func() Hello { return gameServer("gs-1") }, Key: sharedKey, Dial: p.net.dial, Handlers: p.gs.handlers(),
	})
	p.msRun = serve(t, p.listener, p.net.listen())
	p.gsRun = keep(t, p.outbound)
	after(time.Millisecond)
	return p
}

func TestLinkUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		if p.ms.take() != "up gs-1" || p.gs.take() != "up ms-1" {
			t.Fatal("not up")
		}
		peer := p.listener.Link("gs-1").Peer()
		if peer.Addresses["udp4"] != "203.0.113.7:5056" || peer.Region != "eu" || peer.Version != "1.2.3" {
			t.Errorf("%+v", peer)
		}
		if err := p.outbound.Send(&SnapshotBegin{Rev: 1, Rooms: 2}); err != nil {
			t.Error(err)
		}
		if err := p.listener.Link("gs-1").SendEvent(&SetState{1, 500}); err != nil {
			t.Error(err)
		}
		after(time.Millisecond)
		if got := p.ms.take(); got != "*s2s.SnapshotBegin&{Rev:1 Rooms:2}" {
			t.Error(got)
		}
		if got := p.gs.take(); got != "*s2s.SetState&{State:1 Deadline:500}" {
			t.Error(got)
		}
		// What was sent before the end arrives (Goodbye is of no use otherwise).
		if err := p.outbound.Send(&Goodbye{"bye"}); err != nil {
			t.Error(err)
		}
		p.gsRun.end()
		after(time.Millisecond)
		if got := p.ms.take(); !strings.HasPrefix(got, "*s2s.Goodbye&{Reason:bye}; down gs-1") {
			t.Error(got)
		}
		if got := p.gs.take(); got != "down ms-1: "+ErrClosed.Error() {
			t.Error(got)
		}
		if err := p.outbound.Send(&Goodbye{}); !errors.Is(err, ErrDown) {
			t.Error(err)
		}
		if _, err := p.outbound.Request(t.Context(), OpForward, nil); !errors.Is(err, ErrDown) {
			t.Error(err)
		}
		if p.listener.Link("gs-1") != nil || len(p.listener.Links()) != 0 {
			t.Error("the listener still has a link")
		}
		p.msRun.end()
	})
}

// cluster CL-08: pings keep an idle link up.
func TestIdleLinkStaysUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		after(10 * time.Minute)
		if got := p.ms.take() + p.gs.take(); got != "up gs-1up ms-1" {
			t.Error(got)
		}
		p.gsRun.end()
		p.msRun.end()
	})
}

// A side that only sends must not take the other's silence for its death.
func TestBusyLinkStaysUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		for range 600 {
			if err := p.outbound.Send(&LoadReport{}); err != nil {
				t.Fatal(err)
			}
			after(100 * time.Millisecond)
		}
		if got := p.gs.take(); got != "up ms-1" {
			t.Error(got)
		}
		p.gsRun.end()
		p.msRun.end()
	})
}

// cluster CL-08: five seconds without a byte end the link, on both sides.
func TestSilenceEndsLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, dialer := range []bool{true, false} {
			a, b := net.Pipe()
			var seen log
			h := seen.handlers()
			started := time.Now()
			l := newLink(&patience{Conn: a}, newFrameReader(&patience{Conn: a}, dialer), dialer, &h)
			go func() { // swallows what comes, says nothing
				buf := make([]byte, 100)
				for {
					if _, err := b.Read(buf); err != nil {
						return
					}
				}
			}()
			l.run()
			if d := time.Since(started); d != silenceTimeout {
				t.Errorf("dialer %v: ended after %v", dialer, d)
			}
			if got := seen.take(); !strings.Contains(got, "timeout") {
				t.Error(got)
			}
			_ = b.Close()
		}
	})
}

// cluster CL-07
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n pipes
		var seen log
		o := NewOutbound(OutboundConfig{Addr: "x", Self: func() Hello { return gameServer("gs-1") }, Dial: n.dial, Handlers: seen.handlers()})
		run := keep(t, o)
		after(3 * time.Minute)
		run.end()
		want := []float64{0.5, 1, 2, 4, 8, 15, 15, 15}
		if len(n.dials) < len(want)+1 {
			t.Fatalf("only %d attempts", len(n.dials))
		}
		different := false
		for i := 1; i < len(n.dials); i++ {
			expected := want[min(i-1, len(want)-1)]
			got := n.dials[i].Sub(n.dials[i-1]).Seconds()
			if got < 0.8*expected || got > 1.2*expected {
				t.Errorf("wait %d was %.2f s, want %v +-20 %%", i, got, expected)
			}
			different = different || got != expected
		}
		if !different {
			t.Error("no jitter")
		}
	})
}

// Several requests wait at once, in both directions; answers come out of order.
func TestRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		var mu sync.Mutex
		var held []*Request

		l := p.listener.Link("gs-1")
		var wg sync.WaitGroup
		ask := func(l *Link, text string) {
			wg.Go(func() {
				r, err := l.Request(t.Context(), OpForward, gpbinary.Params{param(1, text)})
				if err != nil || r.ReturnCode != 5 || r.Debug != "echo "+text {
					t.Errorf("%s: %+v, %v", text, r, err)
				}
			})
		}
		for i := range 50 {
			ask(p.outbound.Link(), fmt.Sprint("from game server ", i))
		}
		wg.Wait()

		// The other direction, with answers held back and given in reverse.
		l.handlers = &Handlers{}
		p.outbound.Link().handlers.Request = func(_ *Link, r *Request) {
			mu.Lock()
			defer mu.Unlock()
			held = append(held, r)
		}
		for i := range 50 {
			ask(l, fmt.Sprint("from master ", i))
		}
		synctest.Wait()
		if len(held) != 50 {
			t.Fatalf("%d requests arrived", len(held))
		}
		for i := len(held) - 1; i >= 0; i-- {
			text, _ := held[i].Params.Get(1)
			if err := held[i].Reply(5, fmt.Sprint("echo ", text), nil); err != nil {
				t.Error(err)
			}
		}
		wg.Wait()

		// One that is never answered ends with its context, and leaves nothing.
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := l.Request(ctx, OpReserveRoom, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if len(l.pending) != 0 {
			t.Errorf("%d requests still wait", len(l.pending))
		}

		// One that waits when the link ends.
		wg.Go(func() {
			if _, err := l.Request(t.Context(), OpReserveRoom, nil); !errors.Is(err, ErrDown) {
				t.Error(err)
			}
		})
		synctest.Wait()
		p.gsRun.end()
		wg.Wait()
		p.msRun.end()
	})
}

// cluster CL-11: what nobody handles is refused, and the link stays.
func TestUnknownOperation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		p.listener.Link("gs-1").handlers = &Handlers{}
		for _, op := range []Op{OpForward, 64, 200, OpHello, OpAuth} {
			r, err := p.outbound.Request(t.Context(), op, nil)
			if err != nil || r.ReturnCode != ReturnUnknown {
				t.Errorf("operation %d: %+v, %v", op, r, err)
			}
		}
		p.gs.take()
		// An event of a later version.
		if err := p.listener.Link("gs-1").send(func(b []byte) ([]byte, error) {
			return photon.AppendEvent(b, photon.GpBinaryV16, 222, nil)
		}); err != nil {
			t.Error(err)
		}
		after(time.Millisecond)
		if got := p.gs.take(); got != "" {
			t.Error(got)
		}
		p.gsRun.end()
		p.msRun.end()
	})
}

// cluster CL-40, and section 15 "slow master": a queue that is full ends the
// link, and memory stays bounded.
func TestFullQueueEndsLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := net.Pipe() // nobody reads
		var seen log
		h := seen.handlers()
		l := newLink(a, newFrameReader(a, true), true, &h)
		done := make(chan struct{})
		go func() { l.run(); close(done) }()
		text := strings.Repeat("x", 30_000)
		sent := 0
		var err error
		for err == nil {
			if err = l.Send(&Goodbye{text}); err == nil {
				sent += len(text)
			}
		}
		if !errors.Is(err, ErrQueueFull) || sent > MaxQueue || sent < MaxQueue-100_000 {
			t.Errorf("%d bytes, then %v", sent, err)
		}
		<-done
		if got := seen.take(); !strings.Contains(got, ErrQueueFull.Error()) {
			t.Error(got)
		}
		if err := l.Send(&Goodbye{}); !errors.Is(err, ErrDown) {
			t.Error(err)
		}
	})
}

// A side that stops reading ends the link although the queue is not full.
func TestStalledWriteEndsLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		block := make(chan struct{})
		p.listener.Link("gs-1").handlers = &Handlers{Message: func(*Link, Message) { <-block }}
		for range 2 {
			if err := p.outbound.Send(&LoadReport{}); err != nil {
				t.Fatal(err)
			}
		}
		p.gs.take()
		after(6 * time.Second)
		if got := p.gs.take(); !strings.HasPrefix(got, "down ms-1") {
			t.Error(got)
		}
		close(block)
		p.gsRun.end()
		p.msRun.end()
	})
}

func TestTooLongTextsLeaveTheLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		if err := p.outbound.Send(&Goodbye{strings.Repeat("x", 40_000)}); err == nil {
			t.Error("no error")
		}
		var keys []string
		for range 200 {
			keys = append(keys, strings.Repeat("k", 30_000))
		}
		if err := p.outbound.Send(&RoomRemove{Keys: keys}); err == nil {
			t.Error("no error")
		}
		if err := p.outbound.Send(&Goodbye{"short"}); err != nil {
			t.Error(err)
		}
		after(time.Millisecond)
		if got := p.ms.take(); got != "up gs-1; *s2s.Goodbye&{Reason:short}" {
			t.Error(got)
		}
		p.gsRun.end()
		p.msRun.end()
	})
}

// cluster CL-10: garbage after the handshake ends the link and nothing else.
func TestGarbageEndsLink(t *testing.T) {
	for name, b := range map[string][]byte{
		"no magic":        frame(1, 2, 3),
		"empty":           frame(),
		"encrypted":       frame(0xF3, 0x82, 1, 2),
		"unknown type":    frame(0xF3, 9, 1, 2),
		"cut request":     frame(0xF3, 2, 3, 0, 1),
		"long request":    frame(0xF3, 2, 3, 0, 0, 1),
		"cut response":    frame(0xF3, 3, 3),
		"cut event":       frame(0xF3, 4, 102, 0, 1),
		"wrong parameter": frame(0xF3, 2, 3, 0, 1, 1, 'b', 1),
		"bad request id":  frame(0xF3, 2, 200, 0, 1, 255, 'b', 1),
		"bad frame":       {0x17},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPair(t)
				l := p.outbound.Link()
				l.mu.Lock()
				l.out = append(l.out, b...)
				l.mu.Unlock()
				notify(l.wake)
				after(10 * time.Millisecond)
				if got := p.ms.take(); !strings.HasPrefix(got, "up gs-1; down gs-1: ") {
					t.Error(got)
				}
				after(time.Second)
				if got := p.ms.take(); got != "up gs-1" {
					t.Errorf("after that: %s", got)
				}
				p.gsRun.end()
				p.msRun.end()
			})
		})
	}
}

func FuzzReceive(f *testing.F) {
	f.Add([]byte{0xF3, 2, 3, 0, 0})
	f.Add([]byte{0xF3, 3, 3, 0, 0, 0x2A, 0, 1, 255, 'i', 0, 0, 0, 1})
	f.Add([]byte{0xF3, 4, 102, 0, 0})
	f.Add(encode(f, &LoadReport{})[7:])
	a, b := net.Pipe()
	f.Cleanup(func() { _, _ = a.Close(), b.Close() })
	f.Fuzz(func(t *testing.T, m []byte) {
		var seen log
		h := seen.handlers()
		l := newLink(a, newFrameReader(a, false), false, &h)
		l.pending[1] = make(chan Response, 1)
		_ = l.receive(m)
	})
}
