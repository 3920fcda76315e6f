package sqlfilter

import "unicode/utf8"

// like matches text against a LIKE pattern: % is any text, _ one character;
// ASCII letters are equal in both cases.
//
// On a mismatch it goes back to the last % only. That suffices, since a longer
// match of an earlier % can always be had by the last one, and it keeps the
// work within len(pattern) * len(text).
func like(m *Matcher, pattern, text string) bool {
	p, t := 0, 0
	star, mark := -1, 0
	for t < len(text) {
		if m.Budget--; m.Budget < 0 {
			return false
		}
		if p < len(pattern) {
			switch c := pattern[p]; {
			case c == '%':
				p++
				star, mark = p, t
				continue
			case c == '_':
				p++
				t += runeLen(text[t:])
				continue
			case lower(c) == lower(text[t]):
				p++
				t++
				continue
			}
		}
		if star < 0 {
			return false
		}
		mark += runeLen(text[mark:])
		p, t = star, mark
	}
	for p < len(pattern) && pattern[p] == '%' {
		p++
	}
	return p == len(pattern)
}

// glob matches text against a GLOB pattern: * is any text, ? one character,
// [a-z] and [^a-z] one of or none of some characters.
func glob(m *Matcher, pattern, text string) bool {
	p, t := 0, 0
	star, mark := -1, 0
	for t < len(text) {
		if m.Budget--; m.Budget < 0 {
			return false
		}
		if p < len(pattern) {
			switch c := pattern[p]; {
			case c == '*':
				p++
				star, mark = p, t
				continue
			case c == '?':
				p++
				t += runeLen(text[t:])
				continue
			case c == '[':
				r, n := utf8.DecodeRuneInString(text[t:])
				if end, ok := class(m, pattern[p:], r); ok {
					p += end
					t += n
					continue
				}
			case c == text[t]:
				p++
				t++
				continue
			}
		}
		if star < 0 {
			return false
		}
		mark += runeLen(text[mark:])
		p, t = star, mark
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// class matches r against the set that pattern starts with and returns the
// set's length. A set without end matches nothing.
func class(m *Matcher, pattern string, r rune) (length int, ok bool) {
	i := 1
	invert := i < len(pattern) && pattern[i] == '^'
	if invert {
		i++
	}
	found := false
	for first := true; i < len(pattern); first = false {
		m.Budget--
		if pattern[i] == ']' && !first {
			return i + 1, found != invert
		}
		low, n := utf8.DecodeRuneInString(pattern[i:])
		i += n
		high := low
		if i+1 < len(pattern) && pattern[i] == '-' && pattern[i+1] != ']' {
			high, n = utf8.DecodeRuneInString(pattern[i+1:])
			i += 1 + n
		}
		if low <= r && r <= high {
			found = true
		}
	}
	return 0, false
}

func runeLen(s string) int {
	_, n := utf8.DecodeRuneInString(s)
	return n
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
