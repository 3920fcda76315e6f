package sqlfilter

import (
	"bufio"
	"math"
	"os"
	"strings"
	"testing"
)

// goldenRow is the row that the answers in testdata/sqlite.tsv were made with.
var goldenRow = Row{
	0: IntValue(400), 1: TextValue("Map2"), 3: IntValue(-7), 4: TextValue("12abc"), 5: TextValue(""),
	6: IntValue(math.MaxInt64), 7: TextValue("a_b%C"), 8: IntValue(0), 9: TextValue("été"),
}

// TestSQLite compares with answers of SQLite itself, which random expressions
// got there: the condition's truth, and the value as text.
func TestSQLite(t *testing.T) {
	file, err := os.Open("testdata/sqlite.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		text, rest, _ := strings.Cut(lines.Text(), "\t")
		wantTruth, wantText, _ := strings.Cut(rest, "\t")
		f, err := Parse(text)
		if err != nil {
			t.Errorf("line %d: %s: %v", n, text, err)
			continue
		}
		m := Matcher{Budget: 1 << 20}
		v := f.root.eval(&m, &goldenRow)
		if got := [...]string{no: "false", unknown: "null", yes: "true"}[truth(v)]; got != wantTruth {
			t.Errorf("line %d: %s is %s, SQLite says %s", n, text, got, wantTruth)
		}
		got := "NULL"
		if v.kind != Null {
			got = m.text(v)
		}
		if got != wantText {
			t.Errorf("line %d: %s = %s, SQLite says %s", n, text, got, wantText)
		}
		if f.Match(&m, &goldenRow) != (wantTruth == "true") {
			t.Errorf("line %d: %s: wrong match", n, text)
		}
	}
}
