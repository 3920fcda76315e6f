package enet

import "time"

// Config holds the rules of one side, and what the connections of one loop
// share: spare memory and counters. All connections with the same Config must
// be driven by one goroutine at a time. Start from ServerConfig or
// ClientConfig; fields must not change once a connection exists.
type Config struct {
	// MaxMessageSize in bytes, in both directions. Conn.SetLimits replaces it.
	MaxMessageSize int
	// MaxQueuedBytes that wait for their first transmission, per connection.
	// Conn.SetLimits replaces it.
	MaxQueuedBytes int
	// MaxBufferedBytes and MaxBuffered bound what a connection keeps of commands
	// that arrived too early or in parts. What does not fit is neither kept nor
	// acknowledged, so that the other side sends it again; but for one message at a
	// time, which may be finished beyond the bounds.
	MaxBufferedBytes int
	MaxBuffered      int
	// MaxSharedBytes bounds the same over all connections of this Config: beyond it
	// a connection keeps no more than bufferedReserve. 0 is unlimited.
	MaxSharedBytes int
	// WindowBytes and WindowCommands bound the reliable commands in flight of a
	// connection, ChannelWindow those of one channel.
	WindowBytes    int
	WindowCommands int
	ChannelWindow  int
	// FirstWindowBytes, where not 0, is what WindowBytes is at first: it grows with
	// what is acknowledged and shrinks with what must be sent again, so that a link
	// gets no more than it carries. 0: WindowBytes holds from the first moment on.
	FirstWindowBytes int
	// TransmitRate in bytes per second, measured over 200 ms: above it reliable
	// messages wait and unreliable ones are dropped. 0 is unlimited.
	TransmitRate int
	// AckDelay is how long acknowledgements wait for data to ride on.
	AckDelay time.Duration
	// PingInterval without a reliable command until a PING is sent. A server sends
	// none to a client that it heard within that time.
	PingInterval time.Duration
	// The first wait for an acknowledgement is rtt + 4*variance, within
	// MinResendWait and MaxFirstWait; it doubles with every resend up to MaxResendWait.
	MinResendWait, MaxFirstWait, MaxResendWait time.Duration
	// A connection is given up when a resend is due and a command was resent
	// MinResends times and is MinTimeout old, and nothing was acknowledged for as
	// long, or when a command is MaxTimeout old.
	MinResends             int
	MinTimeout, MaxTimeout time.Duration
	// ConnectTimeout ends a client's connection that is not established in time.
	ConnectTimeout time.Duration
	// DisconnectWait is how long a disconnect waits for what was sent before it.
	DisconnectWait time.Duration

	// Stats counts over all connections that share this Config.
	Stats Stats

	shared     int // bytes that all connections keep of commands that came too early
	free       *command
	freeLen    int
	freeChunks *chunk
	freeChunkN int
	ackBufs    [][]ack
}

// Stats are counters of a loop. They only grow.
type Stats struct {
	Resent            int64 // commands sent again
	DroppedUnreliable int64 // unreliable messages given up before they were sent
}

// bufferedMessages of the largest size fit into a server's MaxBufferedBytes. A
// client that sends more at once, on several channels or because of losses, has to
// send many parts more than once. leastBuffered is what official clients have in
// flight on eight channels (wire.md 3.11).
const (
	bufferedMessages = 4
	leastBuffered    = 8 * 50 * DefaultMTU
)

// BufferedFor is the MaxBufferedBytes that suits a MaxMessageSize, both in bytes.
func BufferedFor(maxMessageSize int) int {
	return max(bufferedMessages*maxMessageSize, leastBuffered)
}

const forever = time.Duration(1<<63 - 1)

// ServerConfig returns the rules of a server (wire.md 14).
func ServerConfig() *Config {
	return &Config{
		MaxMessageSize:   512000,
		MaxQueuedBytes:   512000,
		MaxBufferedBytes: BufferedFor(512000),
		MaxBuffered:      4096,
		MaxSharedBytes:   64 << 20,
		WindowBytes:      51200,
		FirstWindowBytes: 16 << 10,
		WindowCommands:   1024,
		ChannelWindow:    1024,
		TransmitRate:     256 << 10,
		// The loop adds up to a millisecond of its own to the 5 ms of wire.md 14.
		AckDelay:       4 * time.Millisecond,
		PingInterval:   2 * time.Second,
		MinResendWait:  100 * time.Millisecond,
		MaxFirstWait:   3 * time.Second,
		MaxResendWait:  3 * time.Second,
		MinResends:     5,
		MinTimeout:     5 * time.Second,
		MaxTimeout:     30 * time.Second,
		DisconnectWait: 500 * time.Millisecond,
	}
}

// ClientConfig returns the rules of the official clients (wire.md 3.11, 3.12).
func ClientConfig() *Config {
	return &Config{
		MaxMessageSize:   4 << 20,
		MaxQueuedBytes:   4 << 20,
		MaxBufferedBytes: 8 << 20,
		MaxBuffered:      8192,
		WindowBytes:      1 << 20,
		WindowCommands:   1024,
		ChannelWindow:    50,
		AckDelay:         0,
		PingInterval:     time.Second,
		MinResendWait:    time.Millisecond,
		MaxFirstWait:     400 * time.Millisecond,
		MaxResendWait:    forever,
		MinResends:       8,
		MaxTimeout:       10 * time.Second,
		ConnectTimeout:   15 * time.Second,
		DisconnectWait:   500 * time.Millisecond,
	}
}

// maxFree bounds the spare commands and ack lists that a Config keeps.
const (
	maxFree    = 8192
	maxAckBufs = 1024
)

func (cfg *Config) newCommand() *command {
	cmd := cfg.free
	if cmd == nil {
		return new(command)
	}
	cfg.free = cmd.next
	cfg.freeLen--
	cmd.next = nil
	return cmd
}

// release takes a command back; nothing may refer to it any more.
func (cfg *Config) release(cmd *command) {
	*cmd = command{}
	if cfg.freeLen < maxFree {
		cmd.next = cfg.free
		cfg.free = cmd
		cfg.freeLen++
	}
}

func (cfg *Config) newAcks() []ack {
	if n := len(cfg.ackBufs); n > 0 {
		b := cfg.ackBufs[n-1]
		cfg.ackBufs[n-1] = nil
		cfg.ackBufs = cfg.ackBufs[:n-1]
		return b
	}
	return make([]ack, 0, 8)
}

func (cfg *Config) releaseAcks(b []ack) {
	if cap(b) > 0 && cap(b) <= 128 && len(cfg.ackBufs) < maxAckBufs {
		cfg.ackBufs = append(cfg.ackBufs, b[:0])
	}
}
