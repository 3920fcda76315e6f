package gameserver

import (
	"sync/atomic"
	"time"

	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/auth"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/room"
	"github.com/boson-project/boson/pkg/secure"
	"github.com/boson-project/boson/pkg/transport"
	"github.com/boson-project/boson/pkg/webrpc"
)

// peer is one client of the game server. Its states are those of
// loadbalancing.md 3.10.
type peer struct {
	*app.Peer
	gate   auth.Gate
	server *Server

	// token and appKey are set before the gate opens and do not change.
	token  *secure.Token
	appKey string
	// tokenIssued is the Unix time at which the client's newest token was made.
	tokenIssued atomic.Int64
	rpc         webrpc.Caller

	// game is the room that this peer has entered or is entering. It is set on
	// the peer's goroutine and cleared on the room's fiber, so that operations
	// keep their order: all of them go through the room while it is set.
	game atomic.Pointer[game]
	left atomic.Int32 // how often it left a room
	// seat, and entry while the room's plugin decides about it, are only touched
	// on the fiber of game. held is what the client asked before its entry was
	// decided: answers keep the order of the questions.
	seat  *room.Seat
	entry *room.Entry
	held  []photon.Request
}

// Connect implements app.Application.
func (s *Server) Connect(p *app.Peer) app.Handler {
	if s.stopping.Load() {
		return nil
	}
	gp := &peer{Peer: p, server: s}
	gp.gate.Start(p, s.opt.AuthTimeout)
	s.peers.Add(1)
	if raw := p.Info().Token; raw != nil {
		// AuthenticateOnce: the token came with the connection and the answer
		// comes without a request (loadbalancing.md 3.4).
		gp.admit(app.Op{Code: photon.OpAuthenticateOnce, Encrypt: false}, func() (*secure.Token, error) {
			return s.opt.Auth.InitToken(p.Protocol(), raw, time.Now())
		})
	}
	return gp
}

// Operation implements app.Handler.
func (p *peer) Operation(r *photon.Request) {
	op := app.OpOf(r)
	if !p.gate.Authenticated() {
		switch r.Code {
		case photon.OpAuthenticate, photon.OpAuthenticateOnce:
			p.server.router.Route(p, r)
		default:
			p.gate.Refuse(op)
		}
		return
	}
	if r.Code == photon.OpRaiseEvent {
		p.refreshToken()
	}
	if g := p.game.Load(); g != nil {
		if !g.fiber.Post(message{kind: operation, peer: p, request: r.Clone()}) {
			if r.Code == photon.OpRaiseEvent && r.Delivery.Mode != photon.Reliable && r.Delivery.Mode != photon.ReliableUnsequenced {
				return // dropped, as the network may do
			}
			p.Disconnect(photon.ReturnOperationLimitReached, "the room can't keep up", transport.ReasonRateLimit)
		}
		return
	}
	switch r.Code {
	case photon.OpCreateGame, photon.OpJoinGame:
		p.server.enter(p, r.Clone())
	case photon.OpLeave, photon.OpRaiseEvent, photon.OpSetProperties, photon.OpGetProperties, photon.OpChangeGroups:
		p.refuseOutside(r)
	default:
		p.server.router.Route(p, r)
	}
}

// refuseOutside answers an operation of rooms from a client that is in none.
func (p *peer) refuseOutside(r *photon.Request) {
	p.Respond(app.OpOf(r), photon.ReturnOperationNotAllowedInCurrentState, r.Code.String()+" needs a room; join one first", nil)
}

// refuseSecond answers a client in a room that wants to enter one.
func (p *peer) refuseSecond(r *photon.Request) {
	p.Respond(app.OpOf(r), photon.ReturnJoinFailedPeerAlreadyJoined, "this connection is in a room", nil)
}

// Closed implements app.Handler.
func (p *peer) Closed(reason transport.Reason) {
	p.gate.Closed()
	p.rpc.Close()
	p.server.peers.Add(-1)
	if g := p.game.Load(); g != nil {
		g.fiber.PostAlways(message{kind: disconnected, peer: p, reason: reason})
	}
}

func (p *peer) admit(op app.Op, identify func() (*secure.Token, error)) {
	if err := p.gate.Begin(); err != nil {
		app.RespondError(p, op, err)
		return
	}
	token, err := identify()
	if err != nil {
		p.gate.Fail(op, err)
		return
	}
	if len(token.Secret) > 0 {
		c, err := secure.NewCipher(token.Secret)
		if err != nil {
			p.gate.Fail(op, app.Fail(photon.ReturnInvalidEncryptionParameters, "token carries an unusable secret"))
			return
		}
		p.SetCipher(c)
	}
	if err := p.EnterApp(token.AppID); err != nil {
		p.gate.Fail(op, err)
		return
	}
	p.token, p.appKey = token, p.server.opt.Auth.AppKey(token)
	p.tokenIssued.Store(token.Issued.Unix())
	p.gate.Succeed()
	params := photon.Params{photon.Param(photon.ParamUserID, token.UserID)}
	if token.Nickname != "" {
		params = append(params, photon.Param(photon.ParamNickName, token.Nickname))
	}
	p.Respond(op, photon.ReturnOk, "", params)
}

func (s *Server) authenticate(p *peer, op app.Op, req *auth.Request) {
	p.admit(op, func() (*secure.Token, error) {
		if req.Token != nil {
			// The JavaScript SDK sends other parameters beside the token; they
			// count for nothing (websocket-json.md 7.1).
			return s.opt.Auth.Open(req.Token, time.Now())
		}
		if !s.opt.Tokenless {
			return nil, app.Fail(photon.ReturnInvalidAuthentication, "a token is needed here; connect to the name server or master first")
		}
		return s.opt.Auth.Credentials(req, time.Now())
	})
}

// refreshToken sends a new token when half of the old one's life is over
// (loadbalancing-auth.md 5.1). The clock is the server's coarse one: this is
// asked for every event.
func (p *peer) refreshToken() {
	now := p.server.unix.Load()
	if now-p.tokenIssued.Load() <= p.server.refreshAfter {
		return
	}
	p.tokenIssued.Store(now)
	if token, err := p.server.opt.Auth.Refresh(p.token, time.Now()); err == nil {
		p.SendEvent(photon.EventAuth, photon.Params{photon.Param(photon.ParamToken, token)})
	}
}

type serverSettings struct{}

// serverSettings has no effect here (loadbalancing-operations.md 3.14).
func (s *Server) serverSettings(p *peer, op app.Op, _ *serverSettings) {
	p.Respond(op, photon.ReturnOk, "", nil)
}

func (s *Server) webRPC(p *peer, op app.Op, req *webrpc.Request) {
	s.opt.WebRPC.Call(&p.rpc, p, p.token, op, req)
}
