package transport

import "io"

const (
	// streamBufferBase is what an idle connection holds: enough for pings and
	// most operations.
	streamBufferBase = 1 << 10
	// streamBufferBusy is what a connection that has much to say grows to, to
	// read more per system call. Beyond that only one large message makes it grow.
	streamBufferBusy = 16 << 10
	// streamBufferCalm is the number of small reads in a row after which a grown
	// buffer is given back.
	streamBufferCalm = 32
)

// readBuffer holds what was read from a stream and not yet consumed. It grows
// with the bytes that are there, never with a length that a client announces,
// and shrinks again. The caller bounds its size by not asking for more.
type readBuffer struct {
	b    []byte
	r, w int
	// full: the last read filled the buffer.
	full bool
	calm int
}

// data returns the unconsumed bytes. They may be changed, and are valid until
// the next read.
func (q *readBuffer) data() []byte { return q.b[q.r:q.w] }

// consume drops the first n bytes of data.
func (q *readBuffer) consume(n int) { q.r += n }

// read reads once from src.
func (q *readBuffer) read(src io.Reader) (int, error) {
	q.prepare()
	n, err := src.Read(q.b[q.w:])
	q.w += n
	q.full = q.w == len(q.b)
	if n*4 < len(q.b) {
		q.calm++
	} else {
		q.calm = 0
	}
	return n, err
}

// prepare makes room for a read.
func (q *readBuffer) prepare() {
	rest := q.data()
	size := len(q.b)
	switch {
	case size == 0:
		size = streamBufferBase
	case len(rest) == size: // one message is larger than the buffer
		size *= 2
	case q.full && size < streamBufferBusy:
		size *= 2
	case size > streamBufferBase && q.calm >= streamBufferCalm && len(rest) < streamBufferBase:
		size = streamBufferBase
	}
	switch {
	case size != len(q.b):
		b := make([]byte, size)
		q.r, q.w = 0, copy(b, rest)
		q.b, q.calm = b, 0
	case q.r > 0 && (len(rest) == 0 || q.w == size):
		q.r, q.w = 0, copy(q.b, rest)
	}
}
