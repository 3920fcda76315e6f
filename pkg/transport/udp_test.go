package transport

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/enet"
	"github.com/boson-project/boson/pkg/photon"
)

// TestUDPSession holds a whole session: connect, init, messages of every mode in
// both directions, the client leaves.
//
// wire W-1, W-3, W-20
func TestUDPSession(t *testing.T) {
	for _, crc := range []bool{false, true} {
		a := newUDPApp()
		l := startUDP(t, a, UDPConfig{})
		c, p := connectUDP(t, a, l, enet.Connect{CRC: crc})
		info := p.Info()
		if info.Kind != UDP || info.AppID != "Master" || info.Protocol != photon.GpBinaryV18 || info.Listener != "client" ||
			info.ClientVersion != [4]byte{4, 1, 8, 11} || info.Remote != c.sock.LocalAddr().(*net.UDPAddr).AddrPort() || info.Local != l.Addr() {
			t.Errorf("info %+v", info)
		}
		for mode := range photon.DeliveryMode(4) {
			d := photon.Delivery{Channel: 1, Mode: mode}
			c.send([]byte{0xF3, 2, byte(mode)}, d)
			if m := udpNext(t, "message", p.got); m.d != d || !bytes.Equal(m.msg, []byte{0xF3, 2, byte(mode)}) {
				t.Errorf("server got %x %v", m.msg, m.d)
			}
			p.Send([]byte{0xF3, 4, byte(mode)}, d)
			if m := c.next(); m.d != d || !bytes.Equal(m.msg, []byte{0xF3, 4, byte(mode)}) {
				t.Errorf("client got %x %v", m.msg, m.d)
			}
		}
		if rtt := p.RTT(); rtt <= 0 || rtt > time.Second {
			t.Errorf("rtt %v", rtt)
		}
		c.leave()
		if r := udpNext(t, "end", p.closed); r != ReasonClientDisconnect {
			t.Errorf("closed: %v", r)
		}
		c.wantOver(enet.CauseLocal, 0)
		if n := l.counters.Peers.Load(); n != 0 {
			t.Errorf("%d peers left", n)
		}
	}
}

// TestUDPRelay holds that messages travel between two clients through the server.
func TestUDPRelay(t *testing.T) {
	a := newUDPApp()
	var peers []*udpAppPeer
	ready := make(chan struct{})
	a.onReceive = func(p *udpAppPeer, msg []byte, d photon.Delivery) {
		<-ready
		shared := append([]byte(nil), msg...)
		for _, other := range peers {
			if other != p {
				other.Send(shared, d)
			}
		}
	}
	l := startUDP(t, a, UDPConfig{Sockets: 2, TransmitRate: -1})
	c1, p1 := connectUDP(t, a, l, enet.Connect{})
	c2, p2 := connectUDP(t, a, l, enet.Connect{})
	peers = []*udpAppPeer{p1, p2}
	close(ready)
	const count = 500
	go func() {
		for i := range uint32(count) {
			c1.send(binary.BigEndian.AppendUint32(nil, i), photon.Delivery{Mode: photon.Reliable})
		}
	}()
	for i := range uint32(count) {
		if m := c2.next(); binary.BigEndian.Uint32(m.msg) != i {
			t.Fatalf("message %d, want %d", binary.BigEndian.Uint32(m.msg), i)
		}
	}
}

// TestUDPLargeMessages holds that 200 kB arrive intact in both directions.
//
// wire W-14
func TestUDPLargeMessages(t *testing.T) {
	a := newUDPApp()
	l := startUDP(t, a, UDPConfig{TransmitRate: -1})
	c, p := connectUDP(t, a, l, enet.Connect{})
	msg := make([]byte, 200_000)
	for i := range msg {
		msg[i] = byte(i * i >> 3)
	}
	d := photon.Delivery{Mode: photon.Reliable}
	c.send(msg, d)
	if m := udpNext(t, "message", p.got); !bytes.Equal(m.msg, msg) {
		t.Error("the server got something else")
	}
	p.Send(msg, d)
	if m := c.next(); !bytes.Equal(m.msg, msg) {
		t.Error("the client got something else")
	}
}

// TestUDPClose holds the reasons that clients see, and that nothing sent before
// is lost.
//
// wire W-21
func TestUDPClose(t *testing.T) {
	for reason, wire := range map[Reason]byte{
		ReasonServerDisconnect: 1, ReasonManaged: 1, ReasonTimeout: 2, ReasonUserLimit: 3,
	} {
		a := newUDPApp()
		l := startUDP(t, a, UDPConfig{})
		c, p := connectUDP(t, a, l, enet.Connect{})
		for i := range 20 {
			p.Send([]byte{0xF3, byte(i)}, photon.Delivery{Mode: photon.Reliable})
		}
		p.Close(reason)
		p.Close(ReasonUnknown)
		p.Send([]byte("late"), photon.Delivery{Mode: photon.Reliable})
		if r := udpNext(t, "end", p.closed); r != reason {
			t.Errorf("closed: %v, want %v", r, reason)
		}
		c.wantOver(enet.CauseRemote, wire)
		if len(c.got) != 20 {
			t.Errorf("%d of 20 messages before the end", len(c.got))
		}
		if n := l.counters.Closed[reason].Load(); n != 1 {
			t.Errorf("counted %d", n)
		}
	}
}

// TestUDPSendInReceive holds that a receiver may send to and close its session.
func TestUDPSendInReceive(t *testing.T) {
	a := newUDPApp()
	a.onReceive = func(p *udpAppPeer, msg []byte, d photon.Delivery) {
		p.Send(append([]byte(nil), msg...), d)
		p.Close(ReasonServerDisconnect)
	}
	l := startUDP(t, a, UDPConfig{})
	c, p := connectUDP(t, a, l, enet.Connect{})
	c.send([]byte("echo"), photon.Delivery{Mode: photon.Reliable})
	if m := c.next(); string(m.msg) != "echo" {
		t.Errorf("got %q", m.msg)
	}
	c.wantOver(enet.CauseRemote, 1)
	if r := udpNext(t, "end", p.closed); r != ReasonServerDisconnect {
		t.Errorf("closed: %v", r)
	}
}

// TestUDPClientTimeout holds that a client's own time-out is told apart.
//
// wire W-20
func TestUDPClientTimeout(t *testing.T) {
	a := newUDPApp()
	l := startUDP(t, a, UDPConfig{})
	c, p := connectUDP(t, a, l, enet.Connect{})
	c.mu.Lock()
	c.conn.Abort(enet.ReasonTimeout)
	c.flush()
	c.mu.Unlock()
	if r := udpNext(t, "end", p.closed); r != ReasonClientTimeout {
		t.Errorf("closed: %v", r)
	}
}

// TestUDPSilentPeer holds that a client that is gone is found out by pings that
// it does not acknowledge, in 5 to 30 seconds, and told so with reason 2.
//
// wire W-18, W-19
func TestUDPSilentPeer(t *testing.T) {
	a := newUDPApp()
	l := startUDP(t, a, UDPConfig{Sockets: 1})
	s, out := l.shards[0], &outBatch{}
	from := endpointFrom(netip.MustParseAddrPort("192.0.2.1:1000"))
	s.lock()
	defer s.mu.Unlock() // held throughout, so that only the test moves time
	c := enet.NewClientConn(enet.ClientConfig(), enet.Connect{}, 1, s.now)
	_ = c.Send(udpInit(), photon.Delivery{Mode: photon.Reliable})
	exchange(s, from, c, out)
	p, app := s.peers[from], <-a.opened
	start, told := s.now, 0
	for ; !p.removed && s.now < start+time.Minute; s.now += 50 * time.Millisecond {
		out.n = 0
		s.output(p, out)
		for i := range out.n {
			if b := out.bufs[i][:out.size[i]]; b[12] == 4 && b[15] == enet.ReasonTimeout {
				told++
			}
		}
	}
	if age := s.now - start; age < 5*time.Second || age > 30*time.Second || told == 0 {
		t.Errorf("gone after %v, told %d times", age, told)
	}
	if r := <-app.closed; r != ReasonTimeout {
		t.Errorf("closed: %v", r)
	}
}

// TestUDPReplaced holds that a new connection from the same address takes the
// old one's place, but only once its client has shown that it is there.
//
// wire W-3, W-4
func TestUDPReplaced(t *testing.T) {
	a := newUDPApp()
	l := startUDP(t, a, UDPConfig{})
	sock, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(l.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sock.Close() })
	old := udpClientOn(t, sock, enet.Connect{})
	pump := func(c *udpClient, until func() bool) {
		t.Helper()
		buf := make([]byte, 4096)
		for end := time.Now().Add(udpWait); !until(); {
			if time.Now().After(end) {
				t.Fatal("nothing happens")
			}
			_ = sock.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
			n, err := sock.Read(buf)
			c.mu.Lock()
			if err == nil {
				_ = c.conn.Input(udpNow(), buf[:n], c)
			}
			c.flush()
			c.mu.Unlock()
		}
	}
	pump(old, func() bool { return len(old.got) == 1 })
	p := udpNext(t, "session", a.opened)
	// Anyone can send a CONNECT in the client's name.
	forged := udpDatagrams(enet.NewClientConn(enet.ClientConfig(), enet.Connect{}, 4711, udpNow()))[0]
	for range 3 {
		forged[11]++
		if _, err := sock.Write(forged); err != nil {
			t.Fatal(err)
		}
	}
	old.send([]byte("still here"), photon.Delivery{Mode: photon.Reliable})
	pump(old, func() bool { return len(p.got) == 1 })
	select {
	case r := <-p.closed:
		t.Fatalf("a forged CONNECT ended the session: %v", r)
	default:
	}
	fresh := udpClientOn(t, sock, enet.Connect{})
	t.Cleanup(fresh.vanish)
	pump(fresh, func() bool { return len(fresh.got) == 1 })
	if r := udpNext(t, "end", p.closed); r != ReasonReplaced {
		t.Errorf("closed: %v", r)
	}
	if n := l.counters.Peers.Load(); n != 1 {
		t.Errorf("%d peers", n)
	}
}

// udpDatagrams takes what a connection has to send.
func udpDatagrams(c *enet.Conn) (all [][]byte) {
	var buf [enet.MaxMTU]byte
	for {
		n, more := c.Output(udpNow(), buf[:])
		if n > 0 {
			all = append(all, append([]byte(nil), buf[:n]...))
		}
		if !more {
			return all
		}
	}
}

// TestUDPSpoofed holds that datagrams with a wrong challenge or peer id from the
// client's own address do nothing.
//
// wire W-4
func TestUDPSpoofed(t *testing.T) {
	a := newUDPApp()
	c := &Counters{}
	l := startUDP(t, a, UDPConfig{Counters: c})
	client, p := connectUDP(t, a, l, enet.Connect{})
	client.mu.Lock()
	challenge, id := client.conn.Challenge(), client.conn.PeerID()
	client.mu.Unlock()
	bye := []byte{0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0xFF, 1, 4, 0, 0, 0, 12, 0, 0, 0, 9}
	before := c.Malformed.Load()
	for i := range 50 {
		b := append([]byte(nil), bye...)
		binary.BigEndian.PutUint16(b, id)
		binary.BigEndian.PutUint32(b[8:], challenge)
		if i%2 == 0 {
			b[8+i%4]++ // challenge
		} else {
			b[i%3/2]++ // peer id
		}
		_, _ = client.sock.Write(b)
	}
	client.send([]byte("x"), photon.Delivery{Mode: photon.Reliable})
	udpNext(t, "message", p.got)
	if n := c.Malformed.Load() - before; n != 50 {
		t.Errorf("%d datagrams counted as malformed", n)
	}
}

// TestUDPConnectFlood holds that a flood of CONNECTs costs bounded memory, makes
// no session, and does not shut real clients out.
func TestUDPConnectFlood(t *testing.T) {
	a := newUDPApp()
	l := startUDP(t, a, UDPConfig{Sockets: 1})
	s := l.shards[0]
	base := udpDatagrams(enet.NewClientConn(enet.ClientConfig(), enet.Connect{}, 1, udpNow()))[0]
	s.lock()
	for i := range uint32(3 * maxHalfOpen) {
		e := endpointFrom(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 1000))
		s.input(e, base)
	}
	n := len(s.handshakes.byKey)
	s.replies = s.replies[:0] // what this test made must not be sent to anyone
	one := endpointFrom(netip.MustParseAddrPort("192.0.2.1:1"))
	for i := range uint32(2 * maxHalfOpenPerAddress) {
		one.port = i + 1
		s.input(one, base)
	}
	slot := s.sources.halfOpen[s.sources.slot(one)]
	s.replies = s.replies[:0]
	peers := len(s.peers)
	s.now += s.l.limits.InitTimeout
	s.expireHandshakes()
	left, counted := len(s.handshakes.byKey), s.sources.halfOpen
	l.ids.mu.Lock()
	ids := l.ids.n
	l.ids.mu.Unlock()
	s.mu.Unlock()
	if n != maxHalfOpen || peers != 0 {
		t.Errorf("%d half open, bound %d; %d peers", n, maxHalfOpen, peers)
	}
	if slot > maxHalfOpenPerAddress {
		t.Errorf("%d of one address", slot)
	}
	if left != 0 || counted != [sourceSlots]uint16{} || ids != 0 {
		t.Errorf("left over: %d half open, %d ids", left, ids)
	}
	connectUDP(t, a, l, enet.Connect{})
}

// TestUDPSilence holds that garbage gets no answer, and an unverified client
// none longer than its datagram.
func TestUDPSilence(t *testing.T) {
	a := newUDPApp()
	l := startUDP(t, a, UDPConfig{})
	sock, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(l.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sock.Close() }()
	connect := udpDatagrams(enet.NewClientConn(enet.ClientConfig(), enet.Connect{}, 5, udpNow()))[0]
	known := append([]byte(nil), connect...)
	known[0], known[1] = 0, 1 // a CONNECT that claims a peer id
	for _, b := range [][]byte{
		{}, {0}, []byte("hello"), bytes.Repeat([]byte{0x7D}, 12), append(bytes.Repeat([]byte{0x7C}, 12), 1),
		bytes.Repeat([]byte{0x7D}, 14), make([]byte, 12), make([]byte, 600), known, connect[:30],
	} {
		_, _ = sock.Write(b)
	}
	// The answer to the ping comes after any other.
	ping := append(bytes.Repeat([]byte{0x7D}, 12), 9)
	_, _ = sock.Write(ping)
	buf := make([]byte, 2000)
	_ = sock.SetReadDeadline(time.Now().Add(udpWait))
	n, err := sock.Read(buf)
	if err != nil || !bytes.Equal(buf[:n], ping) {
		t.Errorf("answer %x, %v", buf[:n], err)
	}
	_, _ = sock.Write(connect)
	if n, err := sock.Read(buf); err != nil || n > len(connect) {
		t.Errorf("answer of %d bytes to %d, %v", n, len(connect), err)
	}
}

// TestUDPRegionPing holds wire W-37: the ping is echoed and makes no peer.
func TestUDPRegionPing(t *testing.T) {
	a := newUDPApp()
	l := startUDP(t, a, UDPConfig{Sockets: 1})
	sock, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(l.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sock.Close() }()
	buf := make([]byte, 100)
	for id := range byte(200) {
		ping := append(bytes.Repeat([]byte{0x7D}, 12), id)
		_, _ = sock.Write(ping)
		_ = sock.SetReadDeadline(time.Now().Add(udpWait))
		if n, err := sock.Read(buf); err != nil || !bytes.Equal(buf[:n], ping) {
			t.Fatalf("answer %x, %v", buf[:n], err)
		}
	}
	s := l.shards[0]
	s.lock()
	defer s.mu.Unlock()
	if len(s.peers) != 0 {
		t.Errorf("%d peers", len(s.peers))
	}
	allowed := 0
	for range 5 * maxPingsPerSecond {
		if s.sources.allowPing(endpoint{port: 1}, s.tick()) {
			allowed++
		}
	}
	if allowed > maxPingsPerSecond {
		t.Errorf("%d pings in a second", allowed)
	}
}

// TestUDPShutdown holds that all clients learn of the end and nobody new comes in.
func TestUDPShutdown(t *testing.T) {
	a := newUDPApp()
	l := startUDP(t, a, UDPConfig{})
	var clients []*udpClient
	var peers []*udpAppPeer
	for range 5 {
		c, p := connectUDP(t, a, l, enet.Connect{})
		clients, peers = append(clients, c), append(peers, p)
	}
	ctx, cancel := context.WithTimeout(context.Background(), udpWait)
	defer cancel()
	if err := l.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	for i, p := range peers {
		if r := udpNext(t, "end", p.closed); r != ReasonShutdown {
			t.Errorf("closed: %v", r)
		}
		clients[i].wantOver(enet.CauseRemote, enet.ReasonServerLogic)
		p.Send([]byte("late"), photon.Delivery{})
		p.Close(ReasonManaged)
	}
	if err := l.Shutdown(ctx); err != nil {
		t.Errorf("second shutdown: %v", err)
	}
}

// TestUDPShutdownCutsOff holds that a shutdown does not wait longer than it may.
func TestUDPShutdownCutsOff(t *testing.T) {
	a := newUDPApp()
	l := startUDP(t, a, UDPConfig{})
	c, p := connectUDP(t, a, l, enet.Connect{})
	_ = c.sock.Close() // it will not answer
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := l.Shutdown(ctx); err == nil {
		t.Error("no error")
	}
	if r := udpNext(t, "end", p.closed); r != ReasonShutdown {
		t.Errorf("closed: %v", r)
	}
}

// TestUDPAddresses holds that clients come in over IPv4 and IPv6.
func TestUDPAddresses(t *testing.T) {
	for _, tc := range []struct{ listen, dial string }{
		{"127.0.0.1:0", "127.0.0.1"}, {"[::1]:0", "::1"}, {":0", "127.0.0.1"}, {":0", "::1"}, {"0.0.0.0:0", "127.0.0.1"},
	} {
		t.Run(tc.listen+" "+tc.dial, func(t *testing.T) {
			dial := netip.MustParseAddr(tc.dial)
			if dial.Is6() {
				if probe, err := net.ListenPacket("udp", "[::1]:0"); err != nil {
					t.Skip("no IPv6 here")
				} else {
					_ = probe.Close()
				}
			}
			a := newUDPApp()
			l := startUDPOn(t, tc.listen, a, UDPConfig{})
			c := startUDPClient(t, netip.AddrPortFrom(dial, l.Addr().Port()), enet.Connect{})
			p := udpNext(t, "session", a.opened)
			c.next()
			if p.Info().Remote.Addr() != dial || p.Info().IPv6 != dial.Is6() {
				t.Errorf("remote %v, IPv6 %v", p.Info().Remote, p.Info().IPv6)
			}
		})
	}
}

// TestUDPSockets holds that the sockets of a listener share its clients, and
// that no other listener can join them unnoticed.
func TestUDPSockets(t *testing.T) {
	if defaultUDPSockets() == 1 && maxUDPSockets() == 1 {
		t.Skip("one socket on this system")
	}
	a := newUDPApp()
	l := startUDP(t, a, UDPConfig{Sockets: 4})
	for range 64 {
		connectUDP(t, a, l, enet.Connect{})
	}
	used := 0
	for _, s := range l.shards {
		s.mu.Lock()
		if len(s.peers) > 0 {
			used++
		}
		s.mu.Unlock()
	}
	if used < 2 {
		t.Errorf("%d of 4 sockets have clients", used)
	}
	cfg := UDPConfig{Sockets: 4, Acceptor: a, Clock: func() uint32 { return 0 }}
	if other, err := ListenUDP(l.Addr().String(), cfg); err == nil {
		shutdown(t, other)
		t.Error("two listeners on one port")
	}
}

// TestEndpoint holds the round trip of addresses.
func TestEndpoint(t *testing.T) {
	for _, s := range []string{"127.0.0.1:1", "[2001:db8::7]:5056", "[fe80::1%3]:65535"} {
		ap := netip.MustParseAddrPort(s)
		if got := endpointFrom(ap).addrPort(); got != ap {
			t.Errorf("%v became %v", ap, got)
		}
	}
}

// TestPeerIDs holds wire W-5: ids are unique and in range until all are taken.
func TestPeerIDs(t *testing.T) {
	var ids peerIDs
	seen := map[uint16]bool{}
	for range enet.MaxPeerID {
		id, ok := ids.take()
		if !ok || id == 0 || id > enet.MaxPeerID || seen[id] {
			t.Fatalf("id %d, %v", id, ok)
		}
		seen[id] = true
	}
	if _, ok := ids.take(); ok {
		t.Error("more ids than there are")
	}
	ids.give(77)
	if id, ok := ids.take(); !ok || id != 77 {
		t.Errorf("id %d, %v", id, ok)
	}
}

// TestWheel holds that peers come out at their tick, whatever is set and removed.
func TestWheel(t *testing.T) {
	var w wheel
	w.now = 1000
	peers := make([]udpPeer, 300)
	due := map[*udpPeer]int64{}
	for i := range peers {
		tick := 1001 + int64(i*37%5000)
		w.set(&peers[i], 1500)
		w.set(&peers[i], tick)
		due[&peers[i]] = min(tick, 1000+wheelSlots-1)
	}
	for i := 0; i < len(peers); i += 3 {
		w.remove(&peers[i])
		delete(due, &peers[i])
	}
	for step := int64(1); len(due) > 0; step = step*2%701 + 1 {
		next := w.next()
		to := w.now + step
		w.advance(to, func(p *udpPeer) {
			if want, ok := due[p]; !ok || want > to || want < next {
				t.Fatalf("tick %d came at %d, next was %d", want, to, next)
			}
			delete(due, p)
		})
		for _, at := range due {
			if at <= to {
				t.Fatalf("tick %d did not come by %d", at, to)
			}
		}
	}
	if w.next() != w.now+wheelSlots {
		t.Error("not empty")
	}
}
