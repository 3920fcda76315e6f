package enet

import (
	"errors"
	"time"
)

// Errors of Input and Send.
var (
	// ErrMalformed is a datagram that was dropped, from the bad place on. The
	// connection goes on.
	ErrMalformed = errors.New("enet: malformed datagram")
	// ErrForeign is a datagram with another challenge or peer id. It had no effect.
	ErrForeign = errors.New("enet: datagram of another connection")
	// ErrProtocol is a reliable stream that contradicts itself. The connection
	// cannot go on: the caller must end it.
	ErrProtocol = errors.New("enet: fragments contradict each other")
	// ErrMessageTooBig is a message above Config.MaxMessageSize. When Input
	// returns it the connection cannot go on: the caller must end it.
	ErrMessageTooBig = errors.New("enet: message too big")
	// ErrQueueFull is a reliable message that found no room in the send queue.
	ErrQueueFull = errors.New("enet: send queue full")
	// ErrClosed is a message for a connection that is over, or about to be.
	ErrClosed = errors.New("enet: connection closed")
)

// State is the phase of a connection.
type State uint8

// States in their order. A connection never goes back.
const (
	// Connecting: the server's answer is awaited. A server's connection is not
	// made before the client has shown itself.
	Connecting State = iota
	// Connected: messages flow.
	Connected
	// Draining: Disconnect was called; what was sent before is still on its way.
	Draining
	// Leaving: DISCONNECT is on its way.
	Leaving
	// Closed: only acknowledgements may be left to send, see Done.
	Closed
)

// Cause says why a connection ended.
type Cause uint8

// Causes.
const (
	// CauseNone: the connection has not ended.
	CauseNone Cause = iota
	// CauseLocal: Disconnect or Abort.
	CauseLocal
	// CauseRemote: DISCONNECT came; RemoteReason has its reason.
	CauseRemote
	// CauseTimeout: the other side acknowledges nothing.
	CauseTimeout
)

// startRTT is assumed until the first measurement, in ms (wire.md 3.9).
const startRTT = 200

// Conn is one connection. It is owned by the loop that owns its Config.
type Conn struct {
	cfg      *Config
	channels []*channel // by number, nil until used

	control     queue // for channel FF, not yet sent
	controlSent queue
	acks        []ack

	created      time.Duration // client side
	ackAt        time.Duration // when the first of acks must leave
	resendAt     time.Duration // no command in flight is due before
	lastReliable time.Duration // a reliable command was sent, or needed no sending
	heard        time.Duration // a datagram of the client's came, server side
	closeAt      time.Duration // end of Draining
	rateAt       time.Duration // start of the window of rateBytes
	ackedAt      time.Duration // something in flight was acknowledged
	congested    congestion

	inFlight      int // commands
	inFlightBytes int
	queued        int // commands on data channels not yet sent
	queuedBytes   int
	overdue       int // commands in flight that must be sent again
	buffered      int // commands kept by the receiving side
	bufferedBytes int
	rateBytes     int
	// Limits of this connection, see SetLimits.
	maxMessage, maxQueued, maxBuffered int
	// Messages of type 8 and of type 15 that may exceed maxBuffered.
	finishing, finishingUnseq finishing

	rtt, rttVar int32 // ms

	challenge   uint32
	controlOut  uint32 // last sequence on channel FF
	unseqOut    uint32 // last number of type 11
	unseqIn     recentNumbers
	serverDelta uint32 // server clock minus ours, client side
	peerID      uint16
	mtu         uint16
	channelN    uint8

	state        State
	cause        Cause
	reason       byte // of our DISCONNECT
	remoteReason byte
	server       bool
	crc          bool
	unsequenced  bool // types 11, 14 and 15 may be sent
	rttKnown     bool
	timeKnown    bool
}

// NewServerConn makes the connection of a client whose CONNECT was answered with
// AppendAccept and who has shown, by a datagram with its challenge and peerID,
// that it got the answer. That datagram is the first one for Input.
func NewServerConn(cfg *Config, connect Connect, peerID uint16, now time.Duration) *Conn {
	c := &Conn{
		cfg: cfg, server: true, state: Connected, lastReliable: now, resendAt: forever,
		challenge: connect.Challenge, crc: connect.CRC, peerID: peerID, controlOut: verifySequence,
		mtu: uint16(connect.MTU), channelN: uint8(connect.Channels), rtt: startRTT,
	}
	c.congested.start(cfg)
	c.SetLimits(cfg.MaxMessageSize, cfg.MaxQueuedBytes)
	return c
}

// NewClientConn starts a connection to a server: its first datagram is the
// CONNECT. Of connect the fields CRC, MTU and Channels count; zero values mean
// those of the official clients. Messages may be sent at once; they leave when
// the server has answered, the first one being the init request.
func NewClientConn(cfg *Config, connect Connect, challenge uint32, now time.Duration) *Conn {
	if connect.MTU == 0 {
		connect.MTU = DefaultMTU
	}
	if connect.Channels == 0 {
		connect.Channels = 2
	}
	connect.MTU = min(max(connect.MTU, MinMTU), MaxMTU)
	connect.Channels = min(connect.Channels, maxChannels)
	body := make([]byte, connectBody)
	connect.putBody(body)
	c := &Conn{
		cfg: cfg, created: now, lastReliable: now, resendAt: forever,
		challenge: challenge, crc: connect.CRC, peerID: unknownPeer, unsequenced: true,
		mtu: uint16(connect.MTU), channelN: uint8(connect.Channels), rtt: startRTT,
	}
	c.congested.start(cfg)
	c.SetLimits(cfg.MaxMessageSize, cfg.MaxQueuedBytes)
	c.pushControl(typeConnect, flagReliable, reservedByte, body)
	return c
}

// SetLimits replaces Config.MaxMessageSize and Config.MaxQueuedBytes for this
// connection, both in bytes.
func (c *Conn) SetLimits(maxMessageSize, maxQueuedBytes int) {
	c.maxMessage, c.maxQueued = maxMessageSize, maxQueuedBytes
	// The bound was made for messages of the largest size.
	c.maxBuffered = max(c.cfg.MaxBufferedBytes, c.cfg.MaxBufferedBytes+bufferedMessages*(maxMessageSize-c.cfg.MaxMessageSize))
}

// State returns the phase of the connection.
func (c *Conn) State() State { return c.state }

// Cause returns why the connection ended, or is about to.
func (c *Conn) Cause() Cause { return c.cause }

// RemoteReason is the reserved byte of the DISCONNECT that came, for CauseRemote.
func (c *Conn) RemoteReason() byte { return c.remoteReason }

// Done is true when the connection is Closed and has nothing left to send: the
// loop may forget it, after Release.
func (c *Conn) Done() bool { return c.state == Closed && len(c.acks) == 0 }

// RTT is the smoothed round-trip time, 200 ms until it is measured.
func (c *Conn) RTT() time.Duration { return time.Duration(c.rtt) * time.Millisecond }

// PeerID is the id that the server gave the peer, or FFFF.
func (c *Conn) PeerID() uint16 { return c.peerID }

// Challenge is the client's number for this connection.
func (c *Conn) Challenge() uint32 { return c.challenge }

// Channels is the number of data channels.
func (c *Conn) Channels() int { return int(c.channelN) }

// QueuedBytes wait for their first transmission.
func (c *Conn) QueuedBytes() int { return c.queuedBytes }

// AllowUnsequenced lets the connection send commands of types 11, 14 and 15. A
// server allows it for clients from 4.1.2.6 on (wire.md 3.3); a client that
// uses such commands allows it by that. Until then unsequenced messages travel
// in sequence.
func (c *Conn) AllowUnsequenced() { c.unsequenced = true }

// FetchServerTime asks the server for its time, client side (wire.md 3.9).
func (c *Conn) FetchServerTime() {
	if c.state == Connected && !c.server {
		c.pushControl(typeFetchTime, flagReliable, reservedByte, nil)
	}
}

// ServerTime is the server's clock in ms as of now; ok is false until
// FetchServerTime was answered.
func (c *Conn) ServerTime(now time.Duration) (ms uint32, ok bool) {
	return millis(now) + c.serverDelta, c.timeKnown
}

// Disconnect ends the connection in order: it waits until the messages sent
// before are acknowledged, at most Config.DisconnectWait, and then sends
// DISCONNECT with the reason (wire.md 3.15). Messages are still received.
func (c *Conn) Disconnect(now time.Duration, reason byte) {
	switch c.state {
	case Connecting:
		c.Abort(reason)
	case Connected:
		c.state, c.cause, c.reason = Draining, CauseLocal, reason
		c.closeAt = now + c.cfg.DisconnectWait
	}
}

// Abort drops everything that waits and sends DISCONNECT with the reason.
func (c *Conn) Abort(reason byte) {
	if c.state < Leaving {
		c.cause = CauseLocal
		c.leave(reason)
	}
}

// Release gives all memory of the connection back to its Config. The
// connection is Closed afterwards.
func (c *Conn) Release() {
	c.state = Closed
	c.drop()
	c.cfg.releaseAcks(c.acks)
	c.acks = nil
}

// leave drops everything that waits and queues DISCONNECT.
func (c *Conn) leave(reason byte) {
	c.drop()
	flags := byte(flagReliable)
	if !c.server && (c.state == Connecting || c.cause == CauseTimeout) {
		// Such a client closes its socket without waiting (wire.md 3.11, 3.15).
		flags = flagUnsequenced
	}
	c.state, c.reason = Leaving, reason
	c.pushControl(typeDisconnect, flags, reason, nil)
}

// drop forgets everything but the acknowledgements.
func (c *Conn) drop() {
	for _, ch := range c.channels {
		if ch != nil {
			ch.reliable.clear(c.cfg)
			ch.unreliable.clear(c.cfg)
			ch.sent.clear(c.cfg)
			ch.sentUnsequenced.clear(c.cfg)
		}
	}
	c.channels = nil
	c.control.clear(c.cfg)
	c.controlSent.clear(c.cfg)
	c.inFlight, c.inFlightBytes, c.overdue = 0, 0, 0
	c.queued, c.queuedBytes = 0, 0
	c.buffered = 0
	c.hold(-c.bufferedBytes)
	c.resendAt = forever
}

func (c *Conn) pushControl(kind commandType, flags, reserved byte, body []byte) {
	cmd := c.cfg.newCommand()
	c.controlOut++
	cmd.kind, cmd.channel, cmd.flags, cmd.reserved = kind, controlChannel, flags, reserved
	cmd.sequence, cmd.msg = c.controlOut, body
	c.control.push(cmd)
}

// channel is one ordered stream, made when it is first used.
type channel struct {
	reliable        queue        // types 6, 8, 14 and 15, not yet sent
	unreliable      waitingQueue // types 7 and 11, not yet sent
	sent            queue        // types 6 and 8 in flight
	sentUnsequenced queue        // types 14 and 15 in flight

	order    uint32 // of the last Send
	outRel   uint32 // last sequence given to types 6 and 8
	outUnrel uint32 // last number given to type 7
	outUnseq uint32 // last sequence given to types 14 and 15

	inRel   uint32 // last sequence consumed; a message in parts counts by part
	inDone  uint32 // last sequence dispatched; a message in parts counts when whole
	inUnrel uint32 // last number dispatched
	inUnseq seenNumbers
	number  byte

	early *earlyCommands // nil when nothing waits
}

// channelFor returns the channel, which must be below channelN.
func (c *Conn) channelFor(number byte) *channel {
	if int(number) >= len(c.channels) {
		grown := make([]*channel, int(number)+1)
		copy(grown, c.channels)
		c.channels = grown
	}
	ch := c.channels[number]
	if ch == nil {
		ch = &channel{number: number}
		c.channels[number] = ch
	}
	return ch
}

// existing returns the channel if it was used, or nil.
func (c *Conn) existing(number byte) *channel {
	if int(number) < len(c.channels) {
		return c.channels[number]
	}
	return nil
}
