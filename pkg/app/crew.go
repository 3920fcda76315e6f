package app

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Crew is the goroutines that run the fibers of one owner. Where many fibers get
// work at once, as a server's rooms do, a goroutine for each of them would cost
// more than the work: most of it in a stack that grows anew. A goroutine of the
// crew runs one fiber after the other, and ends when none waits.
//
// A fiber that takes long does not hold others up: whoever takes a fiber while
// more are waiting has seen to it that another goroutine is on its way to them.
type Crew struct {
	lanes []lane
	next  atomic.Uint32 // the lane of the next fiber
}

// lane is a queue of fibers with work. There is one per core, for its mutex.
type lane struct {
	mu     sync.Mutex
	ready  []turner
	head   int  // ready[:head] was taken
	coming bool // a goroutine is on its way to ready
	_      [64]byte
}

// turner is a fiber of any kind of message.
type turner interface{ loop() }

// NewCrew returns a crew without goroutines.
func NewCrew() *Crew { return &Crew{lanes: make([]lane, runtime.GOMAXPROCS(0))} }

// lane returns where a new fiber belongs for its life.
func (c *Crew) lane() *lane { return &c.lanes[int(c.next.Add(1))%len(c.lanes)] }

// add queues a fiber that got work.
func (l *lane) add(f turner) {
	l.mu.Lock()
	l.ready = append(l.ready, f)
	start := !l.coming
	l.coming = true
	l.mu.Unlock()
	if start {
		go l.run()
	}
}

// run is a goroutine of the crew.
func (l *lane) run() {
	for first := true; ; first = false {
		f, start := l.take(first)
		if f == nil {
			return
		}
		if start {
			go l.run()
		}
		f.loop()
	}
}

// take returns the next fiber, or nil. first: the caller is the one that is
// coming. start: it must start the next one, for more fibers wait.
func (l *lane) take(first bool) (f turner, start bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.head == len(l.ready) {
		if first {
			l.coming = false
		}
		return nil, false
	}
	f = l.ready[l.head]
	l.ready[l.head] = nil
	l.head++
	more := l.head < len(l.ready)
	switch {
	case !more:
		l.head, l.ready = 0, l.ready[:0]
		if cap(l.ready) > laneKeep {
			l.ready = nil
		}
	case l.head >= laneKeep && l.head*2 >= len(l.ready):
		// Under a load that never ends the queue would grow to its front.
		n := copy(l.ready, l.ready[l.head:])
		clear(l.ready[n:])
		l.head, l.ready = 0, l.ready[:n]
	}
	if first {
		l.coming = more
		return f, more
	}
	start = more && !l.coming
	l.coming = l.coming || more
	return f, start
}

// laneKeep is the queue that a lane keeps, in fibers.
const laneKeep = 4096
