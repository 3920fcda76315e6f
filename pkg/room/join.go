package room

import (
	"slices"
	"time"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// Entry is one client on its way into the room, from its request until it has a
// seat or was refused.
type Entry struct {
	EntryRequest
	// NoCache and NoJoinEvent leave out the cached events for the joiner, and the
	// Join event for all; Extra is added to the response (plugins.md 2.4).
	NoCache, NoJoinEvent bool
	Extra                photon.Params

	room   *Room
	req    photon.Request // a copy: the caller's may not outlive the call
	joiner Joiner
	done   func(*Seat, error)
	stage  entryStage
	gone   bool // the client is
	silent bool // no plugin is asked about this one

	actor    *actor
	rejoined bool
	inactive time.Duration // of an actor that comes back, if the plugin says no
}

type entryStage uint8

const (
	creating entryStage = iota
	asking
	joining
	entered
	refused
)

// Create makes the room from the options of a CreateGame, or of a JoinGame that
// creates, and lets its creator in as actor 1. It sends the response and the
// Join event. When it fails it has sent the refusal, and the room comes to its end.
//
// A plugin may take its time; done is called once, perhaps before Create
// returns, with the seat or with the reason why there is none.
func (r *Room) Create(now time.Duration, req *photon.Request, j Joiner, done func(*Seat, error)) *Entry {
	e := &Entry{room: r, req: *req, joiner: j, done: done}
	if err := e.prepareCreation(); err != nil {
		// Before the plugin heard of the room: it hears nothing of its end.
		r.finish()
		e.refuse(err)
		return e
	}
	if r.hooks != nil {
		r.hooks.CreateGame(now, e)
		return e
	}
	_ = e.Continue(now)
	return e
}

func (e *Entry) prepareCreation() (err error) {
	r := e.room
	if r.phase != fresh {
		return refuse(photon.ReturnGameIDAlreadyExists, "room %q exists", r.id.Name)
	}
	if e.EntryRequest, err = r.decodeEntry(&e.req); err != nil {
		return err
	}
	if err = r.checkPlugin(&e.EntryRequest); err != nil {
		return err
	}
	e.Options, err = r.decodeOptions(&e.req)
	return err
}

// Join lets a client into the room by the rules of its join mode
// (loadbalancing-rooms.md 3): as a new actor, as an inactive one that comes
// back, or in place of its own old connection. It sends response, Join event and
// cached events. When it fails it has sent the refusal, and the room is as it was.
//
// A plugin may take its time; done is called once, perhaps before Join returns,
// with the seat or with the reason why there is none.
func (r *Room) Join(now time.Duration, req *photon.Request, j Joiner, done func(*Seat, error)) *Entry {
	r.Tick(now)
	e := &Entry{room: r, req: *req, joiner: j, done: done, stage: asking}
	if err := e.prepareJoin(); err != nil {
		e.fail(now, err)
		return e
	}
	if r.hooks != nil && !r.loaded {
		r.hooks.BeforeJoin(now, e)
		return e
	}
	e.silent = r.loaded
	_ = e.Continue(now)
	return e
}

func (e *Entry) prepareJoin() (err error) {
	r := e.room
	if r.phase != open {
		return refuse(photon.ReturnGameDoesNotExist, "room %q does not exist", r.id.Name)
	}
	if e.req.Code == photon.OpCreateGame && !r.loaded {
		return refuse(photon.ReturnGameIDAlreadyExists, "room %q exists", r.id.Name)
	}
	e.EntryRequest, err = r.decodeEntry(&e.req)
	return err
}

// Joiner is who wants to enter.
func (e *Entry) Joiner() *Joiner { return &e.joiner }

// Request is the client's operation.
func (e *Entry) Request() *photon.Request { return &e.req }

// ActorNr is the actor's number, 0 as long as it has none.
func (e *Entry) ActorNr() int32 {
	if e.actor == nil {
		return 0
	}
	return e.actor.nr
}

// Pending says that the client has neither a seat nor a refusal yet.
func (e *Entry) Pending() bool { return e.stage < entered }

// Abort says that the client is gone. If it had become an actor already it
// leaves as soon as it is in.
func (e *Entry) Abort() { e.gone = true }

// Continue goes on to where the next question to the plugin is, or to the end.
// The error is why the client was refused.
func (e *Entry) Continue(now time.Duration) error {
	var err error
	switch e.stage {
	case creating:
		err = e.create(now)
	case asking:
		err = e.admit(now)
	case joining:
		err = e.finish(now)
	default:
		return errGone
	}
	if err != nil {
		e.fail(now, err)
	}
	return err
}

// Fail refuses the client.
func (e *Entry) Fail(now time.Duration, err *Error) {
	if e.Pending() {
		e.fail(now, err)
	}
}

func (e *Entry) fail(now time.Duration, err error) {
	r := e.room
	stage := e.stage
	e.refuse(err)
	switch {
	case stage == creating, r.loaded && r.phase == open:
		r.close(now, true)
	case stage == joining && e.actor.joining && r.find(e.actor.nr) == e.actor && r.phase == open:
		e.revert(now)
	}
}

func (e *Entry) refuse(err error) {
	e.stage = refused
	if !e.gone {
		Refuse(e.joiner.Sink, &e.req, err)
	}
	e.done(nil, err)
}

// revert takes back an actor that the plugin did not want. Nobody was told of it.
func (e *Entry) revert(now time.Duration) {
	r, a := e.room, e.actor
	a.joining = false
	l := &Leave{Reason: photon.PluginFailedJoin, quiet: true, IsInactive: e.rejoined}
	if e.rejoined {
		a.inactive = e.inactive
	}
	if a.leaving != nil {
		return // the plugin is still being asked about how it left before
	}
	r.depart(now, a, l)
}

// create makes the room, or lets the client into one that the plugin loaded.
func (e *Entry) create(now time.Duration) error {
	r := e.room
	if r.loaded {
		e.silent = true
		return e.admit(now)
	}
	if r.phase != fresh {
		return e.tooLate()
	}
	if e.req.Code == photon.OpJoinGame && e.Mode != photon.CreateIfNotExists {
		return refuse(photon.ReturnGameDoesNotExist, "room %q does not exist", r.id.Name)
	}
	if err := r.checkExpected(e.Expected); err != nil {
		return err
	}
	c, err := r.checkOptions(e.Options, e.Expected)
	if err != nil {
		return err
	}
	pairs, err := actorPairs(photon.ParamPlayerProperties, e.ActorProperties)
	if err != nil {
		return err
	}
	if err := checkJoiner(&e.joiner); err != nil {
		return err
	}
	if limit := c.next.maxPlayers; limit > 0 {
		if n := len(union([]string{e.joiner.UserID}, c.next.expected)); n > int(limit) {
			return refuse(photon.ReturnSlotError, "creator and expected users need %d of %d places", n, limit)
		}
	}
	r.flags = impliedFlags(e.Options.Flags)
	custom, err := r.prepare(&r.props, c.custom, e.JSON)
	if err != nil {
		return err
	}
	r.apply(c, custom)
	own, err := r.prepare(&properties{}, pairs, e.JSON)
	if err != nil {
		return err
	}
	r.phase = open
	e.actor = r.newActor(&e.joiner)
	r.store(&e.actor.props, own)
	e.enter(now)
	return nil
}

// admit makes the room's own checks and gives the client its actor.
func (e *Entry) admit(now time.Duration) error {
	r := e.room
	if e.gone || r.phase != open {
		return e.tooLate()
	}
	a, err := r.checkJoin(&e.joiner, &e.EntryRequest)
	if err != nil {
		return err
	}
	if a == nil {
		if err := r.checkNewcomer(); err != nil {
			return err
		}
	}
	if _, err := r.checkPlaces(&e.joiner, &e.EntryRequest, a == nil); err != nil {
		return err
	}
	if a == nil {
		if _, err := e.properties(); err != nil {
			return err
		}
	}
	e.actor, e.rejoined = a, a != nil
	if a == nil {
		e.actor = r.newActor(&e.joiner)
		e.actor.inactive = Never // see actor.unborn
	}
	e.inactive = e.actor.inactive
	e.stage = joining
	if r.hooks == nil || e.silent {
		return e.finish(now)
	}
	e.actor.joining = !e.actor.active() // else it plays on, on its old connection
	r.changed = true
	r.hooks.Join(now, e)
	return nil
}

// properties are those that a new actor brings, checked against the room's limits.
func (e *Entry) properties() (update, error) {
	pairs, err := actorPairs(photon.ParamPlayerProperties, e.ActorProperties)
	if err != nil {
		return update{}, err
	}
	return e.room.prepare(&properties{}, pairs, e.JSON)
}

func (e *Entry) tooLate() error {
	return refuse(photon.ReturnGameDoesNotExist, "room %q does not exist any more", e.room.id.Name)
}

// finish lets the actor in.
func (e *Entry) finish(now time.Duration) error {
	r, a := e.room, e.actor
	if r.phase != open || r.find(a.nr) != a {
		return e.tooLate()
	}
	if !e.rejoined {
		own, err := e.properties()
		if err != nil {
			return err
		}
		r.store(&a.props, own)
	}
	expected := union(r.set.expected, e.Expected)
	added := len(expected) > len(r.set.expected)
	if added {
		r.set.expected, r.set.expectedKnown = expected, true
	}
	if a.active() {
		// Its old connection has not been noticed to be dead. No Leave event
		// (loadbalancing-rooms.md 3.4).
		old := a.seat.sink
		r.unseat(a)
		old.Disconnect(photon.ReturnJoinFailedFoundActiveJoiner, "the user rejoined on another connection")
	}
	e.enter(now)
	if added {
		// The joiner has seen the list in its response.
		r.tellRoomProperty(photon.PropExpectedUsers, expected, a)
	}
	return nil
}

func checkJoiner(j *Joiner) error {
	if len(j.UserID) > maxUserID {
		return refuse(photon.ReturnInvalidOperation, "user id of %d bytes, at most %d", len(j.UserID), maxUserID)
	}
	return nil
}

// checkJoin makes the checks up to the user table of loadbalancing-rooms.md 3.2.
// It returns the actor that the joiner comes back to, or nil for a new one.
func (r *Room) checkJoin(j *Joiner, e *EntryRequest) (*actor, error) {
	if err := r.checkPlugin(e); err != nil {
		return nil, err
	}
	if err := checkJoiner(j); err != nil {
		return nil, err
	}
	if j.UserID != "" && r.isExcluded(j.UserID) {
		return nil, refuse(photon.ReturnJoinFailedFoundExcludedUserID, "user is excluded from the room")
	}
	rejoins := e.Mode == photon.JoinOrRejoin || e.Mode == photon.RejoinOnly
	var a *actor
	if rejoins || r.flags&photon.FlagCheckUserOnJoin != 0 {
		a = r.findUser(j.UserID)
	}
	switch {
	case a != nil && a.unborn():
		return nil, refuse(photon.ReturnJoinFailedFoundActiveJoiner, "user is about to enter the room")
	case a == nil && e.Mode == photon.RejoinOnly:
		return nil, refuse(photon.ReturnJoinFailedWithRejoinerNotFound, "user is not in the room: can't rejoin")
	case a == nil:
		return nil, nil
	case !a.active() && !rejoins:
		return nil, refuse(photon.ReturnJoinFailedFoundInactiveJoiner, "user is inactive in the room: rejoin it")
	case !a.active() && r.cacheFull:
		return nil, refuse(photon.ReturnGameClosed, "room is closed: its event cache is full")
	case a.active() && (!rejoins || a.session != j.SessionID):
		return nil, refuse(photon.ReturnJoinFailedFoundActiveJoiner, "user is active in the room")
	}
	return a, nil
}

// checkNewcomer makes the checks that only a new actor must pass.
func (r *Room) checkNewcomer() error {
	switch {
	case !r.set.open:
		return refuse(photon.ReturnGameClosed, "room is closed")
	case r.cacheFull:
		return refuse(photon.ReturnGameClosed, "room is closed: its event cache is full")
	}
	return nil
}

// checkPlaces returns the expected users as they will be once the joiner is in,
// if there are places for all (loadbalancing-rooms.md 3.3). One who comes back
// has a place, but those it brings must fit.
func (r *Room) checkPlaces(j *Joiner, e *EntryRequest, newcomer bool) ([]string, error) {
	all := union(r.set.expected, e.Expected)
	brings := len(all) > len(r.set.expected)
	if brings {
		if err := r.checkExpected(all); err != nil {
			return nil, err
		}
	}
	limit := int(r.set.maxPlayers)
	if limit == 0 || !newcomer && !brings {
		return all, nil
	}
	if n := len(union([]string{j.UserID}, e.Expected)); n > limit {
		return nil, refuse(photon.ReturnSlotError, "joiner and expected users need %d places, the room has %d", n, limit)
	}
	used := r.slots(all)
	if newcomer && (j.UserID == "" || r.findUser(j.UserID) != nil || !slices.Contains(all, j.UserID)) {
		used++ // no place is kept for the joiner
	}
	if used > limit {
		return nil, refuse(photon.ReturnGameFull, "room is full: %d of %d places needed", used, limit)
	}
	return all, nil
}

func (r *Room) newActor(j *Joiner) *actor {
	r.lastNr++
	a := &actor{nr: r.lastNr, userID: j.UserID, session: j.SessionID}
	r.actors = append(r.actors, a)
	return a
}

// enter seats the actor and sends what its client waits for, in the one order
// that clients can read: response, own Join event, cached events
// (loadbalancing-rooms.md 3.5). An actor that comes back keeps its number,
// properties and cached events (3.2).
func (e *Entry) enter(now time.Duration) {
	r, a, j := e.room, e.actor, &e.joiner
	e.stage = entered
	seat := r.activate(a, j.Sink)
	r.loaded = false
	a.nickname, a.session = j.Nickname, j.SessionID
	if len(r.active) == 1 {
		r.set.masterClientID = a.nr
	}
	r.occupied(now)
	r.changed = true
	r.respond(j.Sink, &e.req, append(r.joinResponse(a, j, e.rejoined), e.Extra...))
	if !r.suppressesRoomEvents() && !e.NoJoinEvent {
		params := photon.Params{
			photon.Param(photon.ParamActorNr, a.nr),
			photon.Param(photon.ParamActorList, r.actorList()),
		}
		if e.Broadcast {
			params = append(params, photon.Param(photon.ParamPlayerProperties, r.actorTable(a)))
		}
		r.broadcast(photon.EventJoin, params, reliable, nil)
	}
	if !e.NoCache {
		r.sendCache(a)
	}
	e.done(seat, nil)
	if e.gone {
		r.Disconnected(now, seat, photon.ClientDisconnect, "the client was gone before it was in")
	}
}

// joinResponse is loadbalancing-operations.md 3.8.
func (r *Room) joinResponse(a *actor, j *Joiner, rejoined bool) photon.Params {
	params := photon.Params{photon.Param(photon.ParamActorNr, a.nr)}
	if r.flags&photon.FlagSuppressPlayerInfo == 0 {
		tables := gpbinary.NewHashtable()
		for _, b := range r.actors {
			// A client that comes back may have lost its own properties.
			if b == a && !rejoined || b.unborn() {
				continue
			}
			if t := r.actorTable(b); t.Len() > 0 {
				tables.Set(b.nr, t)
			}
		}
		params = append(params,
			photon.Param(photon.ParamActorList, r.actorList()),
			photon.Param(photon.ParamPlayerProperties, tables))
	}
	params = append(params,
		photon.Param(photon.ParamGameProperties, r.roomTable()),
		photon.Param(photon.ParamRoomOptionFlags, int32(r.flags)),
		photon.Param(photon.ParamPluginName, r.cfg.Plugin),
		photon.Param(photon.ParamPluginVersion, r.cfg.PluginVersion))
	if j.Token != "" {
		params = append(params, photon.Param(photon.ParamToken, j.Token))
	}
	return params
}
