package wasm

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
	"github.com/boson-project/boson/pkg/plugin/plugintest"
	"github.com/boson-project/boson/pkg/plugin/wasm/testdata/probe"
)

// PL-137: the same plugin passes the same tests compiled in, and as WebAssembly
// with an instance per room and with shared ones.
func everywhere(t *testing.T, opt plugintest.Options, test func(t *testing.T, s *plugintest.Server)) {
	t.Helper()
	run := func(name string, factory func(t *testing.T) plugin.Factory) {
		t.Run(name, func(t *testing.T) {
			opt.Factory = factory(t)
			test(t, plugintest.New(t, opt))
		})
	}
	run("compiled-in", func(*testing.T) plugin.Factory { return probe.Factory })
	run("perRoom", func(t *testing.T) plugin.Factory { return kept(t, false) })
	run("shared", func(t *testing.T) plugin.Factory { return kept(t, true) })
}

func two(t *testing.T, s *plugintest.Server) (ann, bob *plugintest.Client) {
	t.Helper()
	ann, bob = s.Client("ann", plugintest.AuthCookie(map[string]any{"a": "b"})), s.Client("bob")
	ok(t, ann.Create("room"))
	ok(t, bob.Join("room"))
	return ann, bob
}

func ok(t *testing.T, r *plugintest.Response) {
	t.Helper()
	if r.ReturnCode != 0 {
		t.Fatalf("%s: %d %s", r.Code, r.ReturnCode, r.Debug)
	}
}

func refused(t *testing.T, r *plugintest.Response, text string) {
	t.Helper()
	if r.ReturnCode != photon.ReturnPluginReportedError || !strings.Contains(r.Debug, text) {
		t.Errorf("%s: %d %q, want 32752 with %q", r.Code, r.ReturnCode, r.Debug, text)
	}
}

// answer waits for what the plugin says.
func answer(c *plugintest.Client) any { return c.WaitEvent(probe.EvAnswer).Data() }

func answered(t *testing.T, c *plugintest.Client, want any) {
	t.Helper()
	if got := answer(c); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the plugin says %v, want %v", got, want)
	}
}

// PL-06, PL-07, PL-08, PL-13, PL-14, PL-44
func TestDecisions(t *testing.T) {
	everywhere(t, plugintest.Options{}, func(t *testing.T, s *plugintest.Server) {
		ann, bob := two(t, s)
		ann.Raise(probe.EvFail, nil)
		r := ann.WaitResponse(photon.OpRaiseEvent)
		refused(t, r, "no")
		if r.Get(7) != "why" {
			t.Errorf("response has %v", r.Params)
		}
		ann.Raise(probe.EvCancel, nil)
		ann.Raise(probe.EvTwice, nil)
		answered(t, ann, "<nil> true true Succeeded")
		answered(t, bob, "<nil> true true Succeeded")
		ann.Raise(probe.EvChange, "x")
		for _, c := range []*plugintest.Client{ann, bob} { // to all, as changed
			if e := c.WaitEvent(99); e.Data() != "changed" || e.Sender() != 1 {
				t.Errorf("%s got %v", c.UserID, e)
			}
		}
		ann.Raise(probe.EvTable, plugin.NewTable(plugin.Pair{Key: "a", Value: int32(1)}))
		if v := bob.WaitEvent(probe.EvTable).Data(); !gpbinary.Equal(v, plugin.NewTable(plugin.Pair{Key: "a", Value: int32(1)}, plugin.Pair{Key: "seen", Value: true})) {
			t.Errorf("table %v", v)
		}
		ann.Sync()
		for _, line := range append(ann.Got(), bob.Got()...) {
			if strings.HasPrefix(line, "event 2 ") || strings.HasPrefix(line, "response 253") {
				t.Errorf("a cancelled event left a trace: %s", line)
			}
		}
	})
}

// Custom types, and all that only some clients can write, pass unchanged (PL-83).
func TestContentPassesUnchanged(t *testing.T) {
	everywhere(t, plugintest.Options{}, func(t *testing.T, s *plugintest.Server) {
		ann, bob := two(t, s)
		old, web := s.Client("old", plugintest.Protocol(photon.GpBinaryV16)), s.Client("web", plugintest.Protocol(photon.JSON))
		ok(t, old.Join("room"))
		ok(t, web.Join("room"))
		for _, v := range []any{gpbinary.Custom{Code: 200, Data: []byte{1, 2}}, []int32{1, -2}, nil, gpbinary.ObjectArray{byte(1), "x", nil}} {
			ann.Raise(60, v)
			if got := bob.WaitEvent(60).Data(); !gpbinary.Equal(got, v) {
				t.Errorf("%v arrived as %v", v, got)
			}
		}
		old.Raise(61, int16(-5))
		if got := bob.WaitEvent(61).Data(); got != int16(-5) {
			t.Errorf("from an old client: %v", got)
		}
		web.Raise(probe.EvTable, plugin.NewTable(plugin.Pair{Key: "a", Value: 1.5}))
		if got, _ := bob.WaitEvent(probe.EvTable).Data().(*plugin.Table); got == nil || got.Len() != 2 {
			t.Errorf("from a JSON client: %v", got)
		}
	})
}

// PL-10, PL-15, PL-45, PL-78, PL-79, PL-80, PL-81, PL-85
func TestLater(t *testing.T) {
	everywhere(t, plugintest.Options{}, func(t *testing.T, s *plugintest.Server) {
		ann, bob := two(t, s)
		ann.Raise(probe.EvDefer, "late")
		ann.Raise(60, "early")
		if got := bob.WaitEvent(60).Data(); got != "early" {
			t.Errorf("got %v", got)
		}
		if e := bob.WaitEvent(probe.EvDefer); e.Data() != "late" || e.Sender() != 1 {
			t.Errorf("got %v", e)
		}
		answered(t, bob, "Deferred Succeeded")
		ann.Raise(probe.EvTimer, nil)
		if got := []string{fmt.Sprint(answer(bob)), fmt.Sprint(answer(bob))}; !slices.Contains(got, "tick") || !slices.Contains(got, "reported") {
			t.Errorf("got %q", got)
		}
		ann.Raise(probe.EvEnqueue, nil)
		if got := []any{answer(bob), answer(bob)}; got[0] != true || got[1] != "enqueued" {
			t.Errorf("got %v", got)
		}
	})
}

// PL-11, PL-18, PL-19
func TestFailuresOfThePlugin(t *testing.T) {
	everywhere(t, plugintest.Options{}, func(t *testing.T, s *plugintest.Server) {
		ann, _ := two(t, s)
		ann.Raise(probe.EvPanic, nil)
		refused(t, ann.WaitResponse(photon.OpRaiseEvent), "probe: as told")
		ann.Raise(probe.EvNothing, nil)
		refused(t, ann.WaitResponse(photon.OpRaiseEvent), "")
		ann.Raise(probe.EvTwice, nil)
		answer(ann)
		ann.Raise(probe.EvTimer, nil)
		if got := []string{fmt.Sprint(answer(ann)), fmt.Sprint(answer(ann))}; !slices.Contains(got, "tick") || !slices.Contains(got, "reported") {
			t.Errorf("got %q", got)
		}
		ann.Raise(probe.EvErrors, nil)
		got, _ := answer(ann).([]string)
		for _, want := range []string{"UnhandledException", "NotProcessed", "AlreadyProcessed", "AsyncCallbackException"} {
			if !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, want) }) {
				t.Errorf("%s was not reported: %q", want, got)
			}
		}
		ann.Raise(probe.EvCount, nil)
		answered(t, ann, 6)
	})
}

// PL-18, callback by callback; PL-31, PL-32, PL-36, PL-42.
func TestCallbacksThatRefuseOrPanic(t *testing.T) {
	for _, how := range []string{"refuse", "panic"} {
		for _, hook := range []string{"OnCreateGame", "BeforeJoin", "OnJoin", "OnLeave"} {
			t.Run(how+" "+hook, func(t *testing.T) {
				everywhere(t, plugintest.Options{Config: plugin.Config{how: hook}}, func(t *testing.T, s *plugintest.Server) {
					ann, bob := s.Client("ann"), s.Client("bob")
					r := ann.Create("room")
					if hook == "OnCreateGame" {
						refused(t, r, "")
						return
					}
					ok(t, r)
					r = bob.Join("room")
					if hook != "OnLeave" {
						refused(t, r, "")
						return
					}
					ok(t, r)
					refused(t, bob.Leave(false), "")
					ann.WaitEvent(photon.EventLeave) // it left nevertheless
				})
			})
		}
	}
}

// PL-17, PL-64, PL-84, PL-87
func TestWhatAPluginKnows(t *testing.T) {
	everywhere(t, plugintest.Options{}, func(t *testing.T, s *plugintest.Server) {
		ann, bob := two(t, s)
		bob.Raise(probe.EvReport, "x")
		answered(t, bob, fmt.Sprintf("room=room app=%s user=bob nick=nick-bob actor=2 master=1 actors=[1 2] active=2 inactive=0 op=253 code=9 params=2 suspended=false lobby=map[]", plugintest.AppID))
		ann.Events()
		ann.Raise(probe.EvCookie, nil)
		answered(t, ann, "<nil> b 3")
	})
}

// PL-20, PL-26, PL-37, PL-46, PL-48, PL-74, PL-75, PL-77, PL-112
func TestWhatAPluginDoes(t *testing.T) {
	everywhere(t, plugintest.Options{Config: plugin.Config{"early": "1", "map": "forest", "extra": "hello", "properties": "tell"}}, func(t *testing.T, s *plugintest.Server) {
		ann, bob := s.Client("ann"), s.Client("bob")
		r := ann.Create("room")
		ok(t, r)
		if props, _ := r.Get(photon.ParamGameProperties).(*plugin.Table); props != nil {
			if v, _ := props.Get("map"); v != "forest" {
				t.Errorf("properties %v", props.Pairs())
			}
		}
		if r = bob.Join("room"); r.Get(77) != "hello" {
			t.Errorf("join response %v", r.Params)
		}
		ann.Sync()
		bob.Raise(probe.EvProps, nil)
		answered(t, bob, "true <nil> false true 5 7")
		bob.WaitEvent(photon.EventPropertiesChanged)
		ok(t, bob.Set(0, plugin.NewTable(plugin.Pair{Key: "k", Value: "v"})))
		answered(t, bob, "set by 2 for 0: v")
		bob.Raise(probe.EvErrorInfo, nil)
		if v := bob.WaitEvent(photon.EventErrorInfo).Get(photon.ParamInfo); v != "oh" {
			t.Errorf("error info %v", v)
		}
		bob.Raise(probe.EvCache, nil)
		answered(t, bob, "<nil>")
		bob.Raise(probe.EvState, nil)
		answered(t, bob, "true <nil> plugin: not allowed here")
		eve := s.Client("eve")
		ok(t, eve.Join("room"))
		if e := eve.WaitEvent(120); e.Data() != "cached" || e.Sender() != 2 {
			t.Errorf("cached %v", e)
		}
		ann.Events()
		ann.Raise(probe.EvRemove, int32(3))
		answered(t, ann, true)
		eve.WaitGone()
		if r := s.Client("eve").Join("room"); r.ReturnCode != photon.ReturnJoinFailedFoundExcludedUserID {
			t.Errorf("eve is back: %d %s", r.ReturnCode, r.Debug)
		}
		ann.Raise(probe.EvClose, nil)
		answered(t, ann, true)
		if text := bob.WaitGone(); text != "all done" {
			t.Errorf("bob was told %q", text)
		}
	})
}

// PL-46, PL-47 and what BeforeSetProperties may do.
func TestProperties(t *testing.T) {
	for how, check := range map[string]func(t *testing.T, c *plugintest.Client){
		"fail": func(t *testing.T, c *plugintest.Client) { refused(t, c.Set(0, table("k", "v")), "no properties") },
		"cancel": func(t *testing.T, c *plugintest.Client) {
			c.Send(photon.OpSetProperties, photon.Param(photon.ParamProperties, table("k", "v")))
			if got := c.Got(); slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "response 252") }) {
				t.Errorf("got %q", got)
			}
		},
		"change": func(t *testing.T, c *plugintest.Client) {
			ok(t, c.Set(0, table("k", "v")))
			e := c.WaitEvent(photon.EventPropertiesChanged)
			if v, _ := e.Get(photon.ParamProperties).(*plugin.Table).Get("by"); v != "probe" {
				t.Errorf("changed %v", e.Params)
			}
			if r := c.Set(0, table("k", "w"), photon.Param(photon.ParamExpectedValues, table("k", "x"))); r.ReturnCode != photon.ReturnInvalidOperation {
				t.Errorf("swap: %d %s", r.ReturnCode, r.Debug)
			}
		},
	} {
		t.Run(how, func(t *testing.T) {
			everywhere(t, plugintest.Options{Config: plugin.Config{"properties": how}}, func(t *testing.T, s *plugintest.Server) {
				ann := s.Client("ann")
				ok(t, ann.Create("room", photon.Param(photon.ParamRoomOptionFlags, int32(photon.FlagBroadcastPropertiesChangeToAll))))
				check(t, ann)
			})
		})
	}
}

func table(key string, v any) *plugin.Table { return plugin.NewTable(plugin.Pair{Key: key, Value: v}) }

// PL-91, PL-92, PL-93, PL-99
func TestHTTP(t *testing.T) {
	var asked atomic.Int32
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Method != "POST" || r.Header.Get("X-Probe") != "1" || r.Header.Get("Content-Type") != "text/plain" {
			w.WriteHeader(400)
			return
		}
		w.Header().Set("X-Answer", "yes")
		_, _ = w.Write([]byte("hi"))
	}))
	defer web.Close()
	everywhere(t, plugintest.Options{Allow: []string{web.URL}}, func(t *testing.T, s *plugintest.Server) {
		ann, bob := two(t, s)
		ann.Raise(probe.EvHTTPFor, web.URL)
		if e := bob.WaitEvent(probe.EvHTTPFor); e.Data() != web.URL {
			t.Errorf("event %v", e)
		}
		answered(t, bob, "Success 200 hi [yes] 42")
		ann.Raise(probe.EvHTTP, web.URL)
		got := fmt.Sprint(answer(bob))
		if strings.HasSuffix(t.Name(), "shared") {
			if !strings.Contains(got, "synchronous HTTP would hold up other rooms") {
				t.Errorf("got %v", got)
			}
			return
		}
		if second := answer(bob); got != "Success 200 hi [yes] 42" || second != "<nil>" {
			t.Errorf("got %v, then %v", got, second)
		}
	})
	if asked.Load() != 5 {
		t.Errorf("%d requests", asked.Load())
	}
}

// PL-21, PL-22, PL-61, PL-55
func TestPluginsThatAreNotMade(t *testing.T) {
	everywhere(t, plugintest.Options{Config: plugin.Config{"fail": "no licence"}}, func(t *testing.T, s *plugintest.Server) {
		refused(t, s.Client("ann").Create("room"), "no licence")
		if s.Rooms() != 0 {
			t.Error("the room is there")
		}
	})
	everywhere(t, plugintest.Options{Config: plugin.Config{"name": "Other"}}, func(t *testing.T, s *plugintest.Server) {
		r := s.Client("ann").Create("room", photon.Param(photon.ParamPlugins, []string{"Probe"}))
		if r.ReturnCode != photon.ReturnPluginMismatch {
			t.Errorf("%d %s", r.ReturnCode, r.Debug)
		}
		ann := s.Client("ann")
		r = ann.Create("room", photon.Param(photon.ParamPlugins, []string{"Other"}))
		ok(t, r)
		if r.Get(photon.ParamPluginName) != "Other" || r.Get(photon.ParamPluginVersion) != "1.2" {
			t.Errorf("response %v", r.Params)
		}
	})
}

// PL-38, PL-40, PL-50, PL-52: the end of actors and rooms. An instance goes with
// its room.
func TestTheEndOfARoom(t *testing.T) {
	everywhere(t, plugintest.Options{Config: plugin.Config{"leaves": "1"}}, func(t *testing.T, s *plugintest.Server) {
		ann, bob := two(t, s)
		ok(t, bob.Leave(false))
		answered(t, ann, "left 2 false 101")
		ok(t, ann.Leave(false))
		s.Stop()
		if s.Rooms() != 0 {
			t.Error("the room is there")
		}
	})
}
