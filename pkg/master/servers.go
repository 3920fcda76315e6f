package master

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/boson-project/boson/pkg/announce"
	"github.com/boson-project/boson/pkg/cluster"
	"github.com/boson-project/boson/pkg/lobby"
	"github.com/boson-project/boson/pkg/transport"
)

// GameServer is a registered game server as the master places rooms on it. Its
// link is behind Reserve, so that this package does not know sockets.
type GameServer struct {
	ID        string
	Addresses announce.Set
	// Seen is where the master sees the game server.
	Seen netip.Addr
	// Reserve asks the game server to keep a name for a client
	// (cluster.md 12.4). It may block until ctx ends.
	Reserve func(ctx context.Context, r Reservation) (ReserveResult, error)
	// Release takes a reservation back. It does not block.
	Release func(r Reservation)
}

// Reservation is what a game server is asked for.
type Reservation struct {
	App, Room string
	Lobby     lobby.ID
	Placement [16]byte
	User      string
}

// ReserveResult is its answer.
type ReserveResult byte

// The numbers are S2S return codes (cluster.md 12.4).
const (
	ReserveOk      ReserveResult = 0
	ReserveRefused ReserveResult = 1
	ReserveExists  ReserveResult = 2
)

// servers is the registry of game servers with their load. It is safe for
// concurrent use.
type servers struct {
	start time.Time

	mu         sync.Mutex
	all        map[string]*gameServer
	rng        *rand.Rand
	candidates []cluster.Candidate
	found      []*gameServer
}

type gameServer struct {
	GameServer
	up     bool
	level  cluster.Level
	state  cluster.State
	recent cluster.Placements
	lost   *time.Timer // forgets its rooms, while the link is down
}

func newServers() *servers {
	return &servers{start: time.Now(), all: map[string]*gameServer{}, rng: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))}
}

// choose picks a game server for a new room, by load, among those that offer
// the transport; tried ones are left out. ok is false when there is none.
func (s *servers) choose(kind transport.Kind, client netip.Addr, tried []string) (g GameServer, ok bool) {
	now := time.Since(s.start)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.candidates, s.found = s.candidates[:0], s.found[:0]
	for _, g := range s.all {
		if !g.up || g.state != cluster.Normal || slices.Contains(tried, g.ID) {
			continue
		}
		if _, ok := g.Addresses.For(kind, client, g.Seen); !ok {
			continue
		}
		s.candidates = append(s.candidates, cluster.Candidate{Level: g.level, Recent: g.recent.Count(now)})
		s.found = append(s.found, g)
	}
	i := cluster.Pick(s.candidates, s.rng)
	if i < 0 {
		return GameServer{}, false
	}
	chosen := s.found[i]
	chosen.recent.Add(now)
	return chosen.GameServer, true
}

// get returns a game server by its id, though its link may be down.
func (s *servers) get(id string) (GameServer, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.all[id]
	if g == nil {
		return GameServer{}, false
	}
	return g.GameServer, true
}

// address returns where a client reaches the game server that has its room.
func (s *servers) address(id string, kind transport.Kind, client netip.Addr) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.all[id]
	if g == nil {
		return "", false
	}
	return g.Addresses.For(kind, client, g.Seen)
}

// ServerStatus is one game server, for operators.
type ServerStatus struct {
	ID        string
	Up        bool
	Level     cluster.Level
	State     cluster.State
	Addresses announce.Set
}

func (s *servers) status() []ServerStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []ServerStatus
	for _, g := range s.all {
		out = append(out, ServerStatus{g.ID, g.up, g.level, g.state, g.Addresses})
	}
	slices.SortFunc(out, func(a, b ServerStatus) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// up counts the game servers with a link.
func (s *servers) up() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, g := range s.all {
		if g.up {
			n++
		}
	}
	return n
}
