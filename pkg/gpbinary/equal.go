package gpbinary

import (
	"bytes"
	"math"
	"slices"
)

// Equal tells whether two values are the same: types exactly (byte 1 is not int
// 1), floats by bits, tables and dictionaries in any order (serialization.md 12).
// A Raw counts as the value that it holds.
func Equal(a, b any) bool {
	a, b, ok := decoded(a, b)
	if !ok {
		return false
	}
	switch x := a.(type) {
	case nil:
		return b == nil
	case bool:
		y, ok := b.(bool)
		return ok && x == y
	case uint8:
		y, ok := b.(uint8)
		return ok && x == y
	case int16:
		y, ok := b.(int16)
		return ok && x == y
	case int32:
		y, ok := b.(int32)
		return ok && x == y
	case int64:
		y, ok := b.(int64)
		return ok && x == y
	case float32:
		y, ok := b.(float32)
		return ok && sameFloat(x, y)
	case float64:
		y, ok := b.(float64)
		return ok && sameDouble(x, y)
	case string:
		y, ok := b.(string)
		return ok && x == y
	case []byte:
		y, ok := b.([]byte)
		return ok && bytes.Equal(x, y)
	case Custom:
		y, ok := b.(Custom)
		return ok && x.Code == y.Code && bytes.Equal(x.Data, y.Data)
	case *Hashtable:
		y, ok := b.(*Hashtable)
		return ok && equalTables(x, y)
	case *Dictionary:
		y, ok := b.(*Dictionary)
		return ok && equalDictionaries(x, y)
	case *OperationRequest:
		y, ok := b.(*OperationRequest)
		return ok && x.Code == y.Code && equalParams(x.Params, y.Params)
	case *OperationResponse:
		y, ok := b.(*OperationResponse)
		return ok && x.Code == y.Code && x.ReturnCode == y.ReturnCode && x.Debug == y.Debug && equalParams(x.Params, y.Params)
	case *EventData:
		y, ok := b.(*EventData)
		return ok && x.Code == y.Code && equalParams(x.Params, y.Params)
	}
	return equalArrays(a, b)
}

// decoded returns the values that a and b hold if they are Raw.
func decoded(a, b any) (x, y any, ok bool) {
	var err error
	if raw, is := a.(Raw); is {
		if a, err = decodeAll(raw.Version, raw.Bytes); err != nil {
			return nil, nil, false
		}
	}
	if raw, is := b.(Raw); is {
		if b, err = decodeAll(raw.Version, raw.Bytes); err != nil {
			return nil, nil, false
		}
	}
	return a, b, true
}

func sameFloat(x, y float32) bool  { return math.Float32bits(x) == math.Float32bits(y) }
func sameDouble(x, y float64) bool { return math.Float64bits(x) == math.Float64bits(y) }

// equalArrays compares arrays of one type.
func equalArrays(a, b any) bool {
	switch x := a.(type) {
	case ObjectArray:
		y, ok := b.(ObjectArray)
		return ok && slices.EqualFunc(x, y, Equal)
	case []bool:
		y, ok := b.([]bool)
		return ok && slices.Equal(x, y)
	case []int16:
		y, ok := b.([]int16)
		return ok && slices.Equal(x, y)
	case []int32:
		y, ok := b.([]int32)
		return ok && slices.Equal(x, y)
	case []int64:
		y, ok := b.([]int64)
		return ok && slices.Equal(x, y)
	case []float32:
		y, ok := b.([]float32)
		return ok && slices.EqualFunc(x, y, sameFloat)
	case []float64:
		y, ok := b.([]float64)
		return ok && slices.EqualFunc(x, y, sameDouble)
	case []string:
		y, ok := b.([]string)
		return ok && slices.Equal(x, y)
	case *ArrayArray:
		y, ok := b.(*ArrayArray)
		return ok && slices.EqualFunc(x.Items, y.Items, Equal)
	case *CustomArray:
		y, ok := b.(*CustomArray)
		return ok && x.Code == y.Code && slices.EqualFunc(x.Items, y.Items, bytes.Equal)
	case *DictionaryArray:
		y, ok := b.(*DictionaryArray)
		return ok && equalDictionaryArrays(x, y)
	case []*Hashtable:
		y, ok := b.([]*Hashtable)
		return ok && slices.EqualFunc(x, y, equalTables)
	case []*OperationRequest:
		y, ok := b.([]*OperationRequest)
		return ok && equalElements(x, y)
	case []*OperationResponse:
		y, ok := b.([]*OperationResponse)
		return ok && equalElements(x, y)
	case []*EventData:
		y, ok := b.([]*EventData)
		return ok && equalElements(x, y)
	}
	return false
}

func equalElements[T any](x, y []T) bool {
	return slices.EqualFunc(x, y, func(a, b T) bool { return Equal(a, b) })
}

func equalParams(x, y Params) bool {
	if len(x) != len(y) {
		return false
	}
	for _, p := range x {
		v, ok := y.Get(p.Key)
		if !ok || !Equal(p.Value, v) {
			return false
		}
	}
	return true
}

// equalTables compares tables without regard to the order of pairs.
func equalTables(x, y *Hashtable) bool {
	if x.Len() != y.Len() {
		return false
	}
	if hasContainerKey(x) {
		// Looking for each such key in the other table would multiply the work
		// with every level of nesting.
		form := canonical(x)
		return form != "" && form == canonical(y)
	}
	for _, p := range x.Pairs() {
		v, ok := y.Get(p.Key)
		if !ok || !Equal(p.Value, v) {
			return false
		}
	}
	return true
}

func hasContainerKey(h *Hashtable) bool {
	for _, p := range h.Pairs() {
		if !isSimple(p.Key) {
			return true
		}
	}
	return false
}

func equalDictionaries(x, y *Dictionary) bool {
	x, y = exact(x), exact(y)
	return x.Key.Equal(y.Key) && x.Val.Equal(y.Val) && equalTables(tableOf(x.Pairs), tableOf(y.Pairs))
}

// exact returns d with V16's vague types of values made definite.
func exact(d *Dictionary) *Dictionary {
	if d.Val.Kind.isVague() {
		if c, ok := convertedTo[*Dictionary](d); ok {
			return c
		}
	}
	return d
}

func convertedTo[T any](value any) (T, bool) {
	c, _ := Convert(V18, value)
	t, ok := c.(T)
	return t, ok
}

func equalDictionaryArrays(x, y *DictionaryArray) bool {
	if x.Val.Kind.isVague() != y.Val.Kind.isVague() {
		x, _ = convertedTo[*DictionaryArray](x)
		y, _ = convertedTo[*DictionaryArray](y)
	}
	return x.Key.Equal(y.Key) && x.Val.Equal(y.Val) &&
		slices.EqualFunc(x.Items, y.Items, func(a, b []Pair) bool { return equalTables(tableOf(a), tableOf(b)) })
}
