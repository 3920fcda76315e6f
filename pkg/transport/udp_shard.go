package transport

import (
	"errors"
	"hash/maphash"
	"net"
	"runtime"
	"sync"
	"time"

	"github.com/boson-project/boson/pkg/enet"
	"github.com/boson-project/boson/pkg/photon"
)

// udpShard is one socket and the peers whose datagrams arrive there. Its reader
// takes datagrams in and never sends; its pump sends, everything that waits for
// a peer in as few datagrams as possible. So one goroutine writes to the socket,
// and a peer's datagrams leave in order.
//
// Lock order: mu, then outMu. Neither is held while the socket is used.
type udpShard struct {
	l      *UDPListener
	socket *udpSocket
	wake   chan struct{} // capacity 1
	empty  chan struct{} // closed when stopping and the last peer is gone
	pumped chan struct{} // closed when the pump has ended

	outMu   sync.Mutex // guards outbox and pressed; a leaf
	outbox  []udpOutgoing
	pressed bool          // the outbox reached outboxHigh and is counted in l.pressed
	resume  chan struct{} // capacity 1: the reader may look at l.pressed again

	mu         sync.Mutex // guards all below, and the peers
	cfg        *enet.Config
	now        time.Duration // its milliseconds are the clock's, unwrapped
	clock      uint32
	peers      map[endpoint]*udpPeer
	wheel      wheel
	sleepTick  int64      // the pump sleeps until then
	ready      []*udpPeer // Output has something to do
	replies    []udpReply
	sources    sources
	handshakes handshakes
	stopping   bool
	turn       udpTurn
	count      udpCounts
	stats      enet.Stats // what was published of cfg.Stats

	spare []udpOutgoing // the pump's, swapped with outbox
}

// udpOutgoing is a message, or with last the end of a session, on its way from
// any goroutine to the pump.
type udpOutgoing struct {
	peer    *udpPeer
	msg     []byte
	channel byte
	mode    photon.DeliveryMode
	reason  Reason
	last    bool
}

// udpReply is an answer without a connection.
type udpReply struct {
	to   endpoint
	size uint8
	data [64]byte
}

// udpCounts are added to the listener's counters once per batch.
type udpCounts struct {
	messagesIn, messagesOut   int64
	bytesIn, bytesOut         int64
	datagramsIn, datagramsOut int64
	malformed                 int64
}

// newUDPShard makes one of so many shards of l.
func newUDPShard(l *UDPListener, socket *udpSocket, shards int) *udpShard {
	s := &udpShard{
		l: l, socket: socket, wake: make(chan struct{}, 1), empty: make(chan struct{}), pumped: make(chan struct{}),
		resume: make(chan struct{}, 1),
		cfg:    l.enetConfig(), peers: make(map[endpoint]*udpPeer), handshakes: newHandshakes(shards), clock: l.cfg.Clock(),
	}
	// One turn of the clock ahead, so that no moment is near zero.
	s.now = (1<<32 + time.Duration(s.clock)) * time.Millisecond
	s.wheel.now = s.tick()
	s.sleepTick = s.wheel.now
	s.sources.seed = maphash.MakeSeed()
	return s
}

// tick is now in milliseconds.
func (s *udpShard) tick() int64 { return int64(s.now / time.Millisecond) }

// lock takes the mutex and reads the clock.
func (s *udpShard) lock() {
	s.mu.Lock()
	c := s.l.cfg.Clock()
	// Signed, because the clock wraps.
	if d := int32(c - s.clock); d > 0 {
		s.now += time.Duration(d) * time.Millisecond
		s.clock = c
	}
}

// poke wakes the pump.
func (s *udpShard) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// post hands o to the pump. It may be called from any goroutine, also with mu held.
func (s *udpShard) post(o udpOutgoing) {
	s.outMu.Lock()
	first := len(s.outbox) == 0
	s.outbox = append(s.outbox, o)
	if len(s.outbox) >= outboxHigh && !s.pressed {
		s.pressed = true
		s.l.pressed.Add(1)
	}
	s.outMu.Unlock()
	if first {
		s.poke()
	}
}

// outboxHigh is the number of messages in a shard's outbox at which readers stop
// until it is sent. What clients send meanwhile waits in the sockets' buffers,
// and is lost there when it is more than the server can do: a queue of our own
// would grow, and the older its messages the less they are worth.
const outboxHigh = 16384

// relieve lets the readers go on after the outbox was sent.
func (s *udpShard) relieve() {
	s.outMu.Lock()
	relieved := s.pressed && len(s.outbox) < outboxHigh
	if relieved {
		s.pressed = false
		s.l.pressed.Add(-1)
	}
	s.outMu.Unlock()
	if !relieved {
		return
	}
	for _, other := range s.l.shards {
		select {
		case other.resume <- struct{}{}:
		default:
		}
	}
}

// await holds the reader up while any shard of the listener has too much to
// send: rooms have peers on all of them. It is false when the listener is over.
func (s *udpShard) await() bool {
	for s.l.pressed.Load() > 0 {
		select {
		case <-s.resume:
		case <-s.l.done:
			return false
		}
	}
	return true
}

// read is the reader goroutine.
func (s *udpShard) read() {
	reads := leastReads
	for row := 0; s.await(); row++ {
		if row >= reads {
			// Without this the reader would go on until its socket is empty, where there
			// is one core.
			row = 0
			runtime.Gosched()
		}
		err := s.socket.read()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			// Some systems report here that a client's port is closed (wire.md 16).
			select {
			case <-s.l.done:
				return
			case <-time.After(readRetry):
			}
			continue
		}
		in := s.socket.in
		s.lock()
		for i := range in.n {
			s.input(in.from[i], in.data[i])
		}
		s.count.datagramsIn += int64(in.n)
		s.turn.in += in.n
		reads = s.turn.reads()
		s.publish()
		work := len(s.ready) > 0 || len(s.replies) > 0 || s.wheel.next() < s.sleepTick
		s.mu.Unlock()
		if work {
			s.poke()
		}
	}
}

// input handles one datagram.
func (s *udpShard) input(from endpoint, b []byte) {
	s.count.bytesIn += int64(len(b))
	if isRegionPing(b) {
		if s.sources.allowPing(from, s.tick()) {
			s.reply(from, b)
		}
		return
	}
	h, ok := enet.ParseHeader(b)
	if !ok {
		s.count.malformed++
		return
	}
	p := s.peers[from]
	if p == nil || p.conn.Challenge() != h.Challenge {
		if p = s.stranger(from, h, b); p == nil {
			return
		}
	}
	p.applyLimits()
	if !p.bytes.spend(len(b), p.applied.MaxBytesPerSecond, p.applied.MaxMessageSize, s.now) {
		p.exceed(ReasonByteRateLimit)
	}
	switch err := p.conn.Input(s.now, b, (*peerInput)(p)); {
	case err == nil:
	case errors.Is(err, enet.ErrMessageTooBig):
		p.exceed(ReasonMessageTooBig)
	case errors.Is(err, enet.ErrProtocol):
		s.count.malformed++
		p.end(ReasonProtocolError)
	default:
		s.count.malformed++
	}
	if p.removed {
		return
	}
	p.notice()
	p.rtt.Store(int32(p.conn.RTT() / time.Millisecond))
	s.schedule(p)
}

// remove forgets a peer whose connection is over.
func (s *udpShard) remove(p *udpPeer) {
	if p.removed {
		return
	}
	p.removed = true
	p.closing.Store(true)
	delete(s.peers, p.addr)
	s.wheel.remove(p)
	s.l.ids.give(p.conn.PeerID())
	s.l.admission.leave(p.addr.addr())
	p.conn.Release()
	s.checkEmpty()
}

func (s *udpShard) checkEmpty() {
	if !s.stopping || len(s.peers) > 0 {
		return
	}
	select {
	case <-s.empty:
	default:
		close(s.empty)
	}
}

// stop begins the end of the shard: all sessions are closed.
func (s *udpShard) stop() {
	s.lock()
	s.stopping = true
	for w := s.handshakes.oldest; w != nil; w = s.handshakes.oldest {
		s.forget(w)
	}
	for _, p := range s.peers {
		p.end(ReasonShutdown)
	}
	s.checkEmpty()
	s.mu.Unlock()
	s.poke()
}

// markReady has the pump ask p's connection for datagrams.
func (s *udpShard) markReady(p *udpPeer) {
	if !p.ready && !p.removed {
		p.ready = true
		s.ready = append(s.ready, p)
	}
}

// schedule sees that p's connection is asked at its deadline.
func (s *udpShard) schedule(p *udpPeer) {
	if p.removed {
		return
	}
	if p.conn.Done() {
		s.remove(p)
		return
	}
	d := p.conn.Deadline()
	if !p.started && !p.ended {
		d = min(d, p.initBy)
	}
	if d <= s.now {
		s.markReady(p)
		return
	}
	// Rounded up: the clock must have reached the deadline.
	s.wheel.set(p, int64((d+time.Millisecond-1)/time.Millisecond))
}
