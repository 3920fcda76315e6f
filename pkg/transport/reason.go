package transport

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
	ReasonRateLimit        // too many messages or bytes per second
	ReasonInitTimeout      // no init request, or no authentication, in time
	ReasonManaged          // closed by an operator or a plugin
	reasonCount
)

var reasonNames = [reasonCount]string{
	"unknown", "client_disconnect", "client_timeout", "timeout", "connection_lost", "replaced",
	"server_disconnect", "user_limit", "shutdown", "protocol_error", "message_too_big",
	"send_queue_full", "rate_limit", "init_timeout", "managed",
}

// String returns the reason's word.
func (r Reason) String() string {
	if r < reasonCount {
		return reasonNames[r]
	}
	return "unknown"
}

// Reasons lists all reasons, for metrics.
func Reasons() []Reason {
	all := make([]Reason, reasonCount)
	for i := range all {
		all[i] = Reason(i)
	}
	return all
}
