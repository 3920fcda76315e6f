package sqlfilter

import (
	"bytes"
	"math"
	"math/bits"
	"strconv"
	"unsafe"
)

type op uint8

const (
	opLiteral op = iota
	opColumn
	opOr
	opAnd
	opNot
	opEq
	opNe
	opLt
	opLe
	opGt
	opGe
	opIs
	opIsNot
	opBetween // value, low, high
	opIn      // value, then the list
	opLike    // text, pattern
	opGlob
	opAdd
	opSub
	opMul
	opDiv
	opMod
	opBitAnd
	opBitOr
	opShiftLeft
	opShiftRight
	opBitNot
	opNegate
	opConcat
	opAbs
)

// node is an expression.
type node struct {
	op     op
	column int
	depth  int
	value  Value
	args   []node
}

// Matcher carries the work of one search over many rows. It may not be used by
// two goroutines at a time.
type Matcher struct {
	// Budget is how many steps the search may still take: one per node
	// evaluated, and one per byte that LIKE, GLOB and || look at.
	Budget int

	buf []byte // texts made of numbers and joined strings, of the present row
}

// Exhausted says that the budget is used up; the last answers may be wrong.
func (m *Matcher) Exhausted() bool { return m.Budget < 0 }

// Match says whether the row meets the filter. False and NULL do not.
func (f *Filter) Match(m *Matcher, row *Row) bool {
	m.buf = m.buf[:0]
	return truth(f.root.eval(m, row)) == yes && !m.Exhausted()
}

// ternary is SQL's logic; the order makes AND the minimum and OR the maximum.
type ternary uint8

const (
	no ternary = iota
	unknown
	yes
)

func truth(v Value) ternary {
	switch v.kind {
	case Null:
		return unknown
	case Int:
		if v.n != 0 {
			return yes
		}
	default:
		if v.float() != 0 {
			return yes
		}
	}
	return no
}

func (t ternary) value() Value {
	if t == unknown {
		return Value{}
	}
	return boolValue(t == yes)
}

func (n *node) eval(m *Matcher, row *Row) Value {
	m.Budget--
	if m.Budget < 0 {
		return Value{}
	}
	switch n.op {
	case opLiteral:
		return n.value
	case opColumn:
		return row[n.column]
	case opAnd:
		t := yes
		for i := range n.args {
			if t = min(t, truth(n.args[i].eval(m, row))); t == no {
				break
			}
		}
		return t.value()
	case opOr:
		t := no
		for i := range n.args {
			if t = max(t, truth(n.args[i].eval(m, row))); t == yes {
				break
			}
		}
		return t.value()
	case opNot:
		return (yes - truth(n.args[0].eval(m, row))).value()
	}
	a := n.args[0].eval(m, row)
	switch n.op {
	case opIn:
		return n.evalIn(m, row, a)
	case opBitNot:
		if a.kind == Null {
			return a
		}
		return IntValue(^a.integer())
	case opNegate:
		return arithmetic(opSub, IntValue(0), a)
	case opAbs:
		return abs(a)
	}
	b := n.args[1].eval(m, row)
	switch n.op {
	case opIs:
		return boolValue(same(a, b))
	case opIsNot:
		return boolValue(!same(a, b))
	case opBetween:
		c := n.args[2].eval(m, row)
		low, high := unknown, unknown
		if a.kind != Null && b.kind != Null {
			low = ternaryOf(compare(a, b) >= 0)
		}
		if a.kind != Null && c.kind != Null {
			high = ternaryOf(compare(a, c) <= 0)
		}
		return min(low, high).value()
	}
	if a.kind == Null || b.kind == Null {
		return Value{}
	}
	switch n.op {
	case opEq:
		return boolValue(compare(a, b) == 0)
	case opNe:
		return boolValue(compare(a, b) != 0)
	case opLt:
		return boolValue(compare(a, b) < 0)
	case opLe:
		return boolValue(compare(a, b) <= 0)
	case opGt:
		return boolValue(compare(a, b) > 0)
	case opGe:
		return boolValue(compare(a, b) >= 0)
	case opLike:
		return boolValue(like(m, m.text(b), m.text(a)))
	case opGlob:
		return boolValue(glob(m, m.text(b), m.text(a)))
	case opConcat:
		return m.concat(m.text(a), m.text(b))
	case opBitAnd:
		return IntValue(a.integer() & b.integer())
	case opBitOr:
		return IntValue(a.integer() | b.integer())
	case opShiftLeft:
		return IntValue(shift(a.integer(), b.integer()))
	case opShiftRight:
		count := b.integer()
		if count == math.MinInt64 {
			count++ // its negative does not exist; shifts this far are all alike
		}
		return IntValue(shift(a.integer(), -count))
	default:
		return arithmetic(n.op, a, b)
	}
}

func ternaryOf(b bool) ternary {
	if b {
		return yes
	}
	return no
}

// same is equality under which NULL equals NULL.
func same(a, b Value) bool {
	if a.kind == Null || b.kind == Null {
		return a.kind == b.kind
	}
	return compare(a, b) == 0
}

func (n *node) evalIn(m *Matcher, row *Row, a Value) Value {
	if a.kind == Null {
		return a
	}
	t := no
	for i := 1; i < len(n.args); i++ {
		b := n.args[i].eval(m, row)
		if b.kind == Null {
			t = unknown
		} else if compare(a, b) == 0 {
			return boolValue(true)
		}
	}
	return t.value()
}

func abs(v Value) Value {
	switch v.kind {
	case Null:
		return v
	case Int:
		n := v.Int()
		if n == math.MinInt64 {
			return Value{} // SQLite: an error, which excludes the room as well
		}
		return IntValue(max(n, -n))
	default:
		return realValue(math.Abs(v.float()))
	}
}

// shift shifts left by count, right for a negative one.
func shift(n, count int64) int64 {
	switch {
	case count >= 64:
		return 0
	case count >= 0:
		return n << count
	case count <= -64:
		return n >> 63
	default:
		return n >> -count
	}
}

// arithmetic computes with integers where both are, unless the result does not
// fit; division by zero is NULL.
func arithmetic(op op, a, b Value) Value {
	if a.kind == Null || b.kind == Null {
		return Value{}
	}
	a, b = a.number(), b.number()
	integers := a.kind == Int && b.kind == Int
	if op == opMod {
		return remainder(a.integer(), b.integer(), integers)
	}
	if integers {
		if v, ok := integerArithmetic(op, a.Int(), b.Int()); ok {
			return v
		}
	}
	x, y := a.float(), b.float()
	switch op {
	case opAdd:
		return realValue(x + y)
	case opSub:
		return realValue(x - y)
	case opMul:
		return realValue(x * y)
	default:
		if y == 0 {
			return Value{}
		}
		return realValue(x / y)
	}
}

// remainder cuts fractions off first, and gives a float back to floats.
func remainder(x, y int64, integers bool) Value {
	var n int64
	switch y {
	case 0:
		return Value{}
	case -1: // x % y would overflow for the smallest integer
	default:
		n = x % y
	}
	if !integers {
		return realValue(float64(n))
	}
	return IntValue(n)
}

func integerArithmetic(op op, x, y int64) (Value, bool) {
	var n int64
	switch op {
	case opAdd:
		n = x + y
		if (n > x) != (y > 0) && y != 0 {
			return Value{}, false
		}
	case opSub:
		n = x - y
		if (n < x) != (y > 0) && y != 0 {
			return Value{}, false
		}
	case opMul:
		hi, lo := bits.Mul64(magnitude(x), magnitude(y))
		negative := (x < 0) != (y < 0)
		if hi != 0 || lo > 1<<63 || lo == 1<<63 && !negative {
			return Value{}, false
		}
		n = x * y
	default:
		if y == 0 {
			return Value{}, true
		}
		if x == math.MinInt64 && y == -1 {
			return Value{}, false
		}
		n = x / y
	}
	return IntValue(n), true
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

// text returns the text of a number or string, valid until the next row.
func (m *Matcher) text(v Value) string {
	start := len(m.buf)
	switch v.kind {
	case Text:
		return v.s
	case Int:
		m.buf = strconv.AppendInt(m.buf, v.Int(), 10)
	default:
		f := v.real()
		var digits [32]byte
		mantissa, exponent := strconv.AppendFloat(digits[:0], f, 'g', 15, 64), []byte(nil)
		if i := bytes.IndexByte(mantissa, 'e'); i >= 0 {
			mantissa, exponent = mantissa[:i], mantissa[i:]
		}
		m.buf = append(m.buf, mantissa...)
		if !math.IsInf(f, 0) && bytes.IndexByte(mantissa, '.') < 0 {
			m.buf = append(m.buf, ".0"...)
		}
		m.buf = append(m.buf, exponent...)
	}
	return m.scratch(start)
}

func (m *Matcher) concat(a, b string) Value {
	m.Budget -= len(a) + len(b)
	if len(a)+len(b) > MaxText || m.Budget < 0 {
		return Value{}
	}
	start := len(m.buf)
	m.buf = append(append(m.buf, a...), b...)
	return Value{kind: Text, s: m.scratch(start)}
}

// scratch returns what was appended since start as a string without a copy:
// the buffer only grows while a row is looked at, so these bytes stay as they are.
func (m *Matcher) scratch(start int) string {
	b := m.buf[start:]
	return unsafe.String(unsafe.SliceData(b), len(b))
}
