package wasm

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
	"github.com/boson-project/boson/pkg/plugin/plugintest"
	"github.com/boson-project/boson/pkg/plugin/wasm/abi"
	"github.com/boson-project/boson/pkg/plugin/wasm/testdata/probe"
)

// PL-134, PL-136: files that are no plugins, or want too much.
func TestFilesThatCanNotBeLoaded(t *testing.T) {
	good := tiny{name: "X", version: "1"}
	for name, tt := range map[string]struct {
		file []byte
		want string
	}{
		"empty":     {nil, "not a WebAssembly module"},
		"text":      {[]byte("hello, this is no WebAssembly"), "not a WebAssembly module"},
		"cut":       {good.file()[:len(good.file())/2], "not a WebAssembly module"},
		"no plugin": {append(bytes.Clone(magic), 0, 2, 1, 'x'), "no export boson_"},
		"other abi": {tiny{name: "X", version: "1", abi: 2}.file(), "version 2 of boson"},
		"memory":    {tiny{name: "X", version: "1", pages: 100}.file(), "memory"},
	} {
		if _, err := Load(tt.file, Options{MemoryMiB: 1}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// PL-21: what a plugin says about itself can be wrong.
func TestPluginsThatDescribeThemselvesBadly(t *testing.T) {
	for name, tt := range map[string]struct {
		guest tiny
		want  string
	}{
		"another name": {tiny{name: "Y", version: "1"}, "calls itself Y"},
		"Default":      {tiny{name: "Default", version: "1"}, "reserved"},
		"nothing":      {tiny{describe: []byte{0}}, "did not say its name"},
		"garbage":      {tiny{describe: []byte{200, 1, 2, 3}}, "did not say its name"},
		"no buffer":    {tiny{name: "X", version: "1", alloc: 1 << 20}, "not in memory"},
		"long":         {tiny{name: strings.Repeat("x", 300), version: "1"}, "did not say its name"},
	} {
		m := loadFile(t, tt.guest.file(), Options{Name: "X"})
		if name == "Default" {
			m.opt.Name = ""
		}
		if _, err := m.Create(newFakeHost(), "X", nil); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// A guest that misbehaves in a hook fails its call, and nothing else.
func TestGuestsThatMisbehave(t *testing.T) {
	for name, tt := range map[string]struct {
		guest tiny
		want  string // the message of Fail; empty: the call is continued
	}{
		"trap":           {tiny{hook: codeTrap}, "unreachable"},
		"loop":           {tiny{hook: codeLoop}, "took too long"},
		"recursion":      {tiny{hook: codeRecurse}, "the plugin failed"}, // no stack, or no time
		"no action":      {tiny{hook: codeReturn(0)}, "-"},
		"unknown action": {tiny{hook: codeReturn(9)}, "-"},
		"args outside":   {tiny{hook: codeHostCall(int32(abi.OpBroadcastEvent), 1<<30, 100, 0, 0)}, ""},
		"args negative":  {tiny{hook: codeHostCall(int32(abi.OpBroadcastEvent), -1, -1, 0, 0)}, ""},
		"no operation":   {tiny{hook: codeHostCall(12345, 0, 0, 0, 0)}, ""},
		"not a table":    {tiny{hook: codeHostCall(int32(abi.OpContinue), tinyData+3, 9, 0, 0)}, ""},
		"result outside": {tiny{hook: codeHostCall(int32(abi.OpState), 0, 0, 1<<30, 1<<20)}, ""},
		"describe twice": {tiny{hook: codeHostCall(int32(abi.OpDescribe), tinyData, 8, 0, 0)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			tt.guest.name, tt.guest.version = "X", "1"
			p, _ := open(t, loadFile(t, tt.guest.file(), Options{CallTimeout: 50 * time.Millisecond}), nil)
			c, control := raise(50, "x")
			p.OnRaiseEvent(c)
			switch tt.want {
			case "":
				if !c.IsSucceeded() {
					t.Errorf("status %v, decided %+v", c.Status(), control.decided)
				}
			case "-":
				if !c.IsNew() {
					t.Errorf("status %v, decided %+v", c.Status(), control.decided)
				}
			default:
				if !c.IsFailed() || !strings.Contains(control.decided[0].Message, tt.want) {
					t.Errorf("status %v, decided %+v", c.Status(), control.decided)
				}
			}
		})
	}
}

// PL-135: where instances are shared, rooms of the one that hangs get a fresh one
// and know nothing any more; those of others notice nothing.
func TestASharedInstanceIsReplaced(t *testing.T) {
	m := load(t, "probeguest", func(o *Options) { o.Shared, o.Instances, o.CallTimeout = true, 2, 100*time.Millisecond })
	var plugins []plugin.Plugin
	var hosts []*fakeHost
	for range 4 { // two on each instance
		p, h := open(t, m, nil)
		plugins, hosts = append(plugins, p), append(hosts, h)
	}
	send := func(n int, code byte) *plugin.RaiseEventCall {
		c, _ := raise(code, nil)
		plugins[n].OnRaiseEvent(c)
		return c
	}
	for n := range plugins {
		send(n, 50)
	}
	room := func(n int) *room { return plugins[n].(*room) }
	old := room(0).inst
	neighbour, far := -1, -1
	for n := 1; n < 4; n++ {
		if room(n).inst == old {
			neighbour = n
		} else {
			far = n
		}
	}
	if neighbour < 0 || far < 0 || len(old.rooms) != 2 {
		t.Fatal("the rooms are not spread")
	}
	waits, _ := raise(60, nil)
	if err := waits.Defer(); err != nil {
		t.Fatal(err)
	}
	room(neighbour).deferred[77] = openCall{id: 77, call: waits}
	if c := send(0, probe.EvLoop); !c.IsFailed() {
		t.Errorf("the call that hangs is %v", c.Status())
	}
	hosts[neighbour].run()
	if !waits.IsFailed() {
		t.Error("a call that waited in the neighbour goes on waiting")
	}
	for n, want := range map[int]int32{0: 1, neighbour: 1, far: 2} {
		hosts[n].events = nil
		send(n, probe.EvCount)
		if got := hosts[n].said(t); len(got) != 1 || got[0] != want {
			t.Errorf("room %d has seen %v events, want %d", n, got, want)
		}
		send(n, probe.EvErrors)
		got := fmt.Sprint(hosts[n].said(t))
		if told := strings.Contains(got, "Timeout"); told != (n != far) {
			t.Errorf("room %d was told %v", n, got)
		}
	}
}

// PL-135 with real rooms: the room whose plugin hangs is closed, its players are
// told, and others play on.
func TestARoomWithoutPluginIsClosed(t *testing.T) {
	m := load(t, "probeguest", func(o *Options) { o.CallTimeout = 100 * time.Millisecond })
	s := plugintest.New(t, plugintest.Options{Factory: m})
	ann, bob := two(t, s)
	eve := s.Client("eve")
	ok(t, eve.Create("other"))
	ann.Raise(probe.EvLoop, nil)
	refused(t, ann.WaitResponse(photon.OpRaiseEvent), "took too long")
	bob.WaitEvent(photon.EventErrorInfo)
	for _, p := range []*plugintest.Client{ann, bob} {
		if text := p.WaitGone(); !strings.Contains(text, "took too long") {
			t.Errorf("a player was told %q", text)
		}
	}
	ok(t, s.Client("late").JoinMode("room", photon.CreateIfNotExists))
	eve.Raise(probe.EvCount, nil)
	answered(t, eve, 1)
}

// A call inside a call: when the inner one kills the guest, the outer one ends too.
func TestDeathInsideACall(t *testing.T) {
	m := load(t, "probeguest", nil)
	p, h := open(t, m, nil)
	c, control := raise(50, nil)
	inner, _ := raise(probe.EvExit, nil)
	control.outcome = func() error {
		p.OnRaiseEvent(inner)
		return nil
	}
	p.OnRaiseEvent(c)
	if !inner.IsFailed() || !c.IsSucceeded() || len(control.decided) != 1 {
		t.Errorf("inner %v, outer %v, decided %+v", inner.Status(), c.Status(), control.decided)
	}
	h.run()
	if again, _ := raise(50, nil); p.(*room).inst != nil {
		p.OnRaiseEvent(again)
		t.Error("the instance is still there")
	}
	if !strings.Contains(h.closed, "the room's plugin failed") {
		t.Errorf("the room was closed with %q", h.closed)
	}
}

// FuzzMeter: no file makes the loader panic, and what it accepts wazero accepts
// or refuses by an error.
func FuzzMeter(f *testing.F) {
	f.Add(tiny{name: "X", version: "1"}.file())
	f.Add(tiny{hook: codeLoop}.file())
	f.Add([]byte{0, 'a', 's', 'm', 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0})
	f.Fuzz(func(t *testing.T, file []byte) {
		out, err := meter(file)
		if err == nil && len(out) < len(magic) {
			t.Error("nothing came out")
		}
	})
}

// FuzzHostCall: whatever a guest passes to an operation, the server answers.
func FuzzHostCall(f *testing.F) {
	m, err := Load(tiny{name: "X", version: "1"}.file(), Options{})
	if err != nil {
		f.Fatal(err)
	}
	h := newFakeHost()
	h.Host = nullHost{}
	p, err := m.Create(h, "", nil)
	if err != nil {
		f.Fatal(err)
	}
	r := p.(*room)
	t := abi.Table{}
	t.Int(photon.ParamEventCode, 5)
	t.Value(photon.ParamData, "x")
	t.Value(photon.ParamActorList, []int32{1, 2})
	t.Params(abi.KeyParams, map[byte]any{1: "x"})
	good, _ := t.Bytes()
	for op := range int32(64) {
		f.Add(op, good)
	}
	f.Add(int32(abi.OpSetState), []byte("{}"))
	f.Fuzz(func(t *testing.T, op int32, args []byte) {
		if len(args) > 32<<10 || !r.inst.guest.Memory().Write(4096, args) {
			return
		}
		c, _ := raise(5, gpbinary.ObjectArray{})
		r.open = []openCall{{id: 1, call: c, request: abi.RaiseEvent{RaiseEventRequest: c.Request}}}
		r.inst.current = r
		_, _ = r.inst.serve(abi.Op(op), r.handle, 1, 4096, uint32(len(args)))
		h.run()
		h.events, h.infos = nil, nil
	})
}

// A room that ends while its instance dies in the hands of another room: nothing
// of it is touched any more. For the race detector.
func TestRoomsEndWhileTheirInstanceDies(t *testing.T) {
	m := load(t, "probeguest", func(o *Options) { o.Shared, o.Instances, o.CallTimeout = true, 1, 5*time.Millisecond })
	for range 5 {
		p, _ := open(t, m, nil)
		var others []plugin.Plugin
		for range 20 {
			other, _ := open(t, m, nil)
			others = append(others, other)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			c, _ := raise(probe.EvLoop, nil)
			p.OnRaiseEvent(c)
		})
		for _, other := range others {
			wg.Go(func() { other.(*room).detach() })
		}
		wg.Wait()
	}
}

// What the host decided in place of a guest that forgot is not kept.
func TestForgottenCallsAreNotKept(t *testing.T) {
	r := &room{deferred: map[int64]openCall{}}
	for id := range int64(10 * sweepDeferred) {
		c, _ := raise(60, nil)
		if err := c.Defer(); err != nil {
			t.Fatal(err)
		}
		r.keepDeferred(openCall{id: id, call: c})
		_ = c.Fail("the plugin did not decide in time", nil)
	}
	if n := len(r.deferred); n > sweepDeferred {
		t.Errorf("%d calls are kept", n)
	}
}
