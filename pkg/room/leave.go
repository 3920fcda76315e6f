package room

import (
	"slices"
	"time"

	"github.com/boson-project/boson/pkg/photon"
)

// leave is operation 254. The client waits for the response whatever it says
// (loadbalancing.md 3.8).
func (r *Room) leave(now time.Duration, a *actor, req *photon.Request) error {
	comesBack, _, err := req.Bool(photon.ParamIsInactive)
	if err != nil {
		return err
	}
	r.respond(a.seat.sink, req, nil)
	r.depart(now, a, comesBack)
	return nil
}

// Disconnected says that the seat's connection is gone without a Leave. The
// actor stays inactive if the room has a PlayerTTL (loadbalancing-rooms.md 5.1).
// A seat that is over, because its client left or came back on another
// connection, is ignored.
func (r *Room) Disconnected(now time.Duration, s *Seat) {
	if s != nil && s.actor != nil && r.phase == open {
		r.depart(now, s.actor, true)
	}
}

// Remove takes an actor out for good, active or inactive, and disconnects it
// with code and text. With exclude its user can't enter this room again. It
// returns false if there is no such actor.
func (r *Room) Remove(now time.Duration, actorNr int32, exclude bool, code photon.ReturnCode, text string) bool {
	a := r.find(actorNr)
	if a == nil || r.phase != open {
		return false
	}
	if exclude && a.userID != "" && !r.isExcluded(a.userID) {
		r.excluded = append(r.excluded, ExcludedUser{UserID: a.userID})
	}
	if a.active() {
		sink := a.seat.sink
		defer sink.Disconnect(code, text)
	}
	r.depart(now, a, false)
	return true
}

// depart makes an actor inactive, if it may come back, or removes it
// (loadbalancing-rooms.md 5.2).
func (r *Room) depart(now time.Duration, a *actor, comesBack bool) {
	r.unseat(a)
	inactive := comesBack && r.set.playerTTL != 0
	if inactive {
		a.inactive = now
	} else {
		r.remove(a)
	}
	r.changed = true
	r.tellLeave(a.nr, inactive, r.electMaster(a.nr))
	r.occupied(now)
}

// remove takes an inactive actor out of the room's state.
func (r *Room) remove(a *actor) {
	if i, ok := slices.BinarySearchFunc(r.actors, a.nr, byNumber); ok {
		r.actors = slices.Delete(r.actors, i, i+1)
	}
	r.bytes -= a.props.bytes
	if r.flags&photon.FlagDeleteCacheOnLeave != 0 {
		r.cache.removeOwner(a.nr)
	}
	r.changed = true
}

// electMaster makes the lowest active actor the master client after the one that
// left was it. It returns the new master client, or 0 if nothing changed
// (loadbalancing-rooms.md 5.3).
func (r *Room) electMaster(left int32) int32 {
	if r.set.masterClientID != left {
		return 0
	}
	r.set.masterClientID = 0
	if len(r.active) > 0 {
		r.set.masterClientID = r.active[0].nr
	}
	return r.set.masterClientID
}

// tellLeave sends the Leave event to the active actors. Where room events are
// suppressed, they must still learn of a new master client.
func (r *Room) tellLeave(nr int32, inactive bool, newMaster int32) {
	if len(r.active) == 0 {
		return
	}
	if r.suppressesRoomEvents() {
		if newMaster != 0 {
			r.tellRoomProperty(photon.PropMasterClientID, newMaster, nil)
		}
		return
	}
	params := photon.Params{
		photon.Param(photon.ParamActorNr, nr),
		photon.Param(photon.ParamActorList, r.actorList()),
		photon.Param(photon.ParamIsInactive, inactive),
	}
	if newMaster != 0 {
		params = append(params, photon.Param(photon.ParamMasterClientID, newMaster))
	}
	r.broadcast(photon.EventLeave, params, reliable, nil)
}
