package host_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
	"github.com/boson-project/boson/pkg/plugin/host"
	"github.com/boson-project/boson/pkg/room"
)

// listener is a connection that counts.
type listener struct{ msgs int }

func (*listener) Protocol() photon.Protocol            { return photon.GpBinaryV18 }
func (l *listener) Send([]byte, photon.Delivery)       { l.msgs++ }
func (*listener) Disconnect(photon.ReturnCode, string) {}

// hooked is a room with a plugin, as a game server has it.
type hooked struct {
	room *room.Room
	host *host.Host // nil: there is no plugin
	seat *room.Seat // of the first actor
}

// newHooked makes a room of three actors. nil is no plugin.
func newHooked(tb testing.TB, made plugin.Plugin) *hooked {
	tb.Helper()
	b := &hooked{}
	cfg := room.Config{}
	if made != nil {
		start := time.Now()
		b.host = host.New(host.Options{
			GameID: "room", Strict: true, Logger: zerolog.Nop(), Post: func(func()) bool { return true },
			Now: func() time.Duration { return time.Since(start) },
		})
		f := plugin.FactoryFunc(func(plugin.Host, string, plugin.Config) (plugin.Plugin, error) { return made, nil })
		if _, err := b.host.Open(f, "", nil); err != nil {
			tb.Fatal(err)
		}
		cfg.Plugin, cfg.PluginVersion = made.Name(), made.Version()
	}
	b.room = room.New(cfg, room.ID{Name: "room"})
	if b.host != nil {
		b.host.Attach(b.room)
		b.host.Begin()
		defer b.host.Pause()
	}
	entered := func(s *room.Seat, err error) {
		if err != nil {
			tb.Fatal(err)
		}
		if b.seat == nil {
			b.seat = s
		}
	}
	b.room.Create(0, request(tb, photon.OpCreateGame), room.Joiner{Sink: &listener{}, UserID: "0"}, entered)
	for i := range 2 {
		b.room.Join(0, request(tb, photon.OpJoinGame), room.Joiner{Sink: &listener{}, UserID: fmt.Sprint(i + 1)}, entered)
	}
	return b
}

// raise does what a game server does for one event.
func (b *hooked) raise(tb testing.TB, req *photon.Request) {
	if b.host != nil {
		b.host.Begin()
		defer b.host.Pause()
	}
	if err := b.room.Operation(0, b.seat, req); err != nil {
		tb.Fatal(err)
	}
}

func request(tb testing.TB, op photon.OpCode, params ...gpbinary.Param) *photon.Request {
	tb.Helper()
	msg, err := photon.AppendRequest(nil, photon.GpBinaryV18, op, params)
	if err != nil {
		tb.Fatal(err)
	}
	req := &photon.Request{Delivery: photon.Delivery{Mode: photon.Reliable}}
	if err := photon.ParseRequest(photon.GpBinaryV18, msg, req); err != nil {
		tb.Fatal(err)
	}
	return req
}

// position is what an action game sends many times a second: event 1.
func position(tb testing.TB) *photon.Request {
	return request(tb, photon.OpRaiseEvent, param(photon.ParamEventCode, byte(1)),
		param(photon.ParamData, gpbinary.ObjectArray{int32(1001), false, nil, float32(1.5), float32(2.5), float32(3.5)}))
}

// measured is a plugin whose OnRaiseEvent is a function.
type measured struct {
	plugin.Base
	filter plugin.Filter
	raise  func(*plugin.RaiseEventCall)
}

func (*measured) Name() string                            { return "Measured" }
func (*measured) Version() string                         { return "1" }
func (m *measured) Filter() plugin.Filter                 { return m.filter }
func (m *measured) OnRaiseEvent(c *plugin.RaiseEventCall) { m.raise(c) }

func goOn(c *plugin.RaiseEventCall) { _ = c.Continue() }

// kinds are the plugins that are measured.
var kinds = []struct {
	name string
	made func() plugin.Plugin
}{
	{"none", func() plugin.Plugin { return nil }},
	{"not wanted", func() plugin.Plugin {
		return &measured{raise: goOn, filter: plugin.Filter{Hooks: plugin.HookLeave}}
	}},
	{"another event wanted", func() plugin.Plugin {
		return &measured{raise: goOn, filter: plugin.Filter{Hooks: plugin.HookRaiseEvent, Events: []plugin.EventRange{{From: 10, To: 10}}}}
	}},
	{"continues", func() plugin.Plugin {
		return &measured{raise: goOn, filter: plugin.Filter{Hooks: plugin.HookRaiseEvent}}
	}},
	{"reads Data", func() plugin.Plugin {
		return &measured{filter: plugin.Filter{Hooks: plugin.HookRaiseEvent}, raise: func(c *plugin.RaiseEventCall) {
			if data, err := c.Request.Data(); err != nil || len(data.(gpbinary.ObjectArray)) != 6 {
				panic("wrong content")
			}
			_ = c.Continue()
		}}
	}},
	{"changes Data", func() plugin.Plugin {
		return &measured{filter: plugin.Filter{Hooks: plugin.HookRaiseEvent}, raise: func(c *plugin.RaiseEventCall) {
			data, _ := c.Request.Data()
			data.(gpbinary.ObjectArray)[3] = float32(0)
			_ = c.Continue()
		}}
	}},
}

// BenchmarkHook measures one event to two receivers, the room included. The
// difference to "none" is the plugin's. A room whose plugin is Default has no
// host: it is "none".
func BenchmarkHook(b *testing.B) {
	for _, k := range kinds {
		b.Run(k.name, func(b *testing.B) {
			r := newHooked(b, k.made())
			req := position(b)
			b.ReportAllocs()
			for b.Loop() {
				r.raise(b, req)
			}
		})
	}
}

// PL-89: an event that the plugin does not want takes no more allocations than
// one in a room without plugin; a plugin that only continues takes two.
func TestHookAllocations(t *testing.T) {
	most := map[string]float64{"none": 0, "not wanted": 0, "another event wanted": 0, "continues": 2}
	for _, k := range kinds {
		limit, ok := most[k.name]
		if !ok {
			continue
		}
		r := newHooked(t, k.made())
		req := position(t)
		if n := testing.AllocsPerRun(2000, func() { r.raise(t, req) }); n > limit+0.1 {
			t.Errorf("%s: %v allocations per event, want at most %v", k.name, n, limit)
		}
	}
}

// BenchmarkIdleHosts holds 10 000 rooms of three and reports what one costs with
// a plugin and without.
func BenchmarkIdleHosts(b *testing.B) {
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	for _, k := range kinds {
		if k.name != "none" && k.name != "continues" {
			continue
		}
		b.Run(k.name, func(b *testing.B) {
			const rooms = 10_000
			for b.Loop() {
				before := heap()
				all := make([]*hooked, rooms)
				for i := range all {
					all[i] = newHooked(b, k.made())
				}
				b.ReportMetric(float64(heap()-before)/rooms, "B/room")
				runtime.KeepAlive(all)
			}
		})
	}
}
