package s2s

import (
	"errors"
	"sync"
	"time"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/lobby"
)

// How rooms are collected (cluster.md 12.3).
const (
	// batchDelay is the least time between two batches in the long run; batchBurst of
	// them may go out at once. So where not much happens every change does: a player
	// who hears of one from another finds it at the master.
	batchDelay   = 5 * time.Millisecond
	batchBurst   = 100
	batchRecords = 200
	// batchBytes keeps a batch well below the values that one message may hold
	// (gpbinary.MaxNodes), of which each takes a byte at least.
	batchBytes = 64 << 10
	// recordBytes is the largest record that is sent with its properties.
	recordBytes = 1 << 20
	// publishQueue is how much may wait on a link before the publisher waits too;
	// the rest of MaxQueue is for what others send.
	publishQueue = 2 << 20
	// maxKey is the longest RoomKey, the limit of V16 strings.
	maxKey = 32767
)

// Publisher tells masters about the rooms of a game server. It knows the present
// state of every room and, for each link, which rooms have changed; so a slow
// master gets fewer, later updates and costs no memory. Its methods may be called
// from any goroutine and do not wait, except Close.
type Publisher struct {
	failed func(*lobby.Record, error)

	mu     sync.Mutex // guards the fields below and those of subscriptions
	rooms  map[string]*lobby.Record
	links  map[*Link]*subscription
	closed bool

	running sync.WaitGroup
}

// subscription is one link's part. dirty are rooms to send: as they are, or as
// removed if they are no more; true for those that the link was not told of yet.
// brief are rooms that were over before it was: it is told that they were there,
// since the master holds their names until it hears of them.
type subscription struct {
	link     *Link
	dirty    map[string]bool
	brief    []*lobby.Record
	snapshot bool
	waiters  []chan struct{} // of Flushed; closed by the next flush
	rev      int64           // of the last message; owned by the goroutine
	wake     chan struct{}   // capacity 1: there is something to do
	full     chan struct{}   // capacity 1: there is no reason to wait for more
}

// NewPublisher returns a publisher without rooms. failed is told of rooms that
// can't be published because their names or user ids are too long; it may be nil
// and must not block.
func NewPublisher(failed func(*lobby.Record, error)) *Publisher {
	return &Publisher{failed: failed, rooms: make(map[string]*lobby.Record), links: make(map[*Link]*subscription)}
}

// Upsert publishes a room that is new or has changed. r must not change any more.
func (p *Publisher) Upsert(r lobby.Record) {
	key := RoomKey(r.App, r.Name)
	p.mu.Lock()
	defer p.mu.Unlock()
	_, known := p.rooms[key]
	p.rooms[key] = &r
	for _, s := range p.links {
		s.mark(key, !known || s.dirty[key])
	}
}

// Remove takes a room back.
func (p *Publisher) Remove(app, name string) {
	key := RoomKey(app, name)
	p.mu.Lock()
	defer p.mu.Unlock()
	r, ok := p.rooms[key]
	if !ok {
		return
	}
	delete(p.rooms, key)
	for _, s := range p.links {
		if s.dirty[key] {
			s.brief = append(s.brief, &lobby.Record{
				App: r.App, Name: r.Name, Lobby: r.Lobby, Open: true, Closing: true, Created: r.Created, Incarnation: r.Incarnation,
			})
		}
		s.mark(key, false)
	}
}

// mark is called with the publisher's lock.
func (s *subscription) mark(key string, isNew bool) {
	s.dirty[key] = isNew
	notify(s.wake)
	if len(s.dirty) >= batchRecords {
		notify(s.full)
	}
}

// Attach starts to publish on a link, with a snapshot. The owner calls it when a
// link to a master is up. It ends by itself when the link does.
func (p *Publisher) Attach(l *Link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.links[l] != nil {
		return
	}
	s := &subscription{
		link: l, dirty: make(map[string]bool), snapshot: true,
		wake: make(chan struct{}, 1), full: make(chan struct{}, 1),
	}
	p.links[l] = s
	notify(s.wake)
	p.running.Go(func() {
		p.publish(s)
		p.mu.Lock()
		delete(p.links, l)
		p.mu.Unlock()
	})
}

// Resync sends a snapshot again: the owner calls it when the master asks for it
// with the event Resync.
func (p *Publisher) Resync(l *Link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.links[l]; s != nil {
		s.snapshot = true
		notify(s.wake)
		notify(s.full)
	}
}

// Flushed returns a channel that is closed when everything that the publisher
// was told before has been queued on l, so that what the caller sends next
// arrives behind it. It is never closed when the link ends before.
func (p *Publisher) Flushed(l *Link) <-chan struct{} {
	done := make(chan struct{})
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.links[l]
	if s == nil {
		close(done)
		return done
	}
	s.waiters = append(s.waiters, done)
	notify(s.wake)
	notify(s.full)
	return done
}

// Close waits until the publisher no longer uses any link. All links must have
// ended, or end soon; no further one is taken.
func (p *Publisher) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.running.Wait()
}

// publish serves one link until it ends.
func (p *Publisher) publish(s *subscription) {
	delay := time.NewTimer(0)
	defer delay.Stop()
	// earned is the time for which no batch was sent, up to batchBurst of them.
	earned, last := batchBurst*batchDelay, time.Now()
	for {
		select {
		case <-s.link.Done():
			return
		case <-s.wake:
		}
		if err := p.flush(s); err != nil {
			// Without what could not be sent the master would be wrong for good.
			s.link.fail(err)
			return
		}
		now := time.Now()
		earned, last = min(earned+now.Sub(last), batchBurst*batchDelay)-batchDelay, now
		if earned >= batchDelay {
			continue
		}
		delay.Reset(batchDelay)
		select {
		case <-s.link.Done():
			return
		case <-s.full:
		case <-delay.C:
		}
	}
}

// flush sends what has changed, or everything.
func (p *Publisher) flush(s *subscription) error {
	p.mu.Lock()
	var rooms []*lobby.Record
	var gone []string
	snapshot := s.snapshot
	if snapshot {
		rooms = make([]*lobby.Record, 0, len(p.rooms))
		for _, r := range p.rooms {
			rooms = append(rooms, r)
		}
	} else {
		rooms = s.brief
		for key := range s.dirty {
			if r := p.rooms[key]; r != nil {
				rooms = append(rooms, r)
			} else if len(key) <= maxKey {
				gone = append(gone, key)
			}
		}
	}
	waiters := s.waiters
	s.snapshot, s.brief, s.waiters = false, nil, nil
	clear(s.dirty)
	select {
	case <-s.full:
	default:
	}
	p.mu.Unlock()

	if snapshot {
		if err := s.send(&SnapshotBegin{s.rev + 1, int32(len(rooms))}); err != nil {
			return err
		}
	}
	if err := p.sendRooms(s, rooms); err != nil {
		return err
	}
	if err := s.sendGone(gone); err != nil {
		return err
	}
	if snapshot {
		if err := s.send(&SnapshotEnd{s.rev + 1}); err != nil {
			return err
		}
	}
	for _, w := range waiters {
		close(w)
	}
	return nil
}

func (p *Publisher) sendRooms(s *subscription, rooms []*lobby.Record) error {
	var batch gpbinary.ObjectArray
	size := 0
	send := func() error {
		if len(batch) == 0 {
			return nil
		}
		err := s.send(&encodedBatch{s.rev + 1, batch})
		batch, size = nil, 0
		return err
	}
	for _, r := range rooms {
		b, err := encodeRecord(r)
		if err != nil {
			if p.failed != nil {
				p.failed(r, err)
			}
			continue
		}
		if len(batch) > 0 && size+len(b) > batchBytes {
			if err := send(); err != nil {
				return err
			}
		}
		batch = append(batch, gpbinary.Raw{Version: gpbinary.V16, Bytes: b})
		size += len(b)
		if len(batch) == batchRecords {
			if err := send(); err != nil {
				return err
			}
		}
	}
	return send()
}

// encodeRecord writes a record. One whose properties are too large for a message
// goes without them: that it can be joined matters more.
func encodeRecord(r *lobby.Record) ([]byte, error) {
	b, err := appendRecord(nil, r)
	if err == nil && len(b) > recordBytes {
		bare := *r
		bare.Properties = nil
		b, err = appendRecord(nil, &bare)
	}
	if err == nil && (len(b) > recordBytes || len(RoomKey(r.App, r.Name)) > maxKey) {
		err = errors.New("s2s: record or name is too large")
	}
	return b, err
}

func (s *subscription) sendGone(keys []string) error {
	for len(keys) > 0 {
		n, size := 0, 0
		for n < len(keys) && n < batchRecords && size < batchBytes {
			size += len(keys[n])
			n++
		}
		if err := s.send(&RoomRemove{s.rev + 1, keys[:n], RemoveClosed}); err != nil {
			return err
		}
		keys = keys[n:]
	}
	return nil
}

// send waits for room on the link and sends m, whose revision is s.rev+1.
func (s *subscription) send(m Message) error {
	for s.link.Queued() > publishQueue {
		select {
		case <-s.link.space:
		case <-s.link.Done():
			return ErrDown
		}
	}
	err := s.link.Send(m)
	if err == nil {
		s.rev++
	}
	return err
}
