package s2s

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// Errors of links. A link that broke ends with the error of its socket instead.
var (
	ErrDown      = errors.New("s2s: link is down")
	ErrClosed    = errors.New("s2s: link was closed")
	ErrQueueFull = errors.New("s2s: the other side does not read fast enough")
	ErrReplaced  = errors.New("s2s: a newer link of the same server took over")
	ErrRequests  = errors.New("s2s: too many requests wait for a response")
)

// Handlers are what the owner of links wants to hear. All are optional. For one
// link they are called from one goroutine and in order: Up, then what arrives,
// then Down. They must not block: while they do, nothing else of the link is
// read. In particular none may wait for Link.Request.
type Handlers struct {
	// Up: the link is authenticated and may be used.
	Up func(*Link)
	// Down: the link has ended, for this reason.
	Down func(*Link, error)
	// Message brings an operation without an answer.
	Message func(*Link, Message)
	// Request brings every other operation. The owner calls r.Reply, then or
	// later; without a handler the answer is ReturnUnknown.
	Request func(*Link, *Request)
	// Event brings an event.
	Event func(*Link, Event)
	// Failed tells of a link that did not come up, and of answers to messages
	// that the other side could not use. addr is the other side's address.
	Failed func(addr string, err error)
}

// Link is one connection to another server. Its methods may be called from any
// goroutine; none but Request waits.
type Link struct {
	conn     net.Conn
	in       *frameReader
	dialer   bool
	peer     Hello
	handlers *Handlers
	started  time.Time

	mu      sync.Mutex // guards the fields below
	out     []byte     // frames that wait to be written
	flying  int        // bytes being written
	pending map[int32]chan Response
	lastID  int32
	closing bool  // no more frames are taken, what waits is written
	err     error // why the link ended

	wake  chan struct{} // capacity 1: out or closing changed
	space chan struct{} // capacity 1: the writer made progress
	done  chan struct{} // closed when the link ends
	gone  chan struct{} // closed after Handlers.Down
}

// Response is the answer to a request.
type Response struct {
	ReturnCode int16
	Debug      string
	Params     gpbinary.Params
}

// Request is an operation of the other side that wants an answer.
type Request struct {
	Op     Op
	Params gpbinary.Params
	link   *Link
	id     int32
	hasID  bool
}

func newLink(conn net.Conn, in *frameReader, dialer bool, h *Handlers) *Link {
	return &Link{
		conn: conn, in: in, dialer: dialer, handlers: h, started: time.Now(),
		pending: make(map[int32]chan Response),
		wake:    make(chan struct{}, 1),
		space:   make(chan struct{}, 1),
		done:    make(chan struct{}),
		gone:    make(chan struct{}),
	}
}

// Peer is what the other side said about itself when the link opened. On the
// dialling side only ID, Role and Generation are known.
func (l *Link) Peer() Hello { return l.peer }

// RemoteAddr is the address of the other end of the connection.
func (l *Link) RemoteAddr() net.Addr { return l.conn.RemoteAddr() }

// Done is closed when the link has ended.
func (l *Link) Done() <-chan struct{} { return l.done }

// Queued is the number of bytes that wait to be sent.
func (l *Link) Queued() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.out) + l.flying
}

// Send queues a message. Errors: ErrDown; ErrQueueFull, which ends the link; or
// that of the encoder, for texts longer than 32767 bytes or more than MaxFrame
// in all, which leaves the link as it is.
func (l *Link) Send(m Message) error {
	p, err := m.params()
	if err != nil {
		return err
	}
	return l.send(func(b []byte) ([]byte, error) {
		return photon.AppendRequest(b, photon.GpBinaryV16, photon.OpCode(m.op()), p)
	})
}

// SendEvent queues an event. Errors as with Send.
func (l *Link) SendEvent(e Event) error {
	return l.send(func(b []byte) ([]byte, error) {
		return photon.AppendEvent(b, photon.GpBinaryV16, photon.EventCode(e.code()), e.params())
	})
}

// Request sends an operation and waits for its answer, the end of the link
// (ErrDown) or the end of ctx. Key 255 of params is the link's own.
func (l *Link) Request(ctx context.Context, op Op, params gpbinary.Params) (Response, error) {
	answer := make(chan Response, 1)
	l.mu.Lock()
	if len(l.pending) >= maxRequests {
		l.mu.Unlock()
		return Response{}, ErrRequests
	}
	l.lastID++
	id := l.lastID
	l.pending[id] = answer
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		delete(l.pending, id)
		l.mu.Unlock()
	}()
	p := append(params[:len(params):len(params)], param(requestID, id))
	err := l.send(func(b []byte) ([]byte, error) {
		return photon.AppendRequest(b, photon.GpBinaryV16, photon.OpCode(op), p)
	})
	if err != nil {
		return Response{}, err
	}
	select {
	case r := <-answer:
		return r, nil
	case <-l.done:
		return Response{}, ErrDown
	case <-ctx.Done():
		return Response{}, fmt.Errorf("s2s: operation %d: %w", op, ctx.Err())
	}
}

// Reply answers the request. It is called once. Errors as with Link.Send.
func (r *Request) Reply(returnCode int16, debug string, params gpbinary.Params) error {
	if r.hasID {
		params = append(params[:len(params):len(params)], param(requestID, r.id))
	}
	return r.link.respond(r.Op, returnCode, debug, params)
}

func (l *Link) respond(op Op, rc int16, debug string, params gpbinary.Params) error {
	return l.send(func(b []byte) ([]byte, error) {
		return photon.AppendResponse(b, photon.GpBinaryV16, photon.OpCode(op), photon.ReturnCode(rc), debug, params)
	})
}

// Close ends the link after what is queued was written, at the latest when the
// other side stops reading for five seconds.
func (l *Link) Close() {
	l.mu.Lock()
	l.closing = true
	l.mu.Unlock()
	notify(l.wake)
}

// send queues the frame whose message write appends.
func (l *Link) send(write func([]byte) ([]byte, error)) error {
	l.mu.Lock()
	if l.closing || l.err != nil {
		l.mu.Unlock()
		return ErrDown
	}
	start := len(l.out)
	b, err := write(beginFrame(l.out))
	if err == nil && !endFrame(b, start) {
		err = fmt.Errorf("s2s: message of %d bytes, at most %d", len(b)-start, MaxFrame)
	}
	if err != nil {
		l.out = b[:start]
		l.mu.Unlock()
		return err
	}
	l.out = b
	full := len(l.out)+l.flying > MaxQueue
	l.mu.Unlock()
	if full {
		l.fail(ErrQueueFull)
		return ErrQueueFull
	}
	notify(l.wake)
	return nil
}

// fail ends the link at once. The first error stays.
func (l *Link) fail(err error) {
	l.mu.Lock()
	first := l.err == nil
	if first {
		l.err = err
	}
	l.mu.Unlock()
	if first {
		close(l.done)
		// The socket's own error would say nothing that err does not.
		_ = l.conn.Close()
	}
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run reads and writes until the link ends, calling all handlers.
func (l *Link) run() {
	var writer sync.WaitGroup
	writer.Go(l.write)
	if l.handlers.Up != nil {
		l.handlers.Up(l)
	}
	err := l.read()
	l.mu.Lock()
	if l.closing && errors.Is(err, io.EOF) {
		err = ErrClosed // the other side closed after we did, as it should
	}
	l.mu.Unlock()
	l.fail(err)
	writer.Wait()
	if l.handlers.Down != nil {
		l.handlers.Down(l, l.err)
	}
	close(l.gone)
}

// write writes what is queued, and on the dialling side a ping each second: also
// when other things flow, because the answers are what shows that the other
// side lives.
func (l *Link) write() {
	ping := time.NewTicker(pingInterval)
	defer ping.Stop()
	if !l.dialer {
		ping.Stop()
	}
	var spare []byte
	for {
		select {
		case <-l.done:
			return
		case <-l.wake:
		case <-ping.C:
			l.mu.Lock()
			l.out = appendPing(l.out, l.clock())
			l.mu.Unlock()
		}
		for {
			l.mu.Lock()
			b, closing := l.out, l.closing
			if len(b) > 0 {
				// The two buffers change places: spare is written by nobody now.
				l.out, l.flying = spare[:0], len(b)
			}
			l.mu.Unlock()
			if len(b) == 0 {
				if closing {
					l.closeWrite()
					return
				}
				break
			}
			if err := l.writeAll(b); err != nil {
				l.fail(err)
				return
			}
			spare = b
			if cap(spare) > 1<<20 {
				spare = nil // a snapshot's worth need not stay
			}
		}
	}
}

// closeWrite ends our half of the connection and leaves the end to the other
// side, for a while: closing with bytes of theirs unread would reset the
// connection and could destroy what we said last.
func (l *Link) closeWrite() {
	half, ok := l.conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		l.fail(ErrClosed)
		return
	}
	timer := time.NewTimer(closeTimeout)
	defer timer.Stop()
	select {
	case <-l.done:
	case <-timer.C:
		l.fail(ErrClosed)
	}
}

func (l *Link) writeAll(b []byte) error {
	for len(b) > 0 {
		if err := l.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
			return err
		}
		n, err := l.conn.Write(b[:min(len(b), writeChunk)])
		if err != nil {
			return err
		}
		b = b[n:]
		l.mu.Lock()
		l.flying -= n
		l.mu.Unlock()
		notify(l.space)
	}
	return nil
}

// clock is the link's time in milliseconds, for pings.
func (l *Link) clock() uint32 { return uint32(time.Since(l.started).Milliseconds()) }

// read handles what arrives until something ends the link.
func (l *Link) read() error {
	for {
		b, ping, err := l.in.next()
		if err != nil {
			return err
		}
		if !ping {
			if err := l.receive(b); err != nil {
				return err
			}
			continue
		}
		if l.dialer {
			continue // that it came is all that matters
		}
		l.mu.Lock()
		if len(l.out)+l.flying <= MaxQueue {
			l.out = appendPong(l.out, l.clock(), be32(b))
		}
		l.mu.Unlock()
		notify(l.wake)
	}
}

// receive handles one message. An error is a violation of the protocol.
func (l *Link) receive(b []byte) error {
	t, encrypted, err := photon.Type(b)
	if err != nil || encrypted {
		return errors.New("s2s: not a message of this link")
	}
	body := b[2:]
	switch t {
	case photon.TypeRequest:
		r, n, err := gpbinary.DecodeRequest(gpbinary.V16, body)
		if err := complete(n, body, err); err != nil {
			return err
		}
		return l.request(Op(r.Code), r.Params)
	case photon.TypeResponse:
		r, n, err := gpbinary.DecodeResponse(gpbinary.V16, body)
		if err := complete(n, body, err); err != nil {
			return err
		}
		l.response(r)
		return nil
	case photon.TypeEvent:
		e, n, err := gpbinary.DecodeEvent(gpbinary.V16, body)
		if err := complete(n, body, err); err != nil {
			return err
		}
		event, known, err := parseEvent(EventCode(e.Code), e.Params)
		if known && err == nil && l.handlers.Event != nil {
			l.handlers.Event(l, event)
		}
		return err
	default:
		return fmt.Errorf("s2s: message type %d on a link", t)
	}
}

// complete turns bytes after a message's end into an error.
func complete(n int, body []byte, err error) error {
	if err == nil && n != len(body) {
		err = fmt.Errorf("s2s: %d bytes after the message's end at offset %d", len(body)-n, n)
	}
	return err
}

func (l *Link) request(op Op, p gpbinary.Params) error {
	m, ok, err := parseMessage(op, p)
	if err != nil {
		return err
	}
	if ok {
		if l.handlers.Message != nil {
			l.handlers.Message(l, m)
		}
		// The rare messages are acknowledged (cluster.md 12.3).
		switch op {
		case OpSnapshotBegin, OpSnapshotEnd, OpGoodbye:
			if err := l.respond(op, ReturnOk, "", nil); err != nil && !errors.Is(err, ErrDown) {
				return err
			}
		}
		return nil
	}
	r := &Request{Op: op, Params: p, link: l}
	if id, found := p.Get(requestID); found {
		if r.id, r.hasID = id.(int32); !r.hasID {
			return fmt.Errorf("s2s: parameter %d of operation %d is a %T", requestID, op, id)
		}
	}
	if l.handlers.Request == nil || op == OpHello || op == OpAuth {
		if err := r.Reply(ReturnUnknown, "unknown operation", nil); err != nil && !errors.Is(err, ErrDown) {
			return err
		}
		return nil
	}
	l.handlers.Request(l, r)
	return nil
}

func (l *Link) response(r *gpbinary.OperationResponse) {
	id, ok := r.Params.Get(requestID)
	if !ok {
		if r.ReturnCode != ReturnOk && l.handlers.Failed != nil {
			l.handlers.Failed(l.conn.RemoteAddr().String(), fmt.Errorf("s2s: operation %d was answered with %d %s", r.Code, r.ReturnCode, r.Debug))
		}
		return
	}
	n, _ := id.(int32)
	l.mu.Lock()
	answer := l.pending[n]
	delete(l.pending, n)
	l.mu.Unlock()
	// nil: the request was given up, or never made.
	if answer != nil {
		answer <- Response{r.ReturnCode, r.Debug, r.Params}
	}
}

// patience is a connection that gives up when nothing arrives for
// silenceTimeout, or at a fixed time while that is set.
type patience struct {
	net.Conn
	until time.Time
}

// CloseWrite ends our half of the connection where it has halves.
func (p *patience) CloseWrite() error {
	if half, ok := p.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

func (p *patience) Read(b []byte) (int, error) {
	until := p.until
	if until.IsZero() {
		until = time.Now().Add(silenceTimeout)
	}
	if err := p.SetReadDeadline(until); err != nil {
		return 0, err
	}
	return p.Conn.Read(b)
}
