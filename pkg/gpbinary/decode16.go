package gpbinary

import (
	"encoding/binary"
	"math"
)

// typed16 decodes a V16 value: its type code and body (serialization.md 3). The
// functions of this file accept exactly what those of skip16.go do, except for
// tables with duplicate keys.
func (r *reader) typed16(depth int) any {
	switch code := r.u8(); code {
	case v16Null, v16Zero:
		return nil
	default:
		return r.body16(code, depth)
	}
}

// body16 decodes what follows the type code of a value that is not null.
func (r *reader) body16(code byte, depth int) any {
	switch code {
	case v16Bool:
		return r.u8() != 0
	case v16Byte:
		return r.u8()
	case v16Short:
		return r.be16()
	case v16Int:
		return int32(r.be32())
	case v16Long:
		return int64(r.be64())
	case v16Float:
		return math.Float32frombits(r.be32())
	case v16Double:
		return math.Float64frombits(r.be64())
	case v16String:
		return r.string16()
	case v16ByteArray:
		return r.copyOf(r.count32())
	case v16Array:
		return r.array16(depth)
	case v16ObjectArray:
		n := r.open(r.count16(), minTyped, depth)
		a := make(ObjectArray, 0, n)
		for ; n > 0 && r.next(minTyped); n-- {
			a = append(a, r.typed16(depth+1))
		}
		return a
	case v16Hashtable:
		return r.hashtable(V16, depth)
	case v16Dictionary:
		key, val := r.dictTypes16()
		return &Dictionary{
			Key: TypeDesc{Kind: kindOf16[key]}, Val: TypeDesc{Kind: kindOf16[val]},
			Pairs: r.pairs16(key, val, depth),
		}
	case v16Custom:
		return Custom{Code: r.u8(), Data: r.copyOf(r.count16())}
	case v16IntArray:
		return r.numbers16(v16Int, r.fits(r.count32(), 4), 4)
	case v16StringArray:
		return r.strings16(r.count16())
	case v16Request, v16Response, v16Event:
		return r.messageValue(V16, messageOf16(code), depth)
	default:
		r.unknown(code)
		return nil
	}
}

func (r *reader) string16() string { return string(r.take(r.count16())) }

// copyOf reads n bytes into a slice of their own, which is never nil.
func (r *reader) copyOf(n int) []byte { return append([]byte{}, r.take(n)...) }

func (r *reader) strings16(n int) []string {
	n = r.nested(r.fits(n, 2))
	a := make([]string, 0, n)
	for ; n > 0 && r.err == nil; n-- {
		a = append(a, r.string16())
	}
	return a
}

// pairs16 decodes the count and entries of a dictionary.
func (r *reader) pairs16(key, val byte, depth int) []Pair {
	if r.err != nil {
		return nil
	}
	size := minItem16(key) + minItem16(val)
	n := r.open(r.count16(), size, depth)
	t := newTable(n)
	for ; n > 0 && r.next(size); n-- {
		start := r.off
		if kindOf16[key] == KindObject {
			r.notNull(V16)
		}
		k := r.item16(key, depth+1)
		t.add(r, start, k)
		t.value(r.item16(val, depth+1))
	}
	return t.pairs
}

// item16 decodes a key or value of a dictionary that declares code for it.
func (r *reader) item16(code byte, depth int) any {
	if kindOf16[code] == KindObject {
		return r.typed16(depth)
	}
	return r.body16(code, depth)
}

// array16 decodes the body of a typed array.
func (r *reader) array16(depth int) any {
	n := r.count16()
	code := r.u8()
	if r.err != nil {
		return nil
	}
	if size := fixedSize16[code]; size != 0 {
		return r.numbers16(code, r.fits(n, int(size)), int(size))
	}
	switch code {
	case v16String:
		return r.strings16(n)
	case v16Custom:
		a := &CustomArray{Code: r.u8()}
		n = r.nested(r.fits(n, int(minBody16[code])))
		a.Items = make([][]byte, 0, n)
		for ; n > 0 && r.err == nil; n-- {
			a.Items = append(a.Items, r.copyOf(r.count16()))
		}
		return a
	case v16Dictionary:
		key, val := r.dictTypes16()
		a := &DictionaryArray{Key: TypeDesc{Kind: kindOf16[key]}, Val: TypeDesc{Kind: kindOf16[val]}}
		n = r.open(n, minDictionary16, depth)
		a.Items = make([][]Pair, 0, n)
		for ; n > 0 && r.next(minDictionary16); n-- {
			a.Items = append(a.Items, r.pairs16(key, val, depth+1))
		}
		return a
	case v16Hashtable:
		return elements16[*Hashtable](r, n, code, depth)
	case v16Request:
		return elements16[*OperationRequest](r, n, code, depth)
	case v16Response:
		return elements16[*OperationResponse](r, n, code, depth)
	case v16Event:
		return elements16[*EventData](r, n, code, depth)
	}
	a := &ArrayArray{Items: elements16[any](r, n, code, depth)}
	if len(a.Items) == 0 && (code == v16ByteArray || code == v16ObjectArray) {
		a.Empty = kindOf16[code]
	}
	return a
}

// elements16 decodes n bodies of type code.
func elements16[T any](r *reader, n int, code byte, depth int) []T {
	size := int(minBody16[code])
	if size == 0 {
		r.unknown(code)
		return nil
	}
	n = r.open(n, size, depth)
	a := make([]T, 0, n)
	for ; n > 0 && r.next(size); n-- {
		v, _ := r.body16(code, depth+1).(T)
		a = append(a, v)
	}
	return a
}

// numbers16 decodes n scalars of size bytes each, of which the reader has enough.
func (r *reader) numbers16(code byte, n, size int) any {
	s := r.take(n * size)
	switch code {
	case v16Bool:
		a := make([]bool, len(s))
		for i := range a {
			a[i] = s[i] != 0
		}
		return a
	case v16Byte:
		return append([]byte{}, s...)
	case v16Short:
		a := make([]int16, len(s)/2)
		for i := range a {
			a[i] = int16(binary.BigEndian.Uint16(s[2*i:]))
		}
		return a
	case v16Int:
		a := make([]int32, len(s)/4)
		for i := range a {
			a[i] = int32(binary.BigEndian.Uint32(s[4*i:]))
		}
		return a
	case v16Long:
		a := make([]int64, len(s)/8)
		for i := range a {
			a[i] = int64(binary.BigEndian.Uint64(s[8*i:]))
		}
		return a
	case v16Float:
		a := make([]float32, len(s)/4)
		for i := range a {
			a[i] = math.Float32frombits(binary.BigEndian.Uint32(s[4*i:]))
		}
		return a
	default: // v16Double
		a := make([]float64, len(s)/8)
		for i := range a {
			a[i] = math.Float64frombits(binary.BigEndian.Uint64(s[8*i:]))
		}
		return a
	}
}
