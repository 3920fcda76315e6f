package gpbinary

import (
	"bytes"
	"hash/maphash"
)

// table collects the pairs of a hashtable or dictionary while they are decoded,
// and finds duplicate keys.
type table struct {
	pairs []Pair
	index map[any]int // of simple keys, when there are many pairs
	// containers finds the wire bytes of keys that are containers by their hash.
	// Comparing bytes keeps the work linear however such keys are nested; two
	// encodings of one key pass as different keys, which they are to a C# client
	// anyway.
	containers map[uint64][]byte
}

// containerSeed makes collisions of table.containers impossible to prepare.
var containerSeed = maphash.MakeSeed()

// newTable prepares for n pairs, which have been checked against the input's size.
func newTable(n int) table {
	t := table{pairs: make([]Pair, 0, n)}
	if n > indexMin {
		t.index = make(map[any]int, n)
	}
	return t
}

// add begins a pair whose key is the bytes that r has read since start.
func (t *table) add(r *reader, start int, key any) {
	if r.err != nil {
		return
	}
	if !t.isNew(key, r.b[start:r.off]) {
		r.failAt(start, DuplicateKey)
		return
	}
	t.pairs = append(t.pairs, Pair{Key: key})
}

func (t *table) isNew(key any, wire []byte) bool {
	switch {
	case !isSimple(key):
		sum := maphash.Bytes(containerSeed, wire)
		if other, ok := t.containers[sum]; ok && bytes.Equal(other, wire) {
			return false
		}
		if t.containers == nil {
			t.containers = make(map[uint64][]byte)
		}
		t.containers[sum] = wire
		return true
	case t.index != nil:
		k, _ := keyOf(key)
		if _, ok := t.index[k]; ok {
			return false
		}
		t.index[k] = len(t.pairs)
		return true
	default:
		return findPair(t.pairs, key) < 0
	}
}

// value ends the pair that add began.
func (t *table) value(v any) {
	if n := len(t.pairs); n > 0 {
		t.pairs[n-1].Value = v
	}
}

func (t *table) hashtable() *Hashtable {
	return &Hashtable{pairs: t.pairs, index: t.index}
}

// skipHashtable skips the body of a hashtable.
func (r *reader) skipHashtable(v Version, depth int) {
	for n := r.openHashtable(v, depth); n > 0 && r.next(minPair); n-- {
		r.skipKey(v, depth+1)
		r.skipTyped(v, depth+1)
	}
}

// skipKey skips a typed key.
func (r *reader) skipKey(v Version, depth int) {
	r.notNull(v)
	r.skipTyped(v, depth)
}

// hashtable decodes the body of a hashtable.
func (r *reader) hashtable(v Version, depth int) *Hashtable {
	n := r.openHashtable(v, depth)
	t := newTable(n)
	for ; n > 0 && r.next(minPair); n-- {
		start := r.off
		r.notNull(v)
		key := r.typed(v, depth+1)
		t.add(r, start, key)
		t.value(r.typed(v, depth+1))
	}
	return t.hashtable()
}
