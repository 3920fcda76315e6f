package gpjson

import (
	"bytes"
	"strconv"

	"github.com/boson-project/boson/pkg/gpbinary"
)

// The frame around every message is "~m~", its length in UTF-16 units, "~m~".
// A payload that is JSON starts with "~j~" (websocket-json.md 2.1).
const (
	frameMark = "~m~"
	jsonMark  = "~j~"
	// headRoom is kept free in front of a payload until its length is known.
	headRoom = 2*len(frameMark) + maxLengthDigits
	// maxLengthDigits of the number in a frame.
	maxLengthDigits = 10
)

// NextFrame takes the first frame off a WebSocket message. payload is what is in
// it, without the "~j~" marker when isJSON; rest is what follows. Lengths that
// count UTF-8 bytes instead of UTF-16 units are accepted (websocket-json.md
// 2.4). Payloads that are not JSON are to be ignored by a server; a client's
// first one is the session id. The error is a *SyntaxError.
func NextFrame(msg []byte) (payload []byte, isJSON bool, rest []byte, err error) {
	if !bytes.HasPrefix(msg, []byte(frameMark)) {
		return nil, false, nil, fail(0, "frame expected")
	}
	i, n := len(frameMark), 0
	for ; i < len(msg) && msg[i] >= '0' && msg[i] <= '9'; i++ {
		if i == len(frameMark)+maxLengthDigits {
			return nil, false, nil, fail(i, "frame length is too large")
		}
		n = n*10 + int(msg[i]-'0')
	}
	if i == len(frameMark) || !bytes.HasPrefix(msg[i:], []byte(frameMark)) {
		return nil, false, nil, fail(i, "frame length expected")
	}
	i += len(frameMark)
	body := msg[i:]
	end := utf16Prefix(body, n)
	if !endsFrame(body, end) {
		if end = n; !endsFrame(body, end) {
			return nil, false, nil, fail(i, "frame length does not fit")
		}
	}
	payload, rest = body[:end], body[end:]
	if bytes.HasPrefix(payload, []byte(jsonMark)) {
		return payload[len(jsonMark):], true, rest, nil
	}
	return payload, false, rest, nil
}

// utf16Prefix returns how many bytes the first n UTF-16 units of b take, or -1
// if b has fewer or the n-th is half a character.
func utf16Prefix(b []byte, n int) int {
	if n > len(b) {
		return -1
	}
	for i, c := range b {
		units := utf16Units(c)
		if units > n {
			if n == 0 {
				return i
			}
			return -1
		}
		n -= units
	}
	if n > 0 {
		return -1
	}
	return len(b)
}

// endsFrame says whether a frame may end at i: there the message ends, or
// another frame starts.
func endsFrame(b []byte, i int) bool {
	return i >= 0 && (i == len(b) || i < len(b) && bytes.HasPrefix(b[i:], []byte(frameMark)))
}

// AppendFrame appends payload, UTF-8 text with its "~j~" marker if it needs one, in a frame.
func AppendFrame(dst, payload []byte) []byte {
	dst = appendHead(dst, utf16Len(payload))
	return append(dst, payload...)
}

// AppendSessionID appends the frame that a server sends first on every
// connection (websocket-json.md 3.2). id has no "~" and is not empty.
func AppendSessionID(dst []byte, id string) []byte {
	return AppendFrame(dst, []byte(id))
}

func appendHead(dst []byte, units int) []byte {
	dst = append(dst, frameMark...)
	dst = strconv.AppendInt(dst, int64(units), 10)
	return append(dst, frameMark...)
}

// AppendRequest appends an operation request in its frame. On an error dst is
// returned as it was; see AppendValue for what can go wrong, here and below.
func AppendRequest(dst []byte, code int, params gpbinary.Params) ([]byte, error) {
	e := begin(dst)
	return e.end(dst, e.request("req", code, params))
}

// AppendInternalRequest appends a request of the transport's own operations:
// code 1 is the ping (websocket-json.md 3.3).
func AppendInternalRequest(dst []byte, code int, params gpbinary.Params) ([]byte, error) {
	e := begin(dst)
	return e.end(dst, e.request("irq", code, params))
}

// AppendResponse appends an operation response. An empty debug message is null.
func AppendResponse(dst []byte, code, returnCode int, debug string, params gpbinary.Params) ([]byte, error) {
	e := begin(dst)
	return e.end(dst, e.response("res", code, returnCode, debug, params))
}

// AppendInternalResponse appends the answer to an internal request.
func AppendInternalResponse(dst []byte, code, returnCode int, debug string, params gpbinary.Params) ([]byte, error) {
	e := begin(dst)
	return e.end(dst, e.response("irs", code, returnCode, debug, params))
}

// AppendEvent appends an event.
func AppendEvent(dst []byte, code int, params gpbinary.Params) ([]byte, error) {
	e := begin(dst)
	return e.end(dst, e.event(code, params))
}

// AppendContentEvent appends an event that relays content, the JSON text of
// parameter 245 or nil for none, from the actor with number actorNr. It
// allocates only what dst lacks.
func AppendContentEvent(dst []byte, code byte, content []byte, actorNr int32) []byte {
	var tail [40]byte
	t := append(tail[:0], "254,"...)
	t = strconv.AppendInt(t, int64(actorNr), 10)
	t = append(t, `],"evt":`...)
	t = strconv.AppendInt(t, int64(code), 10)
	t = append(t, '}')
	const head, data = jsonMark + `{"vals":[`, "245,"
	units := len(head) + len(t)
	if content != nil {
		units += len(data) + utf16Len(content) + 1
	}
	dst = appendHead(dst, units)
	dst = append(dst, head...)
	if content != nil {
		dst = append(dst, data...)
		dst = appendRaw(dst, content)
		dst = append(dst, ',')
	}
	return append(dst, t...)
}

// begin leaves room for the frame's head behind dst.
func begin(dst []byte) encoder {
	var room [headRoom]byte
	e := encoder{dst: append(dst, room[:]...)}
	e.text(jsonMark)
	return e
}

// end writes the head in front of the payload, now that its length is known.
func (e *encoder) end(dst []byte, err error) ([]byte, error) {
	if err != nil {
		return dst, err
	}
	payload := e.dst[len(dst)+headRoom:]
	out := appendHead(e.dst[:len(dst)], utf16Len(payload))
	return append(out, payload...), nil
}

// member writes a further member of an object: its name and a number.
func (e *encoder) member(start, name string, n int) {
	e.text(start)
	e.text(name)
	e.text(`":`)
	e.int(int64(n))
}

func (e *encoder) request(name string, code int, params gpbinary.Params) error {
	e.member(`{"`, name, code)
	e.text(",")
	if err := e.vals(params); err != nil {
		return err
	}
	e.text("}")
	return nil
}

func (e *encoder) response(name string, code, returnCode int, debug string, params gpbinary.Params) error {
	e.member(`{"`, "err", returnCode)
	e.member(`,"`, name, code)
	e.text(",")
	if err := e.vals(params); err != nil {
		return err
	}
	e.text(`,"msg":`)
	if debug == "" {
		e.text("null")
	} else {
		e.dst = appendString(e.dst, debug)
	}
	e.text("}")
	return nil
}

func (e *encoder) event(code int, params gpbinary.Params) error {
	e.text("{")
	if err := e.vals(params); err != nil {
		return err
	}
	e.member(`,"`, "evt", code)
	e.text("}")
	return nil
}

// vals writes the parameter list. Each value of a message has the whole of
// MaxText; a message that is itself a value has what is left of its own.
func (e *encoder) vals(params gpbinary.Params) error {
	e.text(`"vals":[`)
	limit := e.limit
	for i := range params {
		if i > 0 {
			e.text(",")
		}
		e.int(int64(params[i].Key))
		e.text(",")
		if limit == 0 {
			e.limit = len(e.dst) + MaxText
		}
		if err := e.value(params[i].Value); err != nil {
			return err
		}
	}
	e.limit = limit
	e.text("]")
	return nil
}
