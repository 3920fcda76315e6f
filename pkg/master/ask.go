package master

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/lobby"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/s2s"
	"github.com/boson-project/boson/pkg/transport"
)

const (
	// decideTimeout is how long a client waits for masters to agree; one whose
	// operation another master passed on waits a little less (cluster.md 14).
	decideTimeout  = 3 * time.Second
	foreignTimeout = decideTimeout - 500*time.Millisecond
	// retryDelay is the pause before an operation is tried again: what was in the
	// way is a matter of milliseconds.
	retryDelay = 20 * time.Millisecond
)

// ask is a client's CreateGame, JoinGame or JoinRandomGame on its way to a game
// server: of a client of this master, or of another master's. It belongs to the
// application's fiber.
type ask struct {
	server  *Server
	app     *application
	op      app.Op
	request photon.Request // as it came, for another master
	q       roomRequest
	random  lobby.RandomRequest // of JoinRandomGame

	user    string
	session uint64
	kind    transport.Kind
	client  netip.Addr

	peer  *peer              // of a client of this master
	reply func(s2s.Decision) // of another master's client

	waits bool // it is counted in app.asks
	until time.Time
	asked bool // it was decided again after a refusal: see doubts
	// known is the game server that may have the name already.
	known string
}

// ask makes the ask of a client of this master.
func (p *request) ask(r *photon.Request, q roomRequest) *ask {
	return &ask{
		server: p.server, app: p.app, op: app.OpOf(r), request: *r, q: q, peer: p.peer,
		user: p.token.UserID, session: lobby.Session(p.token.SessionID), kind: p.Info().Kind, client: p.Info().Remote.Addr(),
	}
}

func (k *ask) gone() bool { return k.peer != nil && k.peer.gone }

// wait keeps the client's later operations behind this one.
func (k *ask) wait(now time.Time) {
	if k.waits {
		return
	}
	k.waits = true
	k.app.asks++
	k.until = now.Add(decideTimeout)
	if k.peer == nil {
		k.until = now.Add(foreignTimeout)
	} else {
		k.peer.busy = true
	}
}

// answer tells the client, end lets it go on. Where several wait for one thing,
// all are answered before the first goes on, so that answers keep their order.
func (k *ask) answer(d s2s.Decision) {
	switch {
	case k.peer == nil:
		k.reply(d)
	case k.peer.gone:
	case d.Code != photon.ReturnOk:
		k.peer.Respond(k.op, d.Code, d.Text, nil)
	default:
		k.server.sendToServer(k.peer, k.op, d.Room, d.Server)
	}
}

func (k *ask) end(now time.Time) {
	if !k.waits {
		return
	}
	k.waits = false
	k.app.asks--
	if k.peer != nil && !k.peer.gone {
		k.peer.resume(now)
	}
}

func (k *ask) finish(now time.Time, d s2s.Decision) {
	k.answer(d)
	k.end(now)
}

// failed is the decision that an error makes.
func failed(err error) s2s.Decision {
	var le *lobby.Error
	var pe *photon.ParamError
	switch {
	case errors.As(err, &le):
		return s2s.Decision{Code: le.Code, Text: le.Text}
	case errors.As(err, &pe):
		return s2s.Decision{Code: pe.Code, Text: pe.Error()}
	}
	return s2s.Decision{Code: photon.ReturnInternalServerError, Text: "internal server error"}
}

// taken is the decision for a name that has a game server already.
func (k *ask) taken(room, server string) s2s.Decision {
	if k.op.Code == photon.OpCreateGame || k.op.Code == photon.OpJoinRandomGame && k.q.name == room {
		return failed(&lobby.Error{Code: photon.ReturnGameIDAlreadyExists, Text: "a room with this name exists"})
	}
	return s2s.Decision{Room: room, Server: server}
}

// decide finds the room. What this master knows it answers by itself; a room of a
// new name is the owner's to give, and a room for random players the lobby's owner's,
// so that players of several masters meet.
func (k *ask) decide(now time.Time) {
	if k.gone() {
		k.end(now)
		return
	}
	var match lobby.Match
	var err error
	l := k.app.lobby
	switch k.op.Code {
	case photon.OpCreateGame:
		if k.q.name != "" && l.Free(k.q.name) && k.elsewhere(now) {
			return
		}
		match, err = l.Create(now, lobby.CreateRequest{
			User: k.user, Name: k.q.name, Lobby: k.q.lobby, Expected: k.q.expected, Options: k.q.options,
		})
	case photon.OpJoinGame:
		q := lobby.JoinRequest{
			User: k.user, Name: k.q.name, Mode: k.q.mode, Session: k.session, Lobby: k.q.lobby, Expected: k.q.expected, Options: k.q.options,
		}
		if l.Reserves(q) && k.elsewhere(now) || !l.Reserves(q) && k.onTheWay(now) {
			return
		}
		match, err = l.Join(now, q)
	default:
		q := k.random
		if q.Create && !k.waits && l.Unconfirmed(k.q.lobby) {
			q.Create = false // at first: see doubts
		} else if q.Create && k.peer != nil && !k.server.masters.alone() {
			q.Create = false
			match, err = l.JoinRandom(now, q)
			var le *lobby.Error
			if !errors.As(err, &le) || le.Code != photon.ReturnNoRandomMatchFound {
				break
			}
			if owner := k.server.masters.owner(lobbyKey(k.app.key, k.q.lobby)); owner != nil {
				k.forward(now, owner)
				return
			}
			q.Create = true
		}
		match, err = l.JoinRandom(now, q)
	}
	switch {
	case err != nil && k.doubts(now, err):
		k.asked = true
		k.retry(now)
	case err != nil:
		k.finish(now, failed(err))
	case match.Reservation != 0 && !k.app.takeRoom(k.app.usage.appID):
		l.Release(now, match.Room, match.Reservation)
		k.finish(now, s2s.Decision{Code: photon.ReturnServerFull, Text: "the application has as many rooms as it may"})
	case match.Reservation != 0:
		k.server.place(now, k, match)
	case match.Server == "":
		k.awaitPlacement(now, match.Room)
	default:
		k.finish(now, s2s.Decision{Room: match.Room, Server: match.Server})
	}
}

// doubts says whether a refusal may be out of date: a player can hear from another
// that a room was created, left or opened before the game server's word of it has
// come. Then the room is looked for once more, a moment later.
func (k *ask) doubts(now time.Time, err error) bool {
	var le *lobby.Error
	if k.asked || k.waits && !now.Before(k.until) || !errors.As(err, &le) {
		return false
	}
	switch le.Code {
	case photon.ReturnNoRandomMatchFound:
		return k.app.lobby.HasRooms(k.q.lobby)
	case photon.ReturnGameFull, photon.ReturnGameClosed, photon.ReturnGameIDAlreadyExists:
		return true
	}
	return false
}

// lobbyKey is what rendezvous hashing takes for a lobby (cluster.md 14.2).
func lobbyKey(app string, id lobby.ID) string {
	return app + "\x00lobby\x00" + id.Name + "\x00" + string(rune('0'+id.Type))
}

// onTheWay sends a join to where another master has sent the room's creator, or
// lets it wait until that is decided.
func (k *ask) onTheWay(now time.Time) bool {
	if !k.app.lobby.Free(k.q.name) {
		return false
	}
	c, ok := k.app.claimed(now, k.q.name)
	switch {
	case !ok:
		return false
	case c.given:
		k.finish(now, k.taken(k.q.name, c.server))
	case c.orphan:
		k.known = c.server
		return false
	default:
		k.retry(now)
	}
	return true
}

// elsewhere says whether a name that is free here is another master's matter, and
// takes care of it then: it was given away, or belongs to that master.
func (k *ask) elsewhere(now time.Time) bool {
	if k.server.masters.alone() {
		return false
	}
	if k.onTheWay(now) {
		return true
	}
	if k.peer == nil {
		return false // forwarded once
	}
	owner := k.server.masters.owner(roomKey(k.app.key, k.q.name))
	if owner == nil {
		return false
	}
	k.forward(now, owner)
	return true
}

// forward lets another master decide.
func (k *ask) forward(now time.Time, owner *Master) {
	k.wait(now)
	s := k.server
	s.masters.forwarded.Add(1)
	f := &s2s.Forward{
		App: k.app.key, User: k.user, Session: k.session, Request: k.request, Lobby: k.q.lobby, Transport: byte(k.kind), Client: k.client,
	}
	s.asking.Go(func() {
		ctx, cancel := context.WithDeadline(context.Background(), k.until)
		defer cancel()
		d, err := owner.Forward(ctx, f)
		s.post(k.app.key, func(_ *application, now time.Time) {
			if err != nil {
				s.log.Debug().Err(err).Str("master", owner.ID).Msg("another master did not decide")
				k.retry(now)
				return
			}
			k.finish(now, d)
		})
	})
}

// retry decides again in a moment: masters did not agree, or one was lost.
func (k *ask) retry(now time.Time) {
	k.wait(now)
	switch {
	case k.gone():
		k.end(now)
	case now.Before(k.until):
		time.AfterFunc(retryDelay, func() {
			k.server.post(k.app.key, func(_ *application, now time.Time) { k.decide(now) })
		})
	default:
		k.finish(now, s2s.Decision{Code: photon.ReturnServerFull, Text: "the masters of this region do not agree on the room; try again"})
	}
}

// Decide decides an operation of another master's client. answer is called once,
// from the application's fiber.
func (s *Server) Decide(f *s2s.Forward, answer func(s2s.Decision)) {
	s.post(f.App, func(a *application, now time.Time) {
		k := &ask{
			server: s, app: a, op: app.OpOf(&f.Request), request: f.Request, user: f.User, session: f.Session,
			kind: transport.Kind(f.Transport), client: f.Client, reply: answer,
		}
		var err error
		switch f.Request.Code {
		case photon.OpCreateGame, photon.OpJoinGame:
			k.q, err = readRoomRequest(&f.Request, photon.ParamGameProperties)
		case photon.OpJoinRandomGame:
			k.q, k.random, err = readRandomRequest(&f.Request)
			k.random.User, k.random.Session = f.User, f.Session
		default:
			err = &lobby.Error{Code: photon.ReturnInvalidOperation, Text: "not an operation that masters pass on"}
		}
		if err != nil {
			answer(failed(err))
			return
		}
		k.q.lobby, k.random.Lobby = f.Lobby, f.Lobby
		k.decide(now)
	})
}
