// Package gameserver is the application that hosts rooms. It authenticates
// clients by token, finds or makes the room that they ask for, runs each room
// on its own fiber, and tells the masters what there is (loadbalancing.md,
// cluster.md 12).
package gameserver

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/auth"
	"github.com/boson-project/boson/pkg/lobby"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin/host"
	"github.com/boson-project/boson/pkg/room"
	"github.com/boson-project/boson/pkg/webrpc"
)

// Directory is what the game server tells the masters through. Its methods
// must not block; package s2s has it, tests have a map.
type Directory interface {
	// Upsert publishes a room's newest state.
	Upsert(r *lobby.Record)
	// Remove says that a room is gone.
	Remove(appKey, name string)
	// RequestPlacement asks a master for the right to create a room that it did
	// not reserve: Reserved, Exists if the name is taken on another game server,
	// or Refused. done is called once, from any goroutine.
	RequestPlacement(appKey, name string, done func(Reserve))
}

// Options of a game server.
type Options struct {
	Auth      *auth.Authenticator
	Directory Directory
	Room      room.Config
	// Tokenless lets clients in that bring no token.
	Tokenless   bool
	AuthTimeout time.Duration
	// TokenLife decides when a client in a room gets a new token.
	TokenLife time.Duration
	// MaxRooms at once; 0 is no limit.
	MaxRooms int
	// WebRPC makes the calls of operation WebRpc; nil: there is no service.
	WebRPC *webrpc.Service
	// MaxWaiting messages may wait for one room, whose plugin may hold it up; 0
	// means 65536.
	MaxWaiting int
	// Plugins returns the plugins of an application, nil for none. It is asked for
	// each new room, from any goroutine. A nil function is none for all.
	Plugins func(appID string) *Plugins
	Logger  zerolog.Logger
}

type gameKey struct{ app, name string }

// Server is the game server application.
type Server struct {
	// PluginCounters count what the plugins of all rooms do.
	PluginCounters host.Counters

	opt    Options
	router app.Router[*peer]
	log    zerolog.Logger
	start  time.Time

	refreshAfter int64        // seconds
	unix         atomic.Int64 // coarse time in seconds
	crew         *app.Crew    // runs the rooms
	peers        atomic.Int64
	rooms        atomic.Int64
	draining     atomic.Bool
	stopping     atomic.Bool

	mu           sync.Mutex // games, reservations
	games        map[gameKey]*game
	reservations map[gameKey]reservation
	empty        chan struct{} // closed and replaced when the last room ends
}

// reservation is a master's announcement that a client will come to create a
// room (cluster.md 12.4).
type reservation struct {
	placement [16]byte
	lobby     lobby.ID
	until     time.Duration // since start
}

// New returns a game server, to be run by an app.Server.
func New(opt Options) *Server {
	s := &Server{
		opt: opt, log: opt.Logger, start: time.Now(), crew: app.NewCrew(),
		games: map[gameKey]*game{}, reservations: map[gameKey]reservation{},
		refreshAfter: int64(opt.TokenLife/time.Second) / 2,
	}
	s.unix.Store(time.Now().Unix())
	app.Handle(&s.router, photon.OpAuthenticate, s.authenticate)
	app.Handle(&s.router, photon.OpAuthenticateOnce, s.authenticate)
	app.Handle(&s.router, photon.OpServerSettings, s.serverSettings)
	app.Handle(&s.router, photon.OpWebRPC, s.webRPC)
	return s
}

// now is the monotonic time that rooms run on.
func (s *Server) now() time.Duration { return time.Since(s.start) }

// Run keeps the server's coarse clock and forgets reservations that nobody
// came for, until ctx ends.
func (s *Server) Run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case t := <-tick.C:
			s.unix.Store(t.Unix())
			s.expire()
		}
	}
}

func (s *Server) expire() {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, r := range s.reservations {
		if now > r.until {
			delete(s.reservations, k)
		}
	}
}

// Stats are the server's counts, for load reports and metrics.
type Stats struct {
	Peers, Rooms, Reservations int
	// Draining is true when no new room is taken.
	Draining bool
}

// Stats may be called from any goroutine.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	n := len(s.reservations)
	s.mu.Unlock()
	return Stats{Peers: int(s.peers.Load()), Rooms: int(s.rooms.Load()), Reservations: n, Draining: s.draining.Load()}
}

// Reserve is an answer to who wants a name for a new room (cluster.md 12.3, 12.4).
type Reserve byte

// The numbers are S2S return codes.
const (
	Reserved Reserve = 0
	Refused  Reserve = 1
	Exists   Reserve = 2
)

// ReserveRoom keeps a name for the client that a master sends. A repeat with
// the same placement id renews. For Exists the room's record is returned.
func (s *Server) ReserveRoom(appKey, name string, in lobby.ID, placement [16]byte, ttl time.Duration) (Reserve, *lobby.Record) {
	if s.draining.Load() || s.stopping.Load() {
		return Refused, nil
	}
	if s.opt.MaxRooms > 0 && int(s.rooms.Load()) >= s.opt.MaxRooms {
		return Refused, nil
	}
	k := gameKey{appKey, name}
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.games[k]; g != nil {
		if record := g.record.Load(); record != nil {
			return Exists, record
		}
	}
	if old, ok := s.reservations[k]; ok && now <= old.until && old.placement != placement {
		return Exists, nil
	}
	s.reservations[k] = reservation{placement, in, now + ttl}
	return Reserved, nil
}

// ReleaseRoom takes a reservation back.
func (s *Server) ReleaseRoom(appKey, name string, placement [16]byte) {
	k := gameKey{appKey, name}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reservations[k].placement == placement {
		delete(s.reservations, k)
	}
}

// Records returns the newest state of every room, for a snapshot.
func (s *Server) Records() []*lobby.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*lobby.Record, 0, len(s.games))
	for _, g := range s.games {
		if r := g.record.Load(); r != nil {
			all = append(all, r)
		}
	}
	return all
}

// CloseRoom ends a room on an operator's wish; its players are disconnected with
// the reason. False: there is no such room here.
func (s *Server) CloseRoom(appKey, name, reason string) bool {
	s.mu.Lock()
	g := s.games[gameKey{appKey, name}]
	s.mu.Unlock()
	return g != nil && g.record.Load() != nil && g.fiber.PostAlways(message{kind: closeRoom, text: reason})
}

// SetDraining stops or resumes the taking of new rooms. Rooms go on, and joins
// to them work.
func (s *Server) SetDraining(on bool) { s.draining.Store(on) }

// Drain takes no new rooms and waits until the last one ends or ctx does.
func (s *Server) Drain(ctx context.Context) error {
	s.SetDraining(true)
	for {
		s.mu.Lock()
		if s.isEmpty() {
			s.mu.Unlock()
			return nil
		}
		if s.empty == nil {
			s.empty = make(chan struct{})
		}
		empty := s.empty
		s.mu.Unlock()
		select {
		case <-empty:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// isEmpty: there is no room, and masters have been told of the end of all. s.mu
// is held.
func (s *Server) isEmpty() bool { return len(s.games) == 0 && s.rooms.Load() == 0 }

// checkEmpty ends Drain. A game that has ended calls it last.
func (s *Server) checkEmpty() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isEmpty() && s.empty != nil {
		close(s.empty)
		s.empty = nil
	}
}

// Stop refuses new peers. The app.Server's Shutdown then closes those there
// are; rooms end with them. Wait afterwards with Close.
func (s *Server) Stop() {
	s.SetDraining(true)
	s.stopping.Store(true)
}

// CloseRooms ends all rooms, their players being told why, and waits until
// plugins have saved what they want, or ctx ends.
func (s *Server) CloseRooms(ctx context.Context, reason string) error {
	s.SetDraining(true)
	s.mu.Lock()
	for _, g := range s.games {
		g.fiber.PostAlways(message{kind: closeRoom, text: reason})
	}
	s.mu.Unlock()
	return s.Drain(ctx)
}

// Close waits until every room's fiber has run out of work. The app.Server must
// have shut down before. A plugin that holds its room does not hold the server:
// what has not come to its end when ctx does is left behind, and ctx's error
// returned.
func (s *Server) Close(ctx context.Context) error {
	s.mu.Lock()
	all := make([]*game, 0, len(s.games))
	for _, g := range s.games {
		all = append(all, g)
	}
	s.mu.Unlock()
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		for _, g := range all {
			g.close()
		}
	}()
	select {
	case <-closed:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("a plugin holds its room: %w", ctx.Err())
	}
}
