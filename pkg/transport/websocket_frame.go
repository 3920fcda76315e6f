package transport

import (
	"encoding/binary"

	"github.com/gobwas/ws"
)

// parseFrameHead reads the head of a WebSocket frame (RFC 6455, 5.2):
//
//	fin, reserved bits, opcode | masked, length 0..125, 126 or 127 | length u16 or u64 | mask u32
//
// size is the head's length; ok is false when b does not hold all of it. A
// length that no frame can have is negative.
func parseFrameHead(b []byte) (h ws.Header, size int, ok bool) {
	if len(b) < 2 {
		return h, 0, false
	}
	h.Fin = b[0]&0x80 != 0
	h.Rsv = b[0] >> 4 & 7
	h.OpCode = ws.OpCode(b[0] & 15)
	h.Masked = b[1]&0x80 != 0
	h.Length = int64(b[1] & 0x7F)
	size = 2
	switch h.Length {
	case 126:
		if len(b) < 4 {
			return h, 0, false
		}
		h.Length = int64(binary.BigEndian.Uint16(b[2:]))
		size = 4
	case 127:
		if len(b) < 10 {
			return h, 0, false
		}
		h.Length = int64(binary.BigEndian.Uint64(b[2:]))
		size = 10
	}
	if h.Masked {
		if len(b) < size+4 {
			return h, 0, false
		}
		copy(h.Mask[:], b[size:])
		size += 4
	}
	return h, size, true
}

func appendTextHead(dst []byte, n int) []byte   { return appendFrameHead(dst, ws.OpText, n) }
func appendBinaryHead(dst []byte, n int) []byte { return appendFrameHead(dst, ws.OpBinary, n) }

// appendFrameHead writes the head of an unmasked frame that is a whole message.
func appendFrameHead(dst []byte, code ws.OpCode, n int) []byte {
	dst = append(dst, 0x80|byte(code))
	switch {
	case n < 126:
		return append(dst, byte(n))
	case n <= 0xFFFF:
		return binary.BigEndian.AppendUint16(append(dst, 126), uint16(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, 127), uint64(n))
}

// controlFrame returns a whole control frame, unmasked.
func controlFrame(code ws.OpCode, payload []byte) []byte {
	f := make([]byte, 0, 2+len(payload))
	return append(appendFrameHead(f, code, len(payload)), payload...)
}

// validClose says whether a close frame's payload is one that may be echoed.
func validClose(payload []byte) bool {
	if len(payload) < 2 {
		return false
	}
	code, text := ws.ParseCloseFrameData(payload)
	return ws.CheckCloseFrameData(code, text) == nil
}

// closeCodes by reason; the others are StatusNormalClosure (websocket-json.md 1.5).
var closeCodes = map[Reason]ws.StatusCode{
	ReasonShutdown:      ws.StatusGoingAway,
	ReasonProtocolError: ws.StatusProtocolError,
	ReasonMessageTooBig: ws.StatusMessageTooBig,
	ReasonUnknown:       ws.StatusInternalServerError,
}

// closeFrame is the last frame of every connection: some clients crash when
// there is none (wire.md 6.5). It echoes the client's, if that came first.
func (w *webSocket) closeFrame(reason Reason) []byte {
	if w.farewell != nil {
		return w.farewell
	}
	code, ok := closeCodes[reason]
	if !ok {
		code = ws.StatusNormalClosure
	}
	return controlFrame(ws.OpClose, ws.NewCloseFrameBody(code, reason.String()))
}
