package client

import (
	"bytes"
	"math"
	"strconv"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// Fields is the parameter table of a response or an event, its values
// undecoded. The getters decode one parameter each; ok is false when it is
// absent, null or of another type. Numbers are taken in any width.
type Fields struct {
	// table brings the getters that servers use on requests.
	table photon.Request
}

// Protocol is the serialization of the values.
func (f *Fields) Protocol() photon.Protocol { return f.table.Protocol }

// Raw returns the undecoded table. It aliases the message.
func (f *Fields) Raw() []gpbinary.Field { return f.table.Fields }

// Has says whether the parameter is there and not null.
func (f *Fields) Has(p photon.ParamCode) bool { return f.table.Has(p) }

// Int returns an integer.
func (f *Fields) Int(p photon.ParamCode) (int64, bool) { return got(f.table.Int(p)) }

// Int32 returns an integer that fits 32 bits.
func (f *Fields) Int32(p photon.ParamCode) (int32, bool) { return got(f.table.Int32(p)) }

// Byte returns an integer that fits a byte.
func (f *Fields) Byte(p photon.ParamCode) (byte, bool) { return got(f.table.Byte(p)) }

// Bool returns a bool.
func (f *Fields) Bool(p photon.ParamCode) (bool, bool) { return got(f.table.Bool(p)) }

// String returns a string.
func (f *Fields) String(p photon.ParamCode) (string, bool) { return got(f.table.String(p)) }

// Strings returns a string array.
func (f *Fields) Strings(p photon.ParamCode) ([]string, bool) { return got(f.table.Strings(p)) }

// Ints returns an array of integers.
func (f *Fields) Ints(p photon.ParamCode) ([]int32, bool) { return got(f.table.Ints(p)) }

// Bytes returns a byte array.
func (f *Fields) Bytes(p photon.ParamCode) ([]byte, bool) { return got(f.table.Bytes(p)) }

// Table returns a Hashtable as it came; from JSON all its keys are strings.
func (f *Fields) Table(p photon.ParamCode) (*gpbinary.Hashtable, bool) {
	return got(f.table.Hashtable(p))
}

// Properties returns a table of room or actor properties, or a row of a room
// list. From JSON the well-known keys ("255") are made byte keys.
func (f *Fields) Properties(p photon.ParamCode) (*gpbinary.Hashtable, bool) {
	t, ok := f.Table(p)
	if ok && f.table.Protocol == photon.JSON {
		t = wellKnownKeys(t)
	}
	return t, ok
}

// Value decodes the parameter. A null is nil, true.
func (f *Fields) Value(p photon.ParamCode) (any, bool) { return got(f.table.Value(p)) }

// Content returns the parameter undecoded. It aliases the message.
func (f *Fields) Content(p photon.ParamCode) (photon.Content, bool) { return f.table.Content(p) }

// Params decodes the whole table.
func (f *Fields) Params() (photon.Params, error) {
	out := make(photon.Params, 0, len(f.table.Fields))
	for _, field := range f.table.Fields {
		v, err := photon.Content{Protocol: f.table.Protocol, Bytes: field.Bytes}.Value()
		if err != nil {
			return nil, err
		}
		out = append(out, gpbinary.Param{Key: field.Key, Value: v})
	}
	return out, nil
}

// clone returns a copy that does not alias the message.
func (f *Fields) clone() Fields {
	c := Fields{table: f.table}
	c.table.Fields = make([]gpbinary.Field, len(f.table.Fields))
	for i, field := range f.table.Fields {
		c.table.Fields[i] = gpbinary.Field{Key: field.Key, Bytes: bytes.Clone(field.Bytes)}
	}
	return c
}

// got turns a value that is absent or of a wrong type into ok == false.
func got[T any](v T, ok bool, err error) (T, bool) {
	return v, ok && err == nil
}

// firstWellKnown is the lowest well-known property key (MaxPlayersInt).
const firstWellKnown = photon.PropMaxPlayersInt

// wellKnownKeys turns the decimal strings that stand for well-known keys in JSON
// into byte keys (websocket-json.md 4.3).
func wellKnownKeys(t *gpbinary.Hashtable) *gpbinary.Hashtable {
	out := gpbinary.NewHashtable()
	for _, pair := range t.Pairs() {
		key := pair.Key
		if s, ok := key.(string); ok {
			if n, err := strconv.ParseUint(s, 10, 8); err == nil && byte(n) >= firstWellKnown {
				key = byte(n)
			}
		}
		out.Set(key, pair.Value)
	}
	return out
}

// actorKey reads the key of a table by actor number: an int, or from JSON its
// decimal text.
func actorKey(key any) (int32, bool) {
	if s, ok := key.(string); ok {
		n, err := strconv.ParseInt(s, 10, 32)
		return int32(n), err == nil
	}
	n, ok := photon.AsInt(key)
	if !ok || n < math.MinInt32 || n > math.MaxInt32 {
		return 0, false
	}
	return int32(n), true
}
