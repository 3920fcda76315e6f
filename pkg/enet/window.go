package enet

// recentNumbers accepts each number once, out of order within the last 128, and
// any jump forward. It serves type 11, whose first number may be any.
type recentNumbers struct {
	high    uint32
	bits    [2]uint64 // bit i of the pair: high-i was seen
	started bool
}

func (w *recentNumbers) accept(n uint32) bool {
	if !w.started {
		w.started = true
		w.high, w.bits = n, [2]uint64{1}
		return true
	}
	if before(w.high, n) {
		switch d := n - w.high; {
		case d >= 128:
			w.bits = [2]uint64{}
		case d >= 64:
			w.bits = [2]uint64{0, w.bits[0] << (d - 64)}
		default:
			w.bits = [2]uint64{w.bits[0] << d, w.bits[1]<<d | w.bits[0]>>(64-d)}
		}
		w.high = n
		w.bits[0] |= 1
		return true
	}
	d := w.high - n
	if d >= 128 {
		return false
	}
	bit := uint64(1) << (d % 64)
	if w.bits[d/64]&bit != 0 {
		return false
	}
	w.bits[d/64] |= bit
	return true
}

// seenSpan is how far ahead of the oldest missing number seenNumbers reaches.
const seenSpan = 4096

// seenNumbers remembers exactly which numbers came. It serves types 14 and 15,
// which are resent until acknowledged: a number may not be forgotten, so one
// that is too far ahead is refused until the missing ones have come.
//
// A stream may start anywhere (wire.md 16). Until the number after base has come
// nobody knows whether there is such a one.
type seenNumbers struct {
	base     uint32   // all numbers up to base came
	bits     []uint64 // ring: bit n%seenSpan is set when n > base came; nil when none
	ahead    int      // bits that are set
	anchored bool     // the number after a base came: it is not a guess any more
}

type seenResult uint8

const (
	seenNew seenResult = iota
	seenAgain
	seenTooFar
)

// check tells what n is, without remembering it.
func (w *seenNumbers) check(n uint32) seenResult {
	if !w.anchored && n-w.base > seenSpan {
		w.anchor(n)
	}
	if !before(w.base, n) {
		return seenAgain
	}
	if n-w.base > seenSpan {
		return seenTooFar
	}
	if w.bits != nil && w.bits[n%seenSpan/64]&(1<<(n%64)) != 0 {
		return seenAgain
	}
	return seenNew
}

// add remembers n, for which check said seenNew.
func (w *seenNumbers) add(n uint32) {
	if n != w.base+1 {
		if w.bits == nil {
			w.bits = make([]uint64, seenSpan/64)
		}
		w.bits[n%seenSpan/64] |= 1 << (n % 64)
		w.ahead++
		return
	}
	w.anchored = true
	w.advance(n)
}

// advance moves base to n and over those that came after it.
func (w *seenNumbers) advance(n uint32) {
	w.base = n
	for w.ahead > 0 {
		n++
		word, bit := &w.bits[n%seenSpan/64], uint64(1)<<(n%64)
		if *word&bit == 0 {
			return
		}
		*word &^= bit
		w.ahead--
		w.base = n
	}
	w.bits = nil
}

// anchor makes a better guess at the base when n is out of its reach: half the
// span before the first number of all, or else right before the lowest one that
// came. What is missing before that would have been sent again by now.
func (w *seenNumbers) anchor(n uint32) {
	if w.ahead == 0 {
		w.base = n - seenSpan/2
		return
	}
	if before(n, w.base) {
		return
	}
	w.anchored = true
	for w.bits[(w.base+1)%seenSpan/64]&(1<<((w.base+1)%64)) == 0 {
		w.base++
	}
	w.advance(w.base)
}
