package enet

import "time"

// maxDisconnects is how often a server sends its DISCONNECT: clients of 4.0
// do not acknowledge it (wire.md 3.15).
const maxDisconnects = 3

// Output writes the next datagram that is due at now to buf and returns its
// length, or 0 when nothing is due. more tells that there is another one. A
// datagram is never longer than the MTU and than buf, which should hold MaxMTU
// bytes. Output also lets time pass: resends, pings and time-outs happen here.
func (c *Conn) Output(now time.Duration, buf []byte) (n int, more bool) {
	c.advance(now)
	limit := min(len(buf), int(c.mtu))
	h := Header{CRC: c.crc, Time: millis(now), Challenge: c.challenge}
	if !c.server {
		h.PeerID = c.peerID
	}
	n = h.Size()
	count, acks := 0, 0
	for acks < len(c.acks) && count < maxCommands && n+ackSize <= limit {
		putAck(buf[n:], c.acks[acks])
		acks++
		count++
		n += ackSize
	}
	onlyAcks := n
	n, count = c.putCommands(now, buf[:limit], n, count)
	// Acknowledgements wait for data to ride on, unless they take its place.
	if n == onlyAcks && (acks == 0 || now < c.ackAt && !c.sendable(now)) {
		return 0, false
	}
	c.popAcks(now, acks)
	h.Commands = byte(count)
	putHeader(buf, h)
	if c.crc {
		putChecksum(buf[:n])
	}
	return n, c.sendable(now)
}

// putCommands writes control commands, then resends, then queued messages, as
// many as fit.
func (c *Conn) putCommands(now time.Duration, buf []byte, n, count int) (int, int) {
	for c.control.head != nil {
		cmd := c.control.head
		if count >= maxCommands || n+cmd.size() > len(buf) {
			return n, count
		}
		n += cmd.put(buf[n:])
		count++
		c.control.remove(cmd)
		if cmd.reliable() {
			c.markSent(now, &c.controlSent, cmd)
			continue
		}
		// Only a DISCONNECT that nobody acknowledges.
		c.cfg.release(cmd)
		c.state = Closed
	}
	if c.overdue > 0 {
		n, count = c.putOverdue(now, buf, n, count, &c.controlSent)
		for _, ch := range c.channels {
			if ch != nil && c.overdue > 0 {
				n, count = c.putOverdue(now, buf, n, count, &ch.sent)
				n, count = c.putOverdue(now, buf, n, count, &ch.sentUnsequenced)
			}
		}
		if c.overdue > 0 {
			return n, count
		}
	}
	if c.state != Connected && c.state != Draining {
		return n, count
	}
	for count < maxCommands {
		ch, cmd, unreliable := c.pick()
		if unreliable != nil {
			size := unreliable.size()
			if n+size > len(buf) {
				break
			}
			n += unreliable.put(buf[n:], ch.number)
			count++
			c.rateBytes += size
			c.popWaiting(ch, size)
			continue
		}
		if cmd == nil || n+cmd.size() > len(buf) {
			break
		}
		size := cmd.put(buf[n:])
		n += size
		count++
		c.rateBytes += size
		ch.reliable.remove(cmd)
		c.queued--
		c.queuedBytes -= size
		if cmd.flags&flagUnsequenced != 0 {
			c.markSent(now, &ch.sentUnsequenced, cmd)
		} else {
			c.markSent(now, &ch.sent, cmd)
		}
	}
	return n, count
}

// putOverdue writes what must be sent again of one queue.
func (c *Conn) putOverdue(now time.Duration, buf []byte, n, count int, q *queue) (int, int) {
	for cmd := q.head; cmd != nil && c.overdue > 0 && count < maxCommands; cmd = cmd.next {
		if !cmd.overdue {
			continue
		}
		if n+cmd.size() > len(buf) {
			break
		}
		size := cmd.put(buf[n:])
		n += size
		count++
		c.rateBytes += size
		cmd.overdue = false
		c.overdue--
		cmd.resends++
		cmd.wait = min(max(cmd.wait*2, c.firstWait()), c.cfg.MaxResendWait)
		cmd.due = now + cmd.wait
		c.resendAt = min(c.resendAt, cmd.due)
		c.lastReliable = now
		c.cfg.Stats.Resent++
	}
	return n, count
}

// markSent puts a command in flight, for the first time.
func (c *Conn) markSent(now time.Duration, q *queue, cmd *command) {
	cmd.first = now
	cmd.wait = c.firstWait()
	cmd.due = now + cmd.wait
	if c.inFlight == 0 {
		c.resendAt = cmd.due
	}
	c.resendAt = min(c.resendAt, cmd.due)
	c.lastReliable = now
	q.push(cmd)
	c.inFlight++
	c.inFlightBytes += cmd.size()
}

// firstWait is how long an acknowledgement is waited for, as far as is known now.
func (c *Conn) firstWait() time.Duration {
	rtt := time.Duration(c.rtt+4*c.rttVar) * time.Millisecond
	return min(max(rtt, c.cfg.MinResendWait), c.cfg.MaxFirstWait)
}

// popAcks removes the first n acks, which were written.
func (c *Conn) popAcks(now time.Duration, n int) {
	if n == 0 {
		return
	}
	rest := copy(c.acks, c.acks[n:])
	c.acks = c.acks[:rest]
	c.ackAt = now
	if rest == 0 {
		c.cfg.releaseAcks(c.acks)
		c.acks = nil
	}
}

// sendable tells whether Output has something to send at now.
func (c *Conn) sendable(now time.Duration) bool {
	if len(c.acks) > 0 && now >= c.ackAt || c.control.n > 0 || c.overdue > 0 {
		return true
	}
	if c.state != Connected && c.state != Draining {
		return false
	}
	ch, _, _ := c.pick()
	return ch != nil
}

// advance lets time pass.
func (c *Conn) advance(now time.Duration) {
	if now-c.rateAt >= rateWindow {
		c.rateAt, c.rateBytes = now, 0
	}
	switch c.state {
	case Connecting:
		if now-c.created >= c.cfg.ConnectTimeout {
			c.close(CauseTimeout)
		}
	case Connected:
		if now-c.lastReliable < c.cfg.PingInterval || !c.idle() {
			break
		}
		if c.server && now-c.heard < c.cfg.PingInterval {
			// The client pings as well, and is there: that is a third of what idle
			// clients cost. One that only acknowledges is heard no more, and pinged.
			c.lastReliable = c.heard
		} else {
			c.pushControl(typePing, flagReliable, reservedByte, nil)
		}
	case Draining:
		if c.idle() || now >= c.closeAt {
			c.leave(c.reason)
		}
	}
	if c.inFlight > 0 && now >= c.resendAt {
		c.checkResends(now)
	}
}

// idle is true when nothing waits to be sent or acknowledged.
func (c *Conn) idle() bool { return c.inFlight+c.control.n+c.queued == 0 }

// checkResends marks the commands that must be sent again, gives up on a
// connection that acknowledges nothing, and finds the next time to look.
func (c *Conn) checkResends(now time.Duration) {
	c.resendAt = forever
	if !c.checkQueue(now, &c.controlSent) {
		return
	}
	for _, ch := range c.channels {
		if ch != nil && (!c.checkQueue(now, &ch.sent) || !c.checkQueue(now, &ch.sentUnsequenced)) {
			return
		}
	}
}

// checkQueue is false when the connection was given up.
func (c *Conn) checkQueue(now time.Duration, q *queue) bool {
	for cmd := q.head; cmd != nil; cmd = cmd.next {
		if cmd.overdue {
			continue
		}
		if now < cmd.due {
			c.resendAt = min(c.resendAt, cmd.due)
			continue
		}
		// The link has become slower since: acks of what was sent before take longer.
		if due := cmd.first + c.firstWait(); cmd.resends == 0 && now < due {
			cmd.due = due
			c.resendAt = min(c.resendAt, due)
			continue
		}
		if cmd.kind == typeDisconnect {
			if int(cmd.resends)+1 >= maxDisconnects {
				c.close(c.cause)
				return false
			}
		} else if c.giveUp(now, cmd) {
			if c.cause == CauseNone {
				c.cause, c.reason = CauseTimeout, ReasonTimeout
			}
			c.leave(c.reason)
			return false
		} else if later := c.congested.lost(c, now, cmd.size()); later > now {
			cmd.due = later
			c.resendAt = min(c.resendAt, later)
			continue
		}
		cmd.overdue = true
		c.overdue++
	}
	return true
}

// giveUp tells whether a command that is due for a resend has waited too long.
func (c *Conn) giveUp(now time.Duration, cmd *command) bool {
	age := now - cmd.first
	return int(cmd.resends) >= c.cfg.MinResends && min(age, now-c.ackedAt) >= c.cfg.MinTimeout || age >= c.cfg.MaxTimeout
}

// close ends the connection without a word.
func (c *Conn) close(cause Cause) {
	c.cause = cause
	c.state = Closed
	c.drop()
}

// Deadline is the time at which Output must be asked again if nothing else
// happens. It may be in the past: then Output has something to do now. A
// connection that is Done has no deadline: the largest duration.
func (c *Conn) Deadline() time.Duration {
	if c.control.n > 0 || c.overdue > 0 {
		return 0
	}
	d := forever
	if len(c.acks) > 0 {
		d = c.ackAt
	}
	if c.inFlight > 0 {
		d = min(d, c.resendAt)
	}
	switch c.state {
	case Connecting:
		return min(d, c.created+c.cfg.ConnectTimeout)
	case Connected:
		if c.idle() {
			return min(d, c.lastReliable+c.cfg.PingInterval)
		}
	case Draining:
		if c.idle() {
			return 0
		}
		d = min(d, c.closeAt)
	default:
		return d
	}
	if c.queued == 0 {
		return d
	}
	if c.rateUsedUp() {
		return min(d, c.rateAt+rateWindow)
	}
	if ch, _, _ := c.pick(); ch != nil {
		return 0
	}
	return d
}
