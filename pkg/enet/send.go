package enet

import (
	"time"

	"github.com/boson-project/boson/pkg/photon"
)

// Send queues a message. It keeps msg, which nobody may change afterwards; it
// may be shared with other connections. A message above MTU-48 travels in
// reliable fragments, whatever its mode (wire.md 3.3, 3.13). A channel that the
// client did not announce is replaced by channel 0 (wire.md 3.6).
//
// When the queue is full an unreliable message takes the place of older
// unreliable ones, or is dropped; a reliable one is refused with ErrQueueFull,
// after which the connection should be ended. An empty queue takes any message
// up to the largest size.
func (c *Conn) Send(msg []byte, d photon.Delivery) error {
	if c.state > Connected {
		return ErrClosed
	}
	if len(msg) > c.maxMessage {
		return ErrMessageTooBig
	}
	if d.Channel >= c.channelN {
		d.Channel = 0
	}
	unsequenced := c.unsequenced && d.Mode >= photon.UnreliableUnsequenced
	reliable := d.Mode == photon.Reliable || d.Mode == photon.ReliableUnsequenced
	if len(msg) > c.fragmentSize() {
		return c.sendFragments(d.Channel, msg, unsequenced)
	}
	size := unreliableSize + len(msg)
	if reliable {
		size = commandSize + len(msg)
	}
	ch := c.channelFor(d.Channel)
	if !c.makeRoom(ch, size, reliable) {
		if reliable {
			return ErrQueueFull
		}
		c.cfg.Stats.DroppedUnreliable++
		return nil
	}
	if !reliable {
		c.wait(ch, msg, size, unsequenced)
		return nil
	}
	cmd := c.cfg.newCommand()
	cmd.msg, cmd.channel, cmd.reserved = msg, d.Channel, reservedByte
	if unsequenced {
		ch.outUnseq++
		cmd.kind, cmd.flags, cmd.sequence = typeReliableUnsequenced, flagReliable|flagUnsequenced, ch.outUnseq
	} else {
		ch.outRel++
		cmd.kind, cmd.flags, cmd.sequence = typeReliable, flagReliable, ch.outRel
	}
	c.enqueue(ch, cmd)
	return nil
}

// wait queues an unreliable message, which is a command of so many bytes.
func (c *Conn) wait(ch *channel, msg []byte, size int, unsequenced bool) {
	ch.order++
	w := ch.unreliable.push(c.cfg)
	w.msg, w.order = msg, ch.order
	if unsequenced {
		c.unseqOut++
		w.kind, w.sequence, w.number = typeUnsequenced, 0, c.unseqOut
	} else {
		ch.outUnrel++
		w.kind, w.sequence, w.number = typeUnreliable, ch.outRel, ch.outUnrel
	}
	c.queued++
	c.queuedBytes += size
}

func (c *Conn) fragmentSize() int { return int(c.mtu) - fragmentReserve }

func (c *Conn) sendFragments(number byte, msg []byte, unsequenced bool) error {
	part := c.fragmentSize()
	count := (len(msg) + part - 1) / part
	ch := c.channelFor(number)
	if !c.makeRoom(ch, len(msg)+count*fragmentHeader, true) {
		return ErrQueueFull
	}
	kind, flags, last := typeFragment, byte(flagReliable), &ch.outRel
	if unsequenced {
		kind, flags, last = typeFragmentUnsequenced, flagReliable|flagUnsequenced, &ch.outUnseq
	}
	start := *last + 1
	for i := range count {
		off := i * part
		*last++
		cmd := c.cfg.newCommand()
		cmd.kind, cmd.flags, cmd.channel, cmd.reserved = kind, flags, number, reservedByte
		cmd.sequence, cmd.number = *last, start
		cmd.fragments, cmd.fragment = uint32(count), uint32(i)
		cmd.total, cmd.offset = uint32(len(msg)), uint32(off)
		cmd.msg = msg[off:min(off+part, len(msg))]
		c.enqueue(ch, cmd)
	}
	return nil
}

func (c *Conn) enqueue(ch *channel, cmd *command) {
	ch.order++
	cmd.order = ch.order
	ch.reliable.push(cmd)
	c.queued++
	c.queuedBytes += cmd.size()
}

// fits tells whether size more bytes may be queued.
func (c *Conn) fits(size int) bool {
	return c.queuedBytes == 0 || c.queuedBytes+size <= c.maxQueued
}

// makeRoom tells whether size more bytes may be queued on ch. For that it drops
// the oldest unreliable messages: of the channel for an unreliable one, of every
// channel for a reliable one.
func (c *Conn) makeRoom(ch *channel, size int, reliable bool) bool {
	for ch.unreliable.first() != nil && !c.fits(size) {
		c.dropUnreliable(ch)
	}
	if !reliable || c.fits(size) {
		return c.fits(size)
	}
	for _, other := range c.channels {
		for other != nil && other.unreliable.first() != nil && !c.fits(size) {
			c.dropUnreliable(other)
		}
	}
	return c.fits(size)
}

func (c *Conn) dropUnreliable(ch *channel) {
	c.popWaiting(ch, ch.unreliable.first().size())
	c.cfg.Stats.DroppedUnreliable++
}

// popWaiting takes the first unreliable message out, a command of so many bytes.
func (c *Conn) popWaiting(ch *channel, size int) {
	ch.unreliable.pop(c.cfg)
	c.queued--
	c.queuedBytes -= size
}

// rateWindow is how often the transmit rate is checked (wire.md 14).
const rateWindow = 200 * time.Millisecond

// rateUsedUp is true when the bytes of the current window are spent.
func (c *Conn) rateUsedUp() bool {
	return c.cfg.TransmitRate > 0 && c.rateBytes >= c.cfg.TransmitRate/int(time.Second/rateWindow)
}

// pick returns what must leave next, the first of a channel's queues: a reliable
// command, an unreliable message, or neither when none may. Lower channels go
// first, within a channel it is the order of the calls. An unsequenced unreliable
// message may pass reliable ones that wait for the window. What is unreliable and
// above the transmit rate is dropped.
func (c *Conn) pick() (*channel, *command, *waiting) {
	if c.queued == 0 {
		return nil, nil, nil
	}
	limited := c.rateUsedUp()
	for _, ch := range c.channels {
		if ch == nil {
			continue
		}
		for limited && ch.unreliable.first() != nil {
			c.dropUnreliable(ch)
		}
		r, u := ch.reliable.head, ch.unreliable.first()
		open := r != nil && !limited && c.windowOpen(ch, r)
		if u != nil && (r == nil || before(u.order, r.order) || !open && u.kind == typeUnsequenced) {
			return ch, nil, u
		}
		if open {
			return ch, r, nil
		}
	}
	return nil, nil, nil
}

// windowOpen tells whether one more reliable command may be in flight.
func (c *Conn) windowOpen(ch *channel, cmd *command) bool {
	if c.inFlight == 0 {
		return true
	}
	return c.inFlightBytes+cmd.size() <= int(c.congested.window) && c.inFlight < c.cfg.WindowCommands &&
		ch.sent.n+ch.sentUnsequenced.n < c.cfg.ChannelWindow
}
