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

// Deadline is when Tick must be called if nothing else happens, or Never.
func (r *Room) Deadline() time.Duration { return r.deadline }

// Tick removes inactive actors whose PlayerTTL is over, and ends the room when
// its EmptyRoomTTL is (loadbalancing-rooms.md 1.5, 5.2).
func (r *Room) Tick(now time.Duration) {
	if r.phase != open || now < r.deadline {
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
		r.remove(a)
		r.tellLeave(a.nr, false, 0)
	}
	if r.empty != Never && now >= r.emptyDeadline() {
		r.end()
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
			r.end()
		}
	}
	r.rearm()
}

func (r *Room) end() {
	r.phase = done
	r.changed = true
	r.deadline = Never
}

// Close ends the room at once, on an operator's or the server's wish, and
// disconnects its clients with code and text.
func (r *Room) Close(code photon.ReturnCode, text string) {
	if r.phase == done {
		return
	}
	for len(r.active) > 0 {
		a := r.active[len(r.active)-1]
		sink := a.seat.sink
		r.unseat(a)
		sink.Disconnect(code, text)
	}
	r.end()
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
		return r.raiseEvent(a, req)
	case photon.OpSetProperties:
		return r.setProperties(a, req)
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
