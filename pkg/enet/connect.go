package enet

import (
	"encoding/binary"
	"time"
)

// Connect is a client's wish to connect (wire.md 3.4, 3.10).
type Connect struct {
	// Challenge is the client's random number for this connection.
	Challenge uint32
	// CRC is true when the client uses datagrams with CRC.
	CRC bool
	// MTU is the size of the largest datagram in bytes, in both directions.
	MTU int
	// Channels is the number of data channels, 1 to 255.
	Channels int

	sequence uint32 // of the CONNECT command
	time     uint32 // of its datagram
	body     [acceptBody]byte
}

// ParseConnect finds the CONNECT command in a datagram of a client that has no
// peer id yet. ok is false for every other datagram, and for one with a wrong
// CRC. It needs no memory.
func ParseConnect(b []byte) (c Connect, ok bool) {
	h, ok := ParseHeader(b)
	if !ok || h.PeerID != unknownPeer && h.PeerID != unknownPeerTraced {
		return c, false
	}
	rest := b[h.Size():]
	for range h.Commands {
		if len(rest) < commandSize {
			return c, false
		}
		cmd := parseCommand(rest)
		if cmd.length < commandSize || cmd.length > uint32(len(rest)) {
			return c, false
		}
		if cmd.kind != typeConnect || cmd.channel != controlChannel || cmd.length < connectSize {
			rest = rest[cmd.length:]
			continue
		}
		if h.CRC && !checksumOK(b) {
			return c, false
		}
		c = Connect{Challenge: h.Challenge, CRC: h.CRC, sequence: cmd.sequence, time: h.Time}
		copy(c.body[:], rest[commandSize:])
		c.MTU = min(max(int(binary.BigEndian.Uint16(c.body[2:])), MinMTU), MaxMTU)
		c.Channels = int(min(max(binary.BigEndian.Uint32(c.body[8:]), 1), maxChannels))
		return c, true
	}
	return c, false
}

// putBody writes the body of a CONNECT as the official clients send it. The
// bytes that it leaves alone are zero.
func (c *Connect) putBody(b []byte) {
	_ = b[connectBody-1]
	binary.BigEndian.PutUint16(b[2:], uint16(c.MTU))
	binary.BigEndian.PutUint32(b[4:], 32768)
	binary.BigEndian.PutUint32(b[8:], uint32(c.Channels))
	binary.BigEndian.PutUint32(b[20:], 5000)
	binary.BigEndian.PutUint32(b[24:], 2)
	binary.BigEndian.PutUint32(b[28:], 2)
}

// AppendAccept appends the datagram that answers a CONNECT, without a connection:
// ACK and VERIFY_CONNECT with the peer id, 1 to MaxPeerID (wire.md 3.10). The id
// should be hard to guess: knowing it is what proves that the client got the
// answer. Then it is time for NewServerConn.
//
// The datagram is not longer than the client's, so that nobody can use the server
// to send more to a victim than it sends itself. That is why VERIFY_CONNECT echoes
// the body only up to the channel count; clients read nothing of it but the peer id
// (wire.md 3.4). And it is why the server does not send it again by itself: until
// ACK and VERIFY_CONNECT arrive, which they do together, the client repeats its
// CONNECT (wire.md 3.11), and each one gets this answer.
func AppendAccept(dst []byte, c Connect, peerID uint16, now time.Duration) []byte {
	h := Header{CRC: c.CRC, Commands: 2, Time: millis(now), Challenge: c.Challenge}
	var b [headerSize + crcSize + ackSize + commandSize + acceptBody]byte
	putHeader(b[:], h)
	n := h.Size()
	putAck(b[n:], ack{channel: controlChannel, sequence: c.sequence, time: c.time})
	n += ackSize
	putCommand(b[n:], commandHeader{
		kind: typeVerify, channel: controlChannel, flags: flagReliable, reserved: reservedByte,
		length: commandSize + acceptBody, sequence: verifySequence,
	})
	n += commandSize
	copy(b[n:], c.body[:])
	binary.BigEndian.PutUint16(b[n:], peerID)
	n += acceptBody
	if c.CRC {
		putChecksum(b[:n])
	}
	return append(dst, b[:n]...)
}

// AppendRefusal appends the datagram that refuses a client for the given
// DISCONNECT reason, without a connection: ACK and DISCONNECT (wire.md 3.10).
// It is smaller than the client's own datagram.
func AppendRefusal(dst []byte, c Connect, now time.Duration, reason byte) []byte {
	h := Header{CRC: c.CRC, Commands: 2, Time: millis(now), Challenge: c.Challenge}
	var b [headerSize + crcSize + ackSize + commandSize]byte
	putHeader(b[:], h)
	n := h.Size()
	putAck(b[n:], ack{channel: controlChannel, sequence: c.sequence, time: c.time})
	n += ackSize
	putCommand(b[n:], commandHeader{
		kind: typeDisconnect, channel: controlChannel, flags: flagReliable, reserved: reason,
		length: commandSize, sequence: 1,
	})
	n += commandSize
	if c.CRC {
		putChecksum(b[:n])
	}
	return append(dst, b[:n]...)
}
