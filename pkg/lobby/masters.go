package lobby

import (
	"iter"

	"github.com/boson-project/boson/pkg/photon"
)

// What follows is for a region with several masters: each has all rooms, and hears
// of the others' clients.

// Free says whether Create would reserve a name: no room has it, or only a saved
// one that is no longer loaded.
func (a *App) Free(name string) bool { return !a.taken(name) }

// Reserves says whether Join would reserve the name, because the room is to be
// created or may be in storage.
func (a *App) Reserves(q JoinRequest) bool {
	if r := a.rooms[q.Name]; r != nil {
		return r.state == kept
	}
	return q.Name != "" && (q.Mode == photon.CreateIfNotExists || a.loads(q.Mode))
}

// loads says whether a join of an unknown room may find it in storage.
func (a *App) loads(mode photon.JoinMode) bool {
	return a.cfg.LoadRooms && mode != photon.CreateIfNotExists && (mode != photon.JoinDefault || a.cfg.LoadOnJoin)
}

// SetClients takes another master's word of how many of its clients are in a
// lobby. They count in statistics, until RemoveMaster. More than
// Config.MaxLobbies lobbies of other masters are not counted.
func (a *App) SetClients(master string, id ID, n int32) {
	at := a.elsewhere[id]
	switch {
	case n > 0 && at == nil:
		if len(a.elsewhere) >= a.cfg.MaxLobbies {
			return
		}
		a.elsewhere[id] = map[string]int32{master: n}
	case n > 0:
		at[master] = n
	default:
		delete(at, master)
		if len(at) == 0 {
			delete(a.elsewhere, id)
		}
	}
}

// Clients iterates over the lobbies that clients of this master are in, and how
// many, in no order.
func (a *App) Clients() iter.Seq2[ID, int32] {
	return func(yield func(ID, int32) bool) {
		for id, l := range a.lobbies {
			if len(l.watches) > 0 && !yield(id, int32(len(l.watches))) {
				return
			}
		}
	}
}

// ClientsIn is the number of this master's clients in a lobby.
func (a *App) ClientsIn(id ID) int32 {
	if l := a.lobbies[id]; l != nil {
		return int32(len(l.watches))
	}
	return 0
}

// removeClients forgets the clients of a master in lobbies.
func (a *App) removeClients(master string) {
	for id := range a.elsewhere {
		a.SetClients(master, id, 0)
	}
}

// clientsElsewhere is the number of other masters' clients in a lobby.
func (a *App) clientsElsewhere(id ID) (n int32) {
	for _, k := range a.elsewhere[id] {
		n += k
	}
	return n
}
