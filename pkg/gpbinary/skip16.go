package gpbinary

// Least sizes in bytes of V16 bodies, for checks of counts before allocation
// (serialization.md 11, rule 2). 0 means that the code is no element type.
var minBody16 = [256]uint8{
	v16Bool: 1, v16Byte: 1, v16Short: 2, v16Int: 4, v16Long: 8, v16Float: 4, v16Double: 8, v16String: 2,
	v16ByteArray: 4, v16Array: 3, v16ObjectArray: 2, v16Hashtable: 2, v16Dictionary: 4, v16Custom: 2,
	v16IntArray: 4, v16StringArray: 2, v16Request: 3, v16Event: 3, v16Response: 6,
}

// fixedSize16 holds the sizes of V16 scalars that have one.
var fixedSize16 = [256]uint8{
	v16Bool: 1, v16Byte: 1, v16Short: 2, v16Int: 4, v16Long: 8, v16Float: 4, v16Double: 8,
}

const (
	minTyped = 1 // least bytes of a typed value
	minPair  = 2 // of a pair of them, and of a parameter
	// minDictionary16 is the least size of a V16 dictionary after its types.
	minDictionary16 = 2
)

// minItem16 returns the least size of a dictionary's key or value with this type code.
func minItem16(code byte) int {
	if kindOf16[code] == KindObject {
		return minTyped
	}
	return int(minBody16[code])
}

func (r *reader) skipTyped16(depth int) {
	switch code := r.u8(); code {
	case v16Null, v16Zero:
	default:
		r.skipBody16(code, depth)
	}
}

// skipBody16 skips what follows the type code of a value that is not null.
func (r *reader) skipBody16(code byte, depth int) {
	if n := fixedSize16[code]; n != 0 {
		r.take(int(n))
		return
	}
	switch code {
	case v16String:
		r.take(r.count16())
	case v16ByteArray:
		r.take(r.count32())
	case v16Array:
		r.skipArray16(depth)
	case v16ObjectArray:
		for n := r.open(r.count16(), minTyped, depth); n > 0 && r.next(minTyped); n-- {
			r.skipTyped16(depth + 1)
		}
	case v16Hashtable:
		r.skipHashtable(V16, depth)
	case v16Dictionary:
		key, val := r.dictTypes16()
		r.skipPairs16(key, val, depth)
	case v16Custom:
		r.u8()
		r.take(r.count16())
	case v16IntArray:
		r.take(r.fits(r.count32(), 4) * 4)
	case v16StringArray:
		r.skipStrings16(r.count16())
	case v16Request, v16Response, v16Event:
		r.skipMessage(V16, messageOf16(code), depth)
	default:
		r.unknown(code)
	}
}

func messageOf16(code byte) message {
	switch code {
	case v16Response:
		return response
	case v16Event:
		return event
	default:
		return request
	}
}

func (r *reader) skipStrings16(n int) {
	for n = r.nested(r.fits(n, 2)); n > 0 && r.err == nil; n-- {
		r.take(r.count16())
	}
}

// dictTypes16 reads a dictionary's declared types.
func (r *reader) dictTypes16() (key, val byte) {
	key = r.u8()
	if k := kindOf16[key]; r.err == nil && !k.isKey() {
		r.unknown(key)
	}
	val = r.u8()
	if r.err == nil && kindOf16[val] == noKind {
		r.unknown(val)
	}
	return key, val
}

// skipPairs16 skips the count and entries of a dictionary.
func (r *reader) skipPairs16(key, val byte, depth int) {
	if r.err != nil {
		return
	}
	size := minItem16(key) + minItem16(val)
	for n := r.open(r.count16(), size, depth); n > 0 && r.next(size); n-- {
		if kindOf16[key] == KindObject {
			r.skipKey(V16, depth+1)
		} else {
			r.skipBody16(key, depth+1)
		}
		if kindOf16[val] == KindObject {
			r.skipTyped16(depth + 1)
		} else {
			r.skipBody16(val, depth+1)
		}
	}
}

// skipArray16 skips the body of a typed array.
func (r *reader) skipArray16(depth int) {
	n := r.count16()
	code := r.u8()
	if r.err != nil {
		return
	}
	if size := fixedSize16[code]; size != 0 {
		r.take(r.fits(n, int(size)) * int(size))
		return
	}
	size := int(minBody16[code])
	switch code {
	case v16String:
		r.skipStrings16(n)
	case v16Custom:
		r.u8()
		for n = r.nested(r.fits(n, size)); n > 0 && r.err == nil; n-- {
			r.take(r.count16())
		}
	case v16Dictionary:
		key, val := r.dictTypes16()
		for n = r.open(n, minDictionary16, depth); n > 0 && r.next(minDictionary16); n-- {
			r.skipPairs16(key, val, depth+1)
		}
	default:
		if size == 0 {
			r.unknown(code)
			return
		}
		for n = r.open(n, size, depth); n > 0 && r.next(size); n-- {
			r.skipBody16(code, depth+1)
		}
	}
}
