package transport

import "github.com/boson-project/boson/pkg/photon"

// Reason says why a session ended. The same word stands in logs, metrics and
// plugin callbacks.
type Reason uint8

// Reasons. The first group is the client's or the network's doing, the second the server's.
const (
	ReasonUnknown          Reason = iota
	ReasonClientDisconnect        // the client said goodbye or closed its socket
	ReasonClientTimeout           // the client gave up on us (DISCONNECT, reserved 2)
	ReasonTimeout                 // the peer stopped answering
	ReasonConnectionLost          // the socket broke
	ReasonReplaced                // a new connection took this one's place

	ReasonServerDisconnect // server logic
	ReasonUserLimit        // the server or the application is full
	ReasonShutdown         // the server is stopping
	ReasonProtocolError    // the client sent what the protocol does not allow
	ReasonMessageTooBig    // a message above the size limit
	ReasonSendQueueFull    // the client does not read fast enough
	ReasonRateLimit        // too many messages per second, or operations at once
	ReasonByteRateLimit    // too many bytes per second
	ReasonInitTimeout      // no init request, or no authentication, in time
	ReasonManaged          // closed by an operator or a plugin
	reasonCount
)

var reasonNames = [reasonCount]string{
	"unknown", "client_disconnect", "client_timeout", "timeout", "connection_lost", "replaced",
	"server_disconnect", "user_limit", "shutdown", "protocol_error", "message_too_big",
	"send_queue_full", "rate_limit", "byte_rate_limit", "init_timeout", "managed",
}

// String returns the reason's word.
func (r Reason) String() string {
	if r < reasonCount {
		return reasonNames[r]
	}
	return "unknown"
}

// Limit is the name of the limit that r says was hit, as configuration has it;
// empty for a reason that is no limit of a peer's.
func (r Reason) Limit() string {
	switch r {
	case ReasonMessageTooBig:
		return "max_message_size"
	case ReasonSendQueueFull:
		return "max_queued_bytes"
	case ReasonRateLimit:
		return "max_messages_per_second"
	case ReasonByteRateLimit:
		return "max_bytes_per_second"
	}
	return ""
}

// limitTexts tell a client's developer what happened.
var limitTexts = map[Reason]string{
	ReasonMessageTooBig: "a message is larger than the server allows",
	ReasonRateLimit:     "more messages per second than the server allows",
	ReasonByteRateLimit: "more bytes per second than the server allows",
}

// limitNotice is the message that tells a client which limit it has hit (wire.md
// 4.6); nil where there are no words for it.
func limitNotice(p photon.Protocol, r Reason) []byte {
	text, ok := limitTexts[r]
	if !ok || p == photon.JSON {
		return nil
	}
	msg, err := photon.AppendDisconnect(nil, p, photon.ReturnOperationLimitReached, text+" ("+r.Limit()+")")
	if err != nil {
		return nil
	}
	return msg
}

// Reasons lists all reasons, for metrics.
func Reasons() []Reason {
	all := make([]Reason, reasonCount)
	for i := range all {
		all[i] = Reason(i)
	}
	return all
}
