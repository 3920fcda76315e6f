package gpjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/boson-project/boson/pkg/gpbinary"
)

// AppendWeb appends value as web services get it (loadbalancing-auth.md 3.2,
// plugins.md 11.2). It is AppendValue with another form of byte arrays, base64
// text, and without messages that stand as values. Members keep the order of
// their table. It fails, leaving dst as it was, where AppendValue does.
func AppendWeb(dst []byte, value any) ([]byte, error) {
	e := encoder{dst: dst, limit: len(dst) + MaxText, web: true}
	if err := e.value(value); err != nil {
		return dst, err
	}
	return e.dst, nil
}

// maxWebDepth of what DecodeWeb reads. Package gpbinary writes deeper values;
// no service needs them.
const maxWebDepth = 16

var errWebDepth = errors.New("json: nested too deep")

// DecodeWeb reads one JSON value of a web service as clients get it
// (loadbalancing-auth.md 3.3): whole numbers as long, others as double, objects
// as Dictionary<string,object> with sorted keys, the last of equal ones wins;
// objects of exactly $type and $data as custom types. It allocates no more than a
// small multiple of text.
func DecodeWeb(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("json: something follows the value")
	}
	return webValue(v, 0)
}

func webValue(value any, depth int) (any, error) {
	if depth > maxWebDepth {
		return nil, errWebDepth
	}
	switch v := value.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n, nil
		}
		f, err := v.Float64()
		if err != nil {
			return nil, fmt.Errorf("json: number %.32q is out of range", v)
		}
		return f, nil
	case []any:
		out := make(gpbinary.ObjectArray, len(v))
		for i := range v {
			var err error
			if out[i], err = webValue(v[i], depth+1); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[string]any:
		if c, ok := webCustom(v); ok {
			return c, nil
		}
		out := WebObject()
		for _, k := range slices.Sorted(maps.Keys(v)) {
			item, err := webValue(v[k], depth+1)
			if err != nil {
				return nil, err
			}
			out.Pairs = append(out.Pairs, gpbinary.Pair{Key: k, Value: item})
		}
		return out, nil
	}
	return value, nil // string, bool, nil
}

// webCustom is custom for what package json has read.
func webCustom(m map[string]any) (gpbinary.Custom, bool) {
	if len(m) != 2 {
		return gpbinary.Custom{}, false
	}
	n, ok := m["$type"].(json.Number)
	if !ok {
		return gpbinary.Custom{}, false
	}
	code, err := n.Int64()
	if err != nil || int64(int32(code)) != code {
		return gpbinary.Custom{}, false
	}
	return custom(gpbinary.NewHashtable(gpbinary.Pair{Key: "$type", Value: int32(code)}, gpbinary.Pair{Key: "$data", Value: m["$data"]}))
}

// WebObject returns an empty Dictionary<string,object>, the form that clients
// expect objects of web services in.
func WebObject(pairs ...gpbinary.Pair) *gpbinary.Dictionary {
	return &gpbinary.Dictionary{
		Key: gpbinary.TypeDesc{Kind: gpbinary.KindString}, Val: gpbinary.TypeDesc{Kind: gpbinary.KindObject}, Pairs: pairs,
	}
}
