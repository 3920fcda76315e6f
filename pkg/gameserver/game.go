package gameserver

import (
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/lobby"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin/host"
	"github.com/boson-project/boson/pkg/room"
	"github.com/boson-project/boson/pkg/transport"
)

// game is a room's name on this server, with the fiber that runs the room.
// The name may be there before the room: while its creator is on the way.
type game struct {
	server *Server
	key    gameKey
	fiber  *app.Fiber[message]
	record atomic.Pointer[lobby.Record]

	// host serves the room's plugin; nil for none. Set on the fiber.
	host atomic.Pointer[host.Host]

	// Only touched on the fiber.
	room    *room.Room // from when its creation has begun
	counted bool       // among the server's rooms
	lobby   lobby.ID   // of the reservation
	ended   bool
	// entering are the peers that the room's plugin is being asked about.
	entering map[*peer]struct{}
	waiting  []message // joins that came before the creator, or while the room ends
	waitEnd  time.Duration

	timerMu sync.Mutex
	timer   *time.Timer
	timerAt time.Duration
}

type messageKind uint8

const (
	operation messageKind = iota
	enter
	disconnected
	tick
	placed
	closeRoom
	kick
	call
)

// message is what a room's fiber is told.
type message struct {
	kind    messageKind
	reason  transport.Reason
	answer  Reserve // placed
	text    string  // closeRoom: what the players are told
	run     func()  // call: of the plugin's host; kick
	peer    *peer
	request photon.Request
}

const (
	// creatorWait is how long a join waits for a room whose creator is on the
	// way (cluster.md 14.2).
	creatorWait = 2 * time.Second
	// pluginWait is how long it waits for a room whose plugin takes its time to
	// create or to end it (plugins.md 14).
	pluginWait = 15 * time.Second
)

func (s *Server) newGame(k gameKey) *game {
	g := &game{server: s, key: k}
	g.fiber = app.NewFiber(s.opt.MaxWaiting, g.run).On(s.crew)
	return g
}

// run is the fiber's turn.
func (g *game) run(batch []message) {
	for i := range batch {
		g.handle(&batch[i])
	}
	defer g.survive()
	g.settle()
}

// survive keeps a panic inside its room. It must be deferred.
func (g *game) survive() {
	if x := recover(); x != nil {
		g.crash(x)
	}
}

func (g *game) handle(m *message) {
	defer g.survive()
	if g.ended {
		g.afterEnd(m)
		return
	}
	if h := g.host.Load(); h != nil {
		h.Begin()
	}
	defer g.pause() // there may be a host only now
	now := g.server.now()
	switch m.kind {
	case enter:
		g.enter(now, m)
	case operation:
		g.operation(now, m)
	case disconnected:
		g.disconnected(now, m)
	case tick:
		if g.room != nil {
			g.room.Tick(now)
		}
		if len(g.waiting) > 0 && now >= g.waitEnd {
			g.refuseWaiting(Refused)
		}
	case placed:
		g.placed(now, m)
	case closeRoom:
		if g.room != nil {
			g.room.Close(now, photon.ReturnOk, m.text)
		}
	case kick:
		m.run()
	case call:
		if h := g.host.Load(); h != nil {
			h.Run(m.run)
		}
	}
}

func (g *game) pause() {
	if h := g.host.Load(); h != nil {
		h.Pause()
	}
}

// disconnected says that a peer is gone, without a Leave or in the middle of its
// entry.
func (g *game) disconnected(now time.Duration, m *message) {
	p := m.peer
	if next := p.game.Load(); next != nil && next != g {
		next.fiber.PostAlways(*m) // it has gone on to another room meanwhile
		return
	}
	if p.entry != nil {
		p.entry.Abort()
		g.forget(p)
	}
	if p.seat != nil && g.room != nil {
		seat := p.seat
		p.seat = nil
		g.room.Disconnected(now, seat, leaveReason(m.reason), m.reason.String())
	}
	p.held = nil
	g.waiting = slices.DeleteFunc(g.waiting, func(w message) bool { return w.peer == p })
}

// operation handles everything that a peer asks while it is bound to this room.
func (g *game) operation(now time.Duration, m *message) {
	p, r := m.peer, &m.request
	switch next := p.game.Load(); {
	case next == nil:
		// It failed to enter, or has left.
		p.Operation(r)
		return
	case next != g:
		next.fiber.PostAlways(*m)
		return
	case p.seat == nil:
		g.hold(p, r)
		return
	}
	switch r.Code {
	case photon.OpCreateGame, photon.OpJoinGame:
		p.refuseSecond(r)
	case photon.OpLeave, photon.OpRaiseEvent, photon.OpSetProperties, photon.OpGetProperties, photon.OpChangeGroups:
		if g.room == nil {
			p.refuseOutside(r)
			return
		}
		_ = g.room.Operation(now, p.seat, r) // the client was told
		if r.Code == photon.OpLeave && p.seat.ActorNr() == 0 {
			g.leftBehind(p)
			g.server.closeAfterLeave(p)
		}
	default:
		g.server.router.Route(p, r)
	}
}

// leaveGrace is how long a client may take to close its connection after it
// left: it must be the client who closes (loadbalancing.md 3.8).
const leaveGrace = 10 * time.Second

func (s *Server) closeAfterLeave(p *peer) {
	left := p.left.Add(1)
	time.AfterFunc(leaveGrace, func() {
		if p.game.Load() == nil && p.left.Load() == left {
			p.Close(transport.ReasonServerDisconnect)
		}
	})
}

// settle ends the fiber's turn: publishes what changed, sets the timer, and
// takes the name out of the registry when there is no room behind it.
func (g *game) settle() {
	if g.ended {
		return
	}
	s := g.server
	if g.room == nil {
		if len(g.waiting) > 0 {
			g.setTimer(g.waitEnd)
			return
		}
		g.end()
		g.uncount()
		return
	}
	if g.room.Done() {
		if h := g.host.Load(); h != nil {
			h.End() // before the name is free
		}
		g.end()
		if g.counted {
			s.log.Debug().Str("app", appName(g.key.app)).Str("room", g.key.name).Msg("room closed")
		}
		g.uncount()
		waiting := g.waiting
		g.waiting = nil
		for i := range waiting {
			g.afterEnd(&waiting[i])
		}
		return
	}
	if record := g.room.Changed(); record != nil && g.counted {
		g.record.Store(record)
		s.opt.Directory.Upsert(record)
	}
	at := g.room.Deadline()
	if len(g.waiting) > 0 {
		at = min(at, g.waitEnd)
	}
	if at != room.Never {
		g.setTimer(at)
	}
}

// end takes the name out of the registry. Peers that reach this game
// afterwards are sent on by afterEnd.
func (g *game) end() {
	g.ended = true
	g.record.Store(nil)
	g.stopTimer()
	s := g.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.games[g.key] == g {
		delete(s.games, g.key)
	}
}

// uncount tells masters of the room's end, after end.
func (g *game) uncount() {
	s := g.server
	if g.counted {
		g.counted = false
		s.opt.Directory.Remove(g.key.app, g.key.name)
		s.rooms.Add(-1)
	}
	s.checkEmpty()
}

// afterEnd handles what was under way to a room when it ended: a join must not
// enter it, but finds the name free (loadbalancing-rooms.md 1.7).
func (g *game) afterEnd(m *message) {
	switch m.kind {
	case enter:
		if !g.server.enter(m.peer, m.request) {
			g.release(m.peer)
		}
	case operation:
		// In order behind the enter that was sent on.
		if next := m.peer.game.Load(); next != nil && next != g {
			next.fiber.PostAlways(*m)
			return
		}
		g.leftBehind(m.peer)
		m.peer.Operation(&m.request)
	case disconnected:
		if next := m.peer.game.Load(); next != nil && next != g {
			next.fiber.PostAlways(*m)
		}
	case kick:
		m.run() // finds nobody
	}
}

// crash ends a room whose code panicked. Its players are disconnected, other
// rooms notice nothing.
func (g *game) crash(x any) {
	g.server.log.Error().Str("app", appName(g.key.app)).Str("room", g.key.name).
		Str("panic", fmt.Sprint(x)).Bytes("stack", debug.Stack()).Msg("room crashed and was closed")
	if !g.ended {
		g.end() // first: whoever comes now finds the name free
	}
	g.uncount()
	for p := range g.entering {
		g.forget(p)
		p.held = nil
		g.leftBehind(p)
		sink{p}.Disconnect(photon.ReturnInternalServerError, "the room had an internal error")
	}
	waiting := g.waiting
	g.waiting = nil
	for i := range waiting {
		g.refuse(&waiting[i], app.Fail(photon.ReturnInternalServerError, "the room had an internal error"))
	}
	if r := g.room; r != nil {
		g.room = nil
		// What crashed may be too broken even to be closed.
		defer func() {
			if x := recover(); x != nil {
				g.server.log.Error().Str("room", g.key.name).Str("panic", fmt.Sprint(x)).Msg("crashed room could not be closed")
			}
		}()
		if h := g.host.Load(); h != nil {
			h.Abandon()
		}
		r.Close(g.server.now(), photon.ReturnInternalServerError, "the room had an internal error")
	}
}

// close ends the fiber, and what a room that is not over has left.
func (g *game) close() {
	if h := g.host.Load(); h != nil {
		h.Cancel() // a web call may hold the fiber
	}
	g.fiber.Close()
	g.stopTimer()
	if h := g.host.Load(); h != nil {
		h.Abandon()
	}
}

// setTimer posts a tick at a time of the server's clock.
func (g *game) setTimer(at time.Duration) {
	g.timerMu.Lock()
	defer g.timerMu.Unlock()
	if g.timer != nil && g.timerAt == at {
		return
	}
	if g.timer != nil {
		g.timer.Stop()
	}
	g.timerAt = at
	g.timer = time.AfterFunc(max(at-g.server.now(), 0), func() {
		g.timerMu.Lock()
		g.timerAt = 0
		g.timerMu.Unlock()
		g.fiber.PostAlways(message{kind: tick})
	})
}

func (g *game) stopTimer() {
	g.timerMu.Lock()
	defer g.timerMu.Unlock()
	if g.timer != nil {
		g.timer.Stop()
	}
}

// sink is a peer as its room sees it.
type sink struct{ *peer }

// Disconnect implements room.Sink.
func (s sink) Disconnect(rc photon.ReturnCode, text string) {
	s.peer.Disconnect(rc, text, transport.ReasonServerDisconnect)
}

func appName(key string) string {
	for i := range len(key) {
		if key[i] == 0 {
			return key[:i] + "/" + key[i+1:]
		}
	}
	return key
}
