package plugin

import (
	"github.com/boson-project/boson/pkg/photon"
)

// Status is what became of a call (plugins.md 2.1).
type Status uint8

// The statuses.
const (
	New Status = iota
	Deferred
	Succeeded
	Failed
	Canceled
)

// String returns the status's name.
func (s Status) String() string {
	switch s {
	case New:
		return "New"
	case Deferred:
		return "Deferred"
	case Succeeded:
		return "Succeeded"
	case Failed:
		return "Failed"
	case Canceled:
		return "Canceled"
	}
	return "unknown"
}

// Decision is what a plugin said about a call.
type Decision struct {
	Status Status // Succeeded, Failed or Canceled
	// Of Fail: the response's return code, debug message and parameters.
	ReturnCode photon.ReturnCode
	Message    string
	Data       map[byte]any
}

// Control is the host's side of a call. Plugins have no use for it.
type Control interface {
	// Check says whether the call may be decided here and now; if not, why.
	Check() error
	// Decide carries a decision out. The error is the outcome of the default
	// processing.
	Decide(d Decision) error
	// Misused is told of a decision that came too late.
	Misused(err error)
	// Deferred is told that the decision was postponed.
	Deferred()
	// AuthCookie returns what the authentication provider keeps about the caller;
	// nil for none.
	AuthCookie() map[string]any
}

// Caller is the client that caused a call. Plugins see it through Call.
type Caller struct {
	UserID   string
	Nickname string
	// Request is the client's operation, nil where none is waiting.
	Request *photon.Request
	// Source, if not nil, has the operation where Request is nil, and is asked when
	// a plugin first wants it: for hosts that have it elsewhere.
	Source interface{ Request() *photon.Request }
}

// Call is what all calls have in common. It is decided once. A call and its
// request belong to the room's fiber.
type Call struct {
	control Control
	caller  Caller
	status  Status
}

// MakeCall returns a new call. It is for hosts.
func MakeCall(control Control, caller Caller) Call {
	return Call{control: control, caller: caller}
}

// Status returns what became of the call so far.
func (c *Call) Status() Status { return c.status }

// IsNew says that nothing was decided yet, not even to defer.
func (c *Call) IsNew() bool { return c.status == New }

// IsDeferred says that the decision was postponed, and did not come yet.
func (c *Call) IsDeferred() bool { return c.status == Deferred }

// IsProcessed says that the call was decided.
func (c *Call) IsProcessed() bool { return c.status > Deferred }

// IsSucceeded says that Continue was called.
func (c *Call) IsSucceeded() bool { return c.status == Succeeded }

// IsFailed says that Fail was called.
func (c *Call) IsFailed() bool { return c.status == Failed }

// IsCanceled says that Cancel was called.
func (c *Call) IsCanceled() bool { return c.status == Canceled }

// UserID is the user id of the client that caused the call.
func (c *Call) UserID() string { return c.caller.UserID }

// Nickname is the nickname of the client that caused the call.
func (c *Call) Nickname() string { return c.caller.Nickname }

// AuthCookie is what the authentication provider keeps about the user; nil for
// none. Clients never see it.
func (c *Call) AuthCookie() map[string]any { return c.control.AuthCookie() }

// Operation is the client's operation as it came, nil where no client waits.
func (c *Call) Operation() *Operation {
	if c.caller.Request == nil && c.caller.Source != nil {
		c.caller.Request = c.caller.Source.Request()
	}
	if c.caller.Request == nil {
		return nil
	}
	return &Operation{request: c.caller.Request}
}

// Continue performs the default processing, with the request as it is now.
// State has changed, and responses and events are on their way, when it returns.
//
// The error is the outcome: a *RefusedError if the room itself refused, and the
// client was told; ErrProcessed, ErrGoroutine, ErrRoomClosed or ErrNoSuchActor
// (the actor left meanwhile) if nothing was done. It can be ignored.
func (c *Call) Continue() error { return c.decide(Decision{Status: Succeeded}) }

// Fail refuses the call: a client that waits is answered with ReturnCode 32752,
// the message, and data as parameters of the response. Where no client waits the
// message is only logged. Errors are those of Continue, but RefusedError.
func (c *Call) Fail(message string, data map[byte]any) error {
	return c.FailWith(photon.ReturnPluginReportedError, message, data)
}

// FailWith is Fail with another return code, for plugins that refuse for a
// reason that clients know by number.
func (c *Call) FailWith(rc photon.ReturnCode, message string, data map[byte]any) error {
	return c.decide(Decision{Status: Failed, ReturnCode: rc, Message: message, Data: data})
}

func (c *Call) decide(d Decision) error {
	if err := c.control.Check(); err != nil {
		return err
	}
	if c.IsProcessed() {
		c.control.Misused(ErrProcessed)
		return ErrProcessed
	}
	c.status = d.Status
	return c.control.Decide(d)
}

func (c *Call) postpone() error {
	if err := c.control.Check(); err != nil {
		return err
	}
	if c.status != New {
		c.control.Misused(ErrProcessed)
		return ErrProcessed
	}
	c.status = Deferred
	c.control.Deferred()
	return nil
}

func (c *Call) core() *Call { return c }

// Deferrable is every call. Host.DeferAfter and Host.HTTPFor postpone the
// decision of any of them.
type Deferrable interface {
	core() *Call
}

// Postpone defers any call. It is for hosts; plugins use Host.DeferAfter and Host.HTTPFor, or Defer
// where a call has it.
func Postpone(c Deferrable) error { return c.core().postpone() }

// CallOf returns what a call has in common with all others.
func CallOf(c Deferrable) *Call { return c.core() }

// Open is a call that can also be dropped or postponed.
type Open struct{ Call }

// Cancel drops the call without a word: no response, no event. Errors as Fail.
func (c *Open) Cancel() error { return c.decide(Decision{Status: Canceled}) }

// Defer lets the callback return without a decision. It must come later, from a
// timer, an HTTP callback or an enqueued function; the room goes on meanwhile,
// so what is deferred may be overtaken. If the room ends before, the call fails.
func (c *Open) Defer() error { return c.postpone() }

// CreateGameCall is the call of OnCreateGame.
type CreateGameCall struct {
	Call
	// Request is the client's, with the room's options.
	Request *JoinGameRequest
	// IsJoin says that the client joins; the room may have to be loaded.
	IsJoin bool
	// CreateIfNotExists says that a new room is to be made where none can be loaded.
	CreateIfNotExists bool
	// CreateOptions are the room's options by name, as web services see them.
	CreateOptions map[string]any
}

// BeforeJoinCall is the call of BeforeJoin. The actor does not exist yet.
type BeforeJoinCall struct {
	Call
	Request *JoinGameRequest
}

// JoinCall is the call of OnJoin.
type JoinCall struct {
	Call
	ActorNr int32
	Request *JoinGameRequest
	// Params may be changed before Continue.
	Params JoinParams
}

// JoinParams say what a joiner and the others are told.
type JoinParams struct {
	// PublishCache sends the cached events to the joiner. True by default.
	PublishCache bool
	// PublishJoinEvents sends the Join event to all. True by default.
	PublishJoinEvents bool
	// ResponseExtraParameters are added to the join response.
	ResponseExtraParameters map[byte]any
}

// LeaveCall is the call of OnLeave.
type LeaveCall struct {
	Call
	ActorNr int32
	// IsInactive says that the actor will stay in the room as inactive.
	IsInactive bool
	Reason     LeaveReason
	// Details are for people.
	Details string
	// Request is nil unless the client asked to leave.
	Request *LeaveGameRequest
}

// RaiseEventCall is the call of OnRaiseEvent.
type RaiseEventCall struct {
	Open
	ActorNr int32
	Request *RaiseEventRequest
}

// BeforeSetPropertiesCall is the call of BeforeSetProperties.
type BeforeSetPropertiesCall struct {
	Open
	// ActorNr is the actor that sets; whose properties it sets is in Request.
	ActorNr int32
	Request *SetPropertiesRequest
}

// SetPropertiesCall is the call of OnSetProperties.
type SetPropertiesCall struct {
	Call
	ActorNr int32
	Request *SetPropertiesRequest
}

// BeforeCloseGameCall is the call of BeforeCloseGame.
type BeforeCloseGameCall struct {
	Call
	Request *CloseRequest
	// FailedOnCreate says that the room never came to be.
	FailedOnCreate bool
}

// CloseGameCall is the call of OnCloseGame.
type CloseGameCall struct {
	Call
	Request *CloseRequest
	// ActorCount is the number of inactive actors that are still in the room.
	ActorCount     int
	FailedOnCreate bool
}
