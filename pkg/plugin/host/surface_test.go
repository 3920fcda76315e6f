package host_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/boson-project/boson/pkg/gameserver"
	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
	"github.com/boson-project/boson/pkg/plugin/plugintest"
	"github.com/boson-project/boson/pkg/transport"
)

// table3 is a room of ann, bob and carl, whose plugin runs what the test posts.
func table3(t *testing.T, opt plugintest.Options, room []gparam, test func(s *plugintest.Server, r *recorder, on func(func()), c [3]*plugintest.Client)) {
	t.Helper()
	bubble(t, opt, func(t *testing.T, s *plugintest.Server, r *recorder) {
		var c [3]*plugintest.Client
		for i, user := range []string{"ann", "bob", "carl"} {
			c[i] = s.Client(user)
			if i == 0 {
				wantOk(t, c[i].Create("room", room...))
			} else {
				wantOk(t, c[i].Join("room"))
			}
		}
		for i := range c {
			c[i].Got()
		}
		r.noted()
		on := func(f func()) {
			t.Helper()
			if !r.Host.Enqueue(f) {
				t.Error("the room is closed")
			}
			synctest.Wait()
		}
		test(s, r, on, c)
	})
}

// PL-66, PL-67, PL-68, PL-69, PL-72, PL-73: events of the plugin's.
func TestBroadcastEvent(t *testing.T) {
	table3(t, plugintest.Options{}, options(0, 60_000), func(s *plugintest.Server, r *recorder, on func(func()), c [3]*plugintest.Client) {
		dora := s.Client("dora")
		wantOk(t, dora.Join("room"))
		dora.Drop(transport.ReasonTimeout) // actor 4 is inactive
		c[1].Send(photon.OpChangeGroups, param(photon.ParamAdd, []byte{5}))
		for i := range c {
			c[i].Got()
		}
		for _, tt := range []struct {
			e    plugin.Event
			want [3]string
		}{
			{plugin.Event{Code: 1, Data: "all"}, [3]string{"1 from 0: all", "1 from 0: all", "1 from 0: all"}},
			{plugin.Event{Code: 2, Data: "x", Sender: 2}, [3]string{"2 from 2: x", "2 from 2: x", "2 from 2: x"}},
			{plugin.Event{Code: 3, Sender: 2, Target: plugin.Others}, [3]string{"3 from 2: <nil>", "", "3 from 2: <nil>"}},
			{plugin.Event{Code: 4, Target: plugin.Others}, [3]string{"4 from 0: <nil>", "4 from 0: <nil>", "4 from 0: <nil>"}},
			{plugin.Event{Code: 5, Target: plugin.MasterClient}, [3]string{"5 from 0: <nil>", "", ""}},
			{plugin.Event{Code: 6, Target: plugin.Group, Group: 5}, [3]string{"", "6 from 0: <nil>", ""}},
			{plugin.Event{Code: 7, Group: 5}, [3]string{"", "7 from 0: <nil>", ""}},
			{plugin.Event{Code: 8, Group: 5, Sender: 2, Target: plugin.Others}, [3]string{"", "", ""}},
			{plugin.Event{Code: 9, To: []int32{3, 1, 3, 4, 99}}, [3]string{"9 from 0: <nil>", "", "9 from 0: <nil>"}},
			{plugin.Event{Code: 10, To: []int32{}}, [3]string{"", "", ""}},
			{plugin.Event{Code: 11, Sender: 4, Data: int32(1)}, [3]string{"11 from 4: 1", "11 from 4: 1", "11 from 4: 1"}},
			{plugin.Event{Code: 12, Params: map[byte]any{245: "p", 254: int32(0)}}, [3]string{"12 from 0: p", "12 from 0: p", "12 from 0: p"}},
			{plugin.Event{Code: 13, Params: map[byte]any{245: "p"}}, [3]string{"13 from -1: p", "13 from -1: p", "13 from -1: p"}},
			{plugin.Event{Code: 14, Target: plugin.Group}, [3]string{"14 from 0: <nil>", "14 from 0: <nil>", "14 from 0: <nil>"}},
			{plugin.Event{Code: 254, Data: "server's own code"}, [3]string{"254 from 0: server's own code", "254 from 0: server's own code", "254 from 0: server's own code"}},
		} {
			on(func() {
				if err := r.Host.BroadcastEvent(tt.e); err != nil {
					t.Errorf("event %d: %v", tt.e.Code, err)
				}
			})
			for i := range c {
				got := ""
				for _, line := range c[i].Got() {
					got += line[len("event "):]
				}
				if got != tt.want[i] {
					t.Errorf("event %d: %s got %q, want %q", tt.e.Code, c[i].UserID, got, tt.want[i])
				}
			}
		}
		on(func() {
			if err := r.Host.BroadcastEvent(plugin.Event{Code: 1, Sender: 99}); !errors.Is(err, plugin.ErrNoSuchActor) {
				t.Errorf("unknown sender: %v", err)
			}
			if err := r.Host.BroadcastEvent(plugin.Event{Code: 1, Data: struct{}{}}); err == nil {
				t.Error("a struct was sent")
			}
			if err := r.Host.BroadcastEvent(plugin.Event{Code: 1, Cache: photon.SlicePurgeIndex}); err == nil {
				t.Error("a cache operation was sent")
			}
			_ = r.Host.BroadcastEvent(plugin.Event{Code: 77, Send: plugin.SendOptions{Channel: 3, Unreliable: true}})
		})
		if d := c[0].WaitEvent(77).Delivery; d.Channel != 3 || d.Mode != photon.Unreliable {
			t.Errorf("delivery %+v", d)
		}
		wantList(t, "callbacks", only(r.noted(), "raise"))
	})
}

// PL-70, PL-71, PL-77: the event cache.
func TestCache(t *testing.T) {
	table3(t, plugintest.Options{}, options(0, 0), func(s *plugintest.Server, r *recorder, on func(func()), c [3]*plugintest.Client) {
		newcomer := func() (list []string) {
			t.Helper()
			x := s.Client("new")
			wantOk(t, x.Join("room"))
			for _, line := range x.Got() {
				if line[:len("event 255")] != "event 255" {
					list = append(list, line)
				}
			}
			wantOk(t, x.Leave(false))
			return list
		}
		send := func(e plugin.Event) {
			t.Helper()
			on(func() {
				if err := r.Host.BroadcastEvent(e); err != nil {
					t.Errorf("event %d: %v", e.Code, err)
				}
			})
		}
		op := func(o plugin.CacheOperation, fails bool) {
			t.Helper()
			on(func() {
				if err := r.Host.ExecuteCacheOperation(o); (err != nil) != fails {
					t.Errorf("%+v: %v", o, err)
				}
			})
		}
		send(plugin.Event{Code: 1, Data: "room's", Cache: photon.AddToRoomCacheGlobal})
		send(plugin.Event{Code: 2, Data: "bob's", Sender: 2, Cache: photon.AddToRoomCache})
		send(plugin.Event{Code: 3, To: []int32{1}, Cache: photon.AddToRoomCache})
		send(plugin.Event{Code: 4, Target: plugin.MasterClient, Cache: photon.AddToRoomCache})
		send(plugin.Event{Code: 5, Group: 5, Cache: photon.AddToRoomCache})
		op(plugin.CacheOperation{Op: photon.AddToRoomCache, ActorNr: 3, EventCode: 6, Data: table("k", "v")}, false)
		wantList(t, "cache", newcomer(), "event 1 from 0: room's", "event 2 from 2: bob's", "event 6 from 3: "+textOf(table("k", "v")))
		op(plugin.CacheOperation{Op: photon.RemoveFromRoomCache, Data: table("k", "v")}, false)
		op(plugin.CacheOperation{Op: photon.RemoveFromRoomCache, EventCode: 9}, false)
		wantList(t, "cache", newcomer(), "event 1 from 0: room's", "event 2 from 2: bob's")
		op(plugin.CacheOperation{Op: photon.SliceIncreaseIndex}, false)
		send(plugin.Event{Code: 7, Cache: photon.AddToRoomCache})
		op(plugin.CacheOperation{Op: photon.SliceSetIndex, SliceIndex: 5}, false)
		send(plugin.Event{Code: 8, Cache: photon.AddToRoomCache})
		op(plugin.CacheOperation{Op: photon.RemoveFromRoomCache, Actors: []int32{2}}, false)
		wantList(t, "cache", newcomer(), "event 1 from 0: room's", "event 250 from -1: <nil>", "event 7 from 0: <nil>", "event 250 from -1: <nil>", "event 8 from 0: <nil>")
		op(plugin.CacheOperation{Op: photon.SlicePurgeIndex, SliceIndex: 5}, false)
		op(plugin.CacheOperation{Op: photon.SlicePurgeUpToIndex, SliceIndex: 0}, false)
		wantList(t, "cache", newcomer(), "event 250 from -1: <nil>", "event 7 from 0: <nil>")
		op(plugin.CacheOperation{Op: photon.DoNotCache}, true)
		op(plugin.CacheOperation{Op: 99}, true)
		op(plugin.CacheOperation{Op: photon.SliceSetIndex, SliceIndex: -1}, true)
		op(plugin.CacheOperation{Op: photon.AddToRoomCache, ActorNr: 99}, true)
	})
}

// PL-74, PL-73: properties.
func TestPluginSetsProperties(t *testing.T) {
	table3(t, plugintest.Options{}, nil, func(s *plugintest.Server, r *recorder, on func(func()), c [3]*plugintest.Client) {
		set := func(nr int32, tb *plugin.Table, opt plugin.SetOptions) (ok bool, err error) {
			on(func() { ok, err = r.Host.SetProperties(nr, tb, opt) })
			return ok, err
		}
		if ok, err := set(0, table("turn", int32(1), photon.PropIsOpen, false), plugin.SetOptions{Broadcast: true}); !ok || err != nil {
			t.Errorf("room: %v %v", ok, err)
		}
		e := c[1].WaitEvent(photon.EventPropertiesChanged)
		if e.Get(photon.ParamActorNr) != int32(0) || e.Get(photon.ParamProperties).(*plugin.Table).Len() != 2 {
			t.Errorf("event %+v", e)
		}
		if s.Record("room").Open {
			t.Error("masters don't know that the room is closed")
		}
		if ok, err := set(2, table("hp", int32(1)), plugin.SetOptions{}); !ok || err != nil {
			t.Errorf("actor: %v %v", ok, err)
		}
		if ok, err := set(9, table("hp", int32(1)), plugin.SetOptions{}); ok || !errors.Is(err, plugin.ErrNoSuchActor) {
			t.Errorf("no actor: %v %v", ok, err)
		}
		if ok, err := set(0, table("turn", int32(2)), plugin.SetOptions{Expected: table("turn", int32(9))}); ok || err == nil {
			t.Errorf("condition: %v %v", ok, err)
		}
		if ok, err := set(0, table("turn", nil), plugin.SetOptions{Expected: table("turn", int32(1))}); !ok || err != nil {
			t.Errorf("delete: %v %v", ok, err)
		}
		on(func() {
			if v, ok := r.Host.Properties().Get("turn"); ok && v != nil {
				t.Errorf("turn is %v", v)
			}
			if a, _ := r.Host.Actor(2); a.Properties.Len() == 0 {
				t.Error("actor 2 has no properties")
			}
		})
		for i := range c {
			wantList(t, "events", c[i].Events())
		}
		wantList(t, "callbacks", r.noted())
	})
}

// PL-64, PL-65: actors and the master client.
func TestActors(t *testing.T) {
	table3(t, plugintest.Options{}, append(options(60_000, 10_000), param(photon.ParamCheckUserOnJoin, true)), func(s *plugintest.Server, r *recorder, on func(func()), c [3]*plugintest.Client) {
		lists := func(all, active, inactive int, master int32) {
			t.Helper()
			on(func() {
				if a, b, d := len(r.Host.Actors()), len(r.Host.ActiveActors()), len(r.Host.InactiveActors()); a != all || b != active || d != inactive {
					t.Errorf("%d actors, %d active, %d inactive", a, b, d)
				}
				if m := r.Host.MasterClientID(); m != master {
					t.Errorf("master client %d", m)
				}
			})
		}
		lists(3, 3, 0, 1)
		c[0].Drop(transport.ReasonTimeout)
		lists(3, 2, 1, 2)
		wantList(t, "callbacks", r.noted(), "leave 1 inactive=true reason=4", "master 1 to 2")
		ann := s.Client("ann")
		// PL-103: by user id, with actor number -1.
		resp := ann.JoinMode("room", photon.RejoinOnly, param(photon.ParamActorNr, int32(-1)))
		wantOk(t, resp)
		if resp.Get(photon.ParamActorNr) != int32(1) {
			t.Errorf("actor %v", resp.Get(photon.ParamActorNr))
		}
		lists(3, 3, 0, 2)
		wantOk(t, c[1].Set(0, table(photon.PropMasterClientID, int32(3))))
		lists(3, 3, 0, 3)
		wantOk(t, c[2].Leave(false))
		lists(2, 2, 0, 1)
		wantOk(t, ann.Leave(true))
		time.Sleep(9 * time.Second)
		lists(2, 1, 1, 2)
		// A new countdown after each return.
		wantOk(t, ann.JoinMode("room", photon.JoinOrRejoin))
		wantOk(t, ann.Leave(true))
		time.Sleep(9 * time.Second)
		lists(2, 1, 1, 2)
		time.Sleep(2 * time.Second)
		lists(1, 1, 0, 2)
		wantList(t, "master", only(r.noted(), "master"), "master 2 to 3", "master 3 to 1", "master 1 to 2")
	})
}

// A plugin ends its room: all are told why, and the name is free.
func TestCloseRoom(t *testing.T) {
	table3(t, plugintest.Options{}, options(0, 0), func(s *plugintest.Server, r *recorder, on func(func()), c [3]*plugintest.Client) {
		r.noted()
		on(func() {
			if !r.Host.CloseRoom("the match is over") {
				t.Error("the room could not be closed")
			}
			if got := r.noted(); len(got) != 0 {
				t.Errorf("inside the callback: %v", got)
			}
		})
		for _, p := range c {
			if text := p.WaitGone(); text != "the match is over" {
				t.Errorf("a client was told %q", text)
			}
		}
		synctest.Wait()
		wantList(t, "callbacks", r.noted(), "leave 1 inactive=false reason=3", "leave 2 inactive=false reason=3", "leave 3 inactive=false reason=3",
			"beforeClose failed=false", "close failed=false actors=0")
		if r.Host.CloseRoom("again") {
			t.Error("a room was closed twice")
		}
		wantOk(t, s.Client("dora").Create("room"))
	})
}

// PL-75, PL-76: removal.
func TestRemoveActor(t *testing.T) {
	table3(t, plugintest.Options{}, options(0, 60_000), func(s *plugintest.Server, r *recorder, on func(func()), c [3]*plugintest.Client) {
		c[2].Drop(transport.ReasonTimeout)
		synctest.Wait()
		r.noted()
		on(func() {
			if !r.Host.RemoveActor(2, plugin.Banned, "cheating") || !r.Host.RemoveActor(3, plugin.Kick, "") {
				t.Error("actors could not be removed")
			}
			if r.Host.RemoveActor(2, plugin.Kick, "") || r.Host.RemoveActor(99, plugin.Kick, "") {
				t.Error("nobody was removed")
			}
		})
		if text := c[1].WaitGone(); text != "cheating" {
			t.Errorf("bob was told %q", text)
		}
		wantList(t, "callbacks", r.noted(), "leave 2 inactive=false reason=104", "leave 3 inactive=false reason=104")
		for _, user := range []string{"bob", "carl"} {
			wantCode(t, s.Client(user).Join("room"), photon.ReturnJoinFailedFoundExcludedUserID)
			wantCode(t, s.Client(user).JoinMode("room", photon.JoinOrRejoin), photon.ReturnJoinFailedFoundExcludedUserID)
		}
		var state plugin.GameState
		on(func() {
			var err error
			if state, err = r.Host.State(); err != nil {
				t.Error(err)
			}
		})
		// The list of the excluded is saved.
		f := plugin.FactoryFunc(func(h plugin.Host, _ string, _ plugin.Config) (plugin.Plugin, error) {
			return &loader{recorder: recorder{Base: plugin.Base{Host: h}}, state: state}, nil
		})
		s2 := plugintest.New(t, plugintest.Options{Factory: f, Load: gameserver.LoadJoin})
		defer s2.Stop()
		wantOk(t, s2.Client("ann").JoinMode("room", photon.RejoinOnly))
		wantCode(t, s2.Client("bob").Join("room"), photon.ReturnJoinFailedFoundExcludedUserID)
	})
}

// An operator removes actors: the plugin hears of it, and another list of the
// excluded there is not.
func TestOperatorKicks(t *testing.T) {
	table3(t, plugintest.Options{}, options(0, 60_000), func(s *plugintest.Server, r *recorder, on func(func()), c [3]*plugintest.Client) {
		kick := func(want int, k gameserver.Kick) {
			t.Helper()
			if got := s.Kick("room", k); got != want {
				t.Errorf("%+v removed %d, want %d", k, got, want)
			}
			synctest.Wait()
		}
		kick(0, gameserver.Kick{UserID: "nobody"})
		kick(0, gameserver.Kick{ActorNr: 9, Ban: true})
		wantList(t, "callbacks", r.noted())
		kick(1, gameserver.Kick{ActorNr: 2, Reason: "mind your words"})
		if text := c[1].WaitGone(); text != "mind your words" {
			t.Errorf("bob was told %q", text)
		}
		wantList(t, "events", c[0].Got(), "event 254 from 2: <nil>")
		c[2].Drop(transport.ReasonTimeout)
		synctest.Wait()
		wantList(t, "callbacks", r.noted(), "leave 2 inactive=false reason=2", "leave 3 inactive=true reason=4")
		wantOk(t, s.Client("bob").Join("room"))
		r.noted()
		kick(1, gameserver.Kick{UserID: "carl", Ban: true}) // inactive
		kick(0, gameserver.Kick{UserID: "dora", Ban: true}) // not here yet
		wantList(t, "callbacks", r.noted(), "leave 3 inactive=false reason=2")
		for _, user := range []string{"carl", "dora"} {
			wantCode(t, s.Client(user).JoinMode("room", photon.JoinOrRejoin), photon.ReturnJoinFailedFoundExcludedUserID)
		}
		on(func() {
			if n := len(r.Host.ActiveActors()); n != 2 {
				t.Errorf("%d actors", n)
			}
		})
		// The last one's removal is the room's end.
		kick(1, gameserver.Kick{UserID: "ann"})
		kick(1, gameserver.Kick{UserID: "bob"})
		if s.Rooms() != 0 {
			t.Error("an empty room is there")
		}
	})
}

// loader loads a state.
type loader struct {
	recorder
	state plugin.GameState
	err   error
}

func (l *loader) OnCreateGame(c *plugin.CreateGameCall) {
	if l.err = l.Host.SetState(l.state); l.err != nil {
		_ = c.Fail(l.err.Error(), nil)
		return
	}
	_ = c.Continue()
}

// PL-109, PL-110, PL-112, PL-113, PL-114, PL-115, PL-101, PL-106, PL-107: save and load.
func TestSaveAndLoad(t *testing.T) {
	var state plugin.GameState
	room := append(options(1000, 60_000), param(photon.ParamGameProperties, table("map", "forest", photon.PropPropsListedInLobby, []string{"map"})))
	table3(t, plugintest.Options{}, room, func(s *plugintest.Server, r *recorder, on func(func()), c [3]*plugintest.Client) {
		c[1].Raise(5, "cached", param(photon.ParamCache, byte(photon.AddToRoomCache)))
		c[1].Sync()
		r.raise = func(call *plugin.RaiseEventCall) {
			if err := r.Host.SetState(state); !errors.Is(err, plugin.ErrNotAllowed) {
				t.Errorf("SetState outside of OnCreateGame: %v", err)
			}
			_ = call.Continue()
		}
		c[1].Raise(6, nil)
		c[1].Sync()
		r.raise = nil
		r.close = func(call *plugin.CloseGameCall) {
			if call.ActorCount != 2 {
				t.Errorf("%d inactive actors", call.ActorCount)
			}
			var err error
			if state, err = r.Host.State(); err != nil {
				t.Error(err)
			}
			_ = call.Continue()
		}
		wantOk(t, c[2].Leave(false))
		c[0].Drop(transport.ReasonTimeout)
		time.Sleep(20 * time.Second)
		c[1].Drop(transport.ReasonTimeout)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if s.Rooms() != 0 || state == nil {
			t.Fatal("the room was not saved")
		}

		load := func(state plugin.GameState) (*plugintest.Server, *loader) {
			l := &loader{state: state}
			f := plugin.FactoryFunc(func(h plugin.Host, _ string, _ plugin.Config) (plugin.Plugin, error) {
				l.Host = h
				return l, nil
			})
			return plugintest.New(t, plugintest.Options{Factory: f, Load: gameserver.LoadJoin}), l
		}
		s2, l := load(state)
		bob := s2.Client("bob")
		resp := bob.JoinMode("room", photon.RejoinOnly)
		wantOk(t, resp)
		if resp.Get(photon.ParamActorNr) != int32(2) || len(resp.Get(photon.ParamActorList).([]int32)) != 2 {
			t.Errorf("response %+v", resp)
		}
		if m, _ := resp.Get(photon.ParamGameProperties).(*plugin.Table).Get("map"); m != "forest" {
			t.Errorf("map %v", m)
		}
		dora := s2.Client("dora")
		resp = dora.Join("room")
		wantOk(t, resp)
		if resp.Get(photon.ParamActorNr) != int32(4) {
			t.Errorf("new actor %v: a number was used again", resp.Get(photon.ParamActorNr))
		}
		wantList(t, "cache", texts(dora.Events()), "5 from 2: cached")
		wantList(t, "joins", only(l.noted(), "create"))
		s2.Stop()

		// ann's PlayerTTL is over, bob's not yet.
		time.Sleep(45 * time.Second)
		s3, _ := load(state)
		wantCode(t, s3.Client("ann").JoinMode("room", photon.RejoinOnly), photon.ReturnJoinFailedWithRejoinerNotFound)
		if s3.Rooms() != 0 {
			t.Error("a room nobody came back to is there")
		}
		s3.Stop()

		for what, bad := range map[string]string{
			"no JSON": "{", "base64": `{"ActorCounter":1,"Binary":{"18":"!!"}}`, "truncated": `{"ActorCounter":1,"Binary":{"18":"RAAA"}}`,
		} {
			s4, l := load(plugin.GameState(bad))
			r := s4.Client("ann").JoinMode("room", photon.RejoinOnly)
			wantCode(t, r, photon.ReturnPluginReportedError)
			if !errors.Is(l.err, plugin.ErrBadState) {
				t.Errorf("%s: %v", what, l.err)
			}
			wantList(t, what, l.reported(), "3")
			s4.Stop()
		}
	})
}

// PL-78, PL-79, PL-80: timers.
func TestTimers(t *testing.T) {
	table3(t, plugintest.Options{}, nil, func(s *plugintest.Server, r *recorder, on func(func()), c [3]*plugintest.Client) {
		start := time.Now()
		var fired []time.Duration
		note := func() { fired = append(fired, time.Since(start)) }
		on(func() { r.Host.AfterFunc(time.Second, note) })
		time.Sleep(5 * time.Second)
		synctest.Wait()
		wantList(t, "once", fired, time.Second)

		fired, start = nil, time.Now()
		var every *plugin.Timer
		on(func() { every = r.Host.Every(time.Second, 2*time.Second, note) })
		time.Sleep(5500 * time.Millisecond)
		synctest.Wait()
		wantList(t, "every", fired, time.Second, 3*time.Second, 5*time.Second)
		// Late ticks are not made up for.
		on(func() { time.Sleep(6 * time.Second) })
		time.Sleep(8 * time.Second)
		synctest.Wait()
		wantList(t, "every, late", fired, time.Second, 3*time.Second, 5*time.Second, 11500*time.Millisecond, 13*time.Second)
		on(func() { every.Stop(); every.Stop() })
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if len(fired) != 5 {
			t.Error("a stopped timer fired")
		}
		// PL-80: stopped in the very message in which it is due.
		on(func() {
			timer := r.Host.AfterFunc(time.Second, func() { t.Error("a stopped timer fired") })
			time.Sleep(2 * time.Second)
			timer.Stop()
		})
		time.Sleep(5 * time.Second)
		on(func() {
			for range 256 {
				if r.Host.AfterFunc(time.Minute, func() { t.Error("fired after the end") }) == nil {
					t.Error("too few timers")
				}
			}
			if r.Host.AfterFunc(time.Second, func() {}) != nil {
				t.Error("too many timers")
			}
		})
		s.Close("room")
		time.Sleep(2 * time.Minute)
	})
}

// vector is a custom type of the game's.
type vector struct{ x, y byte }

// PL-82, PL-83: custom types.
func TestCustomTypes(t *testing.T) {
	encode := func(v vector) ([]byte, error) { return []byte{v.x, v.y}, nil }
	decode := func(b []byte) (vector, error) {
		if len(b) != 2 {
			return vector{}, errors.New("a vector has two bytes")
		}
		return vector{b[0], b[1]}, nil
	}
	for range 2 {
		if err := plugin.RegisterType(200, encode, decode); err != nil {
			t.Fatal(err)
		}
	}
	if err := plugin.RegisterType(201, encode, decode); !errors.Is(err, plugin.ErrTypeTaken) {
		t.Errorf("second code: %v", err)
	}
	if err := plugin.RegisterType(200, func(string) ([]byte, error) { return nil, nil }, func([]byte) (string, error) { return "", nil }); !errors.Is(err, plugin.ErrTypeTaken) {
		t.Errorf("second type: %v", err)
	}
	table3(t, plugintest.Options{}, nil, func(s *plugintest.Server, r *recorder, on func(func()), c [3]*plugintest.Client) {
		r.raise = func(call *plugin.RaiseEventCall) {
			v, err := call.Request.Data()
			if err != nil {
				t.Error(err)
			}
			switch call.Request.EvCode {
			case 1:
				p, ok := v.(*plugin.Table).Get("pos")
				if !ok || p != (vector{3, 4}) {
					t.Errorf("the plugin sees %v", p)
				}
				v.(*plugin.Table).Set("pos", vector{5, 6})
			case 2:
				if v.(gpbinary.Custom).Code != 99 {
					t.Errorf("the plugin sees %v", v)
				}
			}
			_ = call.Continue()
		}
		c[0].Raise(1, table("pos", gpbinary.Custom{Code: 200, Data: []byte{3, 4}}))
		pos, _ := c[1].WaitEvent(1).Data().(*plugin.Table).Get("pos")
		if !gpbinary.Equal(pos, gpbinary.Custom{Code: 200, Data: []byte{5, 6}}) {
			t.Errorf("bob got %v", pos)
		}
		unknown := gpbinary.Custom{Code: 99, Data: []byte{1, 2, 3}}
		c[0].Raise(2, unknown)
		if got := c[1].WaitEvent(2).Data(); !gpbinary.Equal(got, unknown) {
			t.Errorf("bob got %v", got)
		}
		on(func() {
			if _, err := r.Host.SetProperties(0, table("pos", vector{7, 8}), plugin.SetOptions{Broadcast: true}); err != nil {
				t.Error(err)
			}
			if p, _ := r.Host.Properties().Get("pos"); p != (vector{7, 8}) {
				t.Errorf("property %v", p)
			}
		})
		pos, _ = c[1].WaitEvent(photon.EventPropertiesChanged).Get(photon.ParamProperties).(*plugin.Table).Get("pos")
		if !gpbinary.Equal(pos, gpbinary.Custom{Code: 200, Data: []byte{7, 8}}) {
			t.Errorf("bob got %v", pos)
		}
	})
}

// PL-87: where the room is.
func TestEnvironment(t *testing.T) {
	table3(t, plugintest.Options{}, nil, func(_ *plugintest.Server, r *recorder, _ func(func()), _ [3]*plugintest.Client) {
		if e := r.Host.Environment(); e.AppID != plugintest.AppID || e.AppVersion != plugintest.AppVersion || e.Region != plugintest.Region || e.Cloud != "test" {
			t.Errorf("environment %+v", e)
		}
		if r.Host.GameID() != "room" {
			t.Errorf("GameID %q", r.Host.GameID())
		}
	})
}

// JavaScript clients' values stay what they are when a plugin looks at them.
func TestJSONClients(t *testing.T) {
	bubble(t, plugintest.Options{}, func(t *testing.T, s *plugintest.Server, r *recorder) {
		r.raise = func(c *plugin.RaiseEventCall) { _, _ = c.Request.Data(); _ = c.Continue() }
		ann, bob := s.Client("ann", plugintest.Protocol(photon.JSON)), s.Client("bob", plugintest.Protocol(photon.GpBinaryV16))
		wantOk(t, ann.Create("room"))
		wantOk(t, bob.Join("room"))
		ann.Raise(1, table("k", "v"))
		if e := bob.WaitEvent(1); e.Data().(*plugin.Table).Len() != 1 {
			t.Errorf("bob got %v", e)
		}
		bob.Raise(2, table("k", float32(0.1)))
		if v, _ := ann.WaitEvent(2).Data().(*plugin.Table).Get("k"); v != 0.1 {
			t.Errorf("ann got %v", v)
		}
	})
}
