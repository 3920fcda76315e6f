package gpbinary

import (
	"encoding/binary"
	"math"
)

func appendUvarint(b []byte, u uint64) []byte {
	for u >= 0x80 {
		b = append(b, byte(u)|0x80)
		u >>= 7
	}
	return append(b, byte(u))
}

func appendZigzag32(b []byte, n int32) []byte {
	return appendUvarint(b, uint64(uint32(n<<1)^uint32(n>>31)))
}

func appendZigzag64(b []byte, n int64) []byte {
	return appendUvarint(b, uint64(n<<1)^uint64(n>>63))
}

// appendInt18 appends a typed int in its shortest form (serialization.md 4.2).
func appendInt18(b []byte, n int32) []byte {
	if n == 0 {
		return append(b, v18IntZero)
	}
	if n >= -0xffff && n <= 0xffff {
		return appendShort18(b, n, v18Int1)
	}
	return appendZigzag32(append(b, v18Int), n)
}

func appendLong18(b []byte, n int64) []byte {
	if n == 0 {
		return append(b, v18LongZero)
	}
	if n >= -0xffff && n <= 0xffff {
		return appendShort18(b, int32(n), v18Long1)
	}
	return appendZigzag64(append(b, v18Long), n)
}

// appendShort18 appends an integer of at most two bytes. Its codes are code for
// one byte, and from there on: one byte negative, two bytes, two bytes negative.
func appendShort18(b []byte, n int32, code byte) []byte {
	if n < 0 {
		n = -n
		code++
	}
	if n <= 0xff {
		return append(b, code, byte(n))
	}
	return append(b, code+v18Int2-v18Int1, byte(n), byte(n>>8))
}

func (w *writer) count18(n int) {
	if n > maxCount18 {
		w.fail(reasonTooMany)
		return
	}
	w.b = appendUvarint(w.b, uint64(n))
}

func (w *writer) string18(s string) {
	if len(s) > maxStringLength && !w.long {
		w.fail(reasonString)
		return
	}
	w.b = append(appendUvarint(w.b, uint64(len(s))), s...)
}

func (w *writer) bytes18(s []byte) {
	w.count18(len(s))
	w.b = append(w.b, s...)
}

// typed18 appends a V18 value: its type code and body.
func (w *writer) typed18(value any, depth int) {
	switch x := value.(type) {
	case nil:
		w.b = append(w.b, v18Null)
	case bool:
		w.b = append(w.b, v18False+bit(x))
	case uint8:
		if x == 0 {
			w.b = append(w.b, v18ByteZero)
		} else {
			w.b = append(w.b, v18Byte, x)
		}
	case int16:
		if x == 0 {
			w.b = append(w.b, v18ShortZero)
		} else {
			w.b = append(w.b, v18Short, byte(x), byte(x>>8))
		}
	case int32:
		w.b = appendInt18(w.b, x)
	case int64:
		w.b = appendLong18(w.b, x)
	case Custom:
		if x.Code < v18SlimWriteEnd {
			w.b = append(w.b, v18SlimFirst+x.Code)
		} else {
			w.b = append(w.b, v18Custom, x.Code)
		}
		w.bytes18(x.Data)
	case *ArrayArray:
		w.b = append(w.b, v18ArrayArray)
		w.arrayArray18(x, depth)
	case *CustomArray:
		w.customArray18(x)
	case *DictionaryArray:
		w.dictionaryArray18(x, depth)
	case *Dictionary:
		w.b = append(w.b, v18Dictionary)
		w.dictionary18(x, depth)
	case Raw:
		w.raw(x)
	default:
		k := itemKind18(value)
		if k == noKind {
			w.fail(reasonNoType)
			return
		}
		w.b = append(w.b, kinds[k].v18)
		w.body18(value, depth)
	}
}

// itemKind18 returns the kind of a value that has a body for dictionaries, save
// dictionaries and arrays of arrays, or noKind.
func itemKind18(value any) Kind {
	switch value.(type) {
	case bool:
		return KindBool
	case uint8:
		return KindByte
	case int16:
		return KindShort
	case int32:
		return KindInt
	case int64:
		return KindLong
	case float32:
		return KindFloat
	case float64:
		return KindDouble
	case string:
		return KindString
	case *Hashtable:
		return KindHashtable
	case *OperationRequest:
		return KindOperationRequest
	case *OperationResponse:
		return KindOperationResponse
	case *EventData:
		return KindEvent
	}
	if k, ok := arrayKind(value); ok && kinds[k].v18 != noCode {
		return k
	}
	return noKind
}

// body18 appends the body of a value that itemKind18 knows. Numbers have no
// short forms here (serialization.md 4.2, end).
func (w *writer) body18(value any, depth int) {
	switch x := value.(type) {
	case bool:
		w.b = append(w.b, bit(x))
	case uint8:
		w.b = append(w.b, x)
	case int16:
		w.b = append(w.b, byte(x), byte(x>>8))
	case int32:
		w.b = appendZigzag32(w.b, x)
	case int64:
		w.b = appendZigzag64(w.b, x)
	case float32:
		w.b = binary.LittleEndian.AppendUint32(w.b, math.Float32bits(x))
	case float64:
		w.b = binary.LittleEndian.AppendUint64(w.b, math.Float64bits(x))
	case string:
		w.string18(x)
	case *Hashtable:
		w.hashtable(x, depth)
	case *OperationRequest:
		w.request(x, depth)
	case *OperationResponse:
		w.response(x, depth)
	case *EventData:
		w.event(x, depth)
	case ObjectArray:
		if !w.enter(depth) {
			return
		}
		w.count18(len(x))
		for i := 0; i < len(x) && w.err == nil; i++ {
			w.typed18(x[i], depth+1)
		}
	case []*Hashtable:
		if !w.enter(depth) {
			return
		}
		w.count18(len(x))
		for i := 0; i < len(x) && w.err == nil; i++ {
			w.hashtable(x[i], depth+1)
		}
	default:
		w.flatArray18(value)
	}
}

// flatArray18 appends the body of an array of scalars.
func (w *writer) flatArray18(value any) {
	switch x := value.(type) {
	case []byte:
		w.bytes18(x)
	case []bool:
		w.count18(len(x))
		var bits byte
		for i, b := range x {
			bits |= bit(b) << (i & 7)
			if i&7 == 7 || i == len(x)-1 {
				w.b = append(w.b, bits)
				bits = 0
			}
		}
	case []int16:
		w.count18(len(x))
		for _, n := range x {
			w.b = append(w.b, byte(n), byte(n>>8))
		}
	case []int32:
		w.count18(len(x))
		for _, n := range x {
			w.b = appendZigzag32(w.b, n)
		}
	case []int64:
		w.count18(len(x))
		for _, n := range x {
			w.b = appendZigzag64(w.b, n)
		}
	case []float32:
		w.count18(len(x))
		for _, n := range x {
			w.b = binary.LittleEndian.AppendUint32(w.b, math.Float32bits(n))
		}
	case []float64:
		w.count18(len(x))
		for _, n := range x {
			w.b = binary.LittleEndian.AppendUint64(w.b, math.Float64bits(n))
		}
	case []string:
		w.count18(len(x))
		for i := 0; i < len(x) && w.err == nil; i++ {
			w.string18(x[i])
		}
	}
}

func (w *writer) arrayArray18(a *ArrayArray, depth int) {
	if a == nil {
		w.fail(reasonNull)
		return
	}
	if !w.enter(depth) {
		return
	}
	w.count18(len(a.Items))
	for i := 0; i < len(a.Items) && w.err == nil; i++ {
		at := len(w.b)
		w.typed18(a.Items[i], depth+1)
		if w.err == nil && a.Items[i] != nil && !isArray18(w.b[at]) {
			w.fail(reasonNoArray)
		}
	}
}

func (w *writer) customArray18(a *CustomArray) {
	if a == nil {
		w.fail(reasonNull)
		return
	}
	w.b = append(w.b, v18CustomArray)
	w.count18(len(a.Items))
	w.b = append(w.b, a.Code)
	if !w.customItems(a.Items) {
		return
	}
	for _, item := range a.Items {
		w.bytes18(item)
	}
}

func (w *writer) dictionaryArray18(a *DictionaryArray, depth int) {
	if a == nil {
		w.fail(reasonNull)
		return
	}
	w.b = append(w.b, v18DictionaryArray)
	w.descriptors18(a.Key, a.Val, depth)
	if !w.enter(depth) {
		return
	}
	w.count18(len(a.Items))
	for i := 0; i < len(a.Items) && w.err == nil; i++ {
		if a.Items[i] == nil {
			w.fail(reasonNull)
			return
		}
		w.pairs18(a.Key, a.Val, a.Items[i], depth+1)
	}
}

func (w *writer) dictionary18(d *Dictionary, depth int) {
	if d == nil {
		w.fail(reasonNull)
		return
	}
	w.descriptors18(d.Key, d.Val, depth)
	w.pairs18(d.Key, d.Val, d.Pairs, depth)
}

// descriptors18 appends the type descriptors of a dictionary (serialization.md 4.5).
func (w *writer) descriptors18(key, val TypeDesc, depth int) {
	if !w.enter(depth) {
		return
	}
	if key.Kind >= kindCount || !key.Kind.isKey() || val.Kind >= kindCount || kinds[val.Kind].v18 == noCode ||
		val.Depth > 0 && !val.Kind.isLeaf() || depth+int(val.Depth) >= MaxDepth {
		w.fail(reasonNoType)
		return
	}
	w.b = append(w.b, kinds[key.Kind].v18)
	for range val.Depth {
		w.b = append(w.b, v18ArrayArray)
	}
	w.b = append(w.b, kinds[val.Kind].v18)
	if val.Kind == KindDictionary {
		if val.Key == nil || val.Val == nil {
			w.fail(reasonNoType)
			return
		}
		w.descriptors18(*val.Key, *val.Val, depth+1)
	}
}

func (w *writer) pairs18(key, val TypeDesc, pairs []Pair, depth int) {
	if !w.enter(depth) {
		return
	}
	w.count18(len(pairs))
	w.entries(pairs, key.Kind, val, depth+1)
}

// item18 appends a key or value whose declared type is not object.
func (w *writer) item18(t TypeDesc, value any, depth int) {
	switch {
	case t.Depth > 0:
		if !isNested(t, value) {
			w.fail(reasonType)
			return
		}
		w.typed18(value, depth)
	case t.Kind == KindDictionary:
		d, ok := value.(*Dictionary)
		if !ok || d == nil || !d.Key.Equal(*t.Key) || !d.Val.Equal(*t.Val) {
			w.fail(reasonType)
			return
		}
		w.dictionary18(d, depth)
	case itemKind18(value) == t.Kind:
		w.body18(value, depth)
	default:
		w.fail(reasonType)
	}
}

// isNested tells whether value is null or an array of type t.
func isNested(t TypeDesc, value any) bool {
	if value == nil {
		return true
	}
	if t.Depth == 0 {
		k, ok := arrayKind(value)
		return ok && k == t.Kind
	}
	a, ok := value.(*ArrayArray)
	if !ok || a == nil {
		return false
	}
	t.Depth--
	for _, item := range a.Items {
		if !isNested(t, item) {
			return false
		}
	}
	return true
}
