package transport

import (
	"encoding/binary"
	"flag"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/enet"
	"github.com/boson-project/boson/pkg/photon"
)

var udpSoakSeeds = flag.Uint64("udpsoak", 10, "seeds of TestUDPSoak")

// TestUDPSoak lets clients come and go on one shard, in virtual time, over links
// that lose, double and delay: they leave with a word or without, and come back on
// the port that they had, at once or later, while strangers send rubbish in their
// names. It holds that whoever is there is answered in order, that each session
// ends once, and that nothing of anybody is left in the end. The pump runs only
// when it is woken or its sleep is over, as in the real shard.
//
// wire W-2 to W-5, W-7, W-20, W-23
func TestUDPSoak(t *testing.T) {
	seeds := *udpSoakSeeds
	if raceEnabled || testing.Short() {
		seeds = min(seeds, 4)
	}
	for seed := range seeds {
		newUDPSoak(t, seed).run()
		if t.Failed() {
			t.Logf("seed %d", seed)
			return
		}
	}
}

type udpSoak struct {
	t      *testing.T
	rng    *rand.Rand
	clock  uint32
	now    time.Duration // of the clients
	s      *udpShard
	pumpAt uint32 // end of the pump's sleep
	slots  [24]*udpSoakClient
	flying []udpSoakPacket
	open   map[Session]*udpSoakApp
	ended  [reasonCount]int
}

type udpSoakPacket struct {
	at   uint32
	slot int
	up   bool
	b    []byte
}

type udpSoakClient struct {
	conn *enet.Conn
	sent uint32
	got  uint32 // echoes
	init bool
	soak *udpSoak
}

type udpSoakApp struct {
	soak *udpSoak
	Session
	got uint32
}

func newUDPSoak(t *testing.T, seed uint64) *udpSoak {
	k := &udpSoak{t: t, rng: rand.New(rand.NewPCG(seed, 11)), open: map[Session]*udpSoakApp{}, now: time.Hour}
	k.clock = ^uint32(0) - k.rng.Uint32N(60000) // wraps on the way
	l := &UDPListener{cfg: UDPConfig{Acceptor: k, Clock: func() uint32 { return k.clock }}, limits: Limits{}.WithDefaults(), counters: &Counters{}}
	l.admission, l.peerLimits = newAdmission(l.limits), l.limits.Peer()
	k.s = newUDPShard(l, &udpSocket{out: &outBatch{}}, 1)
	l.shards = []*udpShard{k.s}
	return k
}

// Accept implements Acceptor.
func (k *udpSoak) Accept(s Session) Receiver {
	a := &udpSoakApp{soak: k, Session: s}
	k.open[s] = a
	return a
}

// Receive implements Receiver: it is an echo.
func (a *udpSoakApp) Receive(msg []byte, d photon.Delivery) {
	if n := binary.BigEndian.Uint32(msg); n != a.got {
		a.soak.t.Errorf("server got %d, want %d", n, a.got)
	}
	a.got++
	a.Send(append([]byte(nil), msg...), d)
}

// Closed implements Receiver.
func (a *udpSoakApp) Closed(r Reason) {
	if a.soak.open[a.Session] != a {
		a.soak.t.Error("a session ended twice")
	}
	delete(a.soak.open, a.Session)
	a.soak.ended[r]++
}

// Receive implements enet.Receiver.
func (c *udpSoakClient) Receive(msg []byte, _ photon.Delivery) {
	if !c.init {
		c.init = true
		return
	}
	if n := binary.BigEndian.Uint32(msg); n != c.got {
		c.soak.t.Errorf("client got %d, want %d", n, c.got)
	}
	c.got++
}

func udpSoakAddress(slot int) endpoint {
	return endpointFrom(netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), uint16(1000+slot)))
}

func (k *udpSoak) transmit(slot int, up bool, b []byte) {
	copies := 1
	switch k.rng.IntN(50) {
	case 0:
		return
	case 1:
		copies = 2
	}
	for range copies {
		at := k.clock + 10 + k.rng.Uint32N(30)
		if k.rng.IntN(300) == 0 {
			at += k.rng.Uint32N(2000)
		}
		k.flying = append(k.flying, udpSoakPacket{at, slot, up, append([]byte(nil), b...)})
	}
}

func (k *udpSoak) run() {
	const second = 1000
	for ms := range 100 * second {
		k.clock++
		k.now += time.Millisecond
		if ms < 60*second {
			k.behave()
		} else if ms == 60*second {
			k.quiet()
		}
		k.deliver()
		k.flush()
		k.pump()
		if k.t.Failed() {
			return
		}
	}
	s := k.s
	s.lock()
	defer s.mu.Unlock()
	s.expireHandshakes()
	if len(s.peers) != 0 || len(k.open) != 0 || s.l.ids.n != 0 || s.l.admission.peers != 0 || len(s.l.admission.byAddress) != 0 ||
		s.l.counters.Peers.Load() != 0 || s.sources.halfOpen != [sourceSlots]uint16{} {
		k.t.Errorf("left over: %d peers, %d sessions, %d ids, %d admitted, %d counted", len(s.peers), len(k.open), s.l.ids.n,
			s.l.admission.peers, s.l.counters.Peers.Load())
	}
	if s.wheel.used != [wheelSlots / 64]uint64{} || len(s.ready) != 0 || len(s.outbox) != 0 {
		k.t.Error("the shard still has something to do")
	}
	if k.ended[ReasonTimeout] == 0 || k.ended[ReasonClientDisconnect] == 0 || k.ended[ReasonReplaced] == 0 {
		k.t.Errorf("ended: %v", k.ended)
	}
}

// behave lets the clients do something.
func (k *udpSoak) behave() {
	slot := k.rng.IntN(len(k.slots))
	c := k.slots[slot]
	switch n := k.rng.IntN(1000); {
	case c == nil && n < 4:
		c = &udpSoakClient{soak: k, conn: enet.NewClientConn(enet.ClientConfig(), enet.Connect{}, k.rng.Uint32()>>1, k.now)}
		_ = c.conn.Send(udpInit(), photon.Delivery{Mode: photon.Reliable})
		k.slots[slot] = c
	case c == nil:
	case c.conn.State() > enet.Connected:
		if c.conn.Cause() != enet.CauseLocal {
			k.t.Errorf("a client was thrown out: cause %v, reason %d", c.conn.Cause(), c.conn.RemoteReason())
		}
		if c.conn.Done() {
			k.slots[slot] = nil
		}
	case n < 5:
		c.conn.Disconnect(k.now, enet.ReasonNormal)
	case n < 10:
		k.slots[slot] = nil // without a word
	case n < 400 && c.init:
		msg := make([]byte, 4+k.rng.IntN(100))
		if n == 10 {
			msg = make([]byte, 20_000)
		}
		binary.BigEndian.PutUint32(msg, c.sent)
		c.sent++
		_ = c.conn.Send(msg, photon.Delivery{Mode: photon.Reliable})
	case n < 410:
		b := connectDatagram(k.rng.Uint32(), enet.Connect{})
		if k.rng.IntN(2) == 0 {
			b = make([]byte, k.rng.IntN(100))
			for i := range b {
				b[i] = byte(k.rng.Uint32())
			}
			if len(b) > 12 && c.init { // they have heard the challenge
				binary.BigEndian.PutUint32(b[8:], c.conn.Challenge())
				b[2] = 0
			}
		}
		k.transmit(slot, true, b)
	}
}

// quiet ends it: who is there has got all answers, and leaves.
func (k *udpSoak) quiet() {
	for range 5000 {
		k.clock++
		k.now += time.Millisecond
		k.deliver()
		k.flush()
		k.pump()
	}
	for slot, c := range k.slots {
		if c != nil && c.conn.State() == enet.Connected && (!c.init || c.got != c.sent) {
			k.t.Errorf("client %d has %d of %d echoes", slot, c.got, c.sent)
		}
		if c != nil {
			c.conn.Disconnect(k.now, enet.ReasonNormal)
		}
	}
}

func (k *udpSoak) flush() {
	for slot, c := range k.slots {
		if c != nil && c.conn.Deadline() <= k.now {
			for _, b := range udpDatagramsAt(c.conn, k.now) {
				k.transmit(slot, true, b)
			}
		}
	}
}

// deliver brings what has arrived, to the server as its reader would.
func (k *udpSoak) deliver() {
	s := k.s
	rest := k.flying[:0]
	s.lock()
	read := false
	for _, p := range k.flying {
		switch c := k.slots[p.slot]; {
		case int32(p.at-k.clock) > 0:
			rest = append(rest, p)
		case p.up:
			s.input(udpSoakAddress(p.slot), p.b)
			read = true
		case c != nil:
			_ = c.conn.Input(k.now, p.b, c)
		}
	}
	k.flying = rest
	if read && (len(s.ready) > 0 || len(s.replies) > 0 || s.wheel.next() < s.sleepTick) {
		s.poke()
	}
	s.mu.Unlock()
}

// pump runs the pump if it is awake.
func (k *udpSoak) pump() {
	select {
	case <-k.s.wake:
	default:
		if int32(k.pumpAt-k.clock) > 0 {
			return
		}
	}
	for more := true; more; {
		var sleep time.Duration
		more, sleep = k.s.fill()
		out := k.s.socket.out
		for i := range out.n {
			k.transmit(int(out.to[i].port)-1000, false, out.bufs[i][:out.size[i]])
		}
		out.n = 0
		k.pumpAt = k.clock + uint32(sleep/time.Millisecond)
	}
}
