package plugin

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/boson-project/boson/pkg/photon"
)

// Host is the room as its plugin sees it. Its methods are for the room's fiber,
// that is for callbacks and the functions that timers, HTTP and Enqueue run
// there; from elsewhere they return ErrGoroutine or nothing. Enqueue, Context,
// Logger, GameID and Environment may be called from anywhere.
type Host interface {
	// GameID is the room's name.
	GameID() string
	// Environment says where the room is.
	Environment() Environment

	// Properties is a copy of the room's properties: well-known ones with byte
	// keys, custom ones with string keys. Its values are not to be changed.
	Properties() *Table
	// LobbyProperties are the custom properties that lobbies see.
	LobbyProperties() map[string]any
	// Actors are all actors, by number; ActiveActors those with a client,
	// InactiveActors those without.
	Actors() []Actor
	ActiveActors() []Actor
	InactiveActors() []Actor
	// Actor returns one actor.
	Actor(actorNr int32) (Actor, bool)
	// MasterClientID is the master client's actor number; 0 if nobody is.
	MasterClientID() int32

	// BroadcastEvent sends an event of the plugin's. Receivers that are not there
	// are skipped. Errors: ErrNotInitialised before OnCreateGame was continued,
	// ErrNoSuchActor for a sender that is no actor, or what is wrong with the event.
	// OnRaiseEvent is not called for it.
	BroadcastEvent(e Event) error
	// BroadcastErrorInfo sends event 251, which clients show as error info, to all
	// active actors. It disconnects nobody.
	BroadcastErrorInfo(message string) error
	// SetProperties sets properties of the room (actorNr 0) or an actor; nil as
	// value deletes. false: the condition did not hold, or the room is not
	// initialised. The property callbacks are not called for it.
	SetProperties(actorNr int32, properties *Table, opt SetOptions) (bool, error)
	// RemoveActor takes an actor out for good, active or inactive, disconnects its
	// client and does not let its user in again. OnLeave is called, with reason 104,
	// unless it is being asked about the actor already: then the leave is for good.
	RemoveActor(actorNr int32, reason RemoveReason, detail string) bool
	// CloseRoom ends the room as soon as the current callback is over: all clients
	// are disconnected and told text, and OnLeave, BeforeCloseGame and OnCloseGame
	// are called. Actors stay in what is saved if the room has a PlayerTTL. false:
	// the room is not initialised, or over.
	CloseRoom(text string) bool
	// ExecuteCacheOperation changes the event cache without sending anything.
	ExecuteCacheOperation(op CacheOperation) error
	// UpdateAuthCookie changes an entry of what the authentication provider keeps
	// about an actor's user, in this room; nil as value deletes.
	UpdateAuthCookie(actorNr int32, key string, value any) error

	// State returns the whole room in the form in which it is saved (plugins.md 10).
	State() (GameState, error)
	// SetState makes the room the one that was saved. Only inside OnCreateGame,
	// before the decision; ErrNotAllowed otherwise, ErrBadState if the state
	// can't be used.
	SetState(s GameState) error

	// AfterFunc runs f on the fiber after d, at least 10 ms. nil: the room has too
	// many timers (256), or is closed.
	AfterFunc(d time.Duration, f func()) *Timer
	// Every runs f after first and then at each interval, until it is stopped or
	// the room ends. Ticks that the room was too busy for are left out.
	Every(first, interval time.Duration, f func()) *Timer
	// DeferAfter postpones a call's decision and runs f after d to make it.
	DeferAfter(c Deferrable, d time.Duration, f func()) *Timer

	// HTTP sends a request. Its callback runs on the fiber, once, unless the room
	// ends before: before HTTP returns if req.Async is false, for the room waits.
	HTTP(req *HTTPRequest) error
	// HTTPFor postpones a call's decision, which the callback makes, and sends the
	// request without waiting.
	HTTPFor(c Deferrable, req *HTTPRequest) error
	// Suspended says that the room waits for a synchronous HTTP request.
	Suspended() bool

	// Enqueue runs f on the fiber. It may be called from any goroutine. false: the
	// room is closed.
	Enqueue(f func()) bool
	// Logger writes to the server's log, under the name "Plugin.<name>", with
	// application and room.
	Logger() *slog.Logger
	// Context ends with the room.
	Context() context.Context
}

// Environment says where a room is.
type Environment struct {
	AppID, AppVersion string
	Region, Cloud     string
	// Extra are further entries, from the configuration.
	Extra map[string]string
}

// Actor is one player of the room at the time when it was asked for.
type Actor struct {
	ActorNr  int32
	UserID   string
	Nickname string
	// Properties are not to be changed; use Host.SetProperties.
	Properties *Table
	IsActive   bool
	// AuthCookie is what the authentication provider keeps about the user; nil for
	// none.
	AuthCookie map[string]any
	// DeactivationTime is since when the actor is inactive; zero if it is not.
	DeactivationTime time.Time
}

// Target is a group of receivers. Its numbers differ from those that clients
// use, on purpose: All is what an Event without target means.
type Target byte

// The targets.
const (
	All          Target = iota // all active actors
	Others                     // all but the sender
	MasterClient               // the master client
	Group                      // who is subscribed to Event.Group
)

// Wire is the number of a target outside of this process: the client's, and 3
// for Group (plugins.md 7.2).
func (t Target) Wire() byte {
	switch t {
	case All:
		return byte(photon.ReceiverAll)
	case Others:
		return byte(photon.ReceiverOthers)
	case MasterClient:
		return byte(photon.ReceiverMasterClient)
	}
	return byte(t)
}

// TargetOf is the target with that number outside of this process.
func TargetOf(wire byte) (Target, bool) {
	for _, t := range [...]Target{All, Others, MasterClient, Group} {
		if t.Wire() == wire {
			return t, true
		}
	}
	return 0, false
}

// Event is an event that a plugin sends.
type Event struct {
	// Code should be below 200; the codes from there on are the server's.
	Code byte
	// Data is the content, parameter 245, where clients look for it.
	Data any
	// Params, if not nil, are all of the event's parameters, in place of Data and
	// Sender: full control.
	Params map[byte]any
	// Sender is 0 for the room itself, or an actor, active or not.
	Sender int32
	// To are the receivers; if it is nil, Target says who they are.
	To     []int32
	Target Target
	// Group is an interest group: with it only actors that are subscribed get the
	// event, whatever Target says. 0 is everyone.
	Group byte
	// Cache stores the event as if the sender had raised it. Events to actors,
	// groups or the master client are not stored.
	Cache CacheOption
	Send  SendOptions
}

// SendOptions are how an event travels.
type SendOptions struct {
	Channel     byte
	Unreliable  bool
	Unsequenced bool
	// Encrypt where the receiver has a key.
	Encrypt bool
}

// SetOptions of Host.SetProperties.
type SetOptions struct {
	// Expected is the condition of a compare-and-swap, nil for none.
	Expected *Table
	// Broadcast sends PropertiesChanged to all active actors.
	Broadcast bool
}

// CacheOperation is a change of the event cache (plugins.md 7.2).
type CacheOperation struct {
	Op CacheOption
	// Actors filters what RemoveFromRoomCache removes, by owner; nil is all.
	Actors []int32
	// SliceIndex is for the options that need one.
	SliceIndex int32
	// Data is the content to store, or a filter for what is removed.
	Data any
	// ActorNr owns what is stored; 0 is the room.
	ActorNr int32
	// EventCode is that of the event; 0 is all where something is removed.
	EventCode byte
}

// GameState is a whole room as JSON, in the form of Photon's (plugins.md 10).
type GameState = json.RawMessage

// Timer is a running timer.
type Timer struct{ stop func() }

// NewTimer returns a timer that stop ends. It is for hosts.
func NewTimer(stop func()) *Timer { return &Timer{stop: stop} }

// Stop ends the timer. Its function does not run any more, even if it was due.
// Stopping a finished timer, or none, does nothing. For the fiber only.
func (t *Timer) Stop() {
	if t != nil && t.stop != nil {
		t.stop()
	}
}
