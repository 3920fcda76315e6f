package photon

// DeliveryMode is how a message travels where the transport has a choice (UDP);
// TCP and WebSocket carry everything reliably and in order (wire.md 3.3).
type DeliveryMode uint8

// The numbers are those of the wire (TCP frame, wire.md 5).
const (
	Unreliable            DeliveryMode = 0
	Reliable              DeliveryMode = 1
	UnreliableUnsequenced DeliveryMode = 2
	ReliableUnsequenced   DeliveryMode = 3
)

// Delivery is the way one message is to be sent, or was received.
type Delivery struct {
	Channel byte
	Mode    DeliveryMode
	// Encrypt asks for payload encryption where the connection has a key
	// (wire.md 7). On messages received it says that the message was encrypted.
	Encrypt bool
}
