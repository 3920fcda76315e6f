package s2s

import (
	"sync"
	"time"
)

const (
	// userDelay is the least time between two batches of users (cluster.md 12.3).
	userDelay = 100 * time.Millisecond
	// userBatch and batchBytes keep a batch well below what one message may hold.
	userBatch = 2000
)

// UserPublisher tells the other masters which users are connected to this one. It
// knows all of them and, for each link, whose number of connections has changed;
// so a slow link costs no memory. Its methods may be called from any goroutine and
// do not wait, except Close.
type UserPublisher struct {
	mu     sync.Mutex // guards the fields below and those of feeds
	users  map[UserAt]int
	links  map[*Link]*userFeed
	closed bool

	running sync.WaitGroup
}

// userFeed is one link's part: by how much each user's connections have changed
// since the link was told.
type userFeed struct {
	changed map[UserAt]int
	wake    chan struct{} // capacity 1
}

// NewUserPublisher returns a publisher without users.
func NewUserPublisher() *UserPublisher {
	return &UserPublisher{users: make(map[UserAt]int), links: make(map[*Link]*userFeed)}
}

// Connected and Disconnected count a user's connections.
func (p *UserPublisher) Connected(app, user string)    { p.add(UserAt{App: app, User: user}, 1) }
func (p *UserPublisher) Disconnected(app, user string) { p.add(UserAt{App: app, User: user}, -1) }

func (p *UserPublisher) add(u UserAt, n int) {
	if len(u.App)+len(u.User) > maxKey {
		return // can't be told, and would be nobody's friend
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.users[u] += n; p.users[u] <= 0 {
		delete(p.users, u)
	}
	for _, f := range p.links {
		if f.changed[u] += n; f.changed[u] == 0 {
			delete(f.changed, u)
		}
		notify(f.wake)
	}
}

// Attach starts to publish on a link, with all users. It ends when the link does.
func (p *UserPublisher) Attach(l *Link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.links[l] != nil {
		return
	}
	f := &userFeed{changed: make(map[UserAt]int, len(p.users)), wake: make(chan struct{}, 1)}
	for u, n := range p.users {
		f.changed[u] = n
	}
	p.links[l] = f
	notify(f.wake)
	p.running.Go(func() {
		p.publish(l, f)
		p.mu.Lock()
		delete(p.links, l)
		p.mu.Unlock()
	})
}

// Close waits until the publisher no longer uses any link. All links must have
// ended, or end soon; no further one is taken.
func (p *UserPublisher) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.running.Wait()
}

// publish serves one link until it ends.
func (p *UserPublisher) publish(l *Link, f *userFeed) {
	delay := time.NewTimer(0)
	defer delay.Stop()
	for {
		select {
		case <-l.Done():
			return
		case <-f.wake:
		}
		for more := true; more; {
			var m *UserDelta
			m, more = p.take(f)
			if m == nil {
				break
			}
			for l.Queued() > publishQueue {
				select {
				case <-l.space:
				case <-l.Done():
					return
				}
			}
			if err := l.Send(m); err != nil {
				// What could not be sent would make the other master wrong for good.
				l.fail(err)
				return
			}
		}
		delay.Reset(userDelay)
		select {
		case <-l.Done():
			return
		case <-delay.C:
		}
	}
}

// take returns the next batch, nil for none, and whether there is more.
func (p *UserPublisher) take(f *userFeed) (m *UserDelta, more bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	size := 0
	for u, n := range f.changed {
		if m == nil {
			m = &UserDelta{Master: true}
		}
		if len(m.Joined)+len(m.Left) >= userBatch || size >= batchBytes {
			return m, true
		}
		size += len(u.App) + len(u.User)
		if n > 0 {
			m.Joined = append(m.Joined, u)
			n--
		} else {
			m.Left = append(m.Left, u)
			n++
		}
		if f.changed[u] = n; n == 0 {
			delete(f.changed, u)
		}
	}
	return m, len(f.changed) > 0
}
