package app

import (
	"math"
	"sync"
)

// Fiber runs messages one at a time and in order: a queue, one runner at a
// time, a goroutine only while there is work: one of its own, or of a Crew. State
// that only the fiber's run function touches needs no lock (design.md 3).
//
// An idle fiber costs its struct and nothing else.
type Fiber[T any] struct {
	run   func(batch []T)
	limit int
	lane  *lane // nil: a goroutine of its own

	mu      sync.Mutex
	queue   []T
	spare   []T
	running bool
	closed  bool
	idle    *sync.Cond // made by Close
}

// spareCap is the largest queue a fiber keeps between two bursts, in messages.
const spareCap = 256

// NewFiber returns a fiber that hands messages to run in batches. run must not
// keep the slice. limit bounds the messages that wait; 0 means 65536.
func NewFiber[T any](limit int, run func(batch []T)) *Fiber[T] {
	if limit <= 0 {
		limit = 65536
	}
	return &Fiber[T]{run: run, limit: limit}
}

// On has the fiber run on goroutines of a crew. It returns the fiber, and must be
// called before the first Post.
func (f *Fiber[T]) On(c *Crew) *Fiber[T] {
	f.lane = c.lane()
	return f
}

// Post queues a message. It never blocks and may be called from any goroutine,
// also from the fiber itself. False: the queue is full or the fiber closed, and
// the message was not taken.
func (f *Fiber[T]) Post(v T) bool { return f.post(v, f.limit) }

// PostAlways is Post without the limit, for messages that must not be lost and
// whose number is bounded by something else: the end of a peer, a timer. False
// only when the fiber is closed.
func (f *Fiber[T]) PostAlways(v T) bool { return f.post(v, math.MaxInt) }

func (f *Fiber[T]) post(v T, limit int) bool {
	f.mu.Lock()
	if f.closed || len(f.queue) >= limit {
		f.mu.Unlock()
		return false
	}
	f.queue = append(f.queue, v)
	start := !f.running
	f.running = true
	f.mu.Unlock()
	switch {
	case !start:
	case f.lane != nil:
		f.lane.add(f)
	default:
		go f.loop()
	}
	return true
}

func (f *Fiber[T]) loop() {
	for {
		f.mu.Lock()
		batch := f.queue
		if len(batch) == 0 {
			f.running = false
			if f.idle != nil {
				f.idle.Broadcast()
			}
			f.mu.Unlock()
			return
		}
		f.queue, f.spare = f.spare[:0], nil
		f.mu.Unlock()

		f.run(batch)

		clear(batch)
		if cap(batch) <= spareCap {
			f.mu.Lock()
			f.spare = batch
			f.mu.Unlock()
		}
	}
}

// Len returns the number of waiting messages.
func (f *Fiber[T]) Len() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.queue)
}

// Close refuses further messages and waits until those already taken have
// run. It must not be called from the fiber itself.
func (f *Fiber[T]) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	if f.idle == nil {
		f.idle = sync.NewCond(&f.mu)
	}
	for f.running {
		f.idle.Wait()
	}
}
