package gpbinary

import (
	"bytes"
	"errors"
	"testing"
)

// seed gives a fuzz target the vectors that are single values and not long.
func seed(f *testing.F) {
	for _, v := range versions {
		file := load(f, v)
		for _, list := range [][]vector{file.Valid, file.Invalid} {
			for _, vec := range list {
				if vec.Kind == "value" && vec.Size < 300 {
					f.Add(v == V18, vec.bytes(f))
				}
			}
		}
	}
}

func versionOf(v18 bool) Version {
	if v18 {
		return V18
	}
	return V16
}

// FuzzSkip holds that Skip and Decode accept the same bytes, but for duplicate keys.
func FuzzSkip(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, v18 bool, b []byte) {
		v := versionOf(v18)
		skipped, skipErr := Skip(v, b)
		_, decoded, err := Decode(v, b)
		var e *Error
		if errors.As(err, &e) {
			if e.Offset < 0 || e.Offset > len(b) {
				t.Fatalf("offset %d of %d", e.Offset, len(b))
			}
			if e.Class == DuplicateKey {
				return
			}
		}
		if (skipErr == nil) != (err == nil) || skipped != decoded {
			t.Fatalf("Skip %d, %v; Decode %d, %v", skipped, skipErr, decoded, err)
		}
		if n, ok := ReadInt(v, b); ok {
			value, size, err := Decode(v, b)
			if err != nil || size != len(b) || !EqualValues(value, n) {
				t.Fatalf("ReadInt %d, Decode %v, %v", n, value, err)
			}
		}
	})
}

// FuzzRoundTrip holds that what was decoded can be written, and reads as the same.
func FuzzRoundTrip(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, v18 bool, b []byte) {
		v := versionOf(v18)
		value, _, err := Decode(v, b)
		if err != nil {
			return
		}
		if !Equal(value, value) || !EqualValues(value, value) {
			t.Fatalf("%#v is not equal to itself", value)
		}
		out, err := Append(nil, v, value)
		if refusable(err) {
			return
		}
		if err != nil {
			t.Fatalf("%#v: %v", value, err)
		}
		again, n, err := Decode(v, out)
		if duplicate(err) {
			return
		}
		if err != nil || n != len(out) || !Equal(value, again) {
			t.Fatalf("%x reads as %#v, not %#v: %v", out, again, value, err)
		}
		if out2, err := Append(nil, v, again); err != nil || !bytes.Equal(out, out2) {
			t.Fatalf("%x and %x: %v", out, out2, err)
		}
	})
}

// refusable tells whether an error of Append is one that decoded values may have:
// limits that readers don't have, and arrays that clients can't read.
func refusable(err error) bool {
	var e *ValueError
	if !errors.As(err, &e) {
		return false
	}
	switch e.Reason {
	case reasonString, reasonTooMany, reasonCustom, reasonMixed, reasonParams:
		return true
	}
	return false
}

// duplicate tells whether two keys that are containers and were written
// differently have become the same bytes.
func duplicate(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Class == DuplicateKey
}

// FuzzTranscode holds that a transcoded value is legal in the other format, and
// that a lossless one comes back as it was.
func FuzzTranscode(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, v18 bool, b []byte) {
		from, to := versionOf(v18), versionOf(!v18)
		value, n, err := Decode(from, b)
		if err != nil {
			return
		}
		out, lossless, err := Transcode(nil, to, Raw{from, b[:n]})
		if refusable(err) {
			return
		}
		if err != nil {
			t.Fatalf("%#v: %v", value, err)
		}
		if n, err := Skip(to, out); err != nil || n != len(out) {
			t.Fatalf("%x: %v", out, err)
		}
		if !lossless {
			return
		}
		back, lossless, err := Transcode(nil, from, Raw{to, out})
		if duplicate(err) || err == nil && !lossless {
			return // for example V16's vague types, of which V18 has made definite ones
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, _, err := Decode(from, back); err != nil || !Equal(value, got) {
			t.Fatalf("%#v came back as %#v: %v", value, got, err)
		}
	})
}

// FuzzReadTable holds that a table's fields are what DecodeRequest sees.
func FuzzReadTable(f *testing.F) {
	for _, v := range versions {
		for _, vec := range load(f, v).Valid {
			if vec.Kind == "opreq" && vec.Size < 300 {
				f.Add(v == V18, vec.bytes(f))
			}
		}
	}
	f.Fuzz(func(t *testing.T, v18 bool, b []byte) {
		v := versionOf(v18)
		if len(b) == 0 {
			return
		}
		fields, n, err := ReadTable(v, b[1:], nil)
		req, m, decodeErr := DecodeRequest(v, b)
		var e *Error
		if errors.As(decodeErr, &e) && e.Class == DuplicateKey && err == nil {
			return // inside a value
		}
		if (err == nil) != (decodeErr == nil) {
			t.Fatalf("ReadTable %v, DecodeRequest %v", err, decodeErr)
		}
		if err != nil {
			return
		}
		if n+1 != m || len(fields) != len(req.Params) {
			t.Fatalf("%d fields in %d bytes, %d parameters in %d", len(fields), n+1, len(req.Params), m)
		}
		for i, f := range fields {
			value, err := decodeAll(v, f.Bytes)
			if err != nil || f.Key != req.Params[i].Key || !Equal(value, req.Params[i].Value) {
				t.Fatalf("field %d is %v %#v: %v", f.Key, err, value, req.Params[i])
			}
		}
	})
}
