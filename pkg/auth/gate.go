package auth

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/transport"
)

// Gate stands before a peer's operations until it has authenticated, and ends
// peers that do not do so in time. It is embedded in a server's peer.
type Gate struct {
	peer  *app.Peer
	state atomic.Int32
	timer atomic.Pointer[time.Timer]
}

const (
	stateConnected int32 = iota
	stateAuthenticating
	stateAuthenticated
	stateClosed
)

// failedGrace is how long a client may take to go after a failed authentication.
const failedGrace = 5 * time.Second

// Start begins the time that the peer has to authenticate.
func (g *Gate) Start(p *app.Peer, timeout time.Duration) {
	g.peer = p
	g.after(timeout, func() {
		if g.state.Load() < stateAuthenticated {
			p.Disconnect(photon.ReturnOperationNotAllowedInCurrentState, "not authenticated in time", transport.ReasonInitTimeout)
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

// Succeed ends an authentication well: operations may come.
func (g *Gate) Succeed() {
	if g.state.CompareAndSwap(stateAuthenticating, stateAuthenticated) {
		if t := g.timer.Swap(nil); t != nil {
			t.Stop()
		}
	}
}

// Fail answers a failed authentication and gives the client some time to go.
func (g *Gate) Fail(op app.Op, err error) {
	app.RespondError(g.peer, op, err)
	g.state.CompareAndSwap(stateAuthenticating, stateConnected)
	g.after(failedGrace, func() { g.peer.Close(transport.ReasonServerDisconnect) })
}

// Revoke takes a success back: what was found out later speaks against it.
func (g *Gate) Revoke(op app.Op, err error) {
	g.state.CompareAndSwap(stateAuthenticated, stateAuthenticating)
	g.Fail(op, err)
}

// Closed ends the gate with its peer.
func (g *Gate) Closed() {
	g.state.Store(stateClosed)
	if t := g.timer.Swap(nil); t != nil {
		t.Stop()
	}
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
