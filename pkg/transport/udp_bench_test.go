package transport

import (
	"encoding/binary"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/enet"
	"github.com/boson-project/boson/pkg/photon"
)

// TestUDPIdleMemory holds that an idle UDP peer, with all that the transport
// keeps of it, stays below 4 KiB.
func TestUDPIdleMemory(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector adds to every allocation")
	}
	const count = 5000
	a := &countedApp{}
	l, err := ListenUDP("127.0.0.1:0", UDPConfig{
		Acceptor: a, Clock: func() uint32 { return uint32(udpNow() / time.Millisecond) }, Sockets: 1,
		Limits: Limits{MaxPeersPerAddress: -1},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer shutdown(t, l)
	s := l.shards[0]
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	s.lock()
	cfg, out := enet.ClientConfig(), &outBatch{}
	for i := range uint32(count) {
		from := endpointFrom(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 1000))
		c := enet.NewClientConn(cfg, enet.Connect{}, i, s.now)
		_ = c.Send(udpInit(), photon.Delivery{Mode: photon.Reliable})
		exchange(s, from, c, out)
		if c.State() != enet.Connected {
			t.Fatalf("client %d: %d", i, c.State())
		}
		c.Release()
	}
	sessions := a.n
	runtime.GC()
	runtime.ReadMemStats(&after)
	for _, p := range s.peers {
		s.remove(p)
	}
	s.mu.Unlock()
	if sessions != count {
		t.Errorf("%d sessions", sessions)
	}
	per := float64(after.HeapAlloc-before.HeapAlloc) / count
	t.Logf("%.0f bytes per idle peer", per)
	if per > 4096 {
		t.Errorf("%.0f bytes per idle peer", per)
	}
}

// exchange carries datagrams between a shard and a client by hand until both
// have nothing more to say. The shard's mutex is held.
func exchange(s *udpShard, from endpoint, c *enet.Conn, out *outBatch) {
	for quiet := false; !quiet; {
		quiet = true
		for _, b := range udpDatagramsAt(c, s.now) {
			quiet = false
			s.input(from, b)
		}
		for _, b := range s.answers() {
			quiet = false
			_ = c.Input(s.now, b, discard{})
		}
		out.n = 0
		p := s.peers[from]
		if p == nil {
			continue
		}
		// The acks of the client's last words wait a little.
		s.now += 5 * time.Millisecond
		s.output(p, out)
		for i := range out.n {
			quiet = false
			_ = c.Input(s.now, out.bufs[i][:out.size[i]], discard{})
		}
		s.ready = s.ready[:0]
		p.ready = false
	}
}

func udpDatagramsAt(c *enet.Conn, now time.Duration) (all [][]byte) {
	var buf [enet.MaxMTU]byte
	for {
		n, more := c.Output(now, buf[:])
		if n > 0 {
			all = append(all, append([]byte(nil), buf[:n]...))
		}
		if !more {
			return all
		}
	}
}

type discard struct{}

func (discard) Receive([]byte, photon.Delivery) {}

// countedApp accepts everything and keeps nothing.
type countedApp struct{ n int }

func (a *countedApp) Accept(Session) Receiver         { a.n++; return a }
func (a *countedApp) Receive([]byte, photon.Delivery) {}
func (a *countedApp) Closed(Reason)                   {}

// BenchmarkUDPEcho is one client's messages to the server and back over
// loopback, many under way at once; a message is one iteration.
func BenchmarkUDPEcho(b *testing.B) {
	a := newUDPApp()
	a.onReceive = func(p *udpAppPeer, msg []byte, d photon.Delivery) {
		p.Send(echoed, d)
	}
	l := startUDP(b, a, UDPConfig{TransmitRate: -1, Limits: Limits{MaxMessagesPerSecond: -1}})
	c, _ := connectUDP(b, a, l, enet.Connect{})
	const window = 64
	before := l.counters.DatagramsIn.Load() + l.counters.DatagramsOut.Load()
	b.ReportAllocs()
	b.ResetTimer()
	sent, got := 0, 0
	for got < b.N {
		for sent < b.N && sent-got < window {
			c.send(echoed, photon.Delivery{Mode: photon.Reliable})
			sent++
		}
		c.next()
		got++
	}
	b.StopTimer()
	n := l.counters.DatagramsIn.Load() + l.counters.DatagramsOut.Load() - before
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "datagrams/s")
}

var echoed = make([]byte, 60)

// BenchmarkUDPFanOut sends one message to many peers, as a room does, and takes
// in what they answer, without the system: it is the cost of the loop alone.
func BenchmarkUDPFanOut(b *testing.B) {
	const count = 200
	a := &countedApp{}
	l, err := ListenUDP("127.0.0.1:0", UDPConfig{
		Acceptor: a, Clock: func() uint32 { return 1000 }, Sockets: 1, TransmitRate: -1,
		Limits: Limits{MaxPeersPerAddress: -1},
	})
	if err != nil {
		b.Fatal(err)
	}
	s := l.shards[0]
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &outBatch{}
	var peers []*udpPeer
	for i := range uint32(count) {
		from := endpointFrom(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 1000))
		c := enet.NewClientConn(enet.ClientConfig(), enet.Connect{}, i, s.now)
		_ = c.Send(udpInit(), photon.Delivery{Mode: photon.Reliable})
		exchange(s, from, c, out)
		peers = append(peers, s.peers[from])
	}
	ack := make([]byte, 32)
	ack[3], ack[12], ack[19] = 1, 1, 20
	b.ReportAllocs()
	i, round := 0, uint32(1)
	for b.Loop() {
		p := peers[i]
		if err := p.conn.Send(echoed, photon.Delivery{Mode: photon.Reliable}); err != nil {
			b.Fatal(err)
		}
		out.n = 0
		s.output(p, out)
		if i == 0 {
			round++
		}
		binary.BigEndian.PutUint16(ack, p.conn.PeerID())
		binary.BigEndian.PutUint32(ack[8:], p.conn.Challenge())
		binary.BigEndian.PutUint32(ack[24:], round)
		binary.BigEndian.PutUint32(ack[28:], uint32(s.now/time.Millisecond))
		s.input(p.addr, ack)
		i = (i + 1) % count
	}
	if n := s.cfg.Stats.Resent; n != 0 {
		b.Errorf("%d resent", n)
	}
	for _, p := range s.peers {
		s.remove(p)
	}
	s.mu.Unlock()
	close(l.done)
	l.closeSockets()
	l.wg.Wait()
	s.mu.Lock()
}
