package lobby

import (
	"fmt"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/photon"
)

func (f *fixture) friends(options photon.FindFriendsOptions, ids ...string) string {
	f.t.Helper()
	online, rooms, err := f.App.FindFriends(f.now, ids, options)
	if err != nil || len(online) != len(ids) || len(rooms) != len(ids) {
		f.t.Fatalf("%v %q %v", online, rooms, err)
	}
	return fmt.Sprintf("%v %q", online, rooms)
}

// LB-135, LB-137, LB-138
func TestFindFriends(t *testing.T) {
	f := newFixture(t, Config{})
	f.UserConnected(f.now, "", "onMaster")
	f.UserConnected(f.now, "", "both")
	f.put(with(visible("a"), func(r *Record) {
		r.Users, r.InactiveUsers = []string{"inRoom", "idle", "both"}, []string{"idle"}
		r.Players, r.Inactive = 3, 1
	}))
	want(t, "friends", f.friends(0, "onMaster", "inRoom", "idle", "unknown", "", "both", "inRoom"),
		`[true true false false false true true] ["" "a" "" "" "" "a" "a"]`)
	want(t, "case", f.friends(0, "onmaster", "INROOM"), `[false false] ["" ""]`)

	// On the way from the master to the room.
	m, rc := f.join(JoinRequest{User: "onMaster", Name: "a"})
	wantCode(t, "join", rc, photon.ReturnOk)
	want(t, "sent to the room", f.friends(0, "onMaster"), fmt.Sprintf("[true] [%q]", m.Room))
	f.UserDisconnected(f.now, "", "onMaster")
	f.pass(9 * time.Second)
	want(t, "9 s between servers", f.friends(0, "onMaster"), `[true] ["a"]`)
	f.pass(time.Second)
	want(t, "it never arrived", f.friends(0, "onMaster"), `[false] [""]`)

	// From the room to the master, and into inactivity.
	f.put(with(visible("a"), func(r *Record) { r.Users, r.InactiveUsers = []string{"both", "idle"}, []string{"both", "idle"} }))
	want(t, "left, inactive", f.friends(0, "inRoom", "both", "idle"), `[true true false] ["" "" ""]`)
	f.UserDisconnected(f.now, "", "both")
	f.UserConnected(f.now, "m2", "inRoom")
	f.pass(10 * time.Second)
	want(t, "10 s later", f.friends(0, "inRoom", "both"), `[true false] ["" ""]`)
	f.remove("a")
	want(t, "room gone", f.friends(0, "inRoom", "both", "idle"), `[true false false] ["" "" ""]`)
	f.RemoveMaster(f.now, "m2")
	f.UserDisconnected(f.now, "m2", "inRoom") // once too often: nothing
	f.UserDisconnected(f.now, "", "nobody")
	want(t, "master lost, grace", f.friends(0, "inRoom"), `[true] [""]`)
	f.pass(10 * time.Second)
	want(t, "master lost", f.friends(0, "inRoom"), `[false] [""]`)
	if len(f.users) != 0 || len(f.masters) != 0 || f.Stats() != (Stats{}) {
		t.Errorf("%d users are left, %+v", len(f.users), f.Stats())
	}

	// An actor becomes inactive right after it came: offline at once.
	f.UserConnected(f.now, "", "u")
	f.UserDisconnected(f.now, "", "u")
	f.put(with(visible("b"), func(r *Record) { r.Users = []string{"u"} }))
	f.put(with(visible("b"), func(r *Record) { r.Users, r.InactiveUsers = []string{"u"}, []string{"u"} }))
	want(t, "inactive at once", f.friends(0, "u"), `[false] [""]`)
	// Two actors of one id, one of them inactive.
	f.put(with(visible("b"), func(r *Record) { r.Users, r.InactiveUsers = []string{"u", "u"}, []string{"u"} }))
	want(t, "one of two inactive", f.friends(0, "u"), `[true] ["b"]`)

	_, _, err := f.App.FindFriends(f.now, make([]string, 513), 0)
	wantCode(t, "too many", f.code(err), photon.ReturnInvalidOperation)
}

// LB-136
func TestFriendsOptions(t *testing.T) {
	f := newFixture(t, Config{})
	f.create(CreateRequest{User: "reserved", Name: "r"})
	f.put(with(visible("i"), func(r *Record) { r.Visible, r.Users = false, []string{"invisible"} }))
	f.put(with(visible("c"), func(r *Record) { r.Open, r.Users = false, []string{"closed"} }))
	ids := []string{"reserved", "invisible", "closed"}
	for options, rooms := range map[photon.FindFriendsOptions]string{
		0:                         `["r" "i" "c"]`,
		photon.FriendsCreatedOnGs: `["" "i" "c"]`,
		photon.FriendsVisible:     `["r" "" "c"]`,
		photon.FriendsOpen:        `["r" "i" ""]`,
		photon.FriendsVisible | photon.FriendsOpen: `["r" "" ""]`,
	} {
		want(t, fmt.Sprint("options ", options), f.friends(options, ids...), "[true true true] "+rooms)
	}
}

// LB-142, WJ-108; LB-141 and what LB-140 sends
func TestStats(t *testing.T) {
	f := newFixture(t, Config{})
	want(t, "nothing", fmt.Sprint(f.AllLobbyStats()), "[{{ 0} 0 0}]")
	w := f.watcher(photon.GpBinaryV18)
	f.UserConnected(f.now, "", "u1")
	f.UserConnected(f.now, "m2", "u2")
	f.enter(w, ID{"l", SQL})
	f.put(with(visible("a"), func(r *Record) { r.Players, r.Inactive = 3, 1 }))
	f.put(with(visible("b"), func(r *Record) { r.Lobby = ID{"l", SQL}; r.Visible = false }))
	f.create(CreateRequest{User: "u", Name: "c", Lobby: ID{"x", Default}})
	want(t, "application", f.Stats(), Stats{Players: 3, Rooms: 2, Peers: 2})
	want(t, "lobbies", f.AllLobbyStats(), "[{{ 0} 2 1} {{l 2} 2 1}]")
	want(t, "one", f.LobbyStats(ID{"l", SQL}), "{{l 2} 2 1}")
	want(t, "unknown", f.LobbyStats(ID{"l", Default}), "{{l 0} 0 0}")
	f.put(visible("a"))
	f.LeaveLobby(w)
	f.UserDisconnected(f.now, "", "u1")
	want(t, "application, later", f.Stats(), Stats{Players: 2, Rooms: 2, Peers: 1})
	want(t, "lobbies, later", f.AllLobbyStats(), "[{{ 0} 1 1} {{l 2} 1 1}]")
	f.RemoveServer(f.now, "gs1")
	want(t, "application, without server", f.Stats(), Stats{Peers: 1})

	f = newFixture(t, Config{StatsLimit: 2})
	for _, name := range []string{"x", "y", "y2"} {
		f.put(with(visible(name), func(r *Record) { r.Lobby.Name = name[:1] }))
	}
	want(t, "limited", f.AllLobbyStats(), "[{{ 0} 0 0} {{y 0} 2 2}]")
}

// LB-132
func TestGameList(t *testing.T) {
	f := newFixture(t, Config{})
	id := ID{"sql", SQL}
	put := func(name string, change func(*Record)) {
		f.put(with(visible(name), func(r *Record) {
			r.Lobby, r.Properties = id, table("C0", int32(1), "other", "x")
			change(r)
		}))
	}
	put("ok", func(r *Record) { r.Players = 2 })
	put("closed", func(r *Record) { r.Open = false })
	put("invisible", func(r *Record) { r.Visible = false })
	put("full", func(r *Record) { r.Players = 4 })
	put("another", func(r *Record) { r.Properties = table("C0", int32(2)) })
	put("reserved", func(r *Record) { r.Reserved = true })
	f.random(RandomRequest{User: "u", Lobby: id, Create: true, SQL: "C0 = 9", Options: table("C0", int32(1), photon.PropPropsListedInLobby, []string{"C0"})})
	list := func(id ID, filter string) string {
		rooms, err := f.GameList(id, filter)
		if err != nil {
			return f.code(err).String()
		}
		text := ""
		for _, p := range rooms.Pairs() {
			text += fmt.Sprintf("%s ", p.Key)
		}
		return text
	}
	want(t, "filter", list(id, "C0 = 1"), "ok ")
	want(t, "all", list(id, "1"), "ok another ")
	want(t, "no match", list(id, "C0 = 3"), "")
	want(t, "unknown lobby", list(ID{"no", SQL}, "C0 = 3"), "")
	for what, code := range map[string]string{
		"empty filter": list(id, ""), "default lobby": list(ID{}, "C0 = 1"), "type 0": list(ID{"sql", Default}, "C0 = 1"),
		"chain": list(id, "C0 = 1;C0 = 2"), "syntax": list(id, "C0 ="),
	} {
		want(t, what, code, "InvalidOperation")
	}
	rooms, _ := f.GameList(id, "C0 = 1")
	entry, _ := rooms.Get("ok")
	want(t, "entry", entry.(interface{ Len() int }).Len(), 5)
	for i := range 150 {
		put(fmt.Sprintf("more%03d", i), func(r *Record) {})
	}
	rooms, _ = f.GameList(id, "C0 = 1")
	want(t, "at most", rooms.Len(), 100)
	want(t, "oldest first", rooms.Pairs()[99].Key, "more098")
}

// What a master knows of a user that has come back from a room: by the session it
// sees whether that is the client that was there.
func TestSessions(t *testing.T) {
	f := newFixture(t, Config{})
	f.put(with(visible("a"), func(r *Record) {
		r.CheckUser, r.Users, r.Sessions, r.InactiveUsers = true, []string{"u", "idle", "v"}, []uint64{5, 6, 7}, []string{"idle"}
		r.Players, r.Inactive = 3, 1
	}))
	for _, c := range []struct {
		user    string
		session uint64
		seated  bool
		chosen  string
	}{
		{"u", 5, false, "a"}, {"u", 6, true, none}, {"idle", 6, false, none}, {"idle", 7, false, none}, {"other", 5, false, "a"},
	} {
		if f.Seated(c.user, c.session) != c.seated {
			t.Errorf("%s by session %d: seated %v", c.user, c.session, !c.seated)
		}
		want(t, c.user, f.chosen(RandomRequest{User: c.user, Session: c.session}), c.chosen)
	}
	// A room that may have ended with its only player.
	f.put(with(visible("a"), func(r *Record) {
		r.Users, r.Sessions, r.InactiveUsers, r.Players, r.Inactive = []string{"u", "idle"}, []uint64{5, 6}, []string{"idle"}, 2, 1
	}))
	for user, lone := range map[string]bool{"u": true, "idle": false, "other": false} {
		if f.Lone(user) != lone {
			t.Errorf("%s: lone %v", user, !lone)
		}
	}
	want(t, "lone", f.chosen(RandomRequest{User: "u", Session: 5}), none)
	want(t, "another", f.chosen(RandomRequest{User: "other", Session: 5}), "a")
	// Its only player has left, or its creator has come back before the room was told of.
	f.put(with(visible("b"), func(r *Record) { r.Users, r.Players = []string{"u"}, 1 }))
	f.create(CreateRequest{User: "maker", Name: "c"})
	for name, ending := range map[string]string{"a": "", "b": "u", "c": "maker", "none": ""} {
		for _, user := range []string{"u", "maker", "other"} {
			if f.Ending(user, name) != (user == ending) {
				t.Errorf("%s of %s: ending %v", name, user, user != ending)
			}
		}
	}
}

// Who waits for word of a user or a room is told once of the first thing that
// changes, and not at all when that was called off.
func TestAwait(t *testing.T) {
	f := newFixture(t, Config{})
	put := func(users ...string) {
		f.put(with(visible("a"), func(r *Record) { r.Users, r.Players = users, int32(len(users)) }))
	}
	put("u", "v")
	told := ""
	listen := func(what string) func() { return func() { told += what + " " } }
	f.AwaitUser("u", listen("u"))
	f.AwaitUser("u", listen("u"))
	f.AwaitUser("w", listen("w"))
	f.AwaitRoom("a", listen("a"))
	f.AwaitRoom("b", listen("b"))
	f.AwaitRoom("a", listen("never"))()
	f.put(visible("c"))
	want(t, "word of another room", told, "")
	put("v")
	want(t, "a user left", told, "a u u ")
	put("v", "w")
	f.remove("a")
	want(t, "told once, and one who came after", told, "a u u w ")
	m, _ := f.create(CreateRequest{User: "x", Name: "b"})
	want(t, "created", told, "a u u w b ")
	f.AwaitRoom("b", listen("b"))
	f.Release(f.now, m.Room, m.Reservation)
	want(t, "released", told, "a u u w b b ")
	want(t, "left", len(f.awaits), 0)
}
