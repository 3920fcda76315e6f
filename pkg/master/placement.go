package master

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/lobby"
	"github.com/boson-project/boson/pkg/photon"
)

const (
	// reserveTimeout is how long a game server may take to answer, placeTries
	// how many are asked (cluster.md 14).
	reserveTimeout = 500 * time.Millisecond
	placeTries     = 3
)

// placement is the search for a game server that will take a reserved name. It
// belongs to the application's fiber. Nobody is sent to a server before that
// server has said yes: else two of them could end up with a room of one name.
type placement struct {
	app   *application
	match lobby.Match
	tried []string
	// waiting are the client that the name was reserved for, first, and those who
	// asked for the same room meanwhile.
	waiting []waiter
}

type waiter struct {
	peer *peer
	op   app.Op
}

// place begins the search.
func (s *Server) place(p *peer, op app.Op, match lobby.Match) {
	pl := &placement{app: p.app, match: match}
	p.app.placing[match.Room] = pl
	pl.add(p, op)
	s.askNext(pl)
}

// awaitPlacement lets a client wait for a room that a game server is being
// found for.
func (a *application) awaitPlacement(p *peer, op app.Op, room string) {
	pl := a.placing[room]
	if pl == nil || len(pl.waiting) >= maxWaiting {
		p.Respond(op, photon.ReturnServerFull, "the room has no game server yet", nil)
		return
	}
	pl.add(p, op)
}

func (pl *placement) add(p *peer, op app.Op) {
	p.busy = true
	pl.waiting = append(pl.waiting, waiter{p, op})
}

// askNext asks the next game server to expect the client. It runs on the fiber;
// the question itself does not.
func (s *Server) askNext(pl *placement) {
	p := pl.waiting[0].peer
	server, ok := GameServer{}, false
	if len(pl.tried) < placeTries {
		server, ok = s.servers.choose(p.Info().Kind, p.Info().Remote.Addr(), pl.tried)
	}
	if !ok {
		pl.end(time.Now(), func(w waiter) {
			w.peer.Respond(w.op, photon.ReturnServerFull, "no game server can take the room now", nil)
		})
		pl.app.lobby.Release(time.Now(), pl.match.Room, pl.match.Reservation)
		return
	}
	pl.tried = append(pl.tried, server.ID)
	r := Reservation{App: pl.app.key, Room: pl.match.Room, Lobby: pl.match.Lobby, User: p.token.UserID}
	_, _ = rand.Read(r.Placement[:]) // never fails, see crypto/rand
	s.asking.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), reserveTimeout)
		defer cancel()
		result, err := server.Reserve(ctx, r)
		s.post(pl.app.key, func(_ *application, now time.Time) { s.asked(now, pl, server, r, result, err) })
	})
}

// asked continues with a game server's answer.
func (s *Server) asked(now time.Time, pl *placement, server GameServer, r Reservation, result ReserveResult, err error) {
	if err != nil || result == ReserveRefused {
		s.log.Debug().Err(err).Str("room", pl.match.Room).Str("gameserver", server.ID).Msg("game server did not reserve")
		if err != nil {
			server.Release(r) // it may have, without our hearing of it
		}
		s.askNext(pl)
		return
	}
	nobody := true
	for _, w := range pl.waiting {
		nobody = nobody && w.peer.gone
	}
	switch {
	case nobody:
		pl.end(now, nil)
		server.Release(r)
		pl.app.lobby.Release(now, pl.match.Room, pl.match.Reservation)
	case !pl.app.lobby.Place(now, pl.match.Room, pl.match.Reservation, server.ID):
		server.Release(r)
		pl.end(now, func(w waiter) {
			w.peer.Respond(w.op, photon.ReturnServerFull, "the room's reservation is over", nil)
		})
	default:
		// ReserveExists: the room is there already, its record is on the way. A
		// client that wanted to create it learns so from the game server.
		pl.end(now, func(w waiter) { s.sendToServer(w.peer, w.op, pl.match.Room, server.ID) })
	}
}

// end answers all who wait, in the order in which they asked, and lets them go on.
func (pl *placement) end(now time.Time, answer func(waiter)) {
	delete(pl.app.placing, pl.match.Room)
	for _, w := range pl.waiting {
		if !w.peer.gone {
			answer(w)
		}
	}
	for _, w := range pl.waiting {
		if !w.peer.gone {
			w.peer.resume(now)
		}
	}
}
