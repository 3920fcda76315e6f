package sqlfilter

import "math"

// Limits of one filter text.
const (
	MaxLength = 8192 // bytes, of a whole chain
	MaxDepth  = 100  // of nesting, and of the expression's tree
	MaxChain  = 3    // filters in a chain
)

// Filter is a compiled filter. It is immutable.
type Filter struct {
	root node
}

// Equality is a condition Column = Value that every matching row meets.
type Equality struct {
	Column int
	Value  Value // Int or Text
}

// Parse compiles a single filter. Its errors are *SyntaxError.
func Parse(text string) (*Filter, error) {
	chain, err := ParseChain(text)
	if err != nil {
		return nil, err
	}
	if len(chain) != 1 {
		return nil, errorAt(0, "%d filters, only one is allowed here", len(chain))
	}
	return chain[0], nil
}

// ParseChain compiles up to MaxChain filters that are separated by semicolons;
// one more semicolon may stand at the end (loadbalancing-matchmaking.md 5.3).
// Its errors are *SyntaxError.
func ParseChain(text string) ([]*Filter, error) {
	if len(text) > MaxLength {
		return nil, errorAt(MaxLength, "text of %d bytes, at most %d", len(text), MaxLength)
	}
	p := parser{text: text}
	p.next()
	var chain []*Filter
	for {
		if len(chain) == MaxChain {
			return nil, errorAt(p.tok.pos, "more than %d filters", MaxChain)
		}
		f := &Filter{root: p.or()}
		if p.err != nil {
			return nil, p.err
		}
		chain = append(chain, f)
		if p.tok.kind == tokenEnd {
			return chain, nil
		}
		if !p.symbol(";") {
			return nil, p.unexpected("an operator")
		}
		if p.err != nil {
			return nil, p.err
		}
		if p.tok.kind == tokenEnd {
			return chain, nil
		}
	}
}

// Equalities returns the conditions of the form column = literal that stand at
// the filter's top, joined by AND: what an index can be asked for.
func (f *Filter) Equalities() []Equality {
	var out []Equality
	add := func(n *node) {
		if n.op != opEq {
			return
		}
		col, lit := &n.args[0], &n.args[1]
		if col.op != opColumn {
			col, lit = lit, col
		}
		if col.op == opColumn && lit.op == opLiteral && (lit.value.kind == Int || lit.value.kind == Text) {
			out = append(out, Equality{col.column, lit.value})
		}
	}
	if f.root.op == opAnd {
		for i := range f.root.args {
			add(&f.root.args[i])
		}
	} else {
		add(&f.root)
	}
	return out
}

// parser is a recursive descent with one token of look-ahead. After an error
// it sees the end everywhere, so that all of its loops finish.
//
// Operators bind as in SQLite, the tightest last:
//
//	OR; AND; NOT; = == != <> IS IN LIKE GLOB BETWEEN; < <= > >=; & | << >>; + -; * / %; ||; unary - + ~
type parser struct {
	text  string
	i     int
	tok   token
	depth int
	err   error
}

func (p *parser) next() {
	if p.err != nil {
		return
	}
	t, i, err := lex(p.text, p.i)
	if err != nil {
		p.fail(err)
		return
	}
	p.tok, p.i = t, i
}

func (p *parser) fail(err error) {
	if p.err == nil {
		p.err = err
	}
	p.tok = token{kind: tokenEnd, pos: p.tok.pos}
}

func (p *parser) unexpected(want string) error {
	return errorAt(p.tok.pos, "%s, expected %s", p.tok, want)
}

// symbol and word consume the token if it is s.
func (p *parser) symbol(s string) bool {
	if p.tok.kind != tokenSymbol || p.tok.text != s {
		return false
	}
	p.next()
	return true
}

func (p *parser) word(s string) bool {
	if p.tok.kind != tokenWord || p.tok.text != s {
		return false
	}
	p.next()
	return true
}

func (p *parser) expectSymbol(s string) {
	if !p.symbol(s) {
		p.fail(p.unexpected(s))
	}
}

// nested runs parse one level deeper.
func (p *parser) nested(parse func() node) node {
	if p.depth == MaxDepth {
		p.fail(errorAt(p.tok.pos, "nested deeper than %d", MaxDepth))
		return node{}
	}
	p.depth++
	n := parse()
	p.depth--
	return n
}

// make builds a node and keeps the tree's depth within bounds: a long sum is a
// deep tree although nothing in it is nested.
func (p *parser) make(op op, args ...node) node {
	n := node{op: op, args: args}
	for i := range args {
		n.depth = max(n.depth, args[i].depth+1)
	}
	if n.depth > MaxDepth {
		p.fail(errorAt(p.tok.pos, "expression deeper than %d", MaxDepth))
	}
	return n
}

func (p *parser) or() node  { return p.list(opOr, "OR", p.and) }
func (p *parser) and() node { return p.list(opAnd, "AND", p.not) }

func (p *parser) list(op op, word string, operand func() node) node {
	first := operand()
	if p.tok.kind != tokenWord || p.tok.text != word {
		return first
	}
	args := []node{first}
	for p.word(word) {
		args = append(args, operand())
	}
	return p.make(op, args...)
}

func (p *parser) not() node {
	if p.word("NOT") {
		return p.make(opNot, p.nested(p.not))
	}
	return p.equality()
}

func (p *parser) equality() node {
	n := p.relation()
	for {
		switch {
		case p.symbol("="), p.symbol("=="):
			n = p.make(opEq, n, p.relation())
		case p.symbol("!="), p.symbol("<>"):
			n = p.make(opNe, n, p.relation())
		case p.word("ISNULL"):
			n = p.make(opIs, n, node{op: opLiteral})
		case p.word("NOTNULL"):
			n = p.make(opIsNot, n, node{op: opLiteral})
		case p.word("IS"):
			op := opIs
			if p.word("NOT") {
				op = opIsNot
			}
			n = p.make(op, n, p.relation())
		case p.word("NOT"):
			if p.word("NULL") {
				n = p.make(opIsNot, n, node{op: opLiteral})
				continue
			}
			test, ok := p.test(n)
			if !ok {
				p.fail(p.unexpected("BETWEEN, IN, LIKE or GLOB"))
				return node{}
			}
			n = p.make(opNot, test)
		default:
			test, ok := p.test(n)
			if !ok {
				return n
			}
			n = test
		}
	}
}

// test parses the tests that NOT may stand before.
func (p *parser) test(n node) (node, bool) {
	switch {
	case p.word("BETWEEN"):
		low := p.nested(p.equality)
		if !p.word("AND") {
			p.fail(p.unexpected("AND"))
			return node{}, true
		}
		return p.make(opBetween, n, low, p.relation()), true
	case p.word("IN"):
		p.expectSymbol("(")
		args := []node{n, p.nested(p.or)}
		for p.symbol(",") {
			args = append(args, p.nested(p.or))
		}
		p.expectSymbol(")")
		return p.make(opIn, args...), true
	case p.word("LIKE"):
		return p.make(opLike, n, p.relation()), true
	case p.word("GLOB"):
		return p.make(opGlob, n, p.relation()), true
	}
	return node{}, false
}

// level is one level of left-associative operators.
func (p *parser) level(operand func() node, ops map[string]op) node {
	n := operand()
	for p.tok.kind == tokenSymbol {
		op, ok := ops[p.tok.text]
		if !ok {
			break
		}
		p.next()
		n = p.make(op, n, operand())
	}
	return n
}

var (
	relationOps = map[string]op{"<": opLt, "<=": opLe, ">": opGt, ">=": opGe}
	bitOps      = map[string]op{"&": opBitAnd, "|": opBitOr, "<<": opShiftLeft, ">>": opShiftRight}
	sumOps      = map[string]op{"+": opAdd, "-": opSub}
	termOps     = map[string]op{"*": opMul, "/": opDiv, "%": opMod}
	concatOps   = map[string]op{"||": opConcat}
)

func (p *parser) relation() node { return p.level(p.bits, relationOps) }
func (p *parser) bits() node     { return p.level(p.sum, bitOps) }
func (p *parser) sum() node      { return p.level(p.term, sumOps) }
func (p *parser) term() node     { return p.level(p.concat, termOps) }
func (p *parser) concat() node   { return p.level(p.unary, concatOps) }

func (p *parser) unary() node {
	switch {
	case p.symbol("-"):
		if p.tok.kind == tokenLiteral && p.tok.text == "9223372036854775808" {
			p.next()
			return node{op: opLiteral, value: IntValue(math.MinInt64)}
		}
		if p.tok.kind == tokenLiteral && p.tok.value.kind == Int {
			// Folded, so that indexes see negative literals.
			v := IntValue(-p.tok.value.Int())
			p.next()
			return node{op: opLiteral, value: v}
		}
		return p.make(opNegate, p.nested(p.unary))
	case p.symbol("+"):
		return p.nested(p.unary)
	case p.symbol("~"):
		return p.make(opBitNot, p.nested(p.unary))
	}
	return p.primary()
}

func (p *parser) primary() node {
	t := p.tok
	switch {
	case t.kind == tokenLiteral:
		p.next()
		return node{op: opLiteral, value: t.value}
	case p.symbol("("):
		n := p.nested(p.or)
		p.expectSymbol(")")
		return n
	case t.kind == tokenWord && len(t.text) == 2 && t.text[0] == 'C' && isDigit(t.text[1]):
		p.next()
		return node{op: opColumn, column: int(t.text[1] - '0')}
	case p.word("NULL"):
		return node{op: opLiteral}
	case p.word("ABS"):
		p.expectSymbol("(")
		n := p.nested(p.or)
		p.expectSymbol(")")
		return p.make(opAbs, n)
	}
	p.fail(p.unexpected("a value or a column C0 to C9"))
	return node{}
}
