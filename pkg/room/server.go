package room

import (
	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// This file is what a room does on the wish of its plugin, not of a client
// (plugins.md 7).

// Emission is an event of the plugin's.
type Emission struct {
	Raised
	// Sender is parameter 254 and the owner of what is cached; 0 is the room.
	Sender int32
	// Params, if not nil, are all of the event's parameters, in place of content
	// and sender.
	Params   photon.Params
	Delivery photon.Delivery
}

// Emit sends and caches an event. Receivers that are not there are left out.
func (r *Room) Emit(e *Emission) error {
	if r.phase != open && r.phase != ending {
		return refuse(photon.ReturnOperationNotAllowedInCurrentState, "the room is not open")
	}
	from := source{nr: e.Sender, delivery: e.Delivery}
	if e.Sender != 0 {
		if from.actor = r.find(e.Sender); from.actor == nil || from.actor.unborn() {
			return refuse(photon.ReturnInvalidOperation, "sender %d is not in the room", e.Sender)
		}
	}
	if err := r.checkEmission(&e.Raised); err != nil {
		return err
	}
	r.out.params = e.Params
	err := r.applyRaiseEvent(from, &e.Raised)
	r.out = outgoing{}
	return err
}

// checkEmission is what a plugin's event must be; it may have any code.
func (r *Room) checkEmission(ev *Raised) error {
	if !sends(ev.Caching) {
		return photon.BadParam(photon.ParamCache, "is %d: use a cache operation", ev.Caching)
	}
	return checkCaching(ev, &r.cache)
}

// ChangeCache changes the event cache without relaying anything: it stores the
// event as if the owner had raised it, or does what the caching option says.
func (r *Room) ChangeCache(owner int32, ev *Raised) error {
	if r.phase != open && r.phase != ending {
		return refuse(photon.ReturnOperationNotAllowedInCurrentState, "the room is not open")
	}
	if owner != 0 && r.find(owner) == nil {
		return refuse(photon.ReturnInvalidOperation, "owner %d is not in the room", owner)
	}
	if err := checkCaching(ev, &r.cache); err != nil {
		return err
	}
	if !sends(ev.Caching) {
		return r.changeCache(ev)
	}
	if ev.Caching == photon.DoNotCache {
		return photon.BadParam(photon.ParamCache, "is 0, which does nothing")
	}
	cached, err := r.cacheEvent(source{nr: owner}, ev)
	if err == nil && cached == cacheOverflow {
		r.cacheOverflowed()
		return refuse(photon.ReturnOperationLimitReached, "the event cache is full")
	}
	return err
}

// Set changes properties of the room or an actor. tell sends PropertiesChanged
// to all active actors.
func (r *Room) Set(set *PropertiesRequest) error {
	if r.phase != open {
		return refuse(photon.ReturnOperationNotAllowedInCurrentState, "the room is not open")
	}
	c, err := r.checkProperties(set)
	if err != nil {
		return err
	}
	r.tellProperties(0, set, r.applyProperties(c), reliable, nil)
	return nil
}

// Properties are the room's: well-known ones, then custom ones.
func (r *Room) Properties() *gpbinary.Hashtable { return r.roomTable() }

// LobbyProperties are the custom properties that lobbies see.
func (r *Room) LobbyProperties() []gpbinary.Pair { return r.lobbyTable().table.Pairs() }

// MasterClientID is the master client's actor number, or 0.
func (r *Room) MasterClientID() int32 { return r.set.masterClientID }

// Plugin is the name of the room's plugin.
func (r *Room) Plugin() string { return r.cfg.Plugin }

// Inactive is the number of inactive actors.
func (r *Room) Inactive() int {
	n := 0
	for _, a := range r.actors {
		if !a.active() && !a.unborn() {
			n++
		}
	}
	return n
}
