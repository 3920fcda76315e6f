package cluster

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/daemon"
	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// LB-187: ten players of all forms count to a hundred together, by
// compare-and-swap, and lose no step.
func TestConcurrentCompareAndSwap(t *testing.T) {
	up := Start(t, nil)
	const players, steps = 10, 10
	var all []*member
	for i := range players {
		m := enters(t, up, Forms[i%len(Forms)], fmt.Sprint("counter ", i))
		if i == 0 {
			opt := client.NewRoomOptions()
			opt.CustomRoomProperties = map[string]any{"n": int32(0)}
			m.creates("count", opt)
		} else {
			m.must(m.JoinRoom(m.ctx(), client.EnterRoomParams{RoomName: "count"}))
		}
		all = append(all, m)
	}
	var wg sync.WaitGroup
	for _, m := range all {
		wg.Go(func() {
			for done := 0; done < steps; {
				n, ok := photon.AsInt(m.CurrentRoom().CustomProperties["n"])
				if !ok {
					t.Errorf("%s sees %v", m.user, m.CurrentRoom().CustomProperties["n"])
					return
				}
				err := m.SetRoomProperties(m.ctx(), map[string]any{"n": int32(n + 1)}, map[string]any{"n": int32(n)})
				switch {
				case err == nil:
					done++
				case code(err) != photon.ReturnInvalidOperation:
					t.Errorf("%s: %v", m.user, err)
					return
				}
			}
		})
	}
	wg.Wait()
	for _, m := range all {
		eventually(t, func() bool {
			n, _ := photon.AsInt(m.CurrentRoom().CustomProperties["n"])
			return n == players*steps
		}, m.user+" sees the sum")
	}
}

// LB-180, LB-181, LB-182, LB-183, LB-186: who hears of which change.
func TestPropertyChanges(t *testing.T) {
	for _, toAll := range []bool{true, false} {
		t.Run(fmt.Sprint("to all ", toAll), func(t *testing.T) {
			each(t, nil, func(t *testing.T, up *daemon.Up, f Form) {
				opt := lasting(60000, 0)
				opt.BroadcastPropsChangeToAll, opt.DeleteNullProperties = toAll, true
				opt.CustomRoomProperties = map[string]any{"old": "x"}
				ann, bob, room := pair(t, up, f, opt)
				told := func(text string, cas bool) {
					t.Helper()
					bob.hears(text)
					if toAll || cas {
						ann.hears(text)
					}
				}
				ann.must(ann.SetRoomProperties(ann.ctx(), map[string]any{"k": int32(1)}, nil))
				told("properties of 0 by 1: {k:1}", false)
				ann.must(ann.SetActorProperties(ann.ctx(), 2, map[string]any{"hp": "full"}, nil))
				told("properties of 2 by 1: {hp:full}", false)
				ann.must(ann.SetRoomProperties(ann.ctx(), map[string]any{"k": int32(2)}, map[string]any{"k": int32(1)}))
				told("properties of 0 by 1: {k:2}", true)
				if err := ann.SetRoomProperties(ann.ctx(), map[string]any{"k": int32(3), "l": true}, map[string]any{"k": int32(1)}); code(err) != photon.ReturnInvalidOperation {
					t.Errorf("wrong expectation: %v", err)
				}
				ann.must(ann.SetRoomProperties(ann.ctx(), map[string]any{"first": true}, map[string]any{"first": nil})) // LB-184
				told("properties of 0 by 1: {first:true}", true)
				ann.must(ann.SetRoomProperties(ann.ctx(), map[string]any{"old": nil}, nil))
				told("properties of 0 by 1: {old:<nil>}", false)
				if err := ann.SetActorProperties(ann.ctx(), 9, map[string]any{"hp": "x"}, nil); code(err) != photon.ReturnInvalidOperation {
					t.Errorf("unknown actor: %v", err)
				}
				// Of an inactive one as well.
				bob.must(bob.LeaveRoom(bob.ctx(), true))
				ann.hears("inactive 2")
				ann.must(ann.SetActorProperties(ann.ctx(), 2, map[string]any{"hp": "low"}, nil))
				joe := enters(t, up, Form{client.WebSocket, photon.JSON}, "joe for "+f.String())
				joe.must(joe.JoinRoom(joe.ctx(), client.EnterRoomParams{RoomName: room}))
				r := joe.CurrentRoom()
				if _, old := r.CustomProperties["old"]; old || fmt.Sprint(r.CustomProperties) != "map[first:true k:2]" {
					t.Errorf("joiner sees %v", r.CustomProperties)
				}
				if a := r.Actors[2]; fmt.Sprint(a.CustomProperties) != "map[hp:low]" || !a.IsInactive {
					t.Errorf("joiner sees %+v", a)
				}
			})
		})
	}
}

// LB-157, LB-158: clients enter rooms that tell them nothing of others.
func TestSuppressedRooms(t *testing.T) {
	for name, suppress := range map[string]func(*client.RoomOptions){
		"room events": func(o *client.RoomOptions) { o.SuppressRoomEvents = true },
		"player info": func(o *client.RoomOptions) { o.SuppressPlayerInfo = true },
	} {
		t.Run(name, func(t *testing.T) {
			each(t, nil, func(t *testing.T, up *daemon.Up, f Form) {
				opt := lasting(60000, 0)
				suppress(opt)
				ann, bob, room := pair(t, up, f, opt)
				if ann.State() != client.Joined || bob.State() != client.Joined || bob.MyActorNr() != 2 {
					t.Fatalf("states %v and %v, actor %d", ann.State(), bob.State(), bob.MyActorNr())
				}
				if others := len(bob.CurrentRoom().Actors) - 1; others != map[string]int{"room events": 1, "player info": 0}[name] {
					t.Errorf("bob sees %d others", others)
				}
				want := photon.FlagSuppressRoomEvents
				if name == "player info" {
					want |= photon.FlagSuppressPlayerInfo
				}
				if got := bob.CurrentRoom().Flags; got&want != want {
					t.Errorf("flags %#x", got)
				}
				joe := enters(t, up, f, "joe")
				joe.must(joe.JoinRoom(joe.ctx(), client.EnterRoomParams{RoomName: room}))
				joe.must(joe.SetActorProperties(joe.ctx(), 3, map[string]any{"hp": "x"}, nil))
				joe.must(joe.LeaveRoom(joe.ctx(), false))
				// The master client leaves: that they must know.
				ann.raise(1, nil)
				ann.must(ann.LeaveRoom(ann.ctx(), false))
				if name == "room events" {
					bob.hears("properties of 3 by 3: {hp:x}")
				}
				bob.hears("event 1 from 1", "properties of 0 by 0: {248:2}", "master client 2")
			})
		})
	}
}

// LB-193: clients of 4.1.8 set their nickname as soon as they see their own Join
// event, while a thousand cached events are on the way.
func TestNicknameBehindOwnJoin(t *testing.T) {
	each(t, nil, func(t *testing.T, up *daemon.Up, f Form) {
		ann, _, room := pair(t, up, f, nil)
		const n = 1000
		for i := range n {
			ann.cache(1, int32(i), photon.AddToRoomCache)
		}
		ann.must(ann.SetRoomProperties(ann.ctx(), map[string]any{"cached": true}, nil))
		var joe *client.Client
		answer := make(chan *client.Response, 1)
		s := Settings(up, f, "joe "+f.String())
		joe = client.New(s, client.Handler{
			OnJoin: func(a client.Actor) {
				if !a.IsLocal {
					return
				}
				err := joe.Peer().Send(photon.OpSetProperties, photon.Params{
					photon.Param(photon.ParamProperties, gpbinary.NewHashtable(gpbinary.Pair{Key: photon.ActorPropNickName, Value: "Joe"})),
					photon.Param(photon.ParamActorNr, a.ActorNr), photon.Param(photon.ParamBroadcast, true),
				}, client.SendReliable)
				if err != nil {
					t.Error(err)
				}
			},
			OnResponse: func(r *client.Response) { answer <- r },
		})
		t.Cleanup(joe.Close)
		m := &member{t: t, user: s.UserID}
		m.must(joe.Connect(m.ctx()))
		m.must(joe.JoinRoom(m.ctx(), client.EnterRoomParams{RoomName: room}))
		if r := next(t, answer, "answer to the nickname"); r.Op != photon.OpSetProperties || r.Err() != nil {
			t.Errorf("got %d: %v", r.Op, r.Err())
		}
		ann.until("properties of 3 by 3: {255:Joe}")
		if got := ann.CurrentRoom().Actors[3].NickName; got != "Joe" {
			t.Errorf("nickname %q", got)
		}
	})
}

// LB-159, LB-161, LB-167, LB-169, LB-171, LB-172, LB-173: refusals on the way
// into a room, each with its code and the client back on the master; and what a
// join does not change. LB-155, LB-170
func TestRefusedJoins(t *testing.T) {
	each(t, func(c *config.Config) { c.Master.ListInterval = 20 * time.Millisecond }, func(t *testing.T, up *daemon.Up, f Form) {
		opt := lasting(60000, 0)
		opt.PublishUserID, opt.MaxPlayers = true, 4
		ann, bob, room := pair(t, up, f, opt)
		join := func(m *member, change func(*client.EnterRoomParams)) error {
			p := client.EnterRoomParams{RoomName: room}
			if change != nil {
				change(&p)
			}
			return m.JoinRoom(m.ctx(), p)
		}
		joe := enters(t, up, f, "joe")
		joe.must(joe.JoinLobby(joe.ctx(), nil))
		eventually(t, func() bool {
			return slices.ContainsFunc(joe.RoomList(), func(r client.RoomInfo) bool { return r.Name == room && r.PlayerCount == 2 })
		}, "the master knows of both players")
		plugins := func(names ...string) func(*client.EnterRoomParams) {
			return func(p *client.EnterRoomParams) {
				p.RoomOptions = client.NewRoomOptions()
				p.RoomOptions.Plugins = names
			}
		}
		joe.fails(join(joe, plugins("NoSuch")), photon.ReturnPluginMismatch)
		joe.fails(join(joe, plugins("Default", "Default")), photon.ReturnPluginMismatch)
		joe.fails(join(joe, func(p *client.EnterRoomParams) { p.ExpectedUsers = []string{"a", "b", "c", "d"} }), photon.ReturnSlotError)
		joe.fails(join(joe, func(p *client.EnterRoomParams) { p.ExpectedUsers = []string{"a", "b"} }), photon.ReturnGameFull)
		joe.fails(joe.RejoinRoom(joe.ctx(), room), photon.ReturnJoinFailedWithRejoinerNotFound)
		twin := enters(t, up, f, "bob")
		twin.fails(join(twin, nil), photon.ReturnJoinFailedFoundActiveJoiner)

		// Nobody noticed anything, and an expected user has the last place.
		joe.must(join(joe, func(p *client.EnterRoomParams) {
			plugins("Default")(p)
			p.ExpectedUsers = []string{"eve " + f.String()}
			p.RoomOptions.IsOpen, p.RoomOptions.IsVisible, p.RoomOptions.MaxPlayers = false, false, 99
		}))
		for _, m := range []*member{ann, bob} {
			m.hears(fmt.Sprintf("join 3 %q", joe.user), fmt.Sprintf("properties of 0 by 0: {247:[eve %s]}", f))
		}
		if r := joe.CurrentRoom(); !r.IsOpen || !r.IsVisible || r.MaxPlayers != 4 || r.Actors[1].UserID != ann.user || r.PluginName != "Default" {
			t.Errorf("room is %+v", r)
		}
		other := enters(t, up, f, "other")
		eventually(t, func() bool { return code(join(other, nil)) == photon.ReturnGameFull }, "the room is full")
		eve := enters(t, up, f, "eve")
		eve.must(join(eve, nil))
		// Inactive ones keep their place. LB-166
		ann.must(ann.LeaveRoom(ann.ctx(), true))
		other.fails(join(other, nil), photon.ReturnGameFull)

		// On the game server, outside of a room: -3, and a response to all. LB-204, LB-231
		peer := eve.Peer()
		for _, want := range []photon.ReturnCode{photon.ReturnOk, photon.ReturnOperationNotAllowedInCurrentState} {
			r, err := peer.Operation(eve.ctx(), photon.OpLeave, nil)
			eve.must(err)
			if r.ReturnCode != want {
				t.Errorf("Leave: %d, want %d", r.ReturnCode, want)
			}
		}
		r, err := peer.Operation(eve.ctx(), photon.OpRaiseEvent, client.RaiseEventParams(1, nil, nil))
		eve.must(err)
		if r.ReturnCode != photon.ReturnOperationNotAllowedInCurrentState || r.Debug == "" {
			t.Errorf("RaiseEvent: %d %q", r.ReturnCode, r.Debug)
		}
		// LB-165: twice on one connection.
		r, err = bob.Peer().Operation(bob.ctx(), photon.OpJoinGame, photon.Params{photon.Param(photon.ParamRoomName, room)})
		bob.must(err)
		if r.ReturnCode != photon.ReturnJoinFailedPeerAlreadyJoined {
			t.Errorf("second join: %d", r.ReturnCode)
		}
		bob.raise(1, "still here")
		joe.until("event 1 from 2: still here")
	})
}
