package client

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/boson-project/boson/pkg/photon"
)

// framing is what differs between the byte streams: TCP and WebSocket.
type framing interface {
	// next takes the first unit of b, which the receiving goroutine has read, and
	// returns its size. When b does not hold all of it n is 0 and need is the
	// unit's size, or a lower bound of it.
	next(b []byte) (n, need int, end *DisconnectError)
	// appendMessage, appendPing and appendBye append units to be sent.
	appendMessage(dst, msg []byte, d photon.Delivery) []byte
	appendPing(dst []byte, now time.Duration) []byte
	appendBye(dst []byte) []byte
	// cutOff is why the connection ended when the server just closed the socket.
	cutOff() Cause
}

// stream is a link over a byte stream. One goroutine reads, one writes and pings.
type stream struct {
	p       *Peer
	conn    net.Conn
	framing framing

	in   []byte // what was read and not taken yet is in[r:w]
	r, w int

	mu     sync.Mutex
	out    []byte
	ending bool // write what is left, then close

	poke    chan struct{} // capacity 1: out or ending has changed
	read    atomic.Uint32 // counts reads, for the time-out
	pinged  atomic.Int64  // when the last ping was sent, ns
	silent  atomic.Bool   // closed by the time-out
	reading chan struct{} // closed when the reader has ended
	writing chan struct{} // closed when the writer has ended
}

const (
	readBuffer = 4 << 10
	// byeTimeout bounds the last write of a connection.
	byeTimeout = 2 * time.Second
)

func newStream(p *Peer, conn net.Conn, f framing) *stream {
	return &stream{
		p: p, conn: conn, framing: f, in: make([]byte, readBuffer), poke: make(chan struct{}, 1),
		reading: make(chan struct{}), writing: make(chan struct{}),
	}
}

func (s *stream) send(msg []byte, d photon.Delivery) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending {
		return net.ErrClosed
	}
	if len(s.out)+len(msg) > s.p.opt.MaxQueuedBytes {
		return ErrQueueFull
	}
	s.out = s.framing.appendMessage(s.out, msg, d)
	s.wake()
	return nil
}

// sendUnits queues units that are framed already.
func (s *stream) sendUnits(units []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ending && len(s.out) <= s.p.opt.MaxQueuedBytes {
		s.out = append(s.out, units...)
		s.wake()
	}
}

func (s *stream) disconnect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ending {
		s.ending = true
		s.out = s.framing.appendBye(s.out)
		s.wake()
	}
}

func (s *stream) wake() {
	select {
	case s.poke <- struct{}{}:
	default:
	}
}

func (s *stream) run() *DisconnectError {
	go s.write()
	end := s.receive()
	close(s.reading)
	<-s.writing
	return end
}

// receive reads units until the stream ends.
func (s *stream) receive() *DisconnectError {
	for {
		need := 1
		for s.r < s.w {
			n, want, end := s.framing.next(s.in[s.r:s.w])
			if end != nil {
				return end
			}
			if n == 0 {
				need = want
				break
			}
			s.r += n
		}
		s.makeRoom(need)
		n, err := s.conn.Read(s.in[s.w:])
		if n > 0 {
			s.w += n
			s.read.Add(1)
			continue
		}
		if err != nil {
			return s.broken(err)
		}
	}
}

// makeRoom moves what is left to the front and makes the buffer large enough for
// a unit of size need.
func (s *stream) makeRoom(need int) {
	rest := s.in[s.r:s.w]
	switch {
	case need > len(s.in):
		grown := make([]byte, max(need, 2*len(s.in)))
		copy(grown, rest)
		s.in = grown
	case len(rest) == 0 && len(s.in) > maxKept && need <= readBuffer:
		s.in = make([]byte, readBuffer)
	default:
		copy(s.in, rest)
	}
	s.r, s.w = 0, len(rest)
}

func (s *stream) broken(err error) *DisconnectError {
	switch {
	case s.silent.Load():
		return &DisconnectError{Cause: ClientTimeout}
	case errors.Is(err, io.EOF):
		return &DisconnectError{Cause: s.framing.cutOff()}
	}
	return &DisconnectError{Cause: ConnectionLost, Err: err}
}

// write sends what is queued, pings, and watches for silence. When it ends it
// closes the connection, which ends the reader.
func (s *stream) write() {
	defer close(s.writing)
	defer s.conn.Close()
	ticker := time.NewTicker(s.p.opt.PingInterval)
	defer ticker.Stop()
	var buf []byte
	var reads uint32
	heard := s.p.now()
	for {
		s.mu.Lock()
		buf, s.out = s.out, kept(buf)
		ending := s.ending
		s.mu.Unlock()
		if len(buf) > 0 {
			limit := s.p.opt.Timeout
			if ending {
				limit = byeTimeout
			}
			if s.conn.SetWriteDeadline(time.Now().Add(limit)) != nil {
				return
			}
			if _, err := s.conn.Write(buf); err != nil {
				return
			}
			continue
		}
		if ending {
			return
		}
		select {
		case <-s.poke:
		case <-s.reading:
			// What is queued, a close frame for example, is still worth a try.
			s.mu.Lock()
			s.ending = true
			s.mu.Unlock()
		case <-ticker.C:
			now := s.p.now()
			if n := s.read.Load(); n != reads {
				reads, heard = n, now
			} else if now-heard >= s.p.opt.Timeout {
				s.silent.Store(true)
				return
			}
			s.pinged.Store(int64(now))
			s.mu.Lock()
			s.out = s.framing.appendPing(s.out, now)
			s.mu.Unlock()
		}
	}
}

// roundTrip is the time since the ping that carried the given milliseconds.
func (s *stream) roundTrip(now time.Duration, sent uint32) time.Duration {
	if last := time.Duration(s.pinged.Load()); millis(last) == sent {
		return now - last
	}
	return sinceMillis(now, sent)
}
