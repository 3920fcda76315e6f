package host

import (
	"errors"
	"fmt"
	"time"

	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
	"github.com/boson-project/boson/pkg/room"
)

// step is what a call does with the room's step once the plugin has decided.
type step interface {
	// proceed performs the default processing.
	proceed(now time.Duration) error
	// refuse refuses the client, if one waits.
	refuse(now time.Duration, err *room.Error)
}

// call is one call of the plugin's: the host's side of plugin.Call.
type call struct {
	h      *Host
	name   string // of the callback
	info   *plugin.Call
	step   step
	cookie *cookie
	until  time.Duration // when a deferred call fails
}

// Check implements plugin.Control.
func (c *call) Check() error { return c.h.check() }

func (h *Host) check() error {
	switch {
	case !h.inside.Load():
		return plugin.ErrGoroutine
	case h.closed:
		return plugin.ErrRoomClosed
	}
	return nil
}

// Decide implements plugin.Control.
func (c *call) Decide(d plugin.Decision) error {
	h := c.h
	delete(h.deferred, c)
	switch d.Status {
	case plugin.Succeeded:
		return outcome(c.step.proceed(h.opt.Now()))
	case plugin.Failed:
		h.opt.Counters.Failed.Add(1)
		h.log().Debug().Str("callback", c.name).Str("reason", d.Message).Msg("plugin failed a call")
		c.step.refuse(h.opt.Now(), refusal(&d, h.wire))
	}
	return nil
}

// Misused implements plugin.Control.
func (c *call) Misused(err error) {
	c.h.log().Warn().Str("callback", c.name).Msg("plugin decided a call twice; the first decision stands")
	c.h.report(plugin.AlreadyProcessed, err, c.name)
}

// Deferred implements plugin.Control.
func (c *call) Deferred() {
	h := c.h
	if h.deferred == nil {
		h.deferred = map[*call]struct{}{}
	}
	h.deferred[c] = struct{}{}
	c.until = h.opt.Now() + decisionTimeout
	if h.limit == nil {
		h.watchDeferred(decisionTimeout)
	}
}

// watchDeferred fails calls that the plugin forgot.
func (h *Host) watchDeferred(after time.Duration) {
	h.limit = time.AfterFunc(after, func() {
		h.opt.Post(func() {
			now := h.opt.Now()
			for c := range h.deferred {
				if now < c.until {
					continue
				}
				h.log().Error().Str("callback", c.name).Msg("plugin deferred a call and never decided it")
				h.report(plugin.Timeout, errors.New("a deferred call was not decided in time"), c.name)
				_ = c.info.Fail("the plugin did not decide in time", nil)
			}
			// Failing them may have deferred others.
			h.limit = nil
			next := room.Never
			for c := range h.deferred {
				next = min(next, c.until)
			}
			if next != room.Never && !h.closed {
				h.watchDeferred(next - now)
			}
		})
	})
}

// AuthCookie implements plugin.Control.
func (c *call) AuthCookie() map[string]any { return c.cookie.values() }

// ask calls a callback and sees to it that the call is decided.
func (h *Host) ask(c *call, f func()) {
	if h.closed {
		return
	}
	h.opt.Counters.Calls.Add(1)
	entered := h.inside.Swap(true)
	err := h.guard(plugin.UnhandledException, f)
	switch {
	case err != nil:
		if !c.info.IsProcessed() {
			_ = c.info.Fail(fmt.Sprintf("the room's plugin failed: %v", err), nil)
		}
	case !c.info.IsNew():
	case h.strict:
		h.log().Error().Str("callback", c.name).Msg("plugin returned without a decision")
		h.report(plugin.NotProcessed, errors.New("plugin did not process the call"), c.name)
		_ = c.info.Fail("plugin did not process the call", nil)
	default:
		h.log().Warn().Str("callback", c.name).Msg("plugin returned without a decision; the call is continued")
		_ = c.info.Continue()
	}
	h.inside.Store(entered)
}

// overdrawn refuses what clients do so often while so many calls wait for their
// decision. Who enters or leaves, and the end of the room, are asked about always:
// there are not more of them than clients.
func (h *Host) overdrawn() *room.Error {
	if len(h.deferred) < maxDeferred {
		return nil
	}
	return &room.Error{Code: photon.ReturnOperationLimitReached, Text: "too many operations wait for the room's plugin"}
}

// wants says whether the plugin is to be asked.
func (h *Host) wants(hook plugin.Hook) bool { return h.hooks&hook != 0 && !h.closed }

// hooks is the host as the room sees it.
type hooks struct{ *Host }

// entry is the step of OnCreateGame, BeforeJoin and OnJoin.
type entry struct {
	h       *Host
	entry   *room.Entry
	request *plugin.JoinGameRequest
	shown   plugin.JoinGameRequest // as it was before the plugin saw it
	params  *plugin.JoinParams     // of OnJoin
}

func (s *entry) proceed(now time.Duration) error {
	h := s.h
	if h.creating == s.entry {
		h.creating = nil
	}
	if err := s.apply(); err != nil {
		s.entry.Fail(now, &room.Error{Code: photon.ReturnPluginReportedError, Text: err.Error()})
		return err
	}
	before := s.entry.ActorNr()
	err := s.entry.Continue(now)
	h.remember(s.entry, before)
	return err
}

func (s *entry) refuse(now time.Duration, err *room.Error) {
	if s.h.creating == s.entry {
		s.h.creating = nil
	}
	s.entry.Fail(now, err)
}

// CreateGame implements room.Hooks. OnCreateGame is asked even of plugins that do
// not want it when the room would have to be loaded: then there is nothing to load.
func (h hooks) CreateGame(now time.Duration, e *room.Entry) {
	s := h.entryStep(e)
	if !h.wants(plugin.HookCreateGame) {
		_ = s.proceed(now)
		return
	}
	h.creating = e
	c := &struct {
		call
		plugin.CreateGameCall
	}{}
	c.call = call{h: h.Host, name: "OnCreateGame", step: s, cookie: h.cookieOf(e.Joiner().Sink)}
	c.CreateGameCall = plugin.CreateGameCall{
		Call: h.made(&c.call, e), Request: s.request,
		IsJoin:            e.Request().Code == photon.OpJoinGame,
		CreateIfNotExists: e.Request().Code == photon.OpJoinGame && e.Mode == photon.CreateIfNotExists,
		CreateOptions:     createOptions(h.room, s.request),
	}
	c.info = &c.CreateGameCall.Call
	h.ask(&c.call, func() { h.plugin.OnCreateGame(&c.CreateGameCall) })
}

// BeforeJoin implements room.Hooks.
func (h hooks) BeforeJoin(now time.Duration, e *room.Entry) {
	s := h.entryStep(e)
	if !h.wants(plugin.HookBeforeJoin) {
		_ = s.proceed(now)
		return
	}
	c := &struct {
		call
		plugin.BeforeJoinCall
	}{}
	c.call = call{h: h.Host, name: "BeforeJoin", step: s, cookie: h.cookieOf(e.Joiner().Sink)}
	c.BeforeJoinCall = plugin.BeforeJoinCall{Call: h.made(&c.call, e), Request: s.request}
	c.info = &c.BeforeJoinCall.Call
	h.ask(&c.call, func() { h.plugin.BeforeJoin(&c.BeforeJoinCall) })
}

// Join implements room.Hooks.
func (h hooks) Join(now time.Duration, e *room.Entry) {
	s := h.entryStep(e)
	if !h.wants(plugin.HookJoin) {
		_ = s.proceed(now)
		return
	}
	c := &struct {
		call
		plugin.JoinCall
	}{}
	c.call = call{h: h.Host, name: "OnJoin", step: s, cookie: h.cookieOf(e.Joiner().Sink)}
	c.JoinCall = plugin.JoinCall{
		Call: h.made(&c.call, e), ActorNr: e.ActorNr(), Request: s.request,
		Params: plugin.JoinParams{PublishCache: true, PublishJoinEvents: true},
	}
	c.info, s.params = &c.JoinCall.Call, &c.JoinCall.Params
	h.ask(&c.call, func() { h.plugin.OnJoin(&c.JoinCall) })
}

// made makes the plugin's side of a call about a client that enters.
func (h *Host) made(c *call, e *room.Entry) plugin.Call {
	j := e.Joiner()
	return plugin.MakeCall(c, plugin.Caller{UserID: j.UserID, Nickname: j.Nickname, Request: e.Request()})
}

// leave is the step of OnLeave.
type leave struct {
	h *Host
	l *room.Leave
}

func (s *leave) proceed(now time.Duration) error {
	err := s.l.Continue(now)
	s.h.forget(s.l.Actor().Nr)
	return err
}

func (s *leave) refuse(now time.Duration, err *room.Error) {
	s.l.Fail(now, err)
	s.h.forget(s.l.Actor().Nr)
}

// Leave implements room.Hooks.
func (h hooks) Leave(now time.Duration, l *room.Leave) {
	s := &leave{h.Host, l}
	if !h.wants(plugin.HookLeave) {
		_ = s.proceed(now)
		return
	}
	a := l.Actor()
	c := &struct {
		call
		plugin.LeaveCall
	}{}
	c.call = call{h: h.Host, name: "OnLeave", step: s, cookie: h.cookies[a.Nr]}
	c.LeaveCall = plugin.LeaveCall{
		Call:    plugin.MakeCall(&c.call, plugin.Caller{UserID: a.UserID, Nickname: a.Nickname, Request: l.Request()}),
		ActorNr: a.Nr, IsInactive: l.IsInactive, Reason: l.Reason, Details: l.Details,
	}
	if r := l.Request(); r != nil {
		c.LeaveCall.Request = &plugin.LeaveGameRequest{IsComingBack: l.IsInactive, WebFlags: r.WebFlags()}
		if back, _, err := r.Bool(photon.ParamIsInactive); err == nil {
			c.LeaveCall.Request.IsComingBack = back
		}
	}
	c.info = &c.LeaveCall.Call
	h.ask(&c.call, func() { h.plugin.OnLeave(&c.LeaveCall) })
}

// WantsEvent implements room.Hooks.
func (h hooks) WantsEvent(code photon.EventCode) bool {
	return h.events[code/64]&(1<<(code%64)) != 0 && !h.closed
}

// raise is a call of OnRaiseEvent with all that belongs to it, in one piece of memory.
type raise struct {
	call
	plugin.RaiseEventCall
	request plugin.RaiseEventRequest
	slice   int32
	raise   *room.Raise
}

func (s *raise) proceed(now time.Duration) error {
	r, ev := &s.request, &s.raise.Raised
	content, ok, err := r.Content()
	if err != nil {
		s.raise.Fail(&room.Error{Code: photon.ReturnPluginReportedError, Text: err.Error()})
		return err
	}
	ev.Code, ev.Content, ev.HasContent = photon.EventCode(r.EvCode), content, ok
	ev.Caching, ev.Receivers, ev.Group = r.Cache, r.ReceiverGroup, r.Group
	ev.Actors, ev.HasActors = r.Actors, r.Actors != nil
	if ev.HasSlice = r.CacheSliceIndex != nil; ev.HasSlice {
		ev.Slice = *r.CacheSliceIndex
	}
	return s.raise.Continue(now)
}

func (s *raise) refuse(_ time.Duration, err *room.Error) { s.raise.Fail(err) }

// RaiseEvent implements room.Hooks.
func (h hooks) RaiseEvent(_ time.Duration, e *room.Raise) {
	if err := h.overdrawn(); err != nil {
		e.Fail(err)
		return
	}
	a, _ := h.room.Actor(e.ActorNr())
	c := &raise{raise: e}
	c.call = call{h: h.Host, name: "OnRaiseEvent", step: c, cookie: h.cookies[a.Nr], info: &c.RaiseEventCall.Call}
	ev := &e.Raised
	c.request = plugin.RaiseEventRequest{
		EvCode: byte(ev.Code), Cache: ev.Caching, ReceiverGroup: ev.Receivers, Group: ev.Group, WebFlags: e.Request().WebFlags(),
	}
	if ev.HasActors {
		c.request.Actors = ev.Actors
		if ev.Actors == nil {
			c.request.Actors = []int32{}
		}
	}
	if ev.HasSlice {
		c.slice = ev.Slice
		c.request.CacheSliceIndex = &c.slice
	}
	c.request.SetContent(ev.Content, ev.HasContent, h.unknown)
	c.RaiseEventCall.ActorNr, c.RaiseEventCall.Request = a.Nr, &c.request
	c.RaiseEventCall.Call = plugin.MakeCall(&c.call, plugin.Caller{UserID: a.UserID, Nickname: a.Nickname, Request: e.Request()})
	h.ask(&c.call, func() { h.plugin.OnRaiseEvent(&c.RaiseEventCall) })
}

// properties is the step of BeforeSetProperties.
type properties struct {
	h       *Host
	set     *room.SetProperties
	request *plugin.SetPropertiesRequest
}

func (s *properties) proceed(now time.Duration) error {
	r, set := s.request, &s.set.PropertiesRequest
	var err error
	set.ActorNr, set.Broadcast = r.ActorNumber, r.Broadcast
	if set.Properties, err = s.h.wireTable(r.Properties); err == nil {
		set.Expected, err = s.h.wireTable(r.ExpectedValues)
	}
	if err != nil {
		s.set.Fail(&room.Error{Code: photon.ReturnPluginReportedError, Text: err.Error()})
		return err
	}
	if set.Expected.Len() == 0 {
		set.Expected = nil
	}
	return s.set.Continue(now)
}

func (s *properties) refuse(_ time.Duration, err *room.Error) { s.set.Fail(err) }

// WantsProperties implements room.Hooks.
func (h hooks) WantsProperties() bool {
	return h.wants(plugin.HookBeforeSetProperties | plugin.HookSetProperties)
}

func (h *Host) propertiesRequest(s *room.SetProperties) *plugin.SetPropertiesRequest {
	return &plugin.SetPropertiesRequest{
		ActorNumber: s.ActorNr, Properties: h.shownTable(s.Properties), ExpectedValues: h.shownTable(s.Expected),
		Broadcast: s.Broadcast, WebFlags: s.Request().WebFlags(),
	}
}

// BeforeSetProperties implements room.Hooks.
func (h hooks) BeforeSetProperties(now time.Duration, set *room.SetProperties) {
	if !h.wants(plugin.HookBeforeSetProperties) {
		_ = set.Continue(now)
		return
	}
	if err := h.overdrawn(); err != nil {
		set.Fail(err)
		return
	}
	a, _ := h.room.Actor(set.CallerNr())
	s := &properties{h: h.Host, set: set, request: h.propertiesRequest(set)}
	c := &struct {
		call
		plugin.BeforeSetPropertiesCall
	}{}
	c.call = call{h: h.Host, name: "BeforeSetProperties", step: s, cookie: h.cookies[a.Nr]}
	c.BeforeSetPropertiesCall.ActorNr, c.BeforeSetPropertiesCall.Request = a.Nr, s.request
	c.BeforeSetPropertiesCall.Call = plugin.MakeCall(&c.call, plugin.Caller{UserID: a.UserID, Nickname: a.Nickname, Request: set.Request()})
	c.info = &c.BeforeSetPropertiesCall.Call
	h.ask(&c.call, func() { h.plugin.BeforeSetProperties(&c.BeforeSetPropertiesCall) })
}

// nothing is the step of OnSetProperties: all has happened.
type nothing struct{ h *Host }

func (nothing) proceed(time.Duration) error { return nil }
func (s nothing) refuse(_ time.Duration, err *room.Error) {
	s.h.log().Warn().Str("reason", err.Text).Msg("plugin failed OnSetProperties; the properties are set")
}

// SetProperties implements room.Hooks.
func (h hooks) SetProperties(_ time.Duration, set *room.SetProperties) {
	if !h.wants(plugin.HookSetProperties) {
		return
	}
	a, _ := h.room.Actor(set.CallerNr())
	c := &struct {
		call
		plugin.SetPropertiesCall
	}{}
	c.call = call{h: h.Host, name: "OnSetProperties", step: nothing{h.Host}, cookie: h.cookies[a.Nr]}
	c.SetPropertiesCall = plugin.SetPropertiesCall{
		Call:    plugin.MakeCall(&c.call, plugin.Caller{UserID: a.UserID, Nickname: a.Nickname, Request: set.Request()}),
		ActorNr: a.Nr, Request: h.propertiesRequest(set),
	}
	c.info = &c.SetPropertiesCall.Call
	h.ask(&c.call, func() { h.plugin.OnSetProperties(&c.SetPropertiesCall) })
}

// closing is the step of BeforeCloseGame and OnCloseGame.
type closing struct {
	h *Host
	c *room.Closing
}

func (s closing) proceed(now time.Duration) error {
	s.c.Continue(now)
	return nil
}

func (s closing) refuse(_ time.Duration, err *room.Error) {
	s.h.log().Warn().Str("reason", err.Text).Msg("plugin failed the close of its room; the room ends")
	s.c.Fail()
}

// BeforeClose implements room.Hooks.
func (h hooks) BeforeClose(now time.Duration, closes *room.Closing) {
	if !h.wants(plugin.HookBeforeCloseGame) {
		closes.Continue(now)
		return
	}
	c := &struct {
		call
		plugin.BeforeCloseGameCall
	}{}
	c.call = call{h: h.Host, name: "BeforeCloseGame", step: closing{h.Host, closes}}
	c.BeforeCloseGameCall = plugin.BeforeCloseGameCall{
		Call: plugin.MakeCall(&c.call, plugin.Caller{}), FailedOnCreate: closes.FailedOnCreate,
		Request: &plugin.CloseRequest{EmptyRoomTTL: closes.EmptyRoomTTL()},
	}
	c.info = &c.BeforeCloseGameCall.Call
	h.ask(&c.call, func() { h.plugin.BeforeCloseGame(&c.BeforeCloseGameCall) })
}

// Close implements room.Hooks.
func (h hooks) Close(now time.Duration, closes *room.Closing) {
	if !h.wants(plugin.HookCloseGame) {
		closes.Continue(now)
		return
	}
	c := &struct {
		call
		plugin.CloseGameCall
	}{}
	c.call = call{h: h.Host, name: "OnCloseGame", step: closing{h.Host, closes}}
	c.CloseGameCall = plugin.CloseGameCall{
		Call: plugin.MakeCall(&c.call, plugin.Caller{}), FailedOnCreate: closes.FailedOnCreate,
		ActorCount: h.room.Inactive(), Request: &plugin.CloseRequest{EmptyRoomTTL: closes.EmptyRoomTTL()},
	}
	c.info = &c.CloseGameCall.Call
	h.ask(&c.call, func() { h.plugin.OnCloseGame(&c.CloseGameCall) })
}
