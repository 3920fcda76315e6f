package gpjson

import (
	"bytes"
	"encoding/base64"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/boson-project/boson/pkg/gpbinary"
)

// DecodeValue reads one JSON value, with nothing but white space around it, by
// the rules of websocket-json.md 4.2:
//
//	5                          int32 (within 32 bits, no fraction or exponent)
//	5.0, 5e0, 3000000000       float64
//	"x", true, null            string, bool, nil
//	[...]                      gpbinary.ObjectArray
//	{...}                      *gpbinary.Hashtable with string keys, the last of equal ones wins
//	{"$type":86,"$data":".."}  gpbinary.Custom
//
// Half a surrogate pair becomes U+FFFD. Numbers beyond a double become
// infinite, as they do in JavaScript. The error is a *SyntaxError.
func DecodeValue(text []byte) (any, error) {
	v, i, err := decodeValue(text, skipSpace(text, 0), 1)
	if err != nil {
		return nil, err
	}
	if i = skipSpace(text, i); i < len(text) {
		return nil, fail(i, "end of text expected")
	}
	return v, nil
}

func decodeValue(b []byte, i, depth int) (any, int, error) {
	if i >= len(b) {
		return nil, i, fail(i, "value expected")
	}
	switch c := b[i]; c {
	case '"':
		s, i, err := decodeString(b, i)
		return s, i, err
	case '[':
		return decodeArray(b, i, depth)
	case '{':
		return decodeObject(b, i, depth)
	}
	end, err := skipValue(b, i, depth)
	if err != nil {
		return nil, end, err
	}
	switch b[i] {
	case 't':
		return true, end, nil
	case 'f':
		return false, end, nil
	case 'n':
		return nil, end, nil
	}
	return number(b[i:end]), end, nil
}

func decodeArray(b []byte, i, depth int) (any, int, error) {
	if depth > MaxDepth {
		return nil, i, fail(i, "nested too deep")
	}
	list := gpbinary.ObjectArray{}
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == ']' {
		return list, i + 1, nil
	}
	for more := true; more; {
		var v any
		var err error
		if v, i, err = decodeValue(b, i, depth+1); err != nil {
			return nil, i, err
		}
		list = append(list, v)
		if i, more, err = skipSeparator(b, i, ']'); err != nil {
			return nil, i, err
		}
	}
	return list, i, nil
}

func decodeObject(b []byte, i, depth int) (any, int, error) {
	if depth > MaxDepth {
		return nil, i, fail(i, "nested too deep")
	}
	table := gpbinary.NewHashtable()
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == '}' {
		return table, i + 1, nil
	}
	for more := true; more; {
		if i >= len(b) || b[i] != '"' {
			return nil, i, fail(i, "member name expected")
		}
		var key string
		var v any
		var err error
		if key, i, err = decodeString(b, i); err != nil {
			return nil, i, err
		}
		if i, err = skipColon(b, i); err != nil {
			return nil, i, err
		}
		if v, i, err = decodeValue(b, i, depth+1); err != nil {
			return nil, i, err
		}
		table.Set(key, v)
		if i, more, err = skipSeparator(b, i, '}'); err != nil {
			return nil, i, err
		}
	}
	if c, ok := custom(table); ok {
		return c, i, nil
	}
	return table, i, nil
}

// custom recognises the object form of a custom type: exactly $type and $data.
func custom(t *gpbinary.Hashtable) (gpbinary.Custom, bool) {
	if t.Len() != 2 {
		return gpbinary.Custom{}, false
	}
	code, _ := t.Get("$type")
	data, _ := t.Get("$data")
	n, ok := code.(int32)
	text, isText := data.(string)
	if !ok || n < 0 || n > math.MaxUint8 || !isText {
		return gpbinary.Custom{}, false
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return gpbinary.Custom{}, false
	}
	return gpbinary.Custom{Code: byte(n), Data: raw}, true
}

// number converts a checked number. The integer rule looks at the text: a
// double would have lost what was written.
func number(text []byte) any {
	if !bytes.ContainsAny(text, ".eE") && len(text) <= len("-2147483648") {
		n, err := strconv.ParseInt(string(text), 10, 32)
		if err == nil {
			return int32(n)
		}
	}
	// The text has passed the scanner, so the only error left is one of range,
	// and with it comes the infinity or zero that JavaScript would use.
	f, _ := strconv.ParseFloat(string(text), 64)
	return f
}

// ReadInt reads a number with an integral value, however it is written (5, 5.0
// and 5e0 alike), that fits 64 bits; numbers with a fraction part or exponent
// must be within plus or minus 2^53. text is one JSON value without white space.
func ReadInt(text []byte) (n int64, ok bool) {
	if len(text) == 0 || text[0] != '-' && (text[0] < '0' || text[0] > '9') {
		return 0, false
	}
	if end, err := skipNumber(text, 0); err != nil || end != len(text) {
		return 0, false
	}
	if !bytes.ContainsAny(text, ".eE") {
		if n, err := strconv.ParseInt(string(text), 10, 64); err == nil {
			return n, true
		}
		return 0, false
	}
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, false
	}
	return int64(f), true
}

// decodeString reads the string whose opening quote is at i.
func decodeString(b []byte, i int) (string, int, error) {
	end, err := skipString(b, i)
	if err != nil {
		return "", end, err
	}
	body := b[i+1 : end-1]
	if bytes.IndexByte(body, '\\') < 0 {
		return string(body), end, nil
	}
	return string(unescape(make([]byte, 0, len(body)), body)), end, nil
}

var escaped = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// unescape appends what the checked string body s says.
func unescape(dst, s []byte) []byte {
	for {
		i := bytes.IndexByte(s, '\\')
		if i < 0 {
			return append(dst, s...)
		}
		dst = append(dst, s[:i]...)
		if s[i+1] != 'u' {
			dst = append(dst, escaped[s[i+1]])
			s = s[i+2:]
			continue
		}
		r, _ := hex4(s, i+2)
		s = s[i+6:]
		if utf16.IsSurrogate(r) {
			low := rune(0)
			if len(s) >= 6 && s[0] == '\\' && s[1] == 'u' {
				low, _ = hex4(s, 2)
			}
			if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
				s = s[6:]
			}
		}
		dst = utf8.AppendRune(dst, r)
	}
}
