package transport

import (
	"bytes"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/enet"
	"github.com/boson-project/boson/pkg/photon"
)

// TestUDPRefusals holds who does not get in, and how he learns it.
//
// wire W-22
func TestUDPRefusals(t *testing.T) {
	t.Run("full", func(t *testing.T) {
		a := newUDPApp()
		l := startUDP(t, a, UDPConfig{Limits: Limits{MaxPeers: 1}})
		connectUDP(t, a, l, enet.Connect{})
		c := startUDPClient(t, l.Addr(), enet.Connect{})
		c.wantOver(enet.CauseRemote, enet.ReasonUserLimit)
	})
	t.Run("address full", func(t *testing.T) {
		a := newUDPApp()
		l := startUDP(t, a, UDPConfig{Limits: Limits{MaxPeersPerAddress: 2}})
		connectUDP(t, a, l, enet.Connect{})
		connectUDP(t, a, l, enet.Connect{})
		c := startUDPClient(t, l.Addr(), enet.Connect{})
		c.wantOver(enet.CauseRemote, enet.ReasonUserLimit)
	})
	t.Run("acceptor", func(t *testing.T) {
		a := newUDPApp()
		a.onAccept = func(Session) bool { return false }
		l := startUDP(t, a, UDPConfig{})
		c := startUDPClient(t, l.Addr(), enet.Connect{})
		c.wantOver(enet.CauseRemote, enet.ReasonServerLogic)
	})
	t.Run("no init request", func(t *testing.T) {
		a := newUDPApp()
		l := startUDP(t, a, UDPConfig{Limits: Limits{InitTimeout: 200 * time.Millisecond}})
		sock, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(l.Addr()))
		if err != nil {
			t.Fatal(err)
		}
		c := &udpClient{t: t, sock: sock, got: make(chan udpMessage, 10), over: make(chan struct{})}
		c.conn = enet.NewClientConn(enet.ClientConfig(), enet.Connect{}, 77, udpNow())
		t.Cleanup(func() { _ = sock.Close() })
		go c.read()
		c.wantOver(enet.CauseRemote, enet.ReasonServerLogic)
		if n := l.counters.Closed[ReasonInitTimeout].Load(); n != 1 {
			t.Errorf("counted %d", n)
		}
	})
	t.Run("bad init request", func(t *testing.T) {
		a := newUDPApp()
		l := startUDP(t, a, UDPConfig{})
		sock, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(l.Addr()))
		if err != nil {
			t.Fatal(err)
		}
		c := &udpClient{t: t, sock: sock, got: make(chan udpMessage, 10), over: make(chan struct{})}
		c.conn = enet.NewClientConn(enet.ClientConfig(), enet.Connect{}, 77, udpNow())
		c.send([]byte{0xF3, 2, 1}, photon.Delivery{Mode: photon.Reliable})
		t.Cleanup(func() { _ = sock.Close() })
		go c.read()
		c.wantOver(enet.CauseRemote, enet.ReasonServerLogic)
	})
}

// TestUDPVersions holds that unsequenced commands go only to clients that know
// them: by their version, from their init request on.
//
// wire W-17
func TestUDPVersions(t *testing.T) {
	for _, tc := range []struct {
		version [4]byte
		want    photon.DeliveryMode
	}{
		{[4]byte{4, 0, 5, 7}, photon.Reliable}, {[4]byte{4, 1, 2, 5}, photon.Reliable},
		{[4]byte{4, 1, 2, 6}, photon.ReliableUnsequenced}, {[4]byte{4, 1, 8, 11}, photon.ReliableUnsequenced}, {[4]byte{5, 0, 0, 0}, photon.ReliableUnsequenced},
	} {
		_, s := stillShard(t)
		from := endpointFrom(netip.MustParseAddrPort("192.0.2.1:1000"))
		c := enet.NewClientConn(enet.ClientConfig(), enet.Connect{}, 1, s.now)
		_ = c.Send(photon.AppendInit(nil, photon.Init{Protocol: photon.GpBinaryV16, AppID: "Master", ClientVersion: tc.version}, ""), photon.Delivery{Mode: photon.Reliable})
		out := &outBatch{}
		exchange(s, from, c, out)
		if err := s.peers[from].conn.Send([]byte("x"), photon.Delivery{Mode: photon.ReliableUnsequenced}); err != nil {
			t.Fatal(err)
		}
		out.n = 0
		s.output(s.peers[from], out)
		var got modes
		for i := range out.n {
			if err := c.Input(s.now, out.bufs[i][:out.size[i]], &got); err != nil {
				t.Fatal(err)
			}
		}
		if len(got) != 1 || got[0] != tc.want {
			t.Errorf("a client %v gets %v", tc.version, got)
		}
	}
}

// modes records how messages came.
type modes []photon.DeliveryMode

func (m *modes) Receive(_ []byte, d photon.Delivery) { *m = append(*m, d.Mode) }

// TestUDPLimits holds what ends a session that asks too much.
func TestUDPLimits(t *testing.T) {
	for _, tc := range []struct {
		name   string
		limits Limits
		do     func(c *udpClient, p *udpAppPeer)
		want   Reason
	}{
		{"message too big for its application", Limits{}, func(c *udpClient, p *udpAppPeer) {
			p.Session.(Limited).SetLimits(&PeerLimits{MaxMessageSize: 10000, MaxQueuedBytes: 20000})
			c.send(make([]byte, 10001), photon.Delivery{Mode: photon.Reliable})
		}, ReasonMessageTooBig},
		{"send queue of its application", Limits{}, func(c *udpClient, p *udpAppPeer) {
			p.Session.(Limited).SetLimits(&PeerLimits{MaxMessageSize: 10000, MaxQueuedBytes: 60000})
			_ = c.sock.Close()
			for range 1000 {
				p.Send(make([]byte, 1000), photon.Delivery{Mode: photon.Reliable})
			}
		}, ReasonSendQueueFull},
		{"message too big", Limits{MaxMessageSize: 10000}, func(c *udpClient, _ *udpAppPeer) {
			c.send(make([]byte, 10001), photon.Delivery{Mode: photon.Reliable})
		}, ReasonMessageTooBig},
		{"messages per second", Limits{MaxMessagesPerSecond: 20}, func(c *udpClient, _ *udpAppPeer) {
			for range 120 { // more than a burst may have
				c.send([]byte("x"), photon.Delivery{Mode: photon.Reliable})
			}
		}, ReasonRateLimit},
		{"bytes per second", Limits{MaxBytesPerSecond: 1000, MaxMessageSize: 5000}, func(c *udpClient, _ *udpAppPeer) {
			for range 40 {
				c.send(make([]byte, 500), photon.Delivery{Mode: photon.Reliable})
			}
		}, ReasonByteRateLimit},
		{"send queue", Limits{MaxQueuedBytes: 60000}, func(c *udpClient, p *udpAppPeer) {
			_ = c.sock.Close()
			for range 1000 {
				p.Send(make([]byte, 1000), photon.Delivery{Mode: photon.Reliable})
			}
		}, ReasonSendQueueFull},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := newUDPApp()
			l := startUDP(t, a, UDPConfig{Limits: tc.limits})
			c, p := connectUDP(t, a, l, enet.Connect{})
			tc.do(c, p)
			if r := udpNext(t, "end", p.closed); r != tc.want {
				t.Errorf("closed: %v", r)
			}
			if tc.want == ReasonSendQueueFull {
				return // it does not read
			}
			// It is told in words, before the end.
			if m := c.next(); len(m.msg) < 2 || m.msg[1] != 5 || !bytes.Contains(m.msg, []byte(tc.want.Limit())) {
				t.Errorf("told %q", m.msg)
			}
		})
	}
}

// TestBudget holds the token bucket: what it lets through, and that limits so high
// that they are meant as none, and times however long, do not overflow.
func TestBudget(t *testing.T) {
	for _, perSecond := range []int{10, 5000, 1 << 30, 1 << 40, 1 << 50} {
		for _, wait := range []time.Duration{0, time.Second, time.Hour, 1000 * 24 * time.Hour} {
			var b budget
			now := (1<<32 + 12345) * time.Millisecond
			for range 3 {
				for range 10 {
					if !b.spend(perSecond/10, perSecond, 0, now) {
						t.Fatalf("%d per second, %v between: a second's worth is too much", perSecond, wait)
					}
				}
				if wait == 0 && b.spend(perSecond/10, perSecond, 0, now) {
					t.Errorf("%d per second: a tenth more is let through", perSecond)
				}
				if wait == 0 {
					break
				}
				now += wait
			}
		}
	}
}
