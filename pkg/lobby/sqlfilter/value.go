// Package sqlfilter parses and evaluates the filters of SQL lobbies: the
// condition of an SQLite WHERE clause over the ten columns C0 to C9
// (loadbalancing-matchmaking.md 5).
//
// It knows neither rooms nor lobbies: text and rows in, yes or no out. Filters
// come from clients, so length, depth, chain and the work of one search are
// bounded. Evaluation allocates nothing per row, apart from a scratch buffer
// that a Matcher keeps.
package sqlfilter

import (
	"cmp"
	"math"
	"strconv"
	"strings"
)

// Columns is the number of columns that filters can name.
const Columns = 10

// MaxText is the length in bytes up to which a string may be in a column, and
// up to which a filter's || may join strings. Longer ones are NULL.
const MaxText = 1024

// Kind is the type of a Value.
type Kind uint8

// Kinds in SQLite's sort order; Int and Real are one class.
const (
	Null Kind = iota
	Int
	Real
	Text
)

// Value is one SQL value. The zero Value is NULL.
type Value struct {
	s    string
	n    uint64 // Int: the integer; Real: the float's bits
	kind Kind
}

// Row is a room's columns.
type Row [Columns]Value

// IntValue returns an integer.
func IntValue(n int64) Value { return Value{kind: Int, n: uint64(n)} }

// TextValue returns a string, or NULL for one longer than MaxText.
func TextValue(s string) Value {
	if len(s) > MaxText {
		return Value{}
	}
	return Value{kind: Text, s: s}
}

// realValue returns a float. As in SQLite, NaN is NULL and zero has no sign.
func realValue(f float64) Value {
	if f != f {
		return Value{}
	}
	if f == 0 {
		f = 0
	}
	return Value{kind: Real, n: math.Float64bits(f)}
}

func boolValue(b bool) Value {
	if b {
		return IntValue(1)
	}
	return IntValue(0)
}

// Kind returns the value's type.
func (v Value) Kind() Kind { return v.kind }

// Int returns the number of an Int.
func (v Value) Int() int64 { return int64(v.n) }

// Text returns the string of a Text.
func (v Value) Text() string { return v.s }

func (v Value) real() float64 { return math.Float64frombits(v.n) }

// compare orders two values that are not NULL: numbers by value before
// strings, strings by their bytes.
func compare(a, b Value) int {
	switch {
	case a.kind == Text && b.kind == Text:
		return strings.Compare(a.s, b.s)
	case a.kind == Text:
		return 1
	case b.kind == Text:
		return -1
	case a.kind == Int && b.kind == Int:
		return cmp.Compare(a.Int(), b.Int())
	case a.kind == Real && b.kind == Real:
		return cmp.Compare(a.real(), b.real())
	case a.kind == Int:
		return compareIntReal(a.Int(), b.real())
	default:
		return -compareIntReal(b.Int(), a.real())
	}
}

// compareIntReal compares without rounding the integer to a float first.
func compareIntReal(i int64, f float64) int {
	if f >= 1<<63 {
		return -1
	}
	if f < -1<<63 {
		return 1
	}
	whole := int64(f)
	if i != whole {
		return cmp.Compare(i, whole)
	}
	return cmp.Compare(0, f-float64(whole))
}

// number converts for arithmetic: a string counts as the number that it begins
// with, or 0.
func (v Value) number() Value {
	if v.kind != Text {
		return v
	}
	digits, integral := numberPrefix(v.s)
	if integral {
		if n, err := strconv.ParseInt(digits, 10, 64); err == nil {
			return IntValue(n)
		}
	}
	f, err := strconv.ParseFloat(digits, 64)
	if err != nil && f == 0 {
		return IntValue(0)
	}
	return realValue(f)
}

// float converts a number or string to a float.
func (v Value) float() float64 {
	v = v.number()
	if v.kind == Int {
		return float64(v.Int())
	}
	return v.real()
}

// integer converts for bit operators and %: towards zero, saturating. A string
// counts as the integer that it begins with.
func (v Value) integer() int64 {
	switch v.kind {
	case Int:
		return v.Int()
	case Text:
		digits, _ := numberPrefix(v.s)
		if i := strings.IndexAny(digits, ".eE"); i >= 0 {
			digits = digits[:i]
		}
		n, _ := strconv.ParseInt(digits, 10, 64) // out of range: the nearest
		return n
	}
	f := v.real()
	switch {
	case f >= 1<<63:
		return math.MaxInt64
	case f < -1<<63:
		return math.MinInt64
	}
	return int64(f)
}

// numberPrefix returns the longest beginning of s that reads as a number,
// without white space before it; integral says that it has neither point nor
// exponent. An empty result is no number.
func numberPrefix(s string) (prefix string, integral bool) {
	s = strings.TrimLeft(s, " \t\n\r\v\f")
	i := 0
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		i++
	}
	start := i
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	digits, end := i-start, i
	integral = true
	if i < len(s) && s[i] == '.' {
		j := i + 1
		for j < len(s) && isDigit(s[j]) {
			j++
		}
		if digits += j - i - 1; digits > 0 {
			i, end, integral = j, j, false
		}
	}
	if digits == 0 {
		return "", false
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		j := i + 1
		if j < len(s) && (s[j] == '-' || s[j] == '+') {
			j++
		}
		if j < len(s) && isDigit(s[j]) {
			for j < len(s) && isDigit(s[j]) {
				j++
			}
			end, integral = j, false
		}
	}
	return s[:end], integral
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
