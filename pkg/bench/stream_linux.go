package bench

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"
	"unsafe"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/photon"
)

// streamWire is one TCP or WebSocket connection of the loop.
type streamWire struct {
	buf     *[streamRead]byte // shared by the loop's connections
	out     *[]byte           // likewise: the frame that is being written
	u       *loopPlayer
	rest    []byte // of a frame that has not come whole
	unsent  []byte // what the socket did not take
	pingAt  time.Duration
	framing streamFraming
}

// streamFraming is what differs between TCP and WebSocket.
type streamFraming interface {
	appendMessage(dst, msg []byte, d photon.Delivery) []byte
	appendPing(dst []byte, now time.Duration) []byte
	// next takes the first unit of b and returns its size and the message in it,
	// if there is one; n is 0 when b does not hold all of it.
	next(b []byte) (msg []byte, n int, err error)
	appendBye(dst []byte) []byte
}

const (
	// streamRead bytes are read at once.
	streamRead = 64 << 10
	// streamPing is the time between two pings: servers close what is silent.
	streamPing = 5 * time.Second
	// streamUnsent bytes may wait for the socket, as with client.Peer.
	streamUnsent = 4 << 20
)

func newStreamDialer() func(context.Context, *loopPlayer) error {
	buf, out := new([streamRead]byte), new([]byte)
	return func(ctx context.Context, u *loopPlayer) error {
		w := &streamWire{buf: buf, out: out, u: u}
		conn, err := w.dial(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		// The loop reads and writes the socket itself.
		f, err := conn.(*net.TCPConn).File()
		if err != nil {
			return err
		}
		defer f.Close()
		if u.fd, err = unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0); err != nil {
			return err
		}
		u.wire = w
		return unix.SetNonblock(u.fd, true)
	}
}

func (w *streamWire) dial(ctx context.Context) (net.Conn, error) {
	o := w.u.loop.opt
	var d net.Dialer
	if w.u.player.from.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(w.u.player.from, 0))
	}
	address := w.u.ticket.address
	if o.Transport == client.TCP {
		w.framing = &tcpFraming{}
		return d.DialContext(ctx, "tcp", strings.TrimPrefix(address, "tcp://"))
	}
	if !strings.Contains(address, "://") {
		address = "ws://" + address
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	u.Path = strings.TrimSuffix(u.Path, "/") + "/"
	f := &webSocketFraming{code: ws.OpBinary, protocol: o.Protocol}
	if o.Protocol == photon.JSON {
		f.code = ws.OpText
		u.Path += o.AppID
		u.RawQuery = "libversion=4.4.0.0"
	} else {
		u.RawQuery = "libversion=4.1.8.11&sid=30&app=" + url.QueryEscape(o.AppID)
	}
	w.framing = f
	dialer := ws.Dialer{Protocols: []string{o.Protocol.String()}, NetDial: d.DialContext}
	conn, buffered, _, err := dialer.Dial(ctx, u.String())
	if err == nil {
		w.rest = leftOver(buffered)
	}
	return conn, err
}

// leftOver is what the server has said right after the upgrade.
func leftOver(r *bufio.Reader) []byte {
	if r == nil {
		return nil
	}
	defer ws.PutReader(r)
	b, _ := r.Peek(r.Buffered())
	return append([]byte(nil), b...)
}

// begin implements wire.
func (w *streamWire) begin(now time.Duration) error {
	w.pingAt = now + streamPing
	if w.u.loop.opt.Transport == client.TCP {
		return w.send(photon.AppendInit(nil, w.u.init(), w.u.ticket.address), reliably)
	}
	rest := w.rest
	w.rest = nil
	return w.take(rest)
}

// read implements wire.
func (w *streamWire) read(time.Duration) error {
	for {
		n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(w.u.fd), uintptr(unsafe.Pointer(&w.buf[0])), streamRead)
		switch {
		case errno == unix.EAGAIN || errno == unix.EINTR:
			return nil
		case errno != 0:
			return errno
		case n == 0:
			return errors.New("the server closed the connection")
		}
		if err := w.take(w.buf[:n]); err != nil {
			return err
		}
		if n < streamRead {
			return nil
		}
	}
}

// take gives the player the messages in b, of which it keeps a copy of the rest.
func (w *streamWire) take(b []byte) error {
	if len(w.rest) > 0 {
		w.rest = append(w.rest, b...)
		b = w.rest
	}
	for len(b) > 0 {
		msg, n, err := w.framing.next(b)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		b = b[n:]
		if msg == nil {
			continue
		}
		if err := w.u.receive(msg); err != nil {
			return err
		}
	}
	w.rest = append(w.rest[:0], b...)
	if len(b) == 0 && cap(w.rest) > 4<<10 {
		w.rest = nil
	}
	return nil
}

// send implements wire.
func (w *streamWire) send(msg []byte, d photon.Delivery) error {
	*w.out = w.framing.appendMessage((*w.out)[:0], msg, d)
	return w.write(*w.out)
}

func (w *streamWire) write(b []byte) error {
	if len(w.unsent) > 0 {
		if len(w.unsent)+len(b) > streamUnsent {
			return client.ErrQueueFull
		}
		w.unsent = append(w.unsent, b...)
		return nil
	}
	if len(b) == 0 {
		return nil
	}
	n, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(w.u.fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	switch errno {
	case 0:
	case unix.EAGAIN, unix.EINTR:
		n = 0
	default:
		return errno
	}
	if int(n) < len(b) {
		w.unsent = append(w.unsent, b[n:]...)
	}
	return nil
}

// sweep implements wire.
func (w *streamWire) sweep(now time.Duration) error {
	if len(w.unsent) > 0 {
		b := w.unsent
		w.unsent = nil
		if err := w.write(b); err != nil {
			return err
		}
	}
	if now < w.pingAt {
		return nil
	}
	w.pingAt = now + streamPing
	return w.write(w.framing.appendPing(nil, now))
}

// bye implements wire.
func (w *streamWire) bye(time.Duration) { _ = w.write(w.framing.appendBye(nil)) }

// tcpFraming is that of wire.md 5:
//
//	FB | length u32, all of the frame | channel | mode | message
//	F0 | server time u32 | client time u32     answer to F0 | client time u32
type tcpFraming struct{}

const (
	tcpHead   = 7
	tcpAnswer = 9
)

func (*tcpFraming) appendMessage(dst, msg []byte, d photon.Delivery) []byte {
	dst = binary.BigEndian.AppendUint32(append(dst, 0xFB), uint32(tcpHead+len(msg)))
	return append(append(dst, d.Channel, byte(d.Mode)), msg...)
}

func (*tcpFraming) appendPing(dst []byte, now time.Duration) []byte {
	return binary.BigEndian.AppendUint32(append(dst, 0xF0), uint32(now/time.Millisecond))
}

func (*tcpFraming) next(b []byte) (msg []byte, n int, err error) {
	switch {
	case b[0] == 0xF0:
		if len(b) < tcpAnswer {
			return nil, 0, nil
		}
		return nil, tcpAnswer, nil
	case b[0] != 0xFB:
		return nil, 0, fmt.Errorf("unit starts with %02x", b[0])
	case len(b) < tcpHead:
		return nil, 0, nil
	}
	size := binary.BigEndian.Uint32(b[1:])
	if size < tcpHead || size > streamUnsent {
		return nil, 0, fmt.Errorf("frame of %d bytes", size)
	}
	if int(size) > len(b) {
		return nil, 0, nil
	}
	return b[tcpHead:size], int(size), nil
}

// appendBye appends nothing: TCP clients close their socket without a word.
func (*tcpFraming) appendBye(dst []byte) []byte { return dst }

// webSocketFraming is that of wire.md 6 and websocket-json.md 1: a message in a
// frame of its own. Its mask is zero, which costs the load nothing and the server
// what any other does.
type webSocketFraming struct {
	code     ws.OpCode
	protocol photon.Protocol
}

func (f *webSocketFraming) appendMessage(dst, msg []byte, _ photon.Delivery) []byte {
	return appendMasked(dst, f.code, msg)
}

func appendMasked(dst []byte, code ws.OpCode, payload []byte) []byte {
	dst = append(dst, 0x80|byte(code))
	switch n := len(payload); {
	case n <= 125:
		dst = append(dst, 0x80|byte(n))
	case n <= 0xFFFF:
		dst = binary.BigEndian.AppendUint16(append(dst, 0x80|126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, 0x80|127), uint64(n))
	}
	return append(append(dst, 0, 0, 0, 0), payload...)
}

func (f *webSocketFraming) appendPing(dst []byte, now time.Duration) []byte {
	// An int that is encoded; this can't fail.
	ping, _ := photon.AppendInternalRequest(nil, f.protocol, photon.InternalPing, photon.Params{{Key: 1, Value: int32(now / time.Millisecond)}})
	return f.appendMessage(dst, ping, reliably)
}

// next takes whole messages alone: Boson sends no others.
func (f *webSocketFraming) next(b []byte) (msg []byte, n int, err error) {
	if len(b) < 2 {
		return nil, 0, nil
	}
	size, head := uint64(b[1]), 2
	switch size {
	case 126:
		if head = 4; len(b) < head {
			return nil, 0, nil
		}
		size = uint64(binary.BigEndian.Uint16(b[2:]))
	case 127:
		if head = 10; len(b) < head {
			return nil, 0, nil
		}
		size = binary.BigEndian.Uint64(b[2:])
	}
	switch code := ws.OpCode(b[0] & 15); {
	case b[0]&0xF0 != 0x80 || b[1]&0x80 != 0 || size > streamUnsent:
		return nil, 0, fmt.Errorf("frame with head % x", b[:head])
	case uint64(len(b)-head) < size:
		return nil, 0, nil
	case code == ws.OpClose:
		return nil, 0, errors.New("the server closed the WebSocket")
	case code == f.code:
		return b[head : head+int(size)], head + int(size), nil
	}
	return nil, head + int(size), nil
}

func (f *webSocketFraming) appendBye(dst []byte) []byte {
	return appendMasked(dst, ws.OpClose, ws.NewCloseFrameBody(ws.StatusNormalClosure, ""))
}
