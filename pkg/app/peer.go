package app

import (
	"crypto/rand"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/secure"
	"github.com/boson-project/boson/pkg/transport"
)

// Handler gets one peer's operations. Its methods are called from one
// goroutine at a time and must not block: a handler answers at once, or hands
// the request over to a fiber or pool.
type Handler interface {
	// Operation gets one request; r is valid only during the call.
	Operation(r *photon.Request)
	// Closed is the last call.
	Closed(reason transport.Reason)
}

// Application takes peers. Connect is called once per new peer, must not
// block, and returns the handler of its operations; nil refuses the peer.
type Application interface {
	Connect(p *Peer) Handler
}

// Peer is one client of an application: a session with its encryption. All
// methods may be called from any goroutine, and none blocks.
type Peer struct {
	transport.Session
	server *Server
	cipher atomic.Pointer[secure.Cipher]
	ending atomic.Bool // Disconnect was called
	tap    Tap         // nil for most

	appMu sync.Mutex // guards app and over
	app   *limited   // nil for an application without limits of its own
	over  bool       // the session has ended

	// Only touched from the session's receive goroutine.
	handler   Handler
	request   photon.Request
	plain     []byte
	malformed int
	exchanges atomic.Int32
}

const (
	// maxMalformed messages end a connection (serialization.md 11, rule 7).
	maxMalformed = 3
	// maxExchanges of keys may be under way at once for one peer.
	maxExchanges = 4
)

// Protocol is the peer's serialization.
func (p *Peer) Protocol() photon.Protocol { return p.Info().Protocol }

// Secure says whether the transport itself encrypts.
func (p *Peer) Secure() bool { return p.Info().Kind == transport.SecureWebSocket }

// SetCipher turns on payload encryption with a key that the server supplied
// (wire.md 7.3).
func (p *Peer) SetCipher(c *secure.Cipher) { p.cipher.Store(c) }

// Respond sends an operation response, reliably on channel 0, encrypted if the
// request was. It satisfies Responder.
func (p *Peer) Respond(op Op, rc photon.ReturnCode, debug string, params photon.Params) {
	msg, err := photon.AppendResponse(nil, p.Protocol(), op.Code, rc, debug, params)
	if err != nil {
		// A value that this client's format can't hold; it must still get an answer.
		p.server.log.Warn().Err(err).Uint64("peer", p.ID()).Stringer("op", op.Code).Msg("response can't be encoded")
		msg, _ = photon.AppendResponse(nil, p.Protocol(), op.Code, photon.ReturnInternalServerError, "response can't be encoded", nil)
	}
	p.Send(msg, photon.Delivery{Mode: photon.Reliable, Encrypt: op.Encrypt})
}

// SendEvent sends an event to this peer alone, reliably on channel 0.
func (p *Peer) SendEvent(code photon.EventCode, params photon.Params) {
	msg, err := photon.AppendEvent(nil, p.Protocol(), code, params)
	if err != nil {
		p.server.log.Warn().Err(err).Uint64("peer", p.ID()).Stringer("event", code).Msg("event can't be encoded")
		return
	}
	p.Send(msg, photon.Delivery{Mode: photon.Reliable})
}

// Send sends an encoded message. With d.Encrypt it is encrypted for this peer
// if it has a key and its transport does not encrypt itself; the bytes of msg
// are left as they are.
func (p *Peer) Send(msg []byte, d photon.Delivery) {
	if p.tap != nil {
		p.tap.Message(msg, false, d)
	}
	if d.Encrypt && p.Protocol() != photon.JSON && !p.Secure() {
		if c := p.cipher.Load(); c != nil {
			if sealed, err := secure.AppendEncryptedMessage(nil, msg, c); err == nil {
				msg = sealed
			}
		}
	}
	p.Session.Send(msg, d)
}

// disconnectGrace is how long a client that was told to go may take. It must be
// the client who closes: clients lose what waits to be dispatched when the
// server does (loadbalancing.md 2, wire.md 3.15).
const disconnectGrace = 5 * time.Second

// Disconnect tells the client why, as far as its protocol has words for it, and
// closes the session: at once where it has none, else when the client had time to
// read it and to go (wire.md 4.6). Nothing that the client still sends counts.
func (p *Peer) Disconnect(rc photon.ReturnCode, text string, reason transport.Reason) {
	if p.ending.Swap(true) {
		return
	}
	msg, err := photon.AppendDisconnect(nil, p.Protocol(), rc, text)
	if err != nil || len(msg) == 0 {
		p.Close(reason)
		return
	}
	p.Send(msg, photon.Delivery{Mode: photon.Reliable})
	time.AfterFunc(disconnectGrace, func() { p.Close(reason) })
}

// Receive implements transport.Receiver.
func (p *Peer) Receive(msg []byte, d photon.Delivery) {
	defer p.survive()
	if p.ending.Load() {
		return
	}
	proto := p.Protocol()
	if proto != photon.JSON {
		t, encrypted, err := photon.Type(msg)
		if err != nil {
			return // dropped without a word, wire.md 3.16
		}
		// Over TLS the bit may be set on plain content (wire.md 6.6).
		if encrypted && !p.Secure() {
			c := p.cipher.Load()
			if c == nil {
				p.protocolError(errors.New("encrypted message without a key"))
				return
			}
			p.plain = append(p.plain[:0], photon.Magic, byte(t))
			if p.plain, err = c.AppendDecrypted(p.plain, msg[2:]); err != nil {
				p.protocolError(err)
				return
			}
			msg, d.Encrypt = p.plain, true
		}
	}
	if p.tap != nil {
		p.tap.Message(msg, true, d)
	}
	p.request.Delivery = d
	err := photon.ParseRequest(proto, msg, &p.request)
	switch {
	case err == photon.ErrIgnored:
		return
	case err != nil:
		p.malformedMessage(err)
		return
	}
	if p.request.Internal {
		p.internal(&p.request)
		return
	}
	p.handler.Operation(&p.request)
	if cap(p.plain) > 4096 {
		p.plain = nil
	}
	if cap(p.request.Fields) > 64 {
		p.request.Fields = nil
	}
}

// survive keeps a panic in a handler to its peer: the transport's loop and
// everybody else go on. It must be deferred.
func (p *Peer) survive() {
	if x := recover(); x != nil {
		p.server.log.Error().Uint64("peer", p.ID()).Stringer("remote", p.Info().Remote).
			Str("panic", fmt.Sprint(x)).Bytes("stack", debug.Stack()).Msg("a peer's handler crashed and the peer was closed")
		p.Close(transport.ReasonServerDisconnect)
	}
}

// Closed implements transport.Receiver.
func (p *Peer) Closed(reason transport.Reason) {
	defer p.survive()
	p.leaveApp(reason)
	p.handler.Closed(reason)
	if p.tap != nil {
		p.tap.Closed(reason)
	}
}

func (p *Peer) protocolError(err error) {
	p.server.log.Debug().Err(err).Uint64("peer", p.ID()).Stringer("remote", p.Info().Remote).Msg("protocol error")
	p.Close(transport.ReasonProtocolError)
}

func (p *Peer) malformedMessage(err error) {
	p.server.malformed.Add(1)
	p.server.log.Debug().Err(err).Uint64("peer", p.ID()).Stringer("remote", p.Info().Remote).Msg("malformed message")
	if p.malformed++; p.malformed >= maxMalformed || p.Protocol() == photon.JSON {
		p.Close(transport.ReasonProtocolError)
	}
}

// internal answers the transport's own operations (wire.md 4.7).
func (p *Peer) internal(r *photon.Request) {
	switch r.Code {
	case photon.InternalPing:
		// Both parameters are mandatory: a client without the second one crashes.
		sent, ok := r.Content(1)
		if !ok {
			return
		}
		p.respondInternal(r.Code, photon.ReturnOk, "", photon.Params{{Key: 1, Value: sent}, {Key: 2, Value: int32(p.server.clock())}})
	case photon.InternalInitEncryption:
		key, ok, err := r.Bytes(1)
		if err != nil || !ok {
			p.respondInternal(r.Code, photon.ReturnInvalidOperation, "no public key", nil)
			return
		}
		if p.exchanges.Add(1) > maxExchanges {
			p.protocolError(errors.New("too many key exchanges at once"))
			return
		}
		key = append([]byte(nil), key...)
		if !p.server.pool.Go(func() { p.exchangeKeys(key) }) {
			p.exchanges.Add(-1)
			p.respondInternal(photon.InternalInitEncryption, photon.ReturnInternalServerError, "server is busy", nil)
		}
	}
}

// exchangeKeys runs on the server's pool: the arithmetic takes a good part of a
// millisecond, in which the transport's loop could serve hundreds of messages.
func (p *Peer) exchangeKeys(client []byte) {
	defer p.exchanges.Add(-1)
	kx, err := secure.NewKeyExchange(rand.Reader)
	if err != nil {
		p.respondInternal(photon.InternalInitEncryption, photon.ReturnInternalServerError, "no random numbers", nil)
		return
	}
	key, err := kx.SharedKey(client)
	if err != nil {
		p.respondInternal(photon.InternalInitEncryption, photon.ReturnInvalidOperation, "public key out of range", nil)
		return
	}
	c, err := secure.NewCipher(key[:])
	if err != nil {
		p.respondInternal(photon.InternalInitEncryption, photon.ReturnInternalServerError, "no cipher", nil)
		return
	}
	p.cipher.Store(c)
	p.respondInternal(photon.InternalInitEncryption, photon.ReturnOk, "", photon.Params{{Key: 1, Value: kx.PublicKey()}})
}

func (p *Peer) respondInternal(op photon.OpCode, rc photon.ReturnCode, debug string, params photon.Params) {
	msg, err := photon.AppendInternalResponse(nil, p.Protocol(), op, rc, debug, params)
	if err == nil {
		p.Send(msg, photon.Delivery{Mode: photon.Reliable})
	}
}
