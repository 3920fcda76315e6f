package guest

import (
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
	"github.com/boson-project/boson/pkg/plugin/wasm/abi"
)

// prepare makes the plugin's call of a hook, and returns what asks the plugin.
func (c *call) prepare(hook abi.Hook, core plugin.Call, q *abi.Reader) (run func()) {
	p := c.room.plugin
	take := func(request abi.Request) {
		c.request = request
		if err := abi.Apply(request, q.Request); err != nil && q.Err == nil {
			q.Err = err
		}
	}
	switch hook {
	case abi.OnCreateGame:
		x := &plugin.CreateGameCall{
			Call: core, Request: &plugin.JoinGameRequest{}, IsJoin: q.Flag(abi.KeyIsJoin),
			CreateIfNotExists: q.Flag(abi.KeyCreateIfNotExists), CreateOptions: q.Map(abi.KeyCreateOptions),
		}
		take(abi.JoinGame{JoinGameRequest: x.Request})
		c.call, run = x, func() { p.OnCreateGame(x) }
	case abi.BeforeJoin:
		x := &plugin.BeforeJoinCall{Call: core, Request: &plugin.JoinGameRequest{}}
		take(abi.JoinGame{JoinGameRequest: x.Request})
		c.call, run = x, func() { p.BeforeJoin(x) }
	case abi.OnJoin:
		x := &plugin.JoinCall{Call: core, ActorNr: q.Number(abi.KeyActorNr), Request: &plugin.JoinGameRequest{}}
		take(abi.Join{JoinGame: abi.JoinGame{JoinGameRequest: x.Request}, Params: &x.Params})
		c.call, run = x, func() { p.OnJoin(x) }
	case abi.OnLeave:
		x := &plugin.LeaveCall{
			Call: core, ActorNr: q.Number(abi.KeyActorNr), IsInactive: q.Flag(abi.KeyInactive),
			Reason: plugin.LeaveReason(q.Number(abi.KeyReason)), Details: q.Text(abi.KeyDetails),
		}
		if q.Flag(abi.KeyIsLeave) {
			x.Request = &plugin.LeaveGameRequest{}
		}
		take(abi.Leave{LeaveGameRequest: x.Request})
		c.call, run = x, func() { p.OnLeave(x) }
	case abi.BeforeSetProperties:
		x := &plugin.BeforeSetPropertiesCall{Open: plugin.Open{Call: core}, ActorNr: q.Number(abi.KeyActorNr), Request: &plugin.SetPropertiesRequest{}}
		take(abi.SetProperties{SetPropertiesRequest: x.Request})
		c.call, run = x, func() { p.BeforeSetProperties(x) }
	case abi.OnSetProperties:
		x := &plugin.SetPropertiesCall{Call: core, ActorNr: q.Number(abi.KeyActorNr), Request: &plugin.SetPropertiesRequest{}}
		take(abi.SetProperties{SetPropertiesRequest: x.Request})
		c.call, run = x, func() { p.OnSetProperties(x) }
	case abi.BeforeCloseGame:
		x := &plugin.BeforeCloseGameCall{Call: core, Request: &plugin.CloseRequest{}, FailedOnCreate: q.Flag(abi.KeyFailedOnCreate)}
		take(abi.Close{CloseRequest: x.Request})
		c.call, run = x, func() { p.BeforeCloseGame(x) }
	default:
		x := &plugin.CloseGameCall{Call: core, Request: &plugin.CloseRequest{}, FailedOnCreate: q.Flag(abi.KeyFailedOnCreate), ActorCount: int(q.Number(abi.KeyActorCount))}
		take(abi.Close{CloseRequest: x.Request})
		c.call, run = x, func() { p.OnCloseGame(x) }
	}
	return run
}

// Check implements plugin.Control. The server checks.
func (c *call) Check() error { return nil }

// Decide implements plugin.Control.
func (c *call) Decide(d plugin.Decision) error {
	t := c.room.table()
	op := abi.OpCancel
	switch d.Status {
	case plugin.Succeeded:
		op = abi.OpContinue
		if err := c.changes(t); err != nil {
			return err
		}
	case plugin.Failed:
		op = abi.OpFail
		t.Number(abi.KeyReturnCode, int32(d.ReturnCode))
		t.Text(abi.KeyMessage, cut(d.Message))
		t.Params(photon.ParamData, d.Data)
	}
	delete(c.room.deferred, c.id)
	c.args = nil
	_, err := c.room.call(op, c, t)
	return err
}

// changes writes what the plugin changed in the request.
func (c *call) changes(t *abi.Table) error {
	if e, ok := c.request.(*eventRequest); ok && e.same() {
		return nil
	}
	now := &shared.now
	now.Reset()
	now.Unknown = c.room.unknown
	abi.Write(now, c.request)
	b, err := now.Bytes()
	if err != nil {
		return err
	}
	var was, is photon.Request
	if err := abi.Parse(c.args, &was); err != nil {
		return err
	}
	if err := abi.Parse(b, &is); err != nil {
		return err
	}
	abi.Diff(t, was.Fields, is.Fields)
	return nil
}

// Misused implements plugin.Control.
func (c *call) Misused(error) { _, _ = c.room.call(abi.OpMisused, c, nil) }

// Deferred implements plugin.Control.
func (c *call) Deferred() {
	if !c.postponed {
		_ = c.room.do(abi.OpDefer, c, nil)
	}
}

// AuthCookie implements plugin.Control.
func (c *call) AuthCookie() map[string]any {
	q, err := c.room.query(abi.OpAuthCookie, c, nil)
	if err != nil {
		return nil
	}
	return q.Map(abi.KeyAuthCookie)
}

// Request gets the client's operation.
func (c *call) Request() *photon.Request {
	q, err := c.room.query(abi.OpOperation, c, nil)
	if err != nil {
		return &photon.Request{Protocol: photon.GpBinaryV18, Code: c.operation}
	}
	q.Request.Code = c.operation
	return q.Request
}
