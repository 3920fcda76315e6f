package sqlfilter

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

var (
	roomA = Row{0: IntValue(400), 1: TextValue("Map2")}
	roomB = Row{0: IntValue(460), 1: TextValue("Map1")}
	roomC = Row{0: IntValue(346), 1: TextValue("Map3")}
	roomD = Row{0: IntValue(475), 1: TextValue("Map2")}
	roomE = Row{0: IntValue(400)}
)

// selected names the fixture's rooms that a filter selects.
func selected(t *testing.T, text string) string {
	t.Helper()
	f, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	var names []byte
	m := Matcher{Budget: 10000}
	for i, row := range []*Row{&roomA, &roomB, &roomC, &roomD, &roomE} {
		if f.Match(&m, row) {
			names = append(names, byte('A'+i))
		}
	}
	return string(names)
}

func TestSelect(t *testing.T) {
	for _, c := range []struct{ filter, want string }{
		// LB-125: the documented examples.
		{"C0 BETWEEN 345 AND 475 AND C1 = 'Map2'", "AD"},
		{`C0 > 345 AND C0 < 475 AND (C1 = 'Map2' OR C1 = "Map3")`, "AC"},
		{"C0 >= 345 AND C0 <= 475 AND C1 IN ('Map1', 'Map2', 'Map3')", "ABCD"},
		{"c0 = 400", "AE"}, // LB-126
		// LB-128: an excluded word within a string is text.
		{"C1 <> 'updated'", "ABCD"},
		{"C1 = 'x' OR C1 = 'drop table' OR C0 = 346", "C"},
		// LB-131
		{"C1 <> 'a'", "ABCD"},
		{"C1 IS NULL", "E"},
		{"C1 ISNULL", "E"},
		{"C1 NOT NULL", "ABCD"},
		{"NOT (C1 = 'Map2')", "BC"},
		{"C1 NOT IN ('Map2')", "BC"},
		{"C1 = NULL", ""},
		{"C1 = 'Map2' OR C0 = 400", "ADE"},
		// Numbers come before texts, whatever they look like.
		{"C1 > 1000", "ABCD"},
		{"C0 = '400'", ""},
		{"C1 LIKE 'mAP_'", "ABCD"},
		{"C1 GLOB 'map*'", ""},
		{"C1 GLOB 'Map[13]'", "BC"},
		{"NOT C0 - 400", "AE"},
		{"C0 % 2 = 0 and not c1 || '' = 'Map2'", "BC"},
	} {
		if got := selected(t, c.filter); got != c.want {
			t.Errorf("%s selects %q, want %q", c.filter, got, c.want)
		}
	}
}

func TestSyntaxErrors(t *testing.T) {
	for _, c := range []struct {
		filter string
		pos    int
	}{
		{"", 0},
		{"   ", 3},
		{"C0 =", 4},
		{"C0 = 1 C1", 7},
		{"C10 = 1", 0},   // LB-129
		{"C = 1", 0},     //
		{"lobby = 1", 0}, //
		{"C0 IN ()", 7},  // LB-129: empty parentheses
		{"()", 1},        //
		{"(C0 = 1", 7},
		{"C0 = 1)", 6},
		{"C0 = 'a", 5},
		{`C0 = "a`, 5},
		{"C0 NOT 1", 7},
		{"C0 BETWEEN 1", 12},
		{"C0 BETWEEN 1 OR 2", 13},
		{"C0 = 1;;C0 = 2", 7},
		{";", 0},
		{"C0 = 1x", 6},
		{"C0 = 0x10", 6},
		{"C0 = 1.2.3", 8},
		{"C0 = 1 -- x", 7},
		{"C0 = 1 /* x */", 7},
		{"C0 = ?", 5},
		{"C0 = é", 5},
		{"abs C0", 4},
		{"length(C1) = 1", 0},
		{"C0 = 1;C0=2;C0=3;C0=4", 17}, // LB-127
		{"C0 = '" + strings.Repeat("x", 2000), 5},     // without end
		{"C0='" + strings.Repeat("x", 2000) + "'", 3}, // too long
		{strings.Repeat("(", 5000), MaxDepth + 1},
		{"C0=" + strings.Repeat("-", 1) + strings.Repeat(" -", 3000), 5 + 2*MaxDepth},
	} {
		_, err := ParseChain(c.filter)
		var syntax *SyntaxError
		if !errors.As(err, &syntax) {
			t.Errorf("%.40q: error %v", c.filter, err)
		} else if syntax.Pos != c.pos {
			t.Errorf("%.40q: %v, want offset %d", c.filter, err, c.pos)
		}
	}
	// Deep without nesting, and long.
	if _, err := Parse("C0 = 1" + strings.Repeat("+1", 1000)); err == nil {
		t.Error("a sum of 1000 terms was accepted")
	}
	if _, err := Parse(strings.Repeat("C0 = 1 OR ", 800) + "C0 = 2"); err != nil {
		t.Errorf("a chain of 800 conditions: %v", err)
	}
	if _, err := Parse(strings.Repeat(" ", MaxLength) + "1"); err == nil {
		t.Error("a text that is too long was accepted")
	}
}

// LB-128
func TestExcludedWords(t *testing.T) {
	for _, word := range []string{
		"ALTER", "CREATE", "DELETE", "DROP", "EXEC", "EXECUTE", "INSERT", "INSERT INTO", "MERGE", "SELECT", "UPDATE",
		"UNION", "UNION ALL", "select", "Drop",
	} {
		for _, text := range []string{word, "C0 = 1 OR " + word, "C0 = 1; " + word + " x"} {
			if _, err := ParseChain(text); err == nil || !strings.Contains(err.Error(), "not allowed") {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
}

// LB-127
func TestChain(t *testing.T) {
	chain, err := ParseChain("C0=1;C1='a;b';C0=3;")
	if err != nil || len(chain) != 3 {
		t.Fatalf("%d filters, %v", len(chain), err)
	}
	if _, err := Parse("C0=1;C0=2"); err == nil {
		t.Error("Parse accepted a chain")
	}
}

func TestEqualities(t *testing.T) {
	for _, c := range []struct{ filter, want string }{
		{"C0 = 400 AND 'Map2' = c1 AND C3 > 5", "[{0 {400}} {1 {Map2}}]"},
		{"C0 = -5", "[{0 {-5}}]"},
		{"C0 = 1 OR C1 = 2", "[]"},
		{"NOT C0 = 1", "[]"},
		{"C0 = 1.5", "[]"},
		{"C0 = NULL", "[]"},
		{"C0 = C1", "[]"},
	} {
		f, err := Parse(c.filter)
		if err != nil {
			t.Fatal(err)
		}
		parts := []string{}
		for _, e := range f.Equalities() {
			parts = append(parts, fmt.Sprintf("{%d {%s}}", e.Column, (&Matcher{}).text(e.Value)))
		}
		if got := "[" + strings.Join(parts, " ") + "]"; got != c.want {
			t.Errorf("%s: %s, want %s", c.filter, got, c.want)
		}
	}
}

// A pattern made to be slow stops at the budget and selects nothing.
func TestBudget(t *testing.T) {
	f, err := Parse("C0 LIKE '" + strings.Repeat("%a", 400) + "%b'")
	if err != nil {
		t.Fatal(err)
	}
	row := Row{0: TextValue(strings.Repeat("a", MaxText))}
	m := Matcher{Budget: 1000}
	if f.Match(&m, &row) || !m.Exhausted() {
		t.Error("not stopped")
	}
	m = Matcher{Budget: 1 << 30}
	if f.Match(&m, &row) || m.Exhausted() {
		t.Error("matched, or ran without end")
	}
}

func TestTooLongTextIsNull(t *testing.T) {
	if v := TextValue(strings.Repeat("x", MaxText+1)); v.Kind() != Null {
		t.Error("stored")
	}
	f, _ := Parse("C0 || C0 || C0 IS NULL")
	row := Row{0: TextValue(strings.Repeat("x", MaxText/2))}
	if m := (Matcher{Budget: 1 << 20}); !f.Match(&m, &row) {
		t.Error("joined beyond the limit")
	}
}

func TestMatchDoesNotAllocate(t *testing.T) {
	f, err := Parse("C0 + 1 > 5 AND C1 LIKE 'map%' AND C0 || C1 <> 'x' AND C0 IN (1, 2, 400) OR abs(C0) LIKE '%5'")
	if err != nil {
		t.Fatal(err)
	}
	var m Matcher
	if n := testing.AllocsPerRun(100, func() {
		m.Budget = 1000
		if !f.Match(&m, &roomA) {
			t.Error("no match")
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// LB-129: random filters don't hurt.
func TestRandomFilters(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	words := strings.Fields("C0 C1 C9 C10 ( ) , ; = == <> < >= + - * / % & | << ~ || 1 2.5 1e9 'a' \"b\" ' AND OR NOT IN LIKE GLOB IS NULL ISNULL BETWEEN abs ( DROP %")
	m := Matcher{}
	valid := 0
	for range 100000 {
		var b strings.Builder
		for range 1 + r.IntN(9) {
			b.WriteString(words[r.IntN(len(words))])
			b.WriteByte(' ')
		}
		chain, err := ParseChain(b.String())
		if err != nil {
			continue
		}
		valid++
		for _, f := range chain {
			m.Budget = 1000
			f.Match(&m, &roomA)
		}
	}
	if valid < 1000 {
		t.Errorf("only %d of the filters were valid: the test tests little", valid)
	}
}

func FuzzParseChain(f *testing.F) {
	for _, s := range []string{
		"C0 BETWEEN 345 AND 475 AND C1 = 'Map2'", "C0=1;C0=2;C0=3;", `C1 NOT GLOB "[^a-z]*" OR abs(-C0) IS NOT NULL`,
		"~C0 << 3 | 5 & 1 || 'x' LIKE '_%'", "((((", "C0 = '''", "1e999 % -9223372036854775808",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		chain, err := ParseChain(text)
		if err != nil {
			var syntax *SyntaxError
			if !errors.As(err, &syntax) || syntax.Pos < 0 || syntax.Pos > len(text) {
				t.Fatalf("error %v", err)
			}
			return
		}
		if len(chain) == 0 || len(chain) > MaxChain {
			t.Fatalf("%d filters", len(chain))
		}
		for _, filter := range chain {
			m := Matcher{Budget: 100000}
			for _, row := range []*Row{&goldenRow, &roomE} {
				first := filter.Match(&m, row)
				if second := filter.Match(&m, row); first != second && !m.Exhausted() {
					t.Fatal("two answers")
				}
			}
		}
	})
}
