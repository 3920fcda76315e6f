package room

import (
	"slices"
	"time"

	"github.com/boson-project/boson/pkg/photon"
)

// Leave is an actor on its way out. It has no connection any more, as far as the
// room is concerned; what is left to do is to remove it, or to make it inactive,
// and to tell the others.
type Leave struct {
	// Reason and Details say why; Details are for people.
	Reason  photon.LeaveReason
	Details string
	// IsInactive says that the actor stays, as one that may come back.
	IsInactive bool

	room  *Room
	actor *actor
	req   *photon.Request // Leave, if the client asked for it
	sink  Sink            // to answer it
	quiet bool            // nobody knew of the actor: nobody is told
	ended bool
}

// Actor is who leaves.
func (l *Leave) Actor() ActorInfo { return l.room.info(l.actor) }

// Request is the client's operation, nil if it did not ask.
func (l *Leave) Request() *photon.Request { return l.req }

// Continue answers the client, if it asked, and lets the actor go.
func (l *Leave) Continue(now time.Duration) error { return l.end(now, nil) }

// Fail refuses the client's operation. The actor goes all the same: its
// connection can't be kept (plugins.md 4.4).
func (l *Leave) Fail(now time.Duration, err *Error) { _ = l.end(now, err) }

func (l *Leave) end(now time.Duration, refusal *Error) error {
	if l.ended {
		return errGone
	}
	l.ended = true
	r, a := l.room, l.actor
	if l.req != nil {
		if refusal == nil {
			r.respond(l.sink, l.req, nil)
		} else {
			Refuse(l.sink, l.req, refusal)
		}
	}
	if a.leaving != l {
		return errGone // it came back meanwhile, or left for good in another way
	}
	a.leaving = nil
	if r.phase != open || r.find(a.nr) != a {
		return errGone
	}
	if !l.IsInactive {
		r.remove(a)
	}
	r.changed = true
	if !l.quiet {
		r.tellLeave(a.nr, l.IsInactive, r.electMaster(a.nr))
	}
	r.occupied(now)
	return nil
}

// leave is operation 254. The client waits for the response whatever it says
// (loadbalancing.md 3.8).
func (r *Room) leave(now time.Duration, a *actor, req *photon.Request) error {
	comesBack, _, err := req.Bool(photon.ParamIsInactive)
	if err != nil {
		return err
	}
	own := *req // the caller's may not outlive the call
	r.depart(now, a, &Leave{Reason: photon.LeaveRequest, IsInactive: comesBack && r.set.playerTTL != 0, req: &own, sink: a.seat.sink})
	return nil
}

// Disconnected says that the seat's connection is gone without a Leave. The
// actor stays inactive if the room has a PlayerTTL (loadbalancing-rooms.md 5.1).
// A seat that is over, because its client left or came back on another
// connection, is ignored.
func (r *Room) Disconnected(now time.Duration, s *Seat, reason photon.LeaveReason, details string) {
	if s == nil || s.actor == nil || r.phase != open {
		return
	}
	stays := r.set.playerTTL != 0 && reason != photon.PeerLastTouchTimedOut
	r.depart(now, s.actor, &Leave{Reason: reason, Details: details, IsInactive: stays})
}

// Removal says how Remove takes an actor out.
type Removal struct {
	// Exclude keeps the user out of this room from now on; Reason is what the list
	// of the excluded says (plugins.md 7.4).
	Exclude bool
	Reason  byte
	// Leave is what the plugin hears; 0 is PluginRequest.
	Leave photon.LeaveReason
	// Code and Text are what the client is told.
	Code photon.ReturnCode
	Text string
}

// Remove takes an actor out for good, active or inactive, and disconnects it. One
// that is leaving already, while the plugin is asked about it, does not come back:
// the plugin is not asked again. It returns false if there is no such actor.
func (r *Room) Remove(now time.Duration, actorNr int32, how Removal) bool {
	a := r.find(actorNr)
	if a == nil || a.joining || r.phase != open {
		return false
	}
	if how.Exclude {
		r.Exclude(a.userID, how.Reason)
	}
	if how.Leave == 0 {
		how.Leave = photon.PluginRequest
	}
	if a.leaving != nil {
		a.leaving.IsInactive = false
		return true
	}
	if a.active() {
		sink := a.seat.sink
		defer sink.Disconnect(how.Code, how.Text)
	}
	r.depart(now, a, &Leave{Reason: how.Leave, Details: how.Text})
	return true
}

// Exclude keeps a user out of this room from now on, who need not be in it. The
// reason is what the list of the excluded says (plugins.md 7.4).
func (r *Room) Exclude(userID string, reason byte) {
	if userID == "" || r.isExcluded(userID) {
		return
	}
	r.excluded = append(r.excluded, ExcludedUser{UserID: userID, Reason: reason})
	r.changed = true
}

// depart begins to take an actor out (loadbalancing-rooms.md 5.2).
func (r *Room) depart(now time.Duration, a *actor, l *Leave) {
	l.room, l.actor = r, a
	if a.active() {
		a.inactive = now
	}
	r.unseat(a)
	a.leaving = l
	if r.hooks != nil {
		r.changed = true
		r.hooks.Leave(now, l)
		return
	}
	_ = l.Continue(now)
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
