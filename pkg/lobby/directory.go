package lobby

import (
	"cmp"
	"iter"
	"slices"
	"time"
)

// server is what an App knows of a game server.
type server struct {
	rooms     map[*room]struct{}
	suspended bool
}

func (a *App) suspended(name string) bool {
	s := a.servers[name]
	return s != nil && s.suspended
}

func (a *App) server(name string) *server {
	s := a.servers[name]
	if s == nil {
		s = &server{rooms: make(map[*room]struct{})}
		a.servers[name] = s
	}
	return s
}

// Upsert takes a game server's record of a room, new or changed. Of several
// game servers with a room of the same name the one with the oldest room, then
// the least name, counts (cluster.md 14.3).
func (a *App) Upsert(now time.Time, serverName string, rec *Record) {
	a.expire(now)
	s := a.server(serverName)
	r := a.rooms[rec.Name]
	if r != nil {
		if i := r.copyOf(serverName); i >= 0 {
			if old := r.copies[i].rec; !old.Reserved && !rec.Reserved && old.Incarnation != rec.Incarnation {
				// Another room of the same name: it is not as old as the first.
				a.removeCopy(now, serverName, r, i, false)
				r = nil
			}
		}
	}
	if r == nil {
		r = a.room(rec.Name, rec.Created)
	}
	p := published{server: serverName, rec: rec}
	if i := r.copyOf(serverName); i >= 0 {
		r.copies[i] = p
	} else {
		r.copies = append(r.copies, p)
		s.rooms[r] = struct{}{}
	}
	a.sortCopies(r)
	if !r.copies[0].rec.Reserved {
		a.endReservation(r)
		a.unkeep(r)
	}
	a.update(now, r)
}

// sortCopies puts the valid copy first and keeps the number of duplicates.
func (a *App) sortCopies(r *room) {
	slices.SortFunc(r.copies, func(x, y published) int {
		if x.rec.Reserved != y.rec.Reserved {
			if x.rec.Reserved {
				return 1
			}
			return -1
		}
		return cmp.Or(cmp.Compare(x.rec.Created, y.rec.Created), cmp.Compare(x.server, y.server))
	})
	many := len(r.copies) > 1 && !r.copies[1].rec.Reserved
	if many != r.duplicate {
		r.duplicate = many
		if many {
			a.duplicates++
		} else {
			a.duplicates--
		}
	}
}

func (r *room) copyOf(serverName string) int {
	return slices.IndexFunc(r.copies, func(p published) bool { return p.server == serverName })
}

// Remove takes a game server's word that it has no such room any more, or gives
// up one that was only reserved there. A saved room of an AsyncRandom lobby
// stays to be matched (loadbalancing-matchmaking.md 8).
func (a *App) Remove(now time.Time, serverName, name string) {
	a.expire(now)
	r := a.rooms[name]
	if r == nil {
		return
	}
	if i := r.copyOf(serverName); i >= 0 {
		a.removeCopy(now, serverName, r, i, true)
	} else if r.resv.id != 0 && r.resv.server == serverName {
		a.endReservation(r)
		a.unkeep(r)
		a.update(now, r)
	}
}

func (a *App) removeCopy(now time.Time, serverName string, r *room, i int, keep bool) {
	rec := r.copies[i].rec
	r.copies = slices.Delete(r.copies, i, i+1)
	delete(a.server(serverName).rooms, r)
	a.sortCopies(r)
	if r.resv.id != 0 && r.resv.server == serverName {
		a.endReservation(r)
	}
	if keep && len(r.copies) == 0 && r.resv.id == 0 && a.cfg.AsyncTTL > 0 &&
		rec.Lobby.Type == AsyncRandom && rec.Persistent && !rec.Reserved && rec.Players > 0 {
		a.keep(now, r, rec)
	}
	a.update(now, r)
}

// keep holds the record of a saved room. All of its actors are inactive now.
func (a *App) keep(now time.Time, r *room, rec *Record) {
	for a.keptNow >= a.cfg.MaxAsync {
		oldest, ok := a.kept.pop(now.Add(a.cfg.AsyncTTL))
		if !ok {
			break
		}
		a.forgetKept(now, oldest)
	}
	saved := *rec
	saved.Closing = false
	saved.Inactive, saved.InactiveUsers = rec.Players, rec.Users
	r.kept, r.keptUntil = &saved, now.Add(a.cfg.AsyncTTL)
	a.keptNow++
	a.kept.push(r.keptUntil, keptRoom{r, r.keptUntil})
}

func (a *App) unkeep(r *room) {
	if r.kept != nil {
		r.kept = nil
		a.keptNow--
	}
}

func (a *App) forgetKept(now time.Time, k keptRoom) {
	if k.room.kept != nil && k.room.keptUntil.Equal(k.until) {
		a.unkeep(k.room)
		a.update(now, k.room)
	}
}

// RemoveServer takes a game server out, with all of its rooms and reservations.
func (a *App) RemoveServer(now time.Time, serverName string) {
	a.expire(now)
	s := a.servers[serverName]
	if s == nil {
		return
	}
	for r := range s.rooms {
		if i := r.copyOf(serverName); i >= 0 {
			a.removeCopy(now, serverName, r, i, false)
		} else if r.resv.server == serverName {
			a.endReservation(r)
			a.update(now, r)
		}
	}
	delete(a.servers, serverName)
}

// Suspend hides a game server's rooms from lists and random joins while it
// doesn't answer. Their names stay taken, and joins by name find them.
func (a *App) Suspend(now time.Time, serverName string) { a.setSuspended(now, serverName, true) }

// Resume ends Suspend.
func (a *App) Resume(now time.Time, serverName string) { a.setSuspended(now, serverName, false) }

func (a *App) setSuspended(now time.Time, serverName string, on bool) {
	a.expire(now)
	s := a.servers[serverName]
	if s == nil || s.suspended == on {
		return
	}
	s.suspended = on
	for r := range s.rooms {
		a.update(now, r)
	}
}

// Lookup returns where a room is and its record; for a room that is only
// reserved the record is what the reservation assumes, and the server may be "".
func (a *App) Lookup(name string) (serverName string, rec *Record, ok bool) {
	r := a.rooms[name]
	if r == nil {
		return "", nil, false
	}
	return r.server, r.rec, true
}

// Rooms iterates over all rooms and the servers that have them, in no order.
func (a *App) Rooms() iter.Seq2[string, *Record] {
	return func(yield func(string, *Record) bool) {
		for _, r := range a.rooms {
			if !yield(r.server, r.rec) {
				return
			}
		}
	}
}
