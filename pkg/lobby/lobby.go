package lobby

import (
	"github.com/boson-project/boson/pkg/lobby/sqlfilter"
	"github.com/boson-project/boson/pkg/photon"
)

// lobby is the rooms and watchers of one lobby. It exists while it has either.
type lobby struct {
	id    ID
	rooms int // of all states
	// live and players are counts for statistics.
	live, players int

	// lists holds the rooms of each class but hidden. open is where random joins
	// look; it has reserved and kept rooms too.
	lists  [closed + 1]roomList
	index  map[indexKey]*roomList // open rooms
	sorted []columnList           // open rooms of SQL lobbies, one per column
	// columns are the types that SQL columns are locked to.
	columns [sqlfilter.Columns]sqlfilter.Kind
	// last is the room that SerialMatching chose last.
	last order

	// What watch.go needs.
	watches  []*watch // in the order in which they joined
	listings map[string]*listing
	shown    int        // listings that have a room
	dirty    []*listing // changed since they were last told
	clock    uint64     // counts what happens to watchers and listings
	changes  uint64     // counts changes of listings
	flushes  uint64
	initial  *initialList // the last one made, if it can still be right
}

func newLobby(id ID) *lobby {
	l := &lobby{id: id, index: make(map[indexKey]*roomList), listings: make(map[string]*listing)}
	if id.Type == SQL {
		l.sorted = make([]columnList, sqlfilter.Columns)
		for i := range l.sorted {
			l.sorted[i].column = i
		}
	}
	return l
}

// maxName is the longest name of a lobby in bytes: that of rooms
// (loadbalancing.md 10).
const maxName = 256

// ParseID returns the lobby that a request names by parameters 213 and 212. A
// lobby without a name is the default lobby, whatever type is given
// (loadbalancing-matchmaking.md 1). Names are bounded because statistics tell all of
// them to everybody who asks.
func ParseID(name string, typ byte) (ID, error) {
	if name == "" {
		return ID{}, nil
	}
	if len(name) > maxName {
		return ID{}, fail(photon.ReturnInvalidOperation, "the lobby's name has %d bytes, at most %d", len(name), maxName)
	}
	switch t := Type(typ); t {
	case Default, SQL, AsyncRandom:
		return ID{name, t}, nil
	}
	return ID{}, fail(photon.ReturnInvalidOperation, "lobby type %d is unknown", typ)
}

// CheckLobby says whether a lobby exists or may come to be. The default lobby always
// may: those who invent names must not shut out who has none.
func (a *App) CheckLobby(id ID) error {
	if id != (ID{}) && a.lobbies[id] == nil && len(a.lobbies) >= a.cfg.MaxLobbies {
		return fail(photon.ReturnInvalidOperation, "there are %d lobbies, and no more are allowed", len(a.lobbies))
	}
	return nil
}

// HasRooms says whether a lobby has rooms of any kind, also such as nobody can join.
func (a *App) HasRooms(id ID) bool {
	l := a.lobbies[id]
	return l != nil && l.rooms > 0
}

// Unconfirmed says whether a lobby has rooms of which no game server has told:
// their creators are on the way, or they are kept in storage.
func (a *App) Unconfirmed(id ID) bool {
	l := a.lobbies[id]
	return l != nil && l.rooms > l.live
}

// dropIfIdle ends a lobby without rooms and watchers.
func (a *App) dropIfIdle(l *lobby) {
	if l.rooms == 0 && len(l.watches) == 0 && a.lobbies[l.id] == l {
		delete(a.lobbies, l.id)
	}
}
