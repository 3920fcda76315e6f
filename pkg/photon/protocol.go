package photon

import "github.com/boson-project/boson/pkg/gpbinary"

// Protocol is the serialization of a connection's messages.
type Protocol uint8

// Protocols by the name that clients give them.
const (
	GpBinaryV16 Protocol = Protocol(gpbinary.V16)
	GpBinaryV18 Protocol = Protocol(gpbinary.V18)
	// JSON is the JavaScript SDK's text protocol (websocket-json.md). Its
	// messages carry their "~m~" frame.
	JSON Protocol = 100
)

// String returns the WebSocket sub-protocol name.
func (p Protocol) String() string {
	if p == JSON {
		return "Json"
	}
	return gpbinary.Version(p).String()
}
