package app

import (
	"sync"
	"sync/atomic"
	"testing"
)

func TestFiberKeepsOrderAndRunsOneAtATime(t *testing.T) {
	var running atomic.Int32
	var got []int
	f := NewFiber(0, func(batch []int) {
		if running.Add(1) != 1 {
			t.Error("two turns at once")
		}
		got = append(got, batch...)
		running.Add(-1)
	})
	for i := range 10000 {
		if !f.Post(i) {
			t.Fatal("refused")
		}
	}
	f.Close()
	if len(got) != 10000 {
		t.Fatalf("%d messages ran, want 10000", len(got))
	}
	for i, v := range got {
		if v != i {
			t.Fatalf("message %d at place %d", v, i)
		}
	}
	if f.Post(1) || f.PostAlways(1) {
		t.Error("a closed fiber took a message")
	}
}

func TestFiberFromManyGoroutines(t *testing.T) {
	sum := 0
	f := NewFiber(0, func(batch []int) {
		for _, v := range batch {
			sum += v
		}
	})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				f.Post(1)
			}
		})
	}
	wg.Wait()
	f.Close()
	if sum != 8000 {
		t.Errorf("sum %d, want 8000", sum)
	}
}

func TestFiberLimit(t *testing.T) {
	hold := make(chan struct{})
	entered := make(chan struct{}, 1)
	ran := 0
	f := NewFiber(3, func(batch []int) {
		select {
		case entered <- struct{}{}:
		default:
		}
		<-hold
		ran += len(batch)
	})
	f.Post(0)
	<-entered
	for i := range 3 {
		if !f.Post(i) {
			t.Fatalf("message %d refused below the limit", i)
		}
	}
	if f.Post(9) {
		t.Error("took a message above the limit")
	}
	if !f.PostAlways(9) {
		t.Error("PostAlways refused")
	}
	close(hold)
	f.Close()
	if ran != 5 {
		t.Errorf("%d messages ran, want 5", ran)
	}
}

func TestPoolIsBounded(t *testing.T) {
	p := NewPool(2, 3)
	hold := make(chan struct{})
	var ran atomic.Int32
	taken := 0
	for range 20 {
		if p.Go(func() { <-hold; ran.Add(1) }) {
			taken++
		}
	}
	if taken < 3 || taken > 5 {
		t.Errorf("took %d, want at most 2 running and 3 waiting", taken)
	}
	close(hold)
	p.Close()
	if int(ran.Load()) != taken {
		t.Errorf("%d ran of %d taken", ran.Load(), taken)
	}
	if p.Go(func() {}) {
		t.Error("a closed pool took work")
	}
}

func BenchmarkFiberPost(b *testing.B) {
	f := NewFiber(1<<30, func([]int) {})
	b.ReportAllocs()
	for b.Loop() {
		f.Post(1)
	}
	f.Close()
}
