package lobby

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// fixture is an App with a clock that tests move by hand.
type fixture struct {
	*App
	t   testing.TB
	now time.Time
}

func newFixture(t testing.TB, cfg Config) *fixture {
	return &fixture{New(cfg, rand.NewPCG(1, 2)), t, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
}

// pass lets time go by and calls Tick at each deadline on the way.
func (f *fixture) pass(d time.Duration) {
	f.t.Helper()
	end := f.now.Add(d)
	for range 1000 {
		at := f.Deadline()
		if at.IsZero() || at.After(end) {
			f.now = end
			return
		}
		if at.After(f.now) {
			f.now = at
		}
		f.Tick(f.now)
	}
	f.t.Fatal("the deadline does not move on")
}

// put publishes a room on server "gs1".
func (f *fixture) put(rec Record) { f.App.Upsert(f.now, "gs1", &rec) }

func (f *fixture) remove(name string) { f.App.Remove(f.now, "gs1", name) }

func (f *fixture) create(q CreateRequest) (Match, photon.ReturnCode) {
	f.t.Helper()
	m, err := f.App.Create(f.now, q)
	return m, f.code(err)
}

func (f *fixture) join(q JoinRequest) (Match, photon.ReturnCode) {
	f.t.Helper()
	m, err := f.App.Join(f.now, q)
	return m, f.code(err)
}

func (f *fixture) random(q RandomRequest) (Match, photon.ReturnCode) {
	f.t.Helper()
	m, err := f.App.JoinRandom(f.now, q)
	return m, f.code(err)
}

// code returns an error's return code and requires a debug message.
func (f *fixture) code(err error) photon.ReturnCode {
	f.t.Helper()
	if err == nil {
		return photon.ReturnOk
	}
	var e *Error
	if !errors.As(err, &e) || e.Text == "" || e.Code == photon.ReturnOk {
		f.t.Fatalf("error %#v", err)
	}
	return e.Code
}

func (f *fixture) watcher(p photon.Protocol) *watcher { return &watcher{t: f.t, protocol: p} }

func (f *fixture) enter(w *watcher, id ID) {
	f.t.Helper()
	if err := f.App.JoinLobby(f.now, w, id); err != nil {
		f.t.Fatal(err)
	}
}

// watcher keeps what it is sent.
type watcher struct {
	t        testing.TB
	protocol photon.Protocol
	sent     [][]byte
}

func (w *watcher) Protocol() photon.Protocol { return w.protocol }

func (w *watcher) Send(msg []byte, d photon.Delivery) {
	if d != (photon.Delivery{Mode: photon.Reliable}) {
		w.t.Errorf("delivery %+v", d)
	}
	w.sent = append(w.sent, msg)
}

// events returns what was sent since the last call: per event the code, then
// the rooms by name, each with its properties by key.
func (w *watcher) events() string {
	w.t.Helper()
	var out []string
	for _, msg := range w.sent {
		code, rooms := w.decode(msg)
		names := make([]string, 0, len(rooms))
		for name := range rooms {
			names = append(names, name)
		}
		sort.Strings(names)
		text := fmt.Sprint(code)
		for _, name := range names {
			text += " " + name + rooms[name]
		}
		out = append(out, text)
	}
	w.sent = nil
	return strings.Join(out, "; ")
}

// names returns the names of the rooms of the one event that was sent.
func (w *watcher) names() []string {
	w.t.Helper()
	if len(w.sent) != 1 {
		w.t.Fatalf("%d events", len(w.sent))
	}
	names := w.order(w.sent[0])
	w.sent = nil
	return names
}

func (w *watcher) decode(msg []byte) (code int, rooms map[string]string) {
	w.t.Helper()
	rooms = make(map[string]string)
	if w.protocol == photon.JSON {
		var m struct {
			Evt  int
			Vals []json.RawMessage
		}
		if err := json.Unmarshal(msg[bytes.IndexByte(msg, '{'):], &m); err != nil || len(m.Vals) != 2 || string(m.Vals[0]) != "222" {
			w.t.Fatalf("%s: %v", msg, err)
		}
		var table map[string]map[string]any
		if err := json.Unmarshal(m.Vals[1], &table); err != nil {
			w.t.Fatal(err)
		}
		for name, row := range table {
			rooms[name] = strings.TrimPrefix(fmt.Sprint(row), "map")
		}
		return m.Evt, rooms
	}
	for _, p := range w.table(msg).Pairs() {
		var keys []string
		for _, q := range p.Value.(*gpbinary.Hashtable).Pairs() {
			keys = append(keys, fmt.Sprintf("%v:%v", q.Key, q.Value))
		}
		slices.Sort(keys)
		rooms[p.Key.(string)] = "[" + strings.Join(keys, " ") + "]"
	}
	return int(msg[2]), rooms
}

func (w *watcher) table(msg []byte) *gpbinary.Hashtable {
	w.t.Helper()
	ev, _, err := gpbinary.DecodeEvent(gpbinary.Version(w.protocol), msg[2:])
	if err != nil {
		w.t.Fatal(err)
	}
	v, _ := ev.Params.Get(byte(photon.ParamGameList))
	return v.(*gpbinary.Hashtable)
}

func (w *watcher) order(msg []byte) (names []string) {
	for _, p := range w.table(msg).Pairs() {
		names = append(names, p.Key.(string))
	}
	return names
}

// table makes a Hashtable of keys and values in turn.
func table(keysAndValues ...any) *gpbinary.Hashtable {
	h := gpbinary.NewHashtable()
	for i := 0; i < len(keysAndValues); i += 2 {
		h.Set(keysAndValues[i], keysAndValues[i+1])
	}
	return h
}

// visible is a room that anybody may join.
func visible(name string) Record {
	return Record{Name: name, Open: true, Visible: true, Players: 1, MaxPlayers: 4}
}

// with changes a copy of a record.
func with(rec Record, change func(*Record)) Record {
	change(&rec)
	return rec
}

func wantCode(t *testing.T, what string, got, want photon.ReturnCode) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %s, want %s", what, got, want)
	}
}

func want(t *testing.T, what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
