package gpbinary

import (
	"bytes"
	"errors"
	"reflect"
	"runtime"
	"testing"
)

var versions = []Version{V16, V18}

// sameValue is Equal for what tests expect: besides types and values also the
// order of pairs and all that Equal leaves out. Floats compare by bits because
// encoding compares them again.
func sameValue(t *testing.T, a, b any) bool {
	t.Helper()
	if x, ok := a.(disconnectMessage); ok {
		y, ok := b.(disconnectMessage)
		return ok && x.code == y.code && x.debug == y.debug && Equal(&EventData{Params: x.params}, &EventData{Params: y.params})
	}
	return Equal(a, b) && reflect.TypeOf(a) == reflect.TypeOf(b)
}

// serialization.md 2-7, 9: every valid vector decodes to exactly its value and
// encodes to exactly its bytes.
func TestValidVectors(t *testing.T) {
	for _, v := range versions {
		for _, vec := range load(t, v).Valid {
			t.Run(v.String()+"/"+vec.Name, func(t *testing.T) {
				b, want := vec.bytes(t), parse(t, vec.Value)
				got, n, err := decodeKind(vec.Kind, v, b)
				if err != nil || n != len(b) {
					t.Fatalf("decoded %d of %d bytes: %v", n, len(b), err)
				}
				if !sameValue(t, want, got) {
					t.Errorf("decoded %#v, want %#v", got, want)
				}
				if vec.Kind == "value" {
					if n, err := Skip(v, b); err != nil || n != len(b) {
						t.Errorf("skipped %d of %d bytes: %v", n, len(b), err)
					}
				}
				canonical := b
				if !vec.Encode {
					canonical = unhex(t, vec.CanonicalHex)
				}
				if len(canonical) == 0 {
					return // decode only, and no client's writer makes it
				}
				for _, value := range []any{want, got} {
					out, err := encodeKind(vec.Kind, v, value)
					if err != nil || !bytes.Equal(out, canonical) {
						t.Errorf("encoded %.80x, want %.80x: %v", out, canonical, err)
					}
				}
			})
		}
	}
}

// serialization.md 11: every invalid vector gives an error, and memory stays in
// proportion to the input.
func TestInvalidVectors(t *testing.T) {
	for _, v := range versions {
		for _, vec := range load(t, v).Invalid {
			t.Run(v.String()+"/"+vec.Name, func(t *testing.T) {
				b := vec.bytes(t)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				_, n, err := decodeKind(vec.Kind, v, b)
				runtime.ReadMemStats(&after)
				if err == nil && n == len(b) {
					t.Fatal("accepted")
				}
				var e *Error
				if err != nil && (!errors.As(err, &e) || e.Offset < 0 || e.Offset > len(b)) {
					t.Errorf("error %#v", err)
				}
				if used, limit := after.TotalAlloc-before.TotalAlloc, uint64(4096+100*len(b)); used > limit {
					t.Errorf("allocated %d bytes for %d", used, len(b))
				}
				if vec.Kind != "value" {
					return
				}
				_, skipErr := Skip(v, b)
				if duplicate := e != nil && e.Class == DuplicateKey; (skipErr == nil) != (err == nil || duplicate) {
					t.Errorf("Skip says %v, Decode %v", skipErr, err)
				}
			})
		}
	}
}

// serialization.md 15, "Refuse to encode".
func TestEncodeErrorVectors(t *testing.T) {
	for _, v := range versions {
		for _, vec := range load(t, v).EncodeErrors {
			if vec.Name == "string[]_null_element" {
				continue // a []string has no null
			}
			t.Run(v.String()+"/"+vec.Name, func(t *testing.T) {
				dst := []byte{1, 2}
				out, err := Append(dst, v, parse(t, vec.Value))
				var e *ValueError
				if !errors.As(err, &e) {
					t.Errorf("error %v", err)
				}
				if !bytes.Equal(out, dst) {
					t.Errorf("returned %x", out)
				}
			})
		}
	}
}

// serialization.md 14: listed cases give the listed bytes, and every other valid
// vector converts into the one of the same name in the other file.
func TestTranscodeVectors(t *testing.T) {
	for i, from := range versions {
		to := versions[1-i]
		cases, pairs := map[string]vector{}, map[string]vector{}
		for _, c := range load(t, from).Transcode.Cases {
			cases[c.Name] = c
		}
		for _, p := range load(t, to).Valid {
			pairs[p.Name] = p
		}
		for _, vec := range load(t, from).Valid {
			t.Run(from.String()+"/"+vec.Name, func(t *testing.T) {
				out, lossless, err := transcodeKind(t, vec.Kind, from, to, vec.bytes(t))
				c, listed := cases[vec.Name]
				if !listed {
					if !vec.Pair {
						t.Fatal("neither case nor pair")
					}
					c = pairs[vec.Name]
					c.Possible, c.Lossless = true, true
				}
				if !c.Possible {
					var e *ValueError
					if !errors.As(err, &e) {
						t.Errorf("error %v", err)
					}
					return
				}
				if want := c.bytes(t); err != nil || lossless != c.Lossless || !bytes.Equal(out, want) {
					t.Errorf("%.100x, lossless %v, %v\nwant %.100x, %v", out, lossless, err, want, c.Lossless)
				}
				if c.TargetValue != nil {
					got, _, err := decodeKind(vec.Kind, to, out)
					if err != nil || !sameValue(t, parse(t, c.TargetValue), got) {
						t.Errorf("reads as %#v: %v", got, err)
					}
				}
			})
		}
	}
}

// serialization.md 13: Skip and ReadTable allocate nothing.
func TestSkipAllocatesNothing(t *testing.T) {
	for _, v := range versions {
		for _, vec := range load(t, v).Valid {
			b := vec.bytes(t)
			fields := make([]Field, 0, 256)
			walk := func() { Skip(v, b) }
			if vec.Kind == "opreq" || vec.Kind == "event" {
				walk = func() { ReadTable(v, b[1:], fields) }
			}
			if n := testing.AllocsPerRun(1, walk); n != 0 && (vec.Kind == "value" || vec.Kind == "opreq" || vec.Kind == "event") {
				t.Errorf("%v %s: %v allocations", v, vec.Name, n)
			}
		}
	}
}
