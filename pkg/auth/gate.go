package auth

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/secure"
	"github.com/boson-project/boson/pkg/transport"
)

// Gate stands before a peer's operations until it has authenticated, and ends
// peers that do not do so in time. It is embedded in a server's peer.
type Gate struct {
	peer    *app.Peer
	timeout time.Duration
	state   atomic.Int32
	failed  atomic.Bool
	timer   atomic.Pointer[time.Timer]
}

const (
	stateConnected int32 = iota
	stateAuthenticating
	stateAuthenticated
	stateRevoked
	stateClosed
)

// failedGrace is how long a client may take to go after a failed authentication.
const failedGrace = 5 * time.Second

// Start begins the time that the peer has to authenticate.
func (g *Gate) Start(p *app.Peer, timeout time.Duration) {
	g.peer, g.timeout = p, timeout
	g.await()
}

// await gives the peer its time. A question to a provider that is under way
// then has a time-out of its own, and ends with Succeed, Fail or Again.
func (g *Gate) await() {
	g.after(g.timeout, func() {
		if g.state.Load() == stateConnected {
			g.peer.Disconnect(photon.ReturnOperationNotAllowedInCurrentState, "not authenticated in time", transport.ReasonInitTimeout)
		}
	})
}

func (g *Gate) after(d time.Duration, fn func()) {
	if old := g.timer.Swap(time.AfterFunc(d, fn)); old != nil {
		old.Stop()
	}
}

// Begin opens an authentication. The error is the answer to a second one on
// the same connection.
func (g *Gate) Begin() error {
	if g.state.CompareAndSwap(stateConnected, stateAuthenticating) {
		return nil
	}
	return app.Fail(photon.ReturnOperationNotAllowedInCurrentState, "this connection has authenticated already, or is about to")
}

// Check makes a full authentication of the peer, after Begin. Failures and
// further steps it answers itself; otherwise it calls ok with the identity and
// what the provider has for the client (may be nil), at once or later from
// another goroutine. The peer may be gone by then, as Succeed says.
func (g *Gate) Check(a *Authenticator, op app.Op, r *Request, ok func(*secure.Token, *gpbinary.Dictionary)) {
	a.Authenticate(r, g.waiting, func(o Outcome, err error) {
		switch {
		case err != nil:
			g.Fail(op, err)
		case o.Again && g.peer.Protocol() == photon.JSON:
			// Its SDK takes any answer for the last one (websocket-json.md WJ-084).
			g.Fail(op, app.Fail(photon.ReturnCustomAuthenticationFailed, "the authentication needs a second step, which this client does not know"))
		case o.Again:
			g.again(op, o.Data)
		default:
			ok(o.Token, o.Data)
		}
	})
}

// waiting says whether somebody still waits for an authentication.
func (g *Gate) waiting() bool { return g.state.Load() == stateAuthenticating }

// again answers a step of an authentication that needs another one
// (loadbalancing-auth.md 3.3): with nothing but the provider's data.
func (g *Gate) again(op app.Op, data *gpbinary.Dictionary) {
	if !g.state.CompareAndSwap(stateAuthenticating, stateConnected) {
		return
	}
	if !g.failed.Load() {
		g.await()
	}
	var params photon.Params
	if data != nil {
		params = photon.Params{photon.Param(photon.ParamData, data)}
	}
	g.peer.Respond(op, photon.ReturnOk, "", params)
}

// Succeed ends an authentication well: operations may come. False: the peer is
// gone meanwhile, or was refused by Revoke. It may be called again.
func (g *Gate) Succeed() bool {
	if !g.state.CompareAndSwap(stateAuthenticating, stateAuthenticated) {
		return g.Authenticated()
	}
	if t := g.timer.Swap(nil); t != nil {
		t.Stop()
	}
	return true
}

// Fail answers a failed authentication and gives the client some time to go.
// It may try again meanwhile.
func (g *Gate) Fail(op app.Op, err error) {
	if g.state.CompareAndSwap(stateAuthenticating, stateConnected) {
		g.refuse(op, err)
	}
}

func (g *Gate) refuse(op app.Op, err error) {
	app.RespondError(g.peer, op, err)
	if g.failed.CompareAndSwap(false, true) {
		g.after(failedGrace, func() {
			if g.state.Load() != stateAuthenticated {
				g.peer.Close(transport.ReasonServerDisconnect)
			}
		})
	}
}

// Revoke takes a success back: what was found out later speaks against it. It may
// come before Succeed, from another goroutine, which then returns false.
func (g *Gate) Revoke(op app.Op, err error) {
	for {
		was := g.state.Load()
		if was != stateAuthenticating && was != stateAuthenticated {
			return
		}
		if g.state.CompareAndSwap(was, stateRevoked) {
			g.refuse(op, err)
			return
		}
	}
}

// Closed ends the gate with its peer. It says whether the peer was authenticated.
func (g *Gate) Closed() bool {
	was := g.state.Swap(stateClosed)
	if t := g.timer.Swap(nil); t != nil {
		t.Stop()
	}
	return was == stateAuthenticated
}

// Authenticated says whether operations may come.
func (g *Gate) Authenticated() bool { return g.state.Load() == stateAuthenticated }

// Refuse answers an operation that came too early: -3, or -2 for a code that
// no server knows.
func (g *Gate) Refuse(op app.Op) {
	if !op.Code.Known() {
		g.peer.Respond(op, photon.ReturnInvalidOperation, fmt.Sprintf("unknown operation %d", byte(op.Code)), nil)
		return
	}
	g.peer.Respond(op, photon.ReturnOperationNotAllowedInCurrentState, op.Code.String()+" needs authentication first", nil)
}
