package gpbinary

import (
	"encoding/binary"
	"math"
)

// typed18 decodes a V18 value: its type code and body (serialization.md 4). The
// functions of this file accept exactly what those of skip18.go do, except for
// tables with duplicate keys.
func (r *reader) typed18(depth int) any {
	return r.body18(r.u8(), depth)
}

// body18 decodes what follows the type code of a typed value.
func (r *reader) body18(code byte, depth int) any {
	switch code {
	case v18Null:
		return nil
	case v18True:
		return true
	case v18False:
		return false
	case v18ByteZero:
		return uint8(0)
	case v18ShortZero:
		return int16(0)
	case v18IntZero:
		return int32(0)
	case v18LongZero:
		return int64(0)
	case v18FloatZero:
		return float32(0)
	case v18DoubleZero:
		return float64(0)
	case v18Int1:
		return int32(r.u8())
	case v18Int1Neg:
		return -int32(r.u8())
	case v18Int2:
		return int32(r.le16())
	case v18Int2Neg:
		return -int32(r.le16())
	case v18Long1:
		return int64(r.u8())
	case v18Long1Neg:
		return -int64(r.u8())
	case v18Long2:
		return int64(r.le16())
	case v18Long2Neg:
		return -int64(r.le16())
	case v18Custom:
		return Custom{Code: r.u8(), Data: r.copyOf(r.count18())}
	case v18Dictionary:
		start := r.off
		key, val := r.descriptors18(depth)
		d := &Dictionary{}
		d.Key, d.Val = r.types18(start)
		d.Pairs = r.pairs18(key, val, depth)
		return d
	case v18ArrayArray:
		return r.arrayArray18(depth)
	case v18CustomArray:
		n := r.count18()
		a := &CustomArray{Code: r.u8()}
		n = r.nested(r.fits(n, 1))
		a.Items = make([][]byte, 0, n)
		for ; n > 0 && r.err == nil; n-- {
			a.Items = append(a.Items, r.copyOf(r.count18()))
		}
		return a
	case v18DictionaryArray:
		start := r.off
		key, val := r.descriptors18(depth)
		a := &DictionaryArray{}
		a.Key, a.Val = r.types18(start)
		n := r.open(r.count18(), 1, depth)
		a.Items = make([][]Pair, 0, n)
		for ; n > 0 && r.next(1); n-- {
			a.Items = append(a.Items, r.pairs18(key, val, depth+1))
		}
		return a
	default:
		if code >= v18SlimFirst && code <= v18SlimLast {
			return Custom{Code: code - v18SlimFirst, Data: r.copyOf(r.count18())}
		}
		return r.item18(code, depth)
	}
}

// item18 decodes a body whose type code is the same in typed values and in
// dictionaries.
func (r *reader) item18(code byte, depth int) any {
	switch code {
	case v18Bool:
		return r.u8() != 0
	case v18Byte:
		return r.u8()
	case v18Short:
		return int16(r.le16())
	case v18Float:
		return math.Float32frombits(r.le32())
	case v18Double:
		return math.Float64frombits(r.le64())
	case v18String:
		return string(r.take(r.count18()))
	case v18Int:
		return r.zigzag32()
	case v18Long:
		return r.zigzag64()
	case v18Hashtable:
		return r.hashtable(V18, depth)
	case v18ObjectArray:
		n := r.open(r.count18(), minTyped, depth)
		a := make(ObjectArray, 0, n)
		for ; n > 0 && r.next(minTyped); n-- {
			a = append(a, r.typed18(depth+1))
		}
		return a
	case v18Request:
		return r.request(V18, depth)
	case v18Response:
		return r.response(V18, depth)
	case v18Event:
		return r.event(V18, depth)
	case v18HashtableArray:
		n := r.open(r.count18(), 1, depth)
		a := make([]*Hashtable, 0, n)
		for ; n > 0 && r.next(1); n-- {
			a = append(a, r.hashtable(V18, depth+1))
		}
		return a
	default:
		return r.flatArray18(code)
	}
}

// flatArray18 decodes an array of scalars.
func (r *reader) flatArray18(code byte) any {
	switch code {
	case v18ByteArray:
		return r.copyOf(r.count18())
	case v18BoolArray:
		n := r.count18()
		s := r.take(int((int64(n) + 7) / 8))
		if r.err != nil {
			return nil
		}
		a := make([]bool, n)
		for i := range a {
			a[i] = s[i>>3]>>(i&7)&1 != 0
		}
		return a
	case v18ShortArray:
		s := r.take(r.fits(r.count18(), 2) * 2)
		a := make([]int16, len(s)/2)
		for i := range a {
			a[i] = int16(binary.LittleEndian.Uint16(s[2*i:]))
		}
		return a
	case v18FloatArray:
		s := r.take(r.fits(r.count18(), 4) * 4)
		a := make([]float32, len(s)/4)
		for i := range a {
			a[i] = math.Float32frombits(binary.LittleEndian.Uint32(s[4*i:]))
		}
		return a
	case v18DoubleArray:
		s := r.take(r.fits(r.count18(), 8) * 8)
		a := make([]float64, len(s)/8)
		for i := range a {
			a[i] = math.Float64frombits(binary.LittleEndian.Uint64(s[8*i:]))
		}
		return a
	case v18StringArray:
		n := r.nested(r.fits(r.count18(), 1))
		a := make([]string, 0, n)
		for ; n > 0 && r.err == nil; n-- {
			a = append(a, string(r.take(r.count18())))
		}
		return a
	case v18IntArray:
		a := make([]int32, r.fits(r.count18(), 1))
		for i := 0; i < len(a) && r.err == nil; i++ {
			a[i] = r.zigzag32()
		}
		return a
	case v18LongArray:
		a := make([]int64, r.fits(r.count18(), 1))
		for i := 0; i < len(a) && r.err == nil; i++ {
			a[i] = r.zigzag64()
		}
		return a
	default:
		r.unknown(code)
		return nil
	}
}

func (r *reader) arrayArray18(depth int) *ArrayArray {
	n := r.open(r.count18(), minTyped, depth)
	a := &ArrayArray{Items: make([]any, 0, n)}
	for ; n > 0 && r.next(minTyped); n-- {
		c := r.u8()
		if c != v18Null && !isArray18(c) {
			r.unknown(c)
		}
		a.Items = append(a.Items, r.body18(c, depth+1))
	}
	return a
}

// types18 decodes the types of keys and values whose descriptors stand at desc
// and have been checked.
func (r *reader) types18(desc int) (key, val TypeDesc) {
	if r.err != nil {
		return key, val
	}
	key.Kind = kindOf18[r.b[desc]]
	switch code := r.b[desc+1]; code {
	case v18Dictionary:
		nestedKey, nestedVal := r.types18(desc + 2)
		val = TypeDesc{Kind: KindDictionary, Key: &keyTypes[nestedKey.Kind], Val: &nestedVal}
	case v18ArrayArray:
		for desc++; r.b[desc] == v18ArrayArray; desc++ {
			val.Depth++
		}
		val.Kind = kindOf18[r.b[desc]]
	default:
		val.Kind = kindOf18[code]
	}
	return key, val
}

// pairs18 decodes the count and entries of a dictionary. The descriptors of its
// types stand at key and val.
func (r *reader) pairs18(key, val, depth int) []Pair {
	if r.err != nil {
		return nil
	}
	keyCode, valCode := r.b[key], r.b[val]
	size := minItem18(keyCode) + minItem18(valCode)
	n := r.open(r.count18(), size, depth)
	t := newTable(n)
	// All nested dictionaries share their parsed types, which are the same.
	var nestedKey, nestedVal TypeDesc
	if valCode == v18Dictionary && n > 0 {
		nestedKey, nestedVal = r.types18(val + 1)
	}
	for ; n > 0 && r.next(size); n-- {
		start := r.off
		var k any
		if keyCode == 0 {
			r.notNull(V18)
			k = r.typed18(depth + 1)
		} else {
			k = r.item18(keyCode, depth+1)
		}
		t.add(r, start, k)
		switch valCode {
		case 0:
			t.value(r.typed18(depth + 1))
		case v18Dictionary:
			kd, vd := r.repeated18(val+1, depth+1)
			t.value(&Dictionary{Key: nestedKey, Val: nestedVal, Pairs: r.pairs18(kd, vd, depth+1)})
		case v18ArrayArray:
			t.value(r.nestedArray18(val, depth+1))
		default:
			t.value(r.item18(valCode, depth+1))
		}
	}
	return t.pairs
}

// nestedArray18 decodes a typed value that is null or an array of the type whose
// descriptor stands at desc.
func (r *reader) nestedArray18(desc, depth int) any {
	c := r.u8()
	if r.err != nil || c == v18Null {
		return nil
	}
	if c != r.b[desc] {
		r.failAt(r.off-1, TypeMismatch)
		return nil
	}
	if c != v18ArrayArray {
		return r.item18(c, depth)
	}
	n := r.open(r.count18(), minTyped, depth)
	a := &ArrayArray{Items: make([]any, 0, n)}
	for ; n > 0 && r.next(minTyped); n-- {
		a.Items = append(a.Items, r.nestedArray18(desc+1, depth+1))
	}
	return a
}
