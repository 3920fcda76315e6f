package master

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/boson-project/boson/pkg/cluster"
	"github.com/boson-project/boson/pkg/s2s"
)

// Master is another master of the region as this one asks it. Its link is behind
// the functions, so that this package does not know sockets.
type Master struct {
	ID string
	// Forward lets it decide a client's operation, Claim asks it to agree to a
	// name. They may block until ctx ends.
	Forward func(ctx context.Context, f *s2s.Forward) (s2s.Decision, error)
	Claim   func(ctx context.Context, c *s2s.Claim) (Consent, error)
	// Send tells it a LobbyClients, ClaimResult or Goodbye. It does not block.
	Send func(m s2s.Message)
}

// Consent is an answer to a claim, or that of all masters together.
type Consent struct {
	Given bool
	// Without consent: Server has the name if that is Certain; otherwise it is "", or
	// the one that may have the name, and which is good for it in any case.
	Server  string
	Certain bool
}

// Loss is how the link to another master ended.
type Loss int

// Losses.
const (
	// LossGoodbye: it stopped in order.
	LossGoodbye Loss = iota
	// LossClosed: the other side closed the connection without a word, as it
	// happens when a process ends.
	LossClosed
	// LossSilent: nothing was heard for a while, or the link broke.
	LossSilent
)

// masterHold is how long a master without a link counts as alive: one that lives
// is back within a second.
const masterHold = 1500 * time.Millisecond

// masters is the registry of the other masters. It is safe for concurrent use.
type masters struct {
	self string

	mu       sync.Mutex // guards the fields below
	all      map[string]*otherMaster
	alive    map[string]bool // whom gossip calls alive
	ring     []string        // this master and those with a link; replaced, not changed
	settling bool            // others may be there that this master does not know yet

	forwarded, claimed, refused atomic.Int64
}

// otherMaster counts as alive while it is in the registry.
type otherMaster struct {
	Master
	linked bool
	timer  *time.Timer // while there is no link
}

func (o *otherMaster) stopTimer() {
	if o.timer != nil {
		o.timer.Stop()
		o.timer = nil
	}
}

func newMasters(self string, settling bool) *masters {
	return &masters{self: self, all: map[string]*otherMaster{}, alive: map[string]bool{}, ring: []string{self}, settling: settling}
}

// rebuild follows a change of links. It is called with the lock.
func (m *masters) rebuild() {
	ring := []string{m.self}
	for id, o := range m.all {
		if o.linked {
			ring = append(ring, id)
		}
	}
	m.ring = ring
}

// alone says that there is nobody to agree with.
func (m *masters) alone() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.all) == 0 && !m.settling
}

// ready says that names can be given away: there is a link to every master that
// counts as alive.
func (m *masters) ready() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.settling && len(m.ring) == len(m.all)+1
}

// owner returns the master that a key belongs to, nil for this one.
func (m *masters) owner(key string) *Master {
	m.mu.Lock()
	defer m.mu.Unlock()
	if o := m.all[cluster.Owner(m.ring, key)]; o != nil {
		owner := o.Master
		return &owner
	}
	return nil
}

// before says whether another master's claim of a key goes before this one's,
// when both are made at once.
func (m *masters) before(other, key string) bool {
	return cluster.Owner([]string{m.self, other}, key) == other
}

// claim asks all masters that count as alive to agree. Without a link to one of
// them there is no consent: it may be giving the name away.
func (m *masters) claim(ctx context.Context, c *s2s.Claim) Consent {
	if !m.ready() {
		m.refused.Add(1)
		return Consent{}
	}
	m.claimed.Add(1)
	m.mu.Lock()
	others := make([]Master, 0, len(m.all))
	for _, o := range m.all {
		others = append(others, o.Master)
	}
	m.mu.Unlock()
	answers := make([]Consent, len(others))
	var asking sync.WaitGroup
	for i := range others {
		asking.Go(func() {
			if others[i].Claim == nil {
				return // its link has just ended
			}
			if answer, err := others[i].Claim(ctx, c); err == nil {
				answers[i] = answer
			}
		})
	}
	asking.Wait()
	all := Consent{Given: true}
	for _, a := range answers {
		switch {
		case a.Given:
		case all.Given, a.Certain && !all.Certain, a.Certain == all.Certain && all.Server == "":
			all = a
		}
	}
	if !all.Given {
		m.refused.Add(1)
	}
	return all
}

// tell sends a message to all masters with a link.
func (m *masters) tell(msg s2s.Message) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, o := range m.all {
		if o.linked {
			o.Send(msg)
		}
	}
}

// result tells what became of a claim wherever it may have been agreed to.
func (m *masters) result(r *Reservation, given bool) {
	m.tell(&s2s.ClaimResult{App: r.App, Room: r.Room, Placement: r.Placement, Given: given})
}

// counts says whether a master counts as alive.
func (m *masters) counts(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.all[id] != nil
}

func (m *masters) stop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, o := range m.all {
		o.stopTimer()
	}
}

// MasterUp registers another master whose link is up. What it says of its users
// follows on the link.
func (s *Server) MasterUp(other Master) {
	m := s.masters
	m.mu.Lock()
	o := m.all[other.ID]
	if o == nil {
		o = &otherMaster{}
		m.all[other.ID] = o
	}
	o.stopTimer()
	o.Master, o.linked = other, true
	m.rebuild()
	m.mu.Unlock()
	s.log.Info().Str("master", other.ID).Msg("linked to another master of the region")
	s.each(func(a *application, now time.Time) { a.welcome(now, &other) })
}

// MasterSeen takes gossip's word that another master of the region lives: names
// are given away only with its consent from now on.
func (s *Server) MasterSeen(id string) {
	m := s.masters
	m.mu.Lock()
	defer m.mu.Unlock()
	m.alive[id] = true
	if m.all[id] == nil {
		m.all[id] = &otherMaster{timer: time.AfterFunc(2*masterHold, func() { s.warnUnlinked(id) })}
	}
}

func (s *Server) warnUnlinked(id string) {
	s.log.Error().Str("master", id).Msg("no link to another master that is alive: rooms of new names can't be made until it is there or the master gone; see its log, master.s2s and master.s2s_announce")
}

// MasterLost takes gossip's word that another master is dead or has left. A link
// that is up counts more (cluster.md 11).
func (s *Server) MasterLost(id string) {
	s.masters.mu.Lock()
	delete(s.masters.alive, id)
	o := s.masters.all[id]
	linked := o != nil && o.linked
	s.masters.mu.Unlock()
	if o != nil && !linked {
		s.forgetMaster(id)
	}
}

// MasterDown says that the link to another master has ended. Until it is known to
// be gone, no name is given away without it, since it may be giving it to somebody
// else: that takes a moment where its process has ended, and as long as gossip
// calls it alive where only the link is broken.
func (s *Server) MasterDown(id string, loss Loss) {
	m := s.masters
	m.mu.Lock()
	o := m.all[id]
	if o == nil {
		m.mu.Unlock()
		return
	}
	o.Master, o.linked = Master{ID: id}, false
	m.rebuild()
	o.stopTimer()
	waits := loss == LossSilent && m.alive[id]
	if loss != LossGoodbye && !waits {
		o.timer = time.AfterFunc(masterHold, func() { s.forgetMaster(id) })
	}
	m.mu.Unlock()
	switch {
	case loss == LossGoodbye:
		s.forgetMaster(id)
	case waits:
		s.warnUnlinked(id)
	default:
		s.log.Warn().Str("master", id).Msg("link to another master is down")
	}
}

// forgetMaster takes a master out that is gone, with its users.
func (s *Server) forgetMaster(id string) {
	m := s.masters
	m.mu.Lock()
	if o := m.all[id]; o == nil || o.linked {
		m.mu.Unlock()
		return
	}
	delete(m.all, id)
	m.mu.Unlock()
	s.log.Info().Str("master", id).Msg("another master is gone; its part of the names is decided by those that are left")
	s.each(func(a *application, now time.Time) { a.lobby.RemoveMaster(now, id) })
}

// MastersSettled says that this master, at its start, knows of all others.
func (s *Server) MastersSettled() {
	s.masters.mu.Lock()
	defer s.masters.mu.Unlock()
	s.masters.settling = false
}

// MasterStatus is another master, for operators.
type MasterStatus struct {
	ID     string
	Linked bool
}

// Masters returns the other masters of the region that count as alive.
func (s *Server) Masters() []MasterStatus {
	s.masters.mu.Lock()
	defer s.masters.mu.Unlock()
	out := make([]MasterStatus, 0, len(s.masters.all))
	for id, o := range s.masters.all {
		out = append(out, MasterStatus{id, o.linked})
	}
	slices.SortFunc(out, func(a, b MasterStatus) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// MasterCounts are what this master has asked the others since its start.
type MasterCounts struct {
	// Forwarded operations of clients, claims of names, and claims without the
	// consent of all.
	Forwarded, Claimed, Refused int64
}

// MasterCounts may be called from any goroutine.
func (s *Server) MasterCounts() MasterCounts {
	m := s.masters
	return MasterCounts{m.forwarded.Load(), m.claimed.Load(), m.refused.Load()}
}

// MasterUsers takes another master's word of its users' connections.
func (s *Server) MasterUsers(id string, d *s2s.UserDelta) {
	byApp(d.Joined, func(u s2s.UserAt) string { return u.App }, func(app string, users []s2s.UserAt) {
		s.post(app, func(a *application, now time.Time) {
			for _, u := range users {
				a.lobby.UserConnected(now, id, u.User)
			}
		})
	})
	byApp(d.Left, func(u s2s.UserAt) string { return u.App }, func(app string, users []s2s.UserAt) {
		s.post(app, func(a *application, now time.Time) {
			for _, u := range users {
				a.lobby.UserDisconnected(now, id, u.User)
			}
		})
	})
}

// MasterClients takes another master's word of its clients in lobbies.
func (s *Server) MasterClients(id string, m *s2s.LobbyClients) {
	byApp(m.Lobbies, func(l s2s.LobbyCount) string { return l.App }, func(app string, lobbies []s2s.LobbyCount) {
		s.post(app, func(a *application, _ time.Time) {
			for _, l := range lobbies {
				a.lobby.SetClients(id, l.Lobby, l.Clients)
			}
		})
	})
}

// byApp calls fn for each application's part of a list.
func byApp[T any](list []T, app func(T) string, fn func(app string, part []T)) {
	parts := map[string][]T{}
	for _, v := range list {
		parts[app(v)] = append(parts[app(v)], v)
	}
	for key, part := range parts {
		fn(key, part)
	}
}

// welcome tells a master whose link is new what it should know of an application:
// the names that this one has given away, and its clients in lobbies. What was
// known of that master begins anew.
func (a *application) welcome(now time.Time, other *Master) {
	a.lobby.RemoveMaster(now, other.ID)
	for name, c := range a.claims {
		switch {
		case c.master == other.ID && !c.given:
			c.orphan = true // who made it may not remember
			a.claims[name] = c
		case c.master == "" && c.until.After(now):
			claim := s2s.Claim{App: a.key, Room: name, Server: c.server, Placement: c.placement, TTL: c.until.Sub(now)}
			a.server.asking.Go(func() {
				ctx, cancel := context.WithTimeout(context.Background(), reserveTimeout)
				defer cancel()
				// It helps, should this master be lost; otherwise this one answers for the name.
				if consent, err := other.Claim(ctx, &claim); err == nil && consent.Given {
					other.Send(&s2s.ClaimResult{App: claim.App, Room: claim.Room, Placement: claim.Placement, Given: true})
				}
			})
		}
	}
	var all []s2s.LobbyCount
	for id, n := range a.toldClients {
		all = append(all, s2s.LobbyCount{App: a.key, Lobby: id, Clients: n})
	}
	sendClients(all, other.Send)
}

// publishClients tells the other masters how many clients are in which lobbies,
// as far as that has changed.
func (a *application) publishClients() {
	if a.server.masters.alone() {
		return // whoever comes is told what has changed since the last one left
	}
	var changed []s2s.LobbyCount
	seen := 0
	for id, n := range a.lobby.Clients() {
		seen++
		if a.toldClients[id] != n {
			a.toldClients[id] = n
			changed = append(changed, s2s.LobbyCount{App: a.key, Lobby: id, Clients: n})
		}
	}
	if seen < len(a.toldClients) {
		for id := range a.toldClients {
			if a.lobby.ClientsIn(id) == 0 {
				delete(a.toldClients, id)
				changed = append(changed, s2s.LobbyCount{App: a.key, Lobby: id})
			}
		}
	}
	sendClients(changed, a.server.masters.tell)
}

// clientsBatch keeps a message well below the values that one may hold.
const clientsBatch = 500

func sendClients(all []s2s.LobbyCount, send func(s2s.Message)) {
	for part := range slices.Chunk(all, clientsBatch) {
		send(&s2s.LobbyClients{Lobbies: part})
	}
}

// Tell sends a message to all masters with a link. It does not block.
func (s *Server) Tell(m s2s.Message) { s.masters.tell(m) }

// Duplicates is the number of rooms that are open on more than one game server
// (cluster.md 14.3), as of a moment ago.
func (s *Server) Duplicates() int { return int(s.duplicates.Load()) }
