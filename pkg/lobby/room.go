package lobby

import (
	"slices"
	"time"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/lobby/sqlfilter"
)

// state is where a room is in its life, as far as a master knows.
type state uint8

const (
	reserved state = iota // a name, handed out by this master or another
	live                  // confirmed by its game server
	kept                  // saved and gone from its game server; AsyncRandom lobbies only
)

// class orders the rooms that clients may learn of (loadbalancing-matchmaking.md 3).
type class uint8

const (
	hidden class = iota // neither listed nor matched
	open                // has room for another player
	full                // counting active and inactive actors
	closed
)

// room is what an App knows of one room name.
type room struct {
	name  string
	order order

	// Where the knowledge comes from. copies are the records of game servers, the
	// valid one first; there is more than one only after a partition.
	copies    []published
	duplicate bool // more than one copy is open
	resv      reservation
	kept      *Record
	keptUntil time.Time

	// What update made of it. rec is what matching and lists go by.
	rec    *Record
	state  state
	server string
	lobby  *lobby
	class  class

	promises map[string]promise // by user id; nil when empty
	used     int                // slots taken, when rec.MaxPlayers > 0

	keys    []indexKey     // under which lobby.index has it
	columns *sqlfilter.Row // in SQL lobbies
	sorted  bool           // it is in lobby.sorted
	listing *listing       // while it is listed

	row  *gpbinary.Hashtable // its entry in lists; nil when it must be made anew
	size int                 // approximate bytes of row

	users, inactive []string // entered in App.users
}

// published is a game server's record of a room.
type published struct {
	server string
	rec    *Record
}

// reservation is a name that this master handed out.
type reservation struct {
	id       uint64 // 0: none
	user     string // who asked for it
	server   string // "" while the caller looks for one
	findable bool   // random joins may find the room already
	rec      *Record
}

// keptRoom is an entry of App.kept; it is void if the room is kept until
// another time.
type keptRoom struct {
	room  *room
	until time.Time
}

type reservedName struct {
	room *room
	id   uint64
}

// effective chooses what counts of the knowledge of a room; nil: nothing is left.
func (r *room) effective() (rec *Record, server string, s state) {
	switch {
	case len(r.copies) > 0 && !r.copies[0].rec.Reserved:
		return r.copies[0].rec, r.copies[0].server, live
	case r.resv.id != 0:
		return r.resv.rec, r.resv.server, reserved
	case len(r.copies) > 0:
		return r.copies[0].rec, r.copies[0].server, reserved
	case r.kept != nil:
		return r.kept, "", kept
	}
	return nil, "", reserved
}

// update brings lists, indexes, counts and users up to date with what is known
// of a room, and ends it when nothing is.
func (a *App) update(now time.Time, r *room) {
	defer a.tell(r, r.users)
	rec, server, s := r.effective()
	if rec == nil {
		a.erase(now, r)
		return
	}
	old, wasLive := r.rec, r.rec != nil && r.state == live
	c := a.classify(r, rec, server, s)
	l := a.lobbies[rec.Lobby]
	if l == nil {
		l = newLobby(rec.Lobby)
		a.lobbies[rec.Lobby] = l
	}
	if r.lobby != nil && r.lobby != l {
		a.leaveLobby(now, r)
	}
	if r.lobby == nil {
		r.lobby = l
		l.rooms++
		old = nil
	}
	sameProperties := old != nil && sameTable(old.Properties, rec.Properties)
	sameRow := sameProperties && old.Open == rec.Open && old.Players == rec.Players && old.MaxPlayers == rec.MaxPlayers

	a.count(r, -1)
	moved := r.class != c
	if moved && r.class != hidden {
		l.lists[r.class].remove(r)
	}
	if moved && c != hidden {
		l.lists[c].insert(r)
	}
	r.rec, r.server, r.state, r.class = rec, server, s, c
	a.count(r, +1)

	switch {
	case c != open:
		l.reindex(r, nil)
	case moved || !sameProperties || old.MaxPlayers != rec.MaxPlayers:
		l.reindex(r, appendKeys(nil, rec))
	}
	if l.id.Type == SQL {
		row := r.columns
		if row == nil || !sameProperties || !slices.Equal(old.ByValue, rec.ByValue) || wasLive != (s == live) {
			row = new(sqlfilter.Row)
			l.fillColumns(row, rec, s == live)
		}
		l.setColumns(r, row, c == open)
	}
	if !sameRow {
		r.row = nil
	}
	if !sameProperties {
		r.size = len(r.name) + 40 + approximateSize(rec.Properties)
	}
	switch listed := s == live && c != hidden && l.id.Type == Default; {
	case listed && r.listing == nil:
		a.show(now, r)
	case !listed && r.listing != nil:
		a.hide(now, r)
	case listed && !sameRow:
		a.changed(now, r.listing)
	}
	a.settlePromises(r)
	a.seat(now, r)
}

func (a *App) classify(r *room, rec *Record, server string, s state) class {
	switch s {
	case live:
		if rec.Closing || a.suspended(server) {
			return hidden
		}
	case reserved:
		if !r.resv.findable || r.resv.id == 0 || a.suspended(server) {
			return hidden
		}
	}
	switch {
	case !rec.Visible:
		return hidden
	case !rec.Open:
		return closed
	case rec.MaxPlayers > 0 && rec.Players >= rec.MaxPlayers:
		return full
	}
	return open
}

// count adds or takes away what the room adds to statistics.
func (a *App) count(r *room, sign int) {
	if r.rec == nil || r.state != live {
		return
	}
	active := sign * int(r.rec.Players-r.rec.Inactive)
	a.live += sign
	a.players += active
	r.lobby.live += sign
	r.lobby.players += active
}

// leaveLobby takes a room out of its lobby.
func (a *App) leaveLobby(now time.Time, r *room) {
	l := r.lobby
	if l == nil {
		return
	}
	a.count(r, -1)
	if r.class != hidden {
		l.lists[r.class].remove(r)
	}
	l.reindex(r, nil)
	if r.columns != nil {
		l.setColumns(r, nil, false)
	}
	if r.listing != nil {
		a.hide(now, r)
	}
	r.class, r.rec, r.lobby, r.columns = hidden, nil, nil, nil
	l.rooms--
	a.dropIfIdle(l)
}

// erase ends a room of which nothing is known any more.
func (a *App) erase(now time.Time, r *room) {
	a.leaveLobby(now, r)
	r.copies = nil
	r.promises = nil
	a.seat(now, r)
	if a.rooms[r.name] == r {
		delete(a.rooms, r.name)
	}
}

// room returns the room of a name, a new one that update must be called for if
// there is none.
func (a *App) room(name string, created int64) *room {
	r := a.rooms[name]
	if r == nil {
		a.seq++
		r = &room{name: name, order: order{created, a.seq}}
		a.rooms[name] = r
	}
	return r
}

func sameTable(a, b *gpbinary.Hashtable) bool {
	return a == b || a.Len() == b.Len() && (a.Len() == 0 || gpbinary.Equal(a, b))
}

// approximateSize is about the number of bytes that a value takes in a message.
func approximateSize(v any) int {
	const scalar = 9
	switch x := v.(type) {
	case string:
		return len(x) + 3
	case []byte:
		return len(x) + 3
	case []bool:
		return len(x) + 3
	case []int16:
		return 2*len(x) + 3
	case []int32:
		return 5*len(x) + 3
	case []int64:
		return scalar*len(x) + 3
	case []float32:
		return 4*len(x) + 3
	case []float64:
		return 8*len(x) + 3
	case []string:
		return sizeOfAll(x)
	case gpbinary.ObjectArray:
		return sizeOfAll(x)
	case *gpbinary.ArrayArray:
		return sizeOfAll(x.Items)
	case *gpbinary.Hashtable:
		n := 3
		for _, p := range x.Pairs() {
			n += approximateSize(p.Key) + approximateSize(p.Value)
		}
		return n
	case []*gpbinary.Hashtable:
		return sizeOfAll(x)
	case *gpbinary.Dictionary:
		n := 5
		for _, p := range x.Pairs {
			n += approximateSize(p.Key) + approximateSize(p.Value)
		}
		return n
	case *gpbinary.DictionaryArray:
		return sizeOfAll(x.Items)
	case gpbinary.Custom:
		return len(x.Data) + 4
	case *gpbinary.CustomArray:
		return sizeOfAll(x.Items)
	case gpbinary.Raw:
		return len(x.Bytes)
	}
	return scalar
}

func sizeOfAll[T any](items []T) int {
	n := 3
	for _, v := range items {
		n += approximateSize(v)
	}
	return n
}

// counted says whether the user takes one of the slots counted already.
func (r *room) counted(user string) bool {
	_, promised := r.promises[user]
	return promised || r.isActor(user) || slices.Contains(r.rec.Expected, user)
}

func (r *room) isActor(user string) bool { return slices.Contains(r.rec.Users, user) }

// fits says whether a user and those it expects find slots, together with all
// who are counted already (loadbalancing-rooms.md 3.3). expected has neither
// duplicates nor the user itself.
func (r *room) fits(user string, expected []string) bool {
	limit := int(r.rec.MaxPlayers)
	if limit <= 0 || r.used+1+len(expected) <= limit {
		return true
	}
	need := 0
	if !r.counted(user) {
		need++
	}
	for _, e := range expected {
		if !r.counted(e) {
			need++
		}
	}
	// Over-full rooms happen (MaxPlayers lowered); those who have a slot keep it.
	return need == 0 || r.used+need <= limit
}
