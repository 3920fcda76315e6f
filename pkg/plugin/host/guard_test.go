package host_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
	"github.com/boson-project/boson/pkg/plugin/plugintest"
)

// PL-01, PL-02, PL-03: an object per room, one callback at a time in a room, and
// rooms that don't wait for each other.
func TestRoomsApart(t *testing.T) {
	var inside [2]atomic.Int32
	var overlaps atomic.Int32
	block := make(chan struct{})
	f := &factory{made: []*recorder{{}, {}}}
	rooms := f.made
	for i, r := range rooms {
		r.raise = func(c *plugin.RaiseEventCall) {
			if inside[i].Add(1) > 1 {
				overlaps.Add(1)
			}
			if c.Request.EvCode == 99 {
				<-block
			}
			_ = c.Continue()
			inside[i].Add(-1)
		}
	}
	s := plugintest.New(t, plugintest.Options{Factory: f})
	var clients [2][8]*plugintest.Client
	for i := range clients {
		for j := range clients[i] {
			c := s.Client(fmt.Sprintf("%d-%d", i, j))
			if j == 0 {
				wantOk(t, c.Create(fmt.Sprint("room", i)))
			} else {
				wantOk(t, c.Join(fmt.Sprint("room", i)))
			}
			clients[i][j] = c
		}
	}
	if len(f.all) != 2 || f.all[0] == f.all[1] {
		t.Fatal("two rooms share a plugin")
	}
	clients[0][0].Raise(99, nil) // room0 stands still
	var wg sync.WaitGroup
	for _, c := range clients[1] {
		wg.Go(func() {
			for range 50 {
				c.Raise(1, "x")
			}
			c.Sync()
		})
	}
	wg.Wait() // room1 does not
	if inside[0].Load() != 1 {
		t.Error("room0 did not stand still")
	}
	close(block)
	for _, c := range clients[0] {
		wg.Go(func() {
			for range 50 {
				c.Raise(1, "x")
			}
			c.Sync()
		})
	}
	wg.Wait()
	if overlaps.Load() != 0 {
		t.Errorf("%d callbacks of a room overlapped", overlaps.Load())
	}
}

// PL-18: a panic in each callback.
func TestPanics(t *testing.T) {
	bubble(t, plugintest.Options{}, func(t *testing.T, s *plugintest.Server, r *recorder) {
		ann := s.Client("ann")
		wantOk(t, ann.Create("room", options(0, 0)...))
		reported := func(what string) {
			t.Helper()
			wantList(t, what, r.reported(), "1")
		}
		r.beforeJoin = func(*plugin.BeforeJoinCall) { panic("boom") }
		resp := s.Client("bob").Join("room")
		wantCode(t, resp, photon.ReturnPluginReportedError)
		if !strings.Contains(resp.Debug, "boom") {
			t.Errorf("debug message %q", resp.Debug)
		}
		reported("BeforeJoin")
		r.beforeJoin = nil
		r.join = func(*plugin.JoinCall) { panic("boom") }
		wantCode(t, s.Client("bob").Join("room"), photon.ReturnPluginReportedError)
		reported("OnJoin")
		r.join = func(c *plugin.JoinCall) { _ = c.Continue(); panic("after the decision") }
		bob := s.Client("bob")
		wantOk(t, bob.Join("room"))
		reported("OnJoin, decided")
		r.join = nil
		r.raise = func(*plugin.RaiseEventCall) { panic(errors.New("boom")) }
		ann.Raise(1, nil)
		wantCode(t, ann.WaitResponse(photon.OpRaiseEvent), photon.ReturnPluginReportedError)
		reported("OnRaiseEvent")
		r.raise = nil
		r.beforeSet = func(*plugin.BeforeSetPropertiesCall) { panic("boom") }
		wantCode(t, ann.Set(0, table("k", true)), photon.ReturnPluginReportedError)
		reported("BeforeSetProperties")
		r.beforeSet = nil
		r.set = func(*plugin.SetPropertiesCall) { panic("boom") }
		wantOk(t, ann.Set(0, table("k", true)))
		reported("OnSetProperties")
		r.leave = func(*plugin.LeaveCall) { panic("boom") }
		wantCode(t, bob.Leave(false), photon.ReturnPluginReportedError)
		reported("OnLeave")
		if n := s.Record("room").Players; n != 1 {
			t.Errorf("%d players", n)
		}
		r.leave = nil
		// PL-19
		r.Host.Enqueue(func() { panic("boom") })
		synctest.Wait()
		wantList(t, "Enqueue", r.reported(), "2")
		r.Host.Enqueue(func() { r.Host.AfterFunc(time.Second, func() { panic("boom") }) })
		time.Sleep(2 * time.Second)
		synctest.Wait()
		wantList(t, "timer", r.reported(), "2")
		ann.Raise(2, nil)
		ann.Sync() // it plays on
		r.beforeClose = func(*plugin.BeforeCloseGameCall) { panic("boom") }
		wantOk(t, ann.Leave(false))
		synctest.Wait()
		reported("BeforeCloseGame")
		if s.Rooms() != 0 {
			t.Error("the room is still there")
		}
	})
	bubble(t, plugintest.Options{}, func(t *testing.T, s *plugintest.Server, r *recorder) {
		r.create = func(*plugin.CreateGameCall) { panic("boom") }
		r.close = func(*plugin.CloseGameCall) { panic("boom") }
		wantCode(t, s.Client("ann").Create("room"), photon.ReturnPluginReportedError)
		synctest.Wait()
		wantList(t, "errors", r.reported(), "1", "1")
		if s.Rooms() != 0 {
			t.Error("the room is still there")
		}
	})
}

// PL-20: ErrorInfo.
func TestErrorInfo(t *testing.T) {
	bubble(t, plugintest.Options{}, func(t *testing.T, s *plugintest.Server, r *recorder) {
		ann, bob := s.Client("ann"), s.Client("bob")
		wantOk(t, ann.Create("room"))
		wantOk(t, bob.Join("room"))
		r.raise = func(c *plugin.RaiseEventCall) {
			if err := r.Host.BroadcastErrorInfo("careful"); err != nil {
				t.Error(err)
			}
			_ = c.Cancel()
		}
		ann.Raise(1, nil)
		for _, c := range []*plugintest.Client{ann, bob} {
			if e := c.WaitEvent(photon.EventErrorInfo); e.Get(photon.ParamInfo) != "careful" {
				t.Errorf("%+v", e)
			}
		}
	})
}

// PL-21, PL-22, PL-53 to PL-57, PL-61: making and choosing plugins.
func TestChoice(t *testing.T) {
	names := func(list ...string) []gparam { return []gparam{param(photon.ParamPlugins, list)} }
	for _, tt := range []struct {
		what  string
		ask   []gparam
		seen  string
		code  photon.ReturnCode
		ended bool // the plugin that was made is disposed of
	}{
		{"nothing", nil, "", 0, false},
		{"no plugin", names(), "", photon.ReturnPluginMismatch, true},
		{"its name", names("Recorder"), "Recorder", 0, false},
		{"another name", names("Other"), "Other", photon.ReturnPluginMismatch, true},
		{"another case", names("recorder"), "recorder", photon.ReturnPluginMismatch, true},
		{"the default", names("Default"), "Default", photon.ReturnPluginMismatch, true},
		{"two names", names("Recorder", "Other"), "", photon.ReturnPluginMismatch, false},
	} {
		f := &factory{made: []*recorder{{}}}
		first := f.made[0]
		config := plugin.Config{"BaseUrl": "https://x", "any key": "any value"}
		bubble(t, plugintest.Options{Factory: f, Config: config}, func(t *testing.T, s *plugintest.Server, _ *recorder) {
			ann := s.Client("ann")
			r := ann.Create("room", tt.ask...)
			if r.ReturnCode != tt.code {
				t.Errorf("%s: %d %s", tt.what, r.ReturnCode, r.Debug)
			}
			if len(f.seen) > 0 && f.seen[0] != tt.seen || len(f.seen) == 0 && tt.what != "two names" {
				t.Errorf("%s: factory was asked for %q", tt.what, f.seen)
			}
			if len(f.seen) > 0 && fmt.Sprint(f.conf) != fmt.Sprint(config) {
				t.Errorf("config %v", f.conf)
			}
			synctest.Wait()
			if first.ended != tt.ended || tt.ended && len(first.noted()) > 0 {
				t.Errorf("%s: plugin closed %v", tt.what, first.ended)
			}
			if tt.code != 0 {
				wantOk(t, ann.Create("room")) // the name is free
				return
			}
			// A join by the same rules.
			for what, want := range map[string]photon.ReturnCode{"Recorder": 0, "Other": photon.ReturnPluginMismatch} {
				if r := s.Client("b"+what).Join("room", names(what)...); r.ReturnCode != want {
					t.Errorf("join with %s: %d", what, r.ReturnCode)
				}
			}
			if r := s.Client("bob").Join("room", names("Recorder", "Other")...); r.ReturnCode != photon.ReturnPluginMismatch {
				t.Errorf("join with two names: %d", r.ReturnCode)
			}
		})
	}
}

type gparam = gpbinary.Param

// PL-05, PL-21, PL-22: factories that fail.
func TestBadFactories(t *testing.T) {
	for what, tt := range map[string]struct {
		make func(h plugin.Host) (plugin.Plugin, error)
		code photon.ReturnCode
		text string
	}{
		"error":   {func(plugin.Host) (plugin.Plugin, error) { return nil, errors.New("no database") }, photon.ReturnPluginReportedError, "no database"},
		"nothing": {func(plugin.Host) (plugin.Plugin, error) { return nil, nil }, photon.ReturnPluginReportedError, "no plugin"},
		"panic":   {func(plugin.Host) (plugin.Plugin, error) { panic("boom") }, photon.ReturnPluginReportedError, "boom"},
		"default": {func(plugin.Host) (plugin.Plugin, error) { return &recorder{name: "Default"}, nil }, photon.ReturnPluginReportedError, "reserved"},
		"unknown": {func(plugin.Host) (plugin.Plugin, error) { return nil, plugin.ErrNoSuchPlugin }, photon.ReturnPluginMismatch, "no such plugin"},
	} {
		bad := true
		f := plugin.FactoryFunc(func(h plugin.Host, _ string, _ plugin.Config) (plugin.Plugin, error) {
			if bad {
				return tt.make(h)
			}
			return plugin.Default{}, nil
		})
		bubble(t, plugintest.Options{Factory: f}, func(t *testing.T, s *plugintest.Server, _ *recorder) {
			ann := s.Client("ann")
			r := ann.Create("room")
			if r.ReturnCode != tt.code || !strings.Contains(r.Debug, tt.text) {
				t.Errorf("%s: %d %s", what, r.ReturnCode, r.Debug)
			}
			bad = false
			r = ann.Create("room")
			wantOk(t, r)
			// PL-04: the default plugin is none at all.
			if r.Get(photon.ParamPluginName) != "Default" || r.Get(photon.ParamPluginVersion) != "" {
				t.Errorf("plugin %v %v", r.Get(photon.ParamPluginName), r.Get(photon.ParamPluginVersion))
			}
		})
	}
}

// PL-04, PL-54, PL-58, PL-63: no plugins at all.
func TestWithoutPlugins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := plugintest.New(t, plugintest.Options{})
		defer s.Stop()
		ann := s.Client("ann")
		wantCode(t, ann.Create("room", param(photon.ParamPlugins, []string{"Chess"})), photon.ReturnPluginMismatch)
		r := ann.Create("room", param(photon.ParamPlugins, []string{}))
		wantOk(t, r)
		if r.Get(photon.ParamPluginName) != "Default" {
			t.Errorf("plugin %v", r.Get(photon.ParamPluginName))
		}
	})
}

// PL-17: who called.
func TestCaller(t *testing.T) {
	bubble(t, plugintest.Options{}, func(t *testing.T, s *plugintest.Server, r *recorder) {
		check := func(c interface {
			UserID() string
			Nickname() string
			AuthCookie() map[string]any
			Operation() *plugin.Operation
		}, op photon.OpCode) {
			t.Helper()
			if c.UserID() != "ann" || c.Nickname() != "nick-ann" || c.AuthCookie()["secret"] != "s3" {
				t.Errorf("%s: %q %q %v", op, c.UserID(), c.Nickname(), c.AuthCookie())
			}
			if o := c.Operation(); o == nil || o.Code() != byte(op) || len(o.Params()) == 0 {
				t.Errorf("%s: operation %+v", op, o)
			}
		}
		r.create = func(c *plugin.CreateGameCall) { check(c, photon.OpCreateGame); _ = c.Continue() }
		r.raise = func(c *plugin.RaiseEventCall) {
			check(c, photon.OpRaiseEvent)
			if code, ok := c.Operation().Param(byte(photon.ParamEventCode)); !ok || code != byte(9) {
				t.Errorf("parameter 244 is %v", code)
			}
			if !c.Request.WebFlags.Has(photon.WebHTTPForward) {
				t.Error("HttpForward is lost")
			}
			if err := r.Host.UpdateAuthCookie(1, "level", 5); err != nil {
				t.Error(err)
			}
			if a, _ := r.Host.Actor(1); a.AuthCookie["level"] != 5 || a.AuthCookie["secret"] != "s3" {
				t.Errorf("cookie %v", a.AuthCookie)
			}
			_ = c.Continue()
		}
		r.beforeSet = func(c *plugin.BeforeSetPropertiesCall) { check(c, photon.OpSetProperties); _ = c.Continue() }
		r.set = func(c *plugin.SetPropertiesCall) { check(c, photon.OpSetProperties); _ = c.Continue() }
		r.leave = func(c *plugin.LeaveCall) { check(c, photon.OpLeave); _ = c.Continue() }
		ann := s.Client("ann", plugintest.AuthCookie(map[string]any{"secret": "s3"}))
		wantOk(t, ann.Create("room", options(0, 0)...))
		ann.Raise(9, nil, param(photon.ParamWebFlags, true)) // PL-16: older clients send a bool
		ann.Raise(9, nil, param(photon.ParamWebFlags, byte(1)))
		wantOk(t, ann.Set(0, table("k", "v")))
		wantOk(t, ann.Leave(false))
	})
}

// PL-86, PL-85: from where the host may be called.
func TestGoroutines(t *testing.T) {
	bubble(t, plugintest.Options{}, func(t *testing.T, s *plugintest.Server, r *recorder) {
		var last *plugin.RaiseEventCall
		r.raise = func(c *plugin.RaiseEventCall) { last = c; _ = c.Defer() }
		ann := s.Client("ann")
		wantOk(t, ann.Create("room"))
		ann.Raise(1, nil)
		ann.Sync()
		synctest.Wait() // the room is idle
		if err := r.Host.BroadcastEvent(plugin.Event{Code: 1}); !errors.Is(err, plugin.ErrGoroutine) {
			t.Errorf("BroadcastEvent: %v", err)
		}
		if err := last.Continue(); !errors.Is(err, plugin.ErrGoroutine) || !last.IsDeferred() {
			t.Errorf("Continue: %v", err)
		}
		if r.Host.AfterFunc(time.Second, func() {}) != nil || r.Host.Actors() != nil {
			t.Error("a method worked from outside")
		}
		ran := false
		if !r.Host.Enqueue(func() { ran = true; _ = last.Continue() }) {
			t.Error("Enqueue refused")
		}
		synctest.Wait()
		if !ran || !last.IsSucceeded() {
			t.Error("Enqueue did not run")
		}
		wantOk(t, ann.Leave(false))
		synctest.Wait()
		if r.Host.Enqueue(func() { t.Error("it ran after the end") }) || r.Host.Context().Err() == nil {
			t.Error("the host still takes work")
		}
	})
}

// PL-89: what the plugin does not want is not asked.
func TestFilter(t *testing.T) {
	r := &filtered{}
	f := plugin.FactoryFunc(func(h plugin.Host, _ string, _ plugin.Config) (plugin.Plugin, error) {
		r.Host = h
		return r, nil
	})
	bubble(t, plugintest.Options{Factory: f}, func(t *testing.T, s *plugintest.Server, _ *recorder) {
		ann, bob := s.Client("ann"), s.Client("bob")
		wantOk(t, ann.Create("room"))
		wantOk(t, bob.Join("room"))
		for _, code := range []byte{1, 9, 10, 20, 21} {
			ann.Raise(code, nil)
		}
		wantOk(t, ann.Set(0, table("k", "v")))
		if n := len(bob.Events()); n != 5 {
			t.Errorf("bob got %d events", n)
		}
		wantOk(t, bob.Leave(false))
		wantOk(t, ann.Leave(false))
		synctest.Wait()
		wantList(t, "callbacks", r.noted(), "raise 10 by 1", "raise 20 by 1", "leave 2 inactive=false reason=101", "leave 1 inactive=false reason=101")
	})
}

type filtered struct{ recorder }

func (*filtered) OnMasterClientChanged(int32, int32) {}
func (*filtered) Filter() plugin.Filter {
	return plugin.Filter{Hooks: plugin.HookRaiseEvent | plugin.HookLeave, Events: []plugin.EventRange{{From: 10, To: 20}}}
}

// PL-90: the watchdog.
func TestSlowCallback(t *testing.T) {
	var log strings.Builder
	bubble(t, plugintest.Options{Log: &log}, func(t *testing.T, s *plugintest.Server, r *recorder) {
		r.raise = func(c *plugin.RaiseEventCall) {
			time.Sleep(60 * time.Millisecond)
			r.Host.Logger().Info("a word", "key", 1)
			_ = c.Continue()
		}
		ann := s.Client("ann")
		wantOk(t, ann.Create("room"))
		ann.Raise(1, nil)
		ann.Sync()
	})
	if !strings.Contains(log.String(), "held up its room") {
		t.Errorf("no warning: %s", log.String())
	}
	// PL-84
	for line := range strings.Lines(log.String()) {
		if !strings.Contains(line, "a word") {
			continue
		}
		for _, want := range []string{`"logger":"Plugin.Recorder"`, `"app":"app-guid"`, `"room":"room"`, `"plugin":"Recorder 1.2"`, `"key":1`} {
			if !strings.Contains(line, want) {
				t.Errorf("log line lacks %s: %s", want, line)
			}
		}
		return
	}
	t.Errorf("the plugin's line is not in the log: %s", log.String())
}

// A call that is deferred and forgotten fails in the end.
func TestForgottenCall(t *testing.T) {
	bubble(t, plugintest.Options{}, func(t *testing.T, s *plugintest.Server, r *recorder) {
		r.raise = func(c *plugin.RaiseEventCall) { _ = c.Defer() }
		ann := s.Client("ann")
		wantOk(t, ann.Create("room"))
		ann.Raise(1, nil)
		time.Sleep(200 * time.Second)
		synctest.Wait()
		if got := ann.Rest(); !strings.Contains(strings.Join(got, "\n"), "253 rc 32752 the plugin did not decide in time") {
			t.Errorf("ann got %v", got)
		}
		wantList(t, "errors", r.reported(), "8")
	})
}

// A call that the plugin forgot fails in its time, also when the failure of one
// before it made the plugin defer another.
func TestForgottenInARow(t *testing.T) {
	table3(t, plugintest.Options{}, nil, func(s *plugintest.Server, r *recorder, _ func(func()), c [3]*plugintest.Client) {
		r.join = func(call *plugin.JoinCall) { _ = plugin.Postpone(call) }
		r.leave = func(call *plugin.LeaveCall) { _ = plugin.Postpone(call) }
		r.raise = func(call *plugin.RaiseEventCall) { _ = call.Defer() }
		dora := s.Client("dora")
		dora.Send(photon.OpJoinGame, param(photon.ParamRoomName, "room"))
		time.Sleep(10 * time.Second)
		c[0].Raise(1, nil)
		time.Sleep(151 * time.Second)
		synctest.Wait()
		if got := strings.Join(c[0].Rest(), "\n"); !strings.Contains(got, "253 rc 32752 the plugin did not decide in time") {
			t.Errorf("ann got %s", got)
		}
	})
}

// A plugin that defers without end can't make a room hold on to all that its
// clients send.
func TestDeferredLimit(t *testing.T) {
	table3(t, plugintest.Options{}, nil, func(_ *plugintest.Server, r *recorder, _ func(func()), c [3]*plugintest.Client) {
		asked := 0
		r.raise = func(call *plugin.RaiseEventCall) { asked++; _ = call.Defer() }
		for range 5000 {
			c[0].Raise(1, nil)
		}
		synctest.Wait()
		refused := 0
		for _, got := range c[0].Rest() {
			if strings.Contains(got, "253 rc 32743") {
				refused++
			}
		}
		if asked != 4096 || refused != 5000-asked {
			t.Errorf("%d deferred, %d refused", asked, refused)
		}
	})
}
