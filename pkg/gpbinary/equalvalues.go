package gpbinary

import "math"

// EqualValues compares like Equal, but numbers by value whatever their types,
// arrays element by element whatever their types, and tables and dictionaries by
// their entries. It is for comparisons in which one side comes from a JSON
// client, whose values have no such types (websocket-json.md 4.6).
func EqualValues(a, b any) bool {
	a, b, ok := decoded(a, b)
	if !ok {
		return false
	}
	if x, isNumber := numberOf(a); isNumber {
		y, isNumber := numberOf(b)
		return isNumber && x.equal(y)
	}
	if n, at, isArray := elements(a); isArray {
		m, bt, isArray := elements(b)
		if !isArray || n != m {
			return false
		}
		for i := range n {
			if !EqualValues(at(i), bt(i)) {
				return false
			}
		}
		return true
	}
	if x, isTable := entriesOf(a); isTable {
		y, isTable := entriesOf(b)
		return isTable && equalEntries(x, y)
	}
	return Equal(a, b)
}

// number is a numeric value: an integer, or else a float.
type number struct {
	isFloat bool
	single  bool // the float is a float32
	n       int64
	f       float64
}

func numberOf(value any) (number, bool) {
	switch x := value.(type) {
	case uint8:
		return number{n: int64(x)}, true
	case int16:
		return number{n: int64(x)}, true
	case int32:
		return number{n: int64(x)}, true
	case int64:
		return number{n: x}, true
	case float32:
		return floatNumber(float64(x), true), true
	case float64:
		return floatNumber(x, false), true
	}
	return number{}, false
}

// floatNumber returns whole floats as integers, so that large ones compare exactly.
func floatNumber(f float64, single bool) number {
	if f == math.Trunc(f) && f >= -(1<<63) && f < 1<<63 {
		return number{n: int64(f)}
	}
	return number{isFloat: true, single: single, f: f}
}

func (x number) equal(y number) bool {
	if x.isFloat != y.isFloat {
		return false
	}
	if !x.isFloat {
		return x.n == y.n
	}
	if x.single != y.single {
		// JSON clients see a float32 as its shortest decimal, 0.1 and not
		// 0.10000000149: what they send back is equal as float32.
		return sameFloat(float32(x.f), float32(y.f))
	}
	return x.f == y.f || x.f != x.f && y.f != y.f
}

// elements gives access to the elements of any array.
func elements(value any) (n int, at func(int) any, ok bool) {
	switch x := value.(type) {
	case ObjectArray:
		return elementsOf(x)
	case []byte:
		return elementsOf(x)
	case []bool:
		return elementsOf(x)
	case []int16:
		return elementsOf(x)
	case []int32:
		return elementsOf(x)
	case []int64:
		return elementsOf(x)
	case []float32:
		return elementsOf(x)
	case []float64:
		return elementsOf(x)
	case []string:
		return elementsOf(x)
	case []*Hashtable:
		return elementsOf(x)
	case []*OperationRequest:
		return elementsOf(x)
	case []*OperationResponse:
		return elementsOf(x)
	case []*EventData:
		return elementsOf(x)
	case *ArrayArray:
		return elementsOf(x.Items)
	case *CustomArray:
		return len(x.Items), func(i int) any { return Custom{Code: x.Code, Data: x.Items[i]} }, true
	case *DictionaryArray:
		return len(x.Items), func(i int) any { return &Dictionary{Key: x.Key, Val: x.Val, Pairs: x.Items[i]} }, true
	}
	return 0, nil, false
}

func elementsOf[T any](a []T) (n int, at func(int) any, ok bool) {
	return len(a), func(i int) any { return a[i] }, true
}

// entriesOf returns the entries of a hashtable or dictionary.
func entriesOf(value any) ([]Pair, bool) {
	switch x := value.(type) {
	case *Hashtable:
		return x.Pairs(), true
	case *Dictionary:
		return x.Pairs, true
	}
	return nil, false
}

func equalEntries(x, y []Pair) bool {
	if len(x) != len(y) {
		return false
	}
	places := make(map[any]int, len(y))
	for i, p := range y {
		places[looseKey(p.Key)] = i
	}
	if len(places) < len(y) {
		// Keys that differ in nothing but their type can't be matched by value.
		return equalTables(tableOf(x), tableOf(y))
	}
	matched := make(map[int]struct{}, len(x))
	for _, p := range x {
		i, ok := places[looseKey(p.Key)]
		if !ok || !EqualValues(p.Value, y[i].Value) {
			return false
		}
		matched[i] = struct{}{}
	}
	return len(matched) == len(y)
}

// containerKey is the canonical form of a key that is a container.
type containerKey string

// looseKey returns a key in a form for a Go map in which equal numbers are equal.
func looseKey(key any) any {
	if n, isNumber := numberOf(key); isNumber {
		n.single = false
		return n
	}
	if k, simple := keyOf(key); simple {
		return k
	}
	return containerKey(canonical(key))
}
