package enet

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/photon"
)

// TestDatagramBounds holds that no datagram is longer than the client's MTU, or
// has more than 100 commands, also with acks and CRC, and that many commands
// share a datagram.
//
// wire W-13
func TestDatagramBounds(t *testing.T) {
	for _, mtu := range []int{576, 1200, 1400} {
		for _, crc := range []bool{false, true} {
			now := 10 * time.Second
			cfg := ServerConfig()
			cfg.TransmitRate = 0
			c := serverWith(t, cfg, Connect{MTU: mtu, CRC: crc}, now)
			var cmds []testCommand
			for i := range uint32(80) {
				cmds = append(cmds, testCommand{commandHeader: commandHeader{kind: typeReliable, flags: 1, sequence: i + 1}, body: []byte("x")})
			}
			input(t, c, now, nil, cmds...)
			for i := range 300 {
				_ = c.Send(testMessage(uint32(i), i%40), photon.Delivery{Mode: photon.DeliveryMode(i % 4)})
			}
			_ = c.Send(make([]byte, 20000), photon.Delivery{Mode: photon.Reliable})
			full := 0
			all := drain(t, c, now)
			for _, b := range all {
				h, _ := ParseHeader(b)
				if len(b) > mtu || h.Commands > 100 || h.Commands == 0 {
					t.Fatalf("MTU %d: %d bytes, %d commands", mtu, len(b), h.Commands)
				}
				if h.CRC != crc || crc && !checksumOK(b) {
					t.Fatalf("MTU %d: bad CRC", mtu)
				}
				if len(b) > mtu-80 {
					full++
				}
			}
			if full < len(all)-2 {
				t.Errorf("MTU %d: only %d of %d datagrams are full", mtu, full, len(all))
			}
		}
	}
}

// TestFragmentSizes holds the table of wire.md 3.13.
//
// wire W-14
func TestFragmentSizes(t *testing.T) {
	for _, tc := range []struct{ mtu, whole int }{{1200, 1152}, {576, 528}, {1400, 1352}} {
		for _, over := range []int{0, 1} {
			now := 10 * time.Second
			c := serverWith(t, ServerConfig(), Connect{MTU: tc.mtu}, now)
			_ = c.Send(make([]byte, tc.whole+over), photon.Delivery{Mode: photon.Reliable})
			got := kinds(drain(t, c, now))
			want := []commandType{typeReliable}
			if over > 0 {
				want = []commandType{typeFragment, typeFragment}
			}
			if !slices.Equal(got, want) {
				t.Errorf("MTU %d, %d bytes: %v", tc.mtu, tc.whole+over, got)
			}
		}
	}
}

// TestLargeMessage holds that 200 kB arrive intact in both directions, over a
// link that loses some.
//
// wire W-14
func TestLargeMessage(t *testing.T) {
	for from := range 2 {
		for _, mode := range []photon.DeliveryMode{photon.Reliable, photon.ReliableUnsequenced} {
			l := newLink(t, 9, Connect{})
			l.connect()
			l.ends[1].conn.AllowUnsequenced()
			l.loss = 0.05
			msg := testMessage(1, 200_000)
			l.send(from, msg, photon.Delivery{Channel: 1, Mode: mode})
			l.run(20 * time.Second)
			got := l.ends[1-from].got
			if len(got) != 1 || string(got[0].data) != string(msg) || got[0].d != (photon.Delivery{Channel: 1, Mode: mode}) {
				t.Errorf("from %d mode %d: %d messages", from, mode, len(got))
			}
		}
	}
}

// TestChannels holds that messages never leave on a channel that the client did
// not announce, and that a peer's message on FF or beyond is only acknowledged.
//
// wire W-16
func TestChannels(t *testing.T) {
	now := 10 * time.Second
	c := serverWith(t, ServerConfig(), Connect{Channels: 2}, now)
	for n := range 256 {
		_ = c.Send([]byte("x"), photon.Delivery{Channel: byte(n), Mode: photon.Reliable})
	}
	for _, b := range drain(t, c, now) {
		_, cmds, _ := commandsOf(b)
		for _, cmd := range cmds {
			if cmd.channel > 1 {
				t.Fatalf("command on channel %d", cmd.channel)
			}
		}
	}
	var out collector
	for _, n := range []byte{2, 200, 255} {
		input(t, c, now, &out, testCommand{commandHeader: commandHeader{kind: typeReliable, channel: n, flags: 1, sequence: 1}, body: []byte("x")})
	}
	if got := kinds(drain(t, c, now+time.Second)); len(out.got) != 0 || len(got) < 3 {
		t.Errorf("%d messages, sent %v", len(out.got), got)
	}
	if len(c.channels) > 2 {
		t.Errorf("%d channels made", len(c.channels))
	}
}

// TestPriority holds that lower channels go first, and call order within one.
func TestPriority(t *testing.T) {
	now := 10 * time.Second
	c := serverWith(t, ServerConfig(), Connect{}, now)
	c.AllowUnsequenced()
	for _, n := range []byte{1, 0} {
		for mode := range photon.DeliveryMode(4) {
			_ = c.Send([]byte{n}, photon.Delivery{Channel: n, Mode: mode})
		}
	}
	_, cmds, _ := commandsOf(drain(t, c, now)[0])
	var got [][2]byte
	for _, cmd := range cmds {
		got = append(got, [2]byte{cmd.channel, byte(cmd.kind)})
	}
	if want := [][2]byte{{0, 7}, {0, 6}, {0, 11}, {0, 14}, {1, 7}, {1, 6}, {1, 11}, {1, 14}}; !slices.Equal(got, want) {
		t.Errorf("sent %v", got)
	}
}

// TestOldClients holds that types 11, 14 and 15 go only to clients that know them.
//
// wire W-17
func TestOldClients(t *testing.T) {
	now := 10 * time.Second
	send := func(c *Conn) []commandType {
		for _, mode := range []photon.DeliveryMode{photon.UnreliableUnsequenced, photon.ReliableUnsequenced} {
			_ = c.Send([]byte("x"), photon.Delivery{Mode: mode})
			_ = c.Send(make([]byte, 1300), photon.Delivery{Mode: mode})
		}
		return kinds(drain(t, c, now))
	}
	c := serverWith(t, ServerConfig(), Connect{}, now)
	if got := send(c); !slices.Equal(got, []commandType{7, 8, 8, 6, 8, 8}) {
		t.Errorf("old client gets %v", got)
	}
	c = serverWith(t, ServerConfig(), Connect{}, now)
	input(t, c, now, nil, testCommand{commandHeader: commandHeader{kind: typeUnsequenced, flags: 2}, body: []byte{0, 0, 0, 1, 'x'}})
	if got := send(c); !slices.Equal(got, []commandType{11, 15, 15, 14, 15, 15}) {
		t.Errorf("client that used them gets %v", got)
	}
}

// TestWindow holds the limits of reliable data in flight.
func TestWindow(t *testing.T) {
	now := 10 * time.Second
	cfg := ServerConfig()
	cfg.TransmitRate, cfg.FirstWindowBytes = 0, 0
	c := serverWith(t, cfg, Connect{}, now)
	for range 100 {
		_ = c.Send(make([]byte, 1000), photon.Delivery{Mode: photon.Reliable})
	}
	first := drain(t, c, now)
	if c.inFlightBytes > 51200 || c.inFlightBytes < 50000 {
		t.Errorf("%d bytes in flight", c.inFlightBytes)
	}
	if c.Deadline() <= now {
		t.Error("busy although the window is closed")
	}
	answer(t, c, now+ms, first[0])
	if got := drain(t, c, now+ms); len(got) != 1 {
		t.Errorf("%d datagrams after one was acknowledged", len(got))
	}
	client := newLink(t, 1, Connect{}).connect()
	for range 100 {
		client.send(0, []byte("x"), photon.Delivery{Mode: photon.Reliable})
	}
	client.flush()
	if n := client.ends[0].conn.channels[0].sent.n; n != 50 {
		t.Errorf("client: %d commands in flight", n)
	}
}

// TestTransmitRate holds that above the rate reliable messages wait and
// unreliable ones are dropped.
func TestTransmitRate(t *testing.T) {
	now := 10 * time.Second
	cfg := ServerConfig()
	c := serverWith(t, cfg, Connect{}, now)
	c.rtt, c.rttVar = 20, 0
	end := now + 2*time.Second
	bytes := 0
	for ; now < end; now += 10 * ms {
		for c.QueuedBytes() < 100_000 {
			_ = c.Send(make([]byte, 1000), photon.Delivery{Mode: photon.Reliable})
		}
		_ = c.Send(make([]byte, 100), photon.Delivery{Mode: photon.Unreliable})
		for _, b := range drain(t, c, now) {
			bytes += len(b)
			answer(t, c, now, b)
		}
	}
	if bytes > 2*cfg.TransmitRate*11/10 || bytes < 2*cfg.TransmitRate*9/10 {
		t.Errorf("%d bytes in 2 s", bytes)
	}
	if cfg.Stats.DroppedUnreliable == 0 {
		t.Error("no unreliable message was dropped")
	}
}

// TestQueueFull holds the rule for a full queue: reliable messages are refused,
// unreliable ones replace older ones.
func TestQueueFull(t *testing.T) {
	now := 10 * time.Second
	cfg := ServerConfig()
	cfg.MaxQueuedBytes = 10000
	c := serverWith(t, cfg, Connect{}, now)
	for i := range 100 {
		if err := c.Send(testMessage(uint32(i), 484), photon.Delivery{Mode: photon.Unreliable}); err != nil {
			t.Fatal(err)
		}
	}
	if c.QueuedBytes() > 10000 || cfg.Stats.DroppedUnreliable != 80 {
		t.Errorf("%d bytes queued, %d dropped", c.QueuedBytes(), cfg.Stats.DroppedUnreliable)
	}
	_, _, bodies := commandsOf(drain(t, c, now)[0])
	if n := binary.BigEndian.Uint32(bodies[0][4:]); n != 80 {
		t.Errorf("oldest kept is %d", n)
	}
	var err error
	n := 0
	for ; err == nil; n++ {
		err = c.Send(make([]byte, 988), photon.Delivery{Mode: photon.Reliable})
	}
	if !errors.Is(err, ErrQueueFull) || n > 11 {
		t.Errorf("after %d: %v", n, err)
	}
	if err := c.Send(make([]byte, cfg.MaxMessageSize+1), photon.Delivery{}); !errors.Is(err, ErrMessageTooBig) {
		t.Errorf("too big: %v", err)
	}
	fresh := serverWith(t, cfg, Connect{}, now)
	if err := fresh.Send(make([]byte, 200_000), photon.Delivery{Mode: photon.Reliable}); err != nil {
		t.Errorf("an empty queue takes any message: %v", err)
	}
}

// TestEarlyBounds holds that what comes too early is kept only up to the bounds,
// that the rest is not acknowledged, and that all memory is free once the gap closes.
func TestEarlyBounds(t *testing.T) {
	now := 10 * time.Second
	cfg := ServerConfig()
	cfg.MaxBuffered = 50
	c := serverWith(t, cfg, Connect{}, now)
	var out collector
	for i := range uint32(100) {
		input(t, c, now, &out, testCommand{commandHeader: commandHeader{kind: typeReliable, flags: 1, sequence: i + 2}, body: testMessage(i+2, 100)})
	}
	if c.buffered != 50 || len(c.acks) != 50 {
		t.Errorf("%d kept, %d acknowledged", c.buffered, len(c.acks))
	}
	input(t, c, now, &out, testCommand{commandHeader: commandHeader{kind: typeReliable, flags: 1, sequence: maxAhead + 1}, body: []byte("far")})
	input(t, c, now, &out, testCommand{commandHeader: commandHeader{kind: typeReliable, flags: 1, sequence: 1}, body: testMessage(1, 100)})
	if len(out.got) != 51 || c.buffered != 0 || c.bufferedBytes != 0 || c.channels[0].early != nil {
		t.Errorf("%d messages, %d kept, %d bytes", len(out.got), c.buffered, c.bufferedBytes)
	}
	for i := range uint32(200) {
		body := binary.BigEndian.AppendUint32(nil, i+1)
		input(t, c, now, &out, testCommand{commandHeader: commandHeader{kind: typeUnreliable, sequence: 60}, body: append(body, 'x')})
	}
	if c.buffered > 50 {
		t.Errorf("%d unreliable messages wait", c.buffered)
	}
}

// TestAckBound holds that acknowledgements which wait are bounded: commands beyond
// are ignored, as if they had been lost.
func TestAckBound(t *testing.T) {
	now := 10 * time.Second
	c := serverWith(t, ServerConfig(), Connect{}, now)
	var out collector
	for i := range uint32(maxAcks + 100) {
		input(t, c, now, &out, testCommand{commandHeader: commandHeader{kind: typeReliable, flags: 1, sequence: i + 1}, body: []byte("x")})
	}
	if len(c.acks) != maxAcks || len(out.got) != maxAcks {
		t.Errorf("%d acks wait, %d messages came", len(c.acks), len(out.got))
	}
	drain(t, c, now+ms*10)
	input(t, c, now, &out, testCommand{commandHeader: commandHeader{kind: typeReliable, flags: 1, sequence: maxAcks + 1}, body: []byte("x")})
	if len(c.acks) != 1 || len(out.got) != maxAcks+1 {
		t.Errorf("again: %d acks wait, %d messages came", len(c.acks), len(out.got))
	}
}

// TestFarAhead holds how far ahead of a gap a command is kept: what is farther is
// not acknowledged, so that it comes again.
func TestFarAhead(t *testing.T) {
	now := 10 * time.Second
	c := serverWith(t, ServerConfig(), Connect{}, now)
	for _, tc := range []struct {
		sequence uint32
		kept     int
	}{{maxAhead + 1, 0}, {1 << 30, 0}, {maxAhead, 1}} {
		input(t, c, now, nil, testCommand{commandHeader: commandHeader{kind: typeReliable, flags: 1, sequence: tc.sequence}, body: []byte("x")})
		if c.buffered != tc.kept || len(c.acks) != tc.kept {
			t.Errorf("command %d: %d kept, %d acknowledged", tc.sequence, c.buffered, len(c.acks))
		}
	}
}

// TestSharedBound holds that many connections that never complete their messages
// keep no more than the shared bound and their reserves, that a small neighbour
// still gets through, and that all of it is given back.
func TestSharedBound(t *testing.T) {
	now := 10 * time.Second
	cfg := ServerConfig()
	cfg.MaxSharedBytes = 1 << 20
	part := make([]byte, 1000)
	var bombs []*Conn
	for i := range 50 {
		c := serverWith(t, cfg, Connect{}, now)
		for n := range uint32(300) {
			f := fragment{1, 500, n + 1, 500000, (n + 1) * 1000} // the first part is missing
			kind := typeFragment
			if i%2 == 0 {
				kind, f.number, f.offset = typeFragmentUnsequenced, n, n*1000
			}
			if i%3 == 0 {
				kind, f.number, f.offset = typeFragment, n, n*1000 // in order, without an end
			}
			input(t, c, now, nil, fragmentCommand(kind, f, part))
		}
		bombs = append(bombs, c)
	}
	if limit := cfg.MaxSharedBytes + len(bombs)*bufferedReserve; cfg.shared > limit || cfg.shared < cfg.MaxSharedBytes/2 {
		t.Errorf("%d bytes kept, bound %d", cfg.shared, limit)
	}
	neighbour := serverWith(t, cfg, Connect{}, now)
	var out collector
	for n := range uint32(4) {
		input(t, neighbour, now, &out, fragmentCommand(typeFragment, fragment{1, 4, 3 - n, 4000, (3 - n) * 1000}, part))
	}
	if len(out.got) != 1 {
		t.Error("a neighbour's message did not get through")
	}
	for _, c := range bombs {
		c.Release()
	}
	if neighbour.Release(); cfg.shared != 0 {
		t.Errorf("%d bytes are still counted", cfg.shared)
	}
}

// fragmentCommand builds a fragment.
func fragmentCommand(kind commandType, f fragment, part []byte) testCommand {
	flags := byte(1)
	if kind == typeFragmentUnsequenced {
		flags = 3
	}
	var b []byte
	for _, v := range []uint32{f.start, f.count, f.number, f.total, f.offset} {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return testCommand{commandHeader: commandHeader{kind: kind, flags: flags, sequence: f.start + f.number}, body: append(b, part...)}
}

// TestHostileFragments holds that sizes are checked before memory is reserved.
//
// wire W-11, W-23
func TestHostileFragments(t *testing.T) {
	now := 10 * time.Second
	part := make([]byte, 100)
	for _, kind := range []commandType{typeFragment, typeFragmentUnsequenced} {
		for _, tc := range []struct {
			name string
			cmds []testCommand
			want error
		}{
			{"total above the limit", []testCommand{fragmentCommand(kind, fragment{1, 6000, 0, 600000, 0}, part)}, ErrMessageTooBig},
			{"number beyond count", []testCommand{fragmentCommand(kind, fragment{1, 2, 2, 300, 200}, part)}, ErrMalformed},
			{"more fragments than bytes", []testCommand{fragmentCommand(kind, fragment{1, 1 << 30, 0, 300, 0}, part)}, ErrMalformed},
			{"part beyond the end", []testCommand{fragmentCommand(kind, fragment{1, 2, 0, 300, 250}, part)}, ErrMalformed},
			{"offset wraps", []testCommand{fragmentCommand(kind, fragment{1, 2, 0, 300, 0xFFFFFFF0}, part)}, ErrMalformed},
			{"empty part", []testCommand{fragmentCommand(kind, fragment{1, 2, 0, 300, 0}, nil)}, ErrMalformed},
			{"single, short", []testCommand{fragmentCommand(kind, fragment{1, 1, 0, 300, 0}, part)}, ErrProtocol},
			{"totals differ", []testCommand{
				fragmentCommand(kind, fragment{1, 3, 0, 300, 0}, part),
				fragmentCommand(kind, fragment{1, 3, 1, 301, 100}, part),
			}, ErrProtocol},
			{"hole", []testCommand{
				fragmentCommand(kind, fragment{1, 2, 0, 300, 0}, part),
				fragmentCommand(kind, fragment{1, 2, 1, 300, 200}, part),
			}, ErrProtocol},
			{"overlap", []testCommand{
				fragmentCommand(kind, fragment{1, 2, 0, 200, 0}, part),
				fragmentCommand(kind, fragment{1, 2, 1, 200, 50}, part),
			}, ErrProtocol},
			{"short in the end", []testCommand{
				fragmentCommand(kind, fragment{1, 2, 0, 300, 0}, part),
				fragmentCommand(kind, fragment{1, 2, 1, 300, 100}, part),
			}, ErrProtocol},
		} {
			c := serverWith(t, ServerConfig(), Connect{}, now)
			var out collector
			err := c.Input(now, datagram(c, now, tc.cmds...), &out)
			if !errors.Is(err, tc.want) || len(out.got) != 0 {
				t.Errorf("type %d, %s: %v, %d messages", kind, tc.name, err, len(out.got))
			}
			if c.bufferedBytes > 2*len(part)+2*pieceOverhead {
				t.Errorf("type %d, %s: %d bytes kept", kind, tc.name, c.bufferedBytes)
			}
		}
	}
	// A message cannot begin within another one of the same stream.
	c := serverWith(t, ServerConfig(), Connect{}, now)
	input(t, c, now, nil, fragmentCommand(typeFragment, fragment{1, 2, 0, 200, 0}, part))
	err := c.Input(now, datagram(c, now, testCommand{commandHeader: commandHeader{kind: typeReliable, flags: 1, sequence: 2}, body: part}), &collector{})
	if !errors.Is(err, ErrProtocol) {
		t.Errorf("whole message within one in parts: %v", err)
	}
}

// TestMessageTooBig holds that the largest size holds for messages that travel
// whole as well.
func TestMessageTooBig(t *testing.T) {
	now := 10 * time.Second
	for _, head := range []commandHeader{
		{kind: typeReliable, flags: 1, sequence: 1}, {kind: typeUnreliable},
		{kind: typeUnsequenced, flags: 2}, {kind: typeReliableUnsequenced, flags: 3, sequence: 1},
	} {
		for size := 100; size <= 101; size++ {
			c := serverWith(t, ServerConfig(), Connect{}, now)
			c.SetLimits(100, 1000)
			var body []byte
			var want error
			if head.kind.bodyOffset() == unreliableSize {
				body = []byte{0, 0, 0, 1}
			}
			if size > 100 {
				want = ErrMessageTooBig
			}
			var out collector
			err := c.Input(now, datagram(c, now, testCommand{commandHeader: head, body: append(body, make([]byte, size)...)}), &out)
			if err != want || (len(out.got) == 1) != (want == nil) {
				t.Errorf("type %d, %d bytes: %v, %d messages", head.kind, size, err, len(out.got))
			}
		}
	}
}

// TestFragmentsInAnyOrder holds reassembly in every order of five parts, twice each.
//
// wire W-11
func TestFragmentsInAnyOrder(t *testing.T) {
	msg := testMessage(1, 450)
	now := 10 * time.Second
	for _, kind := range []commandType{typeFragment, typeFragmentUnsequenced} {
		permutations(5, func(order []int) {
			c := serverWith(t, ServerConfig(), Connect{}, now)
			var out collector
			for _, i := range order {
				cmd := fragmentCommand(kind, fragment{1, 5, uint32(i), 450, uint32(i * 100)}, msg[i*100:min(i*100+100, 450)])
				input(t, c, now, &out, cmd, cmd)
			}
			if len(out.got) != 1 || string(out.got[0].data) != string(msg) || len(c.acks) != 10 || c.bufferedBytes != 0 {
				t.Fatalf("type %d, order %v: %d messages, %d acks, %d bytes kept", kind, order, len(out.got), len(c.acks), c.bufferedBytes)
			}
		})
	}
}

func permutations(n int, f func([]int)) {
	order := make([]int, 0, n)
	var rec func()
	rec = func() {
		if len(order) == n {
			f(order)
			return
		}
		for i := range n {
			if !slices.Contains(order, i) {
				order = append(order, i)
				rec()
				order = order[:len(order)-1]
			}
		}
	}
	rec()
}

// TestOrdering holds the receive rules of wire.md 3.14 beyond the vectors.
//
// wire W-8, W-9, W-10
func TestOrdering(t *testing.T) {
	rel := func(seq uint32, s string) testCommand {
		return testCommand{commandHeader: commandHeader{kind: typeReliable, flags: 1, sequence: seq}, body: []byte(s)}
	}
	unrel := func(seq, n uint32, s string) testCommand {
		return testCommand{commandHeader: commandHeader{kind: typeUnreliable, sequence: seq}, body: append(binary.BigEndian.AppendUint32(nil, n), s...)}
	}
	unseq := func(n uint32, s string) testCommand {
		return testCommand{commandHeader: commandHeader{kind: typeUnsequenced, flags: 2}, body: append(binary.BigEndian.AppendUint32(nil, n), s...)}
	}
	relUnseq := func(n uint32, s string) testCommand {
		return testCommand{commandHeader: commandHeader{kind: typeReliableUnsequenced, flags: 3, sequence: n}, body: []byte(s)}
	}
	for _, tc := range []struct {
		name string
		cmds []testCommand
		want string
	}{
		{"reliable reordered", []testCommand{rel(4, "d"), rel(3, "c"), rel(1, "a"), rel(2, "b"), rel(2, "b")}, "abcd"},
		{"unreliable waits", []testCommand{unrel(2, 2, "y"), unrel(2, 1, "x"), rel(1, "a"), rel(2, "b"), rel(3, "c")}, "abxyc"},
		{"unreliable of the past", []testCommand{rel(1, "a"), rel(2, "b"), unrel(1, 1, "x"), unrel(2, 2, "y")}, "aby"},
		{"unreliable overtaken while it waits", []testCommand{unrel(1, 1, "x"), unrel(2, 2, "y"), rel(2, "b"), rel(1, "a")}, "axby"},
		{"unsequenced", []testCommand{unseq(300, "a"), unseq(299, "b"), unseq(300, "a"), unseq(172, "-"), unseq(173, "c"), unseq(900, "d"), unseq(300, "-")}, "abcd"},
		{"reliable unsequenced", []testCommand{relUnseq(3, "c"), relUnseq(1, "a"), relUnseq(3, "c"), relUnseq(2, "b"), relUnseq(1, "a")}, "cab"},
		{"reliable unsequenced, odd start", []testCommand{relUnseq(100000, "a"), relUnseq(100001, "b"), relUnseq(100001, "b")}, "ab"},
		{"empty messages", []testCommand{rel(1, ""), rel(2, "b")}, "b"},
		{"unknown type", []testCommand{{commandHeader: commandHeader{kind: 99, flags: 1, sequence: 1}, body: []byte("?")}, rel(1, "a")}, "a"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			now := 10 * time.Second
			c := serverWith(t, ServerConfig(), Connect{}, now)
			var out collector
			input(t, c, now, &out, tc.cmds...)
			got := ""
			for _, m := range out.got {
				got += string(m.data)
			}
			if got != tc.want {
				t.Errorf("dispatched %q, want %q", got, tc.want)
			}
			acks := 0
			for _, cmd := range tc.cmds {
				acks += int(cmd.flags & 1)
			}
			if len(c.acks) != acks {
				t.Errorf("%d acks, want %d", len(c.acks), acks)
			}
		})
	}
}

// TestMalformed holds that broken datagrams end where they break.
//
// wire W-23
func TestMalformed(t *testing.T) {
	now := 10 * time.Second
	good := testCommand{commandHeader: commandHeader{kind: typeReliable, flags: 1, sequence: 1}, body: []byte("x")}
	c := serverWith(t, ServerConfig(), Connect{}, now)
	b := datagram(c, now, good, good)
	for n := range b {
		var out collector
		c := serverWith(t, ServerConfig(), Connect{}, now)
		if err := c.Input(now, b[:n:n], &out); err == nil && n != 25 && n != 12 {
			t.Errorf("cut to %d: no error", n)
		}
		if n < 25 && len(out.got) != 0 {
			t.Errorf("cut to %d: a message", n)
		}
	}
	for name, change := range map[string]func([]byte) []byte{
		"length below header": func(b []byte) []byte { b[19] = 11; return b },
		"length beyond end":   func(b []byte) []byte { b[16] = 0xFF; return b },
		"flags":               func(b []byte) []byte { b[2] = 0x77; return b },
		"encrypted":           func(b []byte) []byte { b[2] = 1; return b },
		"CRC":                 func(b []byte) []byte { b[2] = 0xCC; return b },
	} {
		var out collector
		if err := c.Input(now, change(slices.Clone(b)), &out); !errors.Is(err, ErrMalformed) || len(out.got) != 0 {
			t.Errorf("%s: %v, %d messages", name, err, len(out.got))
		}
	}
	var out collector
	tolerated := slices.Clone(b)
	tolerated[3] = 200
	if err := c.Input(now, tolerated, &out); err != nil || len(out.got) != 1 {
		t.Errorf("count too high: %v, %d messages", err, len(out.got))
	}
	trailing := append(datagram(c, now, good), 1, 2, 3)
	if err := c.Input(now, trailing, &out); err != nil {
		t.Errorf("trailing bytes: %v", err)
	}
}

// TestReentrantReceiver holds that a receiver may end its connection in the
// middle of a datagram.
func TestReentrantReceiver(t *testing.T) {
	now := 10 * time.Second
	for name, f := range map[string]func(*Conn){
		"abort":      func(c *Conn) { c.Abort(ReasonServerLogic) },
		"disconnect": func(c *Conn) { c.Disconnect(now, ReasonServerLogic) },
		"send":       func(c *Conn) { _ = c.Send([]byte("x"), photon.Delivery{Mode: photon.Reliable}) },
	} {
		c := serverWith(t, ServerConfig(), Connect{}, now)
		var cmds []testCommand
		for _, seq := range []uint32{3, 2, 4, 1, 5} {
			cmds = append(cmds, testCommand{commandHeader: commandHeader{kind: typeReliable, flags: 1, sequence: seq}, body: []byte("x")})
		}
		if err := c.Input(now, datagram(c, now, cmds...), receiverFunc(func() { f(c) })); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if c.buffered != 0 || c.bufferedBytes != 0 {
			t.Errorf("%s: %d kept", name, c.buffered)
		}
		drain(t, c, now)
	}
}

type receiverFunc func()

func (f receiverFunc) Receive([]byte, photon.Delivery) { f() }

// TestSequenceWrap holds that numbers wrap modulo 2^32.
func TestSequenceWrap(t *testing.T) {
	l := newLink(t, 5, Connect{}).connect()
	for i, e := range l.ends {
		other := l.ends[1-i].conn
		ch, peer := e.conn.channelFor(0), other.channelFor(0)
		ch.outRel, ch.outUnrel, ch.outUnseq = 0xFFFFFFF0, 0xFFFFFFF0, 0xFFFFFFF0
		peer.inRel, peer.inDone, peer.inUnrel = 0xFFFFFFF0, 0xFFFFFFF0, 0xFFFFFFF0
		peer.inUnseq.base = 0xFFFFFFF0
		e.conn.unseqOut = 0xFFFFFFF0
	}
	l.ends[1].conn.AllowUnsequenced()
	l.loss, l.jitter = 0.1, 20*ms
	for i := range uint32(60) {
		for from := range 2 {
			l.send(from, testMessage(i, 20), photon.Delivery{Mode: photon.Reliable})
			l.send(from, testMessage(i, 20), photon.Delivery{Mode: photon.ReliableUnsequenced})
		}
		l.run(10 * ms)
	}
	l.run(3 * time.Second)
	for i, e := range l.ends {
		if len(e.got) != 120 {
			t.Errorf("end %d got %d of 120", i, len(e.got))
		}
	}
}
