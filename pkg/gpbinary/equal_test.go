package gpbinary

import (
	"math"
	"testing"
)

func dict(key, val Kind, pairs ...Pair) *Dictionary {
	return &Dictionary{Key: TypeDesc{Kind: key}, Val: TypeDesc{Kind: val}, Pairs: pairs}
}

// serialization.md 12, "Equality", and websocket-json.md 4.6.
func TestEqual(t *testing.T) {
	nan := math.NaN()
	ab := NewHashtable(Pair{"a", int32(1)}, Pair{"b", int32(2)})
	ba := NewHashtable(Pair{"b", int32(2)}, Pair{"a", int32(1)})
	tests := []struct {
		name            string
		a, b            any
		equal, byValues bool
	}{
		{"null", nil, nil, true, true},
		{"null and zero", nil, int32(0), false, false},
		{"empty string and null", "", nil, false, false},
		{"byte and int", uint8(4), int32(4), false, true},
		{"int and double", int32(4), float64(4), false, true},
		{"double, not whole", float64(4.5), int32(4), false, false},
		{"float and double", float32(0.5), float64(0.5), false, true},
		{"float as JSON shows it", float32(0.1), float64(0.1), false, true},
		{"long that no double holds", int64(1<<53 + 1), float64(1 << 53), false, false},
		{"long beyond the doubles", int64(math.MaxInt64), float64(1 << 63), false, false},
		{"bool and byte", true, uint8(1), false, false},
		{"string and int", "4", int32(4), false, false},
		{"zeros of both signs", 0.0, math.Copysign(0, -1), false, true},
		{"NaN", nan, nan, true, true},
		{"infinity", math.Inf(1), float32(math.Inf(1)), false, true},
		{"int[] and long[]", []int32{1, 2}, []int64{1, 2}, false, true},
		{"int[] and object[]", []int32{1, 2}, ObjectArray{int32(1), 2.0}, false, true},
		{"int[] and longer object[]", []int32{1, 2}, ObjectArray{int32(1), 2.0, nil}, false, false},
		{"string[] and object[]", []string{"a"}, ObjectArray{"a"}, false, true},
		{"int[][] and object[]", &ArrayArray{Items: []any{[]int32{1}}}, ObjectArray{ObjectArray{int32(1)}}, false, true},
		{"array and scalar", []int32{1}, int32(1), false, false},
		{"tables in another order", ab, ba, true, true},
		{"table and nothing", ab, nil, false, false},
		{"table with one more", ab, NewHashtable(Pair{"a", int32(1)}), false, false},
		{"tables with other keys", ab, NewHashtable(Pair{"a", int32(1)}, Pair{"c", int32(2)}), false, false},
		{"tables of other numbers", ab, NewHashtable(Pair{"a", uint8(1)}, Pair{"b", 2.0}), false, true},
		{"number keys", NewHashtable(Pair{uint8(1), "x"}), NewHashtable(Pair{int32(1), "x"}), false, true},
		{"number keys that only types tell apart", NewHashtable(Pair{uint8(1), "x"}, Pair{int32(1), "x"}),
			NewHashtable(Pair{int32(1), "x"}, Pair{"y", "z"}), false, false},
		{"table as key", NewHashtable(Pair{ab, nil}), NewHashtable(Pair{ba, nil}), true, true},
		{"another table as key", NewHashtable(Pair{ab, nil}), NewHashtable(Pair{NewHashtable(), nil}), false, false},
		{"dictionaries in another order", dict(KindInt, KindInt, Pair{int32(1), int32(1)}, Pair{int32(2), int32(2)}),
			dict(KindInt, KindInt, Pair{int32(2), int32(2)}, Pair{int32(1), int32(1)}), true, true},
		{"empty dictionaries of other types", dict(KindInt, KindInt), dict(KindInt, KindString), false, true},
		{"dictionary and table", dict(KindString, KindInt, Pair{"a", int32(1)}), NewHashtable(Pair{"a", int32(1)}), false, true},
		{"vague dictionary", dict(KindInt, KindArray, Pair{int32(1), []int32{1}}), dict(KindInt, KindIntArray, Pair{int32(1), []int32{1}}), true, true},
		{"custom", Custom{1, []byte("a")}, Custom{1, []byte("a")}, true, true},
		{"custom code", Custom{1, []byte("a")}, Custom{2, []byte("a")}, false, false},
		{"custom arrays", &CustomArray{1, [][]byte{{1}}}, &CustomArray{1, [][]byte{{1}}}, true, true},
		{"events", &EventData{1, Params{{1, "a"}, {2, "b"}}}, &EventData{1, Params{{2, "b"}, {1, "a"}}}, true, true},
		{"event and request", &EventData{Code: 1}, &OperationRequest{Code: 1}, false, false},
		{"raw of both formats", Raw{V16, []byte{'i', 0, 0, 0, 1}}, Raw{V18, []byte{v18Int1, 1}}, true, true},
		{"raw and value", Raw{V18, []byte{v18Int, 2}}, int32(1), true, true},
		{"raw that is malformed", Raw{V18, []byte{v18Int}}, Raw{V18, []byte{v18Int}}, false, false},
	}
	for _, tt := range tests {
		for _, pair := range [][2]any{{tt.a, tt.b}, {tt.b, tt.a}} {
			if got := Equal(pair[0], pair[1]); got != tt.equal {
				t.Errorf("%s: Equal %v", tt.name, got)
			}
			if got := EqualValues(pair[0], pair[1]); got != tt.byValues {
				t.Errorf("%s: EqualValues %v", tt.name, got)
			}
		}
	}
}

// Every valid vector equals itself and no other value of another canonical form.
func TestEqualVectors(t *testing.T) {
	for _, v := range versions {
		byForm := map[string]string{}
		var values []any
		for _, vec := range load(t, v).Valid {
			if vec.Kind != "value" || vec.Size > 1000 {
				continue
			}
			x := parse(t, vec.Value)
			if !Equal(x, x) || !EqualValues(x, x) {
				t.Errorf("%s is not itself", vec.Name)
			}
			form := canonical(x)
			if form == "" {
				t.Errorf("%s has no canonical form", vec.Name)
			}
			if _, ok := byForm[form]; !ok {
				byForm[form] = vec.Name
				values = append(values, x)
			}
		}
		for i, x := range values {
			for _, y := range values[:i] {
				if Equal(x, y) {
					t.Errorf("%#v equals %#v", x, y)
				}
			}
		}
	}
}

// Keys may be tables whose keys are tables, as deep as values go.
func TestEqualNestedKeys(t *testing.T) {
	deep := func(leaf int32) any {
		var key any = leaf
		for range MaxDepth - 2 {
			key = NewHashtable(Pair{key, nil})
		}
		return key
	}
	if !Equal(deep(1), deep(1)) || Equal(deep(1), deep(2)) || !EqualValues(deep(1), deep(1)) {
		t.Error("deep keys")
	}
}
