package trace

import (
	"errors"
	"fmt"
	"strings"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/gpjson"
	"github.com/boson-project/boson/pkg/photon"
)

// mask stands for what must not be read.
const mask = "***"

// message is a decoded message.
type message struct {
	kind   photon.MessageType
	op     photon.OpCode    // of requests and responses
	event  photon.EventCode // of events
	code   photon.ReturnCode
	debug  string
	params photon.Params
	masked bool
}

// decode reads a message of either direction. Secrets are masked already.
func decode(p photon.Protocol, msg []byte) (m message, err error) {
	if p == photon.JSON {
		m, err = decodeJSON(msg)
	} else {
		m, err = decodeBinary(p, msg)
	}
	for i := range m.params {
		if m.secret(photon.ParamCode(m.params[i].Key)) {
			m.params[i].Value = mask
			m.masked = true
		}
	}
	return m, err
}

// secret says whether a parameter lets its reader act as the user, or holds what
// an authentication provider said.
func (m *message) secret(p photon.ParamCode) bool {
	if m.kind == photon.TypeInternalRequest || m.kind == photon.TypeInternalResponse {
		return false
	}
	switch p {
	case photon.ParamToken, photon.ParamClientAuthenticationParams, photon.ParamClientAuthenticationData, photon.ParamEncryptionData:
		return true
	case photon.ParamData:
		return m.kind != photon.TypeEvent && (m.op == photon.OpAuthenticate || m.op == photon.OpAuthenticateOnce)
	}
	return false
}

func decodeBinary(p photon.Protocol, msg []byte) (m message, err error) {
	if m.kind, _, err = photon.Type(msg); err != nil {
		return m, err
	}
	v, body := gpbinary.Version(p), msg[2:]
	switch m.kind {
	case photon.TypeInitResponse:
		return m, nil
	case photon.TypeResponse, photon.TypeInternalResponse:
		r, _, err := gpbinary.DecodeResponse(v, body)
		if err != nil {
			return m, err
		}
		m.op, m.code, m.debug, m.params = photon.OpCode(r.Code), photon.ReturnCode(r.ReturnCode), r.Debug, r.Params
	case photon.TypeRequest, photon.TypeInternalRequest, photon.TypeEvent:
		if len(body) == 0 {
			return m, errors.New("no code")
		}
		m.op, m.event = photon.OpCode(body[0]), photon.EventCode(body[0])
		fields, _, err := gpbinary.ReadTable(v, body[1:], nil)
		if err != nil {
			return m, err
		}
		m.params = contents(p, fields)
	case photon.TypeDisconnect:
		code, text, params, _, err := gpbinary.DecodeDisconnect(v, body)
		if err != nil {
			return m, err
		}
		m.code, m.debug, m.params = photon.ReturnCode(code), text, params
	default:
		return m, fmt.Errorf("message type %d", m.kind)
	}
	return m, nil
}

func contents(p photon.Protocol, fields []gpbinary.Field) photon.Params {
	params := make(photon.Params, len(fields))
	for i, f := range fields {
		params[i] = gpbinary.Param{Key: f.Key, Value: photon.Content{Protocol: p, Bytes: f.Bytes}}
	}
	return params
}

// jsonKinds are the message types of binary messages that mean the same.
var jsonKinds = map[gpjson.Kind]photon.MessageType{
	gpjson.Request: photon.TypeRequest, gpjson.Response: photon.TypeResponse, gpjson.Event: photon.TypeEvent,
	gpjson.InternalRequest: photon.TypeInternalRequest, gpjson.InternalResponse: photon.TypeInternalResponse,
}

func decodeJSON(msg []byte) (m message, err error) {
	// What the server sends is framed, what the client sends is not any more.
	if len(msg) > 0 && msg[0] == '~' {
		payload, isJSON, _, err := gpjson.NextFrame(msg)
		if err != nil {
			return m, err
		}
		if !isJSON {
			return message{kind: photon.TypeInitResponse}, nil
		}
		msg = payload
	}
	j, err := gpjson.ParseMessage(msg, nil)
	if err != nil {
		return m, err
	}
	m.kind, m.op, m.event = jsonKinds[j.Kind], photon.OpCode(j.Code), photon.EventCode(j.Code)
	m.code, m.debug, m.params = photon.ReturnCode(j.ReturnCode), j.Debug, contents(photon.JSON, j.Fields)
	return m, nil
}

// text returns a parameter that is a string.
func (m *message) text(p photon.ParamCode) (string, bool) {
	for _, f := range m.params {
		if f.Key == byte(p) {
			s, ok := plain(f.Value).(string)
			return s, ok
		}
	}
	return "", false
}

// encode makes the message again, with its masks.
func (m *message) encode(p photon.Protocol) ([]byte, error) {
	switch m.kind {
	case photon.TypeRequest:
		return photon.AppendRequest(nil, p, m.op, m.params)
	case photon.TypeResponse:
		return photon.AppendResponse(nil, p, m.op, m.code, m.debug, m.params)
	case photon.TypeEvent:
		return photon.AppendEvent(nil, p, m.event, m.params)
	}
	return nil, fmt.Errorf("message type %d has no secrets", m.kind)
}

// plain decodes a value that is kept as bytes.
func plain(v any) any {
	c, ok := v.(photon.Content)
	if !ok {
		return v
	}
	value, err := c.Value()
	if err != nil {
		return err
	}
	return value
}

// String is the message in one line.
func (m *message) String() string {
	var b strings.Builder
	switch m.kind {
	case photon.TypeInitResponse:
		return "init response"
	case photon.TypeEvent:
		fmt.Fprintf(&b, "event %d %s", m.event, m.event)
	case photon.TypeDisconnect:
		fmt.Fprintf(&b, "disconnect message %d %s %q", m.code, m.code, m.debug)
	case photon.TypeInternalRequest:
		fmt.Fprintf(&b, "internal request %d", m.op)
	case photon.TypeInternalResponse:
		fmt.Fprintf(&b, "internal response %d: %d", m.op, m.code)
	case photon.TypeResponse:
		fmt.Fprintf(&b, "response %d %s: %d %s", m.op, m.op, m.code, m.code)
		if m.debug != "" {
			fmt.Fprintf(&b, " %q", m.debug)
		}
	default:
		fmt.Fprintf(&b, "request %d %s", m.op, m.op)
	}
	for _, p := range m.params {
		name := fmt.Sprint(photon.ParamCode(p.Key))
		if m.kind == photon.TypeInternalRequest || m.kind == photon.TypeInternalResponse {
			name = "parameter"
		}
		fmt.Fprintf(&b, " | %d %s = ", p.Key, name)
		appendValue(&b, plain(p.Value), 0)
	}
	return b.String()
}

// Bounds of one value in the text.
const (
	maxText  = 500
	maxItems = 50
	maxDepth = 8
)

func appendValue(b *strings.Builder, v any, depth int) {
	if depth > maxDepth {
		b.WriteString("...")
		return
	}
	pairs := func(list []gpbinary.Pair) {
		b.WriteByte('{')
		for i, p := range list {
			if i > 0 {
				b.WriteString(", ")
			}
			if i >= maxItems {
				fmt.Fprintf(b, "... %d in all", len(list))
				break
			}
			appendValue(b, p.Key, depth+1)
			b.WriteString(": ")
			appendValue(b, p.Value, depth+1)
		}
		b.WriteByte('}')
	}
	switch v := v.(type) {
	case *gpbinary.Hashtable:
		pairs(v.Pairs())
	case *gpbinary.Dictionary:
		pairs(v.Pairs)
	case gpbinary.ObjectArray:
		b.WriteByte('[')
		for i, e := range v {
			if i > 0 {
				b.WriteString(", ")
			}
			if i >= maxItems {
				fmt.Fprintf(b, "... %d in all", len(v))
				break
			}
			appendValue(b, e, depth+1)
		}
		b.WriteByte(']')
	case []byte:
		fmt.Fprintf(b, "%d bytes %x", len(v), v[:min(len(v), maxItems)])
	case string:
		cut(b, fmt.Sprintf("%q", v[:min(len(v), maxText)]))
	default:
		cut(b, fmt.Sprintf("%v (%T)", v, v))
	}
}

func cut(b *strings.Builder, s string) {
	if len(s) > maxText {
		s = s[:maxText] + "..."
	}
	b.WriteString(strings.ReplaceAll(s, "\n", " "))
}
