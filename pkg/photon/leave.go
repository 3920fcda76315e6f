package photon

import "strconv"

// LeaveReason says why an actor left a room, as plugins and web services learn
// it (plugins.md 4.4).
type LeaveReason int

// The reasons.
const (
	ClientDisconnect        LeaveReason = 0 // the client closed its connection
	ClientTimeoutDisconnect LeaveReason = 1 // the client says that the server timed out
	ManagedDisconnect       LeaveReason = 2 // the server's logic disconnected it
	ServerDisconnect        LeaveReason = 3 // an error of the protocol, or the server's end
	TimeoutDisconnect       LeaveReason = 4 // the server timed the client out
	LeaveRequest            LeaveReason = 101
	PlayerTTLTimedOut       LeaveReason = 102 // it was inactive for too long
	PeerLastTouchTimedOut   LeaveReason = 103 // nothing was received for too long
	PluginRequest           LeaveReason = 104 // a plugin removed it
	PluginFailedJoin        LeaveReason = 105 // a plugin refused its join
)

// String returns the name that web services see as the Type of a PathLeave call
// (loadbalancing-webhooks.md 3).
func (r LeaveReason) String() string {
	switch r {
	case ClientDisconnect:
		return "ClientDisconnect"
	case ClientTimeoutDisconnect:
		return "ClientTimeoutDisconnect"
	case ManagedDisconnect:
		return "ManagedDisconnect"
	case ServerDisconnect:
		return "ServerDisconnect"
	case TimeoutDisconnect:
		return "TimeoutDisconnect"
	case LeaveRequest:
		return "LeaveRequest"
	case PlayerTTLTimedOut:
		return "PlayerTtlTimedOut"
	case PeerLastTouchTimedOut:
		return "PeerLastTouchTimedout"
	case PluginRequest:
		return "PluginRequest"
	case PluginFailedJoin:
		return "PluginFailedJoin"
	}
	return strconv.Itoa(int(r))
}
