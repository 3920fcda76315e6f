package webcall

import (
	"container/list"
	"context"
	"slices"
	"time"
)

// Lane is the queue of one room: its calls start in the order of Do, at most
// Config.LaneConcurrent at once. Its methods may be called from any goroutine
// and never block.
type Lane struct {
	service *Service

	// What follows is under the service's lock.
	closed  bool
	waiting list.List // of *call
	running []*call
	ready   *list.Element // of service.ready
}

// call is one request on its way through a lane.
type call struct {
	lane    *Lane
	ctx     context.Context
	request *Request
	done    func(Response)
	// stop ends the watch on ctx.
	stop func() bool

	// What follows is under the service's lock.
	queued        time.Time
	epoch         int
	probe         bool
	inLane, inAll *list.Element      // while it waits
	cancel        context.CancelFunc // while it runs
}

// Do makes a call when its turn comes. done is called exactly once with what
// came of it: before Do returns where the call is refused, else later from
// another goroutine. When ctx ends or the lane is closed before, done is not
// called any more (a done that has begun may still be running), and the call is
// broken off. done must not block.
func (l *Lane) Do(ctx context.Context, r *Request, done func(Response)) {
	s := l.service
	c := &call{lane: l, ctx: ctx, request: r, done: done}
	c.stop = context.AfterFunc(ctx, func() { l.abandon(c) })
	s.mu.Lock()
	if l.closed || s.closed || ctx.Err() != nil {
		s.mu.Unlock()
		c.stop()
		return
	}
	refused, ok := s.admit(c)
	if !ok {
		s.ended[refused.Status]++
		s.mu.Unlock()
		deliver([]answer{{c, refused}})
		return
	}
	c.queued = time.Now()
	c.inLane, c.inAll = l.waiting.PushBack(c), s.waiting.PushBack(c)
	s.bytes += len(r.Body)
	l.update()
	s.dispatch()
	if c.inAll != nil && s.expiry == nil {
		s.expiry = time.AfterFunc(s.cfg.QueueTimeout, s.expire)
	}
	s.mu.Unlock()
}

// Close breaks off the lane's calls; their done is not called. Goroutines of
// calls under way end as soon as they notice.
func (l *Lane) Close() {
	s := l.service
	s.mu.Lock()
	defer s.mu.Unlock()
	l.closed = true
	for e := l.waiting.Front(); e != nil; e = l.waiting.Front() {
		c := e.Value.(*call)
		c.stop()
		s.forget(c)
	}
	for _, c := range slices.Clone(l.running) {
		c.stop()
		c.cancel()
		s.forget(c)
	}
	s.dispatch()
}

// abandon forgets a call whose context has ended.
func (l *Lane) abandon(c *call) {
	s := l.service
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.inAll != nil {
		s.forget(c)
		s.dispatch()
	}
	// One that runs ends by itself: its context is a child.
}

// What follows is called with the lock held.

// start moves a call from those that wait to those that run.
func (l *Lane) start(c *call) {
	l.remove(c)
	l.running = append(l.running, c)
	// The lane goes to the end of those that are ready, if it still is.
	if l.ready != nil {
		l.service.ready.Remove(l.ready)
		l.ready = nil
	}
	l.update()
}

// remove takes a call out of the lane, wherever it is.
func (l *Lane) remove(c *call) {
	if c.inAll != nil {
		l.waiting.Remove(c.inLane)
		l.service.waiting.Remove(c.inAll)
		l.service.bytes -= len(c.request.Body)
		c.inLane, c.inAll = nil, nil
	}
	if i := slices.Index(l.running, c); i >= 0 {
		l.running = slices.Delete(l.running, i, i+1)
	}
	l.update()
}

// update puts the lane among those that may start a call, or takes it out.
func (l *Lane) update() {
	ready := l.waiting.Len() > 0 && len(l.running) < l.service.cfg.LaneConcurrent
	switch {
	case ready && l.ready == nil:
		l.ready = l.service.ready.PushBack(l)
	case !ready && l.ready != nil:
		l.service.ready.Remove(l.ready)
		l.ready = nil
	}
}
