package transport

import (
	"net/netip"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/enet"
)

// stillShard is a shard without goroutines and network: a test moves its time.
func stillShard(t testing.TB) (*UDPListener, *udpShard) {
	t.Helper()
	a := &countedApp{}
	l := &UDPListener{cfg: UDPConfig{Acceptor: a, Clock: func() uint32 { return 0 }}, limits: Limits{}.WithDefaults(), counters: &Counters{}}
	l.admission = newAdmission(l.limits)
	return l, newUDPShard(l, nil)
}

// TestUDPReflection holds what somebody gains who floods the server with CONNECTs
// in the name of another address: that address gets no datagram longer than those
// that came, and in all little more than came from it.
func TestUDPReflection(t *testing.T) {
	_, s := stillShard(t)
	connect := udpDatagrams(enet.NewClientConn(enet.ClientConfig(), enet.Connect{}, 1, udpNow()))[0]
	victim := netip.MustParseAddr("192.0.2.1")
	in, sent, datagrams := 0, 0, 0
	out := &outBatch{}
	for step := range 2000 { // 20 s
		s.now += 10 * time.Millisecond
		if step < 1000 {
			for port := range 4 {
				in += len(connect)
				s.input(endpointFrom(netip.AddrPortFrom(victim, uint16(1024+4*step+port))), connect)
			}
		}
		s.wheel.advance(s.tick(), s.markReady)
		for len(s.ready) > 0 {
			p := s.ready[0]
			s.ready = s.ready[1:]
			out.n = 0
			s.output(p, out)
			for i := range out.n {
				if out.size[i] > len(connect) {
					t.Fatalf("a datagram of %d bytes for one of %d", out.size[i], len(connect))
				}
				sent += out.size[i]
				datagrams++
			}
		}
	}
	t.Logf("%d bytes in, %d bytes in %d datagrams out", in, sent, datagrams)
	if sent > in*5/2 {
		t.Errorf("%d bytes to an address that did not answer, for %d", sent, in)
	}
	if len(s.peers) != 0 || s.unverified.n != 0 {
		t.Errorf("%d peers are left", len(s.peers))
	}
}
