package abi

import (
	"fmt"
	"math"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
)

const form = gpbinary.V18

// Table is a parameter table that is being written. The first error stays; a
// Table may be used again after Reset.
type Table struct {
	// Unknown is asked for a substitute of values without a serialization, if it is
	// not nil.
	Unknown func(any) (any, bool)

	b   []byte
	err error
}

// Reset makes it an empty table.
func (t *Table) Reset() { t.b, t.err = append(t.b[:0], 0), nil }

// Empty says that nothing was written.
func (t *Table) Empty() bool { return t.err == nil && (len(t.b) == 0 || t.b[0] == 0) }

// Bytes returns the table, valid until the next Reset.
func (t *Table) Bytes() ([]byte, error) {
	if t.err != nil {
		return nil, t.err
	}
	if len(t.b) == 0 {
		t.b = append(t.b, 0)
	}
	return t.b, nil
}

// key begins an entry. A table that was never reset is empty.
func (t *Table) key(k photon.ParamCode) {
	if len(t.b) == 0 {
		t.b = append(t.b, 0)
	}
	t.b[0]++ // keys are written once each, so there are at most 255
	t.b = append(t.b, byte(k))
}

func (t *Table) fail(k photon.ParamCode, err error) {
	if err != nil && t.err == nil {
		t.err = fmt.Errorf("parameter %d (%s): %w", byte(k), k, err)
	}
}

// Int writes a number.
func (t *Table) Int(k photon.ParamCode, v int32) {
	t.key(k)
	t.b = gpbinary.AppendInt(t.b, form, v)
}

// String writes a text.
func (t *Table) String(k photon.ParamCode, s string) {
	t.key(k)
	var err error
	t.b, err = gpbinary.AppendString(t.b, form, s)
	t.fail(k, err)
}

// Value writes a value of a type that package gpbinary lists. What only V16
// has becomes what V18 has in its place.
func (t *Table) Value(k photon.ParamCode, v any) {
	t.key(k)
	v, err := plugin.ToWire(v, t.Unknown)
	if err == nil {
		t.b, err = AppendValue(t.b, v)
	}
	t.fail(k, err)
}

// Raw writes a typed value of V18 as it is.
func (t *Table) Raw(k photon.ParamCode, b []byte) {
	t.key(k)
	t.b = append(t.b, b...)
}

// The following write what is not the zero value: what is absent is zero.

// Bool writes true.
func (t *Table) Bool(k photon.ParamCode, v bool) {
	if v {
		t.Value(k, true)
	}
}

// Number writes a number that is not 0.
func (t *Table) Number(k photon.ParamCode, v int32) {
	if v != 0 {
		t.Int(k, v)
	}
}

// Text writes a text that is not empty.
func (t *Table) Text(k photon.ParamCode, s string) {
	if s != "" {
		t.String(k, s)
	}
}

// Table writes a table that is not nil.
func (t *Table) Table(k photon.ParamCode, v *plugin.Table) {
	if v != nil {
		t.Value(k, v)
	}
}

// Map writes a map with string keys that is not nil.
func (t *Table) Map(k photon.ParamCode, m map[string]any) {
	if m != nil {
		t.Value(k, FromJSON(m))
	}
}

// TextMap writes a map of texts that is not nil.
func (t *Table) TextMap(k photon.ParamCode, m map[string]string) {
	if m == nil {
		return
	}
	d := gpbinary.Dictionary{Key: gpbinary.TypeDesc{Kind: gpbinary.KindString}, Val: gpbinary.TypeDesc{Kind: gpbinary.KindString}}
	for key, v := range m {
		d.Pairs = append(d.Pairs, plugin.Pair{Key: key, Value: v})
	}
	t.Value(k, &d)
}

// Params writes a map with byte keys that is not nil, as a Hashtable.
func (t *Table) Params(k photon.ParamCode, m map[byte]any) {
	if m == nil {
		return
	}
	h := plugin.NewTable()
	for key, v := range m {
		h.Set(key, v)
	}
	t.Value(k, h)
}

// AppendValue appends a value typed in V18.
func AppendValue(dst []byte, v any) ([]byte, error) {
	out, err := gpbinary.Append(dst, form, v)
	if err == nil {
		return out, nil
	}
	v, _ = gpbinary.Convert(form, v)
	return gpbinary.Append(dst, form, v)
}

// Parse reads a table into r, whose getters then decode its entries. They alias b.
// No bytes make an empty table.
func Parse(b []byte, r *photon.Request) error {
	r.Protocol, r.Fields = photon.Protocol(form), r.Fields[:0]
	if len(b) == 0 {
		return nil
	}
	fields, n, err := gpbinary.ReadTable(form, b, r.Fields)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrArgument, err)
	}
	if n != len(b) {
		return fmt.Errorf("%w: %d bytes after the table", ErrArgument, len(b)-n)
	}
	r.Fields = fields
	return nil
}

// Reader reads entries of a table, one after the other; its first error stays.
type Reader struct {
	*photon.Request
	Err error
}

// keep notes the first error.
func (r *Reader) keep(err error) bool {
	if err != nil && r.Err == nil {
		r.Err = fmt.Errorf("%w: %w", ErrArgument, err)
	}
	return err == nil
}

// Number returns a number of 32 bits, 0 if it is absent.
func (r *Reader) Number(k photon.ParamCode) int32 {
	v, _, err := r.Int32(k)
	r.keep(err)
	return v
}

// Long returns a number, 0 if it is absent.
func (r *Reader) Long(k photon.ParamCode) int64 {
	v, _, err := r.Int(k)
	r.keep(err)
	return v
}

// Small returns a number of 8 bits, 0 if it is absent.
func (r *Reader) Small(k photon.ParamCode) byte {
	v, _, err := r.Byte(k)
	r.keep(err)
	return v
}

// Flag returns a bool, false if it is absent.
func (r *Reader) Flag(k photon.ParamCode) bool {
	v, _, err := r.Bool(k)
	r.keep(err)
	return v
}

// Text returns a text, empty if it is absent.
func (r *Reader) Text(k photon.ParamCode) string {
	v, _, err := r.String(k)
	r.keep(err)
	return v
}

// Blob returns bytes, nil if they are absent.
func (r *Reader) Blob(k photon.ParamCode) []byte {
	v, _, err := r.Bytes(k)
	r.keep(err)
	return v
}

// Numbers returns numbers, nil if they are absent.
func (r *Reader) Numbers(k photon.ParamCode) []int32 {
	v, _, err := r.Ints(k)
	r.keep(err)
	return v
}

// Texts returns texts, nil if they are absent.
func (r *Reader) Texts(k photon.ParamCode) []string {
	v, _, err := r.Strings(k)
	r.keep(err)
	return v
}

// Any returns a value with registered custom types as Go values, nil if it is
// absent.
func (r *Reader) Any(k photon.ParamCode) any {
	v, _, err := r.Value(k)
	if err == nil {
		v, err = plugin.FromWire(v)
	}
	r.keep(err)
	return v
}

// Table returns a table, nil if it is absent.
func (r *Reader) Table(k photon.ParamCode) *plugin.Table {
	v := r.Any(k)
	if v == nil {
		return nil
	}
	h, ok := v.(*plugin.Table)
	if !ok {
		r.keep(photon.BadParam(k, "is not a table"))
	}
	return h
}

// Map returns a map with string keys, nil if it is absent.
func (r *Reader) Map(k photon.ParamCode) map[string]any {
	v := r.Any(k)
	if v == nil {
		return nil
	}
	m, ok := ToJSON(v).(map[string]any)
	if !ok {
		r.keep(photon.BadParam(k, "is not a dictionary with string keys"))
	}
	return m
}

// TextMap returns a map of texts, nil if it is absent.
func (r *Reader) TextMap(k photon.ParamCode) map[string]string {
	v := r.Any(k)
	if v == nil {
		return nil
	}
	d, ok := v.(*gpbinary.Dictionary)
	if !ok || d.Key.Kind != gpbinary.KindString || d.Val.Kind != gpbinary.KindString || d.Val.Depth != 0 {
		r.keep(photon.BadParam(k, "is not a dictionary of strings"))
		return nil
	}
	m := make(map[string]string, len(d.Pairs))
	for _, p := range d.Pairs {
		m[p.Key.(string)], _ = p.Value.(string)
	}
	return m
}

// Params returns the entries with byte keys of a table, nil if it is absent.
// Their values are gpbinary.Raw with bytes of their own if raw is set.
func (r *Reader) Params(k photon.ParamCode, raw bool) map[byte]any {
	b, ok := r.Raw(k)
	if !ok || isNull(b) {
		return nil
	}
	var h *plugin.Table
	if raw {
		var err error
		if h, _, err = gpbinary.DecodeHashtable(form, b); !r.keep(err) {
			return nil
		}
	} else if h = r.Table(k); h == nil {
		return nil
	}
	m := make(map[byte]any, h.Len())
	for _, p := range h.Pairs() {
		key, ok := p.Key.(byte)
		if !ok {
			r.keep(photon.BadParam(k, "has a key that is not a byte"))
			return nil
		}
		m[key] = p.Value
	}
	return m
}

func isNull(b []byte) bool { return len(b) == 0 || b[0] == nullCode }

// nullCode is how V18 writes null.
const nullCode = 8

// FromJSON turns maps and slices as package encoding/json makes them into values
// of package gpbinary; ToJSON turns them back. Numbers keep their types.
func FromJSON(v any) any { return fromJSON(v, 0) }

func fromJSON(v any, depth int) any {
	if depth > gpbinary.MaxDepth {
		return nil
	}
	switch x := v.(type) {
	case map[string]any:
		d := &gpbinary.Dictionary{Key: gpbinary.TypeDesc{Kind: gpbinary.KindString}, Val: gpbinary.TypeDesc{Kind: gpbinary.KindObject}}
		for k, e := range x {
			d.Pairs = append(d.Pairs, plugin.Pair{Key: k, Value: fromJSON(e, depth+1)})
		}
		return d
	case []any:
		a := make(gpbinary.ObjectArray, len(x))
		for i, e := range x {
			a[i] = fromJSON(e, depth+1)
		}
		return a
	case int:
		if x >= math.MinInt32 && x <= math.MaxInt32 {
			return int32(x)
		}
		return int64(x)
	}
	return v
}

// ToJSON is the reverse of FromJSON.
func ToJSON(v any) any {
	switch x := v.(type) {
	case *gpbinary.Dictionary:
		if x.Key.Kind != gpbinary.KindString {
			return v
		}
		m := make(map[string]any, len(x.Pairs))
		for _, p := range x.Pairs {
			m[p.Key.(string)] = ToJSON(p.Value)
		}
		return m
	case gpbinary.ObjectArray:
		a := make([]any, len(x))
		for i, e := range x {
			a[i] = ToJSON(e)
		}
		return a
	}
	return v
}
