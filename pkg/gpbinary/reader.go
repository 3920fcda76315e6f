package gpbinary

import (
	"encoding/binary"
)

const (
	// MaxDepth is the number of containers that may stand inside each other
	// (serialization.md 11, rule 4).
	MaxDepth = 128
	// MaxNodes is the number of values that one message may hold: elements of
	// arrays other than numeric ones, and entries of tables and dictionaries
	// (serialization.md 11, rule 6).
	MaxNodes = 100000

	// maxCount18 is the largest count or length in V18.
	maxCount18 = 1<<31 - 1
)

// reader walks bytes. The first error stays: after it, every read returns zero
// and consumes nothing, so that only loops need to look at err.
type reader struct {
	b     []byte
	off   int
	err   *Error
	nodes int
	// owed is the least number of bytes that the containers now open still need
	// for their declared elements. Counts are checked against what is left beyond
	// it, so that nested containers can't each claim the same bytes: all slices
	// made for one message are together in proportion to its size.
	owed int
}

func (r *reader) failAt(off int, c Class) {
	if r.err == nil {
		r.err = &Error{Offset: off, Class: c}
		r.off = len(r.b)
	}
}

func (r *reader) fail(c Class) { r.failAt(r.off, c) }

// unknown refuses the type code that stands before the current offset.
func (r *reader) unknown(code byte) {
	if r.err == nil {
		r.failAt(r.off-1, UnknownType)
		r.err.Code = code
	}
}

// result returns the number of bytes read and the first error.
func (r *reader) result() (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	return r.off, nil
}

func (r *reader) left() int { return len(r.b) - r.off }

// u8 reads a byte.
func (r *reader) u8() byte {
	if r.off >= len(r.b) {
		r.fail(Truncated)
		return 0
	}
	c := r.b[r.off]
	r.off++
	return c
}

// take reads n bytes without copying them.
func (r *reader) take(n int) []byte {
	if n > r.left() {
		r.fail(Truncated)
		return nil
	}
	s := r.b[r.off : r.off+n : r.off+n]
	r.off += n
	return s
}

func (r *reader) be16() int16 {
	if s := r.take(2); s != nil {
		return int16(binary.BigEndian.Uint16(s))
	}
	return 0
}

func (r *reader) be32() uint32 {
	if s := r.take(4); s != nil {
		return binary.BigEndian.Uint32(s)
	}
	return 0
}

func (r *reader) be64() uint64 {
	if s := r.take(8); s != nil {
		return binary.BigEndian.Uint64(s)
	}
	return 0
}

func (r *reader) le16() uint16 {
	if s := r.take(2); s != nil {
		return binary.LittleEndian.Uint16(s)
	}
	return 0
}

func (r *reader) le32() uint32 {
	if s := r.take(4); s != nil {
		return binary.LittleEndian.Uint32(s)
	}
	return 0
}

func (r *reader) le64() uint64 {
	if s := r.take(8); s != nil {
		return binary.LittleEndian.Uint64(s)
	}
	return 0
}

// uvarint reads a variable-length integer of at most bits bits.
func (r *reader) uvarint(bits uint) uint64 {
	start := r.off
	var u uint64
	for shift := uint(0); shift < bits; shift += 7 {
		if r.off >= len(r.b) {
			r.fail(Truncated)
			return 0
		}
		c := r.b[r.off]
		r.off++
		if rest := bits - shift; rest < 7 && c>>rest != 0 {
			break
		}
		u |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return u
		}
	}
	r.failAt(start, BadVarint)
	return 0
}

// zigzag32 reads a signed variable-length integer.
func (r *reader) zigzag32() int32 {
	u := uint32(r.uvarint(32))
	return int32(u>>1) ^ -int32(u&1)
}

// zigzag64 reads a signed variable-length integer.
func (r *reader) zigzag64() int64 {
	u := r.uvarint(64)
	return int64(u>>1) ^ -int64(u&1)
}

// count16 reads one of V16's 16-bit counts and lengths.
func (r *reader) count16() int {
	n := r.be16()
	if n < 0 {
		r.failAt(r.off-2, BadCount)
		return 0
	}
	return int(n)
}

// count32 reads one of V16's 32-bit counts and lengths.
func (r *reader) count32() int {
	n := int32(r.be32())
	if n < 0 {
		r.failAt(r.off-4, BadCount)
		return 0
	}
	return int(n)
}

// count18 reads a count or length of V18.
func (r *reader) count18() int {
	start := r.off
	n := r.uvarint(32)
	if n > maxCount18 {
		r.failAt(start, BadCount)
		return 0
	}
	return int(n)
}

// fits checks that n elements of at least size bytes can follow, before anything
// is allocated for them. It returns n, or 0 when they can't.
func (r *reader) fits(n, size int) int {
	if int64(n)*int64(size) > int64(r.left()-r.owed) {
		r.fail(Truncated)
		return 0
	}
	return n
}

// open begins a container of n elements that have at least size bytes each. It
// returns n, or 0 after an error. For each element the caller calls next(size),
// until that is false.
func (r *reader) open(n, size, depth int) int {
	if depth >= MaxDepth {
		r.fail(TooDeep)
		return 0
	}
	n = r.nested(r.fits(n, size))
	r.owed += n * size
	return n
}

// nested counts n values toward MaxNodes.
func (r *reader) nested(n int) int {
	if r.nodes += n; r.nodes > MaxNodes {
		r.fail(TooManyNodes)
		return 0
	}
	return n
}

// next begins an element of a container that was opened with size.
func (r *reader) next(size int) bool {
	r.owed -= size
	return r.err == nil
}

// typed decodes a typed value.
func (r *reader) typed(v Version, depth int) any {
	if v == V16 {
		return r.typed16(depth)
	}
	return r.typed18(depth)
}

// skipTyped skips a typed value.
func (r *reader) skipTyped(v Version, depth int) {
	if v == V16 {
		r.skipTyped16(depth)
	} else {
		r.skipTyped18(depth)
	}
}

// openHashtable begins the body of a hashtable and returns its number of pairs.
func (r *reader) openHashtable(v Version, depth int) int {
	if v == V16 {
		return r.open(r.count16(), minPair, depth)
	}
	return r.open(r.count18(), minPair, depth)
}

// notNull refuses a null that comes next, in the place of a key.
func (r *reader) notNull(v Version) {
	if r.left() == 0 {
		return
	}
	if c := r.b[r.off]; v == V16 && (c == v16Null || c == v16Zero) || v == V18 && c == v18Null {
		r.fail(NullKey)
	}
}
