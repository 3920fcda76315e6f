package gpbinary

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
)

// vectorFile is one of the golden files in testdata.
type vectorFile struct {
	version      Version
	Valid        []vector `json:"valid"`
	Invalid      []vector `json:"invalid"`
	EncodeErrors []vector `json:"encode_errors"`
	Transcode    struct {
		Cases []vector `json:"cases"`
	} `json:"transcode"`
}

type vector struct {
	Name         string          `json:"name"`
	Kind         string          `json:"kind"`
	Value        json.RawMessage `json:"value"`
	Hex          string          `json:"hex"`
	HexRLE       [][2]any        `json:"hex_rle"`
	Size         int             `json:"size"`
	Encode       bool            `json:"encode"`
	CanonicalHex string          `json:"canonical_hex"`
	Pair         bool            `json:"pair"`
	Possible     bool            `json:"possible"`
	Lossless     bool            `json:"lossless"`
	TargetValue  json.RawMessage `json:"target_value"`
}

func (v vector) bytes(t testing.TB) []byte {
	t.Helper()
	if v.HexRLE == nil {
		return unhex(t, v.Hex)
	}
	var b []byte
	for _, run := range v.HexRLE {
		chunk := unhex(t, run[0].(string))
		for range int(run[1].(float64)) {
			b = append(b, chunk...)
		}
	}
	return b
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// loaded keeps the files for all tests; each is parsed once.
var loaded = map[Version]*vectorFile{}

func load(t testing.TB, v Version) *vectorFile {
	t.Helper()
	if f := loaded[v]; f != nil {
		return f
	}
	name := map[Version]string{V16: "testdata/gpbinary_v16.json", V18: "testdata/gpbinary_v18.json"}[v]
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	f := &vectorFile{version: v}
	if err := json.Unmarshal(b, f); err != nil {
		t.Fatal(err)
	}
	for _, list := range [][]vector{f.Valid, f.Invalid} {
		for _, vec := range list {
			if n := len(vec.bytes(t)); n != vec.Size {
				t.Fatalf("%s: %d bytes, the file says %d", vec.Name, n, vec.Size)
			}
		}
	}
	loaded[v] = f
	return f
}

// disconnectMessage stands for a disconnect message, which has no Go type of its own.
type disconnectMessage struct {
	code   int16
	debug  string
	params Params
}

// parse turns the notation of the vector files into a Go value.
func parse(t testing.TB, text json.RawMessage) any {
	t.Helper()
	var x any
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	if err := d.Decode(&x); err != nil {
		t.Fatalf("%v in %.100s", err, text)
	}
	return parseValue(x)
}

func parseValue(x any) any {
	if x == nil {
		return nil
	}
	m := x.(map[string]any)
	typ := m["t"].(string)
	switch typ {
	case "opreq":
		return &OperationRequest{Code: byte(integer(m["code"])), Params: parseParams(m["params"])}
	case "event":
		return &EventData{Code: byte(integer(m["code"])), Params: parseParams(m["params"])}
	case "opresp":
		debug, _ := m["debug"].(string)
		return &OperationResponse{Code: byte(integer(m["code"])), ReturnCode: int16(integer(m["ret"])), Debug: debug, Params: parseParams(m["params"])}
	case "disconnect":
		debug, _ := m["debug"].(string)
		return disconnectMessage{int16(integer(m["code"])), debug, parseParams(m["params"])}
	}
	v := m["v"]
	if rep, ok := m["rep"].([]any); ok {
		v = repeat(rep[0], int(integer(rep[1])))
	}
	if n, ok := m["int_keys_from_zero"]; ok {
		v = numbered(typ, int(integer(n)))
	}
	if n, ok := m["element_bytes"]; ok {
		v = []any{strings.Repeat("aa", int(integer(n)))}
	}
	return parseTyped(typ, v)
}

func repeat(chunk any, n int) any {
	switch c := chunk.(type) {
	case string:
		return strings.Repeat(c, n)
	case []any:
		var out []any
		for range n {
			out = append(out, c...)
		}
		return out
	}
	panic(fmt.Sprintf("rep of %T", chunk))
}

func numbered(typ string, n int) any {
	var pairs []any
	for i := range n {
		key := map[string]any{"t": "int", "v": json.Number(strconv.Itoa(i))}
		if typ == "hashtable" {
			pairs = append(pairs, []any{key, nil})
		} else {
			pairs = append(pairs, []any{key, key})
		}
	}
	return pairs
}

func integer(x any) int64 {
	switch n := x.(type) {
	case json.Number:
		i, err := n.Int64()
		if err != nil {
			panic(err)
		}
		return i
	case float64:
		return int64(n)
	}
	panic(fmt.Sprintf("number is %T", x))
}

func parseParams(x any) Params {
	p := Params{}
	for _, e := range x.([]any) {
		kv := e.([]any)
		p = append(p, Param{Key: byte(integer(kv[0])), Value: parseValue(kv[1])})
	}
	return p
}

func parseBytes(x any) []byte {
	if x == nil {
		return nil
	}
	b, err := hex.DecodeString(x.(string))
	if err != nil {
		panic(err)
	}
	return b
}

func parseString(x any) string {
	if m, ok := x.(map[string]any); ok {
		return string(parseBytes(m["hex"]))
	}
	return x.(string)
}

func bits(x any, size int) uint64 {
	u, err := strconv.ParseUint(x.(string), 16, size)
	if err != nil {
		panic(err)
	}
	return u
}

func parseFloat(x any) float32  { return math.Float32frombits(uint32(bits(x, 32))) }
func parseDouble(x any) float64 { return math.Float64frombits(bits(x, 64)) }

func parseLong(x any) int64 {
	n, err := strconv.ParseInt(x.(string), 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

func list[T any](x any, f func(any) T) []T {
	out := []T{}
	for _, e := range x.([]any) {
		out = append(out, f(e))
	}
	return out
}

func parsePairs(x any) []Pair {
	if x == nil {
		return nil
	}
	return list(x, func(e any) Pair {
		kv := e.([]any)
		return Pair{parseValue(kv[0]), parseValue(kv[1])}
	})
}

func parseTable(x any) *Hashtable {
	if x == nil {
		return nil
	}
	return tableOf(parsePairs(x))
}

func as[T any](x any) T {
	v, _ := x.(T)
	return v
}

func parseTyped(typ string, v any) any {
	switch typ {
	case "bool":
		return v.(bool)
	case "byte":
		return uint8(integer(v))
	case "short":
		return int16(integer(v))
	case "int":
		return int32(integer(v))
	case "long":
		return parseLong(v)
	case "float":
		return parseFloat(v)
	case "double":
		return parseDouble(v)
	case "string":
		return parseString(v)
	case "byte[]":
		return parseBytes(v)
	case "bool[]":
		return list(v, as[bool])
	case "short[]":
		return list(v, func(x any) int16 { return int16(integer(x)) })
	case "int[]":
		return list(v, func(x any) int32 { return int32(integer(x)) })
	case "long[]":
		return list(v, parseLong)
	case "float[]":
		return list(v, parseFloat)
	case "double[]":
		return list(v, parseDouble)
	case "string[]":
		return list(v, parseString)
	case "object[]":
		return ObjectArray(list(v, parseValue))
	case "array[]":
		return &ArrayArray{Items: list(v, parseValue)}
	case "byte[][]":
		return emptyOf(KindByteArray, list(v, func(x any) any { return parseBytes(x) }))
	case "object[][]":
		return emptyOf(KindObjectArray, list(v, func(x any) any { return ObjectArray(list(x, parseValue)) }))
	case "int[][]": // in encode_errors only
		return &ArrayArray{Items: list(v, func(x any) any {
			if x == nil {
				return nil
			}
			return list(x, func(x any) int32 { return int32(integer(x)) })
		})}
	case "hashtable":
		return parseTable(v)
	case "hashtable[]":
		return list(v, parseTable)
	case "opreq[]":
		return list(v, func(x any) *OperationRequest { return parseValue(x).(*OperationRequest) })
	case "opresp[]":
		return list(v, func(x any) *OperationResponse { return parseValue(x).(*OperationResponse) })
	case "event[]":
		return list(v, func(x any) *EventData { return parseValue(x).(*EventData) })
	}
	if rest, ok := strings.CutPrefix(typ, "custom("); ok {
		code, after, _ := strings.Cut(rest, ")")
		n, _ := strconv.Atoi(code)
		if after == "[]" {
			return &CustomArray{Code: byte(n), Items: list(v, parseBytes)}
		}
		return Custom{Code: byte(n), Data: parseBytes(v)}
	}
	if strings.HasPrefix(typ, "dict<") {
		if strings.HasSuffix(typ, ">[]") {
			d := parseType(strings.TrimSuffix(typ, "[]"))
			return &DictionaryArray{Key: *d.Key, Val: *d.Val, Items: list(v, parsePairs)}
		}
		d := parseType(typ)
		return &Dictionary{Key: *d.Key, Val: *d.Val, Pairs: parsePairs(v)}
	}
	panic("type " + typ)
}

func emptyOf(k Kind, items []any) *ArrayArray {
	a := &ArrayArray{Items: items}
	if len(items) == 0 {
		a.Empty = k
	}
	return a
}

// parseType parses the name of a type in a dictionary.
func parseType(s string) TypeDesc {
	if inner, ok := strings.CutPrefix(s, "dict<"); ok {
		key, val, _ := strings.Cut(strings.TrimSuffix(inner, ">"), ",")
		k, v := parseType(key), parseType(val)
		return TypeDesc{Kind: KindDictionary, Key: &k, Val: &v}
	}
	if s == "dict" {
		return TypeDesc{Kind: KindAnyDictionary}
	}
	depth := uint8(0)
	for strings.HasSuffix(s, "[][]") {
		s = s[:len(s)-2]
		depth++
	}
	for k := range kindCount {
		if kinds[k].name == s {
			return TypeDesc{Kind: k, Depth: depth}
		}
	}
	panic("type " + s)
}

// decodeKind decodes bytes of one of the vectors' kinds.
func decodeKind(kind string, v Version, b []byte) (value any, n int, err error) {
	switch kind {
	case "value":
		return Decode(v, b)
	case "opreq":
		return boxed(DecodeRequest(v, b))
	case "opresp":
		return boxed(DecodeResponse(v, b))
	case "event":
		return boxed(DecodeEvent(v, b))
	default:
		var d disconnectMessage
		d.code, d.debug, d.params, n, err = DecodeDisconnect(v, b)
		return d, n, err
	}
}

func boxed[T any](value T, n int, err error) (any, int, error) { return value, n, err }

// encodeKind encodes a value of one of the vectors' kinds.
func encodeKind(kind string, v Version, value any) ([]byte, error) {
	switch kind {
	case "opreq":
		return AppendRequest(nil, v, value.(*OperationRequest))
	case "opresp":
		return AppendResponse(nil, v, value.(*OperationResponse))
	case "event":
		return AppendEvent(nil, v, value.(*EventData))
	case "disconnect":
		d := value.(disconnectMessage)
		return AppendDisconnect(nil, v, d.code, d.debug, d.params)
	default:
		return Append(nil, v, value)
	}
}

// transcodeKind converts bytes of one of the vectors' kinds to the other format.
func transcodeKind(t *testing.T, kind string, from, to Version, b []byte) (out []byte, lossless bool, err error) {
	t.Helper()
	if kind == "value" {
		return Transcode(nil, to, Raw{Version: from, Bytes: b})
	}
	value, _, err := decodeKind(kind, from, b)
	if err != nil {
		t.Fatal(err)
	}
	if d, ok := value.(disconnectMessage); ok {
		var ev any
		ev, lossless = Convert(to, &EventData{Params: d.params})
		d.params = ev.(*EventData).Params
		value = d
	} else {
		value, lossless = Convert(to, value)
	}
	out, err = encodeKind(kind, to, value)
	return out, lossless, err
}
