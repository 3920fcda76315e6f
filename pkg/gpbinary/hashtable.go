package gpbinary

import "math"

// indexMin is the number of pairs up to which a search through them beats a map.
const indexMin = 8

// Hashtable is Photon's Hashtable: pairs in order, each key at most once, keys
// and values of any type. Keys compare with their exact type: byte 1 and int 1
// are different keys, floats compare by bits (serialization.md 12).
//
// The zero Hashtable is empty and ready for use, and the methods that only read
// take a nil *Hashtable as empty. A Hashtable that nobody changes may be read
// from any goroutine.
type Hashtable struct {
	pairs []Pair
	// index finds the pairs with simple keys (see keyOf) once there are more
	// than indexMin pairs. It is built when pairs are added, never when they are
	// read, so that readers may be many.
	index map[any]int
}

// NewHashtable returns a table with pairs in order. Of equal keys the last value
// counts, in the place of the first.
func NewHashtable(pairs ...Pair) *Hashtable {
	h := &Hashtable{}
	if len(pairs) > 0 {
		h.pairs = make([]Pair, 0, len(pairs))
	}
	for _, p := range pairs {
		h.Set(p.Key, p.Value)
	}
	return h
}

// Len returns the number of pairs.
func (h *Hashtable) Len() int {
	if h == nil {
		return 0
	}
	return len(h.pairs)
}

// Pairs returns the pairs in order. The slice belongs to the table: the caller
// doesn't change it, and it is valid until the next Set or Delete.
func (h *Hashtable) Pairs() []Pair {
	if h == nil {
		return nil
	}
	return h.pairs
}

// Get returns the value of key.
func (h *Hashtable) Get(key any) (value any, ok bool) {
	if i := h.find(key); i >= 0 {
		return h.pairs[i].Value, true
	}
	return nil, false
}

// Set gives key the value: in the place that key has, or at the end.
func (h *Hashtable) Set(key, value any) {
	if i := h.find(key); i >= 0 {
		h.pairs[i].Value = value
		return
	}
	h.add(key, value)
}

// Delete removes key and keeps the order of the others. It tells whether key was there.
func (h *Hashtable) Delete(key any) bool {
	i := h.find(key)
	if i < 0 {
		return false
	}
	h.pairs = append(h.pairs[:i], h.pairs[i+1:]...)
	h.pairs[:len(h.pairs)+1][len(h.pairs)] = Pair{} // let go of the last one's values
	if h.index != nil {
		if len(h.pairs) <= indexMin {
			h.index = nil
			return true
		}
		if k, simple := keyOf(key); simple {
			delete(h.index, k)
		}
		h.reindex(i)
	}
	return true
}

// Clone returns a table with the same pairs: a change to one table does not show
// in the other, but values that are themselves tables or arrays are shared.
func (h *Hashtable) Clone() *Hashtable {
	return tableOf(append([]Pair(nil), h.Pairs()...))
}

// tableOf returns a table of pairs with unique keys. It takes the slice over.
func tableOf(pairs []Pair) *Hashtable {
	h := &Hashtable{pairs: pairs}
	if len(pairs) > indexMin {
		h.reindex(0)
	}
	return h
}

// add appends a pair whose key is not in the table.
func (h *Hashtable) add(key, value any) {
	h.pairs = append(h.pairs, Pair{key, value})
	switch {
	case h.index != nil:
		h.reindex(len(h.pairs) - 1)
	case len(h.pairs) > indexMin:
		h.reindex(0)
	}
}

// reindex enters the pairs from the i-th on into the index.
func (h *Hashtable) reindex(i int) {
	if h.index == nil {
		h.index = make(map[any]int, max(len(h.pairs), cap(h.pairs)))
	}
	for ; i < len(h.pairs); i++ {
		if k, simple := keyOf(h.pairs[i].Key); simple {
			h.index[k] = i
		}
	}
}

// find returns the place of key, or -1.
func (h *Hashtable) find(key any) int {
	if h == nil {
		return -1
	}
	if h.index != nil {
		if k, simple := keyOf(key); simple {
			if i, ok := h.index[k]; ok {
				return i
			}
			return -1
		}
	}
	return findPair(h.pairs, key)
}

// Keys of float and custom types in a form that Go compares as the format does.
type (
	floatKey  uint32
	doubleKey uint64
	customKey struct {
		code byte
		data string
	}
)

// isSimple tells whether key is no container. Simple keys are what games use;
// containers are legal.
func isSimple(key any) bool {
	switch key.(type) {
	case string, uint8, int32, int16, int64, bool, float32, float64, Custom:
		return true
	}
	return false
}

// keyOf returns a simple key in a form for a Go map.
func keyOf(key any) (k any, simple bool) {
	switch x := key.(type) {
	case string, uint8, int32, int16, int64, bool:
		return key, true
	case float32:
		return floatKey(math.Float32bits(x)), true
	case float64:
		return doubleKey(math.Float64bits(x)), true
	case Custom:
		return customKey{x.Code, string(x.Data)}, true
	}
	return nil, false
}

// findPair returns the place of key in pairs, or -1.
func findPair(pairs []Pair, key any) int {
	switch k := key.(type) {
	case string:
		return findKey(pairs, k)
	case uint8:
		return findKey(pairs, k)
	case int16:
		return findKey(pairs, k)
	case int32:
		return findKey(pairs, k)
	case int64:
		return findKey(pairs, k)
	case bool:
		return findKey(pairs, k)
	}
	if isSimple(key) {
		for i := range pairs {
			if Equal(pairs[i].Key, key) {
				return i
			}
		}
		return -1
	}
	// Containers compare by their canonical bytes: comparing them structurally
	// would let nested keys multiply the work.
	want := canonical(key)
	for i := range pairs {
		if !isSimple(pairs[i].Key) && canonical(pairs[i].Key) == want {
			return i
		}
	}
	return -1
}

func findKey[K comparable](pairs []Pair, key K) int {
	for i := range pairs {
		if k, ok := pairs[i].Key.(K); ok && k == key {
			return i
		}
	}
	return -1
}
