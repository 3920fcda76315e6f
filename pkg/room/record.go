package room

import (
	"slices"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/lobby"
	"github.com/boson-project/boson/pkg/photon"
)

// Changed returns what the room publishes to masters (loadbalancing-matchmaking.md
// 2), if that has changed since the last call, and nil otherwise. Ask after each
// batch of work: most changes of a room don't show outside.
func (r *Room) Changed() *lobby.Record {
	if !r.changed {
		return nil
	}
	r.changed = false
	return r.Record()
}

// Record describes the room as it is now.
func (r *Room) Record() *lobby.Record {
	rec := &lobby.Record{
		App: r.id.App, Name: r.id.Name, Lobby: r.id.Lobby,
		Open: r.set.open && !r.cacheFull && r.phase != ending, Visible: r.set.visible, Closing: r.phase == done,
		CheckUser: r.flags&photon.FlagCheckUserOnJoin != 0, MaxPlayers: r.set.maxPlayers,
		Players: int32(len(r.actors)), Inactive: int32(r.Inactive()),
		Expected: slices.Clone(r.set.expected), Excluded: r.excludedIDs(),
		Created: r.id.Created, Incarnation: r.id.Incarnation, Plugin: r.cfg.Plugin, Persistent: r.cfg.Persistent,
	}
	for _, a := range r.actors {
		if a.userID == "" {
			continue
		}
		rec.Users = append(rec.Users, a.userID)
		rec.Sessions = append(rec.Sessions, lobby.Session(a.session))
		if !a.active() && !a.unborn() {
			rec.InactiveUsers = append(rec.InactiveUsers, a.userID)
		}
	}
	var shown []gpbinary.Pair
	for _, key := range r.set.listed {
		if v, ok := r.props.get(key); ok && v != nil {
			shown = append(shown, gpbinary.Pair{Key: key, Value: v})
			if r.props.meta[key].json {
				rec.ByValue = append(rec.ByValue, key)
			}
		}
	}
	if len(shown) > 0 {
		rec.Properties = gpbinary.NewHashtable(shown...)
	}
	return rec
}
