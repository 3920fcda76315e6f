package lobby

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/boson-project/boson/pkg/lobby/sqlfilter"
)

// filters makes filters at random, of all that can be in spans and of what can't.
type filters struct{ *rand.Rand }

func (r filters) one(of ...string) string { return of[r.IntN(len(of))] }

func (r filters) column() string { return fmt.Sprint("C", r.IntN(3)) }

func (r filters) literal() string {
	return r.one(fmt.Sprint(r.IntN(40)-5), fmt.Sprint(r.IntN(40)-5), fmt.Sprintf("%d.5", r.IntN(30)), fmt.Sprintf("'t%d'", r.IntN(9)), "NULL", "'5'", "-3")
}

func (r filters) condition(depth int) string {
	if depth > 0 {
		switch r.IntN(4) {
		case 0:
			return "(" + r.condition(depth-1) + " AND " + r.condition(depth-1) + ")"
		case 1:
			return "(" + r.condition(depth-1) + " OR " + r.condition(depth-1) + ")"
		case 2:
			return r.condition(depth-1) + " AND " + r.condition(depth-1)
		}
	}
	comparison := r.one("=", "==", "<", "<=", ">", ">=", "<>")
	switch r.IntN(9) {
	case 0:
		return r.literal() + comparison + r.column()
	case 1:
		return r.column() + r.one(" BETWEEN ", " NOT BETWEEN ") + r.literal() + " AND " + r.literal()
	case 2:
		return r.column() + r.one(" IN (", " NOT IN (") + r.literal() + "," + r.literal() + "," + r.literal() + ")"
	case 3:
		return r.one(r.column()+" + 1 > 5", r.column()+" LIKE 't%'", r.column()+" IS NULL", "NOT "+r.column()+" = 5", r.column()+" = "+r.column(), "1", "0", "NULL")
	default:
		return r.column() + comparison + r.literal()
	}
}

// What the lists of columns find is what a look at every room finds, whatever
// the filter and whatever happened to the rooms.
func TestColumnsAgreeWithScan(t *testing.T) {
	f := newFixture(t, Config{})
	r := filters{rand.New(rand.NewPCG(11, 12))}
	id := ID{"sql", SQL}
	used := 0
	for step := range 6000 {
		rec := visible(fmt.Sprint("r", r.IntN(300)))
		rec.Lobby, rec.Open, rec.Created = id, r.IntN(10) > 0, int64(r.IntN(50))
		rec.Properties = table()
		for c := range 3 {
			switch r.IntN(3) {
			case 0: // none
			case 1:
				rec.Properties.Set(fmt.Sprint("C", c), int32(r.IntN(30)))
			default:
				rec.Properties.Set(fmt.Sprint("C", c), []any{int32(r.IntN(30)), int32(7), fmt.Sprint("t", r.IntN(9))}[c])
			}
		}
		if r.IntN(5) == 0 {
			f.remove(rec.Name)
		} else {
			f.put(rec)
		}
		l := f.lobbies[id]
		if l == nil || step < 300 {
			continue
		}
		text := r.condition(3)
		filter, err := sqlfilter.Parse(text)
		if err != nil {
			t.Fatal(text, err)
		}
		s := search{user: "nobody", filter: filter, matcher: sqlfilter.Matcher{Budget: 1 << 30}}
		var want []string
		c := cursor{}
		for x := l.lists[open].next(&c); x != nil; x = l.lists[open].next(&c) {
			if s.matches(x) {
				want = append(want, x.name)
			}
		}
		if _, n, ok := l.spans(filter); ok && 2*n < l.lists[open].len {
			used++
		}
		var got []string
		for x := range l.passing(&s) {
			if s.matches(x) {
				got = append(got, x.name)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%s: found %v, a scan finds %v", text, got, want)
		}
		first := ""
		if x := l.oldest(&s); x != nil {
			first = x.name
		}
		if len(want) == 0 && first != "" || len(want) > 0 && first != want[0] {
			t.Fatalf("%s: found %q, a scan finds %v", text, first, want)
		}
	}
	if used < 1000 {
		t.Errorf("the columns were used %d times only", used)
	}
}

// The work of searches whose spans are short.
func TestColumnsSaveWork(t *testing.T) {
	f := newFixture(t, Config{})
	id := ID{"sql", SQL}
	for i := range 10_000 {
		f.put(with(visible(fmt.Sprint(i)), func(r *Record) {
			r.Lobby, r.Created, r.Properties = id, int64(i), table("C0", int32(i), "C1", fmt.Sprint("m", i%10))
		}))
	}
	for text, most := range map[string]int{
		"C0 = 9999":                             10,
		"C0 >= 9990":                            200,
		"9990 <= C0":                            200,
		"C0 > 9000 AND C0 < 9010 AND C1 = 'm3'": 300,
		"C0 BETWEEN 9000 AND 9010 AND C1 <> 'm3'":             300,
		"C0 IN (9000, 9001) OR C0 = 'x'":                      100,
		"C0 = NULL":                                           0,
		"C0 > 5 AND C0 = NULL":                                0,
		"C1 LIKE 'm%' AND (C0 = 9000 OR C0 = 1 AND C1 = 'x')": 100,
		"C0 > 20000":                                          0,
	} {
		filter, err := sqlfilter.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		s := search{user: "u", filter: filter, matcher: sqlfilter.Matcher{Budget: 1 << 30}}
		r := f.lobbies[id].oldest(&s)
		if steps := 1<<30 - s.matcher.Budget; steps > most || (r == nil) != (strings.Contains(text, "NULL") || strings.Contains(text, "20000")) {
			t.Errorf("%s: %v after %d steps", text, r, steps)
		}
	}
}
