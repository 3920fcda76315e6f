package room

import (
	"cmp"
	"slices"
	"time"

	"github.com/boson-project/boson/pkg/lobby"
	"github.com/boson-project/boson/pkg/photon"
)

// ID says which room it is.
type ID struct {
	App   string // application key
	Name  string
	Lobby lobby.ID
	// Created is Unix time in ms; Incarnation distinguishes the room from an
	// earlier one of the same name. Both are only published.
	Created     int64
	Incarnation int64
}

// Room is one room. Make it with New and let the first client in with Create.
type Room struct {
	id  ID
	cfg Config

	phase phase
	hooks Hooks // the plugin, nil for none
	flags photon.RoomOptionFlags
	set   settings
	props properties // custom room properties
	bytes int        // of all properties, the room's and the actors'

	actors   []*actor // all, by number
	active   []*actor // those with a seat, by number
	lastNr   int32
	groups   groupSet // groups that some actor is or was in
	excluded []ExcludedUser

	cache     cache
	cacheFull bool // the limit was reached once: closed for newcomers
	loaded    bool // by SetState, and the client that it was for has not entered yet

	empty    time.Duration // since when no actor is active, or Never
	deadline time.Duration
	changed  bool

	scratch []byte   // for sizes of properties
	out     outgoing // the event being relayed
	stats   Stats
}

// phase of a room's life (loadbalancing-rooms.md 1.3).
type phase uint8

const (
	fresh phase = iota // waits for its creator
	open
	ending // the plugin is being asked
	done
)

// Stats counts a room's events.
type Stats struct {
	Events     uint64 // raised by clients
	Deliveries uint64 // to receivers, live
	// Undeliverable counts events that a receiver did not get, or got without
	// content, because its serialization can't express them.
	Undeliverable uint64
}

// New returns a room without actors that waits for Create.
func New(cfg Config, id ID) *Room {
	return &Room{id: id, cfg: cfg.WithDefaults(), set: settings{visible: true, open: true}, empty: Never, deadline: Never}
}

// Stats returns the counts since the room was made.
func (r *Room) Stats() Stats { return r.stats }

// Done says that the room is over: never created, empty for too long, or closed.
// Its owner forgets it; the name is free again.
func (r *Room) Done() bool { return r.phase == done }

// Open says that clients can enter and play. Before it waits for its creator, or
// for what a plugin says to it; afterwards for what a plugin says to its end.
func (r *Room) Open() bool { return r.phase == open && !r.loaded }

// Ending says that the room is not over yet, but nobody can enter any more.
func (r *Room) Ending() bool { return r.phase == ending }

// ID says which room it is.
func (r *Room) ID() ID { return r.id }

// Deadline is when Tick must be called if nothing else happens, or Never.
func (r *Room) Deadline() time.Duration { return r.deadline }

// Tick removes inactive actors whose PlayerTTL is over, and ends the room when
// its EmptyRoomTTL is (loadbalancing-rooms.md 1.5, 5.2).
func (r *Room) Tick(now time.Duration) {
	if r.phase != open || r.loaded && r.hooks != nil || now < r.deadline {
		return
	}
	var due []*actor
	for _, a := range r.actors {
		if !a.active() && r.expiry(a) <= now {
			due = append(due, a)
		}
	}
	slices.SortStableFunc(due, func(a, b *actor) int { return cmp.Compare(r.expiry(a), r.expiry(b)) })
	for _, a := range due {
		// A plugin that was asked about one before may have changed all.
		if r.phase == open && !a.active() && r.find(a.nr) == a && r.expiry(a) <= now {
			r.depart(now, a, &Leave{Reason: photon.PlayerTTLTimedOut})
		}
	}
	if r.phase == open && r.empty != Never && now >= r.emptyDeadline() {
		r.end(now)
	}
	r.rearm()
}

func (r *Room) emptyDeadline() time.Duration {
	return r.empty + time.Duration(r.set.emptyTTL)*time.Millisecond
}

// rearm finds the next deadline, after anything that timers depend on changed.
func (r *Room) rearm() {
	r.deadline = Never
	if r.phase != open {
		return
	}
	if r.empty != Never {
		r.deadline = r.emptyDeadline()
	}
	if len(r.active) < len(r.actors) {
		for _, a := range r.actors {
			if !a.active() {
				r.deadline = min(r.deadline, r.expiry(a))
			}
		}
	}
}

// occupied starts or stops the EmptyRoomTTL after actors came or went. Without
// one the room ends here.
func (r *Room) occupied(now time.Duration) {
	switch {
	case len(r.active) > 0:
		r.empty = Never
	case r.empty == Never:
		r.empty = now
		if r.set.emptyTTL == 0 {
			r.end(now)
		}
	}
	r.rearm()
}

// Close ends the room at once, on an operator's or the server's wish, and
// disconnects its clients with code and text. With a plugin the end may take
// time: the room is Done when the plugin has had its say. Actors stay in what it
// saves if the room has a PlayerTTL.
func (r *Room) Close(now time.Duration, code photon.ReturnCode, text string) {
	if r.phase >= ending {
		return
	}
	gone := slices.Clone(r.active)
	sinks := make([]Sink, len(gone))
	for i, a := range gone {
		sinks[i] = a.seat.sink
		a.inactive = now
		r.unseat(a) // all before the first departs: nobody hears of the others
	}
	r.empty = now // the last one's departure is not yet the room's end
	for i, a := range gone {
		if r.hooks != nil && r.phase == open && r.find(a.nr) == a && a.leaving == nil {
			r.depart(now, a, &Leave{Reason: photon.ServerDisconnect, Details: text, IsInactive: r.set.playerTTL != 0})
		}
		sinks[i].Disconnect(code, text)
	}
	r.end(now)
}

// Operation runs one request of a client that has, or had, a seat: Leave,
// RaiseEvent, SetProperties, GetProperties or ChangeGroups. The room answers. It
// returns the error that the client was told, if any.
func (r *Room) Operation(now time.Duration, s *Seat, req *photon.Request) error {
	err := r.operation(now, s, req)
	if err != nil {
		Refuse(s.sink, req, err)
	}
	return err
}

func (r *Room) operation(now time.Duration, s *Seat, req *photon.Request) error {
	if !Handles(req.Code) {
		return refuse(photon.ReturnInvalidOperation, "unknown operation %d in a room", req.Code)
	}
	a := s.actor
	if a == nil {
		return NotJoined(req.Code)
	}
	switch req.Code {
	case photon.OpRaiseEvent:
		return r.raiseEvent(now, a, req)
	case photon.OpSetProperties:
		return r.setProperties(now, a, req)
	case photon.OpGetProperties:
		return r.getProperties(a, req)
	case photon.OpChangeGroups:
		return r.changeGroups(a, req)
	case photon.OpLeave:
		return r.leave(now, a, req)
	default:
		return refuse(photon.ReturnJoinFailedPeerAlreadyJoined, "this connection is already in room %q", r.id.Name)
	}
}

// Handles says whether an operation belongs to a room. Others are
// InvalidOperation there.
func Handles(op photon.OpCode) bool {
	switch op {
	case photon.OpRaiseEvent, photon.OpSetProperties, photon.OpGetProperties, photon.OpChangeGroups,
		photon.OpLeave, photon.OpJoinGame, photon.OpCreateGame:
		return true
	}
	return false
}

// NotJoined is the error of a room operation from a connection that is in no
// room (loadbalancing.md 2.7).
func NotJoined(op photon.OpCode) error {
	return refuse(photon.ReturnOperationNotAllowedInCurrentState, "operation %s is not allowed: not in a room", op)
}

// ErrorInfo sends event 251 to all active actors: something went wrong, play
// goes on (loadbalancing-rooms.md 9).
func (r *Room) ErrorInfo(text string) {
	r.broadcast(photon.EventErrorInfo, photon.Params{photon.Param(photon.ParamInfo, text)}, reliable, nil)
}
