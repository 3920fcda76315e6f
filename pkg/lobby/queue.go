package lobby

import "time"

// queue holds things that are due after the same delay each, so that they come
// out in the order in which they were put in. Things are not taken out early:
// who takes one out checks whether it still matters.
type queue[T any] struct {
	items []due[T]
	head  int
}

type due[T any] struct {
	at    time.Time
	value T
}

func (q *queue[T]) push(at time.Time, v T) {
	if q.head > 32 && q.head > len(q.items)/2 {
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, due[T]{at, v})
}

// pop returns the next thing that is due at now.
func (q *queue[T]) pop(now time.Time) (v T, ok bool) {
	if q.head == len(q.items) || q.items[q.head].at.After(now) {
		return v, false
	}
	v = q.items[q.head].value
	q.items[q.head] = due[T]{}
	q.head++
	if q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	}
	return v, true
}

// sooner returns the earlier of t and the time at which the next thing is due.
// A zero t is never.
func (q *queue[T]) sooner(t time.Time) time.Time {
	if q.head == len(q.items) {
		return t
	}
	return earlier(t, q.items[q.head].at)
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
