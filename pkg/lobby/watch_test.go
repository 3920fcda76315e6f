package lobby

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/photon"
)

// The worked examples of loadbalancing-operations.md 8.
func TestEventBytes(t *testing.T) {
	for _, c := range []struct {
		protocol    photon.Protocol
		list, event string
	}{
		{photon.GpBinaryV18,
			"f304e601de15010705726f6f6d311504 03ff0304 03fc0301 03fd1c 07036d61700b01",
			"f304e501de15010705726f6f6d31150103fb1c"},
		{photon.GpBinaryV16,
			"f304e60001de680001730005726f6f6d31680004 62ff6204 62fc6201 62fd6f01 7300036d61706900000001", ""},
	} {
		f := newFixture(t, Config{})
		f.put(with(visible("room1"), func(r *Record) { r.Properties = table("map", int32(1)) }))
		w := f.watcher(c.protocol)
		f.enter(w, ID{})
		if got, want := hex.EncodeToString(w.sent[0]), strings.ReplaceAll(c.list, " ", ""); got != want {
			t.Errorf("%s list\n%s, want\n%s", c.protocol, got, want)
		}
		f.remove("room1")
		f.pass(time.Second)
		if got := hex.EncodeToString(w.sent[1]); c.event != "" && got != c.event {
			t.Errorf("%s update\n%s, want\n%s", c.protocol, got, c.event)
		}
	}
}

// LB-082, LB-083, LB-084, LB-085, LB-086, LB-095, WJ-104
func TestJoinLobby(t *testing.T) {
	for _, p := range []photon.Protocol{photon.GpBinaryV16, photon.GpBinaryV18, photon.JSON} {
		f := newFixture(t, Config{})
		w := f.watcher(p)
		f.enter(w, ID{})
		want(t, "empty lobby", w.events(), "230")

		id, err := ParseID("", 2)
		want(t, "no name, type 2", fmt.Sprint(id, err), "{ 0} <nil>")
		id, err = ParseID("x", 2)
		want(t, "x, type 2", fmt.Sprint(id, err), "{x 2} <nil>")
		_, err = ParseID("x", 1)
		want(t, "type 1", f.code(err), photon.ReturnInvalidOperation)
		_, err = ParseID(strings.Repeat("x", maxName+1), 0)
		want(t, "long name", f.code(err), photon.ReturnInvalidOperation)

		x := ID{"x", Default}
		f.put(with(visible("inX"), func(r *Record) { r.Lobby = x }))
		f.put(with(visible("inXSQL"), func(r *Record) { r.Lobby = ID{"x", SQL} }))
		f.put(visible("inDefault"))
		f.enter(w, x)
		if got := w.events(); !strings.HasPrefix(got, "230 inX[") || strings.Contains(got, "inXSQL") {
			t.Errorf("lobby x: %s", got)
		}
		f.remove("inDefault")
		f.pass(2 * time.Second)
		want(t, "updates of the lobby that was left", w.events(), "")

		f.LeaveLobby(w)
		f.LeaveLobby(w) // outside of a lobby: nothing
		f.remove("inX")
		f.pass(2 * time.Second)
		want(t, "updates after leaving", w.events(), "")

		for _, typ := range []Type{SQL, AsyncRandom} {
			f.enter(w, ID{"x", typ})
			f.put(with(visible("other"), func(r *Record) { r.Lobby = ID{"x", typ} }))
			f.pass(2 * time.Second)
			f.remove("other")
			want(t, "list of a lobby that has none", w.events(), "")
		}
		f.enter(w, ID{})
		f.enter(w, ID{})
		want(t, "joined twice", w.events(), "230; 230")
		f.LeaveLobby(w)
		f.remove("inXSQL")
		if len(f.lobbies) != 0 || len(f.watches) != 0 {
			t.Errorf("%d lobbies, %d watches are left", len(f.lobbies), len(f.watches))
		}
	}
}

// LB-116, first half: which lobby an operation uses.
func TestLobbyFor(t *testing.T) {
	f := newFixture(t, Config{})
	w := f.watcher(photon.GpBinaryV18)
	want(t, "in no lobby", f.LobbyFor(w, ID{}), ID{})
	want(t, "named", f.LobbyFor(w, ID{"a", SQL}), ID{"a", SQL})
	f.enter(w, ID{"b", AsyncRandom})
	want(t, "in b", f.LobbyFor(w, ID{}), ID{"b", AsyncRandom})
	want(t, "in b, named", f.LobbyFor(w, ID{"a", SQL}), ID{"a", SQL})
}

func TestLobbyLimit(t *testing.T) {
	f := newFixture(t, Config{MaxLobbies: 2})
	w := f.watcher(photon.GpBinaryV18)
	f.put(with(visible("a"), func(r *Record) { r.Lobby.Name = "a" }))
	f.enter(w, ID{})
	wantCode(t, "join", f.code(f.JoinLobby(f.now, f.watcher(photon.JSON), ID{"b", Default})), photon.ReturnInvalidOperation)
	_, rc := f.create(CreateRequest{User: "u", Lobby: ID{"b", Default}})
	wantCode(t, "create", rc, photon.ReturnInvalidOperation)
	_, rc = f.join(JoinRequest{User: "u", Name: "x", Mode: photon.CreateIfNotExists, Lobby: ID{"b", Default}})
	wantCode(t, "join or create", rc, photon.ReturnInvalidOperation)
	_, rc = f.random(RandomRequest{User: "u", Create: true, Lobby: ID{"b", Default}})
	wantCode(t, "random or create", rc, photon.ReturnInvalidOperation)
	want(t, "watchers", len(f.watches), 1)
	f.LeaveLobby(w)
	_, rc = f.create(CreateRequest{User: "u", Lobby: ID{"b", Default}})
	wantCode(t, "after one ended", rc, photon.ReturnOk)
	_, rc = f.create(CreateRequest{User: "u"})
	wantCode(t, "the default lobby is always there", rc, photon.ReturnOk)
}

// LB-087, LB-088, WJ-105
func TestEntry(t *testing.T) {
	f := newFixture(t, Config{})
	f.put(with(visible("a"), func(r *Record) { r.Properties, r.Players = table("map", "m1"), 2 }))
	f.put(Record{Name: "big", Visible: true, MaxPlayers: 300, Players: 256})
	w := f.watcher(photon.GpBinaryV18)
	f.enter(w, ID{})
	want(t, "entries", w.events(), "230 a[252:2 253:true 255:4 map:m1] big[243:300 252:256 253:false 255:0]")
	rows := w
	rows.protocol = photon.JSON
	f.enter(rows, ID{})
	want(t, "entries in JSON", rows.events(), "230 a[252:2 253:true 255:4 map:m1] big[243:300 252:256 253:false 255:0]")
}

// LB-089, LB-090, LB-091, LB-092, LB-096, LB-097, WJ-107
func TestUpdates(t *testing.T) {
	for _, p := range []photon.Protocol{photon.GpBinaryV16, photon.GpBinaryV18, photon.JSON} {
		f := newFixture(t, Config{})
		w := f.watcher(p)
		f.enter(w, ID{})
		w.events()
		base := visible("a")
		step := func(what, event string, change func()) {
			t.Helper()
			change()
			f.pass(2 * time.Second)
			want(t, fmt.Sprintf("%s: %s", p, what), w.events(), event)
		}
		put := func(change func(*Record)) func() { return func() { f.put(with(base, change)) } }

		step("nothing", "", func() {})
		step("reserved", "", func() {
			if m, rc := f.create(CreateRequest{User: "u", Name: "a"}); rc != 0 || !f.Place(f.now, "a", m.Reservation, "gs1") {
				t.Fatal(rc)
			}
		})
		step("new room", "229 a[252:1 253:true 255:4]", put(func(r *Record) {}))
		step("same again", "", put(func(r *Record) { r.Users = []string{"u"}; r.Expected = []string{"v"} }))
		step("player", "229 a[252:2 253:true 255:4]", put(func(r *Record) { r.Players = 2 }))
		step("property set", "229 a[252:1 253:true 255:4 m:x]", put(func(r *Record) { r.Properties = table("m", "x") }))
		step("property same", "", put(func(r *Record) { r.Properties = table("m", "x") }))
		step("other listed key", "229 a[252:1 253:true 255:4 n:y]", put(func(r *Record) { r.Properties = table("n", "y") }))
		step("closed", "229 a[252:1 253:false 255:4]", put(func(r *Record) { r.Open = false }))
		step("full", "229 a[252:4 253:true 255:4]", put(func(r *Record) { r.Players = 4 }))
		step("limit", "229 a[252:4 253:true 255:5]", put(func(r *Record) { r.Players = 4; r.MaxPlayers = 5 }))
		step("invisible", "229 a[251:true]", put(func(r *Record) { r.Visible = false }))
		step("changed while invisible", "", put(func(r *Record) { r.Visible = false; r.Players = 3 }))
		step("visible", "229 a[252:3 253:true 255:4]", put(func(r *Record) { r.Players = 3 }))
		step("server silent", "229 a[251:true]", func() { f.Suspend(f.now, "gs1") })
		step("server back", "229 a[252:3 253:true 255:4]", func() { f.Resume(f.now, "gs1") })
		step("closing", "229 a[251:true]", put(func(r *Record) { r.Closing = true }))
		step("open again", "229 a[252:1 253:true 255:4]", put(func(r *Record) {}))
		step("gone", "229 a[251:true]", func() { f.remove("a") })
		step("came and went", "", func() { put(func(r *Record) {})(); f.remove("a") })
		step("several changes", "229 a[252:2 253:true 255:4]", func() {
			put(func(r *Record) {})()
			put(func(r *Record) { r.Players = 2 })()
		})
		step("new room of the same name", "229 a[252:1 253:true 255:4]", func() {
			f.remove("a")
			put(func(r *Record) {})()
		})
		step("moved to another lobby", "229 a[251:true]", put(func(r *Record) { r.Lobby.Name = "x" }))
		if len(f.listings()) != 0 {
			t.Errorf("listings are left")
		}
	}
}

func (f *fixture) listings() map[string]*listing { return f.lobbies[ID{}].listings }

// LB-093
func TestInitialOrder(t *testing.T) {
	f := newFixture(t, Config{})
	for i := range 9 {
		f.put(with(visible(fmt.Sprint(i)), func(r *Record) {
			r.Open = i%3 != 0
			if i%3 == 1 {
				r.Players = 4
			}
		}))
	}
	w := f.watcher(photon.GpBinaryV18)
	f.enter(w, ID{})
	want(t, "order", w.names(), []string{"2", "5", "8", "1", "4", "7", "0", "3", "6"})
}

// LB-094
func TestListLimits(t *testing.T) {
	f := newFixture(t, Config{})
	put := func(players int32) {
		for i := range 600 {
			f.put(with(visible(fmt.Sprintf("r%03d", i)), func(r *Record) { r.Players = players; r.Open = i >= 50 }))
		}
	}
	put(1)
	w := f.watcher(photon.GpBinaryV18)
	f.enter(w, ID{})
	names := w.names()
	want(t, "initial list", len(names), 500)
	put(2)
	f.pass(time.Second)
	first := w.names()
	want(t, "first update", len(first), 500)
	for _, n := range first {
		if n < "r050" {
			t.Errorf("closed room %s is before joinable ones", n)
		}
	}
	f.pass(time.Second)
	all := map[string]bool{}
	for _, n := range append(first, w.names()...) {
		all[n] = true
	}
	want(t, "all changes", len(all), 600)
	f.pass(5 * time.Second)
	want(t, "afterwards", len(w.sent), 0)
	f.RemoveServer(f.now, "gs1")
	f.pass(time.Second)
	want(t, "removals", len(w.names()), 600)
	want(t, "deadline", f.Deadline(), time.Time{})
}

// Large rooms share a list's bytes.
func TestListBytes(t *testing.T) {
	f := newFixture(t, Config{ListBytes: 10000})
	for i := range 10 {
		f.put(with(visible(fmt.Sprint(i)), func(r *Record) { r.Properties = table("x", strings.Repeat("x", 4000)) }))
	}
	w := f.watcher(photon.GpBinaryV18)
	f.enter(w, ID{})
	want(t, "initial list", len(w.names()), 2)
	f.put(with(visible("huge"), func(r *Record) { r.Properties = table("x", strings.Repeat("x", 20000)) }))
	f.pass(time.Second)
	want(t, "one that is too large alone", w.names(), []string{"huge"})
}

// A room that a protocol can't express does not hide the others.
func TestInexpressible(t *testing.T) {
	f := newFixture(t, Config{})
	f.put(with(visible("a"), func(r *Record) { r.Properties = table("x", strings.Repeat("x", 40000)) }))
	f.put(with(visible("b"), func(r *Record) { r.Properties = table("y", "z") }))
	f.put(visible(strings.Repeat("n", 40000)))
	w := f.watcher(photon.GpBinaryV16)
	f.enter(w, ID{})
	want(t, "list", w.events(), "230 a[252:1 253:true 255:4] b[252:1 253:true 255:4 y:z]")
	f.remove(strings.Repeat("n", 40000))
	f.pass(time.Second)
	want(t, "update", w.events(), "")
}

// Watchers of one protocol share the bytes.
func TestEncodeOnce(t *testing.T) {
	f := newFixture(t, Config{})
	var ws []*watcher
	for range 3 {
		w := f.watcher(photon.GpBinaryV18)
		f.enter(w, ID{})
		ws = append(ws, w)
	}
	f.put(visible("a"))
	f.pass(time.Second)
	for _, w := range ws {
		if len(w.sent) != 2 || &w.sent[1][0] != &ws[0].sent[1][0] || &w.sent[0][0] != &ws[0].sent[0][0] {
			t.Error("encoded more than once")
		}
	}
}

// WJ-106: removals only to JSON clients that know the room.
func TestRemovalsKnown(t *testing.T) {
	f := newFixture(t, Config{})
	enter := func() *watcher {
		w := f.watcher(photon.JSON)
		f.enter(w, ID{})
		w.sent = nil
		return w
	}
	const gone = "229 a[251:true]"
	early := enter()
	f.put(visible("a"))
	with1 := enter() // the list has a
	f.remove("a")
	without := enter()
	f.put(visible("a"))
	with2 := enter()
	f.remove("a")
	last := enter()
	f.pass(time.Second)
	want(t, "before a was there", early.events(), "")
	want(t, "while it was", with1.events(), gone)
	want(t, "in between", without.events(), "")
	want(t, "while it was again", with2.events(), gone)
	want(t, "afterwards", last.events(), "")

	f.put(visible("a"))
	f.put(visible("b"))
	f.pass(time.Second)
	early.sent, with1.sent = nil, nil
	f.remove("a")
	late := enter()
	f.put(with(visible("b"), func(r *Record) { r.Players = 2 }))
	f.pass(time.Second)
	const b = "b[252:2 253:true 255:4]"
	want(t, "told by an update", early.events(), gone+" "+b)
	want(t, "joined after the removal", late.events(), "229 "+b)

	// A list that is not complete.
	f = newFixture(t, Config{ListLimit: 2})
	for _, name := range []string{"a", "b", "c", "d"} {
		f.put(visible(name))
	}
	knowsAB := enter()
	f.put(with(visible("d"), func(r *Record) { r.Players = 2 }))
	f.pass(time.Second)
	want(t, "d is told", knowsAB.events(), "229 d[252:2 253:true 255:4]")
	knowsAB2 := enter() // the same list, but d was told before
	f.remove("a")
	f.remove("c")
	f.remove("d")
	binary := f.watcher(photon.GpBinaryV18)
	f.enter(binary, ID{})
	binary.sent = nil
	f.pass(time.Second)
	want(t, "knows a and d", knowsAB.events(), "229 a[251:true] d[251:true]")
	want(t, "knows a", knowsAB2.events(), "229 a[251:true]")
	want(t, "binary", binary.events(), "229 a[251:true] c[251:true] d[251:true]")

	// A list that is not complete is used again until the next update, and not
	// beyond: who joined before and after that update know different rooms.
	f = newFixture(t, Config{ListLimit: 2})
	for _, name := range []string{"a", "b", "c", "d"} {
		f.put(visible(name))
	}
	enter()
	f.put(with(visible("d"), func(r *Record) { r.Players = 2 }))
	before, before2 := f.watcher(photon.JSON), f.watcher(photon.JSON)
	f.enter(before, ID{})
	f.put(with(visible("a"), func(r *Record) { r.Players = 2 }))
	f.enter(before2, ID{})
	if &before.sent[0][0] != &before2.sent[0][0] {
		t.Error("the list was made twice")
	}
	f.pass(time.Second)
	after := enter()
	before.sent = nil
	f.remove("d")
	f.pass(time.Second)
	want(t, "before the update", before.events(), "229 d[251:true]")
	want(t, "after the update", after.events(), "")
}
