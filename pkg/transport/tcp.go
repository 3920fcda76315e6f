package transport

import (
	"encoding/binary"

	"github.com/boson-project/boson/pkg/photon"
)

// A TCP stream has two kinds of units, told apart by their first byte (wire.md 5):
//
//	FB | length u32, with these 7 bytes | channel | delivery mode | message
//	F0 | client time u32                              a ping, client to server
//	F0 | server time u32 | client time u32            its answer
const (
	tcpFrame      = 0xFB
	tcpPing       = 0xF0
	tcpHeadLen    = 7
	tcpPingLen    = 5
	tcpAnswerLen  = 9
	tcpMaxInitLen = 64 << 10
)

// TCPListener accepts clients over TCP, with or without TLS around it.
type TCPListener struct{ *streamListener }

// ListenTCP listens on addr (host:port; port 0 is a free one) and serves until Shutdown.
func ListenTCP(addr string, cfg StreamConfig) (*TCPListener, error) {
	l, err := listenStream(addr, cfg, TCP, serveTCP)
	if err != nil {
		return nil, err
	}
	return &TCPListener{l}, nil
}

func serveTCP(s *streamSession) {
	s.appendHead = appendTCPHead
	for {
		b := s.in.data()
		used := 0
		for used < len(b) {
			n, ok := s.tcpUnit(b[used:])
			if !ok {
				return
			}
			if n == 0 {
				break
			}
			used += n
		}
		s.in.consume(used)
		if !s.readMore() {
			return
		}
	}
}

// tcpUnit takes the unit at the start of b and returns its length, or 0 when it
// is not complete. ok is false when the session has ended.
func (s *streamSession) tcpUnit(b []byte) (n int, ok bool) {
	switch b[0] {
	case tcpPing:
		if len(b) < tcpPingLen {
			return 0, true
		}
		// Also before the init request: some clients ping that early.
		if !s.spend() {
			return 0, false
		}
		answer := make([]byte, tcpAnswerLen)
		answer[0] = tcpPing
		binary.BigEndian.PutUint32(answer[1:], s.l.cfg.Clock())
		copy(answer[5:], b[1:tcpPingLen])
		s.push(outgoing{answer, outWhole})
		return tcpPingLen, true
	case tcpFrame:
	default:
		s.malformed()
		return 0, false
	}
	if len(b) < tcpHeadLen {
		return 0, true
	}
	length := binary.BigEndian.Uint32(b[1:])
	limit := s.applied.MaxMessageSize
	if !s.started {
		limit = min(limit, tcpMaxInitLen)
	}
	switch {
	case length < tcpHeadLen:
		s.malformed()
		return 0, false
	case uint64(length) > uint64(limit)+tcpHeadLen:
		s.exceed(ReasonMessageTooBig)
		return 0, false
	case int(length) > len(b):
		return 0, true
	}
	msg := b[tcpHeadLen:length]
	if !s.started {
		in, err := photon.ParseInit(msg)
		if err != nil {
			s.malformed()
			return 0, false
		}
		s.info.Protocol = in.Protocol
		s.start(in, photon.InitResponse)
		return int(length), !s.ended.Load()
	}
	d := photon.Delivery{Channel: b[5], Mode: photon.Reliable}
	if mode := photon.DeliveryMode(b[6]); mode <= photon.ReliableUnsequenced {
		d.Mode = mode
	}
	return int(length), s.deliver(msg, d)
}

// appendTCPHead writes what clients expect from a server: channel 0, reliable.
func appendTCPHead(dst []byte, n int) []byte {
	dst = append(dst, tcpFrame)
	dst = binary.BigEndian.AppendUint32(dst, uint32(n+tcpHeadLen))
	return append(dst, 0, byte(photon.Reliable))
}
