package master

import (
	"slices"
	"time"

	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/auth"
	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/lobby"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/secure"
	"github.com/boson-project/boson/pkg/transport"
	"github.com/boson-project/boson/pkg/webrpc"
)

// peer is one client of the master.
type peer struct {
	*app.Peer
	gate   auth.Gate
	server *Server

	// token and appKey are set before the gate opens and do not change.
	token  *secure.Token
	appKey string
	rpc    webrpc.Caller

	// What follows belongs to the application's fiber.
	app        *application
	gone       bool
	slot       int // of the application's slots
	lobbyStats bool
	came       time.Time // to the application; see settle
	// busy is set while an operation waits for a game server. Later operations
	// wait behind it, so that answers keep the order of the questions.
	busy     bool
	waiting  []photon.Request
	settling *settling // what the first of waiting waits for, if that is settle's
}

// maxWaiting operations behind one that waits for a game server.
const maxWaiting = 100

// request is an operation on the application's fiber: whom it came from, and
// when. It is what the router's functions get.
type request struct {
	*peer
	now time.Time
}

// Connect implements app.Application.
func (s *Server) Connect(p *app.Peer) app.Handler {
	mp := &peer{Peer: p, server: s}
	mp.gate.Start(p, s.opt.AuthTimeout)
	if raw := p.Info().Token; raw != nil {
		// AuthenticateOnce: the answer comes without a request (loadbalancing.md 3.4).
		mp.admitToken(app.Op{Code: photon.OpAuthenticateOnce}, false, func() (*secure.Token, error) {
			return s.opt.Auth.InitToken(p.Protocol(), raw, time.Now())
		})
	}
	return mp
}

// Operation implements app.Handler.
func (p *peer) Operation(r *photon.Request) {
	if !p.gate.Authenticated() {
		switch r.Code {
		case photon.OpAuthenticate, photon.OpAuthenticateOnce:
			app.Decode(p, r, p.server.authenticate)
		default:
			p.gate.Refuse(app.OpOf(r))
		}
		return
	}
	clone := r.Clone()
	p.server.post(p.appKey, func(_ *application, now time.Time) { p.operation(now, clone) })
}

// operation runs on the application's fiber.
func (p *peer) operation(now time.Time, r photon.Request) {
	if p.gone {
		return
	}
	if p.app == nil {
		p.gate.Refuse(app.OpOf(&r)) // it came before the application turned the peer away
		return
	}
	if p.busy {
		if len(p.waiting) >= maxWaiting {
			p.Disconnect(photon.ReturnOperationLimitReached, "too many operations at once", transport.ReasonRateLimit)
			return
		}
		p.waiting = append(p.waiting, r)
		return
	}
	p.server.router.Route(&request{p, now}, &r)
}

// resume goes on with the operations that waited.
func (p *peer) resume(now time.Time) {
	p.busy = false
	for len(p.waiting) > 0 && !p.busy {
		r := p.waiting[0]
		p.waiting = p.waiting[1:]
		p.operation(now, r)
	}
	if len(p.waiting) == 0 {
		p.waiting = nil
	}
}

const (
	// settleTime is how long after its coming to the master a client waits while
	// its user is in a room by another session: game servers tell of a leave within
	// some ten milliseconds. Afterwards it is another connection of that user.
	settleTime = 250 * time.Millisecond
	// endTime is how long it waits for the end of the room that it has left.
	endTime = 2 * time.Second
)

// settling is the wait of one operation for word of a leave.
type settling struct {
	callOff func() // what the lobby was asked to tell
	limit   *time.Timer
}

// settle says whether a create or join has to wait because the client may have
// left a room so recently that the master does not know yet. Without it a quick
// return would be taken for a second connection of the same user, for which that
// room is not open, and the name of a room that has just ended for taken. unsure
// says that the answer may hang on that, await calls a function when there is word
// of it, limit is how long after the client's coming it is worth waiting. The
// operation comes again.
func (s *Server) settle(p *request, r *photon.Request, limit time.Duration, unsure bool, await func(func()) (cancel func())) bool {
	left := limit - p.now.Sub(p.came)
	if !unsure || left <= 0 {
		return false
	}
	p.busy = true
	p.waiting = slices.Insert(p.waiting, 0, *r)
	peer, a, w := p.peer, p.app, &settling{}
	again := func() { // from any goroutine
		a.post(func(now time.Time) {
			if peer.settling == w {
				peer.stopSettling()
				peer.resume(now)
			}
		})
	}
	w.callOff = await(again)
	w.limit = time.AfterFunc(left, again)
	p.settling = w
	return true
}

func (p *peer) stopSettling() {
	if p.settling != nil {
		p.settling.callOff()
		p.settling.limit.Stop()
		p.settling = nil
	}
}

// settleUser is settle for an operation that hangs on the user's place in a room.
func (s *Server) settleUser(p *request, r *photon.Request, unsure bool) bool {
	return s.settle(p, r, settleTime, unsure, func(fn func()) func() { return p.app.lobby.AwaitUser(p.token.UserID, fn) })
}

// seated says that the client's user is in a room by another session.
func (p *request) seated() bool {
	return p.app.lobby.Seated(p.token.UserID, lobby.Session(p.token.SessionID))
}

// settleRoom is settle for one that hangs on the end of a room.
func (s *Server) settleRoom(p *request, r *photon.Request, name string) bool {
	l := p.app.lobby
	return s.settle(p, r, endTime, l.Ending(p.token.UserID, name), func(fn func()) func() { return l.AwaitRoom(name, fn) })
}

// Closed implements app.Handler.
func (p *peer) Closed(transport.Reason) {
	p.rpc.Close()
	if p.gate.Closed() {
		p.leave()
	}
}

// leave takes a peer out of its application.
func (p *peer) leave() {
	p.server.post(p.appKey, func(a *application, now time.Time) {
		if p.gone = true; p.app == nil {
			return
		}
		p.app = nil
		p.waiting = nil
		p.stopSettling()
		delete(a.peers, p)
		delete(a.slots[p.slot], p)
		a.lobby.LeaveLobby(p)
		a.lobby.UserDisconnected(now, selfMaster, p.token.UserID)
		if users := a.server.opt.Users; users != nil {
			users.Disconnected(a.key, p.token.UserID)
		}
	})
}

// selfMaster is how the lobby calls this master's own connections.
const selfMaster = ""

func (s *Server) authenticate(p *peer, op app.Op, req *auth.Request) {
	if req.Token != nil {
		p.admitToken(op, req.LobbyStats, func() (*secure.Token, error) { return s.opt.Auth.Open(req.Token, time.Now()) })
		return
	}
	if err := p.gate.Begin(); err != nil {
		app.RespondError(p, op, err)
		return
	}
	p.gate.Check(s.opt.Auth, op, req, func(token *secure.Token, data *gpbinary.Dictionary) {
		p.admit(op, req.LobbyStats, token, data)
	})
}

type authenticateAgain struct{}

// authenticateAgain answers a second Authenticate (LB-016).
func (s *Server) authenticateAgain(p *request, op app.Op, _ *authenticateAgain) {
	app.RespondError(p, op, p.gate.Begin())
}

// admitToken lets a peer in that another server has authenticated.
func (p *peer) admitToken(op app.Op, lobbyStats bool, open func() (*secure.Token, error)) {
	if err := p.gate.Begin(); err != nil {
		app.RespondError(p, op, err)
		return
	}
	token, err := open()
	if err == nil {
		err = p.useSecret(token)
	}
	if err != nil {
		p.gate.Fail(op, err)
		return
	}
	p.admit(op, lobbyStats, token, nil)
}

// admit lets a peer in whose identity is known. It may run on any goroutine,
// and the peer may be gone.
func (p *peer) admit(op app.Op, lobbyStats bool, token *secure.Token, data *gpbinary.Dictionary) {
	fresh, err := p.server.opt.Auth.Refresh(token, time.Now())
	if err != nil {
		p.gate.Fail(op, err)
		return
	}
	if err := p.EnterApp(token.AppID); err != nil {
		p.gate.Fail(op, err)
		return
	}
	p.token, p.appKey = token, p.server.opt.Auth.AppKey(token)
	// It enters before the gate opens, so that no operation comes earlier. Who
	// was closed meanwhile leaves again: Closed does that only for open gates.
	p.server.post(p.appKey, func(a *application, now time.Time) { a.enter(now, p, op, fresh, lobbyStats, data) })
	if !p.gate.Succeed() {
		p.leave()
	}
}

func (p *peer) useSecret(t *secure.Token) error {
	if len(t.Secret) == 0 {
		return nil
	}
	c, err := secure.NewCipher(t.Secret)
	if err != nil {
		return app.Fail(photon.ReturnInvalidEncryptionParameters, "token carries an unusable secret")
	}
	p.SetCipher(c)
	return nil
}

// enter makes an authenticated peer one of the application's, and answers.
func (a *application) enter(now time.Time, p *peer, op app.Op, token string, lobbyStats bool, data *gpbinary.Dictionary) {
	if p.gone {
		return
	}
	if limit := a.server.opt.Auth.Limits(p.token.AppID).MaxCCU; limit > 0 && !a.lobby.Returning(now, p.token.UserID) {
		if !a.takePlayer(limit) {
			p.gate.Revoke(op, app.Fail(photon.ReturnMaxCcuReached, "the application has as many players as it may"))
			return
		}
	}
	// Before the answer: the client's next operation may come at once.
	if !p.gate.Succeed() {
		return
	}
	p.app = a
	a.peers[p] = struct{}{}
	p.slot = a.slot
	if a.slots[p.slot] == nil {
		a.slots[p.slot] = map[*peer]struct{}{}
	}
	a.slots[p.slot][p] = struct{}{}
	p.came = now
	a.lobby.Returned(now, p.token.UserID)
	a.lobby.UserConnected(now, selfMaster, p.token.UserID)
	if users := a.server.opt.Users; users != nil {
		users.Connected(a.key, p.token.UserID)
	}
	params := photon.Params{
		photon.Param(photon.ParamUserID, p.token.UserID),
		photon.Param(photon.ParamToken, token),
	}
	if p.token.Nickname != "" {
		params = append(params, photon.Param(photon.ParamNickName, p.token.Nickname))
	}
	if data != nil {
		params = append(params, photon.Param(photon.ParamData, data))
	}
	p.Respond(op, photon.ReturnOk, "", params)
	st := a.lobby.Stats()
	p.SendEvent(photon.EventAppStats, appStats(st.Players, st.Rooms, st.Peers))
	if lobbyStats {
		p.lobbyStats = true
		p.SendEvent(photon.EventLobbyStats, a.lobbyStats())
	}
}
