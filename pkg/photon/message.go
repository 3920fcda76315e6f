package photon

import (
	"errors"
	"fmt"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/gpjson"
)

// Magic starts every binary message (wire.md 4.1). Clients also accept FD.
const (
	Magic    byte = 0xF3
	magicAlt byte = 0xFD
	// EncryptedBit in the type byte marks an encrypted body.
	EncryptedBit byte = 0x80
)

// MessageType is the second byte of a binary message, without the encrypted bit.
type MessageType byte

// Message types (wire.md 4.1).
const (
	TypeInit             MessageType = 0
	TypeInitResponse     MessageType = 1
	TypeRequest          MessageType = 2
	TypeResponse         MessageType = 3
	TypeEvent            MessageType = 4
	TypeDisconnect       MessageType = 5
	TypeInternalRequest  MessageType = 6
	TypeInternalResponse MessageType = 7
	TypeMessage          MessageType = 8
	TypeRawMessage       MessageType = 9
)

// Params is a parameter table on its way out. Values may be Content.
type Params = gpbinary.Params

// Param makes one entry of a parameter table.
func Param(code ParamCode, value any) gpbinary.Param {
	return gpbinary.Param{Key: byte(code), Value: value}
}

// ErrIgnored is returned for messages that a server drops without a word: empty
// ones, wrong magic bytes, types that no client sends (wire.md 3.16).
var ErrIgnored = errors.New("not an operation")

// Type returns the type of a binary message and whether its body is encrypted.
func Type(msg []byte) (t MessageType, encrypted bool, err error) {
	if len(msg) < 2 || msg[0] != Magic && msg[0] != magicAlt {
		return 0, false, ErrIgnored
	}
	return MessageType(msg[1] &^ EncryptedBit), msg[1]&EncryptedBit != 0, nil
}

// ParseRequest reads an operation request, or an internal one, into r. For
// the binary protocols msg is the whole decrypted message; for JSON the JSON
// object without its frame. r.Fields keeps its capacity and aliases msg.
//
// ErrIgnored: not a request. Any other error: malformed, with the offset.
func ParseRequest(p Protocol, msg []byte, r *Request) error {
	r.Protocol = p
	if p == JSON {
		m, err := gpjson.ParseMessage(msg, r.Fields[:0])
		r.Fields = m.Fields
		if err != nil {
			return err
		}
		switch m.Kind {
		case gpjson.Request:
			r.Internal = false
		case gpjson.InternalRequest:
			r.Internal = true
		default:
			return ErrIgnored
		}
		if m.Code < 0 || m.Code > 255 {
			return fmt.Errorf("operation code %d out of range", m.Code)
		}
		r.Code = OpCode(m.Code)
		return nil
	}
	t, _, err := Type(msg)
	if err != nil {
		return err
	}
	switch t {
	case TypeRequest:
		r.Internal = false
	case TypeInternalRequest:
		r.Internal = true
	default:
		return ErrIgnored
	}
	if len(msg) < 3 {
		return errors.New("request without operation code at offset 2")
	}
	r.Code = OpCode(msg[2])
	r.Fields, _, err = gpbinary.ReadTable(gpbinary.Version(p), msg[3:], r.Fields[:0])
	return err
}

// resolve turns the Content values of params into what p's encoder takes.
// It returns params itself when there are none.
func resolve(p Protocol, params Params) (Params, error) {
	for i := range params {
		if _, ok := params[i].Value.(Content); ok {
			out := make(Params, len(params))
			copy(out, params)
			for j := range out {
				c, ok := out[j].Value.(Content)
				if !ok {
					continue
				}
				text, err := c.AppendTo(nil, p)
				if err != nil {
					return nil, err
				}
				if p == JSON {
					out[j].Value = gpjson.Raw(text)
				} else {
					out[j].Value = gpbinary.Raw{Version: gpbinary.Version(p), Bytes: text}
				}
			}
			return out, nil
		}
	}
	return params, nil
}

// binary appends a message of a binary protocol. Values that came in the other
// format may have types that this one lacks; they are converted as
// serialization.md 14 says, which most messages don't need and don't pay for.
func binary(dst []byte, p Protocol, t MessageType, params Params, body func([]byte, gpbinary.Version, Params) ([]byte, error)) ([]byte, error) {
	v := gpbinary.Version(p)
	out, err := body(append(dst, Magic, byte(t)), v, params)
	if err == nil {
		return out, nil
	}
	converted := make(Params, len(params))
	for i := range params {
		converted[i].Key = params[i].Key
		converted[i].Value, _ = gpbinary.Convert(v, params[i].Value)
	}
	if out, err = body(append(dst, Magic, byte(t)), v, converted); err != nil {
		return dst, err
	}
	return out, nil
}

// AppendRequest appends an operation request. Clients and the links between servers use it.
func AppendRequest(dst []byte, p Protocol, op OpCode, params Params) ([]byte, error) {
	return appendRequest(dst, p, TypeRequest, op, params)
}

// AppendInternalRequest appends a request of the transport's own operations (wire.md 4.7).
func AppendInternalRequest(dst []byte, p Protocol, op OpCode, params Params) ([]byte, error) {
	return appendRequest(dst, p, TypeInternalRequest, op, params)
}

func appendRequest(dst []byte, p Protocol, t MessageType, op OpCode, params Params) ([]byte, error) {
	params, err := resolve(p, params)
	if err != nil {
		return dst, err
	}
	if p == JSON {
		if t == TypeInternalRequest {
			return gpjson.AppendInternalRequest(dst, int(op), params)
		}
		return gpjson.AppendRequest(dst, int(op), params)
	}
	return binary(dst, p, t, params, func(dst []byte, v gpbinary.Version, params Params) ([]byte, error) {
		return gpbinary.AppendRequest(dst, v, &gpbinary.OperationRequest{Code: byte(op), Params: params})
	})
}

// AppendResponse appends an operation response. An empty debug message is null.
func AppendResponse(dst []byte, p Protocol, op OpCode, rc ReturnCode, debug string, params Params) ([]byte, error) {
	return appendResponse(dst, p, TypeResponse, op, rc, debug, params)
}

// AppendInternalResponse appends a response of the transport's own operations.
func AppendInternalResponse(dst []byte, p Protocol, op OpCode, rc ReturnCode, debug string, params Params) ([]byte, error) {
	return appendResponse(dst, p, TypeInternalResponse, op, rc, debug, params)
}

func appendResponse(dst []byte, p Protocol, t MessageType, op OpCode, rc ReturnCode, debug string, params Params) ([]byte, error) {
	params, err := resolve(p, params)
	if err != nil {
		return dst, err
	}
	if p == JSON {
		if t == TypeInternalResponse {
			return gpjson.AppendInternalResponse(dst, int(op), int(rc), debug, params)
		}
		return gpjson.AppendResponse(dst, int(op), int(rc), debug, params)
	}
	return binary(dst, p, t, params, func(dst []byte, v gpbinary.Version, params Params) ([]byte, error) {
		return gpbinary.AppendResponse(dst, v, &gpbinary.OperationResponse{Code: byte(op), ReturnCode: int16(rc), Debug: debug, Params: params})
	})
}

// AppendEvent appends an event.
func AppendEvent(dst []byte, p Protocol, code EventCode, params Params) ([]byte, error) {
	params, err := resolve(p, params)
	if err != nil {
		return dst, err
	}
	if p == JSON {
		return gpjson.AppendEvent(dst, int(code), params)
	}
	return binary(dst, p, TypeEvent, params, func(dst []byte, v gpbinary.Version, params Params) ([]byte, error) {
		return gpbinary.AppendEvent(dst, v, &gpbinary.EventData{Code: byte(code), Params: params})
	})
}

// AppendDisconnect appends a disconnect message: a reason in words, to be
// followed by the end of the connection (wire.md 4.6). JSON clients have none;
// for them it is nothing.
func AppendDisconnect(dst []byte, p Protocol, code ReturnCode, text string) ([]byte, error) {
	if p == JSON {
		return dst, nil
	}
	return gpbinary.AppendDisconnect(append(dst, Magic, byte(TypeDisconnect)), gpbinary.Version(p), int16(code), text, nil)
}

// AppendContentEvent appends an event that relays content (parameter 245;
// absent when content is nil) of actorNr (254). Content of the same protocol is
// pasted untouched; this is the servers' busiest function and allocates only
// what dst lacks.
func AppendContentEvent(dst []byte, p Protocol, code EventCode, content *Content, actorNr int32) ([]byte, error) {
	if p == JSON {
		if content == nil {
			return gpjson.AppendContentEvent(dst, byte(code), nil, actorNr), nil
		}
		text := content.Bytes
		if content.Protocol != JSON {
			var err error
			if text, err = content.AppendTo(nil, JSON); err != nil {
				return dst, err
			}
		}
		return gpjson.AppendContentEvent(dst, byte(code), text, actorNr), nil
	}
	n := byte(1)
	if content != nil {
		n = 2
	}
	start := len(dst)
	dst = append(dst, Magic, byte(TypeEvent), byte(code))
	if p == GpBinaryV16 {
		dst = append(dst, 0, n)
	} else {
		dst = append(dst, n)
	}
	if content != nil {
		dst = append(dst, byte(ParamData))
		var err error
		if dst, err = content.AppendTo(dst, p); err != nil {
			return dst[:start], err
		}
	}
	dst = append(dst, byte(ParamActorNr))
	return gpbinary.AppendInt(dst, gpbinary.Version(p), actorNr), nil
}
