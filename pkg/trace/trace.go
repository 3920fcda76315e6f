// Package trace writes down what one user, or everybody, says to a server and
// hears from it: decoded as text, and as a capture that Wireshark opens. It sees
// messages as applications do, decrypted; what would let a reader take a user's
// place is masked. It knows nothing of rooms and is off by default.
package trace

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/transport"
)

// Bounds. What does not fit is left out and counted.
const (
	maxQueued      = 4096     // messages that wait to be written
	maxQueuedBytes = 16 << 20 // bytes of them
	maxPending     = 64 << 10 // bytes of a peer whose user is not known yet
	maxPendingAll  = 16 << 20 // bytes of all such peers
	maxPeers       = 256      // peers that have files at a time
	maxFile        = 64 << 20 // bytes of a peer's text or capture
)

// Tracer traces the peers of one server. It is an app.Tracer.
type Tracer struct {
	dir, user, server string

	start sync.Once
	queue chan record
	size  atomic.Int64 // bytes in queue
	lost  atomic.Int64
	done  chan struct{}

	// mu keeps Close from closing the queue under a sender.
	mu     sync.RWMutex
	closed bool

	// The writer's own.
	pending, open int
}

// record is a message on its way to the writer, or with end the end of a peer.
type record struct {
	peer       *peer
	at         time.Time
	msg        []byte
	fromClient bool
	d          photon.Delivery
	end        bool
	reason     transport.Reason
}

// New returns a tracer that writes into dir, which it makes, a pair of files per
// peer. user is the UserId to trace; empty traces everybody. server is a part of
// the files' names.
func New(dir, user, server string) (*Tracer, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	return &Tracer{dir: dir, user: user, server: server, queue: make(chan record, maxQueued), done: make(chan struct{})}, nil
}

// Open begins to trace a peer.
func (t *Tracer) Open(s transport.Session) app.Tap {
	t.start.Do(func() { go t.write() })
	return &peer{t: t, id: s.ID(), info: s.Info(), opened: time.Now()}
}

// Lost is the number of messages that were left out because the disk was too
// slow or a bound was reached.
func (t *Tracer) Lost() int64 { return t.lost.Load() }

// Close writes what waits and closes all files.
func (t *Tracer) Close() error {
	t.mu.Lock()
	first := !t.closed
	t.closed = true
	t.mu.Unlock()
	if first {
		close(t.queue)
	}
	t.start.Do(func() { close(t.done) }) // there is no writer
	<-t.done
	return nil
}

// post hands r to the writer, or loses it: the peer's loop must not wait for a disk.
func (t *Tracer) post(r record) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.closed {
		return
	}
	n := int64(len(r.msg))
	if t.size.Add(n) > maxQueuedBytes {
		t.size.Add(-n)
		t.lost.Add(1)
		return
	}
	select {
	case t.queue <- r:
	default:
		t.size.Add(-n)
		t.lost.Add(1)
	}
}

// peer is one traced session. It is an app.Tap.
type peer struct {
	t      *Tracer
	id     uint64
	info   *transport.Info
	opened time.Time
	off    atomic.Bool // its user is another one

	// The writer's own.
	known   bool     // the user is known, or does not matter
	held    []record // until then
	heldLen int
	user    string // what the client says who it is
	files   *files
}

// Message implements app.Tap.
func (p *peer) Message(msg []byte, fromClient bool, d photon.Delivery) {
	if p.off.Load() {
		return
	}
	p.t.post(record{peer: p, at: time.Now(), msg: append([]byte(nil), msg...), fromClient: fromClient, d: d})
}

// Closed implements app.Tap.
func (p *peer) Closed(reason transport.Reason) {
	p.t.post(record{peer: p, at: time.Now(), end: true, reason: reason})
}

// write is the writer: it owns all files.
func (t *Tracer) write() {
	defer close(t.done)
	traced := map[*peer]struct{}{}
	for r := range t.queue {
		t.size.Add(-int64(len(r.msg)))
		t.record(r)
		if r.peer.files != nil {
			traced[r.peer] = struct{}{}
		}
		if r.end {
			delete(traced, r.peer)
		}
	}
	for p := range traced {
		p.files.close()
	}
}

func (t *Tracer) record(r record) {
	p := r.peer
	if p.off.Load() {
		return
	}
	if !p.known && t.user == "" {
		p.known = true
	}
	if p.known {
		t.put(r)
		return
	}
	p.held = append(p.held, r)
	p.heldLen += len(r.msg)
	t.pending += len(r.msg)
	if !r.end {
		p.identify(r)
	}
	switch {
	case p.known:
		held := p.held
		t.forget(p)
		for _, r := range held {
			t.put(r)
		}
	case r.end || p.off.Load() || p.heldLen > maxPending || t.pending > maxPendingAll:
		p.off.Store(true)
		t.forget(p)
	}
}

func (t *Tracer) forget(p *peer) {
	t.pending -= p.heldLen
	p.held, p.heldLen = nil, 0
}

// identify finds the user in an authentication. What the server answers counts
// more than what the client asks for.
func (p *peer) identify(r record) {
	m, err := decode(p.info.Protocol, r.msg)
	if err != nil || m.op != photon.OpAuthenticate && m.op != photon.OpAuthenticateOnce {
		return
	}
	user, has := m.text(photon.ParamUserID)
	switch m.kind {
	case photon.TypeRequest:
		if has {
			p.user = user
		}
	case photon.TypeResponse:
		if m.code != 0 {
			return
		}
		if !has {
			user = p.user
		}
		p.known = user == p.t.user
		p.off.Store(!p.known)
	}
}

// put writes one record.
func (t *Tracer) put(r record) {
	p := r.peer
	if p.files == nil {
		if r.end {
			return
		}
		if t.open >= maxPeers {
			t.lost.Add(1)
			return
		}
		f, err := create(t.dir, t.server, p)
		if err != nil {
			p.off.Store(true)
			t.lost.Add(1)
			return
		}
		p.files = f
		t.open++
	}
	if r.end {
		p.files.end(r)
		p.files.close()
		p.files = nil
		p.off.Store(true)
		t.open--
		return
	}
	if !p.files.message(p.info, r) {
		t.lost.Add(1)
	}
}
