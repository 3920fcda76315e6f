package gpjson

import (
	"bytes"
	"encoding/binary"
	"unicode/utf16"
)

// appendRaw pastes a checked JSON text. Halves of surrogate pairs, which only an
// escape can express, become U+FFFD: the text keeps its length, and all
// receivers see the same string (websocket-json.md WJ-051).
func appendRaw(dst, text []byte) []byte {
	start := len(dst)
	dst = append(dst, text...)
	for p := dst[start:]; ; {
		i := bytes.IndexByte(p, '\\')
		if i < 0 || i+1 >= len(p) {
			return dst
		}
		p = p[i:]
		r, isHex := hex4(p, 2)
		switch {
		case p[1] != 'u' || !isHex:
			p = p[2:]
		case !utf16.IsSurrogate(r):
			p = p[6:]
		case isPair(r, p[6:]):
			p = p[12:]
		default:
			copy(p[2:], "fffd")
			p = p[6:]
		}
	}
}

// isPair says whether high and the escape that follows it are one character.
func isPair(high rune, next []byte) bool {
	if high >= 0xDC00 || len(next) < 6 || next[0] != '\\' || next[1] != 'u' {
		return false
	}
	low, ok := hex4(next, 2)
	return ok && low >= 0xDC00 && low <= 0xDFFF
}

// utf16Len is the length of UTF-8 text as JavaScript counts it: characters
// outside the basic plane count twice.
func utf16Len(b []byte) int {
	n := 0
	for len(b) >= 8 {
		if binary.LittleEndian.Uint64(b)&0x8080808080808080 == 0 {
			n += 8
		} else {
			for _, c := range b[:8] {
				n += utf16Units(c)
			}
		}
		b = b[8:]
	}
	for _, c := range b {
		n += utf16Units(c)
	}
	return n
}

// utf16Units is what the character that starts with byte c adds to the length;
// continuation bytes add nothing.
func utf16Units(c byte) int {
	switch {
	case c&0xC0 == 0x80:
		return 0
	case c >= 0xF0:
		return 2
	}
	return 1
}
