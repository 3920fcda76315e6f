package gpbinary

import (
	"encoding/binary"
	"math"
)

func appendInt16(b []byte, n int32) []byte {
	return binary.BigEndian.AppendUint32(append(b, v16Int), uint32(n))
}

func (w *writer) count16(n int) {
	if n > maxCount16 {
		w.fail(reasonTooMany)
		return
	}
	w.b = append(w.b, byte(n>>8), byte(n))
}

func (w *writer) string16(s string) {
	if len(s) > maxStringLength {
		w.fail(reasonString)
		return
	}
	w.count16(len(s))
	w.b = append(w.b, s...)
}

// bytes16 appends the body of a byte[].
func (w *writer) bytes16(s []byte) {
	if len(s) > math.MaxInt32 {
		w.fail(reasonTooMany)
		return
	}
	w.b = append(binary.BigEndian.AppendUint32(w.b, uint32(len(s))), s...)
}

func (w *writer) custom16(data []byte) {
	if len(data) > maxCount16 {
		w.fail(reasonCustom)
		return
	}
	w.count16(len(data))
	w.b = append(w.b, data...)
}

// code16 returns the type code of a value. Types that have none of their own,
// among them all that don't exist in V16, are arrays; array16 tells which.
func code16(value any) byte {
	switch value.(type) {
	case nil:
		return v16Null
	case bool:
		return v16Bool
	case uint8:
		return v16Byte
	case int16:
		return v16Short
	case int32:
		return v16Int
	case int64:
		return v16Long
	case float32:
		return v16Float
	case float64:
		return v16Double
	case string:
		return v16String
	case []byte:
		return v16ByteArray
	case ObjectArray:
		return v16ObjectArray
	case *Hashtable:
		return v16Hashtable
	case *Dictionary:
		return v16Dictionary
	case Custom:
		return v16Custom
	case *OperationRequest:
		return v16Request
	case *OperationResponse:
		return v16Response
	case *EventData:
		return v16Event
	default:
		return v16Array
	}
}

// typed16 appends a V16 value: its type code and body.
func (w *writer) typed16(value any, depth int) {
	if raw, ok := value.(Raw); ok {
		w.raw(raw)
		return
	}
	w.b = append(w.b, code16(value))
	w.body16(value, depth)
}

// body16 appends what follows the type code.
func (w *writer) body16(value any, depth int) {
	switch x := value.(type) {
	case nil:
	case bool:
		w.b = append(w.b, bit(x))
	case uint8:
		w.b = append(w.b, x)
	case int16:
		w.b = binary.BigEndian.AppendUint16(w.b, uint16(x))
	case int32:
		w.b = binary.BigEndian.AppendUint32(w.b, uint32(x))
	case int64:
		w.b = binary.BigEndian.AppendUint64(w.b, uint64(x))
	case float32:
		w.b = binary.BigEndian.AppendUint32(w.b, math.Float32bits(x))
	case float64:
		w.b = binary.BigEndian.AppendUint64(w.b, math.Float64bits(x))
	case string:
		w.string16(x)
	case []byte:
		w.bytes16(x)
	case ObjectArray:
		w.objects16(x, depth)
	case *Hashtable:
		w.hashtable(x, depth)
	case *Dictionary:
		w.dictionary16(x, depth)
	case Custom:
		w.b = append(w.b, x.Code)
		w.custom16(x.Data)
	case *OperationRequest:
		w.request(x, depth)
	case *OperationResponse:
		w.response(x, depth)
	case *EventData:
		w.event(x, depth)
	default:
		w.array16(value, depth)
	}
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func (w *writer) objects16(a ObjectArray, depth int) {
	if !w.enter(depth) {
		return
	}
	w.count16(len(a))
	for i := 0; i < len(a) && w.err == nil; i++ {
		w.typed16(a[i], depth+1)
	}
}

// array16 appends the body of a typed array: count, element code and elements
// (serialization.md 3.3).
func (w *writer) array16(value any, depth int) {
	switch x := value.(type) {
	case []bool:
		w.header16(len(x), v16Bool)
		for i := 0; i < len(x) && w.err == nil; i++ {
			w.b = append(w.b, bit(x[i]))
		}
	case []byte:
		// Inside an array of arrays that also holds others; alone it is a byte[].
		w.header16(len(x), v16Byte)
		w.b = append(w.b, x...)
	case []int16:
		w.header16(len(x), v16Short)
		for i := 0; i < len(x) && w.err == nil; i++ {
			w.b = binary.BigEndian.AppendUint16(w.b, uint16(x[i]))
		}
	case []int32:
		w.header16(len(x), v16Int)
		w.ints16(x)
	case []int64:
		w.header16(len(x), v16Long)
		for i := 0; i < len(x) && w.err == nil; i++ {
			w.b = binary.BigEndian.AppendUint64(w.b, uint64(x[i]))
		}
	case []float32:
		w.header16(len(x), v16Float)
		for i := 0; i < len(x) && w.err == nil; i++ {
			w.b = binary.BigEndian.AppendUint32(w.b, math.Float32bits(x[i]))
		}
	case []float64:
		w.header16(len(x), v16Double)
		for i := 0; i < len(x) && w.err == nil; i++ {
			w.b = binary.BigEndian.AppendUint64(w.b, math.Float64bits(x[i]))
		}
	case []string:
		w.header16(len(x), v16String)
		w.strings16(x)
	case []*Hashtable:
		w.header16(len(x), v16Hashtable)
		for i := 0; i < len(x) && w.enter(depth); i++ {
			w.hashtable(x[i], depth+1)
		}
	case *CustomArray:
		w.customArray16(x)
	case *DictionaryArray:
		w.dictionaryArray16(x, depth)
	case *ArrayArray:
		w.arrayArray16(x, depth)
	case []*OperationRequest:
		w.header16(len(x), v16Request)
		for i := 0; i < len(x) && w.enter(depth); i++ {
			w.request(x[i], depth+1)
		}
	case []*OperationResponse:
		w.header16(len(x), v16Response)
		for i := 0; i < len(x) && w.enter(depth); i++ {
			w.response(x[i], depth+1)
		}
	case []*EventData:
		w.header16(len(x), v16Event)
		for i := 0; i < len(x) && w.enter(depth); i++ {
			w.event(x[i], depth+1)
		}
	default:
		w.fail(reasonNoType)
	}
}

func (w *writer) header16(n int, code byte) {
	w.count16(n)
	w.b = append(w.b, code)
}

func (w *writer) ints16(a []int32) {
	for i := 0; i < len(a) && w.err == nil; i++ {
		w.b = binary.BigEndian.AppendUint32(w.b, uint32(a[i]))
	}
}

func (w *writer) strings16(a []string) {
	for i := 0; i < len(a) && w.err == nil; i++ {
		w.string16(a[i])
	}
}

func (w *writer) customArray16(a *CustomArray) {
	if a == nil {
		w.fail(reasonNull)
		return
	}
	w.header16(len(a.Items), v16Custom)
	w.b = append(w.b, a.Code)
	if !w.customItems(a.Items) {
		return
	}
	for i := 0; i < len(a.Items) && w.err == nil; i++ {
		w.custom16(a.Items[i])
	}
}

func (w *writer) dictionaryArray16(a *DictionaryArray, depth int) {
	if a == nil {
		w.fail(reasonNull)
		return
	}
	w.header16(len(a.Items), v16Dictionary)
	w.types16(a.Key, a.Val)
	for i := 0; i < len(a.Items) && w.enter(depth); i++ {
		if a.Items[i] == nil {
			w.fail(reasonNull)
			return
		}
		w.pairs16(a.Key, a.Val, a.Items[i], depth+1)
	}
}

// arrayArray16 appends the body of an array of arrays. V16 has one element code
// for it: x when all are byte[], z when all are object[], else y.
func (w *writer) arrayArray16(a *ArrayArray, depth int) {
	if a == nil {
		w.fail(reasonNull)
		return
	}
	if !w.enter(depth) {
		return
	}
	code := byte(v16Array)
	for i, item := range a.Items {
		c := code16(item)
		if i == 0 {
			code = c
		}
		switch {
		case c == v16Null:
			w.fail(reasonNull)
		case c != v16ByteArray && c != v16ObjectArray && c != v16Array:
			w.fail(reasonNoArray)
		case c != code:
			w.fail(reasonMixed)
		}
	}
	if len(a.Items) == 0 && (a.Empty == KindByteArray || a.Empty == KindObjectArray) {
		code = kinds[a.Empty].v16
	}
	w.header16(len(a.Items), code)
	start := len(w.b)
	for i := 0; i < len(a.Items) && w.err == nil; i++ {
		at := len(w.b)
		w.body16(a.Items[i], depth+1)
		// Two bytes of count, then the element code, which clients want to be
		// the same in all (serialization.md 10, V16 row 9).
		if code == v16Array && w.err == nil && w.b[at+2] != w.b[start+2] {
			w.fail(reasonMixed)
		}
	}
}

func (w *writer) dictionary16(d *Dictionary, depth int) {
	if d == nil {
		w.fail(reasonNull)
		return
	}
	w.types16(d.Key, d.Val)
	w.pairs16(d.Key, d.Val, d.Pairs, depth)
}

// types16 appends a dictionary's declared types.
func (w *writer) types16(key, val TypeDesc) {
	if key.Kind >= kindCount || !key.Kind.isKey() || val.Kind >= kindCount || kinds[val.Kind].v16 == noCode || val.Depth > 0 {
		w.fail(reasonNoType)
		return
	}
	w.b = append(w.b, kinds[key.Kind].v16, kinds[val.Kind].v16)
}

func (w *writer) pairs16(key, val TypeDesc, pairs []Pair, depth int) {
	if !w.enter(depth) {
		return
	}
	w.count16(len(pairs))
	w.entries(pairs, key.Kind, val, depth+1)
}

// item16 appends a key or value whose declared type is not object.
func (w *writer) item16(t TypeDesc, value any, depth int) {
	switch x := value.(type) {
	case []byte:
		if t.Kind == KindArray {
			w.array16(x, depth)
			return
		}
	case []int32:
		if t.Kind == KindIntArray {
			w.b = binary.BigEndian.AppendUint32(w.b, uint32(len(x)))
			w.ints16(x)
			return
		}
	case []string:
		if t.Kind == KindStringArray {
			w.count16(len(x))
			w.strings16(x)
			return
		}
	}
	if kinds[t.Kind].v16 != code16(value) {
		w.fail(reasonType)
		return
	}
	w.body16(value, depth)
}
