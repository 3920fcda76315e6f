package wasm

import (
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
	"github.com/boson-project/boson/pkg/plugin/wasm/abi"
)

// The nine callbacks. Where the plugin is gone, what a client waits for fails, and
// what can't be helped goes on.

// OnCreateGame implements plugin.Plugin.
func (r *room) OnCreateGame(c *plugin.CreateGameCall) {
	if err := r.ready(); err != nil {
		r.fail(&c.Call, err)
		return
	}
	t := r.begin(&c.Call)
	t.Bool(abi.KeyIsJoin, c.IsJoin)
	t.Bool(abi.KeyCreateIfNotExists, c.CreateIfNotExists)
	t.Map(abi.KeyCreateOptions, c.CreateOptions)
	r.ask(abi.OnCreateGame, c, abi.JoinGame{JoinGameRequest: c.Request})
}

// BeforeJoin implements plugin.Plugin.
func (r *room) BeforeJoin(c *plugin.BeforeJoinCall) {
	if err := r.ready(); err != nil {
		r.fail(&c.Call, err)
		return
	}
	r.begin(&c.Call)
	r.ask(abi.BeforeJoin, c, abi.JoinGame{JoinGameRequest: c.Request})
}

// OnJoin implements plugin.Plugin.
func (r *room) OnJoin(c *plugin.JoinCall) {
	if err := r.ready(); err != nil {
		r.fail(&c.Call, err)
		return
	}
	r.begin(&c.Call).Int(abi.KeyActorNr, c.ActorNr)
	r.ask(abi.OnJoin, c, abi.Join{JoinGame: abi.JoinGame{JoinGameRequest: c.Request}, Params: &c.Params})
}

// OnLeave implements plugin.Plugin.
func (r *room) OnLeave(c *plugin.LeaveCall) {
	if r.ready() != nil {
		_ = c.Continue()
		return
	}
	t := r.begin(&c.Call)
	t.Int(abi.KeyActorNr, c.ActorNr)
	t.Bool(abi.KeyInactive, c.IsInactive)
	t.Number(abi.KeyReason, int32(c.Reason))
	t.Text(abi.KeyDetails, c.Details)
	r.ask(abi.OnLeave, c, abi.Leave{LeaveGameRequest: c.Request})
}

// OnRaiseEvent implements plugin.Plugin.
func (r *room) OnRaiseEvent(c *plugin.RaiseEventCall) {
	if err := r.ready(); err != nil {
		r.fail(&c.Call, err)
		return
	}
	t := &r.args // not begin: it is always the same operation
	t.Reset()
	t.Text(photon.ParamUserID, c.UserID())
	t.Text(photon.ParamNickName, c.Nickname())
	t.Int(abi.KeyActorNr, c.ActorNr)
	r.ask(abi.OnRaiseEvent, c, abi.RaiseEvent{RaiseEventRequest: c.Request})
}

// BeforeSetProperties implements plugin.Plugin.
func (r *room) BeforeSetProperties(c *plugin.BeforeSetPropertiesCall) {
	if err := r.ready(); err != nil {
		r.fail(&c.Call, err)
		return
	}
	r.begin(&c.Call).Int(abi.KeyActorNr, c.ActorNr)
	r.ask(abi.BeforeSetProperties, c, abi.SetProperties{SetPropertiesRequest: c.Request})
}

// OnSetProperties implements plugin.Plugin.
func (r *room) OnSetProperties(c *plugin.SetPropertiesCall) {
	if r.ready() != nil {
		_ = c.Continue()
		return
	}
	r.begin(&c.Call).Int(abi.KeyActorNr, c.ActorNr)
	r.ask(abi.OnSetProperties, c, abi.SetProperties{SetPropertiesRequest: c.Request})
}

// BeforeCloseGame implements plugin.Plugin.
func (r *room) BeforeCloseGame(c *plugin.BeforeCloseGameCall) {
	if r.ready() != nil {
		_ = c.Continue()
		return
	}
	r.begin(&c.Call).Bool(abi.KeyFailedOnCreate, c.FailedOnCreate)
	r.ask(abi.BeforeCloseGame, c, abi.Close{CloseRequest: c.Request})
}

// OnCloseGame implements plugin.Plugin.
func (r *room) OnCloseGame(c *plugin.CloseGameCall) {
	if r.ready() != nil {
		_ = c.Continue()
		return
	}
	t := r.begin(&c.Call)
	t.Bool(abi.KeyFailedOnCreate, c.FailedOnCreate)
	t.Number(abi.KeyActorCount, int32(c.ActorCount))
	r.ask(abi.OnCloseGame, c, abi.Close{CloseRequest: c.Request})
}
