package s2s

import (
	"fmt"

	"github.com/boson-project/boson/pkg/gpbinary"
)

// fields reads a parameter table into typed values. What is absent or null is
// zero; what has another type is an error, kept until the end. Parameters that
// nobody asks for are ignored (cluster.md 12.2).
type fields struct {
	params gpbinary.Params
	err    error
}

func field[T any](f *fields, key byte) (v T) {
	raw, _ := f.params.Get(key)
	if raw == nil {
		return v
	}
	v, ok := raw.(T)
	if !ok && f.err == nil {
		f.err = fmt.Errorf("s2s: parameter %d is a %T, not a %T", key, raw, v)
	}
	return v
}

// array16 reads a byte[16]; another length is an error.
func (f *fields) array16(key byte) (a [16]byte) {
	b := field[[]byte](f, key)
	if b != nil && len(b) != len(a) && f.err == nil {
		f.err = fmt.Errorf("s2s: parameter %d has %d bytes, not %d", key, len(b), len(a))
	}
	copy(a[:], b)
	return a
}

func param(key byte, value any) gpbinary.Param { return gpbinary.Param{Key: key, Value: value} }
