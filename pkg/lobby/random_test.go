package lobby

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/lobby/sqlfilter"
	"github.com/boson-project/boson/pkg/photon"
)

// chosen is the room that a random join gets, or the code's name. The promise
// it gets is over at once.
func (f *fixture) chosen(q RandomRequest) string {
	f.t.Helper()
	if q.User == "" {
		q.User = "asker"
	}
	m, rc := f.random(q)
	f.pass(10 * time.Second)
	if rc != 0 {
		return rc.String()
	}
	return m.Room
}

const none = "NoRandomMatchFound"

// LB-110, LB-113, LB-114
func TestRandomCandidates(t *testing.T) {
	f := newFixture(t, Config{})
	want(t, "no rooms", f.chosen(RandomRequest{}), none)
	for _, c := range []struct {
		what   string
		change func(*Record)
		ok     bool
	}{
		{"open", func(r *Record) {}, true},
		{"unlimited", func(r *Record) { r.MaxPlayers, r.Players = 0, 1000 }, true},
		{"invisible", func(r *Record) { r.Visible = false }, false},
		{"closed", func(r *Record) { r.Open = false }, false},
		{"closing", func(r *Record) { r.Closing = true }, false},
		{"reserved by another master", func(r *Record) { r.Reserved = true }, false},
		{"full", func(r *Record) { r.Players = 4 }, false},
		{"full of expected users", func(r *Record) { r.Expected = []string{"x", "y", "z"} }, false},
		{"the asker is expected", func(r *Record) { r.Expected = []string{"x", "y", "asker"} }, true},
		{"expected users who are in", func(r *Record) { r.Users = []string{"x"}; r.Expected = []string{"x", "y"} }, true},
		{"the asker is in", func(r *Record) { r.Users = []string{"asker"} }, false},
		{"the asker is in, inactive", func(r *Record) { r.Users = []string{"asker"}; r.InactiveUsers = r.Users; r.Inactive = 1 }, false},
		{"the asker is excluded", func(r *Record) { r.Excluded = []string{"b", "asker"} }, false},
	} {
		f.put(with(visible("a"), c.change))
		got := f.chosen(RandomRequest{})
		if ok := got == "a"; ok != c.ok {
			t.Errorf("%s: %s", c.what, got)
		}
	}
	f.put(visible("a"))
	m, _ := f.random(RandomRequest{User: "u"})
	want(t, "server", m.Server, "gs1")
	f.Suspend(f.now, "gs1")
	want(t, "silent server", f.chosen(RandomRequest{}), none)
	_, rc := f.random(RandomRequest{User: "u", Mode: 3})
	wantCode(t, "unknown mode", rc, photon.ReturnInvalidOperation)
}

// LB-111, LB-112
func TestRandomFilter(t *testing.T) {
	f := newFixture(t, Config{})
	put := func(name string, limit int32, properties *gpbinary.Hashtable) {
		f.put(with(visible(name), func(r *Record) { r.MaxPlayers, r.Properties = limit, properties }))
	}
	put("bare", 5, nil) // its "map" is not listed
	put("text", 4, table("map", "1", "zero", math.Copysign(0, -1)))
	put("byte", 6, table("map", byte(1)))
	put("double", 7, table("map", float64(1), "list", []int32{1, 2}))
	put("300", 300, table("map", int32(2), "mode", "x"))
	put("int", 4, table("map", int32(1), "mode", "x", "on", true, int32(7), "by number"))
	f.put(with(visible("by JavaScript"), func(r *Record) {
		r.Properties, r.ByValue = table("level", int32(7), "speed", 1.5, "own", byte(1)), []string{"level", "speed"}
	}))
	for _, c := range []struct {
		what    string
		filter  *gpbinary.Hashtable
		byValue bool
		want    string
	}{
		{"nothing", table(), false, "bare"},
		{"int", table("map", int32(1)), false, "int"},
		{"string", table("map", "1"), false, "text"},
		{"byte", table("map", byte(1)), false, "byte"},
		{"number from JSON", table("map", int32(1)), true, "byte"},
		{"zero of another type from JSON", table("zero", int32(0)), true, "text"},
		{"written by JSON, byte", table("level", byte(7), "own", byte(1)), false, "by JavaScript"},
		{"written by JSON, float", table("speed", float32(1.5)), false, "by JavaScript"},
		{"written by another", table("level", int32(7), "own", int32(1)), false, none},
		{"fraction from JSON", table("map", 1.5), true, none},
		{"no such value", table("map", int32(3)), false, none},
		{"two properties", table("mode", "x", "map", int32(2)), false, "300"},
		{"one of two", table("mode", "y", "map", int32(2)), false, none},
		{"bool", table("on", true), false, "int"},
		{"other bool", table("on", false), false, none},
		{"array, not indexed", table("list", []int32{1, 2}), false, "double"},
		{"other array", table("list", []int32{1, 3}), false, none},
		{"null", table("map", nil), false, none},
		{"key that is no string", table(int32(7), "by number"), false, "int"},
		{"limit 4", table(photon.PropMaxPlayers, byte(4)), false, "text"},
		{"limit 4 and map", table(photon.PropMaxPlayers, byte(4), "map", int32(1)), false, "int"},
		{"limit 8", table(photon.PropMaxPlayers, byte(8)), false, none},
		{"limit 300", table(photon.PropMaxPlayers, byte(0), photon.PropMaxPlayersInt, int32(300)), false, "300"},
		{"other well-known keys", table(photon.PropIsOpen, false, "map", int32(1)), false, "int"},
	} {
		for mode := photon.FillRoom; mode <= photon.RandomMatching; mode++ {
			got := f.chosen(RandomRequest{Filter: c.filter, ByValue: c.byValue, Mode: mode})
			if mode == photon.FillRoom || c.want == none {
				want(t, c.what, got, c.want)
			} else if got == none {
				t.Errorf("%s, mode %d: nothing", c.what, mode)
			}
		}
	}
	// The index follows changes.
	put("int", 4, table("map", int32(9)))
	want(t, "old value", f.chosen(RandomRequest{Filter: table("map", int32(1))}), none)
	want(t, "new value", f.chosen(RandomRequest{Filter: table("map", int32(9))}), "int")
	f.put(with(visible("int"), func(r *Record) { r.Open, r.Properties = false, table("map", int32(9)) }))
	want(t, "closed", f.chosen(RandomRequest{Filter: table("map", int32(9))}), none)
	f.RemoveServer(f.now, "gs1")
	if len(f.lobbies) != 0 {
		t.Error("the lobby is left")
	}
}

// LB-115
func TestModes(t *testing.T) {
	rooms := func(f *fixture) map[string]*Record {
		out := map[string]*Record{}
		for _, name := range []string{"a", "b", "c"} {
			rec := visible(name)
			rec.Players, rec.MaxPlayers = 0, 40
			out[name] = &rec
			f.put(rec)
		}
		return out
	}
	run := func(mode photon.MatchmakingMode, n int) map[string]int {
		f := newFixture(t, Config{})
		recs := rooms(f)
		got := map[string]int{}
		for i := range n {
			name := f.chosen(RandomRequest{User: fmt.Sprint(i), Mode: mode})
			got[name]++
			if rec := recs[name]; rec != nil {
				rec.Players++
				f.put(*rec)
			}
		}
		return got
	}
	want(t, "fill", run(photon.FillRoom, 90), "map[a:40 b:40 c:10]")
	want(t, "serial", run(photon.SerialMatching, 90), "map[a:30 b:30 c:30]")
	want(t, "serial until full", run(photon.SerialMatching, 121), "map[NoRandomMatchFound:1 a:40 b:40 c:40]")
	got := run(photon.RandomMatching, 100)
	for _, name := range []string{"a", "b", "c"} {
		if got[name] < 20 {
			t.Errorf("random: %v", got)
		}
	}
}

// A random choice is uniform also where few rooms of many match.
func TestRandomIsUniform(t *testing.T) {
	f := newFixture(t, Config{})
	for i := range 200 {
		f.put(with(visible(fmt.Sprint(i)), func(r *Record) {
			r.MaxPlayers = 0
			if i%50 == 0 {
				r.Properties = table("x", []byte{1}) // not indexed
			}
		}))
	}
	got := map[string]int{}
	for range 4000 {
		m, _ := f.random(RandomRequest{User: "u", Mode: photon.RandomMatching, Filter: table("x", []byte{1})})
		got[m.Room]++
	}
	for _, name := range []string{"0", "50", "100", "150"} {
		if n := got[name]; n < 850 || n > 1150 {
			t.Errorf("%v", got)
		}
	}
}

// LB-117, LB-118
func TestSlots(t *testing.T) {
	f := newFixture(t, Config{})
	f.put(with(visible("a"), func(r *Record) { r.Players = 2 })) // 2 slots are free
	want(t, "a team of three", f.chosen(RandomRequest{Expected: []string{"x", "y"}}), none)
	want(t, "a team of two", f.chosen(RandomRequest{Expected: []string{"x"}}), "a")
	_, rc := f.random(RandomRequest{User: "u", Expected: []string{"x"}})
	wantCode(t, "a team of two again", rc, photon.ReturnOk)
	_, rc = f.random(RandomRequest{User: "v"})
	wantCode(t, "its slots are noted", rc, photon.ReturnNoRandomMatchFound)
	_, rc = f.join(JoinRequest{User: "v", Name: "a"})
	wantCode(t, "by name too", rc, photon.ReturnGameFull)
	_, rc = f.join(JoinRequest{User: "x", Name: "a"})
	wantCode(t, "the expected one", rc, photon.ReturnOk)
	_, rc = f.random(RandomRequest{User: "u"})
	wantCode(t, "the same user again", rc, photon.ReturnOk)

	f = newFixture(t, Config{})
	f.put(with(visible("a"), func(r *Record) { r.MaxPlayers, r.Players = 5, 1 }))
	sent := func(prefix string) (n int) {
		for i := range 20 {
			if _, rc := f.random(RandomRequest{User: fmt.Sprint(prefix, i)}); rc == 0 {
				n++
			}
		}
		return n
	}
	want(t, "sent into 4 slots", sent("u"), 4)
	f.put(with(visible("a"), func(r *Record) {
		r.MaxPlayers, r.Players, r.Users = 5, 3, []string{"host", "u0", "u1"}
	}))
	want(t, "sent when two have arrived", sent("v"), 0)
	f.pass(9 * time.Second)
	want(t, "sent after 9 s", sent("w"), 0)
	f.pass(time.Second)
	want(t, "sent after 10 s", sent("x"), 2)

	// A slot is free again when its user came and left, within the 10 s.
	f.put(with(visible("q"), func(r *Record) { r.Lobby.Name, r.MaxPlayers = "q", 2 }))
	q := RandomRequest{User: "q1", Lobby: ID{Name: "q"}}
	_, rc = f.random(q)
	wantCode(t, "the last slot", rc, photon.ReturnOk)
	f.put(with(visible("q"), func(r *Record) { r.Lobby.Name, r.MaxPlayers, r.Players, r.Users = "q", 2, 2, []string{"q1"} }))
	f.put(with(visible("q"), func(r *Record) { r.Lobby.Name, r.MaxPlayers = "q", 2 }))
	q.User = "q2"
	_, rc = f.random(q)
	wantCode(t, "after its user left", rc, photon.ReturnOk)

	// It is also free when the game server never told of its user, who is back.
	q.User = "q3"
	f.remove("q")
	f.put(with(visible("q"), func(r *Record) { r.Lobby.Name, r.MaxPlayers = "q", 2 }))
	_, rc = f.random(q)
	wantCode(t, "the last slot", rc, photon.ReturnOk)
	q.User = "q4"
	_, rc = f.random(q)
	wantCode(t, "while its user is on the way", rc, photon.ReturnNoRandomMatchFound)
	want(t, "friends see the user there", f.friends(0, "q3"), `[true] ["q"]`)
	f.UserConnected(f.now, "", "q3")
	f.Returned(f.now, "q3")
	f.Returned(f.now, "unknown")
	want(t, "friends of the user who is back", f.friends(0, "q3"), `[true] [""]`)
	_, rc = f.random(q)
	wantCode(t, "after its user is back", rc, photon.ReturnOk)

	// A user who asks again elsewhere gives the slot back.
	f.put(with(visible("b"), func(r *Record) { r.Lobby.Name = "other" }))
	_, rc = f.random(RandomRequest{User: "x0", Lobby: ID{Name: "other"}})
	wantCode(t, "the other lobby", rc, photon.ReturnOk)
	want(t, "sent into the slot given back", sent("y"), 1)
}

// LB-116, second half
func TestRandomLobby(t *testing.T) {
	f := newFixture(t, Config{})
	f.put(with(visible("a"), func(r *Record) { r.Lobby = ID{"l", AsyncRandom} }))
	want(t, "default lobby", f.chosen(RandomRequest{}), none)
	want(t, "same name, other type", f.chosen(RandomRequest{Lobby: ID{"l", Default}}), none)
	want(t, "its lobby", f.chosen(RandomRequest{Lobby: ID{"l", AsyncRandom}}), "a")
}

// LB-119, LB-120, LB-121
func TestRandomOrCreate(t *testing.T) {
	f := newFixture(t, Config{})
	q := RandomRequest{User: "u1", Create: true, Lobby: ID{"l", Default}, Filter: table("map", int32(1), photon.PropMaxPlayers, byte(3))}
	first, rc := f.random(q)
	wantCode(t, "first", rc, photon.ReturnOk)
	if first.Reservation == 0 || first.Lobby != q.Lobby {
		t.Errorf("%+v", first)
	}
	q.User = "u2"
	second, rc := f.random(q)
	wantCode(t, "second", rc, photon.ReturnOk)
	if second.Room != first.Room || second.Reservation != 0 || second.Server != "" {
		t.Errorf("first %+v, second %+v", first, second)
	}
	f.Place(f.now, first.Room, first.Reservation, "gs1")
	q.User, q.Create = "u3", false
	third, rc := f.random(q)
	wantCode(t, "third, without create", rc, photon.ReturnOk)
	want(t, "third", third.Room+third.Server, first.Room+"gs1")
	q.User = "u4"
	_, rc = f.random(q)
	wantCode(t, "fourth: MaxPlayers of the filter", rc, photon.ReturnNoRandomMatchFound)
	q.User, q.Filter = "u5", table("map", int32(2))
	_, rc = f.random(q)
	wantCode(t, "another filter", rc, photon.ReturnNoRandomMatchFound)
	want(t, "stats while reserved", f.Stats().Rooms, 0)

	// No filter: only askers without one find it.
	f = newFixture(t, Config{})
	first, _ = f.random(RandomRequest{User: "u1", Create: true, Name: "named"})
	want(t, "given name", first.Room, "named")
	_, rc = f.random(RandomRequest{User: "u2", Filter: table(photon.PropMaxPlayers, byte(4))})
	wantCode(t, "asker with a filter", rc, photon.ReturnNoRandomMatchFound)
	second, _ = f.random(RandomRequest{User: "u2"})
	want(t, "asker without", second.Room, "named")
	_, rc = f.random(RandomRequest{User: "u2", Create: true, Name: "named", Filter: table("x", "y")})
	wantCode(t, "name taken", rc, photon.ReturnGameIDAlreadyExists)
	f.pass(15 * time.Second)
	_, rc = f.random(RandomRequest{User: "u2"})
	wantCode(t, "after the reservation", rc, photon.ReturnNoRandomMatchFound)

	// Options of old clients win over the filter.
	f = newFixture(t, Config{})
	first, _ = f.random(RandomRequest{User: "u1", Create: true, Filter: table("map", "f", photon.PropMaxPlayers, byte(6)),
		Options: table("map", "o", photon.PropPropsListedInLobby, []string{"map"})})
	_, rc = f.random(RandomRequest{User: "u2", Filter: table("map", "f")})
	wantCode(t, "filter", rc, photon.ReturnNoRandomMatchFound)
	second, _ = f.random(RandomRequest{User: "u2", Filter: table("map", "o")})
	want(t, "options", second.Room, first.Room)
	_, rec, _ := f.Lookup(first.Room)
	want(t, "limit of the filter where the options have none", rec.MaxPlayers, 6)
	// The room's own word ends the assumption.
	f.put(with(visible(first.Room), func(r *Record) { r.Properties = table("map", "true") }))
	want(t, "assumed value", f.chosen(RandomRequest{Filter: table("map", "o")}), none)
	want(t, "published value", f.chosen(RandomRequest{Filter: table("map", "true")}), first.Room)

	// A plain CreateGame is not found before it is confirmed.
	f = newFixture(t, Config{})
	f.create(CreateRequest{User: "u", Name: "a"})
	want(t, "created, not confirmed", f.chosen(RandomRequest{}), none)
}

// LB-125, LB-126, LB-127, LB-128, LB-129, LB-130, LB-131
func TestRandomSQL(t *testing.T) {
	f := newFixture(t, Config{})
	id := ID{"sql", SQL}
	put := func(name string, kv ...any) {
		f.put(with(visible(name), func(r *Record) { r.Lobby, r.Properties = id, table(kv...) }))
	}
	put("a", "C0", int32(400), "C1", "Map2")
	put("b", "C0", int64(460), "C1", "Map1", "x", "ignored")
	put("c", "c0", int32(1), "C1", "Map3")              // no column
	put("d", "C0", "text", "C2", 1.5, "C3", true)       // wrong types
	put("e", "C0", byte(7), "C9", int16(-3), "C10", 10) // all integers
	js := func(byValue ...string) {
		f.put(with(visible("js"), func(r *Record) {
			r.Lobby, r.Properties, r.ByValue = id, table("C4", float64(1<<40), "C5", 1.5, "C6", float64(3)), byValue
		}))
	}
	js()
	want(t, "a binary client's floats", f.chosen(RandomRequest{Lobby: id, SQL: "C4 IS NOT NULL OR C5 IS NOT NULL"}), none)
	js("C4", "C5")
	for _, c := range []struct{ sql, want string }{
		{"C4 = 1099511627776", "js"}, // a JavaScript client's time
		{"C4 > 1099511627775 AND C5 IS NULL AND C6 IS NULL", "js"},
		{"", "a"},
		{"C0 BETWEEN 345 AND 475 AND C1 = 'Map2'", "a"},
		{`C0 > 345 AND C0 < 475 AND (C1 = 'Map2' OR C1 = "Map3")`, "a"},
		{"C0 >= 345 AND C0 <= 475 AND C1 IN ('Map1', 'Map3')", "b"},
		{"c0 = 400", "a"},
		{"c0 = 1", none},
		{"C0 = 'text'", none},
		{"C0 <> 400 AND C0 <> 460 AND C0 <> 7", none},
		{"C0 IS NULL AND C1 IS NULL", "d"},
		{"C2 IS NULL AND C3 IS NULL AND C1 IS NULL", "d"},
		{"C1 <> 'a' AND C1 <> 'Map2'", "b"},
		{"C9 = -3", "e"},
		{"C0 = 1;C0 = 2;C0=460;", "b"},
		{"C0 = 460;C0 = 400", "b"},
		{"C0=1;C0=2;C0=3;C0=4", "InvalidOperation"},
		{"C0 = 'updated'", none},
		{"UPDATE x", "InvalidOperation"},
		{"C10 = 1", "InvalidOperation"},
		{"C0 = ", "InvalidOperation"},
	} {
		want(t, c.sql, f.chosen(RandomRequest{Lobby: id, SQL: c.sql, Mode: photon.RandomMatching}), c.want)
	}
	want(t, "properties are ignored", f.chosen(RandomRequest{Lobby: id, SQL: "C0=460", Filter: table("y", "z")}), "b")
	want(t, "MaxPlayers is not", f.chosen(RandomRequest{Lobby: id, SQL: "C0=460", Filter: table(photon.PropMaxPlayers, byte(5))}), none)
	f.put(visible("default"))
	want(t, "SQL elsewhere is ignored", f.chosen(RandomRequest{SQL: "C0 = "}), "default")
	want(t, "reserved rooms lock nothing", func() string {
		id := ID{"other", SQL}
		f.random(RandomRequest{User: "u", Lobby: id, Create: true, Name: "r", Options: table("C0", "s", photon.PropPropsListedInLobby, []string{"C0"})})
		f.put(with(visible("s"), func(r *Record) { r.Lobby, r.Properties = id, table("C0", int32(5)) }))
		return f.chosen(RandomRequest{Lobby: id, SQL: "C0 = 5"})
	}(), "s")

	f = newFixture(t, Config{SearchSteps: 100})
	for i := range 200 {
		put(fmt.Sprint(i), "C0", int32(i))
	}
	want(t, "too much work", f.chosen(RandomRequest{Lobby: id, SQL: "C0 + 0 > 190"}), "InvalidOperation")
	want(t, "an index helps", f.chosen(RandomRequest{Lobby: id, SQL: "C0 = 95"}), "95")
	want(t, "also with ranges", f.chosen(RandomRequest{Lobby: id, SQL: "C0 > 190"}), "191")
}

// LB-143
func TestAsyncRandom(t *testing.T) {
	f := newFixture(t, Config{})
	id := ID{"l", AsyncRandom}
	idle := Record{Name: "a", Lobby: id, Open: true, Visible: true, Persistent: true, MaxPlayers: 3, Players: 1, Inactive: 1,
		Users: []string{"idle"}, InactiveUsers: []string{"idle"}, Properties: table("map", "x")}
	plain := with(idle, func(r *Record) { r.Name, r.Lobby = "b", ID{} })
	f.put(idle)
	f.put(plain)
	want(t, "all inactive", f.chosen(RandomRequest{Lobby: id}), "a")
	f.remove("a")
	f.remove("b")
	want(t, "gone from a default lobby", f.chosen(RandomRequest{}), none)
	want(t, "stats", f.Stats(), Stats{})
	want(t, "the idle user", f.chosen(RandomRequest{User: "idle", Lobby: id}), none)
	want(t, "other properties", f.chosen(RandomRequest{Lobby: id, Filter: table("map", "y")}), none)

	q := RandomRequest{User: "u1", Lobby: id, Filter: table("map", "x")}
	m, rc := f.random(q)
	wantCode(t, "saved", rc, photon.ReturnOk)
	if m.Room != "a" || !m.Load || m.Reservation == 0 || m.Server != "" {
		t.Errorf("saved: %+v", m)
	}
	f.Place(f.now, "a", m.Reservation, "gs2")
	q.User = "u2"
	m2, rc := f.random(q)
	wantCode(t, "the next", rc, photon.ReturnOk)
	if m2.Room != "a" || m2.Load || m2.Reservation != 0 || m2.Server != "gs2" {
		t.Errorf("the next: %+v", m2)
	}
	q.User = "u3"
	_, rc = f.random(q)
	wantCode(t, "no slot is left", rc, photon.ReturnNoRandomMatchFound)

	f.pass(15 * time.Second) // nobody arrived
	m, rc = f.join(JoinRequest{User: "idle", Name: "a", Mode: photon.RejoinOnly})
	wantCode(t, "rejoin", rc, photon.ReturnOk)
	want(t, "rejoin", m.Load, true)
	f.Place(f.now, "a", m.Reservation, "gs1")
	f.put(with(idle, func(r *Record) { r.Inactive, r.InactiveUsers = 0, nil }))
	want(t, "loaded", f.Stats(), Stats{Players: 1, Rooms: 1})
	f.put(idle)
	f.remove("a")
	m, _ = f.random(q)
	f.Release(f.now, m.Room, m.Reservation)
	_, rc = f.random(q)
	wantCode(t, "it could not be loaded", rc, photon.ReturnNoRandomMatchFound)

	f.put(with(idle, func(r *Record) { r.Inactive, r.InactiveUsers = 0, nil }))
	f.remove("a")
	_, rec, _ := f.Lookup("a")
	want(t, "inactive when saved", fmt.Sprint(rec.Inactive, rec.InactiveUsers), "1 [idle]")
	f.pass(30 * time.Minute)
	f.put(idle) // loaded, and saved again
	f.remove("a")
	f.pass(60*time.Minute - 1)
	want(t, "until 60 min", len(f.rooms), 1)
	f.pass(1)
	want(t, "after 60 min", len(f.rooms), 0)

	// The name is free for another room.
	f.put(idle)
	f.remove("a")
	_, rc = f.create(CreateRequest{User: "u", Name: "a"})
	wantCode(t, "create", rc, photon.ReturnOk)
	f.pass(15 * time.Second)
	want(t, "rooms", len(f.rooms), 0)

	for _, rec := range []Record{
		with(idle, func(r *Record) { r.Persistent = false }),
		with(idle, func(r *Record) { r.Players, r.Users = 0, nil }),
	} {
		f.put(rec)
		f.remove("a")
		want(t, "not saved", len(f.rooms), 0)
	}

	f = newFixture(t, Config{MaxAsync: 2})
	for _, name := range []string{"a", "b", "c"} {
		f.put(with(idle, func(r *Record) { r.Name = name }))
		f.remove(name)
	}
	_, _, ok := f.Lookup("a")
	want(t, "the oldest beyond MaxAsync", ok, false)
	want(t, "kept", len(f.rooms), 2)
}

// All that an App keeps agrees with its rooms after many random changes, and a
// search with the index finds what a search without would.
func TestConsistency(t *testing.T) {
	f := newFixture(t, Config{})
	r := rand.New(rand.NewPCG(5, 6))
	w := f.watcher(photon.GpBinaryV18)
	f.enter(w, ID{})
	known := map[string]string{}
	for step := range 6000 {
		name := fmt.Sprint("r", r.IntN(60))
		user := fmt.Sprint("u", r.IntN(40))
		server := fmt.Sprint("gs", r.IntN(3))
		id := []ID{{}, {"a", Default}, {"s", SQL}, {"y", AsyncRandom}}[r.IntN(4)]
		properties := table("p", int32(r.IntN(5)), "C0", int32(r.IntN(3)))
		switch r.IntN(12) {
		case 0, 1, 2, 3:
			rec := Record{Name: name, Lobby: id, Open: r.IntN(5) > 0, Visible: r.IntN(5) > 0, Persistent: r.IntN(2) == 0,
				MaxPlayers: int32(r.IntN(6)), Properties: properties, Created: int64(r.IntN(100)), Reserved: r.IntN(10) == 0}
			for i := range r.IntN(4) {
				rec.Users = append(rec.Users, fmt.Sprint("u", r.IntN(40)))
				if i == 2 {
					rec.InactiveUsers = rec.Users[:1]
					rec.Inactive = 1
				}
			}
			rec.Players = int32(len(rec.Users))
			if r.IntN(3) == 0 {
				rec.Expected = []string{user, "e"}
			}
			f.Upsert(f.now, server, &rec)
		case 4, 5:
			f.Remove(f.now, server, name)
		case 6:
			if m, rc := f.create(CreateRequest{User: user, Name: name, Lobby: id}); rc == 0 && r.IntN(2) == 0 {
				f.Place(f.now, name, m.Reservation, server)
			}
		case 7, 8:
			q := RandomRequest{User: user, Lobby: id, Mode: photon.MatchmakingMode(r.IntN(3)), Create: r.IntN(4) == 0, Expected: []string{"e"}}
			if r.IntN(2) == 0 {
				q.Filter = table("p", int32(r.IntN(5)))
			}
			m, rc := f.random(q)
			if rc == 0 && m.Reservation != 0 {
				f.Place(f.now, m.Room, m.Reservation, server)
			}
		case 9:
			f.join(JoinRequest{User: user, Name: name, Mode: photon.JoinMode(r.IntN(4)), Lobby: id})
		case 10:
			f.pass(time.Duration(r.IntN(3000)) * time.Millisecond)
		case 11:
			switch r.IntN(8) {
			case 0:
				f.RemoveServer(f.now, server)
			case 1:
				f.Suspend(f.now, server)
			case 2:
				f.Resume(f.now, server)
			}
		}
		if step%20 == 0 {
			f.check()
		}
	}
	// What the watcher put together is what there is.
	f.pass(2 * time.Second)
	for _, msg := range w.sent {
		_, rooms := w.decode(msg)
		for name, text := range rooms {
			if text == "[251:true]" {
				delete(known, name)
			} else {
				known[name] = text
			}
		}
	}
	fresh := f.watcher(photon.GpBinaryV18)
	f.enter(fresh, ID{})
	_, now := fresh.decode(fresh.sent[0])
	want(t, "the watcher's list", known, now)

	for server := range 3 {
		f.RemoveServer(f.now, fmt.Sprint("gs", server))
	}
	f.LeaveLobby(w)
	f.LeaveLobby(fresh)
	f.pass(2 * time.Hour)
	if len(f.rooms)+len(f.lobbies)+len(f.users)+f.live+f.players+f.duplicates+f.keptNow != 0 {
		t.Errorf("left: %d rooms, %d lobbies, %d users, %+v, %d duplicates, %d kept",
			len(f.rooms), len(f.lobbies), len(f.users), f.Stats(), f.duplicates, f.keptNow)
	}
	want(t, "deadline", f.Deadline(), time.Time{})
}

// check compares everything derived with what it is derived from.
func (f *fixture) check() {
	f.t.Helper()
	rooms, lists, liveRooms, players := map[ID]int{}, map[ID]int{}, 0, 0
	for name, r := range f.rooms {
		if r.rec == nil || r.name != name || r.rec.Lobby != r.lobby.id || f.lobbies[r.lobby.id] != r.lobby {
			f.t.Fatalf("room %s: %+v", name, r)
		}
		rooms[r.lobby.id]++
		if r.class != hidden {
			lists[r.lobby.id]++
			if l := &r.lobby.lists[r.class]; l.peek(l.find(r.order)) != r {
				f.t.Fatalf("room %s is not in list %d", name, r.class)
			}
		}
		if r.state == live {
			liveRooms++
			players += int(r.rec.Players - r.rec.Inactive)
		}
		taken := map[string]bool{}
		for _, id := range r.rec.Expected {
			taken[id] = true
		}
		for id := range r.promises {
			taken[id] = true
		}
		for _, id := range r.rec.Users {
			delete(taken, id)
		}
		if used := int(r.rec.Players) + len(taken); r.rec.MaxPlayers > 0 && used != r.used {
			f.t.Fatalf("room %s: %d slots used, not %d", name, used, r.used)
		}
	}
	if liveRooms != f.live || players != f.players {
		f.t.Fatalf("%d live rooms, %d players, counted %d, %d", liveRooms, players, f.live, f.players)
	}
	for id, l := range f.lobbies {
		n := 0
		for c := open; c <= closed; c++ {
			n += l.lists[c].len
		}
		if l.rooms != rooms[id] || n != lists[id] {
			f.t.Fatalf("lobby %v: %d rooms, %d in lists", id, l.rooms, n)
		}
		for i := range l.sorted {
			list, n := &l.sorted[i], 0
			for c, r := (cursor{}), (*room)(nil); ; n++ {
				last := r
				if r = list.next(&c); r == nil {
					break
				}
				if r.class != open || r.lobby != l || r.columns[i].Kind() == sqlfilter.Null || last != nil && sqlfilter.Compare(last.columns[i], r.columns[i]) > 0 {
					f.t.Fatalf("lobby %v: room %s stands wrongly in column %d", id, r.name, i)
				}
			}
			for c, r := (cursor{}), (*room)(nil); ; {
				if r = l.lists[open].next(&c); r == nil {
					break
				}
				if r.columns[i].Kind() != sqlfilter.Null {
					n--
				}
			}
			if n != 0 {
				f.t.Fatalf("lobby %v: column %d has %d rooms too many", id, i, n)
			}
		}
		for p := range 5 {
			s := search{user: "nobody", conditions: []gpbinary.Pair{{Key: "p", Value: int32(p)}}}
			if id.Type == SQL {
				s.conditions = nil
			}
			var direct []*room
			c := cursor{}
			for r := l.lists[open].next(&c); r != nil; r = l.lists[open].next(&c) {
				if s.matches(r) {
					direct = append(direct, r)
				}
			}
			var indexed []*room
			if list := l.candidates(&s); list != nil {
				c := cursor{}
				for r := list.next(&c); r != nil; r = list.next(&c) {
					if s.matches(r) {
						indexed = append(indexed, r)
					}
				}
			}
			if fmt.Sprint(direct) != fmt.Sprint(indexed) {
				f.t.Fatalf("lobby %v: the index finds %d of %d rooms", id, len(indexed), len(direct))
			}
		}
	}
}
