package gameserver

import (
	"time"

	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/auth"
	"github.com/boson-project/boson/pkg/lobby"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/room"
	"github.com/boson-project/boson/pkg/transport"
)

// This file is the way into a room: which one a request is for, who may create it,
// and who waits for whom.

// enter sends a create or join request to its room. False: it was refused.
func (s *Server) enter(p *peer, r photon.Request) bool {
	op := app.OpOf(&r)
	name, _, err := r.String(photon.ParamRoomName)
	if err == nil && name == "" {
		if r.Code == photon.OpCreateGame {
			// Clients repeat the name that the master made; who comes with none gets
			// one here (loadbalancing-operations.md 3.6).
			name = auth.NewID()
		} else {
			err = photon.Missing(photon.ParamRoomName)
		}
	}
	if err == nil && len(name) > maxRoomName {
		err = photon.BadParam(photon.ParamRoomName, "has %d bytes, at most %d", len(name), maxRoomName)
	}
	if err != nil {
		app.RespondError(p, op, err)
		return false
	}
	k := gameKey{p.appKey, name}
	s.mu.Lock()
	g := s.games[k]
	if g == nil {
		g = s.newGame(k)
		s.games[k] = g
	}
	p.game.Store(g)
	s.mu.Unlock()
	if !g.fiber.Post(message{kind: enter, peer: p, request: r}) {
		p.game.Store(nil)
		p.Respond(op, photon.ReturnServerFull, "the room can't keep up", nil)
		return false
	}
	if !p.gate.Authenticated() {
		// It was closed meanwhile, when it may have been in no room that could hear of it.
		g.fiber.PostAlways(message{kind: disconnected, peer: p, reason: transport.ReasonConnectionLost})
	}
	return true
}

// maxRoomName is the longest room name in bytes (loadbalancing.md 10).
const maxRoomName = 256

// enter handles a create or join request.
func (g *game) enter(now time.Duration, m *message) {
	if g.room != nil {
		// A room whose time is over must not be entered: the name is free, or will
		// be when its plugin has let go of it.
		g.room.Tick(now)
		switch {
		case g.room.Done():
			g.settle()
			g.afterEnd(m)
		case g.room.Open():
			g.join(now, m)
		default:
			g.wait(now, m, pluginWait)
		}
		return
	}
	mode, _, err := m.request.Byte(photon.ParamJoinMode)
	if err != nil {
		g.refuse(m, err)
		return
	}
	creates := m.request.Code == photon.OpCreateGame || photon.JoinMode(mode) == photon.CreateIfNotExists
	if !creates && len(g.waiting) == 0 {
		plugins := g.server.plugins(m.peer.token)
		creates = plugins != nil && plugins.Load.allows(photon.JoinMode(mode))
	}
	reserved := g.takeReservation(creates)
	switch {
	case creates && reserved:
		g.create(now, m)
	case creates:
		// Not announced by a master: the room that the client was sent to has
		// just ended, or the announcement has run out. Ask.
		if len(g.waiting) == 0 {
			key := g.key
			g.server.opt.Directory.RequestPlacement(key.app, key.name, func(answer Reserve) {
				g.fiber.PostAlways(message{kind: placed, answer: answer})
			})
		}
		g.wait(now, m, creatorWait)
	case reserved, len(g.waiting) > 0:
		g.wait(now, m, creatorWait)
	default:
		g.refuse(m, app.Fail(photon.ReturnGameDoesNotExist, "room does not exist"))
	}
}

// takeReservation says whether the name is reserved, and uses the reservation
// up when the room is about to be created.
func (g *game) takeReservation(use bool) bool {
	s := g.server
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.reservations[g.key]
	if !ok || now > r.until {
		return false
	}
	if use {
		delete(s.reservations, g.key)
		g.lobby = r.lobby
	}
	return true
}

// lobbyOf is where the room belongs: where the master put it, for clients
// repeat a lobby only if they named one; without a master's word, where the
// request says.
func (g *game) lobbyOf(r *photon.Request) lobby.ID {
	if g.lobby != (lobby.ID{}) {
		return g.lobby
	}
	name, _, _ := r.String(photon.ParamLobbyName)
	typ, _, _ := r.Byte(photon.ParamLobbyType)
	id, err := lobby.ParseID(name, typ)
	if err != nil {
		return lobby.ID{}
	}
	return id
}

func (g *game) wait(now time.Duration, m *message, limit time.Duration) {
	if len(g.waiting) == 0 {
		g.waitEnd = now + limit
	}
	g.waiting = append(g.waiting, *m)
}

// placed continues with a master's answer to RequestPlacement.
func (g *game) placed(now time.Duration, m *message) {
	if g.room != nil || len(g.waiting) == 0 {
		return
	}
	if m.answer != Reserved || g.server.draining.Load() {
		g.refuseWaiting(m.answer)
		return
	}
	first := g.waiting[0]
	g.waiting = g.waiting[1:]
	g.create(now, &first)
}

// refuseWaiting turns those away who wait for a room that will not be here. why is
// what a master said of the name, or would have: who wants to create hears it,
// everybody else that there is no such room here.
func (g *game) refuseWaiting(why Reserve) {
	waiting := g.waiting
	g.waiting = nil
	for i := range waiting {
		err := app.Fail(photon.ReturnGameDoesNotExist, "room does not exist")
		switch {
		case waiting[i].request.Code != photon.OpCreateGame:
		case why == Exists:
			err = app.Fail(photon.ReturnGameIDAlreadyExists, "a room with this name exists on another server")
		default:
			err = app.Fail(photon.ReturnServerFull, "no master lets this server create the room now")
		}
		g.refuse(&waiting[i], err)
	}
}

func (g *game) create(now time.Duration, m *message) {
	if g.server.stopping.Load() {
		g.refuse(m, app.Fail(photon.ReturnServerFull, "the server is stopping"))
		return
	}
	wall := time.Now()
	id := room.ID{App: g.key.app, Name: g.key.name, Lobby: g.lobbyOf(&m.request), Created: wall.UnixMilli(), Incarnation: wall.UnixNano()}
	r, err := g.newRoom(m, id)
	if err != nil {
		g.refuse(m, err)
		g.notCreated(id)
		return
	}
	g.room = r
	p := m.peer
	entry := r.Create(now, &m.request, g.joiner(p), func(seat *room.Seat, err error) {
		g.decided(p, seat) // the room has answered
		if err != nil {
			g.notCreated(id)
			return
		}
		g.created()
	})
	if entry.Pending() {
		g.undecided(p, entry)
		if len(g.waiting) > 0 {
			g.waitEnd = now + pluginWait
		}
	}
}

// undecided keeps the entry of a peer that the room's plugin is being asked about,
// until decided.
func (g *game) undecided(p *peer, e *room.Entry) {
	p.entry = e
	if g.entering == nil {
		g.entering = map[*peer]struct{}{}
	}
	g.entering[p] = struct{}{}
}

// decided goes on with a peer whose entry was answered: it has a seat now, or not.
func (g *game) decided(p *peer, seat *room.Seat) {
	g.forget(p)
	p.seat = seat
	g.release(p)
}

func (g *game) forget(p *peer) {
	p.entry = nil
	delete(g.entering, p)
}

// maxHeld operations of one client before its entry is answered.
const maxHeld = 100

// hold keeps an operation of a peer whose entry is not decided.
func (g *game) hold(p *peer, r *photon.Request) {
	if len(p.held) >= maxHeld {
		p.Disconnect(photon.ReturnOperationLimitReached, "too many operations at once", transport.ReasonRateLimit)
		return
	}
	p.held = append(p.held, *r)
}

// release goes on with what was held: what needs a room came too early, and a
// second attempt to enter counts if the first one failed. A peer without a seat may
// enter another room then.
func (g *game) release(p *peer) {
	for len(p.held) > 0 {
		r := p.held[0]
		p.held = p.held[1:]
		switch r.Code {
		case photon.OpCreateGame, photon.OpJoinGame:
			if p.seat != nil {
				p.refuseSecond(&r)
			} else if g.server.enter(p, r) {
				return // the rest waits for that
			}
		case photon.OpLeave, photon.OpRaiseEvent, photon.OpSetProperties, photon.OpGetProperties, photon.OpChangeGroups:
			p.refuseOutside(&r)
		default:
			g.server.router.Route(p, &r)
		}
	}
	p.held = nil
	if p.seat == nil {
		g.leftBehind(p)
	}
}

// notCreated follows a failed creation. A master that reserved the name hears so
// too: of a room that is over.
func (g *game) notCreated(id room.ID) {
	d := g.server.opt.Directory
	d.Upsert(&lobby.Record{App: id.App, Name: id.Name, Lobby: id.Lobby, Closing: true, Created: id.Created, Incarnation: id.Incarnation})
	d.Remove(id.App, id.Name)
	if len(g.waiting) > 0 {
		g.refuseWaiting(Refused)
	}
}

// created lets those in who waited for the room.
func (g *game) created() {
	g.counted = true
	g.server.rooms.Add(1)
	g.server.log.Debug().Str("app", appName(g.key.app)).Str("room", g.key.name).Str("plugin", g.room.Plugin()).Msg("room created")
	waiting := g.waiting
	g.waiting = nil
	for i := range waiting {
		g.enter(g.server.now(), &waiting[i])
	}
}

func (g *game) join(now time.Duration, m *message) {
	p := m.peer
	entry := g.room.Join(now, &m.request, g.joiner(p), func(seat *room.Seat, _ error) {
		g.decided(p, seat)
	})
	if entry.Pending() {
		g.undecided(p, entry)
	}
}

func (g *game) joiner(p *peer) room.Joiner {
	return room.Joiner{Sink: sink{p}, UserID: p.token.UserID, Nickname: p.token.Nickname, SessionID: p.token.SessionID}
}

// leftBehind lets a peer enter another room: it left this one, or failed to enter it.
func (g *game) leftBehind(p *peer) {
	p.seat = nil
	p.game.CompareAndSwap(g, nil)
}

func (g *game) refuse(m *message, err error) {
	app.RespondError(m.peer, app.OpOf(&m.request), err)
	g.release(m.peer)
}
