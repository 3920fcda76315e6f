package client

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"time"

	"github.com/boson-project/boson/pkg/photon"
)

// A frame on TCP (wire.md 5):
//
//	FB | length u32, all of the frame | channel | mode | message
//
// and a ping, F0 | client time u32, with its answer
//
//	F0 | server time u32 | client time u32
const (
	tcpFrame      = 0xFB
	tcpFrameHead  = 7
	tcpPing       = 0xF0
	tcpPingAnswer = 9
)

type tcp struct {
	s *stream
}

func dialTCP(ctx context.Context, p *Peer, in photon.Init) (link, error) {
	host, err := hostPort(p.address)
	if err != nil {
		return nil, err
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", host)
	if err != nil {
		return nil, err
	}
	in.IPv6 = overIPv6(conn.RemoteAddr())
	f := &tcp{}
	f.s = newStream(p, conn, f)
	f.s.out = appendFrame(nil, photon.AppendInit(nil, in, p.address), reliable)
	f.s.wake()
	return f.s, nil
}

// appendFrame appends a message in its frame.
func appendFrame(dst, msg []byte, d photon.Delivery) []byte {
	dst = append(dst, tcpFrame)
	dst = binary.BigEndian.AppendUint32(dst, uint32(tcpFrameHead+len(msg)))
	dst = append(dst, d.Channel, byte(d.Mode))
	return append(dst, msg...)
}

func (f *tcp) appendMessage(dst, msg []byte, d photon.Delivery) []byte {
	return appendFrame(dst, msg, d)
}

func (f *tcp) appendPing(dst []byte, now time.Duration) []byte {
	return binary.BigEndian.AppendUint32(append(dst, tcpPing), millis(now))
}

// appendBye appends nothing: TCP clients close their socket without a word.
func (f *tcp) appendBye(dst []byte) []byte { return dst }

// cutOff is ServerTimeout, because TCP carries no reason and official clients
// report it so.
func (f *tcp) cutOff() Cause { return ServerTimeout }

func (f *tcp) next(b []byte) (n, need int, end *DisconnectError) {
	switch b[0] {
	case tcpPing:
		if len(b) < tcpPingAnswer {
			return 0, tcpPingAnswer, nil
		}
		now := f.s.p.now()
		sent := binary.BigEndian.Uint32(b[5:])
		f.s.p.clock.answer(now, f.s.roundTrip(now, sent), binary.BigEndian.Uint32(b[1:]))
		return tcpPingAnswer, 0, nil
	case tcpFrame:
		if len(b) < tcpFrameHead {
			return 0, tcpFrameHead, nil
		}
		size := binary.BigEndian.Uint32(b[1:])
		if size < tcpFrameHead || int64(size) > int64(tcpFrameHead+f.s.p.opt.MaxMessageSize) {
			return 0, 0, protocolError(fmt.Errorf("frame of %d bytes", size))
		}
		if len(b) < int(size) {
			return 0, int(size), nil
		}
		d := photon.Delivery{Channel: b[5], Mode: photon.DeliveryMode(b[6])}
		return int(size), 0, f.s.p.receive(b[tcpFrameHead:size], d)
	}
	return 0, 0, protocolError(fmt.Errorf("unit starts with %02x", b[0]))
}

func protocolError(err error) *DisconnectError {
	return &DisconnectError{Cause: ProtocolError, Err: err}
}

// overIPv6 says whether the remote address is an IPv6 one.
func overIPv6(a net.Addr) bool {
	host, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.To4() == nil
}
