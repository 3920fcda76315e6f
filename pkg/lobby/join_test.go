package lobby

import (
	"regexp"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/photon"
)

// LB-100, LB-101, LB-107
func TestCreate(t *testing.T) {
	f := newFixture(t, Config{})
	m, rc := f.create(CreateRequest{User: "u", Name: "a"})
	wantCode(t, "create", rc, photon.ReturnOk)
	if m.Room != "a" || m.Reservation == 0 || m.Load {
		t.Errorf("%+v", m)
	}
	_, rc = f.create(CreateRequest{User: "v", Name: "a"})
	wantCode(t, "at the same time", rc, photon.ReturnGameIDAlreadyExists)
	if !f.Place(f.now, "a", m.Reservation, "gs1") || f.Place(f.now, "a", m.Reservation+1, "gs2") {
		t.Error("placed wrongly")
	}
	f.put(with(visible("a"), func(r *Record) { r.Lobby.Name = "other" }))
	_, rc = f.create(CreateRequest{User: "v", Name: "a"})
	wantCode(t, "existing, in another lobby", rc, photon.ReturnGameIDAlreadyExists)
	if f.Place(f.now, "a", m.Reservation, "gs2") {
		t.Error("placed a room that exists")
	}
	f.Release(f.now, "a", m.Reservation) // too late: nothing
	_, rc = f.create(CreateRequest{User: "v", Name: "a"})
	wantCode(t, "after a late release", rc, photon.ReturnGameIDAlreadyExists)

	m1, _ := f.create(CreateRequest{User: "u"})
	m2, _ := f.create(CreateRequest{User: "u"})
	guid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	if !guid.MatchString(m1.Room) || m1.Room == m2.Room {
		t.Errorf("generated names %s, %s", m1.Room, m2.Room)
	}

	// No game server: the caller releases the name.
	m, _ = f.create(CreateRequest{User: "u", Name: "b"})
	f.Release(f.now, "b", m.Reservation)
	_, rc = f.create(CreateRequest{User: "v", Name: "b"})
	wantCode(t, "released", rc, photon.ReturnOk)
}

// LB-102
func TestReservationExpires(t *testing.T) {
	f := newFixture(t, Config{})
	m, _ := f.create(CreateRequest{User: "u", Name: "a"})
	f.Place(f.now, "a", m.Reservation, "gs1")
	f.now = f.now.Add(15*time.Second - 1)
	_, rc := f.create(CreateRequest{User: "v", Name: "a"})
	wantCode(t, "before 15 s", rc, photon.ReturnGameIDAlreadyExists)
	f.now = f.now.Add(1) // without a Tick
	_, rc = f.create(CreateRequest{User: "v", Name: "a"})
	wantCode(t, "after 15 s", rc, photon.ReturnOk)
	f.Release(f.now, "a", m.Reservation)
	_, rc = f.create(CreateRequest{User: "w", Name: "a"})
	wantCode(t, "after the release of the first", rc, photon.ReturnGameIDAlreadyExists)

	// The game server may give it up itself, or be lost.
	m, _ = f.create(CreateRequest{User: "u", Name: "b"})
	f.Place(f.now, "b", m.Reservation, "gs1")
	f.remove("b")
	_, _, ok := f.Lookup("b")
	want(t, "removed by its server", ok, false)
	m, _ = f.create(CreateRequest{User: "u", Name: "b"})
	f.Place(f.now, "b", m.Reservation, "gs1")
	f.RemoveServer(f.now, "gs1")
	_, _, ok = f.Lookup("b")
	want(t, "its server lost", ok, false)

	f.pass(time.Minute)
	if len(f.rooms) != 0 || len(f.lobbies) != 0 || len(f.users) != 0 || len(f.servers) != 0 {
		t.Errorf("left: %d rooms, %d lobbies, %d users, %d servers", len(f.rooms), len(f.lobbies), len(f.users), len(f.servers))
	}
}

// LB-103, LB-104, LB-105, LB-106
func TestJoin(t *testing.T) {
	f := newFixture(t, Config{})
	base := visible("a")
	base.Lobby = ID{"far", SQL}
	base.Users, base.Players, base.Inactive, base.InactiveUsers = []string{"in", "idle"}, 2, 1, []string{"idle"}
	for _, c := range []struct {
		what     string
		change   func(*Record)
		user     string
		mode     photon.JoinMode
		expected []string
		rc       photon.ReturnCode
	}{
		{"open", nil, "u", 0, nil, photon.ReturnOk},
		{"invisible", func(r *Record) { r.Visible = false }, "u", 0, nil, photon.ReturnOk},
		{"closed", func(r *Record) { r.Open = false }, "u", 0, nil, photon.ReturnGameClosed},
		{"closed, or create", func(r *Record) { r.Open = false }, "u", 1, nil, photon.ReturnGameClosed},
		{"closed, or rejoin", func(r *Record) { r.Open = false }, "u", 2, nil, photon.ReturnGameClosed},
		{"full", func(r *Record) { r.MaxPlayers = 2 }, "u", 0, nil, photon.ReturnGameFull},
		{"closed and full", func(r *Record) { r.MaxPlayers = 2; r.Open = false }, "u", 0, nil, photon.ReturnGameClosed},
		{"closed and full, rejoin", func(r *Record) { r.MaxPlayers = 2; r.Open = false }, "idle", 3, nil, photon.ReturnOk},
		{"closed and full, join or rejoin", func(r *Record) { r.MaxPlayers = 2; r.Open = false }, "idle", 2, nil, photon.ReturnOk},
		{"closed and full, already in", func(r *Record) { r.MaxPlayers = 2; r.Open = false }, "in", 0, nil, photon.ReturnOk},
		{"active there, and rooms check users", func(r *Record) { r.CheckUser = true }, "in", 0, nil, photon.ReturnJoinFailedFoundActiveJoiner},
		{"the same, or create", func(r *Record) { r.CheckUser = true; r.Open = false }, "in", 1, nil, photon.ReturnJoinFailedFoundActiveJoiner},
		{"the same, or rejoin", func(r *Record) { r.CheckUser = true }, "in", 2, nil, photon.ReturnOk},
		{"active there by a session that is here now", func(r *Record) { r.CheckUser, r.Sessions = true, []uint64{0, 5} }, "in", 0, nil, photon.ReturnOk},
		{"active there by another session", func(r *Record) { r.CheckUser, r.Sessions = true, []uint64{7, 0} }, "in", 0, nil, photon.ReturnJoinFailedFoundActiveJoiner},
		{"inactive there", func(r *Record) { r.CheckUser = true }, "idle", 0, nil, photon.ReturnOk},
		{"full with expected users", func(r *Record) { r.MaxPlayers = 3; r.Expected = []string{"e", "in"} }, "u", 0, nil, photon.ReturnGameFull},
		{"full but expected", func(r *Record) { r.MaxPlayers = 3; r.Expected = []string{"e"} }, "e", 0, nil, photon.ReturnOk},
		{"closed but expected", func(r *Record) { r.Open = false; r.Expected = []string{"e"} }, "e", 0, nil, photon.ReturnOk},
		{"unlimited", func(r *Record) { r.MaxPlayers = 0 }, "u", 0, []string{"x", "y"}, photon.ReturnOk},
		{"a team that fits", nil, "u", 0, []string{"x"}, photon.ReturnOk},
		{"a team in the room already", nil, "u", 0, []string{"x", "in", "idle", "u", "x", ""}, photon.ReturnOk},
		{"a team that does not fit now", nil, "u", 0, []string{"x", "y"}, photon.ReturnGameFull},
		{"a team that never fits", nil, "u", 0, []string{"x", "y", "z", "z2"}, photon.ReturnSlotError},
		{"an unknown mode", nil, "u", 4, nil, photon.ReturnInvalidOperation},
	} {
		f.now = f.now.Add(time.Minute) // promises of the last case are over
		rec := base
		if c.change != nil {
			c.change(&rec)
		}
		f.put(rec)
		m, rc := f.join(JoinRequest{User: c.user, Name: "a", Mode: c.mode, Expected: c.expected})
		wantCode(t, c.what, rc, c.rc)
		if rc == 0 && (m.Server != "gs1" || m.Room != "a" || m.Reservation != 0 || m.Lobby != base.Lobby) {
			t.Errorf("%s: %+v", c.what, m)
		}
	}

	for _, c := range []struct {
		what string
		cfg  Config
		mode photon.JoinMode
		rc   photon.ReturnCode
		load bool
	}{
		{"unknown", Config{}, 0, photon.ReturnGameDoesNotExist, false},
		{"unknown, create", Config{}, 1, photon.ReturnOk, false},
		{"unknown, or rejoin", Config{}, 2, photon.ReturnGameDoesNotExist, false},
		{"unknown, rejoin", Config{}, 3, photon.ReturnGameDoesNotExist, false},
		{"storage: unknown", Config{LoadRooms: true}, 0, photon.ReturnGameDoesNotExist, false},
		{"storage: create", Config{LoadRooms: true}, 1, photon.ReturnOk, false},
		{"storage: or rejoin", Config{LoadRooms: true}, 2, photon.ReturnOk, true},
		{"storage: rejoin", Config{LoadRooms: true}, 3, photon.ReturnOk, true},
		{"storage, joins too", Config{LoadRooms: true, LoadOnJoin: true}, 0, photon.ReturnOk, true},
	} {
		f := newFixture(t, c.cfg)
		m, rc := f.join(JoinRequest{User: "u", Name: "b", Mode: c.mode, Lobby: ID{"l", SQL}})
		wantCode(t, c.what, rc, c.rc)
		if m.Load != c.load || (m.Reservation != 0) != (rc == 0) {
			t.Errorf("%s: %+v", c.what, m)
		}
		if rc != 0 {
			want(t, c.what+": rooms", len(f.rooms), 0)
			continue
		}
		want(t, c.what+": lobby", m.Lobby, ID{"l", SQL})
		f.Place(f.now, "b", m.Reservation, "gs2")
		m, rc = f.join(JoinRequest{User: "v", Name: "b"})
		wantCode(t, c.what+", the next", rc, photon.ReturnOk)
		want(t, c.what+", the next", m.Server, "gs2")
	}

	_, rc := f.join(JoinRequest{User: "u"})
	wantCode(t, "no name", rc, photon.ReturnInvalidOperation)
	_, rc = f.join(JoinRequest{User: "u", Name: "a", Expected: make([]string, 513)})
	wantCode(t, "too many expected users", rc, photon.ReturnInvalidOperation)
}

// LB-108: options that old clients and JavaScript send to the master.
func TestCreationOptions(t *testing.T) {
	f := newFixture(t, Config{})
	options := table(photon.PropMaxPlayers, byte(2), photon.PropPropsListedInLobby, []string{"a", "unset"}, "a", int32(1), "b", int32(2))
	_, rc := f.create(CreateRequest{User: "u", Name: "a", Options: options, Expected: []string{"x"}})
	wantCode(t, "create", rc, photon.ReturnOk)
	_, rec, _ := f.Lookup("a")
	want(t, "limit", rec.MaxPlayers, 2)
	want(t, "listed properties", rec.Properties.Pairs(), "[{a 1}]")
	_, rc = f.create(CreateRequest{User: "u", Name: "b", Options: options, Expected: []string{"x", "y"}})
	wantCode(t, "expected users beyond the limit", rc, photon.ReturnSlotError)
	_, rc = f.join(JoinRequest{User: "u", Name: "b", Mode: photon.CreateIfNotExists, Options: options, Expected: []string{"x", "y"}})
	wantCode(t, "the same by join", rc, photon.ReturnSlotError)
	_, rc = f.random(RandomRequest{User: "u", Create: true, Options: options, Expected: []string{"x", "y"}})
	wantCode(t, "the same at random", rc, photon.ReturnSlotError)
	want(t, "rooms", len(f.rooms), 1)
}
