package cluster

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/daemon"
	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// threeForms are one of each serialization.
var threeForms = []Form{Forms[0], Forms[3], Forms[6]}

func quickLists(c *config.Config) {
	c.Master.ListInterval, c.Master.StatsInterval, c.Master.LobbyStatsInterval = 10*time.Millisecond, 25*time.Millisecond, 25*time.Millisecond
}

// onMaster is a raw peer that has authenticated on the master.
func onMaster(t testing.TB, up *daemon.Up, f Form, user string, extra ...gpbinary.Param) *raw {
	t.Helper()
	r := dialRaw(t, up.Master(), f, nil)
	r.ok(photon.OpAuthenticate, loginParams(true, append(photon.Params{photon.Param(photon.ParamUserID, user)}, extra...))...)
	return r
}

// host is a client in a room of its own.
func host(t testing.TB, up *daemon.Up, f Form, user, room string, lobby *client.TypedLobby, change func(*client.RoomOptions)) *player {
	t.Helper()
	p := connected(t, up, f, user)
	opt := client.NewRoomOptions()
	if change != nil {
		change(opt)
	}
	p.must(p.CreateRoom(p.ctx(), client.EnterRoomParams{RoomName: room, RoomOptions: opt, Lobby: lobby}))
	return p
}

// row is an entry of a room list, by the names of its keys: "255" is the byte.
type row map[string]any

// rows reads events 230 and 229.
func rows(t testing.TB, e *client.Event) map[string]row {
	t.Helper()
	table, ok := e.Table(photon.ParamGameList)
	if !ok {
		t.Fatalf("%s has no list", e.Code)
	}
	out := map[string]row{}
	for _, p := range table.Pairs() {
		r := row{}
		for _, q := range p.Value.(*gpbinary.Hashtable).Pairs() {
			v := q.Value
			if n, ok := photon.AsInt(v); ok {
				v = n
			}
			r[fmt.Sprint(q.Key)] = v
		}
		out[p.Key.(string)] = r
	}
	return out
}

// list waits until the lists that a watcher gets say of a room what is wanted;
// nil: that it is gone. It fails on an empty update.
func (r *raw) list(room string, want row) {
	r.t.Helper()
	if want == nil {
		want = row{"251": true}
	}
	r.await(fmt.Sprintf("list with %s as %v", room, want), func(e *client.Event) bool {
		if e.Code != photon.EventGameListUpdate && e.Code != photon.EventGameList {
			return false
		}
		all := rows(r.t, e)
		if e.Code == photon.EventGameListUpdate && len(all) == 0 {
			r.t.Error("an empty update") // WJ-106
		}
		got, ok := all[room]
		if ok && !reflect.DeepEqual(got, want) {
			r.t.Logf("%s is %v", room, got)
		}
		return ok && reflect.DeepEqual(got, want)
	})
}

// quiet says that no list has come, by way of an operation that is answered after it.
func (r *raw) quiet(what string) {
	r.t.Helper()
	r.ok(photon.OpFindFriends, photon.Param(photon.ParamFindFriendsUsers, []string{"nobody"}))
	for len(r.events) > 0 {
		if e := <-r.events; e.Code == photon.EventGameList || e.Code == photon.EventGameListUpdate {
			r.t.Errorf("%s: %s %v", what, e.Code, rows(r.t, e))
		}
	}
}

func lobbyOf(name string, typ client.LobbyType) []gpbinary.Param {
	return []gpbinary.Param{photon.Param(photon.ParamLobbyName, name), photon.Param(photon.ParamLobbyType, byte(typ))}
}

// LB-082, LB-087 to LB-092, WJ-104 to WJ-107: a room's way through the lists.
func TestRoomLists(t *testing.T) {
	up := Start(t, quickLists)
	for _, f := range threeForms {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			lobby := client.TypedLobby{Name: "lobby " + f.String()}
			w := onMaster(t, up, f, "watcher "+f.String())
			w.ok(photon.OpJoinLobby, lobbyOf(lobby.Name, lobby.Type)...)
			if first := rows(t, w.event(photon.EventGameList)); len(first) != 0 {
				t.Errorf("list of an empty lobby: %v", first)
			}
			name := "room " + f.String()
			h := host(t, up, f, "host "+f.String(), name, &lobby, func(o *client.RoomOptions) {
				o.MaxPlayers = 4
				o.CustomRoomProperties = map[string]any{"map": "m1", "hidden": "x"}
				o.CustomRoomPropertiesForLobby = []string{"map", "later"}
			})
			entry := func(change row) row {
				r := row{"255": int64(4), "253": true, "252": int64(1), "map": "m1"}
				for k, v := range change {
					r[k] = v
				}
				return r
			}
			w.list(name, entry(nil))
			h.must(h.SetRoomProperties(h.ctx(), map[string]any{"later": "now"}, nil))
			w.list(name, entry(row{"later": "now"}))
			// LB-089, LB-096: nothing to tell.
			h.must(h.SetRoomProperties(h.ctx(), map[string]any{"hidden": "y"}, nil))
			h.must(h.SetIsOpen(h.ctx(), false))
			w.list(name, entry(row{"later": "now", "253": false}))
			if f.Protocol != photon.JSON {
				h.must(h.SetMaxPlayers(h.ctx(), 300)) // LB-088
				w.list(name, entry(row{"later": "now", "253": false, "255": int64(0), "243": int64(300)}))
				h.must(h.SetMaxPlayers(h.ctx(), 4))
				w.list(name, entry(row{"later": "now", "253": false}))
			}
			h.must(h.SetIsVisible(h.ctx(), false))
			w.list(name, nil)
			// Who comes now is told nothing of it.
			late := onMaster(t, up, f, "late "+f.String())
			late.ok(photon.OpJoinLobby, lobbyOf(lobby.Name, lobby.Type)...)
			if first := rows(t, late.event(photon.EventGameList)); len(first) != 0 {
				t.Errorf("list with an invisible room: %v", first)
			}
			h.must(h.SetIsVisible(h.ctx(), true))
			w.list(name, entry(row{"later": "now", "253": false}))
			late.list(name, entry(row{"later": "now", "253": false}))
			h.must(h.SetIsOpen(h.ctx(), true))
			guest := connected(t, up, f, "guest "+f.String())
			eventually(t, func() bool { return guest.JoinRoom(guest.ctx(), client.EnterRoomParams{RoomName: name}) == nil }, "a second player")
			w.list(name, entry(row{"later": "now", "252": int64(2)}))
			guest.must(guest.LeaveRoom(guest.ctx(), false))
			h.must(h.LeaveRoom(h.ctx(), false))
			w.list(name, nil)
			late.list(name, nil)
		})
	}
}

// LB-083 to LB-086, LB-095: which lobby a client is in.
func TestLobbyChoice(t *testing.T) {
	up := Start(t, quickLists)
	for _, f := range threeForms {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			own := f.String()
			x, y := &client.TypedLobby{Name: "x" + own}, &client.TypedLobby{Name: "y" + own}
			w := onMaster(t, up, f, "watcher"+own)
			w.ok(photon.OpLeaveLobby)
			w.quiet("in no lobby")
			host(t, up, f, "hx"+own, "in x"+own, x, nil)
			eventually(t, func() bool { // the master knows the room
				r := w.ask(photon.OpGetLobbyStats, photon.Param(photon.ParamLobbyName, []string{x.Name}), photon.Param(photon.ParamLobbyType, []byte{0}))
				rooms, _ := r.Ints(photon.ParamGameCount)
				return len(rooms) == 1 && rooms[0] == 1
			}, "the room is known")
			w.ok(photon.OpJoinLobby, lobbyOf(x.Name, 0)...)
			if first := rows(t, w.event(photon.EventGameList)); len(first) != 1 || first["in x"+own] == nil {
				t.Errorf("list of x: %v", first)
			}
			w.ok(photon.OpJoinLobby, lobbyOf(y.Name, 0)...)
			if first := rows(t, w.event(photon.EventGameList)); len(first) != 0 {
				t.Errorf("list of y: %v", first)
			}
			host(t, up, f, "hx2"+own, "in x, 2"+own, x, nil)
			host(t, up, f, "hy"+own, "in y"+own, y, nil)
			w.await("the room in y", func(e *client.Event) bool {
				if e.Code != photon.EventGameListUpdate {
					return false
				}
				all := rows(t, e)
				if all["in y"+own] == nil {
					t.Errorf("update of another lobby: %v", all)
				}
				return all["in y"+own] != nil
			})
			for _, typ := range []client.LobbyType{client.SQLLobby, client.AsyncRandomLobby} {
				w.ok(photon.OpJoinLobby, lobbyOf(x.Name, typ)...)
				w.quiet("lobby without lists")
			}
			w.ok(photon.OpLeaveLobby)
			w.quiet("in no lobby again")
			// No name: the default lobby, whatever the type says.
			w.ok(photon.OpJoinLobby, lobbyOf("", client.SQLLobby)...)
			w.event(photon.EventGameList)
			if r := w.ask(photon.OpJoinLobby, lobbyOf("z", 77)...); r.ReturnCode != photon.ReturnInvalidOperation {
				t.Errorf("unknown type of lobby: %d", r.ReturnCode)
			}
		})
	}
}

// LB-093: joinable rooms come first, then full ones, then closed ones.
func TestListOrder(t *testing.T) {
	up := Start(t, quickLists)
	f := Forms[3]
	host(t, up, f, "a", "a closed", nil, func(o *client.RoomOptions) { o.IsOpen = false })
	host(t, up, f, "b", "b full", nil, func(o *client.RoomOptions) { o.MaxPlayers = 1 })
	host(t, up, f, "c", "c open", nil, nil)
	eventually(t, func() bool {
		w := onMaster(t, up, f, "w")
		w.ok(photon.OpJoinLobby)
		table, _ := w.event(photon.EventGameList).Table(photon.ParamGameList)
		var names []string
		for _, p := range table.Pairs() {
			names = append(names, p.Key.(string))
		}
		return slices.Equal(names, []string{"c open", "b full", "a closed"})
	}, "the list in its order")
}

// LB-097: a name that was only handed out is in no list and no count.
func TestReservedRoomsAreNotListed(t *testing.T) {
	up := Start(t, quickLists)
	w := onMaster(t, up, Forms[3], "w")
	w.ok(photon.OpJoinLobby)
	w.event(photon.EventGameList)
	w.ok(photon.OpCreateGame, photon.Param(photon.ParamRoomName, "reserved"))
	for range 3 {
		e := w.event(photon.EventAppStats)
		if n, _ := e.Int(photon.ParamGameCount); n != 0 {
			t.Errorf("%d rooms", n)
		}
	}
	w.quiet("a reserved room")
}

// LB-080, LB-081, LB-142, WJ-108: AppStats at once, again and again, and true.
func TestAppStats(t *testing.T) {
	up := Start(t, quickLists)
	for _, f := range threeForms {
		t.Run(f.String(), func(t *testing.T) {
			app := photon.Param(photon.ParamApplicationID, "stats"+f.String())
			w := dialRaw(t, up.Master(), f, nil)
			if r := w.ask(photon.OpJoinLobby); r.ReturnCode != photon.ReturnOperationNotAllowedInCurrentState { // LB-002
				t.Errorf("lobby before authentication: %d", r.ReturnCode)
			}
			if len(w.events) != 0 {
				t.Errorf("%s before authentication", (<-w.events).Code)
			}
			w.ok(photon.OpAuthenticate, app, photon.Param(photon.ParamUserID, "w"))
			stats := func() (players, rooms, peers int64) {
				e := w.event(photon.EventAppStats)
				for i, p := range []*int64{&players, &rooms, &peers} {
					code := []photon.ParamCode{photon.ParamPeerCount, photon.ParamGameCount, photon.ParamMasterPeerCount}[i]
					if v, _ := e.Value(code); f.Protocol != photon.JSON && reflect.TypeOf(v) != reflect.TypeFor[int32]() {
						t.Errorf("%s is a %T", code, v)
					}
					*p, _ = e.Int(code)
				}
				return
			}
			expect := func(players, rooms, peers int64) {
				t.Helper()
				eventually(t, func() bool { p, r, m := stats(); return p == players && r == rooms && m == peers },
					fmt.Sprintf("statistics %d %d %d", players, rooms, peers))
			}
			expect(0, 0, 1)
			s := Settings(up, f, "h")
			s.AppID, s.AppVersion = "stats"+f.String(), ""
			h := newPlayer(t, s)
			h.must(h.Connect(h.ctx()))
			expect(0, 0, 2)
			h.must(h.CreateRoom(h.ctx(), client.EnterRoomParams{}))
			expect(1, 1, 1)
			h.must(h.LeaveRoom(h.ctx(), false))
			expect(0, 0, 2)
			h.Close()
			expect(0, 0, 1)
		})
	}
}

// LB-140 to LB-142, WJ-113: statistics of lobbies, for those who want them.
func TestLobbyStatistics(t *testing.T) {
	up := Start(t, quickLists)
	for _, f := range threeForms {
		t.Run(f.String(), func(t *testing.T) {
			lobby := client.TypedLobby{Name: "l" + f.String(), Type: client.SQLLobby}
			without := onMaster(t, up, f, "without")
			asked := onMaster(t, up, f, "asked", photon.Param(photon.ParamLobbyStats, true))
			later := onMaster(t, up, f, "later")
			later.ok(photon.OpServerSettings, photon.Param(photon.ParamReceiveLobbyStats, true))
			host(t, up, f, "h"+f.String(), "room"+f.String(), &lobby, nil)
			in := onMaster(t, up, f, "in")
			in.ok(photon.OpJoinLobby, lobbyOf(lobby.Name, lobby.Type)...)
			for _, w := range []*raw{asked, later} {
				eventually(t, func() bool {
					e := w.event(photon.EventLobbyStats)
					names, _ := e.Strings(photon.ParamLobbyName)
					types, _ := e.Bytes(photon.ParamLobbyType)
					players, _ := e.Ints(photon.ParamPeerCount)
					rooms, _ := e.Ints(photon.ParamGameCount)
					if len(names) == 0 || names[0] != "" || len(types) != len(names) || len(players) != len(names) || len(rooms) != len(names) {
						t.Fatalf("names %v, types %v, players %v, rooms %v", names, types, players, rooms)
					}
					i := slices.Index(names, lobby.Name)
					return i > 0 && types[i] == 2 && players[i] == 2 && rooms[i] == 1
				}, "numbers of the lobby")
			}
			r := without.ok(photon.OpGetLobbyStats)
			if names, _ := r.Strings(photon.ParamLobbyName); !slices.Contains(names, lobby.Name) || !slices.Contains(names, "") {
				t.Errorf("all lobbies: %v", names)
			}
			r = without.ok(photon.OpGetLobbyStats, photon.Param(photon.ParamLobbyName, []string{"unknown", lobby.Name, ""}),
				photon.Param(photon.ParamLobbyType, []byte{0, 2, 0}))
			players, _ := r.Ints(photon.ParamPeerCount)
			rooms, _ := r.Ints(photon.ParamGameCount)
			if !slices.Equal(players, []int32{0, 2, 0}) || !slices.Equal(rooms, []int32{0, 1, 0}) {
				t.Errorf("named lobbies: %v %v", players, rooms)
			}
			if r := without.ask(photon.OpGetLobbyStats, photon.Param(photon.ParamLobbyName, []string{"x"}), photon.Param(photon.ParamLobbyType, []byte{0, 2})); r.ReturnCode != photon.ReturnInvalidOperation {
				t.Errorf("uneven arrays: %d", r.ReturnCode)
			}
			later.ok(photon.OpServerSettings, photon.Param(photon.ParamReceiveLobbyStats, false))
			for len(later.events) > 0 {
				<-later.events
			}
			for range 3 {
				later.event(photon.EventAppStats)
			}
			for _, w := range []*raw{without, later} {
				for len(w.events) > 0 {
					if e := <-w.events; e.Code == photon.EventLobbyStats {
						t.Error("lobby statistics for one who does not want them")
					}
				}
			}
		})
	}
}
