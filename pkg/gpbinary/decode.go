package gpbinary

// Decode decodes one typed value and returns the number of bytes it takes; the
// caller decides whether bytes may follow. The value holds no part of b. A
// hostile input costs memory in proportion to its size (serialization.md 11).
func Decode(v Version, b []byte) (value any, n int, err error) {
	r := reader{b: b}
	value = r.typed(v, 0)
	n, err = r.result()
	if err != nil {
		return nil, 0, err
	}
	return value, n, nil
}

// Skip checks one typed value and returns the number of bytes it takes. It
// allocates nothing. What it accepts Decode accepts too, except for tables in
// which a key occurs twice (serialization.md 13).
func Skip(v Version, b []byte) (n int, err error) {
	r := reader{b: b}
	r.skipTyped(v, 0)
	return r.result()
}

// decodeAll decodes one typed value that fills b.
func decodeAll(v Version, b []byte) (any, error) {
	value, n, err := Decode(v, b)
	if err == nil && n != len(b) {
		return nil, &Error{Offset: n, Class: Trailing}
	}
	return value, err
}

// DecodeHashtable decodes one typed value that is a hashtable, like Decode, but
// leaves its values undecoded: each is a Raw of v, checked by Skip. The values
// share one copy of the table's bytes. So stored properties keep their exact
// form and reach clients of the other format by the rules of Transcode
// (serialization.md 12, "Stored values"). Another type is a TypeMismatch.
func DecodeHashtable(v Version, b []byte) (h *Hashtable, n int, err error) {
	if n, err = Skip(v, b); err != nil {
		return nil, 0, err
	}
	if v == V16 && b[0] != v16Hashtable || v == V18 && b[0] != v18Hashtable {
		return nil, 0, &Error{Class: TypeMismatch}
	}
	r := reader{b: append([]byte(nil), b[:n]...), off: 1}
	count := r.openHashtable(v, 0)
	t := newTable(count)
	for ; count > 0 && r.next(minPair); count-- {
		start := r.off
		key := r.typed(v, 1)
		t.add(&r, start, key)
		start = r.off
		r.skipTyped(v, 1)
		if r.err == nil {
			t.value(Raw{Version: v, Bytes: r.b[start:r.off:r.off]})
		}
	}
	if n, err = r.result(); err != nil {
		return nil, 0, err
	}
	return t.hashtable(), n, nil
}

// ReadInt reads a typed value that is an integer: byte, short, int or long. ok
// is false for other types and for bytes that are not exactly one value. Clients
// of different generations send the same number in different widths
// (serialization.md 12). It allocates nothing.
func ReadInt(v Version, typed []byte) (n int64, ok bool) {
	r := reader{b: typed}
	code := r.u8()
	if v == V16 {
		switch code {
		case v16Byte:
			n = int64(r.u8())
		case v16Short:
			n = int64(r.be16())
		case v16Int:
			n = int64(int32(r.be32()))
		case v16Long:
			n = int64(r.be64())
		default:
			return 0, false
		}
	} else {
		switch code {
		case v18ByteZero, v18ShortZero, v18IntZero, v18LongZero:
		case v18Byte, v18Int1, v18Long1:
			n = int64(r.u8())
		case v18Int1Neg, v18Long1Neg:
			n = -int64(r.u8())
		case v18Int2, v18Long2:
			n = int64(r.le16())
		case v18Int2Neg, v18Long2Neg:
			n = -int64(r.le16())
		case v18Short:
			n = int64(int16(r.le16()))
		case v18Int:
			n = int64(r.zigzag32())
		case v18Long:
			n = r.zigzag64()
		default:
			return 0, false
		}
	}
	return n, r.err == nil && r.off == len(typed)
}

// ReadString reads a typed value that is a string. ok is false for other types
// and for bytes that are not exactly one value. It allocates the string alone.
func ReadString(v Version, typed []byte) (s string, ok bool) {
	r := reader{b: typed}
	code := r.u8()
	var b []byte
	switch {
	case v == V16 && code == v16String:
		b = r.take(r.count16())
	case v == V18 && code == v18String:
		b = r.take(r.count18())
	default:
		return "", false
	}
	if r.err != nil || r.off != len(typed) {
		return "", false
	}
	return string(b), true
}
