package gpjson

import (
	"fmt"
	"unicode/utf8"
)

// MaxDepth is how deep arrays and objects may nest in text that is read. The
// value itself counts: [[]] has depth 2 (websocket-json.md 2.4).
const MaxDepth = 64

// SyntaxError says where a text stops being what was expected.
type SyntaxError struct {
	// Offset is in bytes from the start of the text that was handed in.
	Offset int
	// Text is what is wrong there.
	Text string
}

// Error names the offset.
func (e *SyntaxError) Error() string { return fmt.Sprintf("json at offset %d: %s", e.Offset, e.Text) }

func fail(offset int, text string) error { return &SyntaxError{offset, text} }

// SkipValue checks that text starts with one JSON value (after white space, if
// any), nested no deeper than MaxDepth and valid UTF-8, and returns how many
// bytes it takes. The grammar is strict. Nothing is allocated unless it fails;
// the error is a *SyntaxError.
func SkipValue(text []byte) (n int, err error) {
	return skipValue(text, skipSpace(text, 0), 1)
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

// skipValue checks the value that starts at i and returns where it ends. depth
// is the one that an array or object at i would have.
func skipValue(b []byte, i, depth int) (int, error) {
	if i >= len(b) {
		return i, fail(i, "value expected")
	}
	switch c := b[i]; {
	case c == '"':
		return skipString(b, i)
	case c == '-' || c >= '0' && c <= '9':
		return skipNumber(b, i)
	case c == '[':
		return skipArray(b, i, depth)
	case c == '{':
		return skipObject(b, i, depth)
	case c == 't':
		return skipWord(b, i, "true")
	case c == 'f':
		return skipWord(b, i, "false")
	case c == 'n':
		return skipWord(b, i, "null")
	}
	return i, fail(i, "value expected")
}

func skipArray(b []byte, i, depth int) (int, error) {
	if depth > MaxDepth {
		return i, fail(i, "nested too deep")
	}
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == ']' {
		return i + 1, nil
	}
	for {
		var err error
		if i, err = skipValue(b, i, depth+1); err != nil {
			return i, err
		}
		var more bool
		if i, more, err = skipSeparator(b, i, ']'); err != nil || !more {
			return i, err
		}
	}
}

func skipObject(b []byte, i, depth int) (int, error) {
	if depth > MaxDepth {
		return i, fail(i, "nested too deep")
	}
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == '}' {
		return i + 1, nil
	}
	for {
		var err error
		if i, err = skipName(b, i); err != nil {
			return i, err
		}
		if i, err = skipValue(b, i, depth+1); err != nil {
			return i, err
		}
		var more bool
		if i, more, err = skipSeparator(b, i, '}'); err != nil || !more {
			return i, err
		}
	}
}

// skipName reads a member's name, at i, and its colon.
func skipName(b []byte, i int) (int, error) {
	if i >= len(b) || b[i] != '"' {
		return i, fail(i, "member name expected")
	}
	i, err := skipString(b, i)
	if err != nil {
		return i, err
	}
	return skipColon(b, i)
}

// skipColon reads the colon after a member's name and the space around it.
func skipColon(b []byte, i int) (int, error) {
	i = skipSpace(b, i)
	if i >= len(b) || b[i] != ':' {
		return i, fail(i, "colon expected")
	}
	return skipSpace(b, i+1), nil
}

// skipSeparator reads what follows an element: a comma (more is true and i at
// the next element), or end.
func skipSeparator(b []byte, i int, end byte) (_ int, more bool, err error) {
	i = skipSpace(b, i)
	if i < len(b) {
		switch b[i] {
		case ',':
			return skipSpace(b, i+1), true, nil
		case end:
			return i + 1, false, nil
		}
	}
	if end == ']' {
		return i, false, fail(i, "comma or end of array expected")
	}
	return i, false, fail(i, "comma or end of object expected")
}

func skipWord(b []byte, i int, word string) (int, error) {
	if len(b)-i < len(word) || string(b[i:i+len(word)]) != word {
		return i, fail(i, "value expected")
	}
	return i + len(word), nil
}

// skipString checks the string whose opening quote is at i. Invalid UTF-8 is an
// error because the text may be relayed as it is: a browser that gets it in a
// text frame drops its connection.
func skipString(b []byte, i int) (int, error) {
	for i++; i < len(b); {
		switch c := b[i]; {
		case c == '"':
			return i + 1, nil
		case c < ' ':
			return i, fail(i, "control character in string")
		case c == '\\':
			n, err := skipEscape(b, i)
			if err != nil {
				return i, err
			}
			i = n
		case c < utf8.RuneSelf:
			i++
		default:
			r, n := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && n == 1 {
				return i, fail(i, "invalid UTF-8")
			}
			i += n
		}
	}
	return i, fail(i, "string does not end")
}

func skipEscape(b []byte, i int) (int, error) {
	if i+1 >= len(b) {
		return i, fail(i, "string does not end")
	}
	switch b[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2, nil
	case 'u':
		if _, ok := hex4(b, i+2); ok {
			return i + 6, nil
		}
	}
	return i, fail(i, "unknown escape in string")
}

// hex4 reads the four digits of a \u escape.
func hex4(b []byte, i int) (v rune, ok bool) {
	if len(b)-i < 4 {
		return 0, false
	}
	for _, c := range b[i : i+4] {
		v <<= 4
		switch {
		case c >= '0' && c <= '9':
			v |= rune(c - '0')
		case c >= 'a' && c <= 'f':
			v |= rune(c - 'a' + 10)
		case c >= 'A' && c <= 'F':
			v |= rune(c - 'A' + 10)
		default:
			return 0, false
		}
	}
	return v, true
}

func skipNumber(b []byte, i int) (int, error) {
	if b[i] == '-' {
		i++
	}
	digits := func() bool {
		start := i
		for i < len(b) && b[i] >= '0' && b[i] <= '9' {
			i++
		}
		return i > start
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if !digits() {
		return i, fail(i, "digit expected")
	}
	if i < len(b) && b[i] == '.' {
		i++
		if !digits() {
			return i, fail(i, "digit expected")
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if !digits() {
			return i, fail(i, "digit expected")
		}
	}
	return i, nil
}
