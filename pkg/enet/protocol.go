package enet

import (
	"encoding/binary"
	"hash/crc32"
	"time"
)

// Sizes in bytes (wire.md 3.1-3.5).
const (
	headerSize     = 12
	crcSize        = 4
	commandSize    = 12
	ackSize        = 20
	unreliableSize = 16
	fragmentHeader = 32
	connectSize    = 44
	connectBody    = connectSize - commandSize
	// acceptBody is what VERIFY_CONNECT echoes of a CONNECT: peer id, MTU, window and
	// channel count. With it and the ACK a datagram is as long as the client's.
	acceptBody = connectBody - ackSize
	// fragmentReserve is what a fragment leaves of the MTU for the headers, with
	// and without CRC (wire.md 3.13).
	fragmentReserve = headerSize + crcSize + fragmentHeader
)

// Limits of the protocol.
const (
	// MinMTU and MaxMTU bound the MTU that a client may announce. Larger ones are
	// used as MaxMTU: an Ethernet frame without its IPv6 and UDP headers.
	MinMTU = 576
	MaxMTU = 1452
	// DefaultMTU is that of the official clients.
	DefaultMTU = 1200
	// maxCommands per datagram: beyond that clients log an error (wire.md 3.13).
	maxCommands = 100
	// controlChannel carries connection control; it is not a data channel.
	controlChannel = 0xFF
	maxChannels    = 255
)

// Peer ids of a client that does not know its own yet. The second one asks for
// server side tracing and is treated alike (wire.md 3.1).
const (
	unknownPeer       = 0xFFFF
	unknownPeerTraced = 0xFFFE
	// MaxPeerID is the largest id that may be given to a peer; 0 is none.
	MaxPeerID = 0xFFFD
)

// Datagram flags (wire.md 3.1).
const (
	flagsPlain = 0x00
	flagsCRC   = 0xCC
)

// Command flags (wire.md 3.2).
const (
	flagReliable    = 1
	flagUnsequenced = 2
)

type commandType byte

// Command types (wire.md 3.3).
const (
	typeAck                 commandType = 1
	typeConnect             commandType = 2
	typeVerify              commandType = 3
	typeDisconnect          commandType = 4
	typePing                commandType = 5
	typeReliable            commandType = 6
	typeUnreliable          commandType = 7
	typeFragment            commandType = 8
	typeUnsequenced         commandType = 11
	typeFetchTime           commandType = 12
	typeReliableUnsequenced commandType = 14
	typeFragmentUnsequenced commandType = 15
	typeAckUnsequenced      commandType = 16
)

// Reasons in the reserved byte of DISCONNECT (wire.md 3.15).
const (
	// ReasonServerLogic is a server's own decision.
	ReasonServerLogic = 1
	// ReasonTimeout says, in either direction, that the sender has given up.
	ReasonTimeout = 2
	// ReasonUserLimit refuses or ends a connection because the server is full.
	ReasonUserLimit = 3
	// ReasonNormal is a client that leaves.
	ReasonNormal = 4
)

// verifySequence is the number of a VERIFY_CONNECT, the first command of a server
// on channel FF.
const verifySequence = 1

// reservedByte stands in the fourth byte of all commands but DISCONNECT.
const reservedByte = 4

// Header is the head of a datagram (wire.md 3.1).
type Header struct {
	PeerID    uint16
	CRC       bool
	Commands  byte
	Time      uint32 // sender's clock in ms
	Challenge uint32
}

// Size is the length of the header in bytes.
func (h Header) Size() int {
	if h.CRC {
		return headerSize + crcSize
	}
	return headerSize
}

// ParseHeader reads the header of a datagram. ok is false when the datagram is
// too short or its flags are not those of a plain datagram with or without CRC.
// The CRC is not checked here.
func ParseHeader(b []byte) (h Header, ok bool) {
	if len(b) < headerSize {
		return h, false
	}
	switch b[2] {
	case flagsPlain:
	case flagsCRC:
		if len(b) < headerSize+crcSize {
			return h, false
		}
		h.CRC = true
	default:
		return h, false
	}
	h.PeerID = binary.BigEndian.Uint16(b)
	h.Commands = b[3]
	h.Time = binary.BigEndian.Uint32(b[4:])
	h.Challenge = binary.BigEndian.Uint32(b[8:])
	return h, true
}

// putHeader writes a header without its CRC to the start of b.
func putHeader(b []byte, h Header) {
	binary.BigEndian.PutUint16(b, h.PeerID)
	b[2] = flagsPlain
	b[3] = h.Commands
	binary.BigEndian.PutUint32(b[4:], h.Time)
	binary.BigEndian.PutUint32(b[8:], h.Challenge)
	if h.CRC {
		b[2] = flagsCRC
	}
}

var zeroCRC [crcSize]byte

// checksum is the CRC of a datagram as if its CRC field were zero: the usual
// CRC-32 without the final inversion (wire.md 3.1).
func checksum(b []byte) uint32 {
	sum := crc32.Update(0, crc32.IEEETable, b[:headerSize])
	sum = crc32.Update(sum, crc32.IEEETable, zeroCRC[:])
	return ^crc32.Update(sum, crc32.IEEETable, b[headerSize+crcSize:])
}

// putChecksum seals a datagram of the CRC form.
func putChecksum(b []byte) {
	binary.BigEndian.PutUint32(b[headerSize:], checksum(b))
}

// checksumOK tells whether the CRC of a datagram of the CRC form is right.
func checksumOK(b []byte) bool {
	return binary.BigEndian.Uint32(b[headerSize:]) == checksum(b)
}

// commandHeader is the head of a command (wire.md 3.2).
type commandHeader struct {
	kind     commandType
	channel  byte
	flags    byte
	reserved byte
	length   uint32
	sequence uint32
}

func parseCommand(b []byte) commandHeader {
	return commandHeader{
		kind: commandType(b[0]), channel: b[1], flags: b[2], reserved: b[3],
		length:   binary.BigEndian.Uint32(b[4:]),
		sequence: binary.BigEndian.Uint32(b[8:]),
	}
}

func putCommand(b []byte, h commandHeader) {
	_ = b[commandSize-1]
	b[0], b[1], b[2], b[3] = byte(h.kind), h.channel, h.flags, h.reserved
	binary.BigEndian.PutUint32(b[4:], h.length)
	binary.BigEndian.PutUint32(b[8:], h.sequence)
}

// before compares sequence numbers, which wrap.
func before(a, b uint32) bool { return int32(a-b) < 0 }

// millis is the timestamp of a moment.
func millis(t time.Duration) uint32 { return uint32(t / time.Millisecond) }
