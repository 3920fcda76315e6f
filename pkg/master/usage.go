package master

import (
	"slices"
	"strings"
	"sync"
)

// usage is what all virtual applications of one AppId have together on this
// master: limits are the AppId's, and clients are free to invent versions.
type usage struct {
	appID string
	apps  int // virtual applications; guarded by Server.mu

	mu             sync.Mutex
	players, rooms int
}

// usage returns the count that a virtual application belongs to. s.mu is held.
func (s *Server) usage(key string) *usage {
	id, _, _ := strings.Cut(key, "\x00")
	u := s.used[id]
	if u == nil {
		u = &usage{appID: id}
		s.used[id] = u
	}
	u.apps++
	return u
}

// endUsage takes a virtual application out of its count. s.mu is held.
func (s *Server) endUsage(a *application) {
	u := a.usage
	u.mu.Lock()
	u.players -= a.players
	u.rooms -= a.rooms
	a.players, a.rooms = 0, 0
	u.mu.Unlock()
	if u.apps--; u.apps == 0 {
		delete(s.used, u.appID)
	}
}

// report brings the count up to date. It runs on the fiber, as do the others.
func (a *application) report() {
	a.usage.mu.Lock()
	defer a.usage.mu.Unlock()
	a.reportLocked()
}

func (a *application) reportLocked() {
	st := a.lobby.Stats()
	players, rooms := int(st.Players+st.Peers), a.lobby.Names()
	a.usage.players += players - a.players
	a.usage.rooms += rooms - a.rooms
	a.players, a.rooms = players, rooms
}

// takePlayer says whether one more player may come, and counts it: the caller
// connects it in the same turn of the fiber.
func (a *application) takePlayer(limit int) bool {
	a.usage.mu.Lock()
	defer a.usage.mu.Unlock()
	a.reportLocked()
	if a.usage.players >= limit {
		return false
	}
	a.usage.players++
	a.players++
	return true
}

// takeRoom says whether the room that was reserved last, which counts already,
// is within the limit of the AppId.
func (a *application) takeRoom(appID string) bool {
	limit := a.server.opt.Auth.Limits(appID).MaxRooms
	if limit == 0 {
		return true
	}
	a.usage.mu.Lock()
	defer a.usage.mu.Unlock()
	a.reportLocked()
	return a.usage.rooms <= limit
}

// Full returns the AppIds that have as many players as they may, so that name
// servers can say so. It may be called from any goroutine.
func (s *Server) Full() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var full []string
	for id, u := range s.used {
		u.mu.Lock()
		if limit := s.opt.Auth.Limits(id).MaxCCU; limit > 0 && u.players >= limit {
			full = append(full, id)
		}
		u.mu.Unlock()
	}
	slices.Sort(full)
	return full
}
