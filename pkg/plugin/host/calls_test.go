package host_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/boson-project/boson/pkg/gameserver"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
	"github.com/boson-project/boson/pkg/plugin/plugintest"
	"github.com/boson-project/boson/pkg/transport"
)

// PL-23, PL-27, PL-28, PL-29, PL-30, PL-38, PL-50: a room's life, callback by callback.
func TestLifeOfARoom(t *testing.T) {
	bubble(t, plugintest.Options{}, func(t *testing.T, s *plugintest.Server, r *recorder) {
		r.create = func(c *plugin.CreateGameCall) {
			// PL-26: nothing works before the decision.
			if err := r.Host.BroadcastEvent(plugin.Event{Code: 1}); !errors.Is(err, plugin.ErrNotInitialised) {
				t.Errorf("BroadcastEvent: %v", err)
			}
			if ok, err := r.Host.SetProperties(0, table("k", "v"), plugin.SetOptions{}); ok || !errors.Is(err, plugin.ErrNotInitialised) {
				t.Errorf("SetProperties: %v, %v", ok, err)
			}
			if n := r.Host.Properties().Len() + len(r.Host.Actors()); n != 0 {
				t.Error("the room is not empty before its creation")
			}
			if err := c.Continue(); err != nil {
				t.Error(err)
			}
			a := r.Host.Actors()
			if len(a) != 1 || a[0].ActorNr != 1 || a[0].UserID != "ann" || a[0].Nickname != "Ann" || !a[0].IsActive {
				t.Errorf("actors %+v", a)
			}
			if hp, _ := a[0].Properties.Get("hp"); hp != int32(7) {
				t.Errorf("actor's properties: %v", a[0].Properties.Pairs())
			}
			if m, _ := r.Host.Properties().Get("map"); m != "forest" {
				t.Errorf("room's properties: %v", r.Host.Properties().Pairs())
			}
		}
		ann := s.Client("ann")
		resp := ann.Create("room", param(photon.ParamGameProperties, table("map", "forest")), param(photon.ParamBroadcast, true),
			param(photon.ParamPlayerProperties, table(byte(255), "Ann", "hp", int32(7))))
		wantOk(t, resp)
		if resp.Get(photon.ParamPluginName) != "Recorder" || resp.Get(photon.ParamPluginVersion) != "1.2" {
			t.Errorf("plugin %v %v", resp.Get(photon.ParamPluginName), resp.Get(photon.ParamPluginVersion))
		}
		if join := ann.WaitEvent(photon.EventJoin); join.Get(photon.ParamPlayerProperties) == nil {
			t.Error("Join event without the actor's properties")
		}
		bob := s.Client("bob")
		wantOk(t, bob.Join("room"))
		ann.Raise(7, "hello")
		if e := bob.WaitEvent(7); e.Sender() != 1 || e.Data() != "hello" {
			t.Errorf("event %v", e)
		}
		wantOk(t, bob.Set(0, table("map", "desert")))
		wantOk(t, bob.Leave(false))
		ann.WaitEvent(photon.EventLeave)
		wantOk(t, ann.Leave(false))
		synctest.Wait()
		wantList(t, "callbacks", r.noted(),
			"create ann join=false createIfNotExists=false", "master 0 to 1", "beforeJoin bob", "join bob 2",
			"raise 7 by 1", "beforeSet 2 of 0", "set 2 of 0", "leave 2 inactive=false reason=101",
			"leave 1 inactive=false reason=101", "beforeClose failed=false", "close failed=false actors=0")
		if !r.ended || s.Rooms() != 0 {
			t.Error("the room is not over")
		}
		wantList(t, "errors", r.reported())
	})
}

// PL-24, PL-25: which joins of a missing room reach the plugin, and how.
func TestJoinOfAMissingRoom(t *testing.T) {
	for _, tt := range []struct {
		load gameserver.Load
		mode photon.JoinMode
		want string
		code photon.ReturnCode
	}{
		{gameserver.LoadNever, photon.CreateIfNotExists, "create ann join=true createIfNotExists=true", 0},
		{gameserver.LoadNever, photon.JoinDefault, "", photon.ReturnGameDoesNotExist},
		{gameserver.LoadNever, photon.JoinOrRejoin, "", photon.ReturnGameDoesNotExist},
		{gameserver.LoadRejoin, photon.JoinDefault, "", photon.ReturnGameDoesNotExist},
		{gameserver.LoadRejoin, photon.JoinOrRejoin, "create ann join=true createIfNotExists=false", photon.ReturnGameDoesNotExist},
		{gameserver.LoadRejoin, photon.RejoinOnly, "create ann join=true createIfNotExists=false", photon.ReturnGameDoesNotExist},
		{gameserver.LoadJoin, photon.JoinDefault, "create ann join=true createIfNotExists=false", photon.ReturnGameDoesNotExist},
	} {
		bubble(t, plugintest.Options{Load: tt.load}, func(t *testing.T, s *plugintest.Server, r *recorder) {
			resp := s.Client("ann").JoinMode("room", tt.mode)
			if resp.ReturnCode != tt.code {
				t.Errorf("load %d mode %d: %d %s", tt.load, tt.mode, resp.ReturnCode, resp.Debug)
			}
			var want []string
			if tt.want != "" {
				want = append(want, tt.want)
				if tt.code != 0 {
					want = append(want, "beforeClose failed=true", "close failed=true actors=0")
				} else {
					want = append(want, "master 0 to 1")
				}
			}
			synctest.Wait()
			wantList(t, "callbacks", r.noted(), want...)
		})
	}
}

// PL-13, PL-31: the creating client gets the words and data of Fail, the room is gone.
func TestFailedCreation(t *testing.T) {
	for _, join := range []bool{false, true} {
		bubble(t, plugintest.Options{}, func(t *testing.T, s *plugintest.Server, r *recorder) {
			r.create = func(c *plugin.CreateGameCall) { _ = c.Fail("no rooms today", map[byte]any{7: "seven"}) }
			ann := s.Client("ann")
			var resp *plugintest.Response
			if join {
				resp = ann.JoinMode("room", photon.CreateIfNotExists)
			} else {
				resp = ann.Create("room")
			}
			wantCode(t, resp, photon.ReturnPluginReportedError)
			if v, _ := resp.Params.Get(7); resp.Debug != "no rooms today" || v != "seven" {
				t.Errorf("response %+v", resp)
			}
			synctest.Wait()
			wantList(t, "callbacks", r.noted()[1:], "beforeClose failed=true", "close failed=true actors=0")
			if s.Rooms() != 0 || !r.ended {
				t.Error("the room is still there")
			}
			// The name is free: the next room has another plugin object.
			wantOk(t, ann.Create("room"))
		})
	}
}

// PL-06, PL-16: what the plugin changes before Continue counts, afterwards not.
func TestChangedRequests(t *testing.T) {
	bubble(t, plugintest.Options{}, func(t *testing.T, s *plugintest.Server, r *recorder) {
		r.create = func(c *plugin.CreateGameCall) {
			c.Request.GameProperties.Set("map", "changed")
			c.Request.PlayerTTL = 5000
			c.Request.ActorProperties = table("added", true)
			if c.Request.EmptyRoomLiveTime != 3000 || c.Request.GameID != "room" || c.Request.LobbyName != "L" || c.Request.LobbyType != 2 ||
				!c.Request.DeleteCacheOnLeave() || !c.Request.CheckUserOnJoin() || c.Request.PublishUserID() {
				t.Errorf("request %+v", c.Request)
			}
			_ = c.Continue()
			c.Request.GameProperties.Set("map", "too late")
		}
		r.raise = func(c *plugin.RaiseEventCall) {
			switch c.Request.EvCode {
			case 1:
				v, _ := c.Request.Data()
				v.(*plugin.Table).Set("k", "in place")
			case 2:
				c.Request.SetData("replaced")
				c.Request.EvCode = 22
			case 3:
				c.Request.Actors = []int32{1}
			}
			_ = c.Continue()
			c.Request.SetData("too late")
		}
		r.beforeSet = func(c *plugin.BeforeSetPropertiesCall) {
			c.Request.Properties.Set("b", int32(2))
			_ = c.Continue()
		}
		ann, bob := s.Client("ann"), s.Client("bob")
		wantOk(t, ann.Create("room", append(options(3000, 0), param(photon.ParamGameProperties, table("map", "asked")),
			param(photon.ParamLobbyName, "L"), param(photon.ParamLobbyType, byte(2)), param(photon.ParamCheckUserOnJoin, true))...))
		resp := bob.Join("room")
		wantOk(t, resp)
		props := resp.Get(photon.ParamGameProperties).(*plugin.Table)
		if m, _ := props.Get("map"); m != "changed" {
			t.Errorf("map is %v", m)
		}
		if ttl, _ := props.Get(photon.PropPlayerTTL); ttl != int32(5000) {
			t.Errorf("PlayerTTL is %v", ttl)
		}
		ann.Raise(1, table("k", "v"))
		ann.Raise(2, "original")
		ann.Raise(3, "to myself")
		ann.Raise(4, "untouched")
		if v, _ := bob.WaitEvent(1).Data().(*plugin.Table).Get("k"); v != "in place" {
			t.Errorf("event 1 has %v", v)
		}
		if e := bob.WaitEvent(22); e.Data() != "replaced" {
			t.Errorf("event %v", e)
		}
		if e := ann.WaitEvent(3); e.Sender() != 1 {
			t.Errorf("event %v", e)
		}
		if e := bob.WaitEvent(4); e.Data() != "untouched" {
			t.Errorf("event %v", e)
		}
		wantOk(t, ann.Set(0, table("a", int32(1))))
		changed := bob.WaitEvent(photon.EventPropertiesChanged).Get(photon.ParamProperties).(*plugin.Table)
		if changed.Len() != 2 {
			t.Errorf("changed %v", changed.Pairs())
		}
	})
}

// PL-07, PL-08, PL-10: statuses and transitions.
func TestStatuses(t *testing.T) {
	bubble(t, plugintest.Options{}, func(t *testing.T, s *plugintest.Server, r *recorder) {
		is := func(c *plugin.RaiseEventCall, want plugin.Status) {
			t.Helper()
			flags := []bool{c.IsNew(), c.IsDeferred(), c.IsSucceeded(), c.IsFailed(), c.IsCanceled()}
			for i, on := range flags {
				if on != (plugin.Status(i) == want) {
					t.Errorf("in state %v flag %v is %v", want, plugin.Status(i), on)
				}
			}
			if c.Status() != want || c.IsProcessed() != (want > plugin.Deferred) {
				t.Errorf("status %v, processed %v, want %v", c.Status(), c.IsProcessed(), want)
			}
		}
		again := func(c *plugin.RaiseEventCall) {
			t.Helper()
			was := c.Status()
			for name, err := range map[string]error{"Continue": c.Continue(), "Fail": c.Fail("x", nil), "Cancel": c.Cancel(), "Defer": c.Defer()} {
				if !errors.Is(err, plugin.ErrProcessed) {
					t.Errorf("%s after %v: %v", name, was, err)
				}
			}
			is(c, was)
		}
		r.raise = func(c *plugin.RaiseEventCall) {
			is(c, plugin.New)
			later := func(decide func() error, want plugin.Status) {
				if err := c.Defer(); err != nil {
					t.Error(err)
				}
				is(c, plugin.Deferred)
				if err := c.Defer(); !errors.Is(err, plugin.ErrProcessed) {
					t.Errorf("second Defer: %v", err)
				}
				r.Host.AfterFunc(time.Second, func() {
					if err := decide(); err != nil {
						t.Error(err)
					}
					is(c, want)
					again(c)
				})
			}
			switch c.Request.EvCode {
			case 1:
				_ = c.Continue()
				is(c, plugin.Succeeded)
				again(c)
			case 2:
				_ = c.Fail("no", nil)
				is(c, plugin.Failed)
				again(c)
			case 3:
				_ = c.Cancel()
				is(c, plugin.Canceled)
				again(c)
			case 4:
				later(c.Continue, plugin.Succeeded)
			case 5:
				later(func() error { return c.Fail("later no", nil) }, plugin.Failed)
			case 6:
				later(c.Cancel, plugin.Canceled)
			}
		}
		ann, bob := s.Client("ann"), s.Client("bob")
		wantOk(t, ann.Create("room"))
		wantOk(t, bob.Join("room"))
		bob.Got()
		ann.Got()
		for code := byte(1); code <= 6; code++ {
			ann.Raise(code, int32(code))
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		// PL-14, PL-44: Continue has no response, Fail has one, Cancel is silence.
		wantList(t, "bob", bob.Got(), "event 1 from 1: 1", "event 4 from 1: 4")
		wantList(t, "ann", ann.Got(), "response 253 rc 32752 no", "response 253 rc 32752 later no")
		// Four mistakes after each decision, and a second Defer.
		if n := len(r.reported()); n != 6*4+3 {
			t.Errorf("%d mistakes reported", n)
		}
	})
}

// PL-11, PL-12: a callback that decides nothing.
func TestStrictMode(t *testing.T) {
	for _, lax := range []bool{false, true} {
		var log strings.Builder
		bubble(t, plugintest.Options{Lax: lax, Log: &log}, func(t *testing.T, s *plugintest.Server, r *recorder) {
			r.raise = func(*plugin.RaiseEventCall) {}
			ann, bob := s.Client("ann"), s.Client("bob")
			wantOk(t, ann.Create("room"))
			wantOk(t, bob.Join("room"))
			ann.Raise(1, "x")
			if lax {
				bob.WaitEvent(1)
				wantList(t, "errors", r.reported())
				return
			}
			wantCode(t, ann.WaitResponse(photon.OpRaiseEvent), photon.ReturnPluginReportedError)
			wantList(t, "errors", r.reported(), "5")
			wantList(t, "events", bob.Events())
		})
		if !strings.Contains(log.String(), "without a decision") {
			t.Errorf("lax %v: nothing in the log: %s", lax, log.String())
		}
	}
}

// PL-32, PL-33, PL-34, PL-35, PL-36, PL-37: the ways into a room.
func TestJoining(t *testing.T) {
	bubble(t, plugintest.Options{}, func(t *testing.T, s *plugintest.Server, r *recorder) {
		ann := s.Client("ann")
		wantOk(t, ann.Create("room", param(photon.ParamGameProperties, table(photon.PropMaxPlayers, byte(3)))))
		ann.Got()
		r.noted()

		r.beforeJoin = func(c *plugin.BeforeJoinCall) { _ = c.Fail("not you", nil) }
		wantCode(t, s.Client("bob").Join("room"), photon.ReturnPluginReportedError)
		wantList(t, "callbacks", r.noted(), "beforeJoin bob")

		r.beforeJoin = func(c *plugin.BeforeJoinCall) {
			_ = r.Host.BroadcastEvent(plugin.Event{Code: 50, Data: "lost"})
			_ = r.Host.BroadcastEvent(plugin.Event{Code: 51, Data: "cached", Cache: photon.AddToRoomCacheGlobal})
			if err := c.Continue(); err != nil && c.UserID() != "eve" {
				t.Error(err)
			}
		}
		r.join = func(c *plugin.JoinCall) {
			if a, ok := r.Host.Actor(c.ActorNr); !ok || a.UserID != c.UserID() || !a.IsActive {
				t.Errorf("actor %d: %+v %v", c.ActorNr, a, ok)
			}
			if c.UserID() == "carl" {
				_ = c.Fail("no carls", nil)
				return
			}
			if c.UserID() == "dora" {
				c.Params.PublishCache, c.Params.PublishJoinEvents = false, false
				c.Params.ResponseExtraParameters = map[byte]any{99: "extra"}
			}
			_ = c.Continue()
		}
		bob := s.Client("bob")
		wantOk(t, bob.Join("room"))
		wantList(t, "bob", texts(bob.Events()), "51 from 0: cached")
		wantList(t, "ann", texts(ann.Events()), "50 from 0: lost", "51 from 0: cached")
		r.noted()

		// PL-36: nobody hears of an actor whose join failed; its number is gone.
		wantCode(t, s.Client("carl").Join("room"), photon.ReturnPluginReportedError)
		wantList(t, "callbacks", r.noted(), "beforeJoin carl", "join carl 3", "leave 3 inactive=false reason=105")
		for _, line := range ann.Got() {
			if strings.Contains(line, "from 3") {
				t.Errorf("ann heard of carl: %s", line)
			}
		}
		// PL-37
		dora := s.Client("dora")
		resp := dora.Join("room")
		wantOk(t, resp)
		if v, _ := resp.Params.Get(99); v != "extra" || resp.Get(photon.ParamActorNr) != int32(4) {
			t.Errorf("response %+v", resp)
		}
		wantList(t, "dora", dora.Got())
		wantList(t, "ann", texts(ann.Events()), "50 from 0: lost", "51 from 0: cached")
		r.noted()

		// PL-33
		wantCode(t, s.Client("eve").Join("room"), photon.ReturnGameFull)
		wantOk(t, ann.Set(0, table(photon.PropMaxPlayers, byte(0))))
		wantOk(t, ann.Set(0, table(photon.PropIsOpen, false)))
		var refused *plugin.RefusedError
		r.beforeJoin = func(c *plugin.BeforeJoinCall) {
			if err := c.Continue(); !errors.As(err, &refused) {
				t.Errorf("Continue: %v", err)
			}
		}
		wantCode(t, s.Client("eve").Join("room"), photon.ReturnGameClosed)
		if refused == nil || refused.ReturnCode != int16(photon.ReturnGameClosed) {
			t.Errorf("the plugin saw %v", refused)
		}
		wantList(t, "joins", only(r.noted(), "join "))
	})
}

// A join that waits for the plugin holds its place, and copes with what happens
// meanwhile.
func TestDeferredJoin(t *testing.T) {
	bubble(t, plugintest.Options{}, func(t *testing.T, s *plugintest.Server, r *recorder) {
		ann := s.Client("ann")
		wantOk(t, ann.Create("room", param(photon.ParamGameProperties, table(photon.PropMaxPlayers, byte(2)))))
		r.join = func(c *plugin.JoinCall) {
			r.Host.DeferAfter(c, 3*time.Second, func() { _ = c.Continue() })
		}
		bob := s.Client("bob")
		bob.Send(photon.OpJoinGame, param(photon.ParamRoomName, "room"))
		synctest.Wait()
		// bob is nobody yet, but his place is taken.
		r.join = nil
		wantCode(t, s.Client("carl").Join("room"), photon.ReturnGameFull)
		ann.Raise(1, "before")
		ann.Sync()
		wantList(t, "ann's actors", joins(ann), 1)
		resp := bob.WaitResponse(photon.OpJoinGame)
		wantOk(t, resp)
		wantList(t, "bob", texts(bob.Events()))
		wantList(t, "ann's actors", joins(ann), 2)

		// One whose client goes while it waits leaves as soon as it is in.
		wantOk(t, bob.Leave(false))
		r.noted()
		r.join = func(c *plugin.JoinCall) {
			r.Host.DeferAfter(c, time.Second, func() { _ = c.Continue() })
		}
		dora := s.Client("dora")
		dora.Send(photon.OpJoinGame, param(photon.ParamRoomName, "room"))
		synctest.Wait()
		dora.Drop(transport.ReasonTimeout)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		wantList(t, "callbacks", r.noted(), "beforeJoin dora", "join dora 3", "leave 3 inactive=false reason=0")
	})
}

// PL-38, PL-39, PL-40, PL-41, PL-42: the ways out.
func TestLeaving(t *testing.T) {
	for _, playerTTL := range []int32{0, 10_000} {
		bubble(t, plugintest.Options{}, func(t *testing.T, s *plugintest.Server, r *recorder) {
			ann := s.Client("ann")
			wantOk(t, ann.Create("room", options(0, playerTTL)...))
			for _, tt := range []struct {
				how    func(c *plugintest.Client)
				reason string
				stays  bool
			}{
				{func(c *plugintest.Client) { wantOk(t, c.Leave(false)) }, "101", false},
				{func(c *plugintest.Client) { wantOk(t, c.Leave(true)) }, "101", true},
				{func(c *plugintest.Client) { c.Drop(transport.ReasonClientDisconnect) }, "0", true},
				{func(c *plugintest.Client) { c.Drop(transport.ReasonClientTimeout) }, "1", true},
				{func(c *plugintest.Client) { c.Drop(transport.ReasonSendQueueFull) }, "2", true},
				{func(c *plugintest.Client) { c.Drop(transport.ReasonProtocolError) }, "3", true},
				{func(c *plugintest.Client) { c.Drop(transport.ReasonTimeout) }, "4", true},
			} {
				bob := s.Client("bob")
				resp := bob.Join("room")
				wantOk(t, resp)
				nr := resp.Get(photon.ParamActorNr).(int32)
				r.noted()
				r.leave = func(c *plugin.LeaveCall) {
					// The one who leaves hears nothing from here.
					_ = r.Host.BroadcastEvent(plugin.Event{Code: 60, To: []int32{c.ActorNr}})
					if c.Reason == photon.LeaveRequest && (c.Request == nil || c.Request.IsComingBack != tt.stays) {
						t.Errorf("request %+v", c.Request)
					}
					_ = c.Continue()
					a, there := r.Host.Actor(c.ActorNr)
					if there != c.IsInactive || there && (a.IsActive || a.DeactivationTime.IsZero() || a.DeactivationTime.Location() != time.UTC) {
						t.Errorf("after leaving: %+v %v", a, there)
					}
				}
				tt.how(bob)
				synctest.Wait()
				stays := tt.stays && playerTTL != 0
				want := "leave " + itoa(nr) + " inactive=" + boolText(stays) + " reason=" + tt.reason
				wantList(t, "callbacks", r.noted(), want)
				for _, line := range bob.Rest() {
					if strings.HasPrefix(line, "event 60") {
						t.Error("the one who left heard of it")
					}
				}
				if stays {
					time.Sleep(11 * time.Second)
					wantList(t, "expiry", r.noted(), "leave "+itoa(nr)+" inactive=false reason=102")
				}
			}
			// PL-42
			r.leave = func(c *plugin.LeaveCall) { _ = c.Fail("stay", nil) }
			bob := s.Client("bob")
			wantOk(t, bob.Join("room"))
			wantCode(t, bob.Leave(false), photon.ReturnPluginReportedError)
			if n := s.Record("room").Players; n != 1 {
				t.Errorf("%d players", n)
			}
			r.leave = nil
		})
	}
}

// PL-45, PL-15, PL-81: what is deferred is overtaken, and keeps its sender.
func TestDeferredEvent(t *testing.T) {
	bubble(t, plugintest.Options{}, func(t *testing.T, s *plugintest.Server, r *recorder) {
		r.raise = func(c *plugin.RaiseEventCall) {
			if c.Request.EvCode != 1 {
				_ = c.Continue()
				return
			}
			r.Host.DeferAfter(c, time.Second, func() {
				if err := c.Continue(); err != nil && c.ActorNr == 1 {
					t.Error(err)
				} else if c.ActorNr == 2 && !errors.Is(err, plugin.ErrNoSuchActor) {
					t.Errorf("Continue for one who left: %v", err)
				}
			})
		}
		ann, bob := s.Client("ann"), s.Client("bob")
		wantOk(t, ann.Create("room"))
		wantOk(t, bob.Join("room"))
		ann.Raise(1, "first")
		ann.Raise(2, "second")
		time.Sleep(2 * time.Second)
		wantList(t, "bob", texts(bob.Events()), "2 from 1: second", "1 from 1: first")
		// One who has left meanwhile: nothing happens.
		bob.Raise(1, "gone")
		wantOk(t, bob.Leave(false))
		time.Sleep(2 * time.Second)
		wantList(t, "ann", texts(ann.Events()))
		// A room that ends fails what waits.
		carl := s.Client("carl")
		wantOk(t, carl.Join("room"))
		carl.Raise(1, "waits")
		carl.Sync()
		s.Close("room")
		synctest.Wait()
		if got := carl.Rest(); len(got) == 0 || !strings.Contains(got[len(got)-1], "253 rc 32752 the room is closed") {
			t.Errorf("carl got %v", got)
		}
	})
}

// PL-46, PL-47, PL-48: properties.
func TestSettingProperties(t *testing.T) {
	bubble(t, plugintest.Options{}, func(t *testing.T, s *plugintest.Server, r *recorder) {
		ann, bob := s.Client("ann"), s.Client("bob")
		wantOk(t, ann.Create("room", param(photon.ParamGameProperties, table("turn", int32(1)))))
		wantOk(t, bob.Join("room"))
		r.set = func(c *plugin.SetPropertiesCall) {
			if turn, _ := r.Host.Properties().Get("turn"); turn != int32(2) {
				t.Errorf("OnSetProperties sees turn %v", turn)
			}
			_ = c.Fail("too late", nil)
		}
		r.noted()
		wantOk(t, ann.Set(0, table("turn", int32(2)), param(photon.ParamExpectedValues, table("turn", int32(1)))))
		bob.WaitEvent(photon.EventPropertiesChanged)
		wantList(t, "callbacks", r.noted(), "beforeSet 1 of 0", "set 1 of 0")
		wantCode(t, bob.Set(0, table("turn", int32(3)), param(photon.ParamExpectedValues, table("turn", int32(1)))), photon.ReturnInvalidOperation)
		wantList(t, "callbacks", r.noted(), "beforeSet 2 of 0")
		wantOk(t, bob.Set(1, table("hp", int32(1))))
		wantList(t, "callbacks", r.noted(), "beforeSet 2 of 1", "set 2 of 1")

		r.beforeSet = func(c *plugin.BeforeSetPropertiesCall) { _ = c.Fail("no", nil) }
		wantCode(t, bob.Set(0, table("turn", int32(4))), photon.ReturnPluginReportedError)
		r.beforeSet = func(c *plugin.BeforeSetPropertiesCall) { _ = c.Cancel() }
		bob.Got()
		bob.Send(photon.OpSetProperties, param(photon.ParamProperties, table("turn", int32(5))))
		wantList(t, "after Cancel", bob.Got())
		r.beforeSet = func(c *plugin.BeforeSetPropertiesCall) {
			r.Host.DeferAfter(c, time.Second, func() { _ = c.Continue() })
		}
		wantOk(t, bob.Set(0, table("turn", int32(2), "more", true)))
	})
}

// PL-49, PL-105: EmptyRoomTTL.
func TestEmptyRoom(t *testing.T) {
	bubble(t, plugintest.Options{}, func(t *testing.T, s *plugintest.Server, r *recorder) {
		r.beforeClose = func(c *plugin.BeforeCloseGameCall) {
			if c.Request.EmptyRoomTTL != 5000 {
				t.Errorf("EmptyRoomTTL %d", c.Request.EmptyRoomTTL)
			}
			_ = c.Continue()
		}
		ann := s.Client("ann")
		wantOk(t, ann.Create("room", options(5000, -1)...))
		wantOk(t, ann.Leave(true))
		time.Sleep(4 * time.Second)
		bob := s.Client("bob")
		wantOk(t, bob.Join("room"))
		time.Sleep(10 * time.Second)
		wantOk(t, bob.Leave(false))
		r.noted()
		time.Sleep(4900 * time.Millisecond)
		synctest.Wait()
		wantList(t, "too early", r.noted())
		time.Sleep(200 * time.Millisecond)
		synctest.Wait()
		wantList(t, "callbacks", r.noted(), "beforeClose failed=false", "close failed=false actors=1")
		wantCode(t, bob.Join("room"), photon.ReturnGameDoesNotExist)
	})
}

// PL-51: the name is locked until the plugin has let go of the room.
func TestNameIsLockedWhileClosing(t *testing.T) {
	f := &factory{made: []*recorder{{}, {}}}
	bubble(t, plugintest.Options{Factory: f}, func(t *testing.T, s *plugintest.Server, _ *recorder) {
		first, second := f.made[0], f.made[1]
		closing := false
		first.close = func(c *plugin.CloseGameCall) {
			closing = true
			first.Host.DeferAfter(c, 2*time.Second, func() { closing = false; _ = c.Continue() })
		}
		second.create = func(c *plugin.CreateGameCall) {
			if closing {
				t.Error("two rooms of one name")
			}
			_ = c.Continue()
		}
		ann, bob, carl := s.Client("ann"), s.Client("bob"), s.Client("carl")
		wantOk(t, ann.Create("room"))
		wantOk(t, ann.Leave(false))
		start := time.Now()
		carl.Send(photon.OpJoinGame, param(photon.ParamRoomName, "room"))
		wantOk(t, bob.Create("room"))
		if took := time.Since(start); took < 1900*time.Millisecond {
			t.Errorf("the second room came after %v", took)
		}
		// A plain join behind a room that is ending finds none, or the new one.
		if r := carl.WaitResponse(photon.OpJoinGame); r.ReturnCode != 0 && r.ReturnCode != photon.ReturnGameDoesNotExist {
			t.Errorf("join: %d %s", r.ReturnCode, r.Debug)
		}
	})
}

// PL-52: the server's end closes rooms through the callbacks.
func TestServerEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		s := plugintest.New(t, plugintest.Options{Factory: &factory{made: []*recorder{r}}})
		r.close = func(c *plugin.CloseGameCall) {
			r.Host.DeferAfter(c, time.Second, func() { r.note("saved"); _ = c.Continue() })
		}
		ann := s.Client("ann")
		wantOk(t, ann.Create("room", options(0, 60_000)...))
		s.Stop()
		wantList(t, "callbacks", r.noted()[2:], "leave 1 inactive=true reason=3", "beforeClose failed=false", "close failed=false actors=1", "saved")
		if !r.ended {
			t.Error("the plugin was not closed")
		}
	})
}
