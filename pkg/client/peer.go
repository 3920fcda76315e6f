package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/secure"
)

// link is a peer's connection of one transport. It calls peer.receive with whole
// messages from the goroutine of run.
type link interface {
	// send queues a copy of msg. It does not block. Called with peer.mu held.
	send(msg []byte, d photon.Delivery) error
	// disconnect ends the link after what is queued. It does not block.
	disconnect()
	// run reads until the link is over and its other goroutines have ended.
	run() *DisconnectError
}

// Peer is one connection to one server. All methods may be called from any
// goroutine.
type Peer struct {
	opt     Options
	address string
	link    link
	start   time.Time
	clock   clock
	// ready is closed when the server has answered the init request, done when
	// the connection is over, gone when OnDisconnect has returned as well.
	ready, done, gone chan struct{}
	// token is the response to the token in the init request, which has no
	// request of its own.
	token *call

	mu       sync.Mutex // guards what follows
	pending  []pending  // requests whose response is due, oldest first
	exchange []*call    // key exchanges whose response is due
	cipher   *secure.Cipher
	encoded  []byte // the last message, plain and encrypted, for its memory
	sealed   []byte
	end      *DisconnectError // why the peer is over or about to be

	// The receiving goroutine's own.
	initialised bool
	event       Event
	plain       []byte
}

// pending is a request without a response yet. Nobody waits for it when call is nil.
type pending struct {
	op   photon.OpCode
	call *call
}

// call is somebody who waits for a response.
type call struct {
	response chan *Response // capacity 1
	// apply, if set, is called with the response on the receiving goroutine,
	// before any later message is dispatched.
	apply func(*Response)
	keys  *secure.KeyExchange
}

func newCall() *call { return &call{response: make(chan *Response, 1)} }

func (c *call) answer(r *Response) {
	if c.apply != nil {
		c.apply(r)
	}
	c.response <- r
}

// reliable is how operations travel.
var reliable = photon.Delivery{Mode: photon.Reliable}

// maxKept is the capacity up to which buffers are kept for the next message.
const maxKept = 64 << 10

// Dial connects to a server, sends the init request and waits for its response.
// The address is host:port; for WebSockets ws:// or wss:// and a path may be part
// of it. Callbacks may come before Dial returns. When Dial fails OnDisconnect is
// not called; its error is a *DisconnectError unless ctx ended.
func Dial(ctx context.Context, opt Options, address string) (*Peer, error) {
	opt = opt.withDefaults()
	p := &Peer{
		opt: opt, address: address, start: time.Now(),
		ready: make(chan struct{}), done: make(chan struct{}), gone: make(chan struct{}),
	}
	if len(opt.Secret) > 0 {
		var err error
		if p.cipher, err = secure.NewCipher(opt.Secret); err != nil {
			return nil, fmt.Errorf("client: secret: %w", err)
		}
	}
	in := photon.Init{Protocol: opt.Protocol, AppID: opt.AppID, ClientVersion: opt.ClientVersion, SDKID: defaultSDKID}
	if opt.Token != nil {
		if opt.Protocol == photon.JSON {
			return nil, errors.New("client: JSON connections take no token in the init request")
		}
		var err error
		if in.Token, err = gpbinary.Append(nil, gpbinary.Version(opt.Protocol), opt.Token); err != nil {
			return nil, fmt.Errorf("client: token: %w", err)
		}
		p.token = newCall()
	}
	var err error
	switch opt.Transport {
	case UDP:
		p.link, err = dialUDP(ctx, p, in)
	case TCP:
		p.link, err = dialTCP(ctx, p, in)
	case WebSocket, SecureWebSocket:
		p.link, err = dialWebSocket(ctx, p, in)
	default:
		err = fmt.Errorf("unknown transport %d", opt.Transport)
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("client: connect to %s: %w", address, ctx.Err())
		}
		return nil, &DisconnectError{Cause: ConnectionLost, Err: err}
	}
	go p.run()
	select {
	case <-p.ready:
		return p, nil
	case <-p.done:
		select {
		case <-p.ready:
			return p, nil
		default:
		}
		return nil, p.Err()
	case <-ctx.Done():
		p.Close()
		return nil, fmt.Errorf("client: connect to %s: %w", address, ctx.Err())
	}
}

func (p *Peer) run() {
	end := p.link.run()
	p.mu.Lock()
	if p.end == nil {
		p.end = end
	}
	end = p.end
	p.mu.Unlock()
	close(p.done)
	if p.initialised && p.opt.OnDisconnect != nil {
		p.opt.OnDisconnect(end)
	}
	close(p.gone)
}

// Address is the address that Dial was given.
func (p *Peer) Address() string { return p.address }

// Options returns the options with their defaults filled in.
func (p *Peer) Options() Options { return p.opt }

// Done is closed when the connection is over.
func (p *Peer) Done() <-chan struct{} { return p.done }

// Err says why the connection is over, or is about to be; nil while it lives.
func (p *Peer) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.end == nil {
		return nil
	}
	return p.end
}

// Disconnect ends the connection, after what was sent before, and returns at once.
func (p *Peer) Disconnect() {
	p.fail(&DisconnectError{Cause: DisconnectByClientLogic})
	p.link.disconnect()
}

// Close ends the connection as Disconnect does and waits until all of the peer's
// goroutines have ended. It must not be called from a callback.
func (p *Peer) Close() {
	p.Disconnect()
	<-p.gone
}

// fail sets the reason of the peer's end, if there is none yet.
func (p *Peer) fail(end *DisconnectError) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.end == nil {
		p.end = end
	}
}

// RTT is the smoothed round-trip time; zero until it has been measured.
func (p *Peer) RTT() time.Duration { return time.Duration(p.clock.rtt.Load()) }

// ServerTime is the server's clock in milliseconds; it wraps. ok is false until
// the server has told it, at the latest a second after Dial.
func (p *Peer) ServerTime() (ms uint32, ok bool) { return p.clock.serverTime(p.now()) }

// now is the peer's own time.
func (p *Peer) now() time.Duration { return time.Since(p.start) }

// Encrypted says whether messages can be encrypted: by a key, or because the
// transport does it.
func (p *Peer) Encrypted() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cipher != nil || p.opt.Transport == SecureWebSocket
}

// EstablishEncryption exchanges keys with the server (wire.md 7.1). It may be
// repeated; the new key replaces the old one. Secure WebSockets and JSON have no
// exchange; there it does nothing.
func (p *Peer) EstablishEncryption(ctx context.Context) error {
	if p.opt.Transport == SecureWebSocket || p.opt.Protocol == photon.JSON {
		return nil
	}
	keys, err := secure.NewKeyExchange(rand.Reader)
	if err != nil {
		return err
	}
	c := newCall()
	c.keys = keys
	p.mu.Lock()
	err = p.internalRequest(photon.InternalInitEncryption, photon.Params{{Key: 1, Value: keys.PublicKey()}})
	if err == nil {
		p.exchange = append(p.exchange, c)
	}
	p.mu.Unlock()
	if err != nil {
		return err
	}
	r, err := p.wait(ctx, c, "key exchange")
	if err != nil {
		return err
	}
	return r.Err()
}

// Operation sends a request, reliably on channel 0, and waits for its response.
// Responses are matched by operation code, in the order of the requests
// (loadbalancing.md 2). The error is about the connection or ctx; the return code
// is in the response, see Response.Err.
//
// Of an operation that has no response on success (RaiseEvent, ChangeGroups)
// it waits for the failure.
func (p *Peer) Operation(ctx context.Context, op photon.OpCode, params photon.Params) (*Response, error) {
	return p.OperationWith(ctx, op, params, reliable)
}

// OperationWith is Operation with a choice of channel, mode and encryption.
func (p *Peer) OperationWith(ctx context.Context, op photon.OpCode, params photon.Params, d photon.Delivery) (*Response, error) {
	return p.operation(ctx, op, params, d, nil)
}

// operation calls apply with the response on the receiving goroutine.
func (p *Peer) operation(ctx context.Context, op photon.OpCode, params photon.Params, d photon.Delivery, apply func(*Response)) (*Response, error) {
	c := newCall()
	c.apply = apply
	if err := p.request(op, params, d, c); err != nil {
		return nil, err
	}
	return p.wait(ctx, c, op.String())
}

// TokenResponse waits for the server's answer to the token of the init request:
// an Authenticate response without a request (loadbalancing.md 3.4). It may be
// called once, on a peer with Options.Token.
func (p *Peer) TokenResponse(ctx context.Context) (*Response, error) {
	if p.token == nil {
		return nil, ErrState
	}
	return p.wait(ctx, p.token, "token")
}

func (p *Peer) wait(ctx context.Context, c *call, what string) (*Response, error) {
	select {
	case r := <-c.response:
		return r, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("client: %s: %w", what, ctx.Err())
	case <-p.done:
		select {
		case r := <-c.response:
			return r, nil
		default:
			return nil, p.Err()
		}
	}
}

// Send sends a request and does not wait. Its response, if it has one, goes to
// OnResponse. It never blocks.
func (p *Peer) Send(op photon.OpCode, params photon.Params, d photon.Delivery) error {
	return p.request(op, params, d, nil)
}

// SendMessage sends an operation request that photon.AppendRequest encoded in
// the peer's protocol. A sender of many equal messages encodes them once. Only
// for operations without a response on success (RaiseEvent, ChangeGroups). msg
// is copied.
func (p *Peer) SendMessage(msg []byte, d photon.Delivery) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.transmit(msg, d)
}

// hasResponse says whether the server answers the operation also on success.
func hasResponse(op photon.OpCode) bool {
	return op != photon.OpRaiseEvent && op != photon.OpChangeGroups
}

func (p *Peer) request(op photon.OpCode, params photon.Params, d photon.Delivery, c *call) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	awaited := c != nil || hasResponse(op)
	if awaited && len(p.pending) >= p.opt.MaxPending {
		return ErrQueueFull
	}
	msg, err := photon.AppendRequest(p.encoded[:0], p.opt.Protocol, op, params)
	if err != nil {
		return fmt.Errorf("client: %s: %w", op, err)
	}
	p.encoded = kept(msg)
	if err := p.transmit(msg, d); err != nil {
		return err
	}
	if awaited {
		p.pending = append(p.pending, pending{op, c})
	}
	return nil
}

// internalRequest sends one of the transport's own operations. mu is held.
func (p *Peer) internalRequest(op photon.OpCode, params photon.Params) error {
	msg, err := photon.AppendInternalRequest(p.encoded[:0], p.opt.Protocol, op, params)
	if err != nil {
		return err
	}
	p.encoded = kept(msg)
	return p.transmit(msg, reliable)
}

// transmit hands a message to the link, encrypted if it is to be. mu is held.
func (p *Peer) transmit(msg []byte, d photon.Delivery) error {
	if p.end != nil {
		return p.end
	}
	if len(msg) > p.opt.MaxMessageSize {
		return ErrMessageTooBig
	}
	// On secure WebSockets, and with JSON, encryption is TLS's affair alone.
	if d.Encrypt && p.opt.Transport != SecureWebSocket && p.opt.Protocol != photon.JSON {
		if p.cipher == nil {
			return ErrNoEncryption
		}
		sealed, err := secure.AppendEncryptedMessage(p.sealed[:0], msg, p.cipher)
		if err != nil {
			return err
		}
		p.sealed = kept(sealed)
		msg = sealed
	}
	return p.link.send(msg, d)
}

// kept returns b empty, for its memory, unless that is large.
func kept(b []byte) []byte {
	if cap(b) > maxKept {
		return nil
	}
	return b[:0]
}
