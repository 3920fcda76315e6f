package transport

import (
	"net/netip"
	"time"

	"github.com/boson-project/boson/pkg/photon"
)

// Kind is the transport of a session.
type Kind uint8

// The numbers are those of parameter 195, ExpectedProtocol
// (loadbalancing-operations.md 6).
const (
	UDP             Kind = 0
	TCP             Kind = 1
	HTTP            Kind = 2 // yields no sessions: nobody speaks long polling any more (wire.md 9)
	WebSocket       Kind = 4
	SecureWebSocket Kind = 5
)

// Info is what is known of a session when it opens; it does not change.
type Info struct {
	Kind     Kind
	Protocol photon.Protocol
	// Remote is the client's address (unmapped), Local the listener's.
	Remote, Local netip.AddrPort
	// Listener is the name that the listener was given, for example "client" or "s2s".
	Listener string
	// AppID is the application named in the init request. It is informative: long
	// ids arrive cut (loadbalancing.md 1).
	AppID string
	// Token is the typed value of an init request with token, undecoded, or nil
	// (wire.md 4.3, 6.4).
	Token []byte
	// ClientVersion as four numbers, 4.1.8.11; zero when unknown.
	ClientVersion [4]byte
	// IPv6 is true when the client says it is connected over IPv6, or is.
	IPv6 bool
}

// Session is one initialised connection of a client: the init request has come
// and its response is on the way. UDP, TCP and WebSocket all yield it.
//
// All methods may be called from any goroutine and never block.
type Session interface {
	ID() uint64
	Info() *Info
	// Send queues one message: F3, type, body; or a framed JSON message when
	// the protocol is JSON. The bytes are shared with other receivers: nobody
	// may change them afterwards. d.Encrypt is ignored here (package app
	// encrypts). Messages sent after Close are dropped. A full queue closes the
	// session (reliable) or drops the oldest unreliable message.
	Send(msg []byte, d photon.Delivery)
	// Close ends the session in order: what was sent before reaches the client
	// first, as far as the link allows within a short time limit (wire.md 3.15).
	Close(reason Reason)
	// RTT is the smoothed round-trip time; zero where the transport does not measure it.
	RTT() time.Duration
}

// Limited is a Session whose limits can change, for those of its application.
// All sessions of this package are.
type Limited interface {
	Session
	// SetLimits puts l in force before the client's next datagram or bytes are
	// looked at. l is kept and may be shared; nobody may change it afterwards.
	SetLimits(l *PeerLimits)
}

// Receiver gets what a session's client sends. The transport calls it from one
// goroutine at a time and in order; it must not block.
type Receiver interface {
	// Receive gets one message. msg is valid only during the call.
	Receive(msg []byte, d photon.Delivery)
	// Closed is the last call: the session is over, for this reason.
	Closed(reason Reason)
}

// Acceptor decides over new sessions. Accept must not block; it may call
// Session.Send (the init response is already queued). A nil Receiver refuses:
// the transport closes the session.
type Acceptor interface {
	Accept(s Session) Receiver
}

// Clock is the server's time in milliseconds, one for all peers, as clients
// see it in datagram headers and ping answers. It wraps (wire.md 3.9).
type Clock func() uint32
