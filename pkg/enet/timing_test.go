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
	for _, b := range drain(t, c, now) {
		answer(t, c, now, b)
	}
	if c.State() != Connected {
		t.Fatalf("state %v", c.State())
	}
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

// TestVerifyResent holds that a lost VERIFY_CONNECT is resent for the whole
// connect time-out, and the peer forgotten after it.
//
// wire W-2
func TestVerifyResent(t *testing.T) {
	now := 10 * time.Second
	start := now
	connect := Connect{Challenge: testChallenge, MTU: 1200, Channels: 2, sequence: 1}
	c := NewServerConn(ServerConfig(), connect, 7, now)
	n := 0
	for {
		for _, b := range drain(t, c, now) {
			if len(b) > 56 {
				t.Fatalf("answer of %d bytes to an unverified address", len(b))
			}
			if kinds([][]byte{b})[0] == typeVerify {
				n++
			}
		}
		if c.Done() {
			break
		}
		now = max(now, c.Deadline())
	}
	if n < 5 || now-start != 10*time.Second {
		t.Errorf("%d VERIFY_CONNECTs in %v", n, now-start)
	}
}

// TestFrugalVerify holds that a frugal server sends VERIFY_CONNECT again unasked
// only within what came from the address, and whenever it is asked.
func TestFrugalVerify(t *testing.T) {
	for _, asked := range []int{0, 1, 5} {
		for _, crc := range []bool{false, true} {
			now := 10 * time.Second
			b := drain(t, NewClientConn(ClientConfig(), Connect{CRC: crc}, testChallenge, 0), 0)[0]
			connect, _ := ParseConnect(b)
			c := NewServerConn(ServerConfig(), connect, 7, now)
			c.Frugal()
			received, sent, verifies := len(b), 0, 0
			for i := 0; !c.Done(); i++ {
				if i > 0 && i <= asked {
					received += len(b)
					if err := c.Input(now, b, &collector{}); err != nil {
						t.Fatal(err)
					}
				}
				for _, d := range drain(t, c, now) {
					sent += len(d)
					if kinds([][]byte{d})[0] == typeVerify {
						verifies++
					}
				}
				now = max(now, c.Deadline())
			}
			// An ACK and a VERIFY_CONNECT for each CONNECT, and as much again as came.
			answers := (1 + asked) * (len(b) + headerSize + crcSize + ackSize)
			if verifies < 1+asked || sent > answers+received {
				t.Errorf("asked again %d times: %d VERIFY_CONNECTs, %d bytes for %d", asked, verifies, sent, received)
			}
		}
	}
}

// TestRepeatedConnect holds that a CONNECT that comes again gets the same
// answer, also once the client is connected.
//
// wire W-2, W-5
func TestRepeatedConnect(t *testing.T) {
	cfg := ClientConfig()
	client := NewClientConn(cfg, Connect{}, testChallenge, 0)
	b := drain(t, client, 0)[0]
	connect, ok := ParseConnect(b)
	if !ok {
		t.Fatal("CONNECT not understood")
	}
	traced := slices.Clone(b)
	binary.BigEndian.PutUint16(traced, unknownPeerTraced)
	if again, ok := ParseConnect(traced); !ok || again.Challenge != connect.Challenge {
		t.Error("CONNECT with id FFFE not understood")
	}
	c := NewServerConn(ServerConfig(), connect, 7, 0)
	first := drain(t, c, 0)
	if err := c.Input(300*ms, traced, &collector{}); err != nil {
		t.Fatal(err)
	}
	second := drain(t, c, 300*ms)
	for _, d := range [][][]byte{first, second} {
		if got := kinds(d); !slices.Equal(got, []commandType{typeAck, typeVerify}) || len(d) != 2 {
			t.Fatalf("answered %v in %d datagrams", got, len(d))
		}
		if id := binary.BigEndian.Uint16(d[1][headerSize+commandSize:]); id != 7 {
			t.Errorf("peer id %d", id)
		}
		if seq := binary.BigEndian.Uint32(d[1][headerSize+8:]); seq != 1 {
			t.Errorf("VERIFY_CONNECT has sequence %d", seq)
		}
		// MTU and the rest are those of the client.
		if !slices.Equal(d[1][headerSize+commandSize+2:], b[headerSize+commandSize+2:]) {
			t.Errorf("VERIFY_CONNECT %x does not echo %x", d[1], b)
		}
	}
	answer(t, c, 310*ms, second[1])
	if err := c.Input(320*ms, b, &collector{}); err != nil {
		t.Fatal(err)
	}
	if got := kinds(drain(t, c, 320*ms)); !slices.Equal(got, []commandType{typeAck}) {
		t.Errorf("connected: answered %v", got)
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
