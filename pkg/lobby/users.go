package lobby

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/boson-project/boson/pkg/photon"
)

// user is what an App knows of one user id. It exists while there is anything
// to know.
type user struct {
	id    string
	conns int // to masters
	seats []seat
	// heading is the room that the user was sent to, for some seconds.
	heading      *room
	headingUntil time.Time
	// graceUntil keeps a user online between two servers.
	graceUntil time.Time
}

// seat is a user's place in a room. active counts its active actors there.
type seat struct {
	room   *room
	active int
}

func (a *App) user(id string) *user {
	u := a.users[id]
	if u == nil {
		u = &user{id: id}
		a.users[id] = u
	}
	return u
}

// UserConnected tells that a user authenticated on a connection to a master:
// this one, or another whose word came over the link between masters. Every
// call is paired with a UserDisconnected, or a RemoveMaster for all of them.
func (a *App) UserConnected(now time.Time, master, id string) {
	a.expire(now)
	conns := a.masters[master]
	if conns == nil {
		conns = make(map[string]int)
		a.masters[master] = conns
	}
	conns[id]++
	a.user(id).conns++
	a.peers++
}

// UserDisconnected ends what UserConnected began. The user stays online for
// Config.UserGrace, since clients go from server to server. Disconnecting a
// user who is not connected does nothing.
func (a *App) UserDisconnected(now time.Time, master, id string) {
	a.expire(now)
	a.disconnect(now, master, id, 1)
}

// Returning says that a user is on the way between two servers, still in a room
// as far as is known, or has one connection to a master, which may be about to
// end: one who is counted already.
func (a *App) Returning(now time.Time, id string) bool {
	a.expire(now)
	u := a.users[id]
	return u != nil && u.conns <= 1 && u.online(now)
}

func (a *App) disconnect(now time.Time, master, id string, n int) {
	conns := a.masters[master]
	if conns[id] < n {
		return
	}
	if conns[id] -= n; conns[id] == 0 {
		delete(conns, id)
	}
	if len(conns) == 0 {
		delete(a.masters, master)
	}
	u := a.users[id]
	u.conns -= n
	a.peers -= n
	a.grace(now, u)
}

// RemoveMaster disconnects all users of a master that is gone, and takes them out
// of the lobbies' counts.
func (a *App) RemoveMaster(now time.Time, master string) {
	a.expire(now)
	a.removeClients(master)
	for id, n := range a.masters[master] {
		a.disconnect(now, master, id, n)
	}
}

// grace keeps a user online for a while if nothing else does.
func (a *App) grace(now time.Time, u *user) {
	if u.conns > 0 || u.isActive() {
		return
	}
	u.graceUntil = now.Add(a.cfg.UserGrace)
	a.graced.push(u.graceUntil, u)
}

// tidy forgets a user of whom there is nothing left to know.
func (a *App) tidy(now time.Time, u *user) {
	if u.conns == 0 && len(u.seats) == 0 && u.heading == nil && !u.graceUntil.After(now) && a.users[u.id] == u {
		delete(a.users, u.id)
	}
}

// Session is the short form of a token's session id. A client keeps its session
// when it goes from server to server, so one that is on a master is in no room,
// whatever a record that is on its way still says.
func Session(id [16]byte) uint64 { return binary.BigEndian.Uint64(id[:]) }

// Seated says that a user is active in some room by another session than this. It
// may be one that has ended a moment ago, of a client that came by a new login:
// whoever asks for such a user should wait a little, see AwaitUser.
func (a *App) Seated(id string, session uint64) bool {
	u := a.users[id]
	return u != nil && slices.ContainsFunc(u.seats, func(s seat) bool {
		return s.active > 0 && s.room.rec != nil && s.room.activeBy(id, session)
	})
}

// Lone says that a user is the only active player of some room. If this is a client
// that has just come from there, the room may have ended: random joins do not lead
// there, and who wants one should wait a little, see AwaitUser.
func (a *App) Lone(id string) bool {
	u := a.users[id]
	return u != nil && slices.ContainsFunc(u.seats, func(s seat) bool { return s.active > 0 && s.room.lone() })
}

// lone says that a room has one active player.
func (r *room) lone() bool { return r.rec != nil && r.rec.Players-r.rec.Inactive == 1 }

// activeBy says whether a user is active in a room by another session than this.
func (r *room) activeBy(user string, session uint64) bool {
	inactive := slices.Contains(r.rec.InactiveUsers, user)
	for i, id := range r.rec.Users {
		if id == user && !inactive && (i >= len(r.rec.Sessions) || r.rec.Sessions[i] != session) {
			return true
		}
	}
	return false
}

// waitsFor says whether a user is inactive in a room.
func (r *room) waitsFor(user string) bool { return slices.Contains(r.rec.InactiveUsers, user) }

// Ending says that a room is about to end, or may have ended without a master's
// knowing: nobody but this user is in it, or was sent to create it. See AwaitRoom.
func (a *App) Ending(id, name string) bool {
	r := a.rooms[name]
	switch {
	case r == nil:
		return false
	case r.state == reserved:
		return r.resv.id != 0 && r.resv.user == id
	}
	return r.state == live && (r.rec.Closing || r.rec.Players == 1 && a.users[id].activeIn(r))
}

// activeIn is false for a nil user.
func (u *user) activeIn(r *room) bool {
	return u != nil && slices.ContainsFunc(u.seats, func(s seat) bool { return s.room == r && s.active > 0 })
}

func (u *user) isActive() bool {
	return slices.ContainsFunc(u.seats, func(s seat) bool { return s.active > 0 })
}

func (u *user) online(now time.Time) bool {
	return u.conns > 0 || u.isActive() || u.heading != nil || u.graceUntil.After(now)
}

// seat enters the users of a room's record, in place of those of the last one.
func (a *App) seat(now time.Time, r *room) {
	var users, inactive []string
	if r.rec != nil {
		users, inactive = r.rec.Users, r.rec.InactiveUsers
		if r.state != live {
			inactive = users
		}
	}
	if slices.Equal(users, r.users) && slices.Equal(inactive, r.inactive) {
		return
	}
	// Those who leave for good change servers now and stay online meanwhile. Those
	// who become inactive are offline.
	var left []*user
	for _, id := range r.users {
		u := a.users[id]
		if i := u.seatIn(r); i >= 0 {
			if u.seats[i].active > 0 {
				left = append(left, u)
			}
			u.seats = slices.Delete(u.seats, i, i+1)
		}
	}
	before := r.users
	r.users, r.inactive = users, inactive
	for _, id := range users {
		a.user(id).take(r, +1)
	}
	for _, id := range inactive {
		if u := a.users[id]; u != nil {
			u.take(r, -1)
		}
	}
	for _, id := range users {
		if u := a.users[id]; u.isActive() {
			u.graceUntil = time.Time{}
			if u.heading == r {
				u.heading = nil
			}
		}
	}
	for _, u := range left {
		if u.seatIn(r) < 0 {
			a.grace(now, u)
		}
	}
	for _, id := range before {
		if u := a.users[id]; u != nil {
			a.tidy(now, u)
		}
	}
}

func (u *user) seatIn(r *room) int {
	return slices.IndexFunc(u.seats, func(s seat) bool { return s.room == r })
}

// take adds to the actors that a user has in a room. It makes no seat for a
// user who is only inactive: those are among the room's users as well.
func (u *user) take(r *room, n int) {
	if i := u.seatIn(r); i >= 0 {
		u.seats[i].active += n
	} else if n > 0 {
		u.seats = append(u.seats, seat{r, n})
	}
}

// FindFriends tells of each user whether it is online and in which room, ""
// if in none or if the options hide it (loadbalancing-matchmaking.md 6.2).
// Both slices are as long as ids. Code: InvalidOperation for too many ids.
func (a *App) FindFriends(now time.Time, ids []string, options photon.FindFriendsOptions) (online []bool, rooms []string, err error) {
	a.expire(now)
	if len(ids) > a.cfg.MaxFriends {
		return nil, nil, fail(photon.ReturnInvalidOperation, "%d users, at most %d", len(ids), a.cfg.MaxFriends)
	}
	online, rooms = make([]bool, len(ids)), make([]string, len(ids))
	for i, id := range ids {
		u := a.users[id]
		if u == nil || id == "" {
			continue
		}
		online[i] = u.online(now)
		rooms[i] = u.roomName(options)
	}
	return online, rooms, nil
}

// roomName is where the user is active, or on the way to.
func (u *user) roomName(options photon.FindFriendsOptions) string {
	for _, s := range u.seats {
		if s.active > 0 && s.room.shows(options) {
			return s.room.name
		}
	}
	if u.heading != nil && u.heading.rec != nil && u.heading.shows(options) {
		return u.heading.name
	}
	return ""
}

func (r *room) shows(options photon.FindFriendsOptions) bool {
	return (options&photon.FriendsCreatedOnGs == 0 || r.state == live) &&
		(options&photon.FriendsVisible == 0 || r.rec.Visible) &&
		(options&photon.FriendsOpen == 0 || r.rec.Open)
}
