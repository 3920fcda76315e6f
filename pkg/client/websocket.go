package client

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gobwas/ws"

	"github.com/boson-project/boson/pkg/photon"
)

// webSocket frames messages for a WebSocket (wire.md 6, websocket-json.md 1):
// one binary message each, or one text message each for JSON.
type webSocket struct {
	s *stream
	// parts collects a message that comes in several frames; inParts is true
	// between its first and its last.
	parts   []byte
	inParts bool
	ping    []byte
}

// wsMaxControl is the largest payload of a control frame.
const wsMaxControl = 125

func dialWebSocket(ctx context.Context, p *Peer, in photon.Init) (link, error) {
	address := p.address
	if !strings.Contains(address, "://") {
		address = p.opt.Transport.String() + "://" + address
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	if u.Scheme != p.opt.Transport.String() {
		return nil, fmt.Errorf("address %q is not for transport %s", p.address, p.opt.Transport)
	}
	v := in.ClientVersion
	path := strings.TrimSuffix(u.Path, "/") + "/"
	query := fmt.Sprintf("libversion=%d.%d.%d.%d", v[0], v[1], v[2], v[3])
	if p.opt.Protocol == photon.JSON {
		path += in.AppID
	} else {
		query += fmt.Sprintf("&sid=%d&app=%s", in.SDKID, url.QueryEscape(in.AppID))
		if in.Token != nil {
			query += "&xInit="
		}
	}
	u.Path, u.RawQuery = path, query

	d := ws.Dialer{Protocols: []string{p.opt.Protocol.String()}, TLSConfig: p.opt.TLS}
	conn, buffered, _, err := d.Dial(ctx, u.String())
	if err != nil {
		return nil, err
	}
	f := &webSocket{}
	f.s = newStream(p, conn, f)
	if buffered != nil {
		// The server has spoken already: its bytes come first.
		rest, _ := buffered.Peek(buffered.Buffered())
		f.s.makeRoom(len(rest))
		f.s.w = copy(f.s.in, rest)
		ws.PutReader(buffered)
	}
	if in.Token != nil {
		in.IPv6 = overIPv6(conn.RemoteAddr())
		host := p.opt.Transport.String() + "://" + u.Host
		framed := appendFrame(nil, photon.AppendInit(nil, in, host), reliable)
		f.s.out = appendWebSocketFrame(nil, ws.OpBinary, framed)
		f.s.wake()
	}
	return f.s, nil
}

// appendWebSocketFrame appends one masked frame.
func appendWebSocketFrame(dst []byte, op ws.OpCode, payload []byte) []byte {
	const fin, masked = 0x80, 0x80
	dst = append(dst, fin|byte(op))
	switch n := len(payload); {
	case n <= 125:
		dst = append(dst, masked|byte(n))
	case n <= 0xFFFF:
		dst = binary.BigEndian.AppendUint16(append(dst, masked|126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, masked|127), uint64(n))
	}
	var mask [4]byte
	binary.LittleEndian.PutUint32(mask[:], rand.Uint32())
	dst = append(dst, mask[:]...)
	start := len(dst)
	dst = append(slices.Grow(dst, len(payload)), payload...)
	ws.Cipher(dst[start:], mask, 0)
	return dst
}

func (f *webSocket) appendMessage(dst, msg []byte, _ photon.Delivery) []byte {
	if f.s.p.opt.Protocol == photon.JSON {
		return appendWebSocketFrame(dst, ws.OpText, msg)
	}
	return appendWebSocketFrame(dst, ws.OpBinary, msg)
}

func (f *webSocket) appendPing(dst []byte, now time.Duration) []byte {
	// An int that is encoded; this can't fail.
	f.ping, _ = photon.AppendInternalRequest(f.ping[:0], f.s.p.opt.Protocol, photon.InternalPing,
		photon.Params{{Key: 1, Value: int32(millis(now))}})
	return f.appendMessage(dst, f.ping, reliable)
}

func (f *webSocket) appendBye(dst []byte) []byte {
	if f.s.p.opt.Protocol == photon.JSON {
		return appendWebSocketFrame(dst, ws.OpClose, nil)
	}
	return appendWebSocketFrame(dst, ws.OpClose, ws.NewCloseFrameBody(ws.StatusNormalClosure, "ws close"))
}

// cutOff is what official clients report for a socket that ends without a close frame.
func (f *webSocket) cutOff() Cause { return DisconnectByServerReasonUnknown }

// next takes one frame. It is written out, and does not use the library's reader,
// because frames are taken in place from what was read.
func (f *webSocket) next(b []byte) (n, need int, end *DisconnectError) {
	const head = 2
	if len(b) < head {
		return 0, head, nil
	}
	fin, op := b[0]&0x80 != 0, ws.OpCode(b[0]&0x0F)
	switch {
	case b[0]&0x70 != 0:
		return 0, 0, protocolError(errors.New("WebSocket frame with reserved bits"))
	case b[1]&0x80 != 0:
		return 0, 0, protocolError(errors.New("WebSocket frame is masked"))
	}
	size, at := uint64(b[1]), head
	switch size {
	case 126:
		if at += 2; len(b) < at {
			return 0, at, nil
		}
		size = uint64(binary.BigEndian.Uint16(b[head:]))
	case 127:
		if at += 8; len(b) < at {
			return 0, at, nil
		}
		size = binary.BigEndian.Uint64(b[head:])
	}
	limit := uint64(f.s.p.opt.MaxMessageSize)
	if size > limit || size+uint64(len(f.parts)) > limit {
		return 0, 0, protocolError(fmt.Errorf("WebSocket message of more than %d bytes", limit))
	}
	n = at + int(size)
	if len(b) < n {
		return 0, n, nil
	}
	if op.IsControl() {
		if !fin || size > wsMaxControl {
			return 0, 0, protocolError(errors.New("WebSocket control frame is too big"))
		}
		return n, 0, f.control(op, b[at:n])
	}
	return n, 0, f.data(op, fin, b[at:n])
}

func (f *webSocket) data(op ws.OpCode, fin bool, payload []byte) *DisconnectError {
	want := ws.OpBinary
	if f.s.p.opt.Protocol == photon.JSON {
		want = ws.OpText
	}
	if f.inParts {
		want = ws.OpContinuation
	}
	if op != want {
		return protocolError(fmt.Errorf("WebSocket frame with opcode %d, want %d", op, want))
	}
	if fin && !f.inParts {
		return f.s.p.receive(payload, reliable)
	}
	f.parts = append(f.parts, payload...)
	if f.inParts = !fin; f.inParts {
		return nil
	}
	msg := f.parts
	f.parts = kept(msg)
	return f.s.p.receive(msg, reliable)
}

func (f *webSocket) control(op ws.OpCode, payload []byte) *DisconnectError {
	switch op {
	case ws.OpPing:
		f.s.sendUnits(appendWebSocketFrame(nil, ws.OpPong, payload))
	case ws.OpClose:
		code, reason := ws.ParseCloseFrameData(payload)
		end := &DisconnectError{Cause: DisconnectByServerLogic}
		if len(payload) > 0 && code != ws.StatusNormalClosure {
			end.Err = fmt.Errorf("WebSocket closed with %d %s", code, reason)
		}
		f.s.disconnect() // answers with a close frame
		return end
	case ws.OpPong:
	default:
		return protocolError(fmt.Errorf("WebSocket frame with opcode %d", op))
	}
	return nil
}
