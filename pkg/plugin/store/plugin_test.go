package store

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/boson-project/boson/pkg/gameserver"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
	"github.com/boson-project/boson/pkg/plugin/plugintest"
)

// rooms runs a server whose rooms are in a store. change alters settings beyond
// what configurations may say.
func rooms(t *testing.T, setting string, change func(*settings)) *plugintest.Server {
	t.Helper()
	f := plugin.FactoryFunc(func(h plugin.Host, name string, c plugin.Config) (plugin.Plugin, error) {
		p, err := factory{}.Create(h, name, c)
		if err == nil && change != nil {
			change(p.(*roomStore).set)
		}
		return p, err
	})
	return plugintest.New(t, plugintest.Options{
		Factory: f, Config: plugin.Config{"Store": setting, "SaveInterval": "0"}, Load: gameserver.LoadJoin,
	})
}

// quick makes what must wait wait less.
func quick(t *testing.T) {
	before := retryAfter
	t.Cleanup(func() { retryAfter = before })
	retryAfter = [...]time.Duration{time.Millisecond, time.Millisecond, time.Millisecond}
}

// look opens a store on its own.
func look(t *testing.T, setting string) Store {
	t.Helper()
	open, err := parseStore(setting)
	if err != nil {
		t.Fatal(err)
	}
	s, err := open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

const room1 = "app-guid:1.0:eu:room1"

// eventually asks until it is so: for what nobody reports.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	end := time.Now().Add(10 * time.Second)
	for tick := time.NewTicker(2 * time.Millisecond); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func expectCode(t *testing.T, what string, r *plugintest.Response, want photon.ReturnCode) {
	t.Helper()
	if r.ReturnCode != want {
		t.Errorf("%s: %d %q, want %d", what, r.ReturnCode, r.Debug, want)
	}
}

func playerTTL(ms int32) plugin.Pair { return plugin.Pair{Key: photon.PropPlayerTTL, Value: ms} }

func create(c *plugintest.Client, room string, pairs ...plugin.Pair) *plugintest.Response {
	return c.Create(room, photon.Param(photon.ParamGameProperties, plugin.NewTable(pairs...)),
		photon.Param(photon.ParamRoomOptionFlags, int32(photon.FlagCheckUserOnJoin|photon.FlagDeleteCacheOnLeave)))
}

func turn(n int32) *plugin.Table { return plugin.NewTable(plugin.Pair{Key: "turn", Value: n}) }

// turnOf is the property in a response to a join.
func turnOf(r *plugintest.Response) any {
	t, _ := r.Get(photon.ParamGameProperties).(*plugin.Table)
	v, _ := t.Get("turn")
	return v
}

// A room goes from one server to another by a shared Redis, and is gone from
// there when it is over. PL-101, PL-103, PL-109, PL-114
func TestTwoServers(t *testing.T) {
	redis := miniredis.RunT(t)
	setting := "redis://" + redis.Addr()
	one, two := rooms(t, setting, nil), rooms(t, setting, nil)
	ann := one.Client("ann")
	expectCode(t, "create", create(ann, "room1", playerTTL(-1)), 0)
	ann.Set(0, turn(5))
	ann.Leave(true)
	eventually(t, "the room is gone", func() bool { return one.Rooms() == 0 })

	// A stranger who is refused changes nothing.
	db := look(t, setting)
	before, _ := db.Load(ctx, room1)
	expectCode(t, "rejoin of a stranger", two.Client("eve").JoinMode("room1", photon.RejoinOnly), photon.ReturnJoinFailedWithRejoinerNotFound)
	ann = two.Client("ann")
	expectCode(t, "create of a saved room", create(ann, "room1"), photon.ReturnGameIDAlreadyExists)
	expect(t, db, room1, before.Version, string(before.State))
	r := ann.JoinMode("room1", photon.RejoinOnly, photon.Param(photon.ParamActorNr, int32(-1)))
	expectCode(t, "rejoin", r, 0)
	if turnOf(r) != int32(5) || r.Get(photon.ParamActorNr) != int32(1) {
		t.Errorf("rejoined with %v", r.Params)
	}
	bob := two.Client("bob")
	if r := bob.Join("room1"); r.Get(photon.ParamActorNr) != int32(2) {
		t.Errorf("bob joined with %v", r.Params)
	}
	ann.Leave(false)
	bob.Leave(false)
	eventually(t, "the room is gone", func() bool { return two.Rooms() == 0 })
	expectCode(t, "rejoin of a room that is over", bob.JoinMode("room1", photon.RejoinOnly), photon.ReturnGameDoesNotExist)
	expectCode(t, "create", create(ann, "room1"), 0)
	if redis.HGet(redisPrefix+room1, "s") != "" {
		t.Error("a room that is over is stored")
	}
}

// A server that stops saves who is playing. PL-52
func TestStopSaves(t *testing.T) {
	before := Saves.Load()
	t.Cleanup(func() {
		if Saves.Load() == before {
			t.Error("no save was counted")
		}
	})
	setting := "bolt:" + t.TempDir()
	s := rooms(t, setting, nil)
	create(s.Client("ann"), "room1", playerTTL(60000), plugin.Pair{Key: "turn", Value: int32(1)})
	create(s.Client("bob"), "room2", plugin.Pair{Key: "turn", Value: int32(2)}) // nobody can come back
	s.Stop()
	s = rooms(t, setting, nil)
	r := s.Client("ann").JoinMode("room1", photon.RejoinOnly)
	expectCode(t, "rejoin", r, 0)
	if turnOf(r) != int32(1) {
		t.Errorf("rejoined with %v", r.Params)
	}
	expectCode(t, "rejoin without PlayerTTL", s.Client("bob").JoinMode("room2", photon.RejoinOnly), photon.ReturnGameDoesNotExist)
}

// A running room is saved while it changes, so that it survives a crash; when a
// server runs a room that another has meanwhile, the older one gives way.
func TestSavesWhileRunning(t *testing.T) {
	setting := "redis://" + miniredis.RunT(t).Addr()
	often := func(s *settings) { s.saveInterval = 10 * time.Millisecond }
	s := look(t, setting)
	crashed := rooms(t, setting, often)
	ann, bob := crashed.Client("ann"), crashed.Client("bob")
	create(ann, "room1", playerTTL(-1))
	create(bob, "room2") // nobody can come back: it is not saved
	saved := func(want int32) func() bool {
		return func() bool {
			got, err := s.Load(ctx, room1)
			var state struct{ CustomProperties, Binary map[string]json.RawMessage }
			if err != nil || json.Unmarshal(got.State, &state) != nil {
				return false
			}
			return string(state.CustomProperties["turn"]) == string('0'+rune(want))
		}
	}
	ann.Set(0, plugin.NewTable(plugin.Pair{Key: photon.PropPropsListedInLobby, Value: []string{"turn"}}))
	for n := range int32(3) {
		ann.Set(0, turn(n+1))
		eventually(t, "the room is saved", saved(n+1))
	}
	before, err := s.Load(ctx, room1)
	if err != nil || !before.Expires.IsZero() {
		t.Errorf("%v, %v", before.Expires, err)
	}

	// For the other server this one has crashed.
	other := rooms(t, setting, nil)
	back := other.Client("ann")
	r := back.JoinMode("room1", photon.RejoinOnly)
	if expectCode(t, "rejoin", r, 0); turnOf(r) != int32(3) {
		t.Errorf("rejoined with %v", r.Params)
	}
	back.Set(0, turn(7))
	back.Leave(true)
	eventually(t, "the other server has saved", saved(7))
	after, _ := s.Load(ctx, room1)
	if after.Version <= before.Version {
		t.Errorf("version %d after %d", after.Version, before.Version)
	}
	if _, err := s.Load(ctx, strings.Replace(room1, "room1", "room2", 1)); err == nil {
		t.Error("a room is saved to which nobody can come back")
	}
}

// PL-106
func TestExpiredRoomIsForgotten(t *testing.T) {
	s := rooms(t, "bolt:"+t.TempDir(), nil)
	ann := s.Client("ann")
	create(ann, "room1", playerTTL(50))
	ann.Leave(true)
	eventually(t, "the name is free", func() bool { return create(ann, "room1").ReturnCode == 0 })
	expectCode(t, "join of the new room", s.Client("bob").Join("room1"), 0)
}

// A state that can't be used is refused, and stays. PL-113
func TestBadState(t *testing.T) {
	setting := "redis://" + miniredis.RunT(t).Addr()
	db := look(t, setting)
	check(t, "save", db.Save(ctx, room1, Saved{Version: 1, State: []byte(`{"ActorList":[{"ActorNr":0}]}`)}), nil)
	s := rooms(t, setting, nil)
	ann := s.Client("ann")
	expectCode(t, "join", ann.Join("room1"), photon.ReturnPluginReportedError)
	expectCode(t, "create", create(ann, "room1"), photon.ReturnGameIDAlreadyExists)
	expect(t, db, room1, 1, `{"ActorList":[{"ActorNr":0}]}`)
}

// Without its database a server refuses what it can't know, and rooms in memory
// play on and end.
func TestNoDatabase(t *testing.T) {
	quick(t)
	redis := miniredis.RunT(t)
	var log syncBuffer
	s := plugintest.New(t, plugintest.Options{
		Factory: factory{}, Config: plugin.Config{"Store": "redis://:secret@" + redis.Addr()}, Load: gameserver.LoadJoin, Log: &log,
	})
	redis.RequireAuth("secret")
	saves, failures := Saves.Load(), SaveFailures.Load()
	ann, bob := s.Client("ann"), s.Client("bob")
	expectCode(t, "create", create(ann, "room1", playerTTL(-1)), 0)
	redis.Close()
	expectCode(t, "create without database", create(bob, "room2"), photon.ReturnPluginReportedError)
	expectCode(t, "join without database", bob.Join("room2"), photon.ReturnPluginReportedError)
	expectCode(t, "join of a room in memory", bob.Join("room1"), 0)
	ann.Raise(1, "on")
	bob.WaitEvent(1)
	ann.Leave(true)
	bob.Leave(true)
	eventually(t, "the room ends", func() bool { return s.Rooms() == 0 })
	s.Stop()
	if text := log.String(); !strings.Contains(text, "room not saved at its end: its state is lost") || strings.Contains(text, "secret") {
		t.Errorf("log: %s", text)
	}
	// Loads and creates are no saves.
	if n := SaveFailures.Load() - failures; n < int64(1+len(retryAfter)) || Saves.Load() != saves {
		t.Errorf("counted %d failed saves and %d good ones", n, Saves.Load()-saves)
	}
}

type syncBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// A database that takes connections and says nothing costs a create its time,
// and no more.
func TestSilentDatabase(t *testing.T) {
	quick(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := rooms(t, "redis://"+l.Addr().String(), func(s *settings) { s.timeout = 20 * time.Millisecond })
	expectCode(t, "create", create(s.Client("ann"), "room1"), photon.ReturnPluginReportedError)
}

func TestSettings(t *testing.T) {
	good := plugin.Config{"Store": "bolt:rooms", "SaveInterval": "1m", "MaxAge": "720h", "Timeout": "2s", "Other": "x"}
	if set, err := parseSettings(good); err != nil || set.saveInterval != time.Minute || set.maxAge != 720*time.Hour || set.timeout != 2*time.Second {
		t.Errorf("%+v, %v", set, err)
	}
	for key, value := range map[string]string{"Store": "mysql://x", "SaveInterval": "1ms", "MaxAge": "-1h", "Timeout": "0"} {
		config := plugin.Config{"Store": "bolt:rooms"}
		config[key] = value
		if err := (factory{}).CheckConfig(config); err == nil || !strings.Contains(err.Error(), key) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s = %s: %v", key, value, err)
		}
	}
}

// memory is a store without a disk. hold, if it is not nil, keeps everybody waiting;
// the next fail saves fail.
type memory struct {
	mu    sync.Mutex
	saves []Saved
	fail  int
	hold  chan struct{}
}

func (m *memory) wait() {
	if m.hold != nil {
		<-m.hold
	}
}

func (m *memory) Load(context.Context, string) (Saved, error) {
	m.wait()
	return Saved{}, ErrNotFound
}

func (m *memory) Save(_ context.Context, _ string, s Saved) error {
	m.wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail > 0 {
		m.fail--
		return errors.New("not now")
	}
	m.saves = append(m.saves, s)
	return nil
}

func (m *memory) Delete(context.Context, string, int64) error { return nil }
func (m *memory) Close() error                                { return nil }

func (m *memory) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.saves)
}

// use makes m the store of a setting, which it returns.
func (m *memory) use(t *testing.T) string {
	setting := "bolt:memory of " + t.Name()
	stores.Lock()
	defer stores.Unlock()
	stores.m[setting] = &shared{setting: setting, open: func() (Store, error) { return m, nil }}
	return setting
}

// A running room is saved once per interval, only when it has changed, and twice
// a day so that its state does not expire.
func TestSaveInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		s := rooms(t, m.use(t), func(s *settings) { s.saveInterval = defaultSaveInterval })
		ann := s.Client("ann")
		create(ann, "room1", playerTTL(60000))
		for i, step := range []struct {
			passes time.Duration
			saves  int
		}{{time.Hour, 1}, {time.Hour, 2}, {crashGrace/2 - 2*time.Minute, 2}, {4 * time.Minute, 3}} {
			if i == 1 {
				ann.Set(0, turn(1))
				ann.Set(0, turn(2))
			}
			time.Sleep(step.passes)
			synctest.Wait()
			if n := m.count(); n != step.saves && i != 2 {
				t.Errorf("step %d: %d saves, want %d", i, n, step.saves)
			}
		}
		for i, saved := range m.saves {
			if i > 0 && saved.Version <= m.saves[i-1].Version || !saved.Expires.After(time.UnixMilli(saved.Version).Add(crashGrace)) {
				t.Errorf("save %d has version %d and expires %v", i, saved.Version, saved.Expires)
			}
		}
		s.Stop()
	})
}

// A store that does not answer at all costs a create its time, and no more.
func TestStuckDatabase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		quick(t)
		m := &memory{hold: make(chan struct{})}
		s := rooms(t, m.use(t), func(s *settings) { s.timeout = time.Second })
		start := time.Now()
		expectCode(t, "create", create(s.Client("ann"), "room1"), photon.ReturnPluginReportedError)
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("it took %v", took)
		}
		close(m.hold)
		s.Stop()
	})
}
