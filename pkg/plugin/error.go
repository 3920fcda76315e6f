package plugin

import (
	"errors"
	"strconv"
)

// Errors of the methods of calls and Host.
var (
	// ErrProcessed says that the call was decided before. The first decision stands.
	ErrProcessed = errors.New("plugin: the call is already processed")
	// ErrNotAllowed says that the method may not be called here.
	ErrNotAllowed = errors.New("plugin: not allowed here")
	// ErrGoroutine says that the caller is not on the room's fiber. Use Host.Enqueue.
	ErrGoroutine = errors.New("plugin: called from outside the room's fiber")
	// ErrRoomClosed says that the room is gone.
	ErrRoomClosed = errors.New("plugin: the room is closed")
	// ErrNotInitialised says that the room is still being created.
	ErrNotInitialised = errors.New("plugin: the room is not initialised yet")
	// ErrBadState says that a saved state can't be used.
	ErrBadState = errors.New("plugin: bad state")
	// ErrNoSuchActor says that an actor is not in the room, or not any more.
	ErrNoSuchActor = errors.New("plugin: no such actor")
	// ErrTooManyTimers says that the room has as many timers as it may.
	ErrTooManyTimers = errors.New("plugin: too many timers")
)

// RefusedError says that the room itself refused what a plugin continued or
// asked for. A client that waited was answered with the same code.
type RefusedError struct {
	ReturnCode int16
	Text       string
}

// Error returns the text that clients see.
func (e *RefusedError) Error() string { return e.Text }

// ErrorCode says what is reported to an ErrorReporter (plugins.md 3).
type ErrorCode int

// The error codes.
const (
	UnhandledException     ErrorCode = 1 // a callback panicked
	AsyncCallbackException ErrorCode = 2 // a timer, HTTP or enqueued function panicked
	SetStateFailed         ErrorCode = 3
	CreateFailed           ErrorCode = 4
	NotProcessed           ErrorCode = 5 // strict mode: a callback returned without a decision
	AlreadyProcessed       ErrorCode = 6 // a call was decided twice
	WrongGoroutine         ErrorCode = 7
	Timeout                ErrorCode = 8
)

// String returns the code's name.
func (c ErrorCode) String() string {
	switch c {
	case UnhandledException:
		return "UnhandledException"
	case AsyncCallbackException:
		return "AsyncCallbackException"
	case SetStateFailed:
		return "SetStateFailed"
	case CreateFailed:
		return "CreateFailed"
	case NotProcessed:
		return "NotProcessed"
	case AlreadyProcessed:
		return "AlreadyProcessed"
	case WrongGoroutine:
		return "WrongGoroutine"
	case Timeout:
		return "Timeout"
	}
	return "ErrorCode(" + strconv.Itoa(int(c)) + ")"
}

// ErrNoSuchPlugin is a factory's answer to a name that it does not know: the
// client is refused with PluginMismatch.
var ErrNoSuchPlugin = errors.New("plugin: no such plugin")
