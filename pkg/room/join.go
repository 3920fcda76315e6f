package room

import (
	"slices"
	"time"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// Create makes the room from the options of a CreateGame, or of a JoinGame that
// creates, and lets its creator in as actor 1. It sends the response and the
// Join event. When it fails it has sent the refusal, returns the reason, and the
// room is Done.
func (r *Room) Create(now time.Duration, req *photon.Request, j Joiner) (*Seat, error) {
	seat, err := r.create(now, req, j)
	if err != nil {
		r.end()
		Refuse(j.Sink, req, err)
	}
	return seat, err
}

func (r *Room) create(now time.Duration, req *photon.Request, j Joiner) (*Seat, error) {
	if r.phase != fresh {
		return nil, refuse(photon.ReturnGameIDAlreadyExists, "room %q exists", r.id.Name)
	}
	e, err := r.decodeEntry(req)
	if err != nil {
		return nil, err
	}
	if err := r.checkPlugin(&e); err != nil {
		return nil, err
	}
	c, err := r.decodeCreation(req, &e)
	if err != nil {
		return nil, err
	}
	if err := checkJoiner(&j); err != nil {
		return nil, err
	}
	if limit := c.change.next.maxPlayers; limit > 0 {
		if n := len(union([]string{j.UserID}, c.change.next.expected)); n > int(limit) {
			return nil, refuse(photon.ReturnSlotError, "creator and expected users need %d of %d places", n, limit)
		}
	}
	r.flags = c.flags
	custom, err := r.prepare(&r.props, c.change.custom, req.Protocol == photon.JSON)
	if err != nil {
		return nil, err
	}
	r.apply(c.change, custom)
	own, err := r.prepare(&properties{}, e.pairs, req.Protocol == photon.JSON)
	if err != nil {
		return nil, err
	}
	r.phase = open
	a := r.newActor(&j)
	r.store(&a.props, own)
	return r.enter(now, req, a, &j, &e, false), nil
}

// Join lets a client into the room by the rules of its join mode
// (loadbalancing-rooms.md 3): as a new actor, as an inactive one that comes
// back, or in place of its own old connection. It sends response, Join event and
// cached events. When it fails it has sent the refusal, returns the reason, and
// the room is as it was.
func (r *Room) Join(now time.Duration, req *photon.Request, j Joiner) (*Seat, error) {
	r.Tick(now)
	seat, err := r.join(now, req, j)
	if err != nil {
		if r.loaded {
			r.end()
		}
		Refuse(j.Sink, req, err)
	}
	return seat, err
}

func (r *Room) join(now time.Duration, req *photon.Request, j Joiner) (*Seat, error) {
	if r.phase != open {
		return nil, refuse(photon.ReturnGameDoesNotExist, "room %q does not exist", r.id.Name)
	}
	if req.Code == photon.OpCreateGame && !r.loaded {
		return nil, refuse(photon.ReturnGameIDAlreadyExists, "room %q exists", r.id.Name)
	}
	e, err := r.decodeEntry(req)
	if err != nil {
		return nil, err
	}
	a, err := r.checkJoin(&j, &e)
	if err != nil {
		return nil, err
	}
	if a == nil {
		if err := r.checkNewcomer(); err != nil {
			return nil, err
		}
	}
	expected, err := r.checkPlaces(&j, &e, a == nil)
	if err != nil {
		return nil, err
	}
	rejoined := a != nil
	if !rejoined {
		own, err := r.prepare(&properties{}, e.pairs, req.Protocol == photon.JSON)
		if err != nil {
			return nil, err
		}
		a = r.newActor(&j)
		r.store(&a.props, own)
	}
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
	seat := r.enter(now, req, a, &j, &e, rejoined)
	if added {
		// The joiner has seen the list in its response.
		r.tellRoomProperty(photon.PropExpectedUsers, expected, a)
	}
	return seat, nil
}

func checkJoiner(j *Joiner) error {
	if len(j.UserID) > maxUserID {
		return refuse(photon.ReturnInvalidOperation, "user id of %d bytes, at most %d", len(j.UserID), maxUserID)
	}
	return nil
}

// checkJoin makes the checks up to the user table of loadbalancing-rooms.md 3.2.
// It returns the actor that the joiner comes back to, or nil for a new one.
func (r *Room) checkJoin(j *Joiner, e *entryRequest) (*actor, error) {
	if err := r.checkPlugin(e); err != nil {
		return nil, err
	}
	if err := checkJoiner(j); err != nil {
		return nil, err
	}
	if j.UserID != "" && r.isExcluded(j.UserID) {
		return nil, refuse(photon.ReturnJoinFailedFoundExcludedUserID, "user is excluded from the room")
	}
	rejoins := e.mode == photon.JoinOrRejoin || e.mode == photon.RejoinOnly
	var a *actor
	if rejoins || r.flags&photon.FlagCheckUserOnJoin != 0 {
		a = r.findUser(j.UserID)
	}
	switch {
	case a == nil && e.mode == photon.RejoinOnly:
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
func (r *Room) checkPlaces(j *Joiner, e *entryRequest, newcomer bool) ([]string, error) {
	all := union(r.set.expected, e.expected)
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
	if n := len(union([]string{j.UserID}, e.expected)); n > limit {
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
	a := &actor{nr: r.lastNr, userID: j.UserID}
	r.actors = append(r.actors, a)
	return a
}

// enter seats an actor and sends what its client waits for, in the one order
// that clients can read: response, own Join event, cached events
// (loadbalancing-rooms.md 3.5). An actor that comes back keeps its number,
// properties and cached events (3.2).
func (r *Room) enter(now time.Duration, req *photon.Request, a *actor, j *Joiner, e *entryRequest, rejoined bool) *Seat {
	seat := r.activate(a, j.Sink)
	r.loaded = false
	a.nickname, a.session = j.Nickname, j.SessionID
	if len(r.active) == 1 {
		r.set.masterClientID = a.nr
	}
	r.occupied(now)
	r.changed = true
	r.respond(j.Sink, req, r.joinResponse(a, j, rejoined))
	if !r.suppressesRoomEvents() {
		params := photon.Params{
			photon.Param(photon.ParamActorNr, a.nr),
			photon.Param(photon.ParamActorList, r.actorList()),
		}
		if e.broadcast {
			params = append(params, photon.Param(photon.ParamPlayerProperties, r.actorTable(a)))
		}
		r.broadcast(photon.EventJoin, params, reliable, nil)
	}
	r.sendCache(a)
	return seat
}

// joinResponse is loadbalancing-operations.md 3.8.
func (r *Room) joinResponse(a *actor, j *Joiner, rejoined bool) photon.Params {
	params := photon.Params{photon.Param(photon.ParamActorNr, a.nr)}
	if r.flags&photon.FlagSuppressPlayerInfo == 0 {
		tables := gpbinary.NewHashtable()
		for _, b := range r.actors {
			// A client that comes back may have lost its own properties.
			if b == a && !rejoined {
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
