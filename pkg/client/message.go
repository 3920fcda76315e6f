package client

import (
	"errors"
	"fmt"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/gpjson"
	"github.com/boson-project/boson/pkg/photon"
)

// Event is one event from the server.
type Event struct {
	Code photon.EventCode
	// Delivery is how the event travelled.
	Delivery photon.Delivery
	Fields
}

// ActorNr is the sender (parameter 254): 0 is the server, -1 stands for none given.
func (e *Event) ActorNr() int32 {
	n, ok := e.Int32(photon.ParamActorNr)
	if !ok {
		return -1
	}
	return n
}

// Content is what the sender gave RaiseEvent (parameter 245), undecoded. ok is
// false when it gave nothing. It aliases the message.
func (e *Event) Content() (c photon.Content, ok bool) {
	return e.Fields.Content(photon.ParamData)
}

// CustomData decodes the content. It is nil when there is none, or when it
// can't be decoded.
func (e *Event) CustomData() any {
	v, _ := e.Value(photon.ParamData)
	return v
}

// Clone returns a copy that outlives the callback.
func (e *Event) Clone() *Event {
	return &Event{Code: e.Code, Delivery: e.Delivery, Fields: e.clone()}
}

// Response is the server's answer to an operation. It belongs to its receiver.
type Response struct {
	Op         photon.OpCode
	ReturnCode photon.ReturnCode
	// Debug is the server's message for developers; may be empty.
	Debug string
	// Encrypted says that the response came encrypted.
	Encrypted bool
	Fields
}

// Err returns nil for return code Ok, and an *OperationError otherwise.
func (r *Response) Err() error {
	if r.ReturnCode == photon.ReturnOk {
		return nil
	}
	return &OperationError{Op: r.Op, Code: r.ReturnCode, Debug: r.Debug}
}

// parseResponse reads the body of a binary response, what follows F3 and the
// type. The result aliases b.
func parseResponse(p photon.Protocol, b []byte) (*Response, error) {
	if len(b) < 4 {
		return nil, errors.New("response is cut short")
	}
	r := &Response{Op: photon.OpCode(b[0])}
	v := gpbinary.Version(p)
	if v == gpbinary.V16 {
		r.ReturnCode = photon.ReturnCode(uint16(b[1])<<8 | uint16(b[2]))
	} else {
		r.ReturnCode = photon.ReturnCode(uint16(b[2])<<8 | uint16(b[1]))
	}
	debug, n, err := gpbinary.Decode(v, b[3:])
	if err != nil {
		return nil, fmt.Errorf("response %s: debug message: %w", r.Op, err)
	}
	switch d := debug.(type) {
	case nil:
	case string:
		r.Debug = d
	default:
		return nil, fmt.Errorf("response %s: debug message is a %T", r.Op, debug)
	}
	fields, err := parseTable(v, b[3+n:], nil)
	if err != nil {
		return nil, fmt.Errorf("response %s: %w", r.Op, err)
	}
	r.table = photon.Request{Protocol: p, Fields: fields}
	return r, nil
}

// parseTable reads a parameter table that fills b.
func parseTable(v gpbinary.Version, b []byte, dst []gpbinary.Field) ([]gpbinary.Field, error) {
	fields, n, err := gpbinary.ReadTable(v, b, dst)
	if err == nil && n != len(b) {
		err = fmt.Errorf("%d bytes after the parameters", len(b)-n)
	}
	return fields, err
}

// responseOf makes a response of a JSON message.
func responseOf(m gpjson.Message) *Response {
	r := &Response{Op: photon.OpCode(m.Code), ReturnCode: photon.ReturnCode(m.ReturnCode), Debug: m.Debug}
	r.table = photon.Request{Protocol: photon.JSON, Fields: m.Fields}
	return r
}

// parseDisconnect reads the body of a disconnect message (wire.md 4.6).
func parseDisconnect(p photon.Protocol, b []byte) (*DisconnectError, error) {
	code, text, _, _, err := gpbinary.DecodeDisconnect(gpbinary.Version(p), b)
	if err != nil {
		return nil, fmt.Errorf("disconnect message: %w", err)
	}
	return &DisconnectError{Cause: DisconnectByDisconnectMessage, Code: photon.ReturnCode(code), Text: text}, nil
}
