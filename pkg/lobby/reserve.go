package lobby

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// Match is where to send a client.
type Match struct {
	Room  string
	Lobby ID
	// Server is the game server that has the room, or is to create it. It is ""
	// when Reservation is set; and, without Reservation, while the caller that got
	// the room's reservation still looks for a server: then this client has to wait
	// for that caller's Place or Release.
	Server string
	// Reservation, if not 0, says that the room's name was reserved for this
	// request, for Config.ReserveTTL. The caller finds a game server and calls
	// Place, or Release if there is none.
	Reservation uint64
	// Load says that the room, if it exists, is in storage: a game server is to
	// load it. Only with Reservation.
	Load bool
}

// Place names the game server that is to create a reserved room, first or anew.
// It returns false if the reservation is over.
func (a *App) Place(now time.Time, name string, reservation uint64, serverName string) bool {
	a.expire(now)
	r := a.rooms[name]
	if r == nil || reservation == 0 || r.resv.id != reservation {
		return false
	}
	a.unplace(r)
	r.resv.server = serverName
	a.server(serverName).rooms[r] = struct{}{}
	a.update(now, r)
	return true
}

// Release gives a reserved name back: there is no game server for the room, or
// it could not be created or loaded there.
func (a *App) Release(now time.Time, name string, reservation uint64) {
	a.expire(now)
	r := a.rooms[name]
	if r == nil || reservation == 0 || r.resv.id != reservation {
		return
	}
	a.endReservation(r)
	a.unkeep(r)
	a.update(now, r)
}

// endReservation leaves it to the caller to call update.
func (a *App) endReservation(r *room) {
	a.unplace(r)
	r.resv = reservation{}
}

func (a *App) unplace(r *room) {
	if r.resv.server != "" && r.copyOf(r.resv.server) < 0 {
		delete(a.server(r.resv.server).rooms, r)
	}
	r.resv.server = ""
}

// reserve takes a name that is free, or that of a kept room.
func (a *App) reserve(now time.Time, rec *Record, findable bool) *room {
	r := a.room(rec.Name, now.UnixMilli())
	a.reservation++
	r.resv = reservation{id: a.reservation, findable: findable, rec: rec}
	a.reserved.push(now.Add(a.cfg.ReserveTTL), reservedName{r, a.reservation})
	a.update(now, r)
	return r
}

// taken says whether a name is in use. A kept room's is not: it is gone.
func (a *App) taken(name string) bool {
	r := a.rooms[name]
	return r != nil && r.state != kept
}

// newName returns a name for a room that its client left unnamed.
func (a *App) newName() string {
	if a.cfg.NewName != nil {
		return a.cfg.NewName()
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], a.rng.Uint64())
	binary.BigEndian.PutUint64(b[8:], a.rng.Uint64())
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// expectedUsers returns the list without duplicates, empty ids and the user.
func (a *App) expectedUsers(user string, list []string) ([]string, error) {
	if len(list) > a.cfg.MaxExpected {
		return nil, fail(photon.ReturnInvalidOperation, "%d expected users, at most %d", len(list), a.cfg.MaxExpected)
	}
	if len(list) == 0 {
		return nil, nil
	}
	out := slices.Clone(list)
	slices.Sort(out)
	return slices.DeleteFunc(slices.Compact(out), func(id string) bool { return id == "" || id == user }), nil
}

// slotError is for lists of expected users that can never fit
// (loadbalancing-rooms.md 3.3).
func slotError(limit int32, expected []string) error {
	if limit > 0 && 1+len(expected) > int(limit) {
		return fail(photon.ReturnSlotError, "a player and %d expected users, but MaxPlayers is %d", len(expected), limit)
	}
	return nil
}

// wellKnownFrom is the least of the byte keys of well-known room properties.
const wellKnownFrom = photon.PropMaxPlayersInt

func isCustom(key any) bool {
	b, ok := key.(byte)
	return !ok || b < wellKnownFrom
}

// maxPlayers reads the limit from a table of room properties; 243 wins over 255.
func maxPlayers(t *gpbinary.Hashtable) (limit int32, ok bool) {
	for _, key := range [...]byte{photon.PropMaxPlayersInt, photon.PropMaxPlayers} {
		if v, ok := t.Get(key); ok {
			if n, ok := photon.AsInt(v); ok && n == int64(int32(n)) {
				return int32(n), true
			}
		}
	}
	return 0, false
}

// assume returns the record that a reserved room is matched by until its game
// server publishes the true one. options are the room's properties if the
// request has them, filter is what a random join asked for.
func assume(name string, id ID, expected []string, options, filter *gpbinary.Hashtable) *Record {
	rec := &Record{Name: name, Lobby: id, Open: true, Visible: true, Reserved: true, Expected: expected}
	if options.Len() == 0 {
		options = filter
		rec.Properties = gpbinary.NewHashtable()
		for _, p := range filter.Pairs() {
			if isCustom(p.Key) {
				rec.Properties.Set(p.Key, p.Value)
			}
		}
	} else {
		rec.Properties = gpbinary.NewHashtable()
		listed, _ := options.Get(photon.PropPropsListedInLobby)
		keys, _ := photon.AsStrings(listed)
		for _, key := range keys {
			if v, ok := options.Get(key); ok && v != nil {
				rec.Properties.Set(key, v)
			}
		}
		if v, ok := options.Get(photon.PropIsVisible); ok {
			rec.Visible = v != false
		}
		if v, ok := options.Get(photon.PropIsOpen); ok {
			rec.Open = v != false
		}
	}
	rec.MaxPlayers, _ = maxPlayers(options)
	if rec.MaxPlayers == 0 {
		rec.MaxPlayers, _ = maxPlayers(filter)
	}
	return rec
}
