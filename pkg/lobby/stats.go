package lobby

import (
	"cmp"
	"slices"
)

// LobbyStats is a lobby's counts (loadbalancing-matchmaking.md 7.2).
type LobbyStats struct {
	ID      ID
	Players int32 // clients in the lobby, at any master, and active actors in its rooms
	Rooms   int32 // confirmed by game servers
}

// LobbyStats returns the counts of one lobby, zeros for an unknown one.
func (a *App) LobbyStats(id ID) LobbyStats {
	s := LobbyStats{ID: id, Players: a.clientsElsewhere(id)}
	if l := a.lobbies[id]; l != nil {
		s.Players += int32(l.players + len(l.watches))
		s.Rooms = int32(l.live)
	}
	return s
}

// AllLobbyStats returns the counts of the default lobby, which is always there,
// and of all lobbies with rooms or players, by name and type. Config.StatsLimit
// leaves out the emptier ones.
func (a *App) AllLobbyStats() []LobbyStats {
	out := make([]LobbyStats, 0, len(a.lobbies)+1)
	add := func(id ID) {
		if s := a.LobbyStats(id); id != (ID{}) && s.Players+s.Rooms > 0 {
			out = append(out, s)
		}
	}
	for id := range a.lobbies {
		add(id)
	}
	for id := range a.elsewhere {
		if a.lobbies[id] == nil {
			add(id)
		}
	}
	byID := func(x, y LobbyStats) int {
		return cmp.Or(cmp.Compare(x.ID.Name, y.ID.Name), cmp.Compare(x.ID.Type, y.ID.Type))
	}
	if limit := a.cfg.StatsLimit; limit > 0 && len(out) >= limit {
		slices.SortFunc(out, func(x, y LobbyStats) int {
			return cmp.Or(cmp.Compare(y.Players, x.Players), cmp.Compare(y.Rooms, x.Rooms), byID(x, y))
		})
		out = out[:limit-1]
	}
	slices.SortFunc(out, byID)
	return append([]LobbyStats{a.LobbyStats(ID{})}, out...)
}

// Idle says that the application has no rooms, no reserved names and no clients
// on masters: nobody would miss it.
func (a *App) Idle() bool { return len(a.rooms) == 0 && a.peers == 0 && len(a.watches) == 0 }
