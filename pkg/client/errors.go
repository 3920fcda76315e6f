package client

import (
	"errors"
	"fmt"

	"github.com/boson-project/boson/pkg/photon"
)

// Errors of sending.
var (
	// ErrQueueFull: the server does not take what is sent fast enough.
	ErrQueueFull = errors.New("client: send queue is full")
	// ErrNoEncryption: a message was to be encrypted and there is no key.
	ErrNoEncryption = errors.New("client: encryption is not established")
	// ErrMessageTooBig: above Options.MaxMessageSize.
	ErrMessageTooBig = errors.New("client: message is too big")
	// ErrState: the client is not where the call makes sense, for example not in a room.
	ErrState = errors.New("client: not possible in this state")
)

// OperationError is an operation's response with a return code other than Ok.
type OperationError struct {
	Op    photon.OpCode
	Code  photon.ReturnCode
	Debug string // for developers; may be empty
}

// Error names the operation, the return code and the debug message.
func (e *OperationError) Error() string {
	if e.Debug == "" {
		return fmt.Sprintf("%s: %s (%d)", e.Op, e.Code, int16(e.Code))
	}
	return fmt.Sprintf("%s: %s (%d): %s", e.Op, e.Code, int16(e.Code), e.Debug)
}

// ReturnCodeOf returns the return code in err, or Ok when err holds none.
func ReturnCodeOf(err error) photon.ReturnCode {
	var e *OperationError
	if errors.As(err, &e) {
		return e.Code
	}
	return photon.ReturnOk
}

// Cause says why a connection ended.
type Cause uint8

// Causes, by the names that Photon's clients give them.
const (
	CauseUnknown                    Cause = iota
	DisconnectByClientLogic               // Close or Disconnect was called
	ClientTimeout                         // the server stopped answering
	ServerTimeout                         // the server gave up, or closed its socket without a word
	DisconnectByServerLogic               // the server decided so
	DisconnectByServerUserLimit           // the server is full
	DisconnectByServerReasonUnknown       // the server gave no known reason
	DisconnectByDisconnectMessage         // the server sent a message that says why
	DisconnectByOperationLimit            // a response with OperationLimitReached
	ConnectionLost                        // the socket broke, or could not be opened
	ProtocolError                         // the server sent what the protocol does not allow
)

var causeNames = [...]string{
	"unknown", "DisconnectByClientLogic", "ClientTimeout", "ServerTimeout", "DisconnectByServerLogic",
	"DisconnectByServerUserLimit", "DisconnectByServerReasonUnknown", "DisconnectByDisconnectMessage",
	"DisconnectByOperationLimit", "ConnectionLost", "ProtocolError",
}

// String returns the cause's name.
func (c Cause) String() string {
	if int(c) < len(causeNames) {
		return causeNames[c]
	}
	return "unknown"
}

// DisconnectError says that a connection is over, and why.
type DisconnectError struct {
	Cause Cause
	// Code and Text come from the server's disconnect message, if there was one.
	Code photon.ReturnCode
	Text string
	// Err is the socket's or the decoder's error, or nil.
	Err error
}

// Error returns the cause and what else is known.
func (e *DisconnectError) Error() string {
	s := "client: disconnected: " + e.Cause.String()
	if e.Cause == DisconnectByDisconnectMessage {
		s = fmt.Sprintf("%s (%d) %s", s, int16(e.Code), e.Text)
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns Err.
func (e *DisconnectError) Unwrap() error { return e.Err }
