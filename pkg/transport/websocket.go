package transport

import (
	"strconv"

	"github.com/gobwas/ws"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/gpjson"
	"github.com/boson-project/boson/pkg/photon"
)

// webSocketJSONMax is the size that JSON messages may have at least: as text
// they are longer than what the message limit was meant for (websocket-json.md 1.4).
const webSocketJSONMax = 1 << 20

// pingSearchMax is the longest JSON message that may be a ping.
const pingSearchMax = 512

// WebSocketListener accepts clients over WebSocket, plain or in TLS. Binary
// clients and the JavaScript SDK share it: the sub-protocol tells them apart
// (wire.md 6.1, websocket-json.md 1.2).
type WebSocketListener struct{ *streamListener }

// ListenWebSocket listens on addr (host:port; port 0 is a free one) and serves until Shutdown.
func ListenWebSocket(addr string, cfg StreamConfig) (*WebSocketListener, error) {
	kind := WebSocket
	if cfg.TLS != nil {
		kind = SecureWebSocket
	}
	l, err := listenStream(addr, cfg, kind, serveWebSocket)
	if err != nil {
		return nil, err
	}
	return &WebSocketListener{l}, nil
}

// webSocket is the reading side of one WebSocket connection.
type webSocket struct {
	*streamSession
	dataCode ws.OpCode // of the frames that the protocol uses
	query    photon.Init
	// partial is a message whose last frame has not come; inMessage says that
	// there is one.
	partial   []byte
	inMessage bool
	fields    []gpbinary.Field // of pings
	// farewell is the echo of the client's close frame, when that came first.
	farewell []byte
}

func serveWebSocket(s *streamSession) {
	w := &webSocket{streamSession: s}
	if !w.handshake() {
		return
	}
	if w.info.Protocol == photon.JSON {
		w.start(w.query, gpjson.AppendSessionID(nil, strconv.FormatUint(w.id, 10)))
	} else if !w.query.HasToken {
		w.start(w.query, photon.InitResponse)
	}
	for {
		b := w.in.data()
		used := 0
		for used < len(b) {
			if w.ended.Load() {
				return
			}
			n, ok := w.frame(b[used:])
			if !ok {
				return
			}
			if n == 0 {
				break
			}
			used += n
		}
		w.in.consume(used)
		if !w.readMore() {
			return
		}
	}
}

// upgraded sets up the connection for protocol p, which the handshake has settled.
func (w *webSocket) upgraded(p photon.Protocol) {
	w.info.Protocol = p
	w.dataCode = ws.OpBinary
	w.appendHead = appendBinaryHead
	if p == photon.JSON {
		w.dataCode = ws.OpText
		w.appendHead = appendTextHead
	}
	w.goodbye = w.closeFrame
}

// max is the bound of one message in bytes.
func (w *webSocket) max() int {
	n := w.applied.MaxMessageSize
	// A limit below the default is somebody's will.
	if w.info.Protocol == photon.JSON && n >= defaultMessageSize {
		n = max(n, webSocketJSONMax)
	}
	return n
}

// frame takes the frame at the start of b, which it unmasks, and returns its
// length, or 0 when it is not complete. ok is false when the session has ended.
func (w *webSocket) frame(b []byte) (n int, ok bool) {
	h, head, complete := parseFrameHead(b)
	if !complete {
		return 0, true
	}
	if !h.Masked || h.Rsv != 0 || h.Length < 0 {
		w.malformed()
		return 0, false
	}
	if h.OpCode.IsControl() {
		return w.controlFrame(b, h, head)
	}
	if code := h.OpCode; w.inMessage != (code == ws.OpContinuation) || !w.inMessage && code != w.dataCode {
		w.malformed()
		return 0, false
	}
	if h.Length > int64(w.max()-len(w.partial)) {
		w.exceed(ReasonMessageTooBig)
		return 0, false
	}
	n = head + int(h.Length)
	if n > len(b) {
		return 0, true
	}
	payload := b[head:n]
	ws.Cipher(payload, h.Mask, 0)
	if !w.inMessage && h.Fin {
		return n, w.message(payload)
	}
	// An endless message of empty frames costs the client its budget.
	if !h.Fin && !w.spend() {
		return 0, false
	}
	w.partial = append(w.partial, payload...)
	w.inMessage = !h.Fin
	if h.Fin {
		payload, w.partial = w.partial, nil
		return n, w.message(payload)
	}
	return n, true
}

func (w *webSocket) controlFrame(b []byte, h ws.Header, head int) (n int, ok bool) {
	if !h.Fin || h.Length > ws.MaxControlFramePayloadSize {
		w.malformed()
		return 0, false
	}
	n = head + int(h.Length)
	if n > len(b) {
		return 0, true
	}
	payload := b[head:n]
	ws.Cipher(payload, h.Mask, 0)
	if !w.spend() {
		return 0, false
	}
	switch h.OpCode {
	case ws.OpPing:
		w.push(outgoing{controlFrame(ws.OpPong, payload), outWhole})
	case ws.OpPong:
	case ws.OpClose:
		if len(payload) > 0 && !validClose(payload) {
			w.malformed()
			return 0, false
		}
		w.farewell = controlFrame(ws.OpClose, payload)
		w.Close(ReasonClientDisconnect)
		return 0, false
	default:
		w.malformed()
		return 0, false
	}
	return n, true
}

// message takes one whole message. It returns false when the session has ended.
func (w *webSocket) message(msg []byte) bool {
	switch {
	case !w.started:
		return w.initRequest(msg)
	case w.info.Protocol == photon.JSON:
		return w.jsonFrames(msg)
	}
	return w.deliver(msg, photon.Delivery{Mode: photon.Reliable})
}

// initRequest takes the request that "xInit" has announced: the HTTP form, in
// the frame of TCP (wire.md 6.4).
func (w *webSocket) initRequest(msg []byte) bool {
	if len(msg) >= tcpHeadLen && msg[0] == tcpFrame {
		msg = msg[tcpHeadLen:]
	}
	in, err := photon.ParseInit(msg)
	// The token is written in the protocol that the request names.
	if err != nil || in.Protocol != w.info.Protocol {
		w.malformed()
		return false
	}
	if in.AppID == "" {
		in.AppID = w.query.AppID
	}
	if in.ClientVersion == [4]byte{} {
		in.ClientVersion = w.query.ClientVersion
	}
	in.IPv6 = in.IPv6 || w.query.IPv6
	w.start(in, photon.InitResponse)
	return !w.ended.Load()
}

// jsonFrames takes a JSON client's message apart (websocket-json.md 2.4).
func (w *webSocket) jsonFrames(msg []byte) bool {
	for more := true; more; more = len(msg) > 0 {
		payload, isJSON, rest, err := gpjson.NextFrame(msg)
		if err != nil {
			w.malformed()
			return false
		}
		msg = rest
		if !isJSON {
			if !w.spend() {
				return false
			}
			continue
		}
		if mayBePing(payload) {
			m, err := gpjson.ParseMessage(payload, w.fields[:0])
			if err != nil {
				w.malformed()
				return false
			}
			w.fields = m.Fields[:0]
			if m.Kind == gpjson.InternalRequest {
				if !w.jsonPing(m) {
					return false
				}
				continue
			}
		}
		if !w.deliver(payload, photon.Delivery{Mode: photon.Reliable}) {
			return false
		}
	}
	return true
}

// mayBePing says whether to look closer. Few other messages hold the letters.
func mayBePing(text []byte) bool {
	if len(text) > pingSearchMax {
		return false
	}
	for i := 0; i+5 <= len(text); i++ {
		if text[i] == '"' && string(text[i:i+5]) == `"irq"` {
			return true
		}
	}
	return false
}

// jsonPing answers an internal request, at once and whether the client is
// authenticated or not (websocket-json.md 3.3). Requests other than pings get no answer.
func (w *webSocket) jsonPing(m gpjson.Message) bool {
	if !w.spend() {
		return false
	}
	if m.Code != int(photon.InternalPing) {
		return true
	}
	params := gpbinary.Params{{Key: 1}, {Key: 2, Value: int32(w.l.cfg.Clock())}}
	for _, f := range m.Fields {
		if f.Key == 1 {
			params[0].Value = gpjson.Raw(f.Bytes) // echoed as it was written
		}
	}
	answer, err := gpjson.AppendInternalResponse(nil, m.Code, 0, "", params)
	if err != nil {
		w.malformed()
		return false
	}
	w.push(outgoing{answer, outReliable})
	return !w.ended.Load()
}
