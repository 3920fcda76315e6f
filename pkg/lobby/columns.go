package lobby

import (
	"iter"
	"slices"

	"github.com/boson-project/boson/pkg/lobby/sqlfilter"
)

// columnList holds the open rooms of an SQL lobby that have a value in one
// column, by value and then oldest first. A room's columns must not change while
// it is in the list.
type columnList struct {
	sorted
	column int
}

func (l *columnList) find(r *room) cursor {
	v := r.columns[l.column]
	return l.search(func(x *room) bool {
		if c := sqlfilter.Compare(x.columns[l.column], v); c != 0 {
			return c < 0
		}
		return x.order.before(r.order)
	})
}

// edge returns the place of the first room at or beyond a bound.
func (l *columnList) edge(v sqlfilter.Value, beyond bool) cursor {
	return l.search(func(x *room) bool {
		c := sqlfilter.Compare(x.columns[l.column], v)
		return c < 0 || c == 0 && beyond
	})
}

// within returns where a span begins and how many rooms it has.
func (l *columnList) within(s sqlfilter.Span) (from cursor, n int) {
	if s.Low.Value.Kind() != sqlfilter.Null {
		from = l.edge(s.Low.Value, s.Low.Outside)
	}
	end := l.len
	if s.High.Value.Kind() != sqlfilter.Null {
		end = l.rank(l.edge(s.High.Value, !s.High.Outside))
	}
	return from, max(0, end-l.rank(from))
}

// setColumns gives a room its columns, nil for none, and brings the lists up to
// date: open rooms stand in those of the columns in which they have a value.
func (l *lobby) setColumns(r *room, row *sqlfilter.Row, sorted bool) {
	old, was := r.columns, r.sorted
	stands := func(in bool, row *sqlfilter.Row, i int) bool { return in && row[i].Kind() != sqlfilter.Null }
	moves := func(i int) bool {
		return stands(was, old, i) != stands(sorted, row, i) || stands(sorted, row, i) && old[i] != row[i]
	}
	for i := range l.sorted {
		if stands(was, old, i) && moves(i) {
			c := &l.sorted[i]
			c.remove(c.find(r), r)
		}
	}
	r.columns, r.sorted = row, sorted
	for i := range l.sorted {
		if stands(sorted, row, i) && moves(i) {
			c := &l.sorted[i]
			c.insert(c.find(r), r)
		}
	}
}

// spans returns ranges of columns in which all matches of a filter are, and how
// many rooms are in them; false: the filter names none.
func (l *lobby) spans(f *sqlfilter.Filter) ([]sqlfilter.Span, int, bool) {
	return f.Spans(func(s sqlfilter.Span) int {
		_, n := l.sorted[s.Column].within(s)
		return n
	})
}

// inSpans calls fn with the rooms of the spans, some of them perhaps twice,
// until it returns false.
func (l *lobby) inSpans(spans []sqlfilter.Span, fn func(*room) bool) {
	for _, s := range spans {
		list := &l.sorted[s.Column]
		from, n := list.within(s)
		for range n {
			if !fn(list.next(&from)) {
				return
			}
		}
	}
}

// fewRooms are looked at one by one in less time than spans are found.
const fewRooms = 100

// oldest finds the oldest match of a search in an SQL lobby. Where a filter lets
// many rooms through, one of the first in age is found soon; where it lets few
// through, the spans are short. Which it is nobody knows before: it looks at as
// many of the oldest rooms as the spans have, and then at the spans.
func (l *lobby) oldest(s *search) *room {
	list := l.candidates(s)
	if list == nil || list.len == 0 {
		return nil
	}
	if s.filter == nil || list.len <= fewRooms {
		return s.first(list, cursor{}, nil)
	}
	spans, n, ok := l.spans(s.filter)
	if !ok || 2*n >= list.len {
		return s.first(list, cursor{}, nil)
	}
	from := cursor{}
	for range n {
		if r := list.next(&from); s.matches(r) {
			return r
		}
		if s.matcher.Exhausted() {
			return nil
		}
	}
	end := list.peek(from)
	var best *room
	l.inSpans(spans, func(r *room) bool {
		// Those before the end were looked at.
		if !r.order.before(end.order) && (best == nil || r.order.before(best.order)) && s.matches(r) {
			best = r
		}
		return !s.matcher.Exhausted()
	})
	return best
}

// passing iterates over the rooms that a search's filter may let through, oldest
// first.
func (l *lobby) passing(s *search) iter.Seq[*room] {
	return func(yield func(*room) bool) {
		list := l.candidates(s)
		if list == nil {
			return
		}
		var spans []sqlfilter.Span
		n, ok := 0, list.len > fewRooms
		if ok {
			spans, n, ok = l.spans(s.filter)
		}
		if !ok || 2*n >= list.len {
			c := cursor{}
			for r := list.next(&c); r != nil && yield(r); r = list.next(&c) {
			}
			return
		}
		rooms := make([]*room, 0, n)
		l.inSpans(spans, func(r *room) bool {
			rooms = append(rooms, r)
			return true
		})
		slices.SortFunc(rooms, byAge)
		for _, r := range slices.Compact(rooms) {
			if !yield(r) {
				return
			}
		}
	}
}

func byAge(a, b *room) int {
	switch {
	case a == b:
		return 0
	case a.order.before(b.order):
		return -1
	}
	return 1
}
