package transport

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

const (
	// flushBuffer is where heads and small messages are put together.
	flushBuffer = 16 << 10
	// flushCopyMax is the size up to which copying a message is cheaper than a
	// further element of a vectored write.
	flushCopyMax = 1 << 10
	// flushHeadMax is the longest head of a message.
	flushHeadMax = 10
	// flushQueueKeep is the queue that an idle session keeps, in messages.
	flushQueueKeep = 8
)

// flusher is the working memory of one flush. It is pooled, so that idle
// sessions hold none.
type flusher struct {
	batch []outgoing
	joint []byte      // heads and small messages
	parts net.Buffers // what is written, in order: pieces of joint, and large messages
	rest  net.Buffers // parts, as WriteTo eats them
}

var flushers = sync.Pool{New: func() any { return &flusher{joint: make([]byte, 0, flushBuffer)} }}

// flush writes what is queued, everything that waits at once, until there is
// nothing left. It is the session's only writer until finish.
func (s *streamSession) flush() {
	defer s.l.wg.Done()
	f := flushers.Get().(*flusher)
	defer flushers.Put(f)
	cost := 0 // of the batch that was written
	for {
		s.mu.Lock()
		s.queued -= cost
		f.batch, s.queue = s.queue, f.batch
		s.unreliable = 0
		if len(f.batch) == 0 || s.broken {
			clear(f.batch)
			if cap(s.queue) > flushQueueKeep {
				f.batch, s.queue = s.queue, nil
			}
			f.batch = f.batch[:0]
			s.flushing = false
			s.flushed.Broadcast()
			s.mu.Unlock()
			return
		}
		// As for reads, most writes need no timer.
		if now, idle := time.Now(), s.l.limits.IdleTimeout; !s.closing && now.Sub(s.writeArmed) > idle/8 {
			s.writeArmed = now
			_ = s.raw.SetWriteDeadline(now.Add(idle + idle/8))
		}
		s.mu.Unlock()

		cost = 0
		for i := range f.batch {
			cost += len(f.batch[i].msg) + outgoingCost
		}
		n, err := f.write(s)
		s.l.counters.MessagesOut.Add(int64(len(f.batch)))
		s.l.counters.BytesOut.Add(n)
		clear(f.batch)
		f.batch = f.batch[:0]
		if err != nil {
			s.mu.Lock()
			s.broken = true
			if errors.Is(err, os.ErrDeadlineExceeded) {
				s.end(ReasonTimeout)
			} else {
				s.end(ReasonConnectionLost)
			}
			s.mu.Unlock()
		}
	}
}

// write writes the batch, in as few system calls as it goes.
func (f *flusher) write(s *streamSession) (written int64, err error) {
	from := 0 // where in joint the part begins that is not in parts yet
	for i := range f.batch {
		o := &f.batch[i]
		need := flushHeadMax
		small := len(o.msg) <= flushCopyMax
		if small {
			need += len(o.msg)
		}
		if cap(f.joint)-len(f.joint) < need {
			n, err := f.out(s, from)
			written += n
			if err != nil {
				return written, err
			}
			from = 0
		}
		if o.kind != outWhole {
			f.joint = s.appendHead(f.joint, len(o.msg))
		}
		if small {
			f.joint = append(f.joint, o.msg...)
			continue
		}
		if from < len(f.joint) {
			f.parts = append(f.parts, f.joint[from:])
			from = len(f.joint)
		}
		f.parts = append(f.parts, o.msg)
	}
	n, err := f.out(s, from)
	return written + n, err
}

// out writes parts and the end of joint, and empties both.
func (f *flusher) out(s *streamSession, from int) (n int64, err error) {
	if from < len(f.joint) {
		f.parts = append(f.parts, f.joint[from:])
	}
	switch len(f.parts) {
	case 0:
	case 1:
		var m int
		m, err = s.conn.Write(f.parts[0])
		n = int64(m)
	default:
		f.rest = f.parts
		n, err = f.rest.WriteTo(s.conn)
	}
	clear(f.parts)
	f.parts, f.rest, f.joint = f.parts[:0], nil, f.joint[:0]
	return n, err
}
