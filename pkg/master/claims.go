package master

import (
	"time"

	"github.com/boson-project/boson/pkg/s2s"
)

// With several masters a name is given away like this (docs/architecture.md):
//
// One of them decides, mostly the name's owner by rendezvous hashing, which the
// others ask: it reserves the name in its lobby, chooses a game server and, while
// it asks that, claims the name at all other masters. Only when all agreed does
// the client hear of it. Who agreed to a claim sends clients to its game server
// and gives the name to nobody else until the room is there, or the claim is
// released or over: also when the master that made it is lost meanwhile. So a
// name goes to one game server, whoever decides, and a game server has one room
// of a name. Of two claims at once the one of the name's owner goes before.

// claimTTL is how long a claim stands: as long as the lobby reserves the name.
const claimTTL = 15 * time.Second

// claim is a name that was given away, and whose room has not been heard of yet.
// It belongs to the application's fiber.
type claim struct {
	master    string // "": this one
	server    string
	placement [16]byte
	until     time.Time
}

// claimedAt returns the game server that another master has given a name to.
func (a *application) claimedAt(now time.Time, name string) (server string, ok bool) {
	c, ok := a.claims[name]
	if !ok || c.master == "" || !c.until.After(now) {
		return "", false
	}
	return c.server, true
}

// dropClaims forgets those that are over.
func (a *application) dropClaims(now time.Time) {
	for name, c := range a.claims {
		if !c.until.After(now) {
			delete(a.claims, name)
		}
	}
}

// MasterClaims answers another master's claim. answer is called once, from the
// application's fiber.
func (s *Server) MasterClaims(from string, c s2s.Claim, answer func(Consent)) {
	s.post(c.App, func(a *application, now time.Time) { answer(a.judge(now, from, &c)) })
}

func (a *application) judge(now time.Time, from string, c *s2s.Claim) Consent {
	if old, ok := a.claims[c.Room]; ok && old.until.After(now) && old.master != from {
		return Consent{Server: old.server, Certain: true}
	}
	if pl := a.placing[c.Room]; pl != nil {
		if !pl.claim || pl.yielded == "" && !a.server.masters.before(from, roomKey(a.key, c.Room)) {
			return Consent{}
		}
		pl.yielded = from
	} else if server, record, ok := a.lobby.Lookup(c.Room); ok && server != "" && server != c.Server {
		// A room that the other master does not know may have ended, which was not
		// heard of here yet. A name that was given away here is another matter.
		return Consent{Server: server, Certain: record.Reserved}
	}
	ttl := min(c.TTL, claimTTL)
	a.claims[c.Room] = claim{from, c.Server, c.Placement, now.Add(ttl)}
	return Consent{Given: true}
}

// MasterReleases takes back another master's claim.
func (s *Server) MasterReleases(from string, r *s2s.ClaimRelease) {
	s.post(r.App, func(a *application, _ time.Time) {
		if c := a.claims[r.Room]; c.master == from && c.placement == r.Placement {
			delete(a.claims, r.Room)
		}
	})
}

// heard ends the claim of a room that its game server tells of.
func (a *application) heard(server, name string) {
	if c, ok := a.claims[name]; ok && c.server == server {
		delete(a.claims, name)
	}
}

// roomKey is what rendezvous hashing takes for a room (cluster.md 14).
func roomKey(app, name string) string { return s2s.RoomKey(app, name) }
