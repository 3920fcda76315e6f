package transport

import (
	"errors"
	"runtime"
	"time"

	"github.com/boson-project/boson/pkg/enet"
	"github.com/boson-project/boson/pkg/photon"
)

// pump is the goroutine that sends.
func (s *udpShard) pump() {
	defer close(s.pumped)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-s.wake:
			// Rooms that are about to run may have more to say to the same peers: one
			// turn of the scheduler joins their messages in fewer datagrams.
			runtime.Gosched()
		case <-timer.C:
		case <-s.l.done:
			return
		}
		var sleep time.Duration
		for more := true; more; {
			more, sleep = s.fill()
			// Errors are the kernel's; what is lost is sent again.
			_ = s.socket.write()
		}
		s.relieve()
		timer.Reset(sleep)
	}
}

// fill takes the outbox in and fills a batch. more tells that there is more to
// send now; sleep is how long there is nothing to do otherwise.
func (s *udpShard) fill() (more bool, sleep time.Duration) {
	s.outMu.Lock()
	s.outbox, s.spare = s.spare, s.outbox
	s.outMu.Unlock()
	s.lock()
	defer s.mu.Unlock()
	s.takeOutbox()
	s.wheel.advance(s.tick(), s.markReady)
	out := s.socket.out
	n := 0
	for ; n < len(s.replies) && !out.full(); n++ {
		r := &s.replies[n]
		out.add(r.to, copy(out.space(), r.data[:r.size]))
	}
	s.replies = s.replies[:copy(s.replies, s.replies[n:])]
	n = 0
	for ; n < len(s.ready) && !out.full(); n++ {
		if p := s.ready[n]; !s.output(p, out) {
			break // the batch is full before the peer is
		}
	}
	for i := range out.n {
		s.count.bytesOut += int64(out.size[i])
	}
	s.count.datagramsOut += int64(out.n)
	rest := copy(s.ready, s.ready[n:])
	clear(s.ready[rest:])
	s.ready = s.ready[:rest]
	s.publish()
	if len(s.ready) > 0 || len(s.replies) > 0 {
		return true, 0
	}
	s.sleepTick = s.wheel.next()
	return false, time.Duration(s.sleepTick-s.tick()) * time.Millisecond
}

// outboxKeep is the capacity that an outbox keeps, in messages of 40 bytes. One
// turn of large rooms adds several times outboxHigh, for what was read before is
// still relayed; growing anew each time would cost more than the memory.
const outboxKeep = 8 * outboxHigh

// takeOutbox hands what was posted to the connections.
func (s *udpShard) takeOutbox() {
	s.turn.sent(len(s.spare))
	for i := range s.spare {
		o := &s.spare[i]
		p := o.peer
		if o.last {
			p.end(o.reason)
			continue
		}
		p.outBytes.Add(-int32(len(o.msg) + udpOutgoingCost))
		if p.removed {
			continue
		}
		p.applyLimits()
		switch err := p.conn.Send(o.msg, photon.Delivery{Channel: o.channel, Mode: o.mode}); {
		case err == nil:
			s.count.messagesOut++
			s.markReady(p)
		case errors.Is(err, enet.ErrQueueFull):
			p.end(ReasonSendQueueFull)
		case errors.Is(err, enet.ErrMessageTooBig):
			p.end(ReasonMessageTooBig)
		}
	}
	clear(s.spare)
	s.spare = s.spare[:0]
	if cap(s.spare) > outboxKeep {
		s.spare = nil
	}
}

// output puts p's datagrams into the batch. It is false when the batch was full
// before all were in; then p stays ready.
func (s *udpShard) output(p *udpPeer, out *outBatch) bool {
	if p.removed {
		p.ready = false
		return true
	}
	if !p.started && !p.ended && s.now >= p.initBy {
		p.end(ReasonInitTimeout)
	}
	for {
		if out.full() {
			return false
		}
		n, more := p.conn.Output(s.now, out.space())
		if n > 0 {
			out.add(p.addr, n)
		}
		if !more {
			break
		}
	}
	p.ready = false
	p.notice()
	s.schedule(p)
	return true
}

// publish adds what was counted since the last time to the listener's counters.
func (s *udpShard) publish() {
	c, n := s.l.counters, &s.count
	c.MessagesIn.Add(n.messagesIn)
	c.MessagesOut.Add(n.messagesOut)
	c.BytesIn.Add(n.bytesIn)
	c.BytesOut.Add(n.bytesOut)
	c.DatagramsIn.Add(n.datagramsIn)
	c.DatagramsOut.Add(n.datagramsOut)
	if n.malformed > 0 {
		c.Malformed.Add(n.malformed)
	}
	if d := s.cfg.Stats.Resent - s.stats.Resent; d > 0 {
		c.Resent.Add(d)
	}
	if d := s.cfg.Stats.DroppedUnreliable - s.stats.DroppedUnreliable; d > 0 {
		c.DroppedUnreliable.Add(d)
	}
	s.stats = s.cfg.Stats
	*n = udpCounts{}
}
