// Package master is the application of lobbies and matchmaking: it knows all
// rooms of its cluster, sends clients to the game server that has their room or
// is to make it, and keeps lists, friends and statistics (loadbalancing.md 3.6,
// loadbalancing-matchmaking.md). It hosts no rooms; what it knows of them comes
// from the game servers and can be lost without harm (cluster.md 10).
package master

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/auth"
	"github.com/boson-project/boson/pkg/cluster"
	"github.com/boson-project/boson/pkg/lobby"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/s2s"
	"github.com/boson-project/boson/pkg/webrpc"
)

// Options of a master.
type Options struct {
	Auth        *auth.Authenticator
	AuthTimeout time.Duration
	Lobby       lobby.Config
	// StatsInterval between two AppStats events, LobbyStatsInterval between two
	// LobbyStats events.
	StatsInterval, LobbyStatsInterval time.Duration
	// ID is this master's name among the masters of the region. Settling says that
	// others may be there from the start: until MastersSettled no name is given away.
	ID       string
	Settling bool
	// Users publishes users to other masters; nil where there can be none.
	Users *s2s.UserPublisher
	// LostHold is how long rooms of a game server without link stay known.
	LostHold time.Duration
	// WebRPC makes the calls of operation WebRpc; nil: there is no service.
	WebRPC *webrpc.Service
	// Loads says whether rooms of an application that are not in memory may be
	// saved ones that a game server can load: for clients that come back, and for
	// plain joins. nil: never.
	Loads  func(appID string) (onRejoin, onJoin bool)
	Logger zerolog.Logger
}

// Server is the master application.
type Server struct {
	opt     Options
	log     zerolog.Logger
	router  app.Router[*request]
	servers *servers
	masters *masters
	// duplicates is the sum of the applications' part.
	duplicates atomic.Int64
	asking     sync.WaitGroup // questions under way to game servers and masters

	mu     sync.Mutex // apps, closed
	apps   map[string]*application
	used   map[string]*usage
	closed bool
}

// New returns a master, to be run by an app.Server.
func New(opt Options) *Server {
	s := &Server{opt: opt, log: opt.Logger, servers: newServers(), masters: newMasters(opt.ID, opt.Settling), apps: map[string]*application{}, used: map[string]*usage{}}
	app.Handle(&s.router, photon.OpJoinLobby, s.joinLobby)
	app.Handle(&s.router, photon.OpLeaveLobby, s.leaveLobby)
	app.HandleRaw(&s.router, photon.OpCreateGame, s.createGame)
	app.HandleRaw(&s.router, photon.OpJoinGame, s.joinGame)
	app.HandleRaw(&s.router, photon.OpJoinRandomGame, s.joinRandomGame)
	app.Handle(&s.router, photon.OpFindFriends, s.findFriends)
	app.Handle(&s.router, photon.OpGetLobbyStats, s.getLobbyStats)
	app.Handle(&s.router, photon.OpGetGameList, s.getGameList)
	app.Handle(&s.router, photon.OpServerSettings, s.serverSettings)
	app.Handle(&s.router, photon.OpWebRPC, s.webRPC)
	app.Handle(&s.router, photon.OpAuthenticate, s.authenticateAgain)
	app.Handle(&s.router, photon.OpAuthenticateOnce, s.authenticateAgain)
	return s
}

// application is one virtual application on this master: its lobbies, and the
// fiber that they run on.
type application struct {
	server *Server
	key    string
	fiber  *app.Fiber[func(now time.Time)]
	usage  *usage

	// Only touched on the fiber.
	lobby      *lobby.App
	players    int // of these, counted in usage
	rooms      int
	peers      map[*peer]struct{}
	timer      *time.Timer
	timerAt    time.Time
	ended      bool                           // another may have taken its place
	slots      [statsSlots]map[*peer]struct{} // peers, by when they get AppStats
	slot       int                            // the last one that got them
	placing    map[string]*placement          // rooms that a game server is being found for
	claims     map[string]claim               // names given away by this master or another
	asks       int                            // asks that wait
	duplicates int                            // as the server has been told
	nextStats  time.Time
	nextLobby  time.Time
	// toldClients are the clients in lobbies that other masters were told of.
	toldClients map[lobby.ID]int32
}

// post runs fn on the fiber of a virtual application, which is made when it is
// first asked for. An application ends only when nothing was posted to it, so
// the lock is what makes post and end one decision.
func (s *Server) post(key string, fn func(a *application, now time.Time)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	a := s.apps[key]
	if a == nil {
		cfg := s.opt.Lobby
		if s.opt.Loads != nil {
			appID, _, _ := strings.Cut(key, "\x00")
			cfg.LoadRooms, cfg.LoadOnJoin = s.opt.Loads(appID)
		}
		a = &application{
			server: s, key: key, peers: map[*peer]struct{}{}, placing: map[string]*placement{}, claims: map[string]claim{},
			usage:       s.usage(key),
			toldClients: map[lobby.ID]int32{},
			lobby:       lobby.New(cfg, rand.NewPCG(rand.Uint64(), rand.Uint64())),
			nextStats:   time.Now().Add(s.opt.StatsInterval / statsSlots), nextLobby: time.Now().Add(s.opt.LobbyStatsInterval),
		}
		a.fiber = app.NewFiber(0, a.run)
		s.apps[key] = a
	}
	a.post(func(now time.Time) { fn(a, now) })
}

// each runs fn on the fiber of every application.
func (s *Server) each(fn func(a *application, now time.Time)) {
	s.mu.Lock()
	all := make([]*application, 0, len(s.apps))
	for _, a := range s.apps {
		all = append(all, a)
	}
	s.mu.Unlock()
	for _, a := range all {
		a.post(func(now time.Time) { fn(a, now) })
	}
}

// post runs fn on the application's fiber.
func (a *application) post(fn func(now time.Time)) { a.fiber.PostAlways(fn) }

// run is the fiber's turn: what was asked, then what is due.
func (a *application) run(batch []func(now time.Time)) {
	now := time.Now()
	for _, fn := range batch {
		a.survive(now, fn)
	}
	a.survive(now, a.tick)
	a.report()
}

// survive keeps a mistake in one operation from ending the master.
func (a *application) survive(now time.Time, fn func(now time.Time)) {
	defer func() {
		if x := recover(); x != nil {
			a.server.log.Error().Str("panic", fmt.Sprint(x)).Bytes("stack", debug.Stack()).Msg("an operation on the master crashed")
		}
	}()
	fn(now)
}

func (a *application) tick(now time.Time) {
	if a.ended {
		return // a timer was under way
	}
	if d := a.lobby.Deadline(); !d.IsZero() && !d.After(now) {
		a.lobby.Tick(now)
	}
	if !a.nextStats.After(now) {
		a.nextStats = now.Add(a.server.opt.StatsInterval / statsSlots)
		a.sendStats()
		a.dropClaims(now)
		a.publishClients()
		if d := a.lobby.Duplicates(); d != a.duplicates {
			a.server.duplicates.Add(int64(d - a.duplicates))
			a.duplicates = d
		}
		if a.slot == 0 && a.idle() && a.end() {
			return
		}
	}
	if !a.nextLobby.After(now) {
		a.nextLobby = now.Add(a.server.opt.LobbyStatsInterval)
		a.sendLobbyStats()
	}
	a.arm(now)
}

// arm sets the timer for what comes next.
func (a *application) arm(now time.Time) {
	at := a.nextStats
	if a.nextLobby.Before(at) {
		at = a.nextLobby
	}
	if d := a.lobby.Deadline(); !d.IsZero() && d.Before(at) {
		at = d
	}
	if a.timer != nil && a.timerAt.Equal(at) {
		return
	}
	if a.timer != nil {
		a.timer.Stop()
	}
	a.timerAt = at
	a.timer = time.AfterFunc(at.Sub(now), func() { a.post(func(time.Time) { a.timerAt = time.Time{} }) })
}

// idle says that nobody would miss the application.
func (a *application) idle() bool {
	return len(a.peers) == 0 && a.asks == 0 && len(a.placing) == 0 && len(a.claims) == 0 && a.lobby.Idle()
}

// end drops an application that nobody uses, so that clients who invent AppIds
// leave nothing behind. False: something was posted meanwhile.
func (a *application) end() bool {
	s := a.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.fiber.Len() > 0 {
		return false
	}
	delete(s.apps, a.key)
	s.endUsage(a)
	a.ended = true
	if a.timer != nil {
		a.timer.Stop()
	}
	return true
}

// Close ends the timers and waits for the fibers. The app.Server must have shut
// down and the S2S listener closed before.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	all := make([]*application, 0, len(s.apps))
	for _, a := range s.apps {
		all = append(all, a)
	}
	s.mu.Unlock()
	for _, a := range all {
		a.fiber.Close()
		if a.timer != nil {
			a.timer.Stop()
		}
	}
	s.asking.Wait()
	s.masters.stop()
	s.servers.mu.Lock()
	defer s.servers.mu.Unlock()
	for _, g := range s.servers.all {
		if g.lost != nil {
			g.lost.Stop()
		}
	}
}

// Rooms tells every room that this master knows and the game server that has
// it. fn is called from one goroutine at a time. It waits for the applications'
// fibers, at most until ctx ends.
func (s *Server) Rooms(ctx context.Context, fn func(server string, r *lobby.Record)) error {
	s.mu.Lock()
	all := make([]*application, 0, len(s.apps))
	for _, a := range s.apps {
		all = append(all, a)
	}
	s.mu.Unlock()
	type found struct {
		server string
		record *lobby.Record
	}
	for _, a := range all {
		answer := make(chan []found, 1)
		a.post(func(time.Time) {
			var rooms []found
			for server, r := range a.lobby.Rooms() {
				rooms = append(rooms, found{server, r})
			}
			answer <- rooms
		})
		select {
		case rooms := <-answer:
			for _, f := range rooms {
				fn(f.server, f.record)
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Servers returns the game servers that this master knows.
func (s *Server) Servers() []ServerStatus { return s.servers.status() }

// Ready says whether rooms can be placed.
func (s *Server) Ready() bool { return s.servers.up() > 0 }

// ServerUp registers a game server whose link is up. Its snapshot follows.
func (s *Server) ServerUp(g GameServer, state cluster.State) {
	s.servers.mu.Lock()
	old := s.servers.all[g.ID]
	if old == nil {
		old = &gameServer{}
		s.servers.all[g.ID] = old
	}
	if old.lost != nil {
		old.lost.Stop()
		old.lost = nil
	}
	old.GameServer, old.up, old.state, old.level = g, true, state, cluster.Lowest
	s.servers.mu.Unlock()
	s.log.Info().Str("gameserver", g.ID).Interface("announces", g.Addresses).Msg("game server is up")
	s.each(func(a *application, now time.Time) { a.lobby.Resume(now, g.ID) })
}

// ServerLoad takes a load report.
func (s *Server) ServerLoad(id string, level cluster.Level, state cluster.State) {
	s.servers.mu.Lock()
	defer s.servers.mu.Unlock()
	g := s.servers.all[id]
	if g == nil {
		return
	}
	if g.level != level || g.state != state {
		s.log.Info().Str("gameserver", id).Stringer("load", level).Stringer("state", state).Msg("game server's load level or state changed")
	}
	g.level, g.state = level, state
}

// ServerDown says that a game server's link is down: nothing is placed there,
// its rooms stay known for LostHold, or go at once when it left by itself
// (cluster.md 15).
func (s *Server) ServerDown(id string, left bool) {
	s.servers.mu.Lock()
	g := s.servers.all[id]
	if g == nil {
		s.servers.mu.Unlock()
		return
	}
	g.up = false
	hold := s.opt.LostHold
	if left {
		hold = 0
	}
	if g.lost != nil {
		g.lost.Stop()
	}
	if hold > 0 {
		g.lost = time.AfterFunc(hold, func() { s.forget(id) })
	}
	s.servers.mu.Unlock()
	if left {
		s.log.Info().Str("gameserver", id).Msg("game server left")
	} else {
		s.log.Warn().Str("gameserver", id).Stringer("hold", hold).Msg("link to game server is down; its rooms stay known for a while")
	}
	if hold == 0 {
		s.forget(id)
		return
	}
	s.each(func(a *application, now time.Time) { a.lobby.Suspend(now, id) })
}

func (s *Server) forget(id string) {
	s.servers.mu.Lock()
	g := s.servers.all[id]
	if g == nil || g.up {
		s.servers.mu.Unlock()
		return
	}
	delete(s.servers.all, id)
	s.servers.mu.Unlock()
	s.log.Info().Str("gameserver", id).Msg("game server is gone, and its rooms")
	s.each(func(a *application, now time.Time) { a.lobby.RemoveServer(now, id) })
}

// Upsert takes a room's newest record from a game server.
func (s *Server) Upsert(id string, r *lobby.Record) {
	s.post(r.App, func(a *application, now time.Time) {
		a.lobby.Upsert(now, id, r)
		a.heard(id, r.Name)
	})
}

// Remove takes the end of a room.
func (s *Server) Remove(id, appKey, name string) {
	s.post(appKey, func(a *application, now time.Time) { a.lobby.Remove(now, id, name) })
}
