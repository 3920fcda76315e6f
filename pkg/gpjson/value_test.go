package gpjson

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/boson-project/boson/pkg/gpbinary"
)

// table builds a Hashtable from alternating keys and values.
func table(kv ...any) *gpbinary.Hashtable {
	t := gpbinary.NewHashtable()
	for i := 0; i < len(kv); i += 2 {
		t.Set(kv[i], kv[i+1])
	}
	return t
}

type objects = gpbinary.ObjectArray

func TestDecodeValue(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       any
	}{
		// WJ-053, websocket-json.md 4.2
		{"int", "5", int32(5)},
		{"zero", "0", int32(0)},
		{"negative", "-1", int32(-1)},
		{"largest int", "2147483647", int32(math.MaxInt32)},
		{"smallest int", "-2147483648", int32(math.MinInt32)},
		{"above int", "2147483648", float64(2147483648)},
		{"below int", "-2147483649", float64(-2147483649)},
		{"2^53-1", "9007199254740991", float64(9007199254740991)},
		{"20 digits", "12345678901234567890", 12345678901234567890.0},
		{"whole with fraction", "5.0", 5.0},
		{"whole with exponent", "5e0", 5.0},
		{"fraction", "5.5", 5.5},
		{"1e21", "1e+21", 1e21},
		{"smallest double", "5e-324", 5e-324},
		{"largest double", "1.7976931348623157e+308", math.MaxFloat64},
		{"beyond double", "-1e999", math.Inf(-1)},
		{"true", "true", true},
		{"false", " false\n", false},
		{"null", "null", nil},
		{"ints", "[1,2]", objects{int32(1), int32(2)}},
		{"empty array", "[]", objects{}},
		{"mixed", `[1, "a" ,null,[true],{}]`, objects{int32(1), "a", nil, objects{true}, table()}},
		{"string key", `{"1":2}`, table("1", int32(2))},
		{"keys", `{"":0,"1":1,"-1":2,"1.5":3,"007":4}`, table("", int32(0), "1", int32(1), "-1", int32(2), "1.5", int32(3), "007", int32(4))}, // WJ-052
		{"well-known key stays text", `{"255":1}`, table("255", int32(1))},                                                                    // WJ-064
		{"last one wins", `{"a":1,"b":2,"a":3}`, table("a", int32(3), "b", int32(2))},
		// WJ-051
		{"empty string", `""`, ""},
		{"emoji", `"é😀"`, "é😀"},
		{"escaped emoji", `"\ud83d\ude00"`, "😀"},
		{"NUL", `"a\u0000b"`, "a\x00b"},
		{"U+2028", "\"\u2028\\u2029\"", "\u2028\u2029"},
		{"escapes", `"\"\\\/\b\f\n\r\t\u0041"`, "\"\\/\b\f\n\r\tA"},
		{"lone high surrogate", `"x\ud800y"`, "x\uFFFDy"},
		{"lone low surrogate", `"\udc00"`, "\uFFFD"},
		{"two high ones", `"\ud800\ud83d\ude00"`, "\uFFFD😀"},
		{"high one, then a letter", `"\ud800\u0041"`, "\uFFFDA"},
		{"looks like a frame", `"~m~3~m~abc"`, "~m~3~m~abc"},
		// WJ-056
		{"custom", `{"$type":86,"$data":"AQID"}`, gpbinary.Custom{Code: 86, Data: []byte{1, 2, 3}}},
		{"custom, other order", `{"$data":"","$type":0}`, gpbinary.Custom{Code: 0, Data: []byte{}}},
		{"custom with more", `{"$type":86,"$data":"AQID","x":1}`, table("$type", int32(86), "$data", "AQID", "x", int32(1))},
		{"custom without base64", `{"$type":86,"$data":"?"}`, table("$type", int32(86), "$data", "?")},
		{"custom code too large", `{"$type":256,"$data":""}`, table("$type", int32(256), "$data", "")},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := DecodeValue([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %#v, want %#v", got, c.want)
			}
		})
	}
}

func TestBadText(t *testing.T) {
	for _, c := range []struct {
		text   string
		offset int
	}{
		{"", 0},
		{"   ", 3},
		{"nul", 0},
		{"x", 0},
		{"'a'", 0},
		{"+1", 0},
		{"-", 1},
		{"01", 1},
		{"1.", 2},
		{".5", 0},
		{"1e", 2},
		{"1e+", 3},
		{"NaN", 0},
		{`"abc`, 4},
		{"\"a\nb\"", 2},
		{`"\x"`, 1},
		{`"\u12g4"`, 1},
		{`"\u12`, 1},
		{`"\`, 1},
		{"\"a\xff\"", 2},
		{"\"\xed\xa0\x80\"", 1}, // a surrogate in UTF-8
		{"[1,]", 3},
		{"[1 2]", 3},
		{"[1", 2},
		{"[", 1},
		{"{", 1},
		{"{1:2}", 1},
		{`{"a"}`, 4},
		{`{"a":}`, 5},
		{`{"a":1,}`, 7},
		{`{"a":1`, 6},
		{"1 2", 2},
		{"[] []", 3},
	} {
		_, err := DecodeValue([]byte(c.text))
		var syntax *SyntaxError
		if !errors.As(err, &syntax) {
			t.Errorf("%q: error %v, want a SyntaxError", c.text, err)
			continue
		}
		if syntax.Offset != c.offset {
			t.Errorf("%q: %v, want offset %d", c.text, err, c.offset)
		}
	}
}

func TestDepth(t *testing.T) {
	nested := func(n int) []byte { return []byte(strings.Repeat("[", n) + strings.Repeat("]", n)) }
	for _, n := range []int{16, MaxDepth} { // WJ-052
		if _, err := DecodeValue(nested(n)); err != nil {
			t.Errorf("depth %d: %v", n, err)
		}
		if got, err := SkipValue(nested(n)); err != nil || got != 2*n {
			t.Errorf("depth %d: skipped %d, %v", n, got, err)
		}
	}
	for _, n := range []int{MaxDepth + 1, 20000} { // WJ-023, WJ-024
		if _, err := DecodeValue(nested(n)); err == nil {
			t.Errorf("depth %d decoded", n)
		}
		if _, err := SkipValue(nested(n)); err == nil {
			t.Errorf("depth %d skipped", n)
		}
		deep := []byte(strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n))
		if _, err := SkipValue(deep); err == nil {
			t.Errorf("objects of depth %d skipped", n)
		}
	}
}

func TestSkipValue(t *testing.T) {
	text := []byte(` {"a":[1,-2.5e3,"x\n",true,false,null],"b":{}} ,1`)
	n, err := SkipValue(text)
	if err != nil || string(text[n:]) != " ,1" {
		t.Errorf("skipped to %q, %v", text[n:], err)
	}
	if a := testing.AllocsPerRun(100, func() { _, _ = SkipValue(text) }); a != 0 {
		t.Errorf("%v allocations", a)
	}
}

func TestReadInt(t *testing.T) {
	for _, c := range []struct {
		text string
		want int64
		ok   bool
	}{
		{"5", 5, true}, {"-7", -7, true}, {"5.0", 5, true}, {"5e2", 500, true}, {"0", 0, true},
		{"9223372036854775807", math.MaxInt64, true}, {"9223372036854775808", 0, false},
		{"5.5", 0, false}, {"1e99", 0, false}, {"1e999", 0, false},
		{"", 0, false}, {"-", 0, false}, {`"5"`, 0, false}, {"null", 0, false}, {"true", 0, false}, {"5 ", 0, false}, {"0x10", 0, false},
	} {
		if got, ok := ReadInt([]byte(c.text)); got != c.want || ok != c.ok {
			t.Errorf("%q: %d, %v", c.text, got, ok)
		}
	}
}

func TestAppendValue(t *testing.T) {
	raw16 := gpbinary.Raw{Version: gpbinary.V16, Bytes: []byte{'i', 0, 0, 1, 0}}
	for _, c := range []struct {
		name  string
		value any
		want  string
	}{
		// WJ-054
		{"null", nil, "null"},
		{"bool", true, "true"},
		{"byte", uint8(255), "255"},
		{"short", int16(-300), "-300"},
		{"int", int32(math.MinInt32), "-2147483648"},
		{"long", int64(math.MaxInt64), "9223372036854775807"},
		{"float", float32(0.1), "0.1"},
		{"double", 0.1, "0.1"},
		{"float as double", float64(float32(0.1)), "0.10000000149011612"},
		{"whole double", 5.0, "5"},
		{"1e20", 1e20, "100000000000000000000"},
		{"1e21", 1e21, "1e+21"},
		{"1e-6", 1e-6, "0.000001"},
		{"1e-7", 1e-7, "1e-7"},
		{"5e-324", 5e-324, "5e-324"},
		{"float 1e-10", float32(1e-10), "1e-10"},
		{"NaN", math.NaN(), "null"}, // WJ-055
		{"Infinity", math.Inf(1), "null"},
		{"-Infinity", float32(math.Inf(-1)), "null"},
		{"string", "Bob", `"Bob"`},
		{"markup", "<a href=\"x\">&\\", `"<a href=\"x\">&\\"`}, // WJ-026
		{"control", "\x00\x01\b\n\r\t\x1f\x7f", `"\u0000\u0001\u0008\n\r\t\u001f` + "\x7f" + `"`},
		{"other languages", "é😀\u2028", "\"é😀\u2028\""},
		{"invalid UTF-8", "a\xffb\xc3", `"a` + "\uFFFD" + `b` + "\uFFFD" + `"`},
		{"byte[]", []byte{10, 20}, "[10,20]"},
		{"empty byte[]", []byte{}, "[]"},
		{"bool[]", []bool{true, false}, "[true,false]"},
		{"short[]", []int16{-1, 2}, "[-1,2]"},
		{"int[]", []int32{1, -2}, "[1,-2]"},
		{"long[]", []int64{1 << 40}, "[1099511627776]"},
		{"float[]", []float32{1.5, 0.1}, "[1.5,0.1]"},
		{"double[]", []float64{1, 2.5}, "[1,2.5]"},
		{"string[]", []string{"a", ""}, `["a",""]`},
		{"object[]", objects{nil, int32(1), "x", objects{}}, `[null,1,"x",[]]`},
		{"array[]", &gpbinary.ArrayArray{Items: []any{[]int32{1}, nil}}, "[[1],null]"},
		{"hashtable", table(uint8(255), uint8(4), "map", "m1", int32(1), objects{}), `{"255":4,"map":"m1","1":[]}`},
		{"hashtable keys", table(true, 1.0, float32(1.5), 2.0, int64(-3), 3.0), `{"true":1,"1.5":2,"-3":3}`},
		{"string key wins", table("1", "string", uint8(1), "byte"), `{"1":"string"}`},
		{"string key wins, other order", table(uint8(1), "byte", "1", "string"), `{"1":"string"}`},
		{"last number key wins", table(uint8(1), "byte", int32(1), "int"), `{"1":"int"}`},
		{"hashtable[]", []*gpbinary.Hashtable{table("a", nil), nil}, `[{"a":null},null]`},
		{"dictionary", &gpbinary.Dictionary{Pairs: []gpbinary.Pair{{Key: int32(1), Value: "x"}}}, `{"1":"x"}`},
		{"dictionary[]", &gpbinary.DictionaryArray{Items: [][]gpbinary.Pair{{{Key: "k", Value: int32(1)}}, {}}}, `[{"k":1},{}]`},
		{"custom", gpbinary.Custom{Code: 86, Data: []byte{1, 2, 3}}, `{"$type":86,"$data":"AQID"}`}, // WJ-056
		{"custom[]", &gpbinary.CustomArray{Code: 1, Items: [][]byte{{255}, {}}}, `[{"$type":1,"$data":"/w=="},{"$type":1,"$data":""}]`},
		{"raw", raw16, "256"},
		{"raw in a table", table("k", raw16), `{"k":256}`},
		{"text", Raw(`{"a": 1}`), `{"a": 1}`},
		{"half a pair in text", Raw(`"\ud800 \ud83d\ude00 \\ud800 \n\uDFFF"`), `"\ufffd \ud83d\ude00 \\ud800 \n\ufffd"`}, // WJ-051
		{"request", &gpbinary.OperationRequest{Code: 1, Params: gpbinary.Params{{Key: 2, Value: "x"}}}, `{"req":1,"vals":[2,"x"]}`},
		{"response", &gpbinary.OperationResponse{Code: 1, ReturnCode: -2, Debug: "no"}, `{"err":-2,"res":1,"vals":[],"msg":"no"}`},
		{"events", []*gpbinary.EventData{{Code: 7}}, `[{"vals":[],"evt":7}]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := AppendValue([]byte(">"), c.value)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != ">"+c.want {
				t.Errorf("got %s, want >%s", got, c.want)
			}
			if n, err := SkipValue(got[1:]); err != nil || n != len(got)-1 {
				t.Errorf("%s: not valid JSON: %d, %v", got, n, err)
			}
		})
	}
}

func TestAppendValueRefuses(t *testing.T) {
	for _, c := range []struct {
		name  string
		value any
	}{
		{"array as key", table(objects{}, 1.0)},
		{"array as key among others", table(objects{}, 1.0, "a", 1.0)},
		{"Go type", struct{}{}},
		{"Go int", 5},
		{"broken raw", gpbinary.Raw{Version: gpbinary.V18, Bytes: []byte{0xff}}},
		{"too long", make([]bool, MaxText/5)},
		{"too long in parts", objects{strings.Repeat("a", MaxText/2), strings.Repeat("b", MaxText/2)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dst, err := AppendValue([]byte("x"), c.value)
			if err == nil || string(dst) != "x" {
				t.Errorf("got %.40s, %v", dst, err)
			}
		})
	}
}

// WJ-050: what one JavaScript client sends, another gets, also when the server
// has decoded it on the way.
func TestJavaScriptToJavaScript(t *testing.T) {
	for _, text := range []string{
		"0", "-1", "2147483647", "2147483648", "-2147483649", "9007199254740991", "0.1", "1e+21", "5e-324", "1.7976931348623157e+308",
		`""`, `"é😀"`, "true", "null", "[]", "{}", `[1,"a",[],{"b":[null]}]`, `{"0":1,"1":2}`, `{"type":"Buffer","data":[1,2]}`,
		`{"$type":1,"$data":"AA=="}`,
	} {
		v, err := DecodeValue([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := AppendValue(nil, v); err != nil || string(got) != text {
			t.Errorf("%s became %s, %v", text, got, err)
		}
	}
}

func FuzzDecodeValue(f *testing.F) {
	for _, s := range []string{`{"a":[1,-2.5e3,"x\n\ud800",true,false,null],"b":{}}`, `{"$type":1,"$data":"AA=="}`, `[[[]]]`, `"\ud83d\ude00"`, "1e999", "-0"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		n, skipErr := SkipValue(text)
		v, err := DecodeValue(text)
		if (skipErr == nil && skipSpace(text, n) == len(text)) != (err == nil) {
			t.Fatalf("SkipValue: %d, %v; DecodeValue: %v", n, skipErr, err)
		}
		if err != nil {
			return
		}
		once, err := AppendValue(nil, v)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(once, []byte("-0")) {
			return // the double -0.0 is written -0, which reads as the int 0
		}
		v2, err := DecodeValue(once)
		if err != nil {
			t.Fatalf("%s: %v", once, err)
		}
		if twice, err := AppendValue(nil, v2); err != nil || string(twice) != string(once) {
			t.Fatalf("%s, then %s, %v", once, twice, err)
		}
		pasted, err := AppendValue(nil, Raw(text))
		if err != nil || len(pasted) != len(text) {
			t.Fatalf("pasted %q as %q, %v", text, pasted, err)
		}
		if p, err := DecodeValue(pasted); err != nil {
			t.Fatalf("%q: %v", pasted, err)
		} else if again, err := AppendValue(nil, p); err != nil || string(again) != string(once) {
			t.Fatalf("pasted %q means %s, want %s", pasted, again, once)
		}
	})
}
