package gpjson

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/boson-project/boson/pkg/gpbinary"
)

func show(m Message) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v %d", m.Kind, m.Code)
	if m.Kind == Response || m.Kind == InternalResponse {
		fmt.Fprintf(&b, " err %d %q", m.ReturnCode, m.Debug)
	}
	for _, f := range m.Fields {
		fmt.Fprintf(&b, " %d=%s", f.Key, f.Bytes)
	}
	return b.String()
}

func TestParseMessage(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"no parameters", `{"req":229,"vals":[]}`, "req 229"},
		{"vals missing", `{"req":229}`, "req 229"},
		{"authenticate", `{"req":230,"vals":[224,"my-app-id",220,"1.0"]}`, `req 230 224="my-app-id" 220="1.0"`},
		{"order and spaces", ` { "vals" : [ 1 , { "a" : 1 } , 2 , [ ] ] , "req" : 5 } `, `req 5 1={ "a" : 1 } 2=[ ]`}, // WJ-038
		{"duplicate code", `{"req":227,"vals":[236,1000,255,"r",236,11]}`, `req 227 236=11 255="r"`},                  // WJ-037
		{"unknown member", `{"x":[{}],"req":1,"vals":[77,null]}`, "req 1 77=null"},                                    // WJ-036
		{"escaped names", `{"\u0072eq":1,"v\u0061ls":[1,2]}`, "req 1 1=2"},
		{"ping", `{"irq":1,"vals":[1,1700000000000]}`, "irq 1 1=1700000000000"}, // WJ-031
		{"ping with fraction", `{"irq":1,"vals":[1,1.5]}`, "irq 1 1=1.5"},
		{"response", `{"err":32758,"res":226,"vals":[],"msg":"Game does not exist"}`, `res 226 err 32758 "Game does not exist"`},
		{"response, null", `{"res":220,"vals":[210,["eu"]],"msg":null}`, `res 220 err 0 "" 210=["eu"]`},
		{"internal response", `{"err":0,"irs":1,"vals":[1,16,2,24],"msg":null}`, `irs 1 err 0 "" 1=16 2=24`},
		{"event", `{"vals":[245,"str",254,1],"evt":3}`, `evt 3 245="str" 254=1`},
		{"response and event", `{"evt":3,"res":4}`, `res 4 err 0 ""`},
		{"code as 5.0", `{"req":5.0,"vals":[7.0,1]}`, "req 5 7=1"},
		{"vals twice", `{"req":1,"vals":[1,2],"vals":[3,4]}`, "req 1 3=4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := ParseMessage([]byte(c.text), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := show(m); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// WJ-023: what ends a connection.
func TestBadMessages(t *testing.T) {
	deep := strings.Repeat("[", 20000)
	for _, text := range []string{
		"", "{", "[]", "null", "1", "{}", `{"x":1}`, `{"req":1,"vals":[]} x`,
		`{"req":1,"vals":[1]}`, `{"req":1,"vals":[1,2,3]}`, // odd
		`{"req":1,"vals":[256,1]}`, `{"req":1,"vals":[-1,1]}`, `{"req":1,"vals":["a",1]}`, `{"req":1,"vals":["1",1]}`, `{"req":1,"vals":[1.5,1]}`,
		`{"req":1,"vals":1}`, `{"req":1,"vals":null}`, `{"req":1,"vals":{"1":2}}`,
		`{"req":"1"}`, `{"req":null}`, `{"req":1.5}`, `{"req":99999999999}`, `{"res":1,"err":"x"}`, `{"res":1,"err":40000}`, `{"res":1,"msg":5}`,
		`{"req":1,"vals":[1,}`, `{"req":1,"vals":[1,2`, `{"req":1,}`, `{"req" 1}`, "{\"req\":1,\"\xff\":1}",
		`{"req":1,"vals":[1,` + deep, `{"req":1,"vals":[1,` + deep + strings.Repeat("]", 20000) + "]}", // WJ-024
	} {
		m, err := ParseMessage([]byte(text), make([]gpbinary.Field, 0, 4))
		var syntax *SyntaxError
		if !errors.As(err, &syntax) {
			t.Errorf("%.60q: parsed as %v, %v", text, show(m), err)
		}
		if len(m.Fields) != 0 || cap(m.Fields) != 4 {
			t.Errorf("%.60q: fields after an error: %v", text, m.Fields)
		}
	}
}

// The depth limit holds for the message as a whole.
func TestMessageDepth(t *testing.T) {
	message := func(n int) []byte {
		return []byte(`{"req":1,"vals":[1,` + strings.Repeat("[", n-2) + strings.Repeat("]", n-2) + "]}")
	}
	if _, err := ParseMessage(message(MaxDepth), nil); err != nil {
		t.Error(err)
	}
	if _, err := ParseMessage(message(MaxDepth+1), nil); err == nil {
		t.Error("one level too many was accepted")
	}
}

func TestParseMessageAllocates(t *testing.T) {
	text := []byte(`{"req":253,"vals":[244,1,245,{"x":1.5},247,0]}`)
	fields := make([]gpbinary.Field, 0, 8)
	if n := testing.AllocsPerRun(100, func() { _, _ = ParseMessage(text, fields) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestNextFrame(t *testing.T) {
	type frame struct {
		payload string
		json    bool
	}
	for _, c := range []struct {
		name, msg string
		want      []frame
	}{
		{"text", "~m~3~m~abc", []frame{{"abc", false}}},
		{"json", `~m~24~m~~j~{"req":229,"vals":[]}`, []frame{{`{"req":229,"vals":[]}`, true}}},
		{"UTF-16 units", `~m~29~m~~j~{"evt":7,"vals":[1,"é😀"]}`, []frame{{`{"evt":7,"vals":[1,"é😀"]}`, true}}},
		{"UTF-8 bytes", `~m~32~m~~j~{"evt":7,"vals":[1,"é😀"]}`, []frame{{`{"evt":7,"vals":[1,"é😀"]}`, true}}},                                                         // WJ-021
		{"two frames", `~m~24~m~~j~{"req":229,"vals":[]}~m~24~m~~j~{"req":228,"vals":[]}`, []frame{{`{"req":229,"vals":[]}`, true}, {`{"req":228,"vals":[]}`, true}}}, // WJ-022
		{"two frames, units", "~m~3~m~é😀~m~2~m~ab", []frame{{"é😀", false}, {"ab", false}}},
		{"two frames, bytes", "~m~6~m~é😀~m~2~m~ab", []frame{{"é😀", false}, {"ab", false}}},
		{"empty payload", "~m~0~m~", []frame{{"", false}}},
		{"empty payload, then one", "~m~0~m~~m~1~m~x", []frame{{"", false}, {"x", false}}},
		{"leading zeros", "~m~003~m~abc", []frame{{"abc", false}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			rest := []byte(c.msg)
			for _, want := range c.want {
				payload, json, r, err := NextFrame(rest)
				if err != nil {
					t.Fatal(err)
				}
				if string(payload) != want.payload || json != want.json {
					t.Errorf("got %q %v, want %q %v", payload, json, want.payload, want.json)
				}
				rest = r
			}
			if len(rest) > 0 {
				t.Errorf("%q is left", rest)
			}
		})
	}
}

// WJ-023: what ends a connection.
func TestBadFrames(t *testing.T) {
	for _, msg := range []string{
		"", "x", "~m~", "~m~3", "~m~~m~x", "~m~-1~m~x", "~m~+1~m~x", "~m~5~m~~j~{", "~m~3~m~abcd", "~m~1~m~😀",
		"~m~99999999999~m~x", "~m~18446744073709551617~m~x", "~j~[]", "~j~null", "~m~1 ~m~x", "\x00~m~1~m~x",
	} {
		payload, _, _, err := NextFrame([]byte(msg))
		var syntax *SyntaxError
		if !errors.As(err, &syntax) {
			t.Errorf("%q: payload %q, %v", msg, payload, err)
		}
	}
}

func TestAppendMessages(t *testing.T) {
	params := gpbinary.Params{{Key: 1, Value: int32(16)}, {Key: 2, Value: int32(24)}}
	ok := func(b []byte, err error) string {
		if err != nil {
			t.Helper()
			t.Error(err)
		}
		return string(b)
	}
	for _, c := range []struct{ name, got, want string }{
		{"session id", string(AppendSessionID(nil, "10427")), "~m~5~m~10427"}, // WJ-004
		{"frame", string(AppendFrame([]byte(">"), []byte("é😀"))), ">~m~3~m~é😀"},
		{"ping", ok(AppendInternalRequest(nil, 1, params[:1])), `~m~26~m~~j~{"irq":1,"vals":[1,16]}`},
		{"ping answer", ok(AppendInternalResponse(nil, 1, 0, "", params)), `~m~50~m~~j~{"err":0,"irs":1,"vals":[1,16,2,24],"msg":null}`}, // WJ-031
		{"request", ok(AppendRequest([]byte("x"), 229, nil)), `x~m~24~m~~j~{"req":229,"vals":[]}`},
		{"response", ok(AppendResponse(nil, 226, 32758, "Game does not exist", nil)), `~m~64~m~~j~{"err":32758,"res":226,"vals":[],"msg":"Game does not exist"}`}, // WJ-030
		{"event", ok(AppendEvent(nil, 7, gpbinary.Params{{Key: 1, Value: "é😀"}})), `~m~29~m~~j~{"vals":[1,"é😀"],"evt":7}`},                                        // WJ-020
		{"content event", string(AppendContentEvent(nil, 3, []byte(`"str"`), 1)), `~m~37~m~~j~{"vals":[245,"str",254,1],"evt":3}`},
		{"no content", string(AppendContentEvent([]byte(">"), 255, nil, -1)), `>~m~30~m~~j~{"vals":[254,-1],"evt":255}`},
		{"content units", string(AppendContentEvent(nil, 3, []byte(`"é😀"`), 1)), `~m~37~m~~j~{"vals":[245,"é😀",254,1],"evt":3}`},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, c.got, c.want)
		}
	}
}

// WJ-020, WJ-026: the length is that of the JavaScript string, whatever is in it.
func TestFrameLength(t *testing.T) {
	for _, s := range []string{"", "a", "<>&", "\u2028\x01", "é😀", strings.Repeat("é", 1000), strings.Repeat("0123456😀", 5), "\xff\xfe"} {
		for _, frame := range [][]byte{
			must(AppendEvent(nil, 1, gpbinary.Params{{Key: 245, Value: s}})),
			AppendContentEvent(nil, 1, must(AppendValue(nil, s)), 1),
		} {
			var n int
			if _, err := fmt.Sscanf(string(frame), "~m~%d~m~", &n); err != nil {
				t.Fatal(err)
			}
			_, body, _ := strings.Cut(string(frame[3:]), "~m~")
			if units := len(utf16.Encode([]rune(body))); units != n {
				t.Errorf("%q: length %d, want %d", s, n, units)
			}
			payload, isJSON, rest, err := NextFrame(frame)
			if err != nil || !isJSON || len(rest) > 0 {
				t.Fatalf("%q: %v %q %v", s, isJSON, rest, err)
			}
			m, err := ParseMessage(payload, nil)
			if err != nil {
				t.Fatal(err)
			}
			v, err := DecodeValue(m.Fields[0].Bytes)
			if want := strings.ToValidUTF8(s, "\uFFFD"); err != nil || s != "\xff\xfe" && v != want {
				t.Errorf("got %q, %v, want %q", v, err, want)
			}
		}
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func TestAppendErrorKeepsDst(t *testing.T) {
	bad := gpbinary.Params{{Key: 1, Value: struct{}{}}}
	for name, f := range map[string]func([]byte) ([]byte, error){
		"request":  func(b []byte) ([]byte, error) { return AppendRequest(b, 1, bad) },
		"response": func(b []byte) ([]byte, error) { return AppendResponse(b, 1, 0, "", bad) },
		"event":    func(b []byte) ([]byte, error) { return AppendEvent(b, 1, bad) },
	} {
		if b, err := f([]byte("dst")); err == nil || string(b) != "dst" {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
}

func TestAppendContentEventAllocates(t *testing.T) {
	dst := make([]byte, 0, 1024)
	content := []byte(`{"x":1.5,"s":"é😀\ud800"}`)
	if n := testing.AllocsPerRun(100, func() { dst = AppendContentEvent(dst[:0], 200, content, 1<<30) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAppendContentEvent(b *testing.B) {
	dst := make([]byte, 0, 1024)
	content := []byte(`{"x":1.5,"y":-3.25,"z":100.125,"s":"some text that games send"}`)
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendContentEvent(dst[:0], 200, content, 17)
	}
}

func BenchmarkParseMessage(b *testing.B) {
	text := []byte(`{"req":253,"vals":[244,1,245,{"x":1.5,"y":-3.25,"z":100.125,"s":"some text that games send"}]}`)
	fields := make([]gpbinary.Field, 0, 8)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = ParseMessage(text, fields)
	}
}

func FuzzParseMessage(f *testing.F) {
	for _, s := range []string{`{"req":253,"vals":[244,1,245,{"x":1.5}]}`, `{"err":0,"irs":1,"vals":[1,16,2,24],"msg":null}`, `{"vals":[245,"str",254,1],"evt":3}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := ParseMessage(text, nil)
		if err != nil {
			return
		}
		var seen [256]bool
		for _, field := range m.Fields {
			if seen[field.Key] {
				t.Fatalf("code %d twice", field.Key)
			}
			seen[field.Key] = true
			if n, err := SkipValue(field.Bytes); err != nil || n != len(field.Bytes) {
				t.Fatalf("field %q: %d, %v", field.Bytes, n, err)
			}
		}
	})
}

func FuzzNextFrame(f *testing.F) {
	for _, s := range []string{"~m~3~m~abc", `~m~24~m~~j~{"req":229,"vals":[]}`, "~m~3~m~é😀~m~2~m~ab", "~m~-1~m~x", "~m~0~m~"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		for rest := msg; len(rest) > 0; {
			payload, _, r, err := NextFrame(rest)
			if err != nil {
				return
			}
			if len(payload)+len(r) >= len(rest) {
				t.Fatalf("no progress at %q", rest)
			}
			rest = r
		}
		if text, isJSON, rest, err := NextFrame(AppendFrame(nil, msg)); err != nil && len(msg) > 0 && utf16Len(msg) == len(msg) {
			t.Fatalf("%q %v %q: %v", text, isJSON, rest, err)
		}
	})
}
