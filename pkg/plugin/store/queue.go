package store

import (
	"errors"
	"sync"
)

// The bounds of one store's queue. What comes on top fails with errBusy.
const (
	maxWorkers     = 16
	maxQueued      = 20000     // requests
	maxQueuedBytes = 512 << 20 // of states
)

var errBusy = errors.New("store: too many requests wait")

// queue runs tasks on a few goroutines, those of one key one after the other in
// the order in which they came. It has no goroutine while it has no task.
type queue struct {
	mu      sync.Mutex
	chains  map[string][]task // by key; the first of each runs or is in ready
	ready   []string          // keys whose first task waits for a worker
	workers int
	tasks   int
	bytes   int
}

type task struct {
	size int
	run  func()
}

// add queues a task that holds size bytes.
func (q *queue) add(key string, size int, run func()) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.tasks >= maxQueued || q.tasks > 0 && q.bytes+size > maxQueuedBytes {
		return errBusy
	}
	if q.chains == nil {
		q.chains = map[string][]task{}
	}
	q.tasks++
	q.bytes += size
	q.chains[key] = append(q.chains[key], task{size: size, run: run})
	if len(q.chains[key]) > 1 {
		return nil
	}
	q.ready = append(q.ready, key)
	if q.workers < maxWorkers {
		q.workers++
		go q.work()
	}
	return nil
}

func (q *queue) work() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.ready) > 0 {
		key := q.ready[0]
		q.ready = q.ready[1:]
		t := q.chains[key][0]
		q.mu.Unlock()
		t.run()
		q.mu.Lock()
		q.tasks--
		q.bytes -= t.size
		if rest := q.chains[key][1:]; len(rest) > 0 {
			q.chains[key] = rest
			q.ready = append(q.ready, key)
		} else {
			delete(q.chains, key)
		}
	}
	q.workers--
}
