package client

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/gpjson"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/secure"
)

// receive takes one message from the link, on the receiving goroutine. msg is
// valid only during the call. A result other than nil ends the peer. A server
// that breaks the protocol is not worth talking to: where official clients log
// an error and go on, this client disconnects, so that tests see it.
func (p *Peer) receive(msg []byte, d photon.Delivery) *DisconnectError {
	var end *DisconnectError
	var err error
	if p.opt.Protocol == photon.JSON {
		err = p.receiveJSON(msg, d)
	} else {
		end, err = p.receiveBinary(msg, d)
	}
	if err != nil {
		end = &DisconnectError{Cause: ProtocolError, Err: err}
	}
	if end != nil {
		p.fail(end)
	}
	return end
}

func (p *Peer) receiveBinary(msg []byte, d photon.Delivery) (*DisconnectError, error) {
	t, encrypted, err := photon.Type(msg)
	if err != nil {
		return nil, fmt.Errorf("message of %d bytes that starts with % x", len(msg), msg[:min(len(msg), 4)])
	}
	// A server may set the flag on a secure WebSocket; the content is plain there.
	if encrypted && p.opt.Transport != SecureWebSocket {
		p.mu.Lock()
		cipher := p.cipher
		p.mu.Unlock()
		if cipher == nil {
			return nil, fmt.Errorf("encrypted message: %w", ErrNoEncryption)
		}
		if msg, err = secure.AppendDecryptedMessage(p.plain[:0], msg, cipher); err != nil {
			return nil, err
		}
		p.plain = kept(msg)
		d.Encrypt = true
	}
	body := msg[2:]
	switch t {
	case photon.TypeInitResponse:
		p.initResponse()
	case photon.TypeResponse:
		r, err := parseResponse(p.opt.Protocol, bytes.Clone(body))
		if err != nil {
			return nil, err
		}
		r.Encrypted = d.Encrypt
		p.respond(r)
	case photon.TypeEvent:
		return nil, p.binaryEvent(msg, d)
	case photon.TypeInternalResponse:
		r, err := parseResponse(p.opt.Protocol, bytes.Clone(body))
		if err != nil {
			return nil, err
		}
		return nil, p.internalResponse(r)
	case photon.TypeDisconnect:
		return parseDisconnect(p.opt.Protocol, body)
	default:
		return nil, fmt.Errorf("message of type %d", t)
	}
	return nil, nil
}

// receiveJSON takes a WebSocket message: one frame (websocket-json.md 2.1).
func (p *Peer) receiveJSON(msg []byte, d photon.Delivery) error {
	payload, isJSON, rest, err := gpjson.NextFrame(msg)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return errors.New("more than one frame in a WebSocket message")
	}
	if !isJSON {
		// The first one is the session id, which ends the init phase.
		p.initResponse()
		return nil
	}
	m, err := gpjson.ParseMessage(payload, p.event.table.Fields[:0])
	p.event.table.Fields = m.Fields
	if err != nil {
		return err
	}
	switch m.Kind {
	case gpjson.Event:
		if m.Code < 0 || m.Code > 255 {
			return fmt.Errorf("event code %d", m.Code)
		}
		code := photon.EventCode(m.Code)
		if p.opt.OnRawEvent != nil && p.opt.OnRawEvent(code, payload, d) {
			return nil
		}
		p.dispatch(code, d)
	case gpjson.Response, gpjson.InternalResponse:
		if m.Code < 0 || m.Code > 255 {
			return fmt.Errorf("operation code %d", m.Code)
		}
		r := responseOf(m)
		r.Fields = r.clone()
		if m.Kind == gpjson.InternalResponse {
			return p.internalResponse(r)
		}
		p.respond(r)
	default:
		return fmt.Errorf("message of kind %s", m.Kind)
	}
	return nil
}

func (p *Peer) initResponse() {
	if !p.initialised {
		p.initialised = true
		close(p.ready)
	}
}

func (p *Peer) binaryEvent(msg []byte, d photon.Delivery) error {
	if len(msg) < 3 {
		return errors.New("event without code")
	}
	code := photon.EventCode(msg[2])
	if p.opt.OnRawEvent != nil && p.opt.OnRawEvent(code, msg, d) {
		return nil
	}
	fields, err := parseTable(gpbinary.Version(p.opt.Protocol), msg[3:], p.event.table.Fields[:0])
	p.event.table.Fields = fields
	if err != nil {
		return fmt.Errorf("event %s: %w", code, err)
	}
	p.dispatch(code, d)
	return nil
}

// dispatch hands out the event whose table is in p.event.
func (p *Peer) dispatch(code photon.EventCode, d photon.Delivery) {
	if p.opt.OnEvent == nil {
		return
	}
	p.event.Code, p.event.Delivery = code, d
	p.event.table.Protocol = p.opt.Protocol
	p.opt.OnEvent(&p.event)
}

// respond gives a response to the oldest request of its operation.
func (p *Peer) respond(r *Response) {
	p.mu.Lock()
	var c *call
	found := false
	for i := range p.pending {
		if p.pending[i].op == r.Op {
			c, found = p.pending[i].call, true
			p.pending = append(p.pending[:i], p.pending[i+1:]...)
			break
		}
	}
	if !found && p.token != nil && (r.Op == photon.OpAuthenticate || r.Op == photon.OpAuthenticateOnce) && len(p.token.response) == 0 {
		c = p.token
	}
	p.mu.Unlock()
	switch {
	case c != nil:
		c.answer(r)
	case p.opt.OnResponse != nil:
		p.opt.OnResponse(r)
	}
}

// internalResponse takes the answer to a key exchange or a ping (wire.md 4.7).
func (p *Peer) internalResponse(r *Response) error {
	switch r.Op {
	case photon.InternalInitEncryption:
		p.mu.Lock()
		var c *call
		if len(p.exchange) > 0 {
			c = p.exchange[0]
			p.exchange = p.exchange[1:]
		}
		p.mu.Unlock()
		if c == nil {
			return errors.New("key exchange that was not asked for")
		}
		return p.exchanged(c, r)
	case photon.InternalPing:
		sent, ok1 := r.Int(1)
		server, ok2 := r.Int(2)
		if !ok1 || !ok2 {
			return errors.New("ping response lacks a parameter")
		}
		now := p.now()
		p.clock.answer(now, sinceMillis(now, uint32(sent)), uint32(server))
		return nil
	}
	return fmt.Errorf("response to internal operation %d", byte(r.Op))
}

// exchanged takes the server's public key into use.
func (p *Peer) exchanged(c *call, r *Response) error {
	if r.ReturnCode == photon.ReturnOk {
		public, ok := r.Bytes(1)
		if !ok {
			return errors.New("key exchange response has no key")
		}
		key, err := c.keys.SharedKey(public)
		if err != nil {
			return err
		}
		cipher, err := secure.NewCipher(key[:])
		if err != nil {
			return err
		}
		p.mu.Lock()
		p.cipher = cipher
		p.mu.Unlock()
	}
	c.answer(r)
	return nil
}

// sinceMillis is the time since a moment of which only the milliseconds are
// known, as a server echoes them.
func sinceMillis(now time.Duration, sent uint32) time.Duration {
	return max(time.Duration(int32(millis(now)-sent)), 0) * time.Millisecond
}
