package transport

import (
	"runtime"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/enet"
	"github.com/boson-project/boson/pkg/photon"
)

// TestUDPPressure holds that readers are held up while a shard has too much to
// send, of any shard of the listener, and go on when it is sent.
func TestUDPPressure(t *testing.T) {
	a := newUDPApp()
	l := startUDP(t, a, UDPConfig{Sockets: 2, TransmitRate: -1})
	c, p := connectUDP(t, a, l, enet.Connect{})
	s := p.Session.(*udpPeer).shard
	s.mu.Lock()                               // the pump can take the outbox once, and not go on
	gone := &udpPeer{shard: s, removed: true} // what it gets is dropped
	for range 2*outboxHigh + 1 {
		s.post(udpOutgoing{peer: gone})
	}
	if n := l.pressed.Load(); n != 1 {
		t.Errorf("%d shards press", n)
	}
	s.mu.Unlock()
	c.send([]byte{0xF3, 2}, photon.Delivery{Mode: photon.Reliable})
	udpNext(t, "message after the pressure", p.got)
	for deadline := time.Now().Add(udpWait); l.pressed.Load() != 0; {
		if time.Now().After(deadline) {
			t.Fatal("the pressure stays")
		}
		runtime.Gosched()
	}
	c.leave()
	udpNext(t, "end", p.closed)
}

// A reader that is held up ends with its listener.
func TestUDPPressureEnds(t *testing.T) {
	l := startUDP(t, newUDPApp(), UDPConfig{Sockets: 1})
	l.pressed.Add(1)
	shutdown(t, l)
	if l.shards[0].await() {
		t.Error("it goes on")
	}
}
