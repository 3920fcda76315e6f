package transport

import (
	"sync/atomic"
	"time"
)

// Limits bounds what one peer, one address and one listener may cost. Zero
// fields take the default (wire.md 14, loadbalancing.md 10).
type Limits struct {
	// MaxMessageSize in bytes, either direction. Default 512000. Larger: ReasonMessageTooBig.
	MaxMessageSize int
	// MaxQueuedBytes per peer that wait to be sent. Default 2000000: a burst to a
	// client on a slow link must not throw it out. More: ReasonSendQueueFull.
	MaxQueuedBytes int
	// MaxMessagesPerSecond from one peer, on average; a burst may have four
	// seconds' worth, as when a game fills a new room. Default 5000; negative is unlimited. More: ReasonRateLimit.
	MaxMessagesPerSecond int
	// MaxBytesPerSecond from one peer. Default unlimited (0 and negative). More: ReasonByteRateLimit.
	MaxBytesPerSecond int
	// MaxPeers on the listener. Default 100000. More: ReasonUserLimit.
	MaxPeers int
	// MaxPeersPerAddress from one client address. Default 5000 (players behind
	// one NAT, load tests); negative is unlimited. More: ReasonUserLimit.
	MaxPeersPerAddress int
	// InitTimeout until the init request is complete. Default 10 s.
	InitTimeout time.Duration
	// IdleTimeout closes a silent TCP or WebSocket peer. Default 15 s.
	IdleTimeout time.Duration
}

// defaultMessageSize in bytes is that of the original server.
const defaultMessageSize = 512000

// WithDefaults returns l with its zero fields filled in.
func (l Limits) WithDefaults() Limits {
	def := func(p *int, d int) {
		if *p == 0 {
			*p = d
		}
	}
	def(&l.MaxMessageSize, defaultMessageSize)
	def(&l.MaxQueuedBytes, 2_000_000)
	def(&l.MaxMessagesPerSecond, 5000)
	def(&l.MaxPeers, 100000)
	def(&l.MaxPeersPerAddress, 5000)
	if l.InitTimeout == 0 {
		l.InitTimeout = 10 * time.Second
	}
	if l.IdleTimeout == 0 {
		l.IdleTimeout = 15 * time.Second
	}
	return l
}

// PeerLimits are those of Limits that bound a single peer. Here every zero is
// meant as it stands, see Limits.Peer.
type PeerLimits struct {
	MaxMessageSize, MaxQueuedBytes          int
	MaxMessagesPerSecond, MaxBytesPerSecond int
}

// Peer returns the limits of a single peer, with the defaults filled in.
func (l Limits) Peer() PeerLimits {
	l = l.WithDefaults()
	return PeerLimits{l.MaxMessageSize, l.MaxQueuedBytes, l.MaxMessagesPerSecond, l.MaxBytesPerSecond}
}

// Counters of one listener, for metrics. Transports add to them in batches,
// never per message.
type Counters struct {
	Peers, Accepted, Refused atomic.Int64
	// RefusedPeers and RefusedAddress are those of Refused for MaxPeers and for
	// MaxPeersPerAddress.
	RefusedPeers, RefusedAddress atomic.Int64
	MessagesIn, MessagesOut      atomic.Int64
	BytesIn, BytesOut            atomic.Int64
	DatagramsIn, DatagramsOut    atomic.Int64
	Malformed, Resent            atomic.Int64
	DroppedUnreliable            atomic.Int64
	Closed                       [reasonCount]atomic.Int64
}

// refused counts a peer that is not let in.
func (c *Counters) refused(r refusal) {
	c.Refused.Add(1)
	switch r {
	case tooManyPeers:
		c.RefusedPeers.Add(1)
	case tooManyOfAddress:
		c.RefusedAddress.Add(1)
	}
}

// messageBurst is how many messages may come at once.
func (l *PeerLimits) messageBurst() int { return 4 * l.MaxMessagesPerSecond }
