package enet

import (
	"encoding/binary"
	"errors"
	"flag"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/photon"
)

// TestSoak goes through more links than in the suite with
//
//	go test ./pkg/enet -run TestSoak -soak 20000
var (
	soakSeeds = flag.Uint64("soak", 100, "seeds of TestSoak")
	soakFirst = flag.Uint64("soakfirst", 0, "first seed of TestSoak")
)

// TestSoak holds, over random links, limits, clocks and traffic, and with the
// time-outs of real clients and servers, what must hold whatever happens: a
// connection on a link that works most of the time lives; what is reliable comes
// all and once; what is sequenced comes in the order of the calls on its channel,
// reliable and unreliable together; memory stays in its bounds; nothing is left
// over when all is said; a goodbye ends both sides.
//
// wire W-7 to W-11, W-14, W-18
func TestSoak(t *testing.T) {
	seeds := *soakSeeds
	if raceEnabled || testing.Short() {
		seeds = min(seeds, 20)
	}
	for seed := *soakFirst; seed < *soakFirst+seeds; seed++ {
		(&soak{t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 7))}).run()
		if t.Failed() {
			return
		}
	}
}

type soak struct {
	t    *testing.T
	seed uint64
	rng  *rand.Rand
	l    *link
	sent [2][]soakMessage // by who sent it
	seen [2]int           // messages of l.ends that were checked, by who got them
	last [2]map[byte]int  // number of the last sequenced message of a channel
	ccfg *Config
	scfg *Config
}

type soakMessage struct {
	d    photon.Delivery
	size int
	came bool
}

func (s *soak) run() {
	defer func() {
		if !s.t.Failed() {
			return
		}
		s.t.Logf("seed %d at %v: delay %v, jitter %v, loss %.3f, server %+v", s.seed, s.l.now, s.l.delay, s.l.jitter, s.l.loss, s.scfg)
		for i, e := range s.l.ends {
			s.t.Logf("end %d: %+v", i, e.conn)
		}
	}()
	rng := s.rng
	maxMessage := []int{2000, 20_000, 100_000}[rng.IntN(3)]
	loss := 0.02 // real clients give up on a command that is lost five to eight times
	s.ccfg, s.scfg = ClientConfig(), ServerConfig()
	s.ccfg.WindowBytes, s.ccfg.WindowCommands = 64<<20, 1<<20
	if rng.IntN(3) == 0 {
		loss = 0.2
		// Much must be sent again for want of room, by somebody who does not give up.
		s.scfg.MaxMessageSize, s.scfg.MaxQueuedBytes = maxMessage, 4*maxMessage
		s.scfg.MaxBuffered, s.scfg.MaxBufferedBytes = 40, maxMessage
		for _, cfg := range []*Config{s.ccfg, s.scfg} {
			cfg.MaxTimeout, cfg.MinTimeout, cfg.MinResends, cfg.MaxResendWait = time.Hour, time.Hour, 1000, time.Second
		}
	}
	if rng.IntN(2) == 0 {
		s.scfg.TransmitRate = 0
	}
	if rng.IntN(2) == 0 {
		s.scfg.FirstWindowBytes = 0
	}
	if rng.IntN(3) == 0 {
		s.ccfg.ChannelWindow = 200 // clients before 4.1.8 have more in flight
	}
	connect := Connect{MTU: []int{576, 1200, 1400}[rng.IntN(3)], Channels: 1 + rng.IntN(6), CRC: rng.IntN(4) == 0}
	l := newLinkConfig(s.t, s.seed, connect, s.ccfg, s.scfg)
	s.l = l
	// Clocks wrap on the way, signed or unsigned.
	l.now = time.Duration(1+rng.IntN(2))<<31*ms - time.Duration(rng.IntN(60))*time.Second
	l.ends[0].conn = NewClientConn(s.ccfg, connect, testChallenge, l.now)
	l.delay = time.Duration(10+rng.IntN(100)) * ms
	l.jitter = time.Duration(rng.IntN(100)) * ms
	l.double = rng.Float64() * 0.1
	l.connect()
	l.loss = rng.Float64() * loss
	l.ends[1].conn.AllowUnsequenced()
	s.wrap(connect.Channels)
	for i := range s.last {
		s.last[i] = map[byte]int{}
	}
	for range 10 + rng.IntN(30) {
		if rng.IntN(15) == 0 {
			// The client's rules have less patience with a server on a fast link.
			who := rng.IntN(2)
			l.paused[who] = l.now + time.Duration(rng.IntN(3000-who*1500))*ms
		}
		n := rng.IntN(6)
		if rng.IntN(10) == 0 {
			n = rng.IntN(200)
		}
		from := rng.IntN(2)
		for range n {
			s.send(from, byte(rng.IntN(connect.Channels)), maxMessage)
		}
		for range 1 + rng.IntN(10) {
			l.run(time.Duration(1+rng.IntN(30)) * ms)
			s.check()
		}
	}
	l.paused = [2]time.Duration{}
	for start := l.now; !l.ends[0].conn.idle() || !l.ends[1].conn.idle() || len(l.flying) > 0; {
		l.run(100 * ms)
		s.check()
		if l.now-start > 3*time.Minute {
			s.t.Fatal("not idle after three minutes")
		}
	}
	s.end()
}

// wrap lets all numbers wrap soon.
func (s *soak) wrap(channels int) {
	start := []uint32{0, 1<<31 - 20, 1<<32 - 20}[s.rng.IntN(3)]
	if start == 0 {
		return
	}
	for i, e := range s.l.ends {
		other := s.l.ends[1-i].conn
		e.conn.unseqOut = start
		for n := range channels {
			ch, peer := e.conn.channelFor(byte(n)), other.channelFor(byte(n))
			ch.outRel, ch.outUnrel, ch.outUnseq = start, start, start
			peer.inRel, peer.inDone, peer.inUnrel = start, start, start
			peer.inUnseq.base = start
		}
	}
}

func (s *soak) send(from int, channel byte, maxMessage int) {
	rng := s.rng
	m := soakMessage{d: photon.Delivery{Channel: channel, Mode: photon.DeliveryMode(rng.IntN(4))}, size: 4 + rng.IntN(200)}
	switch rng.IntN(20) {
	case 0:
		m.size = 4 + rng.IntN(maxMessage-4)
	case 1:
		m.size = maxMessage
	}
	c := s.l.ends[from].conn
	err := c.Send(testMessage(uint32(len(s.sent[from])), m.size), m.d)
	if errors.Is(err, ErrQueueFull) {
		return
	}
	if err != nil {
		s.t.Fatalf("end %d is %v, cause %v: %v", from, c.State(), c.Cause(), err)
	}
	if m.size > c.fragmentSize() { // travels reliably
		m.d.Mode = []photon.DeliveryMode{photon.Reliable, photon.Reliable, photon.ReliableUnsequenced, photon.ReliableUnsequenced}[m.d.Mode]
	}
	s.sent[from] = append(s.sent[from], m)
}

// check looks at what came and at the bounds.
func (s *soak) check() {
	for to, e := range s.l.ends {
		sent := s.sent[1-to]
		for _, got := range e.got[s.seen[to]:] {
			n := int(binary.BigEndian.Uint32(got.data))
			if n >= len(sent) || sent[n].size != len(got.data) || sent[n].d != got.d || string(got.data) != string(testMessage(uint32(n), sent[n].size)) {
				s.t.Fatalf("end %d: message %d is not what was sent", to, n)
			}
			if sent[n].came {
				s.t.Fatalf("end %d: message %d came twice", to, n)
			}
			sent[n].came = true
			if got.d.Mode >= photon.UnreliableUnsequenced {
				continue
			}
			if last, ok := s.last[to][got.d.Channel]; ok && n < last {
				s.t.Fatalf("end %d channel %d: message %d after %d", to, got.d.Channel, n, last)
			}
			s.last[to][got.d.Channel] = n
		}
		s.seen[to] = len(e.got)
		c := e.conn
		if c.State() != Connected {
			s.t.Fatalf("end %d is %v, cause %v", to, c.State(), c.Cause())
		}
		if c.bufferedBytes > c.maxBuffered+4*c.maxMessage || c.queuedBytes > max(c.maxQueued, 2*c.maxMessage) ||
			len(c.acks) > maxAcks || c.inFlight > c.cfg.WindowCommands+10 || c.inFlightBytes > c.cfg.WindowBytes+DefaultMTU {
			s.t.Fatalf("end %d out of bounds: %d bytes kept, %d queued, %d acks, %d commands of %d bytes in flight", to,
				c.bufferedBytes, c.queuedBytes, len(c.acks), c.inFlight, c.inFlightBytes)
		}
	}
}

// end looks at what is left, and says goodbye.
func (s *soak) end() {
	for from, all := range s.sent {
		for n, m := range all {
			if (m.d.Mode == photon.Reliable || m.d.Mode == photon.ReliableUnsequenced) && !m.came {
				s.t.Fatalf("end %d: message %d of %d is lost", from, n, len(all))
			}
		}
	}
	for i, e := range s.l.ends {
		c := e.conn
		if c.inFlight != 0 || c.inFlightBytes != 0 || c.queued != 0 || c.queuedBytes != 0 || c.overdue != 0 ||
			c.buffered != 0 && !anyWaiting(c) {
			s.t.Fatalf("end %d: something is left over", i)
		}
	}
	who := s.rng.IntN(2)
	for range s.rng.IntN(30) {
		for from := range 2 {
			s.send(from, 0, 2000)
		}
	}
	s.l.loss = 0 // three goodbyes may be lost
	s.l.ends[who].conn.Disconnect(s.l.now, ReasonServerLogic)
	s.l.run(30 * time.Second)
	for i, e := range s.l.ends {
		if !e.conn.Done() {
			s.t.Fatalf("end %d is not done", i)
		}
		e.conn.Release()
		if e.conn.cfg.shared != 0 {
			s.t.Fatalf("end %d: %d bytes still counted", i, e.conn.cfg.shared)
		}
	}
}
