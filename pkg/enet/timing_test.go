package enet

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/photon"
)

const ms = time.Millisecond

// serverWith returns a connected server connection whose client is only us.
func serverWith(t testing.TB, cfg *Config, connect Connect, now time.Duration) *Conn {
	t.Helper()
	if connect.MTU == 0 {
		connect.MTU = DefaultMTU
	}
	if connect.Channels == 0 {
		connect.Channels = 2
	}
	connect.Challenge = testChallenge
	connect.sequence = 1
	c := NewServerConn(cfg, connect, 7, now)
	answer(t, c, now, AppendAccept(nil, connect, 7, now))
	return c
}

// answer acknowledges every reliable command of a datagram.
func answer(t testing.TB, c *Conn, now time.Duration, b []byte) {
	t.Helper()
	h, cmds, _ := commandsOf(b)
	var acks []testCommand
	for _, cmd := range cmds {
		if cmd.flags&flagReliable != 0 {
			acks = append(acks, ackFor(h, cmd))
		}
	}
	input(t, c, now, nil, acks...)
}

func ackFor(h Header, cmd commandHeader) testCommand {
	a := testCommand{commandHeader: commandHeader{kind: typeAck, channel: cmd.channel, reserved: reservedByte}}
	if cmd.flags&flagUnsequenced != 0 {
		a.kind = typeAckUnsequenced
	}
	a.body = binary.BigEndian.AppendUint32(nil, cmd.sequence)
	a.body = binary.BigEndian.AppendUint32(a.body, h.Time)
	return a
}

type testCommand struct {
	commandHeader
	body []byte
}

// datagram builds what a client would send; c supplies challenge, id and CRC.
func datagram(c *Conn, now time.Duration, cmds ...testCommand) []byte {
	h := Header{PeerID: c.peerID, CRC: c.crc, Commands: byte(len(cmds)), Time: millis(now), Challenge: c.challenge}
	b := make([]byte, h.Size())
	putHeader(b, h)
	for _, cmd := range cmds {
		if cmd.length == 0 {
			cmd.length = uint32(commandSize + len(cmd.body))
		}
		var head [commandSize]byte
		putCommand(head[:], cmd.commandHeader)
		b = append(append(b, head[:]...), cmd.body...)
	}
	if c.crc {
		putChecksum(b)
	}
	return b
}

func input(t testing.TB, c *Conn, now time.Duration, out *collector, cmds ...testCommand) {
	t.Helper()
	if out == nil {
		out = &collector{}
	}
	if err := c.Input(now, datagram(c, now, cmds...), out); err != nil {
		t.Fatal(err)
	}
}

// kinds lists the commands of datagrams.
func kinds(datagrams [][]byte) (all []commandType) {
	for _, b := range datagrams {
		_, cmds, _ := commandsOf(b)
		for _, cmd := range cmds {
			all = append(all, cmd.kind)
		}
	}
	return all
}

// TestResendSchedule holds the waits of wire.md 14: an unacknowledged message is
// resent with doubling waits, the server gives up after 5 resends and 5 s, and
// says DISCONNECT reason 2.
//
// wire W-18
func TestResendSchedule(t *testing.T) {
	now := 50 * time.Second
	c := serverWith(t, ServerConfig(), Connect{}, now)
	c.rtt, c.rttVar = 20, 0
	if err := c.Send([]byte("hello"), photon.Delivery{Mode: photon.Reliable}); err != nil {
		t.Fatal(err)
	}
	start := now
	var times []int64
	for ; ; now = max(now, c.Deadline()) {
		for _, b := range drain(t, c, now) {
			_, cmds, _ := commandsOf(b)
			for _, cmd := range cmds {
				switch cmd.kind {
				case typeReliable:
					times = append(times, int64((now-start)/ms))
				case typeDisconnect:
					if cmd.reserved != ReasonTimeout {
						t.Errorf("DISCONNECT reason %d", cmd.reserved)
					}
				}
			}
		}
		if c.State() != Connected {
			break
		}
	}
	if want := []int64{0, 100, 300, 700, 1500, 3100}; !slices.Equal(times, want) {
		t.Errorf("sent at %v, want %v", times, want)
	}
	if age := now - start; age != 6100*ms || c.Cause() != CauseTimeout {
		t.Errorf("gave up after %v, cause %v", age, c.Cause())
	}
	n := 1
	for ; !c.Done() && n < 10; now = max(now, c.Deadline()) {
		n += len(drain(t, c, now))
	}
	if n != maxDisconnects {
		t.Errorf("%d DISCONNECTs", n)
	}
}

// TestGiveUpLatest holds the upper bound of 30 s on a slow link.
func TestGiveUpLatest(t *testing.T) {
	cfg := ServerConfig()
	cfg.MinResends = 100
	now := 50 * time.Second
	c := serverWith(t, cfg, Connect{}, now)
	_ = c.Send([]byte("hello"), photon.Delivery{Mode: photon.Reliable})
	start := now
	for c.State() == Connected {
		drain(t, c, now)
		now = max(now, c.Deadline())
	}
	if age := now - start; age < 30*time.Second || age > 33*time.Second+200*ms {
		t.Errorf("gave up after %v", age)
	}
}

// TestClientConnectSchedule holds wire.md 3.11 for our client: a CONNECT that
// nobody answers is sent six times and then given up.
func TestClientConnectSchedule(t *testing.T) {
	now := 10 * time.Second
	c := NewClientConn(ClientConfig(), Connect{}, testChallenge, now)
	start := now
	var times []int64
	var last []byte
	for !c.Done() {
		for _, b := range drain(t, c, now) {
			last = b
			if kinds([][]byte{b})[0] == typeConnect {
				times = append(times, int64((now-start)/ms))
			}
		}
		now = max(now, c.Deadline())
		if now-start > time.Minute {
			break
		}
	}
	if want := []int64{0, 200, 600, 1400, 3000, 6200}; !slices.Equal(times, want) {
		t.Errorf("sent at %v, want %v", times, want)
	}
	h, cmds, _ := commandsOf(last)
	if h.PeerID != unknownPeer || cmds[0].kind != typeDisconnect || cmds[0].flags != 2 || cmds[0].reserved != ReasonTimeout {
		t.Errorf("last words %x", last)
	}
	if c.Cause() != CauseTimeout {
		t.Errorf("cause %v", c.Cause())
	}
}

// TestLostAnswers holds that a client connects whose first CONNECTs or their
// answers were lost: it asks again, as long as it has no answer.
//
// wire W-2
func TestLostAnswers(t *testing.T) {
	for lost := range 5 {
		for to := range 2 {
			l := newLink(t, 1, Connect{})
			n := 0
			l.drop = func(at int, b []byte) bool {
				if at == to && n < lost {
					n++
					return true
				}
				return false
			}
			l.connect()
			if n != lost {
				t.Errorf("%d datagrams were lost, want %d", n, lost)
			}
			l.send(0, []byte("init"), photon.Delivery{Mode: photon.Reliable})
			l.run(time.Second)
			if got := l.ends[1].got; len(got) != 1 || string(got[0].data) != "init" {
				t.Errorf("%d lost on the way to %d: got %v", lost, to, got)
			}
		}
	}
}

// TestAccept holds the answer to a CONNECT: ACK and VERIFY_CONNECT in one datagram,
// not longer than the client's, and the same for a CONNECT that comes again.
//
// wire W-1, W-2, W-5, W-15
func TestAccept(t *testing.T) {
	for _, crc := range []bool{false, true} {
		client := NewClientConn(ClientConfig(), Connect{MTU: 1300, Channels: 5, CRC: crc}, testChallenge, 0)
		b := drain(t, client, 0)[0]
		connect, ok := ParseConnect(b)
		if !ok || connect.MTU != 1300 || connect.Channels != 5 || connect.CRC != crc {
			t.Fatalf("%x is %+v", b, connect)
		}
		traced := slices.Clone(b)
		binary.BigEndian.PutUint16(traced, unknownPeerTraced)
		if crc {
			putChecksum(traced)
		}
		again, ok := ParseConnect(traced)
		if !ok || again.Challenge != connect.Challenge {
			t.Error("CONNECT with id FFFE not understood")
		}
		for _, connect := range []Connect{connect, again} {
			d := AppendAccept(nil, connect, 7, 300*ms)
			if len(d) > len(b) {
				t.Errorf("%d bytes for %d", len(d), len(b))
			}
			h, cmds, bodies := commandsOf(d)
			if h.Challenge != testChallenge || h.Time != 300 || h.CRC != crc || crc && !checksumOK(d) {
				t.Errorf("header %+v of %x", h, d)
			}
			if got := kinds([][]byte{d}); !slices.Equal(got, []commandType{typeAck, typeVerify}) {
				t.Fatalf("answered %v", got)
			}
			if v := cmds[1]; v.sequence != 1 || v.channel != 0xFF || v.flags != flagReliable || v.reserved != reservedByte {
				t.Errorf("VERIFY_CONNECT %+v", v)
			}
			if id := binary.BigEndian.Uint16(bodies[1]); id != 7 {
				t.Errorf("peer id %d", id)
			}
			// MTU, window and channel count are those of the client.
			at := headerSize + commandSize + 2
			if crc {
				at += crcSize
			}
			if !slices.Equal(bodies[1][2:], b[at:at+10]) {
				t.Errorf("VERIFY_CONNECT %x does not echo %x", d, b)
			}
			if err := client.Input(310*ms, d, &collector{}); err != nil || client.State() != Connected || client.PeerID() != 7 {
				t.Errorf("client: %v, state %v, id %d", err, client.State(), client.PeerID())
			}
		}
		// The round trip is known from the first word of the client on.
		c := NewServerConn(ServerConfig(), connect, 7, 350*ms)
		answer(t, c, 350*ms, AppendAccept(nil, connect, 7, 300*ms))
		if c.RTT() != 50*ms {
			t.Errorf("rtt %v", c.RTT())
		}
		// A copy of the CONNECT that was long on its way.
		if err := c.Input(360*ms, b, &collector{}); err != nil {
			t.Fatal(err)
		}
		if got := kinds(drain(t, c, 360*ms)); !slices.Equal(got, []commandType{typeAck}) {
			t.Errorf("connected: answered %v", got)
		}
	}
}

// TestForeign holds that a wrong challenge or peer id has no effect.
//
// wire W-4
func TestForeign(t *testing.T) {
	c := serverWith(t, ServerConfig(), Connect{}, 0)
	bye := testCommand{commandHeader: commandHeader{kind: typeDisconnect, channel: 0xFF, flags: 1, reserved: 4, sequence: 2}}
	b := datagram(c, 0, bye)
	for name, change := range map[string]func([]byte){
		"challenge": func(b []byte) { b[8]++ },
		"peer id":   func(b []byte) { b[1]++ },
	} {
		d := slices.Clone(b)
		change(d)
		if err := c.Input(0, d, &collector{}); err != ErrForeign {
			t.Errorf("%s: %v", name, err)
		}
		if c.State() != Connected || len(c.acks) != 0 {
			t.Errorf("%s: had an effect", name)
		}
	}
	// Data without the peer id proves nothing.
	d := datagram(c, 0, testCommand{commandHeader: commandHeader{kind: typeReliable, flags: 1, sequence: 1}, body: []byte("x")})
	binary.BigEndian.PutUint16(d, unknownPeer)
	var out collector
	if err := c.Input(0, d, &out); err != nil || len(out.got) != 0 || len(c.acks) != 0 {
		t.Errorf("data without peer id: %v, %d messages", err, len(out.got))
	}
	if err := c.Input(0, b, &collector{}); err != nil || c.State() != Closed {
		t.Errorf("the real one: %v, state %v", err, c.State())
	}
}

// TestPings holds that an idle peer is pinged, that one which only acknowledges
// stays, and that reliable traffic suppresses pings.
//
// wire W-19
func TestPings(t *testing.T) {
	now := 10 * time.Second
	c := serverWith(t, ServerConfig(), Connect{}, now)
	pings := 0
	for end := now + 60*time.Second; now < end; now = max(now, c.Deadline()) {
		for _, b := range drain(t, c, now) {
			if slices.Contains(kinds([][]byte{b}), typePing) {
				pings++
			}
			answer(t, c, now+5*ms, b)
		}
	}
	if c.State() != Connected || pings < 28 || pings > 31 {
		t.Errorf("state %v, %d pings in a minute", c.State(), pings)
	}
	for range 100 {
		now += 500 * ms
		_ = c.Send([]byte("x"), photon.Delivery{Mode: photon.Reliable})
		for _, b := range drain(t, c, now) {
			if slices.Contains(kinds([][]byte{b}), typePing) {
				t.Fatal("ping beside reliable traffic")
			}
			answer(t, c, now+5*ms, b)
		}
	}
}

// A client that is heard, by its own pings or by what it sends unreliably, is not
// pinged; one that falls silent is, soon enough to find out that it is gone.
func TestPingsOnlyTheSilent(t *testing.T) {
	now := 10 * time.Second
	c := serverWith(t, ServerConfig(), Connect{}, now)
	for i := range uint32(60) {
		now += 900 * ms
		input(t, c, now, nil, testCommand{commandHeader: commandHeader{kind: typePing, channel: 0xFF, flags: 1, sequence: i + 2}})
		for _, b := range drain(t, c, now+5*ms) {
			if slices.Contains(kinds([][]byte{b}), typePing) {
				t.Fatalf("pinged after %d pings of its own", i+1)
			}
		}
	}
	silent := now
	for c.State() == Connected {
		next := c.Deadline()
		if next > silent+20*time.Second {
			t.Fatal("nobody asks whether the client is there")
		}
		now = max(now, next)
		for _, b := range drain(t, c, now) {
			if first := now - silent; slices.Contains(kinds([][]byte{b}), typePing) && first < ServerConfig().PingInterval {
				t.Errorf("pinged after %v", first)
			}
		}
	}
	if c.Cause() != CauseTimeout {
		t.Errorf("cause %v", c.Cause())
	}
}

// TestAckDelay holds that acks wait a few ms for company, leave with data, and
// that FETCH_SERVER_TIME does not wait.
//
// wire W-12
func TestAckDelay(t *testing.T) {
	now := 10 * time.Second
	cfg := ServerConfig()
	c := serverWith(t, cfg, Connect{}, now)
	ping := testCommand{commandHeader: commandHeader{kind: typePing, channel: 0xFF, flags: 1, sequence: 2}}
	input(t, c, now, nil, ping)
	if got := drain(t, c, now); len(got) != 0 {
		t.Errorf("ack at once: %v", kinds(got))
	}
	if d := c.Deadline(); d <= now || d > now+5*ms {
		t.Errorf("ack due after %v", d-now)
	}
	_ = c.Send([]byte("x"), photon.Delivery{Mode: photon.Reliable})
	if got := drain(t, c, now); len(got) != 1 || !slices.Equal(kinds(got), []commandType{typeAck, typeReliable}) {
		t.Errorf("with data: %v", kinds(got))
	}
	input(t, c, now, nil, ping)
	now += cfg.AckDelay
	if got := drain(t, c, now); !slices.Equal(kinds(got), []commandType{typeAck}) {
		t.Errorf("after the delay: %v", kinds(got))
	}
	input(t, c, now, nil, testCommand{commandHeader: commandHeader{kind: typeFetchTime, channel: 0xFF, flags: 1, sequence: 3}})
	got := drain(t, c, now)
	if !slices.Equal(kinds(got), []commandType{typeAck}) {
		t.Fatalf("FETCH_SERVER_TIME: %v", kinds(got))
	}
	if h, _ := ParseHeader(got[0]); h.Time != uint32(now/ms) {
		t.Errorf("timestamp %d, want %d", h.Time, now/ms)
	}
}

// TestServerTime holds that the client learns the server's clock.
//
// wire W-12
func TestServerTime(t *testing.T) {
	l := newLink(t, 3, Connect{})
	l.delay = 40 * ms
	l.connect()
	c := l.ends[0].conn
	c.FetchServerTime()
	l.run(time.Second)
	got, ok := c.ServerTime(l.now)
	// Both ends run on one clock here.
	if d := int32(got - millis(l.now)); !ok || d < -1 || d > 1 {
		t.Errorf("server time %d, want %d", got, millis(l.now))
	}
	if rtt := c.RTT(); rtt < 75*ms || rtt > 90*ms {
		t.Errorf("rtt %v", rtt)
	}
}

// TestRTTRule holds the update rule of wire.md 3.9.
func TestRTTRule(t *testing.T) {
	c := &Conn{rttKnown: true, rtt: 100, rttVar: 20}
	c.measure(180)
	if c.rtt != 110 || c.rttVar != 15+17 {
		t.Errorf("up: rtt %d var %d", c.rtt, c.rttVar)
	}
	c.measure(30)
	if c.rtt != 100 || c.rttVar != 24+17 {
		t.Errorf("down: rtt %d var %d", c.rtt, c.rttVar)
	}
	c.measure(-5)
	c.measure(maxMeasured + 1)
	if c.rtt != 100 {
		t.Error("a lie was believed")
	}
}

// TestDisconnect holds both directions of wire.md 3.15.
//
// wire W-20, W-21
func TestDisconnect(t *testing.T) {
	t.Run("server waits for what was sent", func(t *testing.T) {
		now := 10 * time.Second
		c := serverWith(t, ServerConfig(), Connect{}, now)
		_ = c.Send([]byte("last words"), photon.Delivery{Mode: photon.Reliable})
		c.Disconnect(now, ReasonServerLogic)
		if err := c.Send([]byte("too late"), photon.Delivery{}); err != ErrClosed {
			t.Errorf("send after disconnect: %v", err)
		}
		got := drain(t, c, now)
		if !slices.Equal(kinds(got), []commandType{typeReliable}) {
			t.Fatalf("sent %v", kinds(got))
		}
		now += 50 * ms
		answer(t, c, now, got[0])
		got = drain(t, c, now)
		_, cmds, _ := commandsOf(got[0])
		if len(cmds) != 1 || cmds[0].kind != typeDisconnect || cmds[0].reserved != ReasonServerLogic || cmds[0].flags != 1 {
			t.Fatalf("then %+v", cmds)
		}
		// A 4.1 client acknowledges and says goodbye itself, which is acknowledged.
		h, _ := ParseHeader(got[0])
		input(t, c, now, nil, ackFor(h, cmds[0]),
			testCommand{commandHeader: commandHeader{kind: typeDisconnect, channel: 0xFF, flags: 1, reserved: 4, sequence: 9}})
		if c.State() != Closed || c.Cause() != CauseLocal || c.Done() {
			t.Errorf("state %v cause %v done %v", c.State(), c.Cause(), c.Done())
		}
		if got := kinds(drain(t, c, now)); !slices.Equal(got, []commandType{typeAck}) || !c.Done() {
			t.Errorf("last %v, done %v", got, c.Done())
		}
	})
	t.Run("but not for long", func(t *testing.T) {
		now := 10 * time.Second
		c := serverWith(t, ServerConfig(), Connect{}, now)
		_ = c.Send([]byte("last words"), photon.Delivery{Mode: photon.Reliable})
		start := now
		c.Disconnect(now, ReasonUserLimit)
		n := 0
		var first time.Duration
		for ; !c.Done() && now-start < time.Minute; now = max(now, c.Deadline()) {
			for _, k := range kinds(drain(t, c, now)) {
				if k == typeDisconnect {
					if n == 0 {
						first = now
					}
					n++
				}
			}
		}
		if first-start != 500*ms {
			t.Errorf("waited %v", first-start)
		}
		if n != maxDisconnects {
			t.Errorf("%d DISCONNECTs to a client that does not answer", n)
		}
	})
	t.Run("client times out", func(t *testing.T) {
		c := serverWith(t, ServerConfig(), Connect{}, 0)
		b := datagram(c, 0, testCommand{commandHeader: commandHeader{kind: typeDisconnect, channel: 0xFF, flags: 2, reserved: 2}})
		binary.BigEndian.PutUint16(b, unknownPeer)
		if err := c.Input(0, b, &collector{}); err != nil {
			t.Fatal(err)
		}
		if !c.Done() || c.Cause() != CauseRemote || c.RemoteReason() != ReasonTimeout {
			t.Errorf("done %v cause %v reason %d", c.Done(), c.Cause(), c.RemoteReason())
		}
	})
	t.Run("both ends of ours", func(t *testing.T) {
		for who := range 2 {
			l := newLink(t, uint64(who), Connect{}).connect()
			for i := range uint32(40) {
				l.send(who, testMessage(i, 3000), photon.Delivery{Mode: photon.Reliable})
			}
			l.run(50 * ms)
			l.ends[who].conn.Disconnect(l.now, ReasonServerLogic)
			l.run(5 * time.Second)
			a, b := l.ends[who].conn, l.ends[1-who].conn
			if !a.Done() || !b.Done() || a.Cause() != CauseLocal || b.Cause() != CauseRemote || b.RemoteReason() != ReasonServerLogic {
				t.Errorf("end %d: %v %v, %v %v", who, a.State(), a.Cause(), b.State(), b.Cause())
			}
			// 120 kB do not fit through the server's transmit rate in half a second; the client's do.
			if who == 0 && len(l.ends[1].got) != 40 {
				t.Errorf("%d of 40 messages before the goodbye", len(l.ends[1].got))
			}
		}
	})
}

// TestRefusal holds the answer of a full server.
//
// wire W-22
func TestRefusal(t *testing.T) {
	for _, crc := range []bool{false, true} {
		c := NewClientConn(ClientConfig(), Connect{CRC: crc}, testChallenge, 0)
		request := drain(t, c, 0)[0]
		connect, ok := ParseConnect(request)
		if !ok {
			t.Fatal("CONNECT not understood")
		}
		b := AppendRefusal(nil, connect, 5*time.Second, ReasonUserLimit)
		if len(b) > len(request) {
			t.Errorf("%d bytes for %d", len(b), len(request))
		}
		if got := kinds([][]byte{b}); !slices.Equal(got, []commandType{typeAck, typeDisconnect}) {
			t.Errorf("refused with %v", got)
		}
		if err := c.Input(10*ms, b, &collector{}); err != nil {
			t.Fatal(err)
		}
		if c.Cause() != CauseRemote || c.RemoteReason() != ReasonUserLimit {
			t.Errorf("cause %v reason %d", c.Cause(), c.RemoteReason())
		}
	}
}
