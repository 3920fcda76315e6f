package plugin

import (
	"errors"
	"fmt"
	"reflect"
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
// ErrTypeTaken: code or type are registered differently. It may be called from
// any goroutine, and best from a factory.
//
// Values of codes that nobody registered pass plugins as gpbinary.Custom.
func RegisterType[T any](code byte, encode func(T) ([]byte, error), decode func([]byte) (T, error)) error {
	typ := reflect.TypeFor[T]()
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
	return walk(v, func(v any) (any, error) {
		c, ok := v.(gpbinary.Custom)
		if !ok {
			return v, nil
		}
		ct := t.byCode[c.Code]
		if ct == nil {
			return v, nil
		}
		out, err := ct.decode(c.Data)
		if err != nil {
			return nil, fmt.Errorf("plugin: custom type %d: %w", c.Code, err)
		}
		return out, nil
	}, 0)
}

// ToWire replaces Go values of registered types by custom values. Values that
// have no serialization go to unknown, if it is not nil. It is for hosts.
func ToWire(v any, unknown func(any) (any, bool)) (any, error) {
	t := types.table.Load()
	if t == nil && unknown == nil {
		return v, nil
	}
	return walk(v, func(v any) (any, error) {
		if v == nil {
			return nil, nil
		}
		if t != nil {
			if ct := t.byType[reflect.TypeOf(v)]; ct != nil {
				data, err := ct.encode(v)
				if err != nil {
					return nil, fmt.Errorf("plugin: custom type %d: %w", ct.code, err)
				}
				return gpbinary.Custom{Code: ct.code, Data: data}, nil
			}
		}
		if unknown != nil && !serializable(v) {
			if out, ok := unknown(v); ok {
				return out, nil
			}
		}
		return v, nil
	}, 0)
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

// walk replaces values, inner ones first. Containers are copied only where
// something in them was replaced.
func walk(v any, replace func(any) (any, error), depth int) (any, error) {
	if depth > gpbinary.MaxDepth {
		return v, nil // the serializer refuses it
	}
	switch x := v.(type) {
	case gpbinary.ObjectArray:
		items, changed, err := walkItems(x, replace, depth)
		if err != nil || !changed {
			return v, err
		}
		return gpbinary.ObjectArray(items), nil
	case *Table:
		pairs, changed, err := walkPairs(x.Pairs(), replace, depth)
		if err != nil || !changed {
			return v, err
		}
		return NewTable(pairs...), nil
	case *gpbinary.Dictionary:
		if x == nil {
			return v, nil
		}
		pairs, changed, err := walkPairs(x.Pairs, replace, depth)
		if err != nil || !changed {
			return v, err
		}
		return &gpbinary.Dictionary{Key: x.Key, Val: x.Val, Pairs: pairs}, nil
	}
	return replace(v)
}

func walkItems(items []any, replace func(any) (any, error), depth int) (out []any, changed bool, err error) {
	for i, item := range items {
		w, err := walk(item, replace, depth+1)
		if err != nil {
			return nil, false, err
		}
		if !same(w, item) && !changed {
			changed = true
			out = append(make([]any, 0, len(items)), items...)
		}
		if changed {
			out[i] = w
		}
	}
	return out, changed, nil
}

func walkPairs(pairs []Pair, replace func(any) (any, error), depth int) (out []Pair, changed bool, err error) {
	for i, p := range pairs {
		w, err := walk(p.Value, replace, depth+1)
		if err != nil {
			return nil, false, err
		}
		if !same(w, p.Value) && !changed {
			changed = true
			out = append(make([]Pair, 0, len(pairs)), pairs...)
		}
		if changed {
			out[i].Value = w
		}
	}
	return out, changed, nil
}

// same says whether a value was not replaced. What can't be compared was, as far
// as this is concerned: only its copy costs.
func same(a, b any) bool {
	ta := reflect.TypeOf(a)
	if ta != reflect.TypeOf(b) {
		return false
	}
	if ta == nil {
		return true
	}
	switch ta.Kind() {
	case reflect.Slice:
		va, vb := reflect.ValueOf(a), reflect.ValueOf(b)
		return va.Len() == vb.Len() && va.UnsafePointer() == vb.UnsafePointer()
	case reflect.Pointer:
		return reflect.ValueOf(a).UnsafePointer() == reflect.ValueOf(b).UnsafePointer()
	}
	return ta.Comparable() && a == b
}
