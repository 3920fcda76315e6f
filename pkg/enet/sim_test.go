package enet

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/photon"
)

const testChallenge = 0x05E99E71

// link is a simulated network between a client and a server connection, in
// virtual time.
type link struct {
	t      testing.TB
	rng    *rand.Rand
	now    time.Duration
	ends   [2]*end // client, server
	flying []packet
	loss   float64
	double float64
	delay  time.Duration
	jitter time.Duration
	// rate in bytes per second and direction, 0 for no bound; what would wait longer
	// than queue is lost.
	rate  float64
	queue time.Duration
	busy  [2]time.Duration // until when the link sends, by receiver
	lost  int
	// drop, when set, decides over each datagram instead of loss.
	drop func(to int, b []byte) bool
	sent [2]int // datagrams sent by each end
	// paused ends do nothing until then; what comes for them waits.
	paused [2]time.Duration
	// scfg is the server's; its connection is made when the client has shown its id.
	scfg      *Config
	connected *Connect // that was answered
}

type packet struct {
	at time.Duration
	to int
	b  []byte
}

type end struct {
	conn *Conn
	got  []message
	// onReceive, when set, is called for each message.
	onReceive func(msg []byte, d photon.Delivery)
}

type message struct {
	data []byte
	d    photon.Delivery
	at   time.Duration
}

type endReceiver struct {
	l *link
	e *end
}

func (r endReceiver) Receive(msg []byte, d photon.Delivery) {
	r.e.got = append(r.e.got, message{data: append([]byte(nil), msg...), d: d, at: r.l.now})
	if r.e.onReceive != nil {
		r.e.onReceive(msg, d)
	}
}

func newLink(t testing.TB, seed uint64, connect Connect) *link {
	return newLinkConfig(t, seed, connect, ClientConfig(), ServerConfig())
}

func newLinkConfig(t testing.TB, seed uint64, connect Connect, ccfg, scfg *Config) *link {
	l := &link{t: t, rng: rand.New(rand.NewPCG(seed, 1)), now: 100 * time.Second, delay: 10 * time.Millisecond}
	l.ends[0] = &end{conn: NewClientConn(ccfg, connect, testChallenge, l.now)}
	l.ends[1] = &end{}
	l.scfg = scfg
	return l
}

// flush sends everything that is due.
func (l *link) flush() {
	var buf [MaxMTU]byte
	for i, e := range l.ends {
		if e.conn == nil || l.now < l.paused[i] {
			continue
		}
		for {
			n, more := e.conn.Output(l.now, buf[:])
			if n > int(e.conn.mtu) {
				l.t.Fatalf("datagram of %d bytes, MTU %d", n, e.conn.mtu)
			}
			if n > 0 {
				if buf[3] > maxCommands {
					l.t.Fatalf("%d commands in a datagram", buf[3])
				}
				l.sent[i]++
				l.transmit(1-i, buf[:n])
			}
			if !more && e.conn.Deadline() > l.now {
				break
			}
			if !more && n == 0 {
				l.t.Fatalf("end %d: deadline %v is not after %v although Output has nothing more, state %v", i, e.conn.Deadline(), l.now, e.conn.State())
			}
		}
	}
}

func (l *link) transmit(to int, b []byte) {
	if l.drop != nil {
		if l.drop(to, b) {
			return
		}
	} else if l.rng.Float64() < l.loss {
		l.lost++
		return
	}
	wait := time.Duration(0)
	if l.rate > 0 {
		free := max(l.busy[to], l.now)
		if free-l.now > l.queue {
			l.lost++
			return
		}
		l.busy[to] = free + time.Duration(float64(len(b)+28)/l.rate*float64(time.Second))
		wait = l.busy[to] - l.now
	}
	copies := 1
	if l.rng.Float64() < l.double {
		copies = 2
	}
	for range copies {
		at := l.now + wait + l.delay
		if l.jitter > 0 {
			at += time.Duration(l.rng.Int64N(int64(l.jitter)))
		}
		l.flying = append(l.flying, packet{at: at, to: to, b: append([]byte(nil), b...)})
	}
}

// step goes to the next moment at which something happens, at most to end.
func (l *link) step(end time.Duration) bool {
	l.flush()
	next := end
	for _, p := range l.flying {
		next = min(next, max(p.at, l.paused[p.to]))
	}
	for i, e := range l.ends {
		if e.conn != nil {
			next = min(next, max(e.conn.Deadline(), l.paused[i]))
		}
	}
	l.now = max(l.now, next)
	rest := l.flying[:0]
	var due []packet
	for _, p := range l.flying {
		if p.at <= l.now && l.paused[p.to] <= l.now {
			due = append(due, p)
		} else {
			rest = append(rest, p)
		}
	}
	l.flying = rest
	for _, p := range due {
		l.input(p.to, p.b)
	}
	return l.now < end
}

func (l *link) input(to int, b []byte) {
	e := l.ends[to]
	if e.conn == nil {
		if c, ok := ParseConnect(b); ok {
			l.connected = &c
			l.sent[1]++
			l.transmit(0, AppendAccept(nil, c, 7, l.now))
			return
		}
		if h, ok := ParseHeader(b); !ok || h.PeerID != 7 || h.Challenge != l.connected.Challenge {
			return
		}
		e.conn = NewServerConn(l.scfg, *l.connected, 7, l.now)
	}
	if err := e.conn.Input(l.now, b, endReceiver{l, e}); err != nil {
		l.t.Fatalf("end %d: %v", to, err)
	}
}

// run lets d pass.
func (l *link) run(d time.Duration) {
	end := l.now + d
	for l.step(end) {
	}
	l.flush()
}

// connect runs until both ends are connected.
func (l *link) connect() *link {
	l.t.Helper()
	for range 2000 {
		l.step(l.now + time.Second)
		if l.ends[1].conn != nil && l.ends[0].conn.State() == Connected && l.ends[1].conn.State() == Connected {
			return l
		}
	}
	l.t.Fatal("not connected")
	return l
}

func (l *link) send(from int, msg []byte, d photon.Delivery) {
	l.t.Helper()
	if err := l.ends[from].conn.Send(msg, d); err != nil {
		l.t.Fatalf("send: %v", err)
	}
}

func testMessage(n uint32, size int) []byte {
	b := make([]byte, max(size, 4))
	for i := range b {
		b[i] = byte(n + uint32(i)*7 + uint32(i>>8))
	}
	binary.BigEndian.PutUint32(b, n)
	return b
}

type stream struct {
	channel byte
	mode    photon.DeliveryMode
}

// checkDelivered compares what was sent with what came: reliable messages all,
// once and, where sequenced, in order; unreliable ones at most once and in order
// where sequenced.
func checkDelivered(t testing.TB, what string, sent map[stream][][]byte, got []message) {
	t.Helper()
	next := map[stream]int{}
	seen := map[stream]map[uint32]bool{}
	for _, m := range got {
		s := stream{m.d.Channel, m.d.Mode}
		n := binary.BigEndian.Uint32(m.data)
		// Large unreliable messages come as reliable ones.
		switch {
		case s.mode == photon.Reliable && n >= largeUnreliable:
			s.mode = photon.Unreliable
		case s.mode == photon.ReliableUnsequenced && n >= largeUnreliable:
			s.mode = photon.UnreliableUnsequenced
		}
		list := sent[s]
		i := int(n % largeUnreliable)
		if i >= len(list) || string(list[i]) != string(m.data) {
			t.Fatalf("%s %v: message %d is not what was sent", what, s, n)
		}
		if seen[s] == nil {
			seen[s] = map[uint32]bool{}
		}
		if seen[s][n] {
			t.Fatalf("%s %v: message %d came twice", what, s, n)
		}
		seen[s][n] = true
		switch s.mode {
		case photon.Reliable:
			if i != next[s] {
				t.Fatalf("%s %v: message %d, want %d", what, s, i, next[s])
			}
			next[s] = i + 1
		case photon.Unreliable:
			if m.d.Mode == photon.Unreliable {
				if i < next[s] {
					t.Fatalf("%s %v: message %d after %d", what, s, i, next[s]-1)
				}
				next[s] = i + 1
			}
		}
	}
	for s, list := range sent {
		for i, msg := range list {
			n := binary.BigEndian.Uint32(msg)
			if (s.mode == photon.Reliable || s.mode == photon.ReliableUnsequenced || n >= largeUnreliable) && !seen[s][n] {
				t.Fatalf("%s %v: message %d of %d is lost", what, s, i, len(list))
			}
		}
	}
}

// largeUnreliable is added to the numbers of unreliable messages that need fragments.
const largeUnreliable = 1 << 24

// TestLossyLink holds wire W-7 to W-11, W-14, W-18: over many seeds, with loss,
// duplication, reordering and delay, nothing reliable is lost, doubled or out of
// order within its channel.
func TestLossyLink(t *testing.T) {
	seeds := uint64(2000)
	if raceEnabled || testing.Short() {
		seeds = 500
	}
	for seed := range seeds {
		runLossy(t, seed)
	}
}

func runLossy(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 2))
	mtu := []int{576, 1200, 1400}[rng.IntN(3)]
	channels := 1 + rng.IntN(4)
	// Give-up times are not the subject here.
	ccfg, scfg := ClientConfig(), ServerConfig()
	for _, cfg := range []*Config{ccfg, scfg} {
		cfg.MaxTimeout, cfg.MinTimeout, cfg.MinResends = time.Hour, time.Hour, 1000
		cfg.MaxResendWait = 3 * time.Second
		cfg.ConnectTimeout = time.Hour
	}
	scfg.TransmitRate = 0
	l := newLinkConfig(t, seed, Connect{MTU: mtu, Channels: channels, CRC: rng.IntN(2) == 0}, ccfg, scfg)
	l.loss = rng.Float64() * 0.3
	l.double = rng.Float64() * 0.2
	l.jitter = time.Duration(rng.IntN(150)) * time.Millisecond
	l.connect()
	l.ends[1].conn.AllowUnsequenced()
	var sent [2]map[stream][][]byte
	for i := range sent {
		sent[i] = map[stream][][]byte{}
	}
	for range 20 + rng.IntN(40) {
		for range rng.IntN(6) {
			from := rng.IntN(2)
			s := stream{byte(rng.IntN(channels)), photon.DeliveryMode(rng.IntN(4))}
			size := 4 + rng.IntN(100)
			switch rng.IntN(12) {
			case 0:
				size = mtu - fragmentReserve + rng.IntN(3) - 1
			case 1:
				size = 4 + rng.IntN(12000)
			}
			n := uint32(len(sent[from][s]))
			if size > mtu-fragmentReserve && (s.mode == photon.Unreliable || s.mode == photon.UnreliableUnsequenced) {
				n += largeUnreliable
			}
			msg := testMessage(n, size)
			sent[from][s] = append(sent[from][s], msg)
			l.send(from, msg, photon.Delivery{Channel: s.channel, Mode: s.mode})
		}
		l.run(time.Duration(rng.IntN(40)) * time.Millisecond)
	}
	// A large unreliable message shares the reliable stream, so order is checked
	// by stream only. Everything must be through in the end.
	for range 600 {
		if l.ends[0].conn.idle() && l.ends[1].conn.idle() && len(l.flying) == 0 {
			break
		}
		l.run(time.Second)
	}
	what := fmt.Sprintf("seed %d", seed)
	checkDelivered(t, what+" client to server", sent[0], l.ends[1].got)
	checkDelivered(t, what+" server to client", sent[1], l.ends[0].got)
	for i, e := range l.ends {
		if e.conn.buffered != 0 && !anyWaiting(e.conn) || e.conn.inFlight != 0 || e.conn.inFlightBytes != 0 || e.conn.queuedBytes != 0 {
			t.Fatalf("%s end %d: left over: %d buffered, %d in flight, %d bytes, %d queued bytes", what, i,
				e.conn.buffered, e.conn.inFlight, e.conn.inFlightBytes, e.conn.queuedBytes)
		}
	}
	for _, e := range l.ends {
		e.conn.Release()
	}
}

func anyWaiting(c *Conn) bool {
	for _, ch := range c.channels {
		if ch != nil && ch.early != nil && ch.early.waiting != nil {
			return true
		}
	}
	return false
}
