package gpbinary

import (
	"bytes"
	"slices"
)

// canonical returns the bytes that stand for value in comparisons: V18 by the
// rules for writers, entries of tables in the order of their bytes. Values that
// no format can hold have the empty form (serialization.md 12, "Equality").
func canonical(value any) string {
	value, _ = Convert(V18, value)
	w := writer{v: V18, sorted: true, long: true}
	w.typed(value, 0)
	if w.err != nil {
		return ""
	}
	return string(w.b)
}

// sortEntries sorts the entries that stand in b from start on, each up to its end.
func sortEntries(b []byte, start int, ends []int) {
	entries := make([][]byte, len(ends))
	sorted := bytes.Clone(b[start:])
	at := 0
	for i, end := range ends {
		entries[i] = sorted[at : end-start]
		at = end - start
	}
	slices.SortFunc(entries, bytes.Compare)
	b = b[:start]
	for _, e := range entries {
		b = append(b, e...)
	}
}
