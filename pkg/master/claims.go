package master

import (
	"time"

	"github.com/boson-project/boson/pkg/s2s"
)

// With several masters a name is given away like this (docs/architecture.md):
//
// One of them decides, mostly the name's owner by rendezvous hashing, which the
// others ask: it reserves the name in its lobby, chooses a game server and claims
// the name for that at all other masters. When all agreed it asks the game server
// to expect the client. If that does, the name is given: the other masters are told
// so, and the client. Who agreed to a claim gives the name
// to no other game server until the room is there, or the claim is taken back or
// over. When the master that made it is lost meanwhile, the others may give the name
// to the claim's game server only. So a name goes to one game server, whoever
// decides, and a game server has one room of a name. Of two claims at once the one
// of the name's owner goes before.

// claimTTL is how long a claim stands: as long as the lobby reserves the name.
const claimTTL = 15 * time.Second

// claim is a name that was given away, and whose room has not been heard of yet.
// It belongs to the application's fiber.
type claim struct {
	master    string // "": this one
	server    string
	placement [16]byte
	until     time.Time
	given     bool // the name was given away, otherwise it may be
	orphan    bool // the master that made it will not say any more
}

// claimed returns another master's claim of a name that stands.
func (a *application) claimed(now time.Time, name string) (c claim, ok bool) {
	c, ok = a.claims[name]
	if !ok || c.master == "" || !c.until.After(now) {
		return claim{}, false
	}
	c.orphan = !c.given && (c.orphan || !a.server.masters.counts(c.master))
	return c, true
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
	if own, ok := a.claims[c.Room]; ok && own.master == "" && own.until.After(now) {
		return Consent{Server: own.server, Certain: true}
	}
	if old, ok := a.claimed(now, c.Room); ok && old.master != from {
		switch {
		case old.given:
			return Consent{Server: old.server, Certain: true}
		case !old.orphan:
			return Consent{}
		case old.server != c.Server:
			return Consent{Server: old.server}
		}
	}
	if pl := a.placing[c.Room]; pl != nil {
		if !pl.claim || pl.agreed || pl.yielded == "" && !a.server.masters.before(from, roomKey(a.key, c.Room)) {
			return Consent{}
		}
		pl.yielded = from
	} else if server, record, ok := a.lobby.Lookup(c.Room); ok && server != "" && server != c.Server {
		// A room that the other master does not know may have ended, which was not
		// heard of here yet. A name that was given away here is another matter.
		return Consent{Server: server, Certain: record.Reserved}
	}
	ttl := min(c.TTL, claimTTL)
	a.claims[c.Room] = claim{master: from, server: c.Server, placement: c.Placement, until: now.Add(ttl)}
	return Consent{Given: true}
}

// MasterClaimed takes another master's word of what became of its claim.
func (s *Server) MasterClaimed(from string, r *s2s.ClaimResult) {
	s.post(r.App, func(a *application, _ time.Time) {
		c, ok := a.claims[r.Room]
		switch {
		case !ok || c.master != from || c.placement != r.Placement:
		case r.Given:
			c.given, c.orphan = true, false
			a.claims[r.Room] = c
		default:
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
