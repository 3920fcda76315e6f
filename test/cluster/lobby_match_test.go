package cluster

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

func roomName(name string) gpbinary.Param { return photon.Param(photon.ParamRoomName, name) }

// answered is an answer's code, and the room it sends to.
func answered(r *client.Response) (photon.ReturnCode, string) {
	name, _ := r.String(photon.ParamRoomName)
	return r.ReturnCode, name
}

// refused checks a failure: its code, with a text for developers (LB-012).
func refused(t *testing.T, what string, r *client.Response, want photon.ReturnCode) {
	t.Helper()
	if r.ReturnCode != want || r.Debug == "" {
		t.Errorf("%s: %d %q, want %d with a text", what, r.ReturnCode, r.Debug, want)
	}
}

// known waits until the master knows that a room exists, as rc says of a join.
func (r *raw) known(room string, rc photon.ReturnCode) {
	r.t.Helper()
	eventually(r.t, func() bool { return r.ask(photon.OpJoinGame, roomName(room)).ReturnCode == rc },
		fmt.Sprintf("the master answers a join of %s with %d", room, rc))
}

// rooms waits until the master knows that a lobby has as many rooms.
func (r *raw) rooms(lobby string, typ client.LobbyType, want int32) {
	r.t.Helper()
	eventually(r.t, func() bool {
		s := r.ok(photon.OpGetLobbyStats, photon.Param(photon.ParamLobbyName, []string{lobby}), photon.Param(photon.ParamLobbyType, []byte{byte(typ)}))
		n, _ := s.Ints(photon.ParamGameCount)
		return len(n) == 1 && n[0] == want
	}, fmt.Sprintf("%d rooms in %q", want, lobby))
}

// LB-100 to LB-108, WJ-109, WJ-111, WJ-112, WJ-114: create and join by name.
func TestMatchByName(t *testing.T) {
	up := Start(t, quickLists)
	for _, f := range threeForms {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			own := f.String()
			m := onMaster(t, up, f, "m"+own)
			names := map[string]bool{}
			for range 2 {
				rc, name := answered(m.ask(photon.OpCreateGame))
				if rc != 0 || name == "" || names[name] {
					t.Errorf("create without a name: %d %q", rc, name)
				}
				names[name] = true
			}
			if rc, name := answered(m.ask(photon.OpCreateGame, roomName("named"+own))); rc != 0 || name != "named"+own {
				t.Errorf("create: %d %q", rc, name)
			}
			// LB-101, also in another lobby and while only reserved.
			refused(t, "create of a taken name", m.ask(photon.OpCreateGame, append(lobbyOf("other", 0), roomName("named"+own))...), photon.ReturnGameIDAlreadyExists)

			refused(t, "unknown room", m.ask(photon.OpJoinGame, roomName("nowhere"+own)), photon.ReturnGameDoesNotExist)
			refused(t, "no name", m.ask(photon.OpJoinGame, roomName("")), photon.ReturnInvalidOperation)
			refused(t, "null as name", m.ask(photon.OpJoinGame, photon.Param(photon.ParamRoomName, nil)), photon.ReturnInvalidOperation)
			refused(t, "long name", m.ask(photon.OpCreateGame, roomName(string(make([]byte, 257)))), photon.ReturnInvalidOperation)

			lobby := &client.TypedLobby{Name: "elsewhere" + own}
			host(t, up, f, "h1"+own, "hidden"+own, lobby, func(o *client.RoomOptions) { o.IsVisible = false })
			m.rooms(lobby.Name, lobby.Type, 1)
			if rc, _ := answered(m.ask(photon.OpJoinGame, roomName("hidden"+own))); rc != 0 { // LB-105
				t.Errorf("invisible room in another lobby: %d", rc)
			}
			r := m.ask(photon.OpJoinGame, roomName("hidden"+own), photon.Param(photon.ParamJoinMode, byte(photon.CreateIfNotExists)))
			if a, _ := r.String(photon.ParamAddress); r.ReturnCode != 0 || a != address(up.GameServer(), f.Transport) { // LB-104
				t.Errorf("join or create of a known room: %d, %q", r.ReturnCode, a)
			}
			if rc, name := answered(m.ask(photon.OpJoinGame, roomName("new"+own), photon.Param(photon.ParamJoinMode, byte(photon.CreateIfNotExists)))); rc != 0 || name != "new"+own {
				t.Errorf("join or create of an unknown room: %d %q", rc, name)
			}
			host(t, up, f, "h2"+own, "closed"+own, nil, func(o *client.RoomOptions) { o.IsOpen = false })
			m.known("closed"+own, photon.ReturnGameClosed)
			refused(t, "closed room", m.ask(photon.OpJoinGame, roomName("closed"+own)), photon.ReturnGameClosed)

			// LB-106: who is inactive in a full and closed room comes back.
			h := host(t, up, f, "h3"+own, "full"+own, nil, func(o *client.RoomOptions) { o.MaxPlayers, o.PlayerTTL, o.EmptyRoomTTL = 1, 60000, 60000 })
			m.known("full"+own, photon.ReturnGameFull)
			refused(t, "full room", m.ask(photon.OpJoinGame, roomName("full"+own)), photon.ReturnGameFull)
			h.must(h.SetIsOpen(h.ctx(), false))
			h.must(h.LeaveRoom(h.ctx(), true))
			h.must(h.RejoinRoom(h.ctx(), "full"+own))

			// LB-108: options of old clients and of JavaScript are taken.
			options := []gpbinary.Param{roomName("old" + own), photon.Param(photon.ParamGameProperties, gpbinary.NewHashtable(
				gpbinary.Pair{Key: photon.PropMaxPlayers, Value: byte(4)}, gpbinary.Pair{Key: "map", Value: "m"})),
				photon.Param(photon.ParamCleanupCacheOnLeave, true), photon.Param(photon.ParamCheckUserOnJoin, true), photon.Param(photon.ParamRoomOptionFlags, int32(43)),
				photon.Param(photon.ParamEmptyRoomTTL, int32(0)), photon.Param(photon.ParamPlayerTTL, int32(0))}
			if r := m.ask(photon.OpCreateGame, options...); r.ReturnCode != 0 {
				t.Errorf("create with options: %d %s", r.ReturnCode, r.Debug)
			}
		})
	}
}

// LB-101: of two creates of one name at the same moment one succeeds.
func TestConcurrentCreates(t *testing.T) {
	up := Start(t, nil)
	var all []*raw
	for i := range 6 {
		all = append(all, onMaster(t, up, Forms[3], fmt.Sprint("user", i)))
	}
	for round := range 20 {
		codes := make([]photon.ReturnCode, len(all))
		var wg sync.WaitGroup
		for i, p := range all {
			wg.Go(func() { codes[i] = p.ask(photon.OpCreateGame, roomName(fmt.Sprint("room ", round))).ReturnCode })
		}
		wg.Wait()
		slices.Sort(codes)
		if codes[len(codes)-1] != photon.ReturnGameIDAlreadyExists || !slices.Contains(codes, 0) || slices.Index(codes, photon.ReturnGameIDAlreadyExists) != 1 {
			t.Fatalf("round %d: %v", round, codes)
		}
	}
}

// filter is the expected properties of JoinRandom.
func filter(pairs ...any) gpbinary.Param {
	table := gpbinary.NewHashtable()
	for i := 0; i < len(pairs); i += 2 {
		table.Set(pairs[i], pairs[i+1])
	}
	return photon.Param(photon.ParamGameProperties, table)
}

// LB-110 to LB-114, LB-116, LB-122: which rooms a random join finds.
func TestRandomJoin(t *testing.T) {
	up := Start(t, quickLists)
	for _, f := range threeForms {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			own := f.String()
			in := lobbyOf("random"+own, 0)
			lobby := &client.TypedLobby{Name: "random" + own}
			m := onMaster(t, up, f, "m"+own)
			refused(t, "no rooms", m.ask(photon.OpJoinRandomGame, in...), photon.ReturnNoRandomMatchFound)
			listed := func(o *client.RoomOptions) {
				o.MaxPlayers = 4
				o.CustomRoomProperties = map[string]any{"map": int32(1), "hidden": int32(1)}
				o.CustomRoomPropertiesForLobby = []string{"map"}
			}
			host(t, up, f, "h1"+own, "open"+own, lobby, listed)
			host(t, up, f, "h2"+own, "invisible"+own, lobby, func(o *client.RoomOptions) { listed(o); o.IsVisible = false })
			host(t, up, f, "h3"+own, "closed"+own, lobby, func(o *client.RoomOptions) { listed(o); o.IsOpen = false })
			host(t, up, f, "h4"+own, "full"+own, lobby, func(o *client.RoomOptions) { listed(o); o.MaxPlayers = 1 })
			count := int32(4)
			if f.Protocol != photon.JSON {
				host(t, up, f, "h5"+own, "big"+own, lobby, func(o *client.RoomOptions) { o.MaxPlayers = 300 })
				count++
			}
			m.rooms(lobby.Name, lobby.Type, count)
			type test struct {
				name  string
				param gpbinary.Param
				want  string
			}
			tests := []test{
				{"listed property", filter("map", int32(1)), "open"},
				{"another value", filter("map", int32(2)), ""},
				{"property that is not listed", filter("hidden", int32(1)), ""},
				{"text for a number", filter("map", "1"), ""},
				{"MaxPlayers", filter(photon.PropMaxPlayers, byte(4)), "open"},
				{"another MaxPlayers", filter(photon.PropMaxPlayers, byte(5)), ""},
			}
			if f.Protocol != photon.JSON {
				tests = append(tests, test{"byte for an int", filter("map", byte(1)), ""},
					test{"large MaxPlayers", filter(photon.PropMaxPlayers, byte(0), photon.PropMaxPlayersInt, int32(300)), "big"})
			}
			for _, tt := range tests {
				r := m.ask(photon.OpJoinRandomGame, append(in, tt.param)...)
				if rc, name := answered(r); tt.want == "" && rc != photon.ReturnNoRandomMatchFound || tt.want != "" && (rc != 0 || name != tt.want+own) {
					t.Errorf("%s: %d %q", tt.name, rc, name)
				}
			}
			for _, repeat := range []bool{true, false} { // LB-122
				r := m.ask(photon.OpJoinRandomGame, append(in, filter("map", int32(1)), photon.Param(photon.ParamAllowRepeats, repeat))...)
				if _, name := answered(r); name != "open"+own {
					t.Errorf("with parameter 188: %d %q", r.ReturnCode, name)
				}
			}
			// LB-114: not the room in which the user is.
			again := onMaster(t, up, f, "h1"+own)
			if r := again.ask(photon.OpJoinRandomGame, append(in, filter("map", int32(1)))...); r.ReturnCode != photon.ReturnNoRandomMatchFound {
				t.Errorf("the user's own room: %d %s", r.ReturnCode, r.Debug)
			}
			// LB-116: the lobby that the client is in, if it names none.
			n := onMaster(t, up, f, "n"+own)
			refused(t, "default lobby", n.ask(photon.OpJoinRandomGame, filter("map", int32(1))), photon.ReturnNoRandomMatchFound)
			n.ok(photon.OpJoinLobby, in...)
			if rc, name := answered(n.ask(photon.OpJoinRandomGame, filter("map", int32(1)))); rc != 0 || name != "open"+own {
				t.Errorf("the client's lobby: %d %q", rc, name)
			}
			refused(t, "named lobby", n.ask(photon.OpJoinRandomGame, append(lobbyOf("void"+own, 0), filter("map", int32(1)))...), photon.ReturnNoRandomMatchFound)
		})
	}
}

// LB-117, LB-118: slots are not given away twice.
func TestRandomJoinSlots(t *testing.T) {
	up := Start(t, nil)
	f := Forms[3]
	host(t, up, f, "h", "small", nil, func(o *client.RoomOptions) { o.MaxPlayers = 3 })
	host(t, up, f, "h2", "five", &client.TypedLobby{Name: "five"}, func(o *client.RoomOptions) { o.MaxPlayers = 5 })
	seeker := onMaster(t, up, f, "seeker")
	seeker.rooms("", 0, 1)
	seeker.rooms("five", 0, 1)
	expected := func(users ...string) gpbinary.Param { return photon.Param(photon.ParamExpectedUsers, users) }
	refused(t, "two expected users for two slots", seeker.ask(photon.OpJoinRandomGame, expected("e1", "e2")), photon.ReturnNoRandomMatchFound)
	if rc, room := answered(seeker.ask(photon.OpJoinRandomGame, expected("e1"))); rc != 0 || room != "small" {
		t.Errorf("one expected user for two slots: %d %q", rc, room)
	}
	refused(t, "slots that are taken now", onMaster(t, up, f, "late").ask(photon.OpJoinRandomGame), photon.ReturnNoRandomMatchFound)

	var all []*raw
	for i := range 20 {
		all = append(all, onMaster(t, up, f, fmt.Sprint("user", i)))
	}
	var mu sync.Mutex
	sent := 0
	var wg sync.WaitGroup
	for _, p := range all {
		wg.Go(func() {
			if p.ask(photon.OpJoinRandomGame, lobbyOf("five", 0)...).ReturnCode == 0 {
				mu.Lock()
				sent++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if sent != 4 {
		t.Errorf("%d clients were sent to 4 slots", sent)
	}
}

// LB-119 to LB-121: random join or create.
func TestRandomOrCreate(t *testing.T) {
	up := Start(t, nil)
	for _, f := range threeForms {
		t.Run(f.String(), func(t *testing.T) {
			create := photon.Param(photon.ParamJoinMode, byte(photon.CreateIfNotExists))
			in := lobbyOf("create"+f.String(), 0)
			a, b := onMaster(t, up, f, "a"+f.String()), onMaster(t, up, f, "b"+f.String())
			rc, room := answered(a.ask(photon.OpJoinRandomGame, append(in, create)...))
			if rc != 0 || room == "" {
				t.Fatalf("%d %q", rc, room)
			}
			if rc, found := answered(b.ask(photon.OpJoinRandomGame, in...)); rc != 0 || found != room {
				t.Errorf("right after: %d %q, want %q", rc, found, room)
			}
			in = lobbyOf("create named"+f.String(), 0)
			if rc, room := answered(a.ask(photon.OpJoinRandomGame, append(in, create, roomName("mine"+f.String()))...)); rc != 0 || room != "mine"+f.String() {
				t.Errorf("with a name: %d %q", rc, room)
			}
			// LB-120
			in = lobbyOf("create at once"+f.String(), 0)
			rooms := make([]string, 2)
			var wg sync.WaitGroup
			for i, p := range []*raw{a, b} {
				wg.Go(func() { _, rooms[i] = answered(p.ask(photon.OpJoinRandomGame, append(slices.Clone(in), create)...)) })
			}
			wg.Wait()
			if rooms[0] == "" || rooms[0] != rooms[1] {
				t.Errorf("at once: %q", rooms)
			}
		})
	}
}

// LB-125 to LB-132: SQL lobbies through the wire.
func TestSQLLobby(t *testing.T) {
	up := Start(t, quickLists)
	for _, f := range threeForms {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			own := f.String()
			lobby := &client.TypedLobby{Name: "sql" + own, Type: client.SQLLobby}
			in := lobbyOf(lobby.Name, lobby.Type)
			m := onMaster(t, up, f, "m"+own)
			for i, room := range []struct {
				name  string
				props map[string]any
			}{
				// The type of the column C0 is that of its first value. LB-130
				{"a", map[string]any{"C0": int32(400), "C1": "one", "C5": "Map1"}},
				{"b", map[string]any{"C0": int32(600), "C2": "updated"}},
				{"c", map[string]any{"c0": int32(400)}},
				{"d", map[string]any{"C0": "text"}},
			} {
				host(t, up, f, room.name+own, room.name+own, lobby, func(o *client.RoomOptions) {
					o.CustomRoomProperties = room.props
					o.CustomRoomPropertiesForLobby = slices.Collect(maps.Keys(room.props))
				})
				// One after the other: the game server may tell of several in any order.
				m.rooms(lobby.Name, lobby.Type, int32(i+1))
			}
			find := func(sql string) (photon.ReturnCode, string) {
				return answered(m.ask(photon.OpJoinRandomGame, append(slices.Clone(in), photon.Param(photon.ParamData, sql))...))
			}
			for _, tt := range []struct {
				sql, want string
				rc        photon.ReturnCode
			}{
				{"C0 = 400", "a", 0}, {"c0 = 400", "a", 0}, {"C0 BETWEEN 345 AND 475", "a", 0}, {"C0 > 500", "b", 0}, {"C0 > 900", "", photon.ReturnNoRandomMatchFound},
				{"C5 = 'Map1'", "a", 0}, {"C2 = 'updated'", "b", 0}, {"C1 <> 'one'", "", photon.ReturnNoRandomMatchFound},
				{"C0 = 600 AND C1 IS NULL", "b", 0}, {"C0=1;C0=2;C0=600;", "b", 0}, {"C0=1;C0=2;C0=3;C0=600", "", photon.ReturnInvalidOperation},
				{"C0 = ", "", photon.ReturnInvalidOperation}, {"C10 = 1", "", photon.ReturnInvalidOperation}, {"()", "", photon.ReturnInvalidOperation},
				{"C0 = 400; DROP TABLE x", "", photon.ReturnInvalidOperation}, {"Update = 1", "", photon.ReturnInvalidOperation},
			} {
				rc, room := find(tt.sql)
				if rc != tt.rc || tt.rc == 0 && room != tt.want+own {
					t.Errorf("%s: %d %q", tt.sql, rc, room)
				}
			}
			games := func(params ...gpbinary.Param) (photon.ReturnCode, []string) {
				r := m.ask(photon.OpGetGameList, params...)
				var names []string
				if table, ok := r.Table(photon.ParamGameList); ok {
					for _, p := range table.Pairs() {
						names = append(names, p.Key.(string))
					}
				}
				slices.Sort(names)
				return r.ReturnCode, names
			}
			data := func(sql string) gpbinary.Param { return photon.Param(photon.ParamData, sql) }
			if rc, names := games(append(slices.Clone(in), data("C0 > 0"))...); rc != 0 || !slices.Equal(names, []string{"a" + own, "b" + own}) {
				t.Errorf("game list: %d %v", rc, names)
			}
			if rc, names := games(append(slices.Clone(in), data("C0 = 7"))...); rc != 0 || len(names) != 0 {
				t.Errorf("empty game list: %d %v", rc, names)
			}
			if rc, _ := games(append(lobbyOf("x", 0), data("C0 = 7"))...); rc != photon.ReturnInvalidOperation {
				t.Errorf("game list of another type of lobby: %d", rc)
			}
			if rc, _ := games(append(slices.Clone(in), data(""))...); rc != photon.ReturnInvalidOperation {
				t.Errorf("game list without filter: %d", rc)
			}
		})
	}
}

// LB-135 to LB-138, LB-060, WJ-113: friends, on the master and in rooms.
func TestFindFriends(t *testing.T) {
	up := Start(t, quickLists)
	for _, f := range threeForms {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			own := f.String()
			m := onMaster(t, up, f, "m"+own)
			onMaster(t, up, f, "Master"+own)
			h := host(t, up, f, "in room"+own, "open"+own, nil, func(o *client.RoomOptions) { o.PlayerTTL, o.EmptyRoomTTL = 60000, 60000 })
			host(t, up, f, "invisible"+own, "invisible"+own, nil, func(o *client.RoomOptions) { o.IsVisible = false })
			host(t, up, f, "closed"+own, "closed"+own, nil, func(o *client.RoomOptions) { o.IsOpen = false })
			going := onMaster(t, up, f, "going"+own)
			going.ok(photon.OpCreateGame, roomName("reserved"+own))
			going.Close()
			ids := []string{"Master" + own, "in room" + own, "nobody" + own, "master" + own, "invisible" + own, "closed" + own, "going" + own}
			find := func(options photon.FindFriendsOptions) string {
				r := m.ok(photon.OpFindFriends, photon.Param(photon.ParamFindFriendsUsers, ids), photon.Param(photon.ParamFindFriendsOptions, int32(options)))
				v, _ := r.Value(photon.ParamFindFriendsOnline)
				rooms, _ := r.Strings(photon.ParamFindFriendsRoomIDs)
				return fmt.Sprint(v, rooms)
			}
			open, invisible, closed, reserved := "open"+own, "invisible"+own, "closed"+own, "reserved"+own
			online := "[true true false false true true true] "
			for options, want := range map[photon.FindFriendsOptions]string{
				0:                         online + fmt.Sprint([]string{"", open, "", "", invisible, closed, reserved}),
				photon.FriendsCreatedOnGs: online + fmt.Sprint([]string{"", open, "", "", invisible, closed, ""}),
				photon.FriendsVisible:     online + fmt.Sprint([]string{"", open, "", "", "", closed, reserved}),
				photon.FriendsOpen:        online + fmt.Sprint([]string{"", open, "", "", invisible, "", reserved}),
			} {
				got := ""
				eventually(t, func() bool { got = find(options); return got == want || t.Failed() }, fmt.Sprintf("options %d: %s", options, want))
			}
			// Nobody among them, as JavaScript and object[] can say.
			r := m.ok(photon.OpFindFriends, photon.Param(photon.ParamFindFriendsUsers, gpbinary.ObjectArray{ids[1], nil, ids[0]}))
			v, _ := r.Value(photon.ParamFindFriendsOnline)
			rooms, _ := r.Strings(photon.ParamFindFriendsRoomIDs)
			if got := fmt.Sprint(v, rooms); got != fmt.Sprint("[true false true] ", []string{open, "", ""}) {
				t.Errorf("with null: %s", got)
			}
			refused(t, "numbers", m.ask(photon.OpFindFriends, photon.Param(photon.ParamFindFriendsUsers, []int32{1})), photon.ReturnInvalidOperation)
			// LB-137: inactive is offline, once it is not on a master any more.
			h.must(h.RaiseEvent(1, nil, nil, client.SendReliable))
			h.Disconnect()
			eventually(t, func() bool {
				r := m.ok(photon.OpFindFriends, photon.Param(photon.ParamFindFriendsUsers, []string{"in room" + own}))
				v, _ := r.Value(photon.ParamFindFriendsOnline)
				return fmt.Sprint(v) == "[false]"
			}, "an inactive player is offline")
		})
	}
}
