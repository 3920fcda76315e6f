package enet

import "testing"

// TestUnsequencedStart holds that a stream of types 14 and 15 may start at any
// number, in any order, and goes on for ever: clients before 4.1.4.9 keep their
// numbers over a reconnect (wire.md 16).
func TestUnsequencedStart(t *testing.T) {
	for _, first := range []uint32{1, 2, 500, seenSpan, seenSpan + 1, 100000, 1<<31 - 3, 1<<32 - 3} {
		var w seenNumbers
		accept := func(n uint32, want seenResult) {
			t.Helper()
			got := w.check(n)
			if got != want {
				t.Fatalf("start %d: number %d is %d, want %d", first, n, got, want)
			}
			if got == seenNew {
				w.add(n)
			}
		}
		accept(first+1, seenNew) // overtook the first one
		accept(first, seenNew)
		for n := first + 2; n != first+3*seenSpan; n++ {
			accept(n, seenNew)
			accept(n, seenAgain)
		}
		// A gap is still a gap.
		n := first + 3*seenSpan
		accept(n+1, seenNew)
		accept(n+seenSpan, seenTooFar)
		accept(n, seenNew)
		accept(n+seenSpan, seenNew)
	}
}
