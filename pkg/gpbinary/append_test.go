package gpbinary

import (
	"bytes"
	"errors"
	"testing"
)

// serialization.md 8: nulls that Go can express and no format can.
func TestAppendRefuses(t *testing.T) {
	tests := map[string]any{
		"an int":                    7,
		"a map":                     map[string]any{},
		"[]any":                     []any{nil},
		"nil table":                 (*Hashtable)(nil),
		"nil dictionary":            (*Dictionary)(nil),
		"nil custom array":          (*CustomArray)(nil),
		"nil array of arrays":       (*ArrayArray)(nil),
		"nil dictionary array":      (*DictionaryArray)(nil),
		"nil event":                 (*EventData)(nil),
		"nil request":               (*OperationRequest)(nil),
		"nil response":              (*OperationResponse)(nil),
		"null key":                  NewHashtable(Pair{nil, 1}),
		"int in array of arrays":    &ArrayArray{Items: []any{int32(1)}},
		"table in array of arrays":  &ArrayArray{Items: []any{NewHashtable()}},
		"dictionary key type":       dict(KindHashtable, KindInt),
		"dictionary type":           dict(kindCustomArray, KindInt),
		"dictionary value type":     dict(KindInt, kindCustomArray),
		"no such kind":              dict(KindInt, 200),
		"value of another type":     dict(KindInt, KindInt, Pair{int32(1), "x"}),
		"key of another type":       dict(KindInt, KindInt, Pair{uint8(1), int32(1)}),
		"array of another type":     dict(KindInt, KindIntArray, Pair{int32(1), []string{}}),
		"nested type without parts": dict(KindInt, KindDictionary),
		"empty raw":                 Raw{Version: V18},
	}
	for name, value := range tests {
		for _, v := range versions {
			var e *ValueError
			for _, x := range []any{value, ObjectArray{value}, NewHashtable(Pair{"a", value})} {
				if out, err := Append([]byte{1}, v, x); !errors.As(err, &e) || !bytes.Equal(out, []byte{1}) {
					t.Errorf("%v %s: %x, %v", v, name, out, err)
				}
			}
		}
	}
	if _, err := AppendEvent(nil, V18, &EventData{Params: make(Params, 256)}); err == nil {
		t.Error("256 parameters")
	}
	if _, err := Append(nil, V16, Raw{V18, []byte{v18Int}}); err == nil {
		t.Error("malformed raw")
	}
}

// serialization.md 13: raw values are pasted in their own format, whatever their
// form, and transcoded into the other.
func TestAppendRaw(t *testing.T) {
	raw := Raw{V18, unhex(t, "0902")} // int 1, not in its short form
	ev := &EventData{Code: 1, Params: Params{{245, raw}, {254, int32(2)}}}
	for v, want := range map[Version]string{V18: "0102f50902fe0b02", V16: "010002f56900000001fe6900000002"} {
		if b, err := AppendEvent(nil, v, ev); err != nil || !bytes.Equal(b, unhex(t, want)) {
			t.Errorf("%v: %x, %v", v, b, err)
		}
	}
}

// serialization.md 10, 15: what clients write and don't read is never made.
func TestConvert(t *testing.T) {
	ints := func(n ...int32) []int32 { return n }
	nested := dict(KindInt, KindObjectArray, Pair{int32(1), ObjectArray{}})
	tests := []struct {
		name     string
		to       Version
		in, want any
		lossless bool
	}{
		{"V16 empty array[]", V16, &ArrayArray{}, ObjectArray(nil), false},
		{"V16 mixed array[]", V16, &ArrayArray{Items: []any{ints(1), []string{"a"}}}, ObjectArray{ints(1), []string{"a"}}, false},
		{"V16 array[] with null", V16, &ArrayArray{Items: []any{ints(1), nil}}, ObjectArray{ints(1), nil}, false},
		{"V16 empty within array[]", V16, &ArrayArray{Items: []any{&ArrayArray{Items: []any{ints(1)}}, &ArrayArray{}}},
			ObjectArray{&ArrayArray{Items: []any{ints(1)}}, ObjectArray(nil)}, false},
		{"V16 vague int[]", V16, dict(KindInt, KindArray, Pair{int32(1), ints(1)}), dict(KindInt, KindIntArray, Pair{int32(1), ints(1)}), true},
		{"V16 vague long[]", V16, dict(KindInt, KindArray, Pair{int32(1), []int64{1}}), dict(KindInt, KindObject, Pair{int32(1), []int64{1}}), false},
		{"V16 nested", V16, dict(KindInt, KindAnyDictionary), dict(KindInt, KindObject), false},
		{"V18 empty array[]", V18, &ArrayArray{}, ObjectArray(nil), false},
		{"V18 leading null", V18, &ArrayArray{Items: []any{nil, ints(1)}}, ObjectArray{nil, ints(1)}, false},
		{"V18 null behind", V18, &ArrayArray{Items: []any{ints(1), nil}}, &ArrayArray{Items: []any{ints(1), nil}}, true},
		{"V18 bool key", V18, dict(KindBool, KindInt, Pair{true, int32(1)}), dict(KindObject, KindInt, Pair{true, int32(1)}), false},
		{"V18 nested bool key", V18, &Dictionary{Key: TypeDesc{Kind: KindInt},
			Val: TypeDesc{Kind: KindDictionary, Key: &TypeDesc{Kind: KindBool}, Val: &TypeDesc{Kind: KindInt}}}, dict(KindInt, KindObject), false},
		{"V18 nested that ends in object[]", V18, &Dictionary{Key: TypeDesc{Kind: KindInt},
			Val: TypeDesc{Kind: KindDictionary, Key: &nested.Key, Val: &nested.Val}, Pairs: []Pair{{int32(1), nested}}},
			dict(KindInt, KindObject, Pair{int32(1), nested}), false},
		{"V18 int[][] of which one is empty", V18, &Dictionary{Key: TypeDesc{Kind: KindInt}, Val: TypeDesc{Kind: KindIntArray, Depth: 1},
			Pairs: []Pair{{int32(1), &ArrayArray{}}}}, dict(KindInt, KindObject, Pair{int32(1), ObjectArray(nil)}), false},
		{"V18 array of dictionaries", V18, &DictionaryArray{Key: TypeDesc{Kind: KindInt}, Val: TypeDesc{Kind: KindArray}, Items: [][]Pair{{{int32(1), ints(1)}}}},
			&DictionaryArray{Key: TypeDesc{Kind: KindInt}, Val: TypeDesc{Kind: KindIntArray}, Items: [][]Pair{{{int32(1), ints(1)}}}}, true},
		{"V18 array of events", V18, []*EventData{{Code: 1}}, ObjectArray{&EventData{Code: 1}}, false},
		{"in a message", V18, &OperationRequest{1, Params{{1, "x"}, {2, &ArrayArray{}}}}, &OperationRequest{1, Params{{1, "x"}, {2, ObjectArray(nil)}}}, false},
		{"in a response", V18, &OperationResponse{1, 2, "d", Params{{2, &ArrayArray{}}}}, &OperationResponse{1, 2, "d", Params{{2, ObjectArray(nil)}}}, false},
		{"in a table", V18, NewHashtable(Pair{"x", &ArrayArray{}}), NewHashtable(Pair{"x", ObjectArray(nil)}), false},
		{"in an array of tables", V18, []*Hashtable{NewHashtable(Pair{"x", &ArrayArray{}})}, []*Hashtable{NewHashtable(Pair{"x", ObjectArray(nil)})}, false},
		{"raw of the other format", V18, ObjectArray{Raw{V16, []byte{v16Byte, 3}}}, ObjectArray{uint8(3)}, true},
	}
	for _, tt := range tests {
		before := canonical(ObjectArray{tt.in})
		got, lossless := Convert(tt.to, tt.in)
		if !Equal(got, tt.want) || lossless != tt.lossless {
			t.Errorf("%s: %#v, lossless %v", tt.name, got, lossless)
		}
		if canonical(ObjectArray{tt.in}) != before {
			t.Errorf("%s: the value given was changed", tt.name)
		}
		if _, err := Append(nil, tt.to, got); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	same := NewHashtable(Pair{"a", ObjectArray{ints(1), "x", NewHashtable()}})
	if n := testing.AllocsPerRun(10, func() {
		if got, lossless := Convert(V16, same); got != any(same) || !lossless {
			t.Error("a value that needs no change is returned itself")
		}
	}); n != 0 {
		t.Errorf("%v allocations for nothing", n)
	}
}

func TestNames(t *testing.T) {
	for _, name := range []string{"dict<int,dict<byte,string[][]>>", "int[][][]", "object", "hashtable[]", "opresp"} {
		if got := parseType(name).String(); got != name {
			t.Errorf("%s is called %s", name, got)
		}
	}
	if s := V16.String() + " " + V18.String() + " " + Version(7).String(); s != "GpBinaryV16 GpBinaryV18 unknown" {
		t.Error(s)
	}
	for c := Truncated; c <= Trailing; c++ {
		if c.String() == "" || c.String() == "unknown" {
			t.Errorf("class %d has no name", c)
		}
	}
}

// Arrays of arrays are looked through once however deep they nest: a quadratic
// walk over this value would visit a hundred times as many elements.
func TestConvertDeepArrays(t *testing.T) {
	const wide = 1000
	inner := &ArrayArray{}
	for range wide {
		inner.Items = append(inner.Items, []int32{1})
	}
	value := inner
	for range MaxDepth - 2 {
		value = &ArrayArray{Items: []any{value}}
	}
	c := converter{to: V16, lossless: true}
	if got, changed := c.value(value, 0); changed || got != any(value) || !c.lossless {
		t.Error("a type that both formats have has changed")
	}
	if n := len(c.static.seen); n != MaxDepth-2 { // all but the outermost, of which none asks
		t.Errorf("%d arrays remembered", n)
	}
}
