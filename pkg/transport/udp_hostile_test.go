package transport

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/enet"
	"github.com/boson-project/boson/pkg/photon"
)

// stillShard is a shard without goroutines and network: a test moves its time.
func stillShard(t testing.TB) (*UDPListener, *udpShard) {
	t.Helper()
	a := &countedApp{}
	l := &UDPListener{cfg: UDPConfig{Acceptor: a, Clock: func() uint32 { return 0 }}, limits: Limits{}.WithDefaults(), counters: &Counters{}}
	l.admission, l.peerLimits = newAdmission(l.limits), l.limits.Peer()
	return l, newUDPShard(l, nil, 1)
}

// answers takes what the shard has to send without a connection.
func (s *udpShard) answers() (all [][]byte) {
	for i := range s.replies {
		all = append(all, append([]byte(nil), s.replies[i].data[:s.replies[i].size]...))
	}
	s.replies = s.replies[:0]
	return all
}

func connectDatagram(challenge uint32, c enet.Connect) []byte {
	return udpDatagrams(enet.NewClientConn(enet.ClientConfig(), c, challenge, udpNow()))[0]
}

// TestUDPReflection holds what somebody gains who floods the server with datagrams
// in the name of another address: nothing. That address gets at most one for each
// that came, not longer than it, and nothing later.
func TestUDPReflection(t *testing.T) {
	_, s := stillShard(t)
	s.l.limits.MaxPeersPerAddress = 100
	plain, withCRC := connectDatagram(1, enet.Connect{}), connectDatagram(1, enet.Connect{CRC: true})
	goodbye := append([]byte(nil), plain...)
	goodbye[12], goodbye[14] = 4, 2 // DISCONNECT, flags 2
	ping := append(bytes.Repeat([]byte{regionPingByte}, 12), 1)
	victim := netip.MustParseAddr("192.0.2.1")
	in, sent := 0, 0
	for step := range 3000 { // 30 s
		s.now += 10 * time.Millisecond
		if step < 2000 {
			for port := range 4 {
				from := endpointFrom(netip.AddrPortFrom(victim, uint16(1024+4*step+port)))
				for _, b := range [][]byte{plain, withCRC, plain, ping, goodbye, plain[:20], make([]byte, 1200)} {
					in += len(b)
					s.input(from, b)
					got := s.answers()
					if len(got) > 1 || len(got) == 1 && len(got[0]) > len(b) {
						t.Fatalf("%d bytes are answered with %x", len(b), got)
					}
					for _, a := range got {
						sent += len(a)
					}
				}
			}
		}
		s.wheel.advance(s.tick(), s.markReady)
		if len(s.ready) > 0 || len(s.peers) > 0 {
			t.Fatal("there is a connection with nobody")
		}
	}
	t.Logf("%d bytes in, %d bytes out", in, sent)
	if sent == 0 || sent > in {
		t.Errorf("%d bytes to an address that did not answer, for %d", sent, in)
	}
	s.expireHandshakes()
	if n := len(s.handshakes.byKey); n != 0 || s.l.ids.n != 0 || s.sources.halfOpen != [sourceSlots]uint16{} {
		t.Errorf("%d are still half open", n)
	}
}

// TestUDPHandshakeExpires holds that clients which never show themselves make room
// again for others from their address when their time is over.
func TestUDPHandshakeExpires(t *testing.T) {
	_, s := stillShard(t)
	from := endpointFrom(netip.MustParseAddrPort("192.0.2.1:1"))
	connect := connectDatagram(1, enet.Connect{})
	ask := func() bool {
		from.port++
		s.input(from, connect)
		return len(s.answers()) == 1
	}
	for i := range maxHalfOpenPerAddress {
		if !ask() {
			t.Fatalf("client %d has no answer", i)
		}
	}
	if ask() {
		t.Error("there is room for more")
	}
	s.now += s.l.limits.InitTimeout
	if !ask() {
		t.Error("no room after the time-out")
	}
	if n := len(s.handshakes.byKey); n != 1 || s.l.ids.n != 1 {
		t.Errorf("%d half open, %d ids", n, s.l.ids.n)
	}
}

// TestUDPLateHandshake holds that the time of a client which is half open counts
// from its last CONNECT: on a bad link the answer to that one may be the first to
// arrive, 9.3 s after the first one (wire.md 3.11).
//
// wire W-2
func TestUDPLateHandshake(t *testing.T) {
	_, s := stillShard(t)
	from := endpointFrom(netip.MustParseAddrPort("192.0.2.1:1"))
	c := enet.NewClientConn(enet.ClientConfig(), enet.Connect{}, 1, s.now)
	connect := udpDatagramsAt(c, s.now)[0]
	var got [][]byte
	for _, at := range []int{0, 304, 598, 1203, 2403, 4804} { // in all 9.3 s
		s.now += time.Duration(at) * time.Millisecond
		s.input(from, connect)
		if got = s.answers(); len(got) != 1 {
			t.Fatalf("after %d ms: %d answers", at, len(got))
		}
	}
	s.now += time.Second
	other := from
	other.port++
	s.input(other, connectDatagram(2, enet.Connect{})) // makes room
	if err := c.Input(s.now, got[0], discard{}); err != nil {
		t.Fatal(err)
	}
	for _, b := range udpDatagramsAt(c, s.now) {
		s.input(from, b)
	}
	if s.peers[from] == nil {
		t.Error("the client is not known any more")
	}
}

// TestUDPForgedConnect holds that a CONNECT which somebody sends in a client's
// name, while that one connects, does not displace it.
//
// wire W-3, W-4
func TestUDPForgedConnect(t *testing.T) {
	_, s := stillShard(t)
	from := endpointFrom(netip.MustParseAddrPort("192.0.2.1:1000"))
	c := enet.NewClientConn(enet.ClientConfig(), enet.Connect{}, 1, s.now)
	_ = c.Send(udpInit(), photon.Delivery{Mode: photon.Reliable})
	s.input(from, udpDatagramsAt(c, s.now)[0])
	answer := s.answers()
	for challenge := range uint32(200) {
		forged := connectDatagram(1000+challenge, enet.Connect{})
		s.input(from, forged)
		s.input(from, forged)
	}
	s.answers()
	if err := c.Input(s.now, answer[0], discard{}); err != nil || c.State() != enet.Connected {
		t.Fatal(err, c.State())
	}
	for _, b := range udpDatagramsAt(c, s.now) {
		s.input(from, b)
	}
	p := s.peers[from]
	if p == nil || !p.started || p.conn.PeerID() != c.PeerID() {
		t.Fatal("the client was shut out")
	}
	// Nor later, and who guesses at the peer id that the forged one would need has one
	// try at each.
	forged := connectDatagram(1000, enet.Connect{})
	for range 100 {
		s.input(from, forged)
		w := s.handshakes.byKey[halfOpenKey{from, 1000}]
		guess := append([]byte(nil), forged...)
		for _, id := range []uint16{w.id - 1, w.id} {
			binary.BigEndian.PutUint16(guess, id)
			s.input(from, guess)
		}
	}
	if s.peers[from] != p || p.ended {
		t.Error("the client was displaced")
	}
}

// TestUDPOtherAddress holds that a client is known by its address too, as wire.md
// 3.10 rules: who has seen its peer id and challenge can neither speak for it from
// elsewhere, nor end it, nor have its messages sent to another address. The price
// is that a client whose NAT gives it a new address has to connect anew.
//
// wire W-4
func TestUDPOtherAddress(t *testing.T) {
	_, s := stillShard(t)
	from, elsewhere := endpointFrom(netip.MustParseAddrPort("192.0.2.1:1000")), endpointFrom(netip.MustParseAddrPort("192.0.2.1:1001"))
	c := enet.NewClientConn(enet.ClientConfig(), enet.Connect{}, 1, s.now)
	_ = c.Send(udpInit(), photon.Delivery{Mode: photon.Reliable})
	out := &outBatch{}
	exchange(s, from, c, out)
	p := s.peers[from]
	malformed := s.count.malformed
	_ = c.Send([]byte("from elsewhere"), photon.Delivery{Mode: photon.Reliable})
	for _, b := range udpDatagramsAt(c, s.now) {
		s.input(elsewhere, b)
	}
	c.Disconnect(s.now, enet.ReasonNormal)
	s.now += time.Second
	for _, b := range udpDatagramsAt(c, s.now) {
		s.input(elsewhere, b)
	}
	if p.ended || p.addr != from || len(s.peers) != 1 || len(s.handshakes.byKey) != 0 || len(s.answers()) != 0 {
		t.Error("another address had an effect")
	}
	if s.count.malformed == malformed {
		t.Error("nothing was counted")
	}
}

// TestUDPForeignAcks holds that acks for what was never sent, and acks again and
// again, free nothing and cost nothing.
//
// wire W-23
func TestUDPForeignAcks(t *testing.T) {
	_, s := stillShard(t)
	from := endpointFrom(netip.MustParseAddrPort("192.0.2.1:1000"))
	c := enet.NewClientConn(enet.ClientConfig(), enet.Connect{}, 1, s.now)
	_ = c.Send(udpInit(), photon.Delivery{Mode: photon.Reliable})
	out := &outBatch{}
	exchange(s, from, c, out)
	p := s.peers[from]
	if err := p.conn.Send([]byte("wait for me"), photon.Delivery{Mode: photon.Reliable}); err != nil {
		t.Fatal(err)
	}
	out.n = 0
	s.output(p, out)
	rtt := p.conn.RTT()
	ack := func(channel byte, sequence uint32, unsequenced bool) {
		b := make([]byte, 32)
		binary.BigEndian.PutUint16(b, p.conn.PeerID())
		b[3], b[12], b[13], b[19] = 1, 1, channel, 20
		if unsequenced {
			b[12] = 16
		}
		binary.BigEndian.PutUint32(b[8:], 1)
		binary.BigEndian.PutUint32(b[24:], sequence)
		s.input(from, b)
	}
	for sequence := range uint32(5000) {
		if sequence == 2 { // the message; the init response was 1
			continue
		}
		for _, channel := range []byte{0, 1, 7, 0xFE, 0xFF} {
			ack(channel, sequence, sequence%2 == 0)
			ack(channel, -sequence, sequence%3 == 0)
		}
	}
	if p.conn.RTT() != rtt || p.ended {
		t.Errorf("rtt %v, was %v", p.conn.RTT(), rtt)
	}
	if n := testing.AllocsPerRun(100, func() { ack(7, 9, true) }); n > 1 {
		t.Errorf("%v allocations for a foreign ack", n)
	}
	s.now += time.Second
	out.n = 0
	if s.output(p, out); out.n == 0 || !bytes.Contains(out.bufs[0][:out.size[0]], []byte("wait for me")) {
		t.Error("the message was taken for acknowledged")
	}
}
