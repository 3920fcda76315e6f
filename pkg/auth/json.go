package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/boson-project/boson/pkg/gpbinary"
)

// appendJSON writes a client's table or array as web services get it
// (loadbalancing-auth.md 3.2): byte arrays as base64, keys as text. Package
// gpjson is for clients, who get other forms of both.
func appendJSON(value any) ([]byte, error) {
	switch value.(type) {
	case bool, byte, int16, int32, int64, float32, float64:
		return nil, errors.New("is neither text, bytes, table nor array")
	}
	plain, err := plainValue(value)
	if err != nil {
		return nil, err
	}
	return json.Marshal(plain)
}

// plainValue turns tables into maps; what package json writes by itself stays.
func plainValue(value any) (any, error) {
	switch v := value.(type) {
	case nil, bool, byte, int16, int32, int64, float32, float64, string, []byte, []bool, []int16, []int32, []int64, []float32, []float64, []string:
		return v, nil
	case gpbinary.ObjectArray:
		return plainValues(v)
	case *gpbinary.ArrayArray:
		return plainValues(v.Items)
	case *gpbinary.Hashtable:
		return plainMap(v.Pairs())
	case []*gpbinary.Hashtable:
		return plainValues(v)
	case *gpbinary.Dictionary:
		return plainMap(v.Pairs)
	case *gpbinary.DictionaryArray:
		out := make([]any, len(v.Items))
		for i, pairs := range v.Items {
			m, err := plainMap(pairs)
			if err != nil {
				return nil, err
			}
			out[i] = m
		}
		return out, nil
	}
	return nil, fmt.Errorf("type %T has no JSON form", value)
}

func plainValues[T any](values []T) (any, error) {
	out := make([]any, len(values))
	for i, v := range values {
		var err error
		if out[i], err = plainValue(v); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func plainMap(pairs []gpbinary.Pair) (any, error) {
	out := make(map[string]any, len(pairs))
	for _, p := range pairs {
		switch p.Key.(type) {
		case string, bool, byte, int16, int32, int64:
		default:
			return nil, fmt.Errorf("key of type %T has no JSON form", p.Key)
		}
		v, err := plainValue(p.Value)
		if err != nil {
			return nil, err
		}
		out[fmt.Sprint(p.Key)] = v
	}
	return out, nil
}

// maxNesting of the data that a provider has for a client.
const maxNesting = 16

// parseJSON reads a provider's data as clients get it: whole numbers as long,
// others as double, objects as Dictionary<string,object>.
func parseJSON(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	return photonValue(v, 0)
}

func photonValue(value any, depth int) (any, error) {
	if depth > maxNesting {
		return nil, errors.New("is nested too deeply")
	}
	switch v := value.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n, nil
		}
		return v.Float64()
	case []any:
		out := make(gpbinary.ObjectArray, len(v))
		for i := range v {
			var err error
			if out[i], err = photonValue(v[i], depth+1); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[string]any:
		out := &gpbinary.Dictionary{Key: gpbinary.TypeDesc{Kind: gpbinary.KindString}, Val: gpbinary.TypeDesc{Kind: gpbinary.KindObject}}
		for _, k := range slices.Sorted(maps.Keys(v)) {
			item, err := photonValue(v[k], depth+1)
			if err != nil {
				return nil, err
			}
			out.Pairs = append(out.Pairs, gpbinary.Pair{Key: k, Value: item})
		}
		return out, nil
	}
	return value, nil // string, bool, nil
}
