package transport

import (
	"sync/atomic"
	"time"

	"github.com/boson-project/boson/pkg/enet"
	"github.com/boson-project/boson/pkg/photon"
)

// udpPeer is one client connection and its session. Its shard's mutex guards it,
// but for the fields that say otherwise.
type udpPeer struct {
	shard *udpShard
	conn  *enet.Conn
	addr  endpoint

	// Set before the Acceptor sees the session, then constant.
	id   uint64
	info *Info

	receiver Receiver
	initBy   time.Duration

	// Any goroutine:
	closing  atomic.Bool // nothing more may be sent
	outBytes atomic.Int32
	rtt      atomic.Int32 // ms

	limits  atomic.Pointer[PeerLimits] // any goroutine
	applied *PeerLimits                // those of limits that are in force

	// Links of the wheel.
	wheelNext, wheelPrev *udpPeer
	tick                 int64

	messages, bytes budget

	started bool // the init phase is over
	ended   bool // the reason is known; the connection may linger
	removed bool
	ready   bool // in the shard's ready list
}

// udpOutgoingCost is what a message costs in the outbox beside its bytes.
const udpOutgoingCost = 64

// ID implements Session.
func (p *udpPeer) ID() uint64 { return p.id }

// Info implements Session.
func (p *udpPeer) Info() *Info { return p.info }

// RTT implements Session.
func (p *udpPeer) RTT() time.Duration { return time.Duration(p.rtt.Load()) * time.Millisecond }

// Send implements Session. The message goes to the shard's outbox, which the pump
// empties; from there on the connection's own queue bounds it.
func (p *udpPeer) Send(msg []byte, d photon.Delivery) {
	if p.closing.Load() {
		return
	}
	cost := int32(len(msg) + udpOutgoingCost)
	if n := p.outBytes.Add(cost); n > cost && int(n) > p.limits.Load().MaxQueuedBytes {
		p.outBytes.Add(-cost)
		if d.Mode == photon.Unreliable || d.Mode == photon.UnreliableUnsequenced {
			p.shard.l.counters.DroppedUnreliable.Add(1)
		} else {
			p.Close(ReasonSendQueueFull)
		}
		return
	}
	p.shard.post(udpOutgoing{peer: p, msg: msg, channel: d.Channel, mode: d.Mode})
}

// Close implements Session.
func (p *udpPeer) Close(reason Reason) {
	if !p.closing.Swap(true) {
		p.shard.post(udpOutgoing{peer: p, reason: reason, last: true})
	}
}

// SetLimits implements Limited.
func (p *udpPeer) SetLimits(l *PeerLimits) { p.limits.Store(l) }

// applyLimits takes over what SetLimits was told. The shard's mutex is held.
func (p *udpPeer) applyLimits() {
	if l := p.limits.Load(); l != p.applied {
		p.applied = l
		p.conn.SetLimits(l.MaxMessageSize, l.MaxQueuedBytes)
	}
}

// wireReason is the reserved byte of the DISCONNECT for a reason (wire.md 3.15).
func wireReason(r Reason) byte {
	switch r {
	case ReasonUserLimit:
		return enet.ReasonUserLimit
	case ReasonTimeout:
		return enet.ReasonTimeout
	default:
		return enet.ReasonServerLogic
	}
}

// end ends the session: the receiver is told, and the client, after what was
// sent before. It is called with the shard's mutex held.
func (p *udpPeer) end(reason Reason) {
	if p.ended {
		return
	}
	p.ended = true
	p.closing.Store(true)
	s := p.shard
	switch reason {
	case ReasonSendQueueFull, ReasonReplaced:
		p.conn.Abort(wireReason(reason)) // it does not read, or is not there any more
	default:
		p.conn.Disconnect(s.now, wireReason(reason))
	}
	s.l.counters.Closed[reason].Add(1)
	if p.started {
		s.l.counters.Peers.Add(-1)
	}
	if p.receiver != nil {
		p.receiver.Closed(reason)
	}
	s.markReady(p)
}

// exceed ends the session of a client that hit a limit, and tells it which.
func (p *udpPeer) exceed(reason Reason) {
	if p.started && !p.ended {
		if msg := limitNotice(p.info.Protocol, reason); msg != nil {
			_ = p.conn.Send(msg, photon.Delivery{Mode: photon.Reliable})
		}
	}
	p.end(reason)
}

// notice ends the session when its connection is over.
func (p *udpPeer) notice() {
	if p.ended {
		return
	}
	switch p.conn.Cause() {
	case enet.CauseTimeout:
		if p.started {
			p.end(ReasonTimeout)
		} else {
			p.end(ReasonInitTimeout)
		}
	case enet.CauseRemote:
		if p.conn.RemoteReason() == enet.ReasonTimeout {
			p.end(ReasonClientTimeout)
		} else {
			p.end(ReasonClientDisconnect)
		}
	}
}

// peerInput is the connection's receiver. It is a type of its own so that the
// session, which users see, has no Receive.
type peerInput udpPeer

// Receive implements enet.Receiver.
func (in *peerInput) Receive(msg []byte, d photon.Delivery) {
	p := (*udpPeer)(in)
	if p.ended {
		return
	}
	s := p.shard
	s.count.messagesIn++
	if !p.messages.spend(1, p.applied.MaxMessagesPerSecond, p.applied.messageBurst(), s.now) {
		p.exceed(ReasonRateLimit)
		return
	}
	if p.started {
		if p.receiver != nil {
			p.receiver.Receive(msg, d)
		}
		return
	}
	if d.Channel != 0 {
		return
	}
	p.start(msg)
}

// unsequencedSince is the first client version that knows unsequenced commands
// (wire.md 3.3).
var unsequencedSince = [4]byte{4, 1, 2, 6}

// start ends the init phase.
func (p *udpPeer) start(msg []byte) {
	s := p.shard
	in, err := photon.ParseInit(msg)
	if err != nil {
		s.l.counters.Malformed.Add(1)
		p.end(ReasonProtocolError)
		return
	}
	remote := p.addr.addrPort()
	p.info = &Info{
		Kind: UDP, Protocol: in.Protocol, Remote: remote, Local: s.l.local, Listener: s.l.cfg.Name,
		AppID: in.AppID, ClientVersion: in.ClientVersion, IPv6: in.IPv6 || remote.Addr().Is6(),
	}
	if in.Token != nil {
		p.info.Token = append([]byte(nil), in.Token...)
	}
	if !versionBefore(in.ClientVersion, unsequencedSince) {
		p.conn.AllowUnsequenced()
	}
	p.id = nextSessionID()
	p.started = true
	s.l.counters.Peers.Add(1)
	if err := p.conn.Send(photon.InitResponse, photon.Delivery{Mode: photon.Reliable}); err != nil {
		return // the connection is over already
	}
	receiver := s.l.cfg.Acceptor.Accept(p)
	if receiver == nil {
		s.l.counters.Refused.Add(1)
		p.Close(ReasonServerDisconnect)
		return
	}
	s.l.counters.Accepted.Add(1)
	p.receiver = receiver
}

func versionBefore(a, b [4]byte) bool {
	for i := range a {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return false
}

// budget is a token bucket in whole units, of a second's worth.
type budget struct {
	spent int64 // in units * 1000, drains with time
	at    time.Duration
}

// spend takes n units; it is false when there is no budget left. perSecond 0 or
// less is unlimited. burst is the least that the bucket holds.
func (b *budget) spend(n, perSecond, burst int, now time.Duration) bool {
	if perSecond <= 0 {
		return true
	}
	elapsed := int64((now - b.at) / time.Millisecond)
	if elapsed > 1000 && b.spent/elapsed < int64(perSecond) {
		b.spent = 0 // the product might not fit
	} else {
		b.spent = max(0, b.spent-elapsed*int64(perSecond))
	}
	b.at = now
	b.spent += int64(n) * 1000
	return b.spent <= int64(max(perSecond, burst))*1000
}
