package app

import "sync"

// Pool runs work that would hold up a transport's loop (key exchange, web
// calls) on a bounded number of goroutines. Goroutines end when there is
// nothing to do.
type Pool struct {
	mu      sync.Mutex
	queue   []func()
	running int
	workers int
	limit   int
	wg      sync.WaitGroup
	closed  bool
}

// NewPool returns a pool of at most workers goroutines with at most limit
// functions waiting.
func NewPool(workers, limit int) *Pool {
	return &Pool{workers: workers, limit: limit}
}

// Go runs fn soon. False: the pool is full or closed and fn will not run.
func (p *Pool) Go(fn func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.queue) >= p.limit {
		return false
	}
	p.queue = append(p.queue, fn)
	if p.running < p.workers {
		p.running++
		p.wg.Go(p.work)
	}
	return true
}

func (p *Pool) work() {
	for {
		p.mu.Lock()
		if len(p.queue) == 0 {
			p.running--
			p.mu.Unlock()
			return
		}
		fn := p.queue[0]
		p.queue[0] = nil
		p.queue = p.queue[1:]
		p.mu.Unlock()
		fn()
	}
}

// Close refuses further work and waits for what was taken.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.wg.Wait()
}
