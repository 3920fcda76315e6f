package enet

import (
	"encoding/binary"

	"github.com/boson-project/boson/pkg/photon"
)

// fragment is the head of a part of a message (wire.md 3.5); count 0 is a whole message.
type fragment struct {
	start, count, number, total, offset uint32
}

// parseFragment reads and checks a fragment by itself. Its place in the stream
// is its sequence number: start + number.
func parseFragment(cmd commandHeader, body []byte) (f fragment, part []byte, ok bool) {
	if len(body) <= fragmentHeader-commandSize {
		return f, nil, false
	}
	f = fragment{
		start:  binary.BigEndian.Uint32(body),
		count:  binary.BigEndian.Uint32(body[4:]),
		number: binary.BigEndian.Uint32(body[8:]),
		total:  binary.BigEndian.Uint32(body[12:]),
		offset: binary.BigEndian.Uint32(body[16:]),
	}
	part = body[fragmentHeader-commandSize:]
	ok = f.number < f.count && f.start+f.number == cmd.sequence &&
		f.count <= f.total && f.offset <= f.total && uint32(len(part)) <= f.total-f.offset
	return f, part, ok
}

// receiveOrdered handles types 6 and 8: dispatch strictly in sequence.
func (c *Conn) receiveOrdered(cmd commandHeader, f fragment, data []byte, out Receiver) (accepted bool, err error) {
	if f.total > uint32(c.maxMessage) {
		return false, ErrMessageTooBig
	}
	ch := c.channelFor(cmd.channel)
	if !before(ch.inRel, cmd.sequence) {
		return true, nil
	}
	if cmd.sequence != ch.inRel+1 {
		return c.keepOrdered(ch, cmd.sequence, f, data), nil
	}
	// Its turn has come, so it frees others: it may exceed the bound by one message,
	// and the one to finish is one whose turn has come.
	if f.count > 1 && !c.hasRoom(len(data)) {
		c.finishing.claim(ch.part(f))
		within := c.bufferedBytes+len(data) <= c.maxBuffered+c.maxMessage && c.hasShare(len(data))
		if !within && !c.mayFinish(c.finishing, ch.part(f), len(data)) {
			return false, nil
		}
	}
	if err := c.consume(ch, cmd.sequence, f, data, out); err != nil {
		return false, err
	}
	for ch.early != nil && c.state < Leaving {
		p := ch.early.takeOrdered(ch.inRel + 1)
		if p == nil {
			break
		}
		c.freePiece(p)
		if err := c.consume(ch, p.sequence, p.fragment, p.data, out); err != nil {
			return false, err
		}
	}
	ch.settle()
	return true, nil
}

// consume takes the next command of the ordered stream.
func (c *Conn) consume(ch *channel, sequence uint32, f fragment, data []byte, out Receiver) error {
	ch.inRel = sequence
	var current fragment
	if ch.early != nil {
		current = ch.early.current
	}
	if f.count <= 1 {
		if current.count != 0 || f.count == 1 && f.total != uint32(len(data)) {
			return ErrProtocol
		}
		c.dispatchOrdered(ch, data, out)
		return nil
	}
	if f.number == 0 {
		if current.count != 0 || f.offset != 0 {
			return ErrProtocol
		}
		ch.keep().current = f
	} else if current.start != f.start || current.count != f.count || current.total != f.total ||
		f.offset != uint32(len(ch.early.message)) {
		return ErrProtocol
	}
	e := ch.early
	e.message = append(e.message, data...)
	c.hold(len(data))
	if f.number+1 < f.count {
		return nil
	}
	msg := e.message
	if uint32(len(msg)) != f.total {
		return ErrProtocol
	}
	e.message, e.current = nil, fragment{}
	c.hold(-len(msg))
	c.finishing.finished(ch.part(f))
	c.dispatchOrdered(ch, msg, out)
	return nil
}

// dispatchOrdered hands a reliable message over, and the unreliable ones that
// waited for it.
func (c *Conn) dispatchOrdered(ch *channel, msg []byte, out Receiver) {
	ch.inDone = ch.inRel
	deliver(out, msg, ch.number, photon.Reliable)
	// The receiver may have ended the connection.
	for ch.early != nil && c.state < Leaving {
		p := ch.early.takeWaiting(ch.inDone)
		if p == nil {
			return
		}
		c.freePiece(p)
		if p.sequence == ch.inDone && before(ch.inUnrel, p.number) {
			ch.inUnrel = p.number
			deliver(out, p.data, ch.number, photon.Unreliable)
		}
	}
}

// receiveUnreliable handles type 7.
func (c *Conn) receiveUnreliable(cmd commandHeader, number uint32, msg []byte, out Receiver) {
	ch := c.channelFor(cmd.channel)
	if !before(ch.inUnrel, number) || before(cmd.sequence, ch.inDone) {
		return
	}
	if before(ch.inDone, cmd.sequence) {
		c.keepWaiting(ch, cmd.sequence, number, msg)
		return
	}
	ch.inUnrel = number
	deliver(out, msg, cmd.channel, photon.Unreliable)
}

// receiveUnsequencedFragment handles type 15: parts are kept by message, and the
// message is dispatched when it is whole.
func (c *Conn) receiveUnsequencedFragment(cmd commandHeader, f fragment, data []byte, out Receiver) (accepted bool, err error) {
	if f.total > uint32(c.maxMessage) {
		return false, ErrMessageTooBig
	}
	ch := c.channelFor(cmd.channel)
	switch ch.inUnseq.check(cmd.sequence) {
	case seenAgain:
		return true, nil
	case seenTooFar:
		return false, nil
	}
	if f.count == 1 {
		if uint32(len(data)) != f.total {
			return false, ErrProtocol
		}
		ch.inUnseq.add(cmd.sequence)
		deliver(out, data, cmd.channel, photon.ReliableUnsequenced)
		return true, nil
	}
	if !c.hasRoom(len(data)) {
		c.finishingUnseq.claim(ch.part(f))
		if !c.mayFinish(c.finishingUnseq, ch.part(f), len(data)) {
			return false, nil
		}
	}
	m, ok := c.keepPart(ch, cmd.sequence, f, data)
	if !ok {
		return false, ErrProtocol
	}
	ch.inUnseq.add(cmd.sequence)
	if m.have < f.count {
		return true, nil
	}
	e := ch.early
	delete(e.partial, f.start)
	msg := make([]byte, 0, f.total)
	for number := range f.count {
		p := c.takePart(e, f.start+number)
		if p.fragment.offset != uint32(len(msg)) {
			return false, ErrProtocol
		}
		msg = append(msg, p.data...)
	}
	if uint32(len(msg)) != f.total {
		return false, ErrProtocol
	}
	ch.settle()
	c.finishingUnseq.finished(ch.part(f))
	deliver(out, msg, cmd.channel, photon.ReliableUnsequenced)
	return true, nil
}
