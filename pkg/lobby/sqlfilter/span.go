package sqlfilter

// Bound is one end of a Span.
type Bound struct {
	Value Value // NULL: no end
	// Outside says that the value itself is not within.
	Outside bool
}

// Span is a range of one column's values, in the order of Compare. NULL is in no span.
type Span struct {
	Column    int
	Low, High Bound
}

// Compare orders two values that are not NULL, as filters do: numbers before
// strings.
func Compare(a, b Value) int { return compare(a, b) }

// Spans returns spans of which every matching row is in at least one, if the
// filter gives any, and how many rows they have together as count says. Of
// several possibilities it takes the one with the fewest rows. No spans and ok:
// nothing can match.
func (f *Filter) Spans(count func(Span) int) (spans []Span, rows int, ok bool) {
	return f.root.spans(count)
}

func (n *node) spans(count func(Span) int) (spans []Span, rows int, ok bool) {
	switch n.op {
	case opAnd:
		return n.andSpans(count)
	case opOr:
		for i := range n.args {
			s, r, ok := n.args[i].spans(count)
			if !ok {
				return nil, 0, false
			}
			spans, rows = append(spans, s...), rows+r
		}
		return spans, rows, true
	case opIn:
		if n.args[0].op != opColumn {
			return nil, 0, false
		}
		for i := range n.args[1:] {
			v := &n.args[1+i]
			if v.op != opLiteral {
				return nil, 0, false
			}
			if v.value.kind != Null {
				s := Span{n.args[0].column, Bound{Value: v.value}, Bound{Value: v.value}}
				spans, rows = append(spans, s), rows+count(s)
			}
		}
		return spans, rows, true
	}
	s, possible, ok := n.span()
	if !ok || !possible {
		return nil, 0, ok
	}
	return []Span{s}, count(s), true
}

// andSpans takes what bounds one column together, and then the operand or
// column that leaves the fewest rows.
func (n *node) andSpans(count func(Span) int) (spans []Span, rows int, ok bool) {
	var columns [Columns]*Span
	take := func(s []Span, r int) {
		if !ok || r < rows {
			spans, rows, ok = s, r, true
		}
	}
	for i := range n.args {
		s, possible, simple := n.args[i].span()
		switch {
		case simple && !possible:
			return nil, 0, true
		case !simple:
			if s, r, ok := n.args[i].spans(count); ok {
				take(s, r)
			}
		case columns[s.Column] == nil:
			columns[s.Column] = &s
		default:
			columns[s.Column].meet(s)
		}
	}
	for _, s := range columns {
		if s != nil {
			take([]Span{*s}, count(*s))
		}
	}
	return spans, rows, ok
}

// meet leaves what both spans have.
func (s *Span) meet(o Span) {
	if s.Low.Value.kind == Null || o.Low.Value.kind != Null && tighter(o.Low, s.Low, +1) {
		s.Low = o.Low
	}
	if s.High.Value.kind == Null || o.High.Value.kind != Null && tighter(o.High, s.High, -1) {
		s.High = o.High
	}
}

// tighter compares two bounds; up is +1 for lower ones, -1 for upper ones.
func tighter(a, b Bound, up int) bool {
	c := up * compare(a.Value, b.Value)
	return c > 0 || c == 0 && a.Outside
}

// span returns the span of a comparison of a column with a literal. Not
// possible: such a row does not exist, for the literal is NULL.
func (n *node) span() (s Span, possible, ok bool) {
	if n.op == opBetween {
		col, low, high := &n.args[0], &n.args[1], &n.args[2]
		if col.op != opColumn || low.op != opLiteral || high.op != opLiteral {
			return s, false, false
		}
		s = Span{col.column, Bound{Value: low.value}, Bound{Value: high.value}}
		return s, low.value.kind != Null && high.value.kind != Null, true
	}
	op := n.op
	if op < opEq || op > opGe || op == opNe {
		return s, false, false
	}
	col, lit := &n.args[0], &n.args[1]
	if col.op != opColumn {
		col, lit = lit, col
		op = mirrored(op)
	}
	if col.op != opColumn || lit.op != opLiteral {
		return s, false, false
	}
	s.Column = col.column
	switch v := lit.value; op {
	case opEq:
		s.Low, s.High = Bound{Value: v}, Bound{Value: v}
	case opLt, opLe:
		s.High = Bound{v, op == opLt}
	default:
		s.Low = Bound{v, op == opGt}
	}
	return s, lit.value.kind != Null, true
}

// mirrored is the operator with its sides exchanged.
func mirrored(o op) op {
	switch o {
	case opLt:
		return opGt
	case opLe:
		return opGe
	case opGt:
		return opLt
	case opGe:
		return opLe
	}
	return o
}
