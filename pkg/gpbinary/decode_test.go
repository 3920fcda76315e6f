package gpbinary

import (
	"bytes"
	"errors"
	"runtime"
	"strings"
	"testing"
)

func wantError(t *testing.T, err error, class Class, offset int) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Class != class || e.Offset != offset {
		t.Errorf("error %v, want %v at %d", err, class, offset)
	}
}

// serialization.md 11: errors name their class and offset.
func TestErrorOffsets(t *testing.T) {
	tests := []struct {
		name   string
		v      Version
		hex    string
		class  Class
		offset int
	}{
		{"empty", V16, "", Truncated, 0},
		{"short int", V16, "690000", Truncated, 1},
		{"negative length", V16, "7a000173ffff", BadCount, 4},
		{"negative byte[] length", V16, "78ffffffff", BadCount, 1},
		{"element without bytes", V16, "79000100", UnknownType, 3},
		{"second key again", V16, "68000262012a62012a", DuplicateKey, 6},
		{"null key", V16, "6800012a2a", NullKey, 3},
		{"dictionary key type", V16, "4444690000", UnknownType, 1},
		{"dictionary value type", V16, "4469630000", UnknownType, 2},
		{"unknown in array", V18, "17021e16", UnknownType, 3},
		{"varint too long", V18, "0980808080801000", BadVarint, 1},
		{"count beyond int32", V18, "43ffffffff0f", BadCount, 1},
		{"int in array[]", V18, "40010b01", UnknownType, 2},
		{"flat array in nested type", V18, "140940490102490104", TypeMismatch, 6},
		{"nested header differs", V18, "14091409090102090700", TypeMismatch, 7},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := unhex(t, tt.hex)
			_, _, err := Decode(tt.v, b)
			wantError(t, err, tt.class, tt.offset)
			if tt.class != DuplicateKey {
				_, err = Skip(tt.v, b)
				wantError(t, err, tt.class, tt.offset)
			}
		})
	}
	if s := (&Error{Offset: 3, Class: UnknownType, Code: 0x16}).Error(); s != "gpbinary: unknown_type 0x16 at offset 3" {
		t.Error(s)
	}
}

// serialization.md 11, rule 4: containers nest to MaxDepth and no deeper, in
// every kind of container, and what can be read can be written.
func TestDepth(t *testing.T) {
	shapes := []struct {
		name              string
		v                 Version
		open, leaf, close string
	}{
		{"object[] V16", V16, "7a0001", "2a", ""},
		{"hashtable V16", V16, "6800016201", "2a", ""},
		{"dictionary V16", V16, "446200000101", "2a", ""},
		{"event V16", V16, "6501000105", "2a", ""},
		{"object[] V18", V18, "1701", "08", ""},
		{"hashtable V18", V18, "15010301", "08", ""},
		{"dictionary V18", V18, "1403000101", "08", ""},
		{"array[] V18", V18, "4001", "4901", "02"},
		{"request V18", V18, "18010105", "08", ""},
	}
	for _, s := range shapes {
		t.Run(s.name, func(t *testing.T) {
			nested := func(n int) []byte {
				return unhex(t, strings.Repeat(s.open, n)+s.leaf+s.close)
			}
			b := nested(MaxDepth)
			value, n, err := Decode(s.v, b)
			if err != nil || n != len(b) {
				t.Fatalf("%d levels: %v", MaxDepth, err)
			}
			if out, err := Append(nil, s.v, value); err != nil || !bytes.Equal(out, b) {
				t.Errorf("%d levels: %v", MaxDepth, err)
			}
			b = nested(MaxDepth + 1)
			var e *Error
			if _, _, err := Decode(s.v, b); !errors.As(err, &e) || e.Class != TooDeep {
				t.Errorf("%d levels: %v", MaxDepth+1, err)
			}
			if _, err := Skip(s.v, b); !errors.As(err, &e) || e.Class != TooDeep {
				t.Errorf("skip %d levels: %v", MaxDepth+1, err)
			}
			var ve *ValueError
			if _, err := Append(nil, s.v, ObjectArray{value}); !errors.As(err, &ve) || ve.Reason != reasonTooDeep {
				t.Errorf("append %d levels: %v", MaxDepth+1, err)
			}
		})
	}
	// Type descriptors nest too.
	b := unhex(t, strings.Repeat("1409", MaxDepth)+"0900")
	if _, err := Skip(V18, b); err != nil {
		t.Errorf("%d descriptors: %v", MaxDepth, err)
	}
	value, _, err := Decode(V18, b)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := Append(nil, V18, value); err != nil || !bytes.Equal(out, b) {
		t.Errorf("%d descriptors: %v", MaxDepth, err)
	}
	_, err = Skip(V18, unhex(t, "1409"+strings.Repeat("1409", MaxDepth)+"0900"))
	var e *Error
	if !errors.As(err, &e) || e.Class != TooDeep {
		t.Errorf("%d descriptors: %v", MaxDepth+1, err)
	}
}

// serialization.md 11, rule 6.
func TestNodeLimit(t *testing.T) {
	nulls := func(n int) []byte {
		b := appendUvarint([]byte{v18ObjectArray}, uint64(n))
		return append(b, bytes.Repeat([]byte{v18Null}, n)...)
	}
	if _, err := Skip(V18, nulls(MaxNodes)); err != nil {
		t.Error(err)
	}
	_, err := Skip(V18, nulls(MaxNodes+1))
	var e *Error
	if !errors.As(err, &e) || e.Class != TooManyNodes {
		t.Errorf("Skip: %v", err)
	}
	if _, _, err = Decode(V18, nulls(MaxNodes+1)); !errors.As(err, &e) || e.Class != TooManyNodes {
		t.Errorf("Decode: %v", err)
	}
	// The limit holds for a message, not for each of its values.
	table := []byte{2}
	for key := range 2 {
		table = append(append(table, byte(key)), nulls(MaxNodes/2)...)
	}
	if _, _, err = ReadTable(V18, table, nil); !errors.As(err, &e) || e.Class != TooManyNodes {
		t.Errorf("ReadTable: %v", err)
	}
}

// serialization.md 11: containers that each claim all bytes left must not each
// get memory for them.
func TestNestedClaims(t *testing.T) {
	const size = 60000
	shapes := map[string]struct {
		v    Version
		open func(left int) []byte
		fill byte
	}{
		"object[]":      {V18, func(n int) []byte { return appendUvarint([]byte{v18ObjectArray}, uint64(n)) }, v18Null},
		"hashtable key": {V18, func(n int) []byte { return appendUvarint([]byte{v18Hashtable}, uint64(n/2)) }, v18IntZero},
		"object[] V16":  {V16, func(n int) []byte { n = min(n, 30000); return []byte{v16ObjectArray, byte(n >> 8), byte(n)} }, v16Null},
	}
	for name, s := range shapes {
		t.Run(name, func(t *testing.T) {
			var b []byte
			for range 100 {
				b = append(b, s.open(size-len(b)-10)...)
			}
			for len(b) < size {
				b = append(b, s.fill)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, _, err := Decode(s.v, b)
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Fatal("accepted")
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 100*size {
				t.Errorf("%d bytes allocated for %d: %v", used, size, err)
			}
		})
	}
}

// What was decoded holds no part of the input.
func TestDecodeCopies(t *testing.T) {
	for _, v := range versions {
		in := ObjectArray{"text", []byte("bytes"), Custom{1, []byte("data")}, &CustomArray{1, [][]byte{[]byte("item")}}, []string{"s"}}
		b, err := Append(nil, v, in)
		if err != nil {
			t.Fatal(err)
		}
		value, _, err := Decode(v, b)
		if err != nil {
			t.Fatal(err)
		}
		clear(b)
		if !Equal(value, in) {
			t.Errorf("%v: %v", v, value)
		}
	}
}

func TestDecodeHashtable(t *testing.T) {
	in := NewHashtable(Pair{"a", &ArrayArray{Items: []any{[]int32{1}}}}, Pair{uint8(255), uint8(4)}, Pair{"gone", nil})
	for i, v := range versions {
		b, err := Append(nil, v, in)
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, 99)
		h, n, err := DecodeHashtable(v, b)
		if err != nil || n != len(b)-1 {
			t.Fatalf("%d of %d: %v", n, len(b), err)
		}
		clear(b)
		for _, p := range h.Pairs() {
			if raw, ok := p.Value.(Raw); !ok || raw.Version != v {
				t.Errorf("%v is %#v", p.Key, p.Value)
			}
		}
		if !Equal(h, in) {
			t.Errorf("%v", h.Pairs())
		}
		for _, to := range []Version{v, versions[1-i]} {
			got, err := Append(nil, to, h)
			want, _ := Append(nil, to, in)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%v to %v: %x, want %x: %v", v, to, got, want, err)
			}
		}
	}
	_, _, err := DecodeHashtable(V18, []byte{v18IntZero})
	wantError(t, err, TypeMismatch, 0)
	_, _, err = DecodeHashtable(V18, unhex(t, "1502030108030108"))
	wantError(t, err, DuplicateKey, 5)
	_, _, err = DecodeHashtable(V18, unhex(t, "15010301"))
	wantError(t, err, Truncated, 4)
}

func TestReadTable(t *testing.T) {
	for _, v := range versions {
		b, err := AppendParams(nil, v, Params{{5, "text"}, {7, nil}, {200, int32(70000)}})
		if err != nil {
			t.Fatal(err)
		}
		size := len(b)
		b = append(b, 1, 2, 3) // bytes behind a message are legal
		fields, n, err := ReadTable(v, b, []Field{{Key: 1}})
		if err != nil || n != size || len(fields) != 4 {
			t.Fatalf("%d fields in %d bytes: %v", len(fields), n, err)
		}
		for i, want := range []any{"text", nil, int32(70000)} {
			got, err := decodeAll(v, fields[i+1].Bytes)
			if err != nil || !Equal(got, want) {
				t.Errorf("field %d is %v: %v", i, got, err)
			}
		}
		for i := range size {
			if _, _, err := ReadTable(v, b[:i], nil); err == nil {
				t.Errorf("accepted %d of %d bytes", i, size)
			}
		}
	}
	_, _, err := ReadTable(V18, unhex(t, "0205080508"), nil)
	wantError(t, err, DuplicateKey, 3)
}

func TestReadInt(t *testing.T) {
	for _, value := range []any{
		uint8(0), uint8(255), int16(0), int16(-1), int16(32767), int32(0), int32(1), int32(-1), int32(255), int32(-256),
		int32(65535), int32(-65535), int32(65536), int32(-1 << 31), int64(0), int64(-255), int64(256), int64(-65535), int64(1 << 62),
	} {
		for _, v := range versions {
			b, err := Append(nil, v, value)
			if err != nil {
				t.Fatal(err)
			}
			if n, ok := ReadInt(v, b); !ok || !EqualValues(n, value) {
				t.Errorf("%v %T %v: %v %v", v, value, value, n, ok)
			}
			if _, ok := ReadInt(v, append(b, 0)); ok {
				t.Errorf("%v: %x is more than one value", v, b)
			}
			if _, ok := ReadInt(v, b[:len(b)-1]); ok {
				t.Errorf("%v: %x is less than a value", v, b[:len(b)-1])
			}
			if n, ok := value.(int32); ok && !bytes.Equal(AppendInt(nil, v, n), b) {
				t.Errorf("AppendInt %d: %x, Append %x", n, AppendInt(nil, v, n), b)
			}
		}
	}
	for _, value := range []any{nil, true, "1", 1.0, float32(1), []byte{1}} {
		for _, v := range versions {
			b, _ := Append(nil, v, value)
			if n, ok := ReadInt(v, b); ok {
				t.Errorf("%v is the integer %d", value, n)
			}
		}
	}
}
