package gpjson

import (
	"math"

	"github.com/boson-project/boson/pkg/gpbinary"
)

// Kind is the kind of a message, by the member that names its code.
type Kind uint8

// Kinds (websocket-json.md 3.1).
const (
	Request          Kind = iota + 1 // "req"
	InternalRequest                  // "irq"
	Response                         // "res"
	InternalResponse                 // "irs"
	Event                            // "evt"
)

// String returns the member's name.
func (k Kind) String() string {
	switch k {
	case Request:
		return "req"
	case InternalRequest:
		return "irq"
	case Response:
		return "res"
	case InternalResponse:
		return "irs"
	case Event:
		return "evt"
	}
	return "unknown"
}

// Message is one message with its parameters undecoded.
type Message struct {
	Kind Kind
	// Code of the operation or event. It may be any 32-bit integer.
	Code int
	// ReturnCode and Debug belong to responses. An absent or null "msg" is "".
	ReturnCode int
	Debug      string
	// Fields hold the JSON text of each value, without white space around it.
	// They alias the message.
	Fields []gpbinary.Field
}

// ParseMessage reads one message: a JSON object, what NextFrame returns. The
// order of members, white space and unknown members do not matter. A parameter
// code that comes twice has its last value, in the place of the first. Fields
// are appended to dst[:0]; nothing else is allocated when dst has room. The
// error is a *SyntaxError; with it the Message has dst's memory and nothing else.
func ParseMessage(text []byte, dst []gpbinary.Field) (Message, error) {
	p := parser{text: text}
	p.m.Fields = dst[:0]
	if err := p.message(); err != nil {
		return Message{Fields: dst[:0]}, err
	}
	return p.m, nil
}

type parser struct {
	text []byte
	m    Message
}

func (p *parser) message() error {
	b := p.text
	i := skipSpace(b, 0)
	if i >= len(b) || b[i] != '{' {
		return fail(i, "object expected")
	}
	start := i
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == '}' {
		return fail(start, "message without req, irq, res, irs or evt")
	}
	for more := true; more; {
		nameAt := i
		end, err := skipName(b, i)
		if err != nil {
			return err
		}
		valueAt := end
		name, _, err := memberName(b, nameAt)
		if err != nil {
			return err
		}
		if name == "vals" {
			i, err = p.vals(valueAt)
		} else if i, err = skipValue(b, valueAt, 2); err == nil {
			err = p.member(name, valueAt, i)
		}
		if err != nil {
			return err
		}
		if i, more, err = skipSeparator(b, i, '}'); err != nil {
			return err
		}
	}
	if i = skipSpace(b, i); i < len(b) {
		return fail(i, "end of message expected")
	}
	if p.m.Kind == 0 {
		return fail(start, "message without req, irq, res, irs or evt")
	}
	return nil
}

// memberName returns the name at i, without a copy for the names that matter.
func memberName(b []byte, i int) (string, int, error) {
	if len(b)-i > len(`"vals"`) {
		switch string(b[i : i+5]) {
		case `"req"`:
			return "req", i + 5, nil
		case `"irq"`:
			return "irq", i + 5, nil
		case `"evt"`:
			return "evt", i + 5, nil
		}
		if string(b[i:i+6]) == `"vals"` {
			return "vals", i + 6, nil
		}
	}
	return decodeString(b, i)
}

// member takes the checked value of a member other than vals.
func (p *parser) member(name string, from, to int) error {
	value := p.text[from:to]
	var kind Kind
	switch name {
	case "req":
		kind = Request
	case "irq":
		kind = InternalRequest
	case "res":
		kind = Response
	case "irs":
		kind = InternalResponse
	case "evt":
		kind = Event
	case "err":
		n, ok := ReadInt(value)
		if !ok || n < math.MinInt16 || n > math.MaxInt16 {
			return fail(from, "err is not a 16-bit integer")
		}
		p.m.ReturnCode = int(n)
		return nil
	case "msg":
		switch value[0] {
		case '"':
			p.m.Debug, _, _ = decodeString(value, 0)
		case 'n':
			p.m.Debug = ""
		default:
			return fail(from, "msg is neither a string nor null")
		}
		return nil
	default:
		return nil
	}
	n, ok := ReadInt(value)
	if !ok || n < math.MinInt32 || n > math.MaxInt32 {
		return fail(from, "code is not a 32-bit integer")
	}
	// A response that is an event as well is a response to the SDK.
	if p.m.Kind == 0 || p.m.Kind == Event {
		p.m.Kind, p.m.Code = kind, int(n)
	} else if kind == p.m.Kind {
		p.m.Code = int(n)
	}
	return nil
}

// vals reads the parameter list, at i, and returns where it ends.
func (p *parser) vals(i int) (int, error) {
	b := p.text
	if i >= len(b) || b[i] != '[' {
		return i, fail(i, "vals is not an array")
	}
	p.m.Fields = p.m.Fields[:0]
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == ']' {
		return i + 1, nil
	}
	var place [256]uint16 // of a code in Fields, plus one
	for more := true; more; {
		end, err := skipValue(b, i, 3)
		if err != nil {
			return i, err
		}
		code, ok := ReadInt(b[i:end])
		if !ok || code < 0 || code > math.MaxUint8 {
			return i, fail(i, "parameter code is not an integer from 0 to 255")
		}
		if i, more, err = skipSeparator(b, end, ']'); err != nil {
			return i, err
		}
		if !more {
			return i, fail(end, "parameter code without a value")
		}
		if end, err = skipValue(b, i, 3); err != nil {
			return i, err
		}
		field := gpbinary.Field{Key: byte(code), Bytes: b[i:end:end]}
		if at := place[code]; at > 0 {
			p.m.Fields[at-1] = field
		} else {
			p.m.Fields = append(p.m.Fields, field)
			place[code] = uint16(len(p.m.Fields))
		}
		if i, more, err = skipSeparator(b, end, ']'); err != nil {
			return i, err
		}
	}
	return i, nil
}
