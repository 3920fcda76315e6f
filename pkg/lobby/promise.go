package lobby

import (
	"slices"
	"time"
)

// promise is a slot that is held for a user who is on the way to a room, or
// whom somebody on the way expects (loadbalancing-matchmaking.md 4.2).
type promise struct {
	until    time.Time
	expected bool // noted as an expected user
}

type promisedSlot struct {
	room *room
	user string
}

// heading notes that a user was sent to a room: friends see it there, and a
// slot promised elsewhere is free again.
func (a *App) heading(now time.Time, r *room, id string) {
	if id == "" {
		return
	}
	u := a.user(id)
	if u.heading != nil && u.heading != r {
		a.dropPromise(u.heading, id)
	}
	u.heading, u.headingUntil = r, now.Add(a.cfg.JoinTTL)
	a.promised.push(u.headingUntil, promisedSlot{r, id})
}

// Returned tells that a user has come to the master anew: it is not on its way any
// more, and has not arrived or has left already. Its slot is free again. Without
// that one who enters and leaves between two words of the game server would hold
// it until Config.JoinTTL is over, and friends would see it there.
func (a *App) Returned(now time.Time, id string) {
	a.expire(now)
	u := a.users[id]
	if u == nil || u.heading == nil {
		return
	}
	a.dropPromise(u.heading, id)
	u.heading = nil
	a.tidy(now, u)
}

// hold promises a slot. Rooms without a limit have no need of it.
func (a *App) hold(now time.Time, r *room, id string, expected bool) {
	if id == "" || r.rec.MaxPlayers <= 0 || r.isActor(id) || expected && slices.Contains(r.rec.Expected, id) {
		return
	}
	if !r.counted(id) {
		r.used++
	}
	if r.promises == nil {
		r.promises = make(map[string]promise)
	}
	p := promise{until: now.Add(a.cfg.JoinTTL), expected: expected}
	r.promises[id] = p
	a.promised.push(p.until, promisedSlot{r, id})
}

// dropPromise takes back what heading and hold gave. Slots of expected users stay.
func (a *App) dropPromise(r *room, id string) {
	if p, ok := r.promises[id]; ok && !p.expected {
		a.unhold(r, id)
	}
}

func (a *App) unhold(r *room, id string) {
	delete(r.promises, id)
	if len(r.promises) == 0 {
		r.promises = nil
	}
	if !r.counted(id) {
		r.used--
	}
}

func (a *App) expirePromise(now time.Time, s promisedSlot) {
	r := s.room
	if p, ok := r.promises[s.user]; ok && !p.until.After(now) {
		a.unhold(r, s.user)
	}
	if u := a.users[s.user]; u != nil && u.heading == r && !u.headingUntil.After(now) {
		u.heading = nil
		a.tidy(now, u)
	}
}

// settlePromises lets go of promises that a new record fulfils, and counts the
// slots anew: actors, and users who are not in the room but expected or promised.
func (a *App) settlePromises(r *room) {
	r.used = int(r.rec.Players)
	if r.rec.MaxPlayers <= 0 {
		r.promises = nil
		return
	}
	if len(r.rec.Expected) == 0 && len(r.promises) == 0 {
		return
	}
	seen := a.scratch
	clear(seen)
	for _, id := range r.rec.Users {
		seen[id] = true
		delete(r.promises, id)
	}
	for _, id := range r.rec.Expected {
		if !seen[id] {
			seen[id] = true
			r.used++
		}
	}
	for id, p := range r.promises {
		if !seen[id] {
			r.used++
		} else if p.expected {
			delete(r.promises, id)
		}
	}
	if len(r.promises) == 0 {
		r.promises = nil
	}
}
