package enet

import (
	"encoding/binary"
	"time"

	"github.com/boson-project/boson/pkg/photon"
)

// Receiver gets the messages of a connection.
type Receiver interface {
	// Receive gets one message, which is valid only during the call. It may call
	// Send, Disconnect and Abort of the connection.
	Receive(msg []byte, d photon.Delivery)
}

// maxAcks bounds the acknowledgements that wait. Commands beyond are ignored as
// if they had been lost.
const maxAcks = 2048

// Input consumes one datagram that arrived at now. It keeps no reference to it.
// Messages go to out, in order and possibly several. ErrMalformed and ErrForeign
// need no action; after ErrProtocol and ErrMessageTooBig the caller must end the
// connection.
func (c *Conn) Input(now time.Duration, datagram []byte, out Receiver) error {
	h, ok := ParseHeader(datagram)
	if !ok {
		return ErrMalformed
	}
	if h.Challenge != c.challenge {
		return ErrForeign
	}
	// A client that uses CRC uses it from its first datagram on; it accepts plain
	// datagrams itself (wire.md 3.1).
	if h.CRC && !checksumOK(datagram) || c.server && c.crc && !h.CRC {
		return ErrMalformed
	}
	known := true
	if c.server {
		switch h.PeerID {
		case c.peerID:
			c.heard = now
		case unknownPeer, unknownPeerTraced:
			// Such a datagram proves nothing: it may ask to connect, or give up.
			known = false
		default:
			return ErrForeign
		}
	}
	rest := datagram[h.Size():]
	for range h.Commands {
		if len(rest) == 0 {
			return nil
		}
		if len(rest) < commandSize {
			return ErrMalformed
		}
		cmd := parseCommand(rest)
		if cmd.length < commandSize || cmd.length > uint32(len(rest)) {
			return ErrMalformed
		}
		body := rest[commandSize:cmd.length]
		rest = rest[cmd.length:]
		if !known && cmd.kind != typeConnect && cmd.kind != typeDisconnect {
			continue
		}
		if err := c.command(now, h, cmd, body, out); err != nil {
			return err
		}
	}
	return nil
}

// command handles one command and acknowledges it.
func (c *Conn) command(now time.Duration, h Header, cmd commandHeader, body []byte, out Receiver) error {
	switch cmd.kind {
	case typeAck, typeAckUnsequenced:
		if len(body) < ackSize-commandSize {
			return ErrMalformed
		}
		c.acked(now, h.Time, ack{
			channel: cmd.channel, unsequenced: cmd.kind == typeAckUnsequenced,
			sequence: binary.BigEndian.Uint32(body), time: binary.BigEndian.Uint32(body[4:]),
		})
		return nil
	case typeDisconnect:
		c.disconnected(now, h, cmd)
		return nil
	}
	if c.state >= Leaving || len(c.acks) >= maxAcks {
		return nil
	}
	switch {
	case cmd.kind == typeConnect && c.server:
		c.acknowledge(now, cmd, h.Time, true) // it was slow to get here, or is a copy
		return nil
	case cmd.kind == typeVerify && !c.server && len(body) >= 2 && c.state == Connecting:
		c.state = Connected
		c.peerID = binary.BigEndian.Uint16(body)
		c.lastReliable = now
	case c.state == Connecting:
		return nil
	}
	accepted := true
	var err error
	if cmd.channel < c.channelN {
		accepted, err = c.data(cmd, body, out)
	}
	if accepted && cmd.flags&flagReliable != 0 {
		c.acknowledge(now, cmd, h.Time, cmd.kind == typeFetchTime)
	}
	return err
}

// data handles a command on a data channel. accepted is false when it must come
// again, or makes no sense.
func (c *Conn) data(cmd commandHeader, body []byte, out Receiver) (accepted bool, err error) {
	// Fragments are shorter than the message that they announce.
	if len(body) > c.maxMessage && len(body)-(cmd.kind.bodyOffset()-commandSize) > c.maxMessage {
		return false, ErrMessageTooBig
	}
	switch cmd.kind {
	case typeReliable:
		return c.receiveOrdered(cmd, fragment{}, body, out)
	case typeFragment:
		f, part, ok := parseFragment(cmd, body)
		if !ok {
			return false, ErrMalformed
		}
		return c.receiveOrdered(cmd, f, part, out)
	case typeUnreliable:
		if len(body) < unreliableSize-commandSize {
			return false, ErrMalformed
		}
		c.receiveUnreliable(cmd, binary.BigEndian.Uint32(body), body[4:], out)
	case typeUnsequenced:
		if len(body) < unreliableSize-commandSize {
			return false, ErrMalformed
		}
		if cmd.flags&flagUnsequenced == 0 {
			return true, nil
		}
		c.unsequenced = true
		if c.unseqIn.accept(binary.BigEndian.Uint32(body)) {
			deliver(out, body[4:], cmd.channel, photon.UnreliableUnsequenced)
		}
	case typeReliableUnsequenced:
		c.unsequenced = true
		w := &c.channelFor(cmd.channel).inUnseq
		switch w.check(cmd.sequence) {
		case seenTooFar:
			return false, nil
		case seenNew:
			w.add(cmd.sequence)
			deliver(out, body, cmd.channel, photon.ReliableUnsequenced)
		}
	case typeFragmentUnsequenced:
		f, part, ok := parseFragment(cmd, body)
		if !ok {
			return false, ErrMalformed
		}
		c.unsequenced = true
		return c.receiveUnsequencedFragment(cmd, f, part, out)
	}
	return true, nil
}

// deliver hands a message over. Empty ones are ignored (wire.md 3.16).
func deliver(out Receiver, msg []byte, channel byte, mode photon.DeliveryMode) {
	if len(msg) > 0 {
		out.Receive(msg, photon.Delivery{Channel: channel, Mode: mode})
	}
}

// acknowledge queues an ACK, or ACK_UNSEQUENCED when flag bit 1 says so.
func (c *Conn) acknowledge(now time.Duration, cmd commandHeader, sent uint32, atOnce bool) {
	at := now
	if !atOnce {
		at += c.cfg.AckDelay
	}
	if c.acks == nil {
		c.acks = c.cfg.newAcks()
		c.ackAt = at
	}
	c.ackAt = min(c.ackAt, at)
	c.acks = append(c.acks, ack{
		channel: cmd.channel, sequence: cmd.sequence, time: sent,
		unsequenced: cmd.flags&flagUnsequenced != 0,
	})
}

// disconnected handles a DISCONNECT: the connection is over at once.
func (c *Conn) disconnected(now time.Duration, h Header, cmd commandHeader) {
	if cmd.flags&flagReliable != 0 && len(c.acks) < maxAcks {
		c.acknowledge(now, cmd, h.Time, true)
	}
	if c.state == Closed {
		return
	}
	cause := c.cause
	if cause == CauseNone {
		cause = CauseRemote
		c.remoteReason = cmd.reserved
	}
	c.close(cause)
}

// acked takes a command out of flight.
func (c *Conn) acked(now time.Duration, headerTime uint32, a ack) {
	q := &c.controlSent
	if a.channel != controlChannel {
		ch := c.existing(a.channel)
		if ch == nil {
			return
		}
		q = &ch.sent
		if a.unsequenced {
			q = &ch.sentUnsequenced
		}
	}
	measured := int32(millis(now) - a.time)
	cmd := q.find(a.sequence)
	if cmd == nil {
		// The answer to the CONNECT was sent before there was a connection.
		if c.server && !c.rttKnown && a.channel == controlChannel && a.sequence == verifySequence {
			c.measure(measured)
		}
		return
	}
	q.remove(cmd)
	c.inFlight--
	c.inFlightBytes -= cmd.size()
	c.ackedAt = now
	c.congested.acked(c, cmd.size())
	if cmd.overdue {
		c.overdue--
	}
	switch cmd.kind {
	case typeFetchTime:
		c.serverDelta = headerTime + uint32(max(measured, 0)/2) - millis(now)
		c.timeKnown = true
	case typeDisconnect:
		c.close(c.cause)
	default:
		c.measure(measured)
	}
	c.cfg.release(cmd)
}

// maxMeasured in ms: a longer round trip is a lie or a wrapped clock.
const maxMeasured = 60000

// measure updates the round-trip time as the clients do (wire.md 3.9).
func (c *Conn) measure(measured int32) {
	if measured < 0 || measured > maxMeasured {
		return
	}
	if !c.rttKnown {
		c.rttKnown = true
		c.rtt = max(measured, minFirstRTT)
		// Without a guess at the variance everything sent before the second
		// measurement would be resent for the sake of a delayed ack.
		c.rttVar = c.rtt / 2
		return
	}
	c.rttVar -= c.rttVar / 4
	if measured >= c.rtt {
		c.rtt += (measured - c.rtt) / 8
		c.rttVar += (measured - c.rtt) / 4
	} else {
		c.rtt -= (c.rtt - measured) / 8
		c.rttVar += (c.rtt - measured) / 4
	}
}

// minFirstRTT bounds the first measurement from below, in ms (wire.md 3.9).
const minFirstRTT = 15
