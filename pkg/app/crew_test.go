package app

import (
	"sync"
	"testing"
)

// Many fibers of one crew run all that they were given, each in order.
func TestCrewRunsAll(t *testing.T) {
	const fibers, messages = 500, 100
	c := NewCrew()
	got := make([][]int, fibers)
	all := make([]*Fiber[int], fibers)
	for i := range all {
		all[i] = NewFiber(0, func(batch []int) { got[i] = append(got[i], batch...) }).On(c)
	}
	var wg sync.WaitGroup
	for part := range 4 {
		wg.Go(func() {
			for m := range messages {
				for i := part; i < fibers; i += 4 {
					all[i].Post(m)
				}
			}
		})
	}
	wg.Wait()
	for i, f := range all {
		f.Close()
		if len(got[i]) != messages {
			t.Fatalf("fiber %d ran %d messages, want %d", i, len(got[i]), messages)
		}
		for m, v := range got[i] {
			if v != m {
				t.Fatalf("fiber %d: message %d at place %d", i, v, m)
			}
		}
	}
	for i := range c.lanes {
		l := &c.lanes[i]
		l.mu.Lock()
		if len(l.ready) != 0 || l.head != 0 || cap(l.ready) > laneKeep {
			t.Errorf("lane %d keeps %d fibers, %d of them taken, and memory for %d", i, len(l.ready), l.head, cap(l.ready))
		}
		l.mu.Unlock()
	}
}

// Fibers that do not come to an end hold nobody up, however many there are.
func TestCrewGoesAroundSlowFibers(t *testing.T) {
	c := NewCrew()
	hold := make(chan struct{})
	var slow []*Fiber[int]
	for range 50 {
		f := NewFiber(0, func([]int) { <-hold }).On(c)
		f.Post(1)
		slow = append(slow, f)
	}
	for range 50 {
		ran := make(chan struct{})
		f := NewFiber(0, func([]int) { close(ran) }).On(c)
		f.Post(1)
		<-ran
		f.Close()
	}
	close(hold)
	for _, f := range slow {
		f.Close()
	}
}

// BenchmarkCrewBurst is a server's turn: many rooms get work at once.
func BenchmarkCrewBurst(b *testing.B) {
	for name, on := range map[string]bool{"own": false, "crew": true} {
		b.Run(name, func(b *testing.B) {
			c := NewCrew()
			var wg sync.WaitGroup
			fibers := make([]*Fiber[int], 64)
			for i := range fibers {
				fibers[i] = NewFiber(0, func([]int) { deep(40); wg.Done() })
				if on {
					fibers[i].On(c)
				}
			}
			for b.Loop() {
				wg.Add(len(fibers))
				for _, f := range fibers {
					f.Post(1)
				}
				wg.Wait()
			}
		})
	}
}

// deep uses as much stack as an event on its way through a room.
func deep(n int) int {
	var pad [64]byte
	if n == 0 {
		return len(pad)
	}
	return deep(n-1) + int(pad[n])
}
