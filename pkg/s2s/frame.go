package s2s

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// Units of the TCP stream (wire.md 5):
//
//	FB | length int32 BE, with these 7 bytes | channel 00 | mode 01 | message
//	F0 | client time u32                                  from the dialling side
//	F0 | server time u32 | client time u32                from the accepting side
const (
	frameMagic  = 0xFB
	frameHeader = 7
	pingMagic   = 0xF0
	pingSize    = 4 // after the magic
	pongSize    = 8
)

// beginFrame appends a frame's header, its length to be set by endFrame.
func beginFrame(b []byte) []byte {
	return append(b, frameMagic, 0, 0, 0, 0, 0, 1)
}

// endFrame sets the length of the frame that starts at b[start]. It reports
// whether the frame keeps the limit.
func endFrame(b []byte, start int) bool {
	n := len(b) - start
	if n > MaxFrame {
		return false
	}
	binary.BigEndian.PutUint32(b[start+1:], uint32(n))
	return true
}

func appendPing(b []byte, clientTime uint32) []byte {
	return binary.BigEndian.AppendUint32(append(b, pingMagic), clientTime)
}

func appendPong(b []byte, serverTime, clientTime uint32) []byte {
	return binary.BigEndian.AppendUint32(appendPing(b, serverTime), clientTime)
}

// frameReader cuts a stream into units. It keeps one buffer that grows as data
// arrives, so that a length alone costs no memory.
type frameReader struct {
	r        *bufio.Reader
	tailSize int   // bytes of a ping unit after its magic
	limit    int   // of a frame
	offset   int64 // of the next unit in the stream
	buf      []byte
}

func newFrameReader(r io.Reader, dialer bool) *frameReader {
	f := &frameReader{r: bufio.NewReaderSize(r, 64<<10), tailSize: pingSize, limit: maxEarlyFrame}
	if dialer {
		f.tailSize = pongSize
	}
	return f
}

// next returns the next unit: a frame's message, or a ping's 4 or 8 bytes. The
// bytes are valid until the next call.
func (f *frameReader) next() (b []byte, ping bool, err error) {
	magic, err := f.r.ReadByte()
	if err != nil {
		return nil, false, err
	}
	start := f.offset
	switch magic {
	case pingMagic:
		b, err = f.read(f.tailSize)
		f.offset += int64(1 + f.tailSize)
		return b, true, err
	case frameMagic:
		h, err := f.read(frameHeader - 1)
		if err != nil {
			return nil, false, err
		}
		n := binary.BigEndian.Uint32(h)
		if n < frameHeader || n > uint32(f.limit) {
			return nil, false, fmt.Errorf("s2s: frame of %d bytes at offset %d, 7 to %d are allowed", n, start, f.limit)
		}
		f.offset += int64(n)
		b, err = f.read(int(n) - frameHeader)
		return b, false, err
	default:
		return nil, false, fmt.Errorf("s2s: %02x at offset %d starts no frame", magic, start)
	}
}

// read returns the next n bytes, reading at most one step ahead of what the
// buffer holds.
func (f *frameReader) read(n int) ([]byte, error) {
	const step = 64 << 10
	b := f.buf[:0]
	for len(b) < n {
		k := min(n-len(b), step)
		if cap(b)-len(b) < k {
			b = append(b, make([]byte, k)...)
		} else {
			b = b[:len(b)+k]
		}
		if _, err := io.ReadFull(f.r, b[len(b)-k:]); err != nil {
			return nil, noEOF(err)
		}
	}
	f.buf = b
	return b, nil
}

// noEOF turns the end of the stream inside a unit into an error of its own.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func be32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }
