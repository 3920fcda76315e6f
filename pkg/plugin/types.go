package plugin

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/boson-project/boson/pkg/gpbinary"
)

// customType is a Go type that stands for a custom type of the game's clients.
type customType struct {
	code   byte
	typ    reflect.Type
	encode func(any) ([]byte, error)
	decode func([]byte) (any, error)
}

// typeTable is never changed, only replaced.
type typeTable struct {
	byCode map[byte]*customType
	byType map[reflect.Type]*customType
}

var types struct {
	sync.Mutex
	table atomic.Pointer[typeTable]
}

// ErrTypeTaken says that a code or type is registered otherwise.
var ErrTypeTaken = errors.New("plugin: the code or the type is taken")

// RegisterType makes values of a Go type usable in events and properties:
// clients know the type under that code and with those bytes. It holds for the
// whole process; the same registration again, one per room, is accepted.
// ErrTypeTaken: code or type are registered differently, or the type is one of
// those that have a serialization already. It may be called from
// any goroutine, and best from a factory.
//
// Values of codes that nobody registered pass plugins as gpbinary.Custom.
func RegisterType[T any](code byte, encode func(T) ([]byte, error), decode func([]byte) (T, error)) error {
	typ := reflect.TypeFor[T]()
	if serializable(any(*new(T))) {
		return fmt.Errorf("%w: %v has a serialization without it", ErrTypeTaken, typ)
	}
	types.Lock()
	defer types.Unlock()
	old := types.table.Load()
	if old == nil {
		old = &typeTable{}
	}
	if a, b := old.byCode[code], old.byType[typ]; a != nil || b != nil {
		if a == b {
			return nil
		}
		return fmt.Errorf("%w: code %d, %v", ErrTypeTaken, code, typ)
	}
	next := &typeTable{byCode: map[byte]*customType{}, byType: map[reflect.Type]*customType{}}
	for c, t := range old.byCode {
		next.byCode[c], next.byType[t.typ] = t, t
	}
	t := &customType{
		code: code, typ: typ,
		encode: func(v any) ([]byte, error) { return encode(v.(T)) },
		decode: func(b []byte) (any, error) { return decode(b) },
	}
	next.byCode[code], next.byType[typ] = t, t
	types.table.Store(next)
	return nil
}

// FromWire replaces custom values of registered types by their Go values, in
// tables and arrays too. It is for hosts. The error names the type.
func FromWire(v any) (any, error) {
	t := types.table.Load()
	if t == nil {
		return v, nil
	}
	out, _, err := walk(v, func(v any) (any, bool, error) {
		c, ok := v.(gpbinary.Custom)
		if !ok {
			return v, false, nil
		}
		ct := t.byCode[c.Code]
		if ct == nil {
			return v, false, nil
		}
		out, err := ct.decode(c.Data)
		if err != nil {
			return nil, false, fmt.Errorf("plugin: custom type %d: %w", c.Code, err)
		}
		return out, true, nil
	}, 0)
	return out, err
}

// ToWire replaces Go values of registered types by custom values. Values that
// have no serialization go to unknown, if it is not nil. It is for hosts.
func ToWire(v any, unknown func(any) (any, bool)) (any, error) {
	t := types.table.Load()
	if t == nil && unknown == nil {
		return v, nil
	}
	out, _, err := walk(v, func(v any) (any, bool, error) {
		if serializable(v) {
			return v, false, nil
		}
		if t != nil {
			if ct := t.byType[reflect.TypeOf(v)]; ct != nil {
				data, err := ct.encode(v)
				if err != nil {
					return nil, false, fmt.Errorf("plugin: custom type %d: %w", ct.code, err)
				}
				return gpbinary.Custom{Code: ct.code, Data: data}, true, nil
			}
		}
		if unknown != nil {
			if out, ok := unknown(v); ok {
				return out, true, nil
			}
		}
		return v, false, nil
	}, 0)
	return out, err
}

// serializable says whether a value by itself, not what is in it, has a
// serialization.
func serializable(v any) bool {
	switch v.(type) {
	case nil, bool, uint8, int16, int32, int64, float32, float64, string,
		[]byte, []bool, []int16, []int32, []int64, []float32, []float64, []string,
		gpbinary.ObjectArray, *gpbinary.ArrayArray, *Table, []*Table,
		*gpbinary.Dictionary, *gpbinary.DictionaryArray, gpbinary.Custom, *gpbinary.CustomArray,
		*gpbinary.OperationRequest, *gpbinary.OperationResponse, *gpbinary.EventData,
		[]*gpbinary.OperationRequest, []*gpbinary.OperationResponse, []*gpbinary.EventData, gpbinary.Raw:
		return true
	}
	return false
}

// replacement says what a value becomes, and whether that is another one.
type replacement func(v any) (out any, changed bool, err error)

// walk replaces values, inner ones first. Containers are copied only where
// something in them was replaced.
func walk(v any, replace replacement, depth int) (out any, changed bool, err error) {
	if depth > gpbinary.MaxDepth {
		return v, false, nil // the serializer refuses it
	}
	switch x := v.(type) {
	case gpbinary.ObjectArray:
		items, changed, err := walkItems(x, replace, depth)
		if err != nil || !changed {
			return v, false, err
		}
		return gpbinary.ObjectArray(items), true, nil
	case *Table:
		pairs, changed, err := walkPairs(x.Pairs(), replace, depth)
		if err != nil || !changed {
			return v, false, err
		}
		return NewTable(pairs...), true, nil
	case *gpbinary.Dictionary:
		if x == nil {
			return v, false, nil
		}
		pairs, changed, err := walkPairs(x.Pairs, replace, depth)
		if err != nil || !changed {
			return v, false, err
		}
		return &gpbinary.Dictionary{Key: x.Key, Val: x.Val, Pairs: pairs}, true, nil
	}
	return replace(v)
}

func walkItems(items []any, replace replacement, depth int) (out []any, changed bool, err error) {
	for i, item := range items {
		w, replaced, err := walk(item, replace, depth+1)
		if err != nil {
			return nil, false, err
		}
		if replaced && !changed {
			changed = true
			out = slices.Clone(items)
		}
		if changed {
			out[i] = w
		}
	}
	return out, changed, nil
}

func walkPairs(pairs []Pair, replace replacement, depth int) (out []Pair, changed bool, err error) {
	for i, p := range pairs {
		w, replaced, err := walk(p.Value, replace, depth+1)
		if err != nil {
			return nil, false, err
		}
		if replaced && !changed {
			changed = true
			out = slices.Clone(pairs)
		}
		if changed {
			out[i].Value = w
		}
	}
	return out, changed, nil
}
