package photon

import (
	"sync"

	"github.com/boson-project/boson/pkg/gpbinary"
)

// Slab hands out pieces of larger chunks of memory. A piece is garbage when
// nobody refers to it; its chunk when that is true for all its pieces. So a
// message costs a fraction of an allocation. Not safe for concurrent use.
//
// The zero Slab is ready. Pieces are never reused: they may be shared freely.
type Slab struct {
	bytes  []byte
	fields []gpbinary.Field
}

const (
	slabBytes  = 16 << 10
	slabFields = 256
)

// Grow makes room for n bytes and returns an empty slice with at least that
// capacity. Give what was appended to it back with Keep.
func (s *Slab) Grow(n int) []byte {
	if cap(s.bytes)-len(s.bytes) < n {
		s.bytes = make([]byte, 0, max(slabBytes, n))
	}
	return s.bytes[len(s.bytes):len(s.bytes):cap(s.bytes)]
}

// Keep takes the bytes that were appended to the slice from Grow and returns
// them as a piece of its own. A slice that outgrew its capacity has left the
// chunk and is returned as it is.
func (s *Slab) Keep(b []byte) []byte {
	n := len(s.bytes)
	if len(b) <= cap(s.bytes)-n && len(b) > 0 && &b[0] == &s.bytes[:n+1][n] {
		s.bytes = s.bytes[:n+len(b)]
		return b[:len(b):len(b)]
	}
	return b
}

// Copy returns a copy of b.
func (s *Slab) Copy(b []byte) []byte {
	return s.Keep(append(s.Grow(len(b)), b...))
}

// CloneRequest returns a copy of r that outlives its message.
func (s *Slab) CloneRequest(r *Request) Request {
	c := *r
	if cap(s.fields)-len(s.fields) < len(r.Fields) {
		s.fields = make([]gpbinary.Field, 0, max(slabFields, len(r.Fields)))
	}
	start := len(s.fields)
	for _, f := range r.Fields {
		s.fields = append(s.fields, gpbinary.Field{Key: f.Key, Bytes: s.Copy(f.Bytes)})
	}
	c.Fields = s.fields[start:len(s.fields):len(s.fields)]
	return c
}

var slabs = sync.Pool{New: func() any { return new(Slab) }}

// Clone returns a copy of r that outlives its message, out of a slab that the
// goroutines share. It may be called from any goroutine.
func (r *Request) Clone() Request {
	s := slabs.Get().(*Slab)
	c := s.CloneRequest(r)
	slabs.Put(s)
	return c
}
