package transport

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/boson-project/boson/pkg/photon"
)

// streamSession is one TCP or WebSocket connection. One goroutine reads from it
// and calls the Receiver; it also ends the connection. A second one, the
// flusher, exists while there is something to write.
type streamSession struct {
	id   uint64
	info Info // complete before the Acceptor sees it, then constant
	l    *streamListener
	conn net.Conn // TLS or not
	raw  net.Conn // the socket

	// Of the reading goroutine.
	in       readBuffer
	receiver Receiver
	started  bool // the init phase is over
	peerGone bool // the client closed or the link broke: nothing more reaches it
	messages int64
	armed    time.Time // when the read deadline was set last
	readAt   time.Time // when the last bytes came
	perMsg   *rate.Limiter
	perByte  *rate.Limiter
	applied  *PeerLimits // those of limits that perMsg and perByte are made of
	// goodbye returns the bytes that follow the last message; nil for none.
	goodbye func(Reason) []byte

	// appendHead writes the head of a message of n bytes. Set before the first Send.
	appendHead func(dst []byte, n int) []byte

	ended  atomic.Bool // closing, readable without mu
	limits atomic.Pointer[PeerLimits]

	mu         sync.Mutex
	flushed    sync.Cond // on mu: flushing became false
	queue      []outgoing
	queued     int // cost of all messages in queue and in the flusher's hands
	unreliable int // messages in queue that may be dropped
	flushing   bool
	closing    bool
	broken     bool      // a write failed
	writeArmed time.Time // when the write deadline was set last
	reason     Reason
}

// outgoing is one message that waits.
type outgoing struct {
	msg  []byte
	kind outgoingKind
}

type outgoingKind uint8

const (
	outReliable   outgoingKind = iota // a message; gets a head
	outUnreliable                     // likewise, and may be dropped when the queue is full
	outWhole                          // has its head: ping answers and control frames
)

// outgoingCost is what a message in the queue costs beside its bytes.
const outgoingCost = 40

func newStreamSession(l *streamListener, conn net.Conn, remote netip.AddrPort) *streamSession {
	s := &streamSession{
		id: nextSessionID(), l: l, conn: conn, raw: conn,
		info: Info{Kind: l.kind, Remote: remote, Local: l.local, Listener: l.cfg.Name, IPv6: remote.Addr().Is6()},
	}
	s.SetLimits(&l.peerLimits)
	s.applyLimits()
	s.flushed.L = &s.mu
	if l.cfg.TLS != nil {
		s.conn = tls.Server(conn, l.cfg.TLS)
	}
	// One deadline for the whole init phase: a client that sends a byte now and
	// then must not stretch it.
	s.readAt = time.Now()
	_ = s.conn.SetDeadline(s.readAt.Add(l.limits.InitTimeout))
	return s
}

// ID implements Session.
func (s *streamSession) ID() uint64 { return s.id }

// Info implements Session.
func (s *streamSession) Info() *Info { return &s.info }

// RTT implements Session: streams do not measure it.
func (s *streamSession) RTT() time.Duration { return 0 }

// SetLimits implements Limited.
func (s *streamSession) SetLimits(l *PeerLimits) { s.limits.Store(l) }

// applyLimits takes over what SetLimits was told. It is the reading goroutine's.
func (s *streamSession) applyLimits() {
	l := s.limits.Load()
	if l == s.applied {
		return
	}
	s.applied = l
	s.perMsg = newBudget(l.MaxMessagesPerSecond, l.messageBurst())
	s.perByte = newBudget(l.MaxBytesPerSecond, l.MaxMessageSize)
}

// Send implements Session.
func (s *streamSession) Send(msg []byte, d photon.Delivery) {
	kind := outReliable
	if d.Mode == photon.Unreliable || d.Mode == photon.UnreliableUnsequenced {
		kind = outUnreliable
	}
	s.push(outgoing{msg, kind})
}

// Close implements Session.
func (s *streamSession) Close(reason Reason) {
	s.mu.Lock()
	s.end(reason)
	s.mu.Unlock()
}

// push queues o and sees that a flusher runs.
func (s *streamSession) push(o outgoing) {
	cost := len(o.msg) + outgoingCost
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return
	}
	// One message is always taken, so that it may be as large as the limit.
	if s.queued > 0 && s.queued+cost > s.limits.Load().MaxQueuedBytes && !s.dropUnreliable(cost) {
		if o.kind == outUnreliable {
			s.l.counters.DroppedUnreliable.Add(1)
		} else {
			s.end(ReasonSendQueueFull)
		}
		return
	}
	s.queue = append(s.queue, o)
	s.queued += cost
	if o.kind == outUnreliable {
		s.unreliable++
	}
	if !s.flushing {
		s.flushing = true
		s.l.wg.Add(1) // the reading goroutine is still in wg: it ends only after closing
		go s.flush()
	}
}

// dropUnreliable drops the oldest unreliable messages until cost fits. It is
// called with mu held.
func (s *streamSession) dropUnreliable(cost int) bool {
	if s.unreliable == 0 {
		return false
	}
	kept, limit := s.queue[:0], s.limits.Load().MaxQueuedBytes
	for _, o := range s.queue {
		if o.kind == outUnreliable && s.queued+cost > limit {
			s.queued -= len(o.msg) + outgoingCost
			s.unreliable--
			s.l.counters.DroppedUnreliable.Add(1)
			continue
		}
		kept = append(kept, o)
	}
	clear(s.queue[len(kept):])
	s.queue = kept
	return s.queued+cost <= limit
}

// end starts the end of the session, once: from here on nothing is queued, what
// is queued has a deadline, and the reading goroutine wakes up to finish. It is
// called with mu held.
func (s *streamSession) end(reason Reason) {
	if s.closing {
		return
	}
	s.closing, s.reason = true, reason
	s.ended.Store(true)
	switch reason {
	case ReasonSendQueueFull, ReasonClientDisconnect, ReasonConnectionLost, ReasonTimeout:
		clear(s.queue) // the client does not read, or no longer
		s.queue = s.queue[:0]
	}
	now := time.Now()
	_ = s.raw.SetWriteDeadline(now.Add(streamCloseTimeout))
	_ = s.raw.SetReadDeadline(now.Add(-time.Second))
}

// setReadDeadline sets the deadline unless the session ends: then the one that
// woke the reader stays.
func (s *streamSession) setReadDeadline(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closing {
		_ = s.raw.SetReadDeadline(t)
	}
}

// start ends the init phase: the answer is queued, then the Acceptor asked.
func (s *streamSession) start(in photon.Init, answer []byte) {
	s.info.AppID, s.info.ClientVersion = in.AppID, in.ClientVersion
	s.info.IPv6 = s.info.IPv6 || in.IPv6
	if in.Token != nil {
		s.info.Token = append([]byte(nil), in.Token...)
	}
	s.started = true
	s.armed = time.Time{}
	s.l.counters.Peers.Add(1)
	s.push(outgoing{answer, outReliable})
	if s.receiver = s.l.cfg.Acceptor.Accept(s); s.receiver == nil {
		s.l.counters.Refused.Add(1)
		s.Close(ReasonServerDisconnect)
		return
	}
	s.l.counters.Accepted.Add(1)
}

// deliver hands one message to the Receiver if the client's budget allows it.
// It returns false when the session has ended.
func (s *streamSession) deliver(msg []byte, d photon.Delivery) bool {
	if !s.spend() {
		return false
	}
	s.receiver.Receive(msg, d)
	return !s.ended.Load()
}

// spend takes one message off the client's budget.
func (s *streamSession) spend() bool {
	s.messages++
	if s.perMsg != nil && !s.perMsg.AllowN(s.readAt, 1) {
		s.exceed(ReasonRateLimit)
		return false
	}
	return !s.ended.Load()
}

// exceed ends the session of a client that hit a limit, and tells it which:
// WebSocket clients by the close frame. It is the reading goroutine's.
func (s *streamSession) exceed(reason Reason) {
	if s.started && s.info.Kind == TCP {
		if msg := limitNotice(s.info.Protocol, reason); msg != nil {
			s.push(outgoing{msg, outReliable})
		}
	}
	s.Close(reason)
}

// malformed ends the session of a client that breaks the protocol.
func (s *streamSession) malformed() {
	s.l.counters.Malformed.Add(1)
	s.Close(ReasonProtocolError)
}

// readMore waits for more bytes. It returns false when the session has ended.
func (s *streamSession) readMore() bool {
	if s.messages > 0 {
		s.l.counters.MessagesIn.Add(s.messages)
		s.messages = 0
	}
	if s.ended.Load() {
		return false
	}
	// A deadline is set anew only when an eighth of the time has passed: most
	// reads of a busy client then need no timer.
	if idle := s.l.limits.IdleTimeout; s.started && s.readAt.Sub(s.armed) > idle/8 {
		s.setReadDeadline(s.readAt.Add(idle + idle/8))
		s.armed = s.readAt
	}
	n, err := s.in.read(s.conn)
	if n > 0 {
		s.readAt = time.Now()
		s.l.counters.BytesIn.Add(int64(n))
		s.applyLimits()
		if s.perByte != nil && !s.perByte.AllowN(s.readAt, n) {
			s.exceed(ReasonByteRateLimit)
		}
		return !s.ended.Load()
	}
	if err != nil && !s.ended.Load() {
		s.readFailed(err)
	}
	return false
}

func (s *streamSession) readFailed(err error) {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded) && !s.started:
		s.Close(ReasonInitTimeout)
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.Close(ReasonTimeout)
	case errors.Is(err, io.EOF) && s.info.Kind == TCP:
		// A TCP client says goodbye by closing its socket (wire.md 5); a WebSocket
		// client by a close frame before that.
		s.peerGone = true
		s.Close(ReasonClientDisconnect)
	default:
		s.peerGone = true
		s.Close(ReasonConnectionLost)
	}
}

// finish ends the connection: it tells the Receiver, waits until what was queued
// is out, says goodbye, and gives the client a moment to close first, because
// closing with unread bytes would destroy what is still on its way.
func (s *streamSession) finish() {
	s.mu.Lock()
	s.end(ReasonUnknown) // has ended already, or else serve has returned early
	reason := s.reason
	s.mu.Unlock()
	if s.started || reason != ReasonServerDisconnect { // not the answers to plain HTTP
		s.l.counters.Closed[reason].Add(1)
	}
	s.l.counters.MessagesIn.Add(s.messages)
	if s.started {
		s.l.counters.Peers.Add(-1)
	}
	if s.receiver != nil {
		s.receiver.Closed(reason)
	}
	s.mu.Lock()
	for s.flushing {
		s.flushed.Wait()
	}
	broken := s.broken
	s.mu.Unlock()
	if !s.peerGone && !broken {
		s.part(reason)
	}
	_ = s.raw.Close() // not TLS's: it could wait for a client that does not read
}

// part is the last of a connection that still stands.
func (s *streamSession) part(reason Reason) {
	if s.goodbye != nil {
		_ = s.raw.SetWriteDeadline(time.Now().Add(streamCloseTimeout))
		if _, err := s.conn.Write(s.goodbye(reason)); err != nil {
			return
		}
	}
	half, ok := s.conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	// Shutdown may cut this short by closing the socket.
	_ = s.raw.SetReadDeadline(time.Now().Add(streamCloseTimeout))
	var sink [512]byte
	for {
		if _, err := s.raw.Read(sink[:]); err != nil {
			return
		}
	}
}
