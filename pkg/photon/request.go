package photon

import (
	"fmt"
	"math"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/gpjson"
)

// Request is one operation request with its parameters undecoded. The getters
// decode one parameter each and take any integer width for a number
// (loadbalancing.md 2, rules 8 and 9).
//
// Fields alias the message: a Request is valid as long as its message.
type Request struct {
	Protocol Protocol
	Code     OpCode
	// Internal marks a request of the transport's own operations.
	Internal bool
	// Delivery is how the message travelled.
	Delivery Delivery
	Fields   []gpbinary.Field
}

// ParamError says which parameter of a request is missing or wrong. It becomes
// the response's return code and debug message.
type ParamError struct {
	Code  ReturnCode
	Param ParamCode
	Text  string
}

// Error names the parameter by number and name.
func (e *ParamError) Error() string {
	return fmt.Sprintf("parameter %d (%s) %s", byte(e.Param), e.Param, e.Text)
}

// BadParam returns a ParamError with code InvalidOperation.
func BadParam(p ParamCode, format string, args ...any) *ParamError {
	return &ParamError{Code: ReturnInvalidOperation, Param: p, Text: fmt.Sprintf(format, args...)}
}

// Missing returns the error of a mandatory parameter that is absent.
func Missing(p ParamCode) *ParamError { return BadParam(p, "is missing") }

// Raw returns the parameter's typed value (JSON: its text), undecoded.
func (r *Request) Raw(p ParamCode) ([]byte, bool) {
	for i := range r.Fields {
		if r.Fields[i].Key == byte(p) {
			return r.Fields[i].Bytes, true
		}
	}
	return nil, false
}

// Has says whether the parameter is there and not null.
func (r *Request) Has(p ParamCode) bool {
	_, ok := r.value(p)
	return ok
}

// value is Raw without nulls.
func (r *Request) value(p ParamCode) ([]byte, bool) {
	b, ok := r.Raw(p)
	if !ok || isNull(r.Protocol, b) {
		return nil, false
	}
	return b, true
}

func isNull(p Protocol, b []byte) bool {
	if len(b) == 0 {
		return true
	}
	switch p {
	case GpBinaryV16:
		return b[0] == 0x2a || b[0] == 0
	case GpBinaryV18:
		return b[0] == 8
	default:
		return b[0] == 'n'
	}
}

// Int returns an integer of any width.
func (r *Request) Int(p ParamCode) (v int64, ok bool, err error) {
	b, ok := r.value(p)
	if !ok {
		return 0, false, nil
	}
	if r.Protocol == JSON {
		v, ok = gpjson.ReadInt(b)
	} else {
		v, ok = gpbinary.ReadInt(gpbinary.Version(r.Protocol), b)
	}
	if !ok {
		return 0, false, BadParam(p, "is not an integer")
	}
	return v, true, nil
}

func (r *Request) intIn(p ParamCode, lo, hi int64) (int64, bool, error) {
	v, ok, err := r.Int(p)
	if err != nil || !ok {
		return 0, false, err
	}
	if v < lo || v > hi {
		return 0, false, BadParam(p, "is %d, not between %d and %d", v, lo, hi)
	}
	return v, true, nil
}

// Byte returns an integer that fits a byte.
func (r *Request) Byte(p ParamCode) (byte, bool, error) {
	v, ok, err := r.intIn(p, 0, math.MaxUint8)
	return byte(v), ok, err
}

// Int32 returns an integer that fits 32 bits.
func (r *Request) Int32(p ParamCode) (int32, bool, error) {
	v, ok, err := r.intIn(p, math.MinInt32, math.MaxInt32)
	return int32(v), ok, err
}

// Value decodes the parameter. ok is false when it is absent; a null is nil, true.
func (r *Request) Value(p ParamCode) (v any, ok bool, err error) {
	b, ok := r.Raw(p)
	if !ok {
		return nil, false, nil
	}
	v, err = Content{r.Protocol, b}.Value()
	if err != nil {
		return nil, false, BadParam(p, "can't be read: %v", err)
	}
	return v, true, nil
}

func typed[T any](r *Request, p ParamCode, what string) (v T, ok bool, err error) {
	x, ok, err := r.Value(p)
	if err != nil || !ok || x == nil {
		return v, false, err
	}
	if v, ok = x.(T); !ok {
		return v, false, BadParam(p, "is not a %s", what)
	}
	return v, true, nil
}

// Bool returns a bool.
func (r *Request) Bool(p ParamCode) (bool, bool, error) { return typed[bool](r, p, "bool") }

// String returns a string.
func (r *Request) String(p ParamCode) (string, bool, error) {
	if b, ok := r.Raw(p); ok && r.Protocol != JSON {
		if s, ok := gpbinary.ReadString(gpbinary.Version(r.Protocol), b); ok {
			return s, true, nil
		}
	}
	return typed[string](r, p, "string")
}

// Hashtable returns a table with string keys from JSON, any keys otherwise.
func (r *Request) Hashtable(p ParamCode) (*gpbinary.Hashtable, bool, error) {
	return typed[*gpbinary.Hashtable](r, p, "table")
}

// Bytes returns a byte array. JSON: an array of numbers 0-255.
func (r *Request) Bytes(p ParamCode) ([]byte, bool, error) {
	x, ok, err := r.Value(p)
	if err != nil || !ok || x == nil {
		return nil, false, err
	}
	switch v := x.(type) {
	case []byte:
		return v, true, nil
	case gpbinary.ObjectArray:
		out := make([]byte, len(v))
		for i, e := range v {
			n, ok := asInt(e)
			if !ok || n < 0 || n > math.MaxUint8 {
				return nil, false, BadParam(p, "has at index %d no number from 0 to 255", i)
			}
			out[i] = byte(n)
		}
		return out, true, nil
	}
	return nil, false, BadParam(p, "is not a byte array")
}

// Ints returns an int array. JSON: an array of numbers.
func (r *Request) Ints(p ParamCode) ([]int32, bool, error) {
	x, ok, err := r.Value(p)
	if err != nil || !ok || x == nil {
		return nil, false, err
	}
	switch v := x.(type) {
	case []int32:
		return v, true, nil
	case []byte:
		out := make([]int32, len(v))
		for i, e := range v {
			out[i] = int32(e)
		}
		return out, true, nil
	case []int16:
		out := make([]int32, len(v))
		for i, e := range v {
			out[i] = int32(e)
		}
		return out, true, nil
	case gpbinary.ObjectArray:
		out := make([]int32, len(v))
		for i, e := range v {
			n, ok := asInt(e)
			if !ok || n < math.MinInt32 || n > math.MaxInt32 {
				return nil, false, BadParam(p, "has at index %d no 32-bit number", i)
			}
			out[i] = int32(n)
		}
		return out, true, nil
	}
	return nil, false, BadParam(p, "is not an int array")
}

// Strings returns a string array. JSON, and object[]: an array of strings.
func (r *Request) Strings(p ParamCode) ([]string, bool, error) {
	x, ok, err := r.Value(p)
	if err != nil || !ok || x == nil {
		return nil, false, err
	}
	s, ok := AsStrings(x)
	if !ok {
		return nil, false, BadParam(p, "is not a string array")
	}
	return s, true, nil
}

// AsStrings reads a string[], or an object[] of strings.
func AsStrings(x any) ([]string, bool) {
	switch v := x.(type) {
	case []string:
		return v, true
	case gpbinary.ObjectArray:
		out := make([]string, len(v))
		for i, e := range v {
			s, ok := e.(string)
			if !ok {
				return nil, false
			}
			out[i] = s
		}
		return out, true
	}
	return nil, false
}

// AsInt reads an integer of any width, or a float with an integral value.
func AsInt(x any) (int64, bool) { return asInt(x) }

func asInt(x any) (int64, bool) {
	switch v := x.(type) {
	case uint8:
		return int64(v), true
	case int16:
		return int64(v), true
	case int32:
		return int64(v), true
	case int64:
		return v, true
	case float32:
		return integral(float64(v))
	case float64:
		return integral(v)
	}
	return 0, false
}

func integral(f float64) (int64, bool) {
	if f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, false
	}
	return int64(f), true
}

// WebFlags returns parameter 234: a byte, or the bool of older clients, for
// WebHTTPForward. Anything else is no flags (plugins.md 2.4).
func (r *Request) WebFlags() WebFlags {
	if n, ok, err := r.Byte(ParamWebFlags); err == nil && ok {
		return WebFlags(n)
	}
	if on, _, err := r.Bool(ParamWebFlags); err == nil && on {
		return WebHTTPForward
	}
	return 0
}

// Content returns the parameter undecoded, to be relayed. It aliases the message.
func (r *Request) Content(p ParamCode) (Content, bool) {
	b, ok := r.Raw(p)
	return Content{r.Protocol, b}, ok
}

// RoomProperties returns a table of room properties. From JSON, the well-known
// keys ("255") become byte keys and their values get the types that binary
// clients expect (websocket-json.md 4.5).
func (r *Request) RoomProperties(p ParamCode) (*gpbinary.Hashtable, bool, error) {
	t, ok, err := r.Hashtable(p)
	if err != nil || !ok || r.Protocol != JSON {
		return t, ok, err
	}
	return wellKnown(p, t, roomPropertyFromJSON)
}

// ActorProperties returns a table of actor properties, JSON keys converted as
// RoomProperties does.
func (r *Request) ActorProperties(p ParamCode) (*gpbinary.Hashtable, bool, error) {
	t, ok, err := r.Hashtable(p)
	if err != nil || !ok || r.Protocol != JSON {
		return t, ok, err
	}
	return wellKnown(p, t, actorPropertyFromJSON)
}

func wellKnown(p ParamCode, t *gpbinary.Hashtable, convert func(key string, v any) (byte, any, bool, bool)) (*gpbinary.Hashtable, bool, error) {
	out := gpbinary.NewHashtable()
	for _, pair := range t.Pairs() {
		if s, ok := pair.Key.(string); ok {
			key, v, known, valid := convert(s, pair.Value)
			if known && !valid {
				return nil, false, BadParam(p, "has a wrong type or range in property %s", s)
			}
			if known {
				out.Set(key, v)
				continue
			}
		}
		out.Set(pair.Key, pair.Value)
	}
	return out, true, nil
}

// roomPropertyFromJSON converts one well-known room property. MaxPlayers above
// 255 stays an int: the room reads both widths.
func roomPropertyFromJSON(key string, v any) (k byte, out any, known, valid bool) {
	switch key {
	case "255":
		n, ok := asInt(v)
		if !ok || n < 0 || n > math.MaxInt32 {
			return PropMaxPlayers, nil, true, v == nil
		}
		if n <= math.MaxUint8 {
			return PropMaxPlayers, byte(n), true, true
		}
		return PropMaxPlayers, int32(n), true, true
	case "254":
		_, ok := v.(bool)
		return PropIsVisible, v, true, ok || v == nil
	case "253":
		_, ok := v.(bool)
		return PropIsOpen, v, true, ok || v == nil
	case "250":
		return stringsFromJSON(PropPropsListedInLobby, v)
	case "247":
		return stringsFromJSON(PropExpectedUsers, v)
	case "248":
		return intFromJSON(PropMasterClientID, v)
	case "246":
		return intFromJSON(PropPlayerTTL, v)
	case "245":
		return intFromJSON(PropEmptyRoomTTL, v)
	}
	return 0, nil, false, false
}

func intFromJSON(key byte, v any) (byte, any, bool, bool) {
	if v == nil {
		return key, nil, true, true
	}
	n, ok := asInt(v)
	return key, int32(n), true, ok && n >= math.MinInt32 && n <= math.MaxInt32
}

func stringsFromJSON(key byte, v any) (byte, any, bool, bool) {
	if v == nil {
		return key, nil, true, true
	}
	s, ok := AsStrings(v)
	return key, s, true, ok
}

func actorPropertyFromJSON(key string, v any) (k byte, out any, known, valid bool) {
	switch key {
	case "255":
		_, ok := v.(string)
		return ActorPropNickName, v, true, ok || v == nil
	case "254":
		return ActorPropIsInactive, v, true, true
	case "253":
		return ActorPropUserID, v, true, true
	}
	return 0, nil, false, false
}
