package gpbinary

// fixedSize18 holds one more than the size of typed V18 scalars that have a
// fixed one, without the type code; 0 is "other".
var fixedSize18 = [256]uint8{
	v18Bool: 2, v18Byte: 2, v18Short: 3, v18Float: 5, v18Double: 9, v18Null: 1,
	v18Int1: 2, v18Int1Neg: 2, v18Int2: 3, v18Int2Neg: 3,
	v18Long1: 2, v18Long1Neg: 2, v18Long2: 3, v18Long2Neg: 3,
	v18False: 1, v18True: 1, v18ShortZero: 1, v18IntZero: 1, v18LongZero: 1,
	v18FloatZero: 1, v18DoubleZero: 1, v18ByteZero: 1,
}

// minItem18 holds the least sizes of dictionary items by the first byte of their
// descriptor (serialization.md 11, rule 2).
func minItem18(code byte) int {
	switch code {
	case v18Short, v18Request, v18Event:
		return 2
	case v18Float:
		return 4
	case v18Double:
		return 8
	case v18Response:
		return 5
	default:
		return 1
	}
}

func (r *reader) skipTyped18(depth int) {
	r.skipBody18(r.u8(), depth)
}

// skipBody18 skips what follows the type code of a typed value.
func (r *reader) skipBody18(code byte, depth int) {
	if n := fixedSize18[code]; n != 0 {
		r.take(int(n) - 1)
		return
	}
	switch code {
	case v18Custom:
		r.u8()
		r.take(r.count18())
	case v18Dictionary:
		key, val := r.descriptors18(depth)
		r.skipPairs18(key, val, depth)
	case v18ArrayArray:
		for n := r.open(r.count18(), minTyped, depth); n > 0 && r.next(minTyped); n-- {
			c := r.u8()
			if c != v18Null && !isArray18(c) {
				r.unknown(c)
			}
			r.skipBody18(c, depth+1)
		}
	case v18CustomArray:
		n := r.count18()
		r.u8()
		for n = r.nested(r.fits(n, 1)); n > 0 && r.err == nil; n-- {
			r.take(r.count18())
		}
	case v18DictionaryArray:
		key, val := r.descriptors18(depth)
		for n := r.open(r.count18(), 1, depth); n > 0 && r.next(1); n-- {
			r.skipPairs18(key, val, depth+1)
		}
	default:
		if code >= v18SlimFirst && code <= v18SlimLast {
			r.take(r.count18())
			return
		}
		r.skipItem18(code, depth)
	}
}

// skipItem18 skips a body whose type code is the same in typed values and in
// dictionaries.
func (r *reader) skipItem18(code byte, depth int) {
	switch code {
	case v18Bool, v18Byte:
		r.u8()
	case v18Short:
		r.take(2)
	case v18Float:
		r.take(4)
	case v18Double:
		r.take(8)
	case v18String, v18ByteArray:
		r.take(r.count18())
	case v18Int:
		r.uvarint(32)
	case v18Long:
		r.uvarint(64)
	case v18Hashtable:
		r.skipHashtable(V18, depth)
	case v18ObjectArray:
		for n := r.open(r.count18(), minTyped, depth); n > 0 && r.next(minTyped); n-- {
			r.skipTyped18(depth + 1)
		}
	case v18Request:
		r.skipMessage(V18, request, depth)
	case v18Response:
		r.skipMessage(V18, response, depth)
	case v18Event:
		r.skipMessage(V18, event, depth)
	case v18BoolArray:
		r.take(int((int64(r.count18()) + 7) / 8))
	case v18ShortArray:
		r.take(r.fits(r.count18(), 2) * 2)
	case v18FloatArray:
		r.take(r.fits(r.count18(), 4) * 4)
	case v18DoubleArray:
		r.take(r.fits(r.count18(), 8) * 8)
	case v18StringArray:
		for n := r.nested(r.fits(r.count18(), 1)); n > 0 && r.err == nil; n-- {
			r.take(r.count18())
		}
	case v18IntArray:
		for n := r.fits(r.count18(), 1); n > 0 && r.err == nil; n-- {
			r.uvarint(32)
		}
	case v18LongArray:
		for n := r.fits(r.count18(), 1); n > 0 && r.err == nil; n-- {
			r.uvarint(64)
		}
	case v18HashtableArray:
		for n := r.open(r.count18(), 1, depth); n > 0 && r.next(1); n-- {
			r.skipHashtable(V18, depth+1)
		}
	default:
		r.unknown(code)
	}
}

// descriptors18 reads the type descriptors of keys and values and returns the
// offset of each. A type has one descriptor only, so bytes can stand for types.
func (r *reader) descriptors18(depth int) (key, val int) {
	key = r.off
	if c := r.u8(); r.err == nil && !kindOf18[c].isKey() {
		r.unknown(c)
	}
	val = r.off
	switch c := r.u8(); c {
	case v18Dictionary:
		if depth+1 >= MaxDepth {
			r.fail(TooDeep)
			return key, val
		}
		r.descriptors18(depth + 1)
	case v18ArrayArray:
		for c == v18ArrayArray && r.err == nil {
			if depth++; depth >= MaxDepth {
				r.fail(TooDeep)
			}
			c = r.u8()
		}
		if r.err == nil && !kindOf18[c].isLeaf() {
			r.unknown(c)
		}
	default:
		if kindOf18[c] == noKind {
			r.unknown(c)
		}
	}
	return key, val
}

// skipPairs18 skips the count and entries of a dictionary. The descriptors of
// its types stand at key and val.
func (r *reader) skipPairs18(key, val, depth int) {
	if r.err != nil {
		return
	}
	keyCode, valCode := r.b[key], r.b[val]
	size := minItem18(keyCode) + minItem18(valCode)
	for n := r.open(r.count18(), size, depth); n > 0 && r.next(size); n-- {
		if keyCode == 0 {
			r.skipKey(V18, depth+1)
		} else {
			r.skipItem18(keyCode, depth+1)
		}
		switch valCode {
		case 0:
			r.skipTyped18(depth + 1)
		case v18Dictionary:
			k, v := r.repeated18(val+1, depth+1)
			r.skipPairs18(k, v, depth+1)
		case v18ArrayArray:
			r.skipNestedArray18(val, depth+1)
		default:
			r.skipItem18(valCode, depth+1)
		}
	}
}

// repeated18 reads the header of a nested dictionary, which must equal the
// declaration that stands at declared.
func (r *reader) repeated18(declared, depth int) (key, val int) {
	start := r.off
	key, val = r.descriptors18(depth)
	if r.err == nil && string(r.b[start:r.off]) != string(r.b[declared:declared+r.off-start]) {
		r.failAt(start, TypeMismatch)
	}
	return key, val
}

// skipNestedArray18 skips a typed value that is null or an array of the type
// whose descriptor (array codes, then the leaf's) stands at desc.
func (r *reader) skipNestedArray18(desc, depth int) {
	c := r.u8()
	if r.err != nil || c == v18Null {
		return
	}
	if c != r.b[desc] {
		r.failAt(r.off-1, TypeMismatch)
		return
	}
	if c != v18ArrayArray {
		r.skipItem18(c, depth)
		return
	}
	for n := r.open(r.count18(), minTyped, depth); n > 0 && r.next(minTyped); n-- {
		r.skipNestedArray18(desc+1, depth+1)
	}
}
