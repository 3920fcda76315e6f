package room

import (
	"math"
	"slices"
	"time"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// Sink is one client's connection as the room sees it. The room calls it from
// its fiber; the methods must not block and must not call the room back.
type Sink interface {
	// Protocol is the connection's serialization. It does not change.
	Protocol() photon.Protocol
	// Send queues one message. The bytes are shared with other receivers: nobody
	// may change them. d.Encrypt asks for payload encryption where there is a key.
	Send(msg []byte, d photon.Delivery)
	// Disconnect ends the connection after what was sent, and tells the client
	// why. The room has forgotten the connection when it calls this.
	Disconnect(code photon.ReturnCode, text string)
}

// Joiner is a client that wants to enter.
type Joiner struct {
	Sink Sink
	// UserID is unique in the application, at most 256 bytes. An empty one equals
	// no other.
	UserID string
	// Nickname is known from authentication. It is no actor property
	// (loadbalancing-rooms.md 4.5).
	Nickname string
	// SessionID comes from the token. A rejoin with the session of an actor that
	// is still active takes that actor over (loadbalancing-rooms.md 3.4).
	SessionID [16]byte
	// Token is a refreshed token for parameter 221 of the response, or "".
	Token string
}

// Seat is one connection's place in a room, from a successful Create or Join
// until it leaves. Only the room's fiber may use it.
type Seat struct {
	sink  Sink
	actor *actor // nil when the connection is no longer in the room
}

// ActorNr is the number of the seat's actor, or 0 when the connection has left,
// was removed, or was replaced by the same user's new connection.
func (s *Seat) ActorNr() int32 {
	if s == nil || s.actor == nil {
		return 0
	}
	return s.actor.nr
}

// actor is one player of the room: active while it has a seat, inactive otherwise.
type actor struct {
	nr       int32
	userID   string
	nickname string
	session  [16]byte
	seat     *Seat
	form     form // of the seat's protocol
	props    properties
	groups   groupSet
	inactive time.Duration // since when, if seat is nil

	// joining: it has its number, and the plugin has not said yes yet. Clients
	// don't know of it, but its place is taken. A rejoiner is what it was before.
	joining bool
	leaving *Leave // the plugin has not let it go yet
}

func (a *actor) active() bool { return a.seat != nil }

func (a *actor) send(msg []byte, d photon.Delivery) { a.seat.sink.Send(msg, d) }

// ActorInfo describes one actor to the room's owner and its plugin.
type ActorInfo struct {
	Nr       int32
	UserID   string
	Nickname string // property 255, or the name known from authentication
	// Active says that it has a connection, or had one until the step that the
	// plugin is being asked about.
	Active bool
	// Inactive is since when it has none.
	Inactive time.Duration
	// Properties are not to be changed.
	Properties []gpbinary.Pair
}

// Actors lists all actors, active and inactive, by number. One whose join the
// plugin has not decided about is among them.
func (r *Room) Actors() []ActorInfo {
	list := make([]ActorInfo, 0, len(r.actors))
	for _, a := range r.actors {
		list = append(list, r.info(a))
	}
	return list
}

// Actor returns one actor.
func (r *Room) Actor(nr int32) (ActorInfo, bool) {
	if a := r.find(nr); a != nil {
		return r.info(a), true
	}
	return ActorInfo{}, false
}

func (r *Room) info(a *actor) ActorInfo {
	info := ActorInfo{
		Nr: a.nr, UserID: a.userID, Nickname: a.nickname, Properties: a.props.pairs(),
		Active: a.active() || a.joining || a.leaving != nil && a.leaving.Reason != photon.PlayerTTLTimedOut, Inactive: a.inactive,
	}
	if v, ok := a.props.get(photon.ActorPropNickName); ok {
		if s, ok := v.(string); ok {
			info.Nickname = s
		}
	}
	return info
}

// unborn says that clients must not know of the actor yet: the plugin has not
// said yes, or it said no and has not let go of it.
func (a *actor) unborn() bool { return !a.active() && a.inactive == Never }

func byNumber(a *actor, nr int32) int { return int(int64(a.nr) - int64(nr)) }

// find returns the actor of that number, or nil.
func (r *Room) find(nr int32) *actor {
	if i, ok := slices.BinarySearchFunc(r.actors, nr, byNumber); ok {
		return r.actors[i]
	}
	return nil
}

// findUser returns the actor that a join by this user id is about: the first
// inactive one, else the first active one (loadbalancing-rooms.md 2.3).
func (r *Room) findUser(userID string) *actor {
	if userID == "" {
		return nil
	}
	var found *actor
	for _, a := range r.actors {
		if a.userID != userID {
			continue
		}
		if !a.active() {
			return a
		}
		if found == nil {
			found = a
		}
	}
	return found
}

func (r *Room) actorList() []int32 {
	list := make([]int32, 0, len(r.actors))
	for _, a := range r.actors {
		if !a.unborn() {
			list = append(list, a.nr)
		}
	}
	return list
}

// activate gives the actor a seat for the sink and makes it a receiver.
func (r *Room) activate(a *actor, sink Sink) *Seat {
	if !a.active() {
		i, _ := slices.BinarySearchFunc(r.active, a.nr, byNumber)
		r.active = slices.Insert(r.active, i, a)
	}
	a.joining, a.leaving = false, nil
	a.seat = &Seat{sink: sink, actor: a}
	a.form = formOf(sink.Protocol())
	return a.seat
}

// unseat takes the connection from the actor, which gets no more messages. Its
// subscriptions to interest groups end with it (loadbalancing-rooms.md 3.2).
func (r *Room) unseat(a *actor) {
	if !a.active() {
		return
	}
	a.seat.actor = nil
	a.seat = nil
	a.groups = groupSet{}
	if i, ok := slices.BinarySearchFunc(r.active, a.nr, byNumber); ok {
		r.active = slices.Delete(r.active, i, i+1)
	}
}

// table is what others may know of the actor (loadbalancing-operations.md 3.8).
func (r *Room) actorTable(a *actor) *gpbinary.Hashtable {
	pairs := slices.Clone(a.props.pairs())
	if r.publishesUserIDs() {
		pairs = append(pairs, gpbinary.Pair{Key: photon.ActorPropUserID, Value: a.userID})
	}
	if !a.active() {
		pairs = append(pairs, gpbinary.Pair{Key: photon.ActorPropIsInactive, Value: true})
	}
	return gpbinary.NewHashtable(pairs...)
}

// expiry is when an inactive actor is gone for good (loadbalancing-rooms.md 5.2).
func (r *Room) expiry(a *actor) time.Duration {
	ttl := r.set.playerTTL
	if a.joining || a.leaving != nil || ttl < 0 || ttl == math.MaxInt32 {
		return Never
	}
	return a.inactive + time.Duration(ttl)*time.Millisecond
}
