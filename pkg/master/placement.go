package master

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/boson-project/boson/pkg/lobby"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/s2s"
)

const (
	// reserveTimeout is how long a game server or master may take to answer,
	// placeTries how many game servers are asked (cluster.md 14).
	reserveTimeout = 500 * time.Millisecond
	placeTries     = 3
	// grantTimeout is how long masters may take to agree on a name that a game
	// server asks for: it waits half a second.
	grantTimeout = 400 * time.Millisecond
)

// placement is the search for a game server that will take a reserved name. It
// belongs to the application's fiber. Nobody is sent to a server before that
// server has said yes: else two of them could end up with a room of one name.
type placement struct {
	app   *application
	match lobby.Match
	tried []string
	// claim says that the other masters must agree: not to a name that was made
	// here, which nobody else can know.
	claim bool
	// yielded is the master whose claim of the name was made at the same time and
	// goes before; after the others have agreed none does.
	yielded string
	agreed  bool
	// waiting are the client that the name was reserved for, first, and those who
	// asked for the same room meanwhile.
	waiting []*ask
}

// place begins the search.
func (s *Server) place(now time.Time, k *ask, match lobby.Match) {
	pl := &placement{app: k.app, match: match, claim: (k.q.name != "" || match.Load) && !s.masters.alone()}
	k.app.placing[match.Room] = pl
	pl.add(now, k)
	s.askNext(pl)
}

// awaitPlacement lets a client wait for a room that a game server is being
// found for.
func (k *ask) awaitPlacement(now time.Time, room string) {
	pl := k.app.placing[room]
	if pl == nil || len(pl.waiting) >= maxWaiting {
		k.finish(now, s2s.Decision{Code: photon.ReturnServerFull, Text: "the room has no game server yet"})
		return
	}
	pl.add(now, k)
}

func (pl *placement) add(now time.Time, k *ask) {
	k.wait(now)
	pl.waiting = append(pl.waiting, k)
}

// askNext chooses the next game server and asks the other masters to agree. It
// runs on the fiber; the questions do not.
func (s *Server) askNext(pl *placement) {
	if pl.claim && !s.masters.ready() {
		pl.disagreed(time.Now(), Consent{})
		return
	}
	k := pl.waiting[0]
	server, ok := GameServer{}, false
	if known, is := s.servers.get(k.known); is {
		server, ok = known, len(pl.tried) == 0 // this one or none
	} else if len(pl.tried) < placeTries {
		server, ok = s.servers.choose(k.kind, k.client, pl.tried)
	}
	if !ok {
		now := time.Now()
		pl.app.lobby.Release(now, pl.match.Room, pl.match.Reservation)
		pl.end(now, func(k *ask) {
			k.answer(s2s.Decision{Code: photon.ReturnServerFull, Text: "no game server can take the room now"})
		})
		return
	}
	pl.tried = append(pl.tried, server.ID)
	r := Reservation{App: pl.app.key, Room: pl.match.Room, Lobby: pl.match.Lobby, User: k.user}
	_, _ = rand.Read(r.Placement[:]) // never fails, see crypto/rand
	if !pl.claim {
		s.reserve(pl, server, r)
		return
	}
	pl.agreed = false
	s.asking.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), reserveTimeout)
		defer cancel()
		consent := s.masters.claim(ctx, r.claim(server.ID))
		s.post(pl.app.key, func(_ *application, now time.Time) {
			if pl.yielded != "" || !consent.Given {
				s.masters.result(&r, false)
				pl.disagreed(now, consent)
				return
			}
			pl.agreed = true
			s.reserve(pl, server, r)
		})
	})
}

// reserve asks the game server to expect the client: not before the masters have
// agreed, since whoever comes there then may create the room.
func (s *Server) reserve(pl *placement, server GameServer, r Reservation) {
	s.asking.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), reserveTimeout)
		defer cancel()
		result, err := server.Reserve(ctx, r)
		s.post(pl.app.key, func(_ *application, now time.Time) { s.reserved(now, pl, server, r, result, err) })
	})
}

// claim is what the other masters are asked.
func (r *Reservation) claim(server string) *s2s.Claim {
	return &s2s.Claim{App: r.App, Room: r.Room, Server: server, Placement: r.Placement, TTL: claimTTL}
}

// reserved continues with a game server's answer.
func (s *Server) reserved(now time.Time, pl *placement, server GameServer, r Reservation, result ReserveResult, err error) {
	release := func() {
		server.Release(r)
		if pl.claim {
			s.masters.result(&r, false)
		}
	}
	if err != nil || result == ReserveRefused {
		s.log.Debug().Err(err).Str("room", pl.match.Room).Str("gameserver", server.ID).Msg("game server did not reserve")
		release() // without an answer it may have, without our hearing of it
		s.askNext(pl)
		return
	}
	nobody := true
	for _, k := range pl.waiting {
		nobody = nobody && k.gone()
	}
	switch {
	case nobody:
		release()
		pl.app.lobby.Release(now, pl.match.Room, pl.match.Reservation)
		pl.end(now, func(*ask) {})
	case !pl.app.lobby.Place(now, pl.match.Room, pl.match.Reservation, server.ID):
		// The room has come to be meanwhile, or has ended.
		release()
		pl.again(now)
	default:
		// ReserveExists: the room is there already, its record is on the way. A
		// client that wanted to create it learns so from the game server.
		pl.placed(now, server.ID, &r)
	}
}

// placed sends all who wait to the game server.
func (pl *placement) placed(now time.Time, server string, r *Reservation) {
	if pl.claim {
		pl.app.claims[pl.match.Room] = claim{server: server, placement: r.Placement, until: now.Add(claimTTL), given: true}
		pl.app.server.masters.result(r, true)
	}
	pl.end(now, func(k *ask) { k.answer(s2s.Decision{Room: pl.match.Room, Server: server}) })
}

// disagreed gives a name up that another master has, or may have.
func (pl *placement) disagreed(now time.Time, consent Consent) {
	pl.app.lobby.Release(now, pl.match.Room, pl.match.Reservation)
	if pl.yielded == "" && consent.Certain {
		pl.end(now, func(k *ask) { k.answer(k.taken(pl.match.Room, consent.Server)) })
		return
	}
	for _, k := range pl.waiting {
		k.known = ""
		if k.q.name == pl.match.Room {
			k.known = consent.Server
		}
	}
	pl.again(now)
}

// again has all who wait decide anew in a moment.
func (pl *placement) again(now time.Time) {
	delete(pl.app.placing, pl.match.Room)
	for _, k := range pl.waiting {
		k.retry(now)
	}
}

// end answers all who wait, in the order in which they asked, and lets them go on.
func (pl *placement) end(now time.Time, answer func(*ask)) {
	delete(pl.app.placing, pl.match.Room)
	for _, k := range pl.waiting {
		answer(k)
	}
	for _, k := range pl.waiting {
		k.end(now)
	}
}

// RequestPlacement says whether a game server may create a room that was not
// reserved there, and reserves the name for it: nobody else has it
// (cluster.md 12.3). The game server has told before of all rooms that ended. The
// answer is ReserveExists if the name is taken elsewhere, and ReserveRefused where
// that is not certain or there may be no more rooms. answer is called once, from
// the application's fiber.
func (s *Server) RequestPlacement(id, appKey, name string, answer func(ReserveResult)) {
	s.grant(grant{id, appKey, name, time.Now().Add(grantTimeout), answer})
}

// grant is a game server's question for a name.
type grant struct {
	server, app, room string
	until             time.Time
	answer            func(ReserveResult)
}

func (s *Server) grant(g grant) {
	s.post(g.app, func(a *application, now time.Time) {
		if server, record, ok := a.lobby.Lookup(g.room); ok {
			switch {
			case server == g.server && record.Reserved:
				g.answer(ReserveOk)
			case server == "" && record.Reserved:
				s.grantLater(now, g) // it is being placed, maybe there
			default:
				g.answer(ReserveExists)
			}
			return
		}
		if c, ok := a.claimed(now, g.room); ok {
			switch {
			case c.given:
				g.answer(g.as(c.server))
				return
			case c.orphan && c.server != g.server:
				g.answer(ReserveRefused)
				return
			case !c.orphan:
				s.grantLater(now, g)
				return
			}
		}
		match, err := a.lobby.Create(now, lobby.CreateRequest{Name: g.room})
		if err == nil && !a.takeRoom(a.usage.appID) {
			a.lobby.Release(now, match.Room, match.Reservation)
			err = &lobby.Error{Code: photon.ReturnServerFull, Text: "the application has as many rooms as it may"}
		}
		if err != nil {
			g.answer(ReserveRefused)
			return
		}
		pl := &placement{app: a, match: match, claim: true}
		a.placing[g.room] = pl
		r := Reservation{App: g.app, Room: g.room}
		if s.masters.alone() {
			s.granted(now, pl, g, &r, Consent{Given: true})
			return
		}
		_, _ = rand.Read(r.Placement[:]) // never fails, see crypto/rand
		s.asking.Go(func() {
			ctx, cancel := context.WithDeadline(context.Background(), g.until)
			defer cancel()
			consent := s.masters.claim(ctx, r.claim(g.server))
			s.post(g.app, func(_ *application, now time.Time) { s.granted(now, pl, g, &r, consent) })
		})
	})
}

// as is the answer when a game server has the name for certain.
func (g *grant) as(server string) ReserveResult {
	if server == g.server {
		return ReserveOk
	}
	return ReserveExists
}

// granted continues with the other masters' answer.
func (s *Server) granted(now time.Time, pl *placement, g grant, r *Reservation, consent Consent) {
	if pl.yielded == "" && consent.Given {
		ok := pl.app.lobby.Place(now, g.room, pl.match.Reservation, g.server)
		if ok {
			g.answer(ReserveOk)
			pl.placed(now, g.server, r)
			return
		}
		g.answer(ReserveRefused)
	}
	s.masters.result(r, false)
	certain := pl.yielded == "" && consent.Certain
	pl.disagreed(now, consent)
	switch {
	case consent.Given && pl.yielded == "": // answered
	case certain:
		g.answer(g.as(consent.Server))
	default:
		s.grantLater(now, g)
	}
}

// grantLater decides again in a moment.
func (s *Server) grantLater(now time.Time, g grant) {
	if !now.Before(g.until) {
		g.answer(ReserveRefused)
		return
	}
	time.AfterFunc(retryDelay, func() { s.grant(g) })
}
