package client

import (
	"crypto/tls"
	"strconv"
	"time"

	"github.com/boson-project/boson/pkg/photon"
)

// Transport is what carries a peer's messages.
type Transport uint8

// The numbers are those of parameter 195, ExpectedProtocol
// (loadbalancing-operations.md 6).
const (
	UDP             Transport = 0
	TCP             Transport = 1
	WebSocket       Transport = 4
	SecureWebSocket Transport = 5
)

// String returns the transport's short name: udp, tcp, ws or wss.
func (t Transport) String() string {
	switch t {
	case UDP:
		return "udp"
	case TCP:
		return "tcp"
	case WebSocket:
		return "ws"
	case SecureWebSocket:
		return "wss"
	}
	return strconv.Itoa(int(t))
}

// Defaults of Options.
const (
	defaultSDKID          = 30
	defaultMaxMessageSize = 4 << 20
	defaultMaxQueuedBytes = 4 << 20
	defaultMaxPending     = 1024
	defaultPingInterval   = time.Second
	defaultTimeout        = 10 * time.Second
	defaultChannels       = 2
)

var (
	defaultVersion     = [4]byte{4, 1, 8, 11}
	defaultVersionJSON = [4]byte{4, 4, 0, 0}
)

// Options says how a peer connects. The zero value is a UDP client with
// GpBinaryV18, no token and no callbacks; zero fields take their default.
type Options struct {
	Transport Transport
	// Protocol is the serialization. Default GpBinaryV18. JSON needs a WebSocket.
	Protocol photon.Protocol
	// AppID goes into the init request. Servers take it as a hint only.
	AppID string
	// Token is a string or a []byte from an earlier authentication. With it the
	// init request carries the token and the server authenticates from it
	// (loadbalancing.md 3.4); see Peer.TokenResponse.
	Token any
	// Secret is an AES key of 16, 24 or 32 bytes that a name server handed out
	// (parameter 192). With it no EstablishEncryption is needed.
	Secret []byte
	// ClientVersion is what the init request says. Default 4.1.8.11, JSON 4.4.0.0.
	ClientVersion [4]byte
	// TLS is for secure WebSockets. nil trusts the system's certificates.
	TLS *tls.Config

	// Channels is the number of UDP data channels. Default 2.
	Channels int
	// MTU is the largest UDP datagram in bytes, 576 to 1452. Default 1200.
	MTU int
	// CRC protects UDP datagrams with a checksum (wire.md 3.1).
	CRC bool

	// PingInterval on TCP and WebSockets. Default 1 s.
	PingInterval time.Duration
	// Timeout after which a silent server is given up. Default 10 s.
	Timeout time.Duration
	// MaxMessageSize in bytes that the server may send. Default 4 MiB.
	MaxMessageSize int
	// MaxQueuedBytes that may wait to be sent; beyond it Send returns
	// ErrQueueFull. Default 4 MiB.
	MaxQueuedBytes int
	// MaxPending operations that wait for their response; beyond it Send and
	// Operation return ErrQueueFull. Default 1024.
	MaxPending int

	// OnEvent gets each event. The event is valid only during the call; see Event.Clone.
	OnEvent func(*Event)
	// OnRawEvent, if set, gets each event before OnEvent, as the whole decrypted
	// message (JSON: the object's text), without any decoding. msg is valid only
	// during the call. When it returns true OnEvent is not called.
	OnRawEvent func(code photon.EventCode, msg []byte, d photon.Delivery) bool
	// OnResponse gets the responses that no Operation waits for: those to
	// requests sent with Send, and those that the server sent on its own.
	OnResponse func(*Response)
	// OnDisconnect is the last callback: the connection is over.
	OnDisconnect func(*DisconnectError)
}

func (o Options) withDefaults() Options {
	if o.Protocol == 0 {
		o.Protocol = photon.GpBinaryV18
	}
	if o.ClientVersion == [4]byte{} {
		o.ClientVersion = defaultVersion
		if o.Protocol == photon.JSON {
			o.ClientVersion = defaultVersionJSON
		}
	}
	def(&o.Channels, defaultChannels)
	def(&o.PingInterval, defaultPingInterval)
	def(&o.Timeout, defaultTimeout)
	def(&o.MaxMessageSize, defaultMaxMessageSize)
	def(&o.MaxQueuedBytes, defaultMaxQueuedBytes)
	def(&o.MaxPending, defaultMaxPending)
	return o
}

// def gives a field its default when it is zero.
func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
