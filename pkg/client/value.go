package client

import (
	"maps"
	"math"
	"slices"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// value turns what Go programs write without thinking into the types of the
// protocol: an int becomes an int32, or an int64 if it is large; a
// map[string]any a Hashtable; a []any an object[]. All else is left alone.
func value(v any) any {
	switch x := v.(type) {
	case int:
		if x >= math.MinInt32 && x <= math.MaxInt32 {
			return int32(x)
		}
		return int64(x)
	case map[string]any:
		return table(x)
	case []any:
		out := make(gpbinary.ObjectArray, len(x))
		for i := range x {
			out[i] = value(x[i])
		}
		return out
	}
	return v
}

// table makes a Hashtable of string keys, in their order.
func table(m map[string]any) *gpbinary.Hashtable {
	t := gpbinary.NewHashtable()
	for _, k := range slices.Sorted(maps.Keys(m)) {
		t.Set(k, value(m[k]))
	}
	return t
}

// intOf reads a number of any width.
func intOf(v any) (int32, bool) {
	n, ok := photon.AsInt(v)
	if !ok || n < math.MinInt32 || n > math.MaxInt32 {
		return 0, false
	}
	return int32(n), true
}
