package sqlfilter

import (
	"fmt"
	"strconv"
	"strings"
)

// SyntaxError says what is wrong with a filter, and where.
type SyntaxError struct {
	Pos  int // byte offset in the text
	Text string
}

// Error names the offset and what was found there.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("filter at offset %d: %s", e.Pos, e.Text)
}

func errorAt(pos int, format string, args ...any) error {
	return &SyntaxError{pos, fmt.Sprintf(format, args...)}
}

type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenWord
	tokenLiteral // number or string
	tokenSymbol
)

// token is one word of a filter. text is the symbol, or the word in upper
// case; of a number it is the text as written.
type token struct {
	kind  tokenKind
	pos   int
	text  string
	value Value
}

func (t token) String() string {
	switch t.kind {
	case tokenEnd:
		return "the end"
	case tokenLiteral:
		if t.value.kind == Text {
			return "a string"
		}
	}
	return fmt.Sprintf("%.32q", t.text)
}

// excluded words are refused wherever they stand outside of a string.
var excluded = map[string]bool{
	"ALTER": true, "CREATE": true, "DELETE": true, "DROP": true, "EXEC": true, "EXECUTE": true, "INSERT": true,
	"MERGE": true, "SELECT": true, "UPDATE": true, "UNION": true,
}

// symbols of two characters come before those of one.
var symbols = [...]string{
	"==", "!=", "<>", "<=", ">=", "<<", ">>", "||",
	"=", "<", ">", "(", ")", ",", "+", "-", "*", "/", "%", "&", "|", "~", ";",
}

// lex reads the token that begins at or after offset i and returns the offset
// behind it.
func lex(text string, i int) (token, int, error) {
	for i < len(text) && strings.IndexByte(" \t\n\r\f", text[i]) >= 0 {
		i++
	}
	if i == len(text) {
		return token{kind: tokenEnd, pos: i}, i, nil
	}
	c := text[i]
	switch {
	case c == '\'' || c == '"':
		return lexString(text, i)
	case isDigit(c), c == '.' && i+1 < len(text) && isDigit(text[i+1]):
		return lexNumber(text, i)
	case isWordByte(c):
		end := i + 1
		for end < len(text) && isWordByte(text[end]) {
			end++
		}
		t := token{kind: tokenWord, pos: i, text: strings.ToUpper(text[i:end])}
		if excluded[t.text] {
			return t, end, errorAt(i, "%s is not allowed", t.text)
		}
		return t, end, nil
	}
	rest := text[i:]
	if strings.HasPrefix(rest, "--") || strings.HasPrefix(rest, "/*") {
		return token{}, i, errorAt(i, "comments are not allowed")
	}
	for _, s := range symbols {
		if strings.HasPrefix(rest, s) {
			return token{kind: tokenSymbol, pos: i, text: s}, i + len(s), nil
		}
	}
	return token{}, i, errorAt(i, "unexpected character %q", c)
}

func lexString(text string, i int) (token, int, error) {
	quote, start := text[i], i+1
	doubled := false
	for end := start; end < len(text); end++ {
		if text[end] != quote {
			continue
		}
		if end+1 < len(text) && text[end+1] == quote {
			doubled = true
			end++
			continue
		}
		s := text[start:end]
		if doubled {
			s = strings.ReplaceAll(s, string([]byte{quote, quote}), string(quote))
		}
		if len(s) > MaxText {
			return token{}, i, errorAt(i, "string of %d bytes, at most %d", len(s), MaxText)
		}
		return token{kind: tokenLiteral, pos: i, value: TextValue(s)}, end + 1, nil
	}
	return token{}, i, errorAt(i, "string without end")
}

func lexNumber(text string, i int) (token, int, error) {
	digits, integral := numberPrefix(text[i:])
	end := i + len(digits)
	if end < len(text) && (isWordByte(text[end]) || text[end] == '.') {
		return token{}, i, errorAt(end, "unexpected character %q in a number", text[end])
	}
	t := token{kind: tokenLiteral, pos: i, text: digits}
	if integral {
		if n, err := strconv.ParseInt(digits, 10, 64); err == nil {
			t.value = IntValue(n)
			return t, end, nil
		}
	}
	// An integer that is too long becomes a float, a float that is too large
	// becomes infinite, as in SQLite.
	f, _ := strconv.ParseFloat(digits, 64)
	t.value = realValue(f)
	return t, end, nil
}

// isWordByte includes bytes of non-ASCII letters, so that such a word is
// refused as a whole.
func isWordByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || isDigit(c) || c == '_' || c >= 0x80
}
