package enet

import (
	"encoding/binary"
	"time"
)

// command is one outgoing command, queued or in flight. Its message is shared
// and never copied until it is written into a datagram. Unreliable messages have a
// leaner form, see waiting.
type command struct {
	next, prev *command
	msg        []byte // message, part of a message, or body of a control command
	first      time.Duration
	due        time.Duration // next resend
	wait       time.Duration // until the next resend, doubles

	sequence uint32
	number   uint32 // start sequence of a fragment
	order    uint32 // of the call within the channel

	fragments uint32
	fragment  uint32
	total     uint32
	offset    uint32

	kind     commandType
	channel  byte
	flags    byte
	reserved byte
	resends  uint8
	overdue  bool // counted in Conn.overdue
}

// bodyOffset is the size of a command of kind k before its message.
func (k commandType) bodyOffset() int {
	switch k {
	case typeUnreliable, typeUnsequenced:
		return unreliableSize
	case typeFragment, typeFragmentUnsequenced:
		return fragmentHeader
	default:
		return commandSize
	}
}

// size is the length of the whole command in bytes.
func (cmd *command) size() int { return cmd.kind.bodyOffset() + len(cmd.msg) }

func (cmd *command) reliable() bool { return cmd.flags&flagReliable != 0 }

// put writes the command to b and returns its length.
func (cmd *command) put(b []byte) int {
	n := cmd.kind.bodyOffset()
	putCommand(b, commandHeader{
		kind: cmd.kind, channel: cmd.channel, flags: cmd.flags, reserved: cmd.reserved,
		length: uint32(n + len(cmd.msg)), sequence: cmd.sequence,
	})
	if n == fragmentHeader {
		binary.BigEndian.PutUint32(b[12:], cmd.number)
		binary.BigEndian.PutUint32(b[16:], cmd.fragments)
		binary.BigEndian.PutUint32(b[20:], cmd.fragment)
		binary.BigEndian.PutUint32(b[24:], cmd.total)
		binary.BigEndian.PutUint32(b[28:], cmd.offset)
	}
	return n + copy(b[n:], cmd.msg)
}

// queue is a list of commands in order.
type queue struct {
	head, tail *command
	n          int
}

func (q *queue) push(cmd *command) {
	cmd.prev, cmd.next = q.tail, nil
	if q.tail == nil {
		q.head = cmd
	} else {
		q.tail.next = cmd
	}
	q.tail = cmd
	q.n++
}

func (q *queue) remove(cmd *command) {
	if cmd.prev == nil {
		q.head = cmd.next
	} else {
		cmd.prev.next = cmd.next
	}
	if cmd.next == nil {
		q.tail = cmd.prev
	} else {
		cmd.next.prev = cmd.prev
	}
	cmd.next, cmd.prev = nil, nil
	q.n--
}

// find returns the command with that sequence in a list in order of sequence,
// searched from the nearer end.
func (q *queue) find(sequence uint32) *command {
	if q.head == nil || before(sequence, q.head.sequence) || before(q.tail.sequence, sequence) {
		return nil
	}
	if sequence-q.head.sequence <= q.tail.sequence-sequence {
		for cmd := q.head; cmd != nil && !before(sequence, cmd.sequence); cmd = cmd.next {
			if cmd.sequence == sequence {
				return cmd
			}
		}
		return nil
	}
	for cmd := q.tail; cmd != nil && !before(cmd.sequence, sequence); cmd = cmd.prev {
		if cmd.sequence == sequence {
			return cmd
		}
	}
	return nil
}

// clear gives all commands back.
func (q *queue) clear(cfg *Config) {
	for cmd := q.head; cmd != nil; {
		next := cmd.next
		cfg.release(cmd)
		cmd = next
	}
	*q = queue{}
}

// ack is an acknowledgement that waits to be sent (wire.md 3.5).
type ack struct {
	sequence    uint32
	time        uint32 // of the datagram that brought the command
	channel     byte
	unsequenced bool
}

func putAck(b []byte, a ack) {
	h := commandHeader{kind: typeAck, channel: a.channel, reserved: reservedByte, length: ackSize}
	if a.unsequenced {
		h.kind = typeAckUnsequenced
	}
	putCommand(b, h)
	binary.BigEndian.PutUint32(b[12:], a.sequence)
	binary.BigEndian.PutUint32(b[16:], a.time)
}
