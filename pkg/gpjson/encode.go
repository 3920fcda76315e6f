package gpjson

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/boson-project/boson/pkg/gpbinary"
)

// MaxText is the length in bytes up to which a value is written. Some binary
// arrays grow by a factor of fifty on their way to JSON; without a bound, one
// event of a hostile client would burst the send queues of its room.
const MaxText = 1 << 20

// ErrTooLong is returned for values whose text would be longer than MaxText.
var ErrTooLong = errors.New("json: value is longer than 1 MiB as text")

// Raw is one JSON value kept as text. It has passed the parser.
type Raw []byte

// AppendValue appends value, any of gpbinary's types or a Raw, by the rules of
// websocket-json.md 4.3. A gpbinary.Raw is decoded, a Raw pasted (half
// surrogate pairs in it become U+FFFD). It fails, leaving dst as it was, for
// values that JSON can't hold: tables whose keys are neither numbers nor
// strings nor bools, texts longer than MaxText, and Go types that are no Photon
// value.
func AppendValue(dst []byte, value any) ([]byte, error) {
	e := encoder{dst: dst, limit: len(dst) + MaxText}
	if err := e.value(value); err != nil {
		return dst, err
	}
	return e.dst, nil
}

type encoder struct {
	dst   []byte
	limit int  // of len(dst)
	web   bool // the form of AppendWeb
}

func (e *encoder) value(value any) error {
	switch v := value.(type) {
	case nil:
		e.text("null")
	case bool:
		e.dst = strconv.AppendBool(e.dst, v)
	case uint8:
		e.int(int64(v))
	case int16:
		e.int(int64(v))
	case int32:
		e.int(int64(v))
	case int64:
		e.int(v)
	case float32:
		e.dst = appendFloat(e.dst, float64(v), 32)
	case float64:
		e.dst = appendFloat(e.dst, v, 64)
	case string:
		e.dst = appendString(e.dst, v)
	case []byte:
		if e.web {
			e.base64(v)
			break
		}
		return list(e, v, func(e *encoder, x byte) error { e.int(int64(x)); return nil })
	case []bool:
		return list(e, v, func(e *encoder, x bool) error { e.dst = strconv.AppendBool(e.dst, x); return nil })
	case []int16:
		return list(e, v, func(e *encoder, x int16) error { e.int(int64(x)); return nil })
	case []int32:
		return list(e, v, func(e *encoder, x int32) error { e.int(int64(x)); return nil })
	case []int64:
		return list(e, v, func(e *encoder, x int64) error { e.int(x); return nil })
	case []float32:
		return list(e, v, func(e *encoder, x float32) error { e.dst = appendFloat(e.dst, float64(x), 32); return nil })
	case []float64:
		return list(e, v, func(e *encoder, x float64) error { e.dst = appendFloat(e.dst, x, 64); return nil })
	case []string:
		return list(e, v, func(e *encoder, x string) error { e.dst = appendString(e.dst, x); return nil })
	case gpbinary.ObjectArray:
		return list(e, v, (*encoder).value)
	case *gpbinary.ArrayArray:
		return list(e, v.Items, (*encoder).value)
	case *gpbinary.Hashtable:
		return e.hashtable(v)
	case []*gpbinary.Hashtable:
		return list(e, v, (*encoder).hashtable)
	case *gpbinary.Dictionary:
		return e.table(v.Pairs)
	case *gpbinary.DictionaryArray:
		return list(e, v.Items, (*encoder).table)
	case gpbinary.Custom:
		e.custom(v.Code, v.Data)
	case *gpbinary.CustomArray:
		return list(e, v.Items, func(e *encoder, data []byte) error { e.custom(v.Code, data); return nil })
	case gpbinary.Raw:
		x, _, err := gpbinary.Decode(v.Version, v.Bytes)
		if err != nil {
			return err
		}
		return e.value(x)
	case Raw:
		e.dst = appendRaw(e.dst, v)
	default:
		return e.message(value)
	}
	return e.check()
}

// message writes a message that stands as a value, in the form that it would
// have on its own.
func (e *encoder) message(value any) error {
	if e.web {
		return fmt.Errorf("json: type %T has no form for web services", value)
	}
	switch v := value.(type) {
	case *gpbinary.OperationRequest:
		return e.request("req", int(v.Code), v.Params)
	case *gpbinary.OperationResponse:
		return e.response("res", int(v.Code), int(v.ReturnCode), v.Debug, v.Params)
	case *gpbinary.EventData:
		return e.event(int(v.Code), v.Params)
	case []*gpbinary.OperationRequest:
		return list(e, v, func(e *encoder, m *gpbinary.OperationRequest) error { return e.message(m) })
	case []*gpbinary.OperationResponse:
		return list(e, v, func(e *encoder, m *gpbinary.OperationResponse) error { return e.message(m) })
	case []*gpbinary.EventData:
		return list(e, v, func(e *encoder, m *gpbinary.EventData) error { return e.message(m) })
	}
	return fmt.Errorf("json: %T is not a Photon value", value)
}

func (e *encoder) text(s string) { e.dst = append(e.dst, s...) }
func (e *encoder) int(n int64)   { e.dst = strconv.AppendInt(e.dst, n, 10) }

func (e *encoder) check() error {
	if len(e.dst) > e.limit {
		return ErrTooLong
	}
	return nil
}

func list[T any](e *encoder, items []T, write func(*encoder, T) error) error {
	e.dst = append(e.dst, '[')
	for i, item := range items {
		if i > 0 {
			e.dst = append(e.dst, ',')
		}
		if err := write(e, item); err != nil {
			return err
		}
		if err := e.check(); err != nil {
			return err
		}
	}
	e.dst = append(e.dst, ']')
	return nil
}

func (e *encoder) custom(code byte, data []byte) {
	e.text(`{"$type":`)
	e.int(int64(code))
	e.text(`,"$data":`)
	e.base64(data)
	e.text("}")
}

func (e *encoder) base64(data []byte) {
	e.dst = append(e.dst, '"')
	e.dst = append(base64.StdEncoding.AppendEncode(e.dst, data), '"')
}

func (e *encoder) hashtable(t *gpbinary.Hashtable) error {
	if t == nil {
		e.text("null")
		return nil
	}
	return e.table(t.Pairs())
}

func (e *encoder) table(pairs []gpbinary.Pair) error {
	chosen, err := chooseMembers(pairs)
	if err != nil {
		return err
	}
	e.dst = append(e.dst, '{')
	first := true
	for i := range pairs {
		if chosen != nil && !chosen[i] {
			continue
		}
		if !first {
			e.dst = append(e.dst, ',')
		}
		first = false
		if s, ok := pairs[i].Key.(string); ok {
			e.dst = appendString(e.dst, s)
		} else {
			e.dst = append(e.dst, '"')
			if e.dst, err = appendKey(e.dst, pairs[i].Key); err != nil {
				return err
			}
			e.dst = append(e.dst, '"')
		}
		e.dst = append(e.dst, ':')
		if err := e.value(pairs[i].Value); err != nil {
			return err
		}
		if err := e.check(); err != nil {
			return err
		}
	}
	e.dst = append(e.dst, '}')
	return nil
}

// chooseMembers says which pairs become members where several keys have the
// same text: the string key's, or the last one's. nil stands for all of them,
// which is so without looking when all keys have one type.
func chooseMembers(pairs []gpbinary.Pair) ([]bool, error) {
	mixed := false
	for i := 1; i < len(pairs) && !mixed; i++ {
		mixed = keyType(pairs[i].Key) != keyType(pairs[0].Key)
	}
	if !mixed {
		return nil, nil
	}
	chosen := make([]bool, len(pairs))
	byText := make(map[string]int, len(pairs))
	var buf []byte
	for i := range pairs {
		var err error
		if buf, err = appendKey(buf[:0], pairs[i].Key); err != nil {
			return nil, err
		}
		if j, ok := byText[string(buf)]; ok {
			if _, isString := pairs[j].Key.(string); isString {
				continue
			}
			chosen[j] = false
		}
		byText[string(buf)] = i
		chosen[i] = true
	}
	return chosen, nil
}

func keyType(key any) int {
	switch key.(type) {
	case string:
		return 1
	case uint8:
		return 2
	case int16:
		return 3
	case int32:
		return 4
	case int64:
		return 5
	case bool:
		return 6
	case float32:
		return 7
	case float64:
		return 8
	}
	return 0
}

// appendKey appends a table key's text, without quotes and unescaped.
func appendKey(dst []byte, key any) ([]byte, error) {
	switch k := key.(type) {
	case string:
		return append(dst, k...), nil
	case uint8:
		return strconv.AppendInt(dst, int64(k), 10), nil
	case int16:
		return strconv.AppendInt(dst, int64(k), 10), nil
	case int32:
		return strconv.AppendInt(dst, int64(k), 10), nil
	case int64:
		return strconv.AppendInt(dst, k, 10), nil
	case bool:
		return strconv.AppendBool(dst, k), nil
	case float32:
		return appendFloat(dst, float64(k), 32), nil
	case float64:
		return appendFloat(dst, k, 64), nil
	}
	return dst, fmt.Errorf("json: a table can't have a key of type %T", key)
}

// appendFloat writes the shortest decimal that gives back the same value of
// that many bits, in the form that JavaScript uses: digits only below 1e21.
func appendFloat(dst []byte, f float64, bits int) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(dst, "null"...)
	}
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) {
		start := len(dst)
		dst = strconv.AppendFloat(dst, f, 'e', -1, bits)
		// JavaScript writes 1e-7 where Go writes 1e-07.
		if n := len(dst); n-start >= 4 && dst[n-4] == 'e' && dst[n-2] == '0' {
			dst[n-2] = dst[n-1]
			dst = dst[:n-1]
		}
		return dst
	}
	return strconv.AppendFloat(dst, f, 'f', -1, bits)
}

// appendString writes s quoted. Only what JSON demands is escaped, so that the
// text stays short; invalid UTF-8 becomes U+FFFD.
func appendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	done := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				dst = append(append(dst, s[done:i]...), "\uFFFD"...)
				done = i + 1
			}
			i += n
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' {
			i++
			continue
		}
		dst = append(dst, s[done:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		done = i
	}
	dst = append(dst, s[done:]...)
	return append(dst, '"')
}
