package plugin_test

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
)

// nothing makes no plugin.
var nothing = plugin.FactoryFunc(func(plugin.Host, string, plugin.Config) (plugin.Plugin, error) {
	return nil, errors.New("no plugin")
})

// PL-05
func TestRegister(t *testing.T) {
	plugin.Register("plugin_test", nothing)
	if _, ok := plugin.Registered("plugin_test"); !ok || !slices.Contains(plugin.RegisteredIDs(), "plugin_test") {
		t.Error("the factory is not registered")
	}
	if _, ok := plugin.Registered("another"); ok {
		t.Error("a factory that nobody registered")
	}
	for _, id := range []string{plugin.DefaultName, "", "plugin_test"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("the id %q was accepted", id)
				}
			}()
			plugin.Register(id, nothing)
		}()
	}
}

// PL-09: exactly the calls of table 2.2 can be dropped and postponed; all can be
// continued and failed.
func TestDecisionsOfCalls(t *testing.T) {
	open := map[string]bool{"OnRaiseEvent": true, "BeforeSetProperties": true}
	callbacks := 0
	p := reflect.TypeFor[plugin.Plugin]()
	for i := range p.NumMethod() {
		m := p.Method(i)
		if m.Type.NumIn() == 0 {
			continue // Name, Version
		}
		callbacks++
		call := m.Type.In(0)
		for decision, want := range map[string]bool{
			"Continue": true, "Fail": true, "FailWith": true, "Cancel": open[m.Name], "Defer": open[m.Name],
		} {
			if _, has := call.MethodByName(decision); has != want {
				t.Errorf("%s of %s: %v, want %v", decision, m.Name, has, want)
			}
		}
		if !call.Implements(reflect.TypeFor[plugin.Deferrable]()) {
			t.Errorf("%s can't be postponed by the host", m.Name)
		}
		if _, ok := plugin.ParseHook(m.Name); !ok {
			t.Errorf("%s is no hook", m.Name)
		}
	}
	if callbacks != 9 {
		t.Errorf("%d callbacks", callbacks)
	}
}

// PL-59
func TestCheckAPI(t *testing.T) {
	if plugin.APIVersion != "1.1" {
		t.Fatalf("this test is made for version 1.1")
	}
	for version, want := range map[string]bool{
		"1.0": true, "1.0.7": true, "1.1": true, "1.1.7": true, "1.2": false, "1.10": false, "0.9": false, "2.0": false, "10.0": false,
		"": false, "1": false, "1.": false, "1.x": false, "x.0": false, "-1.0": false, "1.-1": false,
	} {
		if err := plugin.CheckAPI(version); (err == nil) != want {
			t.Errorf("%q: %v", version, err)
		}
	}
}

func TestMux(t *testing.T) {
	named := func(name string) plugin.Factory {
		return plugin.FactoryFunc(func(_ plugin.Host, asked string, c plugin.Config) (plugin.Plugin, error) {
			return marked{name: name, asked: asked, config: c}, nil
		})
	}
	m := plugin.Mux{"Chess": named("Chess"), "Go": named("Go")}
	config := plugin.Config{"k": "v"}
	for _, name := range []string{"Chess", "Go"} {
		p, err := m.Create(nil, name, config)
		if err != nil || p.Name() != name || p.(marked).asked != name || p.(marked).config["k"] != "v" {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	if _, err := m.Create(nil, "chess", nil); !errors.Is(err, plugin.ErrNoSuchPlugin) {
		t.Errorf("unknown name: %v", err)
	}
	for _, name := range []string{"", "Default"} {
		if p, err := m.Create(nil, name, nil); err != nil || p != plugin.Plugin(plugin.Default{}) {
			t.Errorf("%q: %v, %v", name, p, err)
		}
	}
	m[""] = named("Chess")
	if p, err := m.Create(nil, "", nil); err != nil || p.Name() != "Chess" {
		t.Errorf("no name: %v, %v", p, err)
	}
	if err := m.CheckConfig(nil); err != nil {
		t.Error(err)
	}
	m["Picky"] = picky{nothing}
	if err := m.CheckConfig(nil); err == nil || err.Error() != "Picky: k is missing" {
		t.Errorf("CheckConfig: %v", err)
	}
	if err := m.CheckConfig(config); err != nil {
		t.Error(err)
	}
	if onRejoin, onJoin := m.Loads(config); onRejoin || onJoin {
		t.Error("nobody loads rooms")
	}
	m["Saved"] = saving{nothing}
	if onRejoin, onJoin := m.Loads(config); !onRejoin || onJoin {
		t.Errorf("loads on rejoin %v, on join %v", onRejoin, onJoin)
	}
}

type marked struct {
	plugin.Base
	name, asked string
	config      plugin.Config
}

func (m marked) Name() string  { return m.name }
func (marked) Version() string { return "1" }

type saving struct{ plugin.Factory }

func (saving) Loads(plugin.Config) (onRejoin, onJoin bool) { return true, false }

type picky struct{ plugin.Factory }

func (picky) CheckConfig(c plugin.Config) error {
	if c["k"] == "" {
		return errors.New("k is missing")
	}
	return nil
}

func TestConfig(t *testing.T) {
	c := plugin.Config{"n": "7", "neg": "-7", "d": "1m30s", "yes": "true", "list": " a, b c ,,d", "empty": "", "bad": "x"}
	check := func(what string, got, want any, err error, fails bool) {
		t.Helper()
		_, key, _ := strings.Cut(what, " ")
		if !reflect.DeepEqual(got, want) || (err != nil) != fails {
			t.Errorf("%s: %v, %v; want %v", what, got, err, want)
		}
		if fails && err != nil && !strings.HasPrefix(err.Error(), key+" is ") {
			t.Errorf("%s: %v does not name the key", what, err)
		}
	}
	for key, want := range map[string]int{"n": 7, "none": 3, "empty": 3} {
		n, err := c.Int(key, 3, 0)
		check("int "+key, n, want, err, false)
	}
	for _, key := range []string{"neg", "bad", "d"} {
		n, err := c.Int(key, 3, 0)
		check("int "+key, n, 3, err, true)
	}
	for key, want := range map[string]time.Duration{"d": 90 * time.Second, "none": time.Second, "empty": time.Second} {
		d, err := c.Duration(key, time.Second)
		check("duration "+key, d, want, err, false)
	}
	for _, key := range []string{"n", "neg", "bad"} {
		d, err := c.Duration(key, time.Second)
		check("duration "+key, d, time.Second, err, true)
	}
	for key, want := range map[string]bool{"yes": true, "none": true, "empty": true} {
		on, err := c.Bool(key, true)
		check("bool "+key, on, want, err, false)
	}
	on, err := c.Bool("bad", true)
	check("bool bad", on, true, err, true)
	check("list", c.List("list"), []string{"a", "b c", "d"}, nil, false)
	check("no list", c.List("none"), []string(nil), nil, false)
}

// plugins.md 7.2, rule 4
func TestTargetNumbers(t *testing.T) {
	for target, wire := range map[plugin.Target]byte{plugin.Others: 0, plugin.All: 1, plugin.MasterClient: 2, plugin.Group: 3} {
		if target.Wire() != wire {
			t.Errorf("target %d is %d outside, want %d", target, target.Wire(), wire)
		}
		if back, ok := plugin.TargetOf(wire); !ok || back != target {
			t.Errorf("%d is target %d", wire, back)
		}
	}
	if _, ok := plugin.TargetOf(4); ok {
		t.Error("4 is a target")
	}
	var event plugin.Event
	if event.Target != plugin.All {
		t.Error("an event without target is not for all")
	}
}

// hero is a custom type of the game's.
type hero struct{ level byte }

func registerHero(t *testing.T) {
	t.Helper()
	err := plugin.RegisterType('h', func(h hero) ([]byte, error) {
		if h.level == 0 {
			return nil, errors.New("a hero has a level")
		}
		return []byte{h.level}, nil
	}, func(b []byte) (hero, error) {
		if len(b) != 1 {
			return hero{}, errors.New("a hero is one byte")
		}
		return hero{b[0]}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// PL-82
func TestRegisterType(t *testing.T) {
	registerHero(t)
	registerHero(t) // once per room
	type other struct{}
	if err := plugin.RegisterType('h', func(other) ([]byte, error) { return nil, nil }, func([]byte) (other, error) { return other{}, nil }); !errors.Is(err, plugin.ErrTypeTaken) {
		t.Errorf("code taken: %v", err)
	}
	if err := plugin.RegisterType('i', func(hero) ([]byte, error) { return nil, nil }, func([]byte) (hero, error) { return hero{}, nil }); !errors.Is(err, plugin.ErrTypeTaken) {
		t.Errorf("type taken: %v", err)
	}
	if err := plugin.RegisterType('s', func(string) ([]byte, error) { return nil, nil }, func([]byte) (string, error) { return "", nil }); !errors.Is(err, plugin.ErrTypeTaken) {
		t.Errorf("a type of the protocol: %v", err)
	}
}

// PL-82, PL-83: custom types in whatever holds them, both ways.
func TestCustomTypesNested(t *testing.T) {
	registerHero(t)
	wired := func(level byte) any { return gpbinary.Custom{Code: 'h', Data: []byte{level}} }
	foreign := gpbinary.Custom{Code: 'f', Data: []byte{1, 2}}
	dictionary := func(v any) *gpbinary.Dictionary {
		return &gpbinary.Dictionary{Key: gpbinary.TypeDesc{Kind: gpbinary.KindString}, Pairs: []gpbinary.Pair{{Key: "k", Value: v}}}
	}
	value := func(h func(byte) any) any {
		return plugin.NewTable(
			plugin.Pair{Key: "list", Value: gpbinary.ObjectArray{int32(1), h(1), gpbinary.ObjectArray{h(2), foreign}}},
			plugin.Pair{Key: "table", Value: plugin.NewTable(plugin.Pair{Key: byte(1), Value: h(3)})},
			plugin.Pair{Key: "dictionary", Value: dictionary(h(4))},
			plugin.Pair{Key: "plain", Value: []int32{1, 2}},
		)
	}
	wire, own := value(wired), value(func(level byte) any { return hero{level} })
	got, err := plugin.FromWire(wire)
	if err != nil || !reflect.DeepEqual(got, own) {
		t.Errorf("from wire: %v, %v", got, err)
	}
	if !reflect.DeepEqual(wire, value(wired)) {
		t.Error("FromWire changed its argument")
	}
	got, err = plugin.ToWire(own, nil)
	if err != nil || !reflect.DeepEqual(got, wire) {
		t.Errorf("to wire: %v, %v", got, err)
	}
	// What holds none of them is not copied.
	plain := plugin.NewTable(plugin.Pair{Key: "k", Value: gpbinary.ObjectArray{foreign, nil, 1.5}})
	for _, convert := range []func(any) (any, error){plugin.FromWire, func(v any) (any, error) { return plugin.ToWire(v, nil) }} {
		if got, err := convert(plain); err != nil || got != any(plain) {
			t.Errorf("%v, %v", got, err)
		}
	}
	if _, err := plugin.FromWire(gpbinary.ObjectArray{gpbinary.Custom{Code: 'h'}}); err == nil || !strings.Contains(err.Error(), "104") {
		t.Errorf("bad bytes: %v", err)
	}
	if _, err := plugin.ToWire(gpbinary.ObjectArray{hero{}}, nil); err == nil || !strings.Contains(err.Error(), "104") {
		t.Errorf("bad value: %v", err)
	}
	unknown := func(v any) (any, bool) { d, ok := v.(time.Duration); return int64(d), ok }
	got, err = plugin.ToWire(gpbinary.ObjectArray{time.Second, "s"}, unknown)
	if err != nil || !reflect.DeepEqual(got, gpbinary.ObjectArray{int64(time.Second), "s"}) {
		t.Errorf("unknown type: %v, %v", got, err)
	}
}

func TestRaiseEventContent(t *testing.T) {
	registerHero(t)
	encode := func(p photon.Protocol, v any) photon.Content {
		b, err := gpbinary.Append(nil, gpbinary.Version(p), v)
		if err != nil {
			t.Fatal(err)
		}
		return photon.Content{Protocol: p, Bytes: b}
	}
	table := func() *plugin.Table { return plugin.NewTable(plugin.Pair{Key: "k", Value: int32(300)}) }
	v18, v16 := encode(photon.GpBinaryV18, table()), encode(photon.GpBinaryV16, table())
	custom := encode(photon.GpBinaryV18, gpbinary.Custom{Code: 'h', Data: []byte{9}})
	json := photon.Content{Protocol: photon.JSON, Bytes: []byte(`[1,"a"]`)}
	broken := photon.Content{Protocol: photon.GpBinaryV18, Bytes: []byte{21, 200}}
	read := func(r *plugin.RaiseEventRequest) { _, _ = r.Data() }
	for _, tt := range []struct {
		name string
		from photon.Content
		do   func(*plugin.RaiseEventRequest)
		want any // nil: the client's bytes
	}{
		{"not read", v18, func(*plugin.RaiseEventRequest) {}, nil},
		{"read", v18, read, nil},
		{"read, V16", v16, read, nil},
		{"read, JSON", json, read, nil},
		{"read, custom", custom, read, nil},
		{"read, unreadable", broken, read, nil},
		{"changed in place", v18, func(r *plugin.RaiseEventRequest) {
			v, _ := r.Data()
			v.(*plugin.Table).Set("k", "new")
		}, plugin.NewTable(plugin.Pair{Key: "k", Value: "new"})},
		{"changed in place, V16", v16, func(r *plugin.RaiseEventRequest) {
			v, _ := r.Data()
			v.(*plugin.Table).Delete("k")
		}, plugin.NewTable()},
		{"changed in place, JSON", json, func(r *plugin.RaiseEventRequest) {
			v, _ := r.Data()
			v.(gpbinary.ObjectArray)[1] = "b"
		}, gpbinary.ObjectArray{int32(1), "b"}},
		{"replaced", v18, func(r *plugin.RaiseEventRequest) { r.SetData("text") }, "text"},
		{"replaced by a custom type", v18, func(r *plugin.RaiseEventRequest) { r.SetData(hero{3}) }, gpbinary.Custom{Code: 'h', Data: []byte{3}}},
		{"replaced, unreadable", broken, func(r *plugin.RaiseEventRequest) { read(r); r.SetData(true) }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var r plugin.RaiseEventRequest
			r.SetContent(tt.from, true, nil)
			tt.do(&r)
			c, ok, err := r.Content()
			if err != nil || !ok {
				t.Fatalf("%v, %v", ok, err)
			}
			if tt.want == nil {
				if c.Protocol != tt.from.Protocol || !bytes.Equal(c.Bytes, tt.from.Bytes) {
					t.Errorf("the client's bytes % x became % x", tt.from.Bytes, c.Bytes)
				}
				return
			}
			if v, err := c.Value(); err != nil || !gpbinary.Equal(v, tt.want) {
				t.Errorf("got %v, %v; want %v", v, err, tt.want)
			}
		})
	}

	var r plugin.RaiseEventRequest
	r.SetContent(photon.Content{}, false, nil)
	if v, err := r.Data(); v != nil || err != nil {
		t.Errorf("no content: %v, %v", v, err)
	}
	if _, ok, err := r.Content(); ok || err != nil {
		t.Errorf("no content: %v, %v", ok, err)
	}
	r.SetData("added")
	if c, ok, err := r.Content(); !ok || err != nil || len(c.Bytes) == 0 {
		t.Errorf("added content: %v, %v", ok, err)
	}
	r.SetData(struct{ x int }{1})
	if _, _, err := r.Content(); err == nil {
		t.Error("a struct was serialized")
	}
	r.SetContent(photon.Content{}, false, func(v any) (any, bool) { return "instead", true })
	r.SetData(struct{ x int }{1})
	if c, _, err := r.Content(); err != nil {
		t.Error(err)
	} else if v, _ := c.Value(); v != "instead" {
		t.Errorf("unknown type became %v", v)
	}
	r.SetContent(broken, true, nil)
	if _, err := r.Data(); err == nil {
		t.Error("broken content was read")
	}
	r.SetContent(v18, true, nil)
	if v, err := r.Data(); err != nil || v.(*plugin.Table).Len() != 1 {
		t.Errorf("content of the next request: %v, %v", v, err)
	}
}
