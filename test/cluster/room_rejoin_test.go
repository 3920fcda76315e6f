package cluster

import (
	"fmt"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/daemon"
	"github.com/boson-project/boson/pkg/photon"
)

func lasting(playerTTL, emptyRoomTTL int32) *client.RoomOptions {
	opt := client.NewRoomOptions()
	opt.PlayerTTL, opt.EmptyRoomTTL = playerTTL, emptyRoomTTL
	return opt
}

// The network of one player dies and the server has not noticed when the player
// is back: it goes on as the same actor, and nobody was told that it left.
// LB-164, LB-291
func TestRejoinBeforeTheServerNoticed(t *testing.T) {
	for _, f := range Forms {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			r := newRelay(t)
			up := Start(t, r.announce)
			r.run(up.GameServer())
			ann, bob, room := pair(t, up, f, lasting(60000, 0))
			old := r.newest() // bob's
			ann.cache(1, "cached", photon.AddToRoomCache)
			bob.cache(2, "own", photon.AddToRoomCache)
			bob.hears("event 1 from 1: cached")
			ann.hears("event 2 from 2: own")
			bob.must(bob.SetActorProperties(bob.ctx(), 2, map[string]any{"hp": int32(3)}, nil))
			ann.hears("properties of 2 by 2: {hp:3}")
			bob.until("properties of 2 by 2: {hp:3}")

			// Somebody else with bob's name and a session of its own can't take the place.
			thief := enters(t, up, f, "bob")
			thief.fails(thief.RejoinRoom(thief.ctx(), room), photon.ReturnJoinFailedFoundActiveJoiner)

			old.sever()
			bob.Disconnect()
			bob.forget()
			bob.must(bob.ReconnectAndRejoin(bob.ctx()))
			if nr := bob.MyActorNr(); nr != 2 {
				t.Errorf("bob came back as actor %d", nr)
			}
			ann.hears(fmt.Sprintf("join 2 %q", bob.user))
			bob.hears(fmt.Sprintf("join 2 %q", bob.user), "event 1 from 1: cached")
			if a := bob.CurrentRoom().Actors[2]; fmt.Sprint(a.CustomProperties["hp"]) != "3" {
				t.Errorf("bob has properties %v", a.CustomProperties)
			}
			ann.raise(3, "live")
			bob.hears("event 3 from 1: live")
			bob.raise(4, "live")
			ann.hears("event 4 from 2: live")
			if f.Transport != client.UDP {
				next(t, old.over, "end of the old connection")
			}
			// The end of the old connection is not the end of the actor.
			ann.raise(5, nil)
			bob.hears("event 5 from 1")
		})
	}
}

// The server knows that the connection is gone: the others see an inactive actor
// until it comes back. LB-163, LB-202, LB-291
func TestRejoinAfterTheServerNoticed(t *testing.T) {
	each(t, nil, func(t *testing.T, up *daemon.Up, f Form) {
		ann, bob, room := pair(t, up, f, lasting(60000, 60000))
		bob.cache(1, "cached", photon.AddToRoomCache)
		ann.cache(2, "cached", photon.AddToRoomCache)
		ann.hears("event 1 from 2: cached")
		bob.hears("event 2 from 1: cached")

		// The master client goes: the other one is it now.
		ann.Disconnect()
		bob.hears("inactive 1", "master client 2")
		if a := bob.CurrentRoom().Actors[1]; !a.IsInactive {
			t.Errorf("bob sees %+v", a)
		}
		// LB-225: what is said now is not for the absent.
		bob.raise(3, "unheard")
		ann.forget()
		ann.must(ann.ReconnectAndRejoin(ann.ctx()))
		ann.hears(fmt.Sprintf("join 1 %q", ann.user), "event 1 from 2: cached")
		bob.hears(fmt.Sprintf("join 1 %q", ann.user))
		if ann.MyActorNr() != 1 || ann.MasterClientID() != 2 || bob.CurrentRoom().Actors[1].IsInactive {
			t.Errorf("actor %d, master client %d, bob sees %+v", ann.MyActorNr(), ann.MasterClientID(), bob.CurrentRoom().Actors[1])
		}

		// The long way: leave as inactive, by the master, into a closed and full room. LB-201, LB-106
		ann.must(ann.LeaveRoom(ann.ctx(), true))
		bob.hears("inactive 1")
		bob.must(bob.SetIsOpen(bob.ctx(), false))
		bob.must(bob.SetMaxPlayers(bob.ctx(), 2))
		ann.fails(ann.JoinRoom(ann.ctx(), client.EnterRoomParams{RoomName: room}), photon.ReturnJoinFailedFoundInactiveJoiner) // LB-161
		ann.must(ann.RejoinRoom(ann.ctx(), room))
		bob.until(fmt.Sprintf("join 1 %q", ann.user))
		if ann.MyActorNr() != 1 {
			t.Errorf("actor %d", ann.MyActorNr())
		}

		// For good: there is nothing to come back to.
		ann.must(ann.LeaveRoom(ann.ctx(), false))
		bob.hears("leave 1")
		ann.fails(ann.RejoinRoom(ann.ctx(), room), photon.ReturnJoinFailedWithRejoinerNotFound) // LB-162
	})
}

// LB-203: PlayerTTL ends; the number is not given again. LB-154
func TestPlayerTTL(t *testing.T) {
	each(t, nil, func(t *testing.T, up *daemon.Up, f Form) {
		ann, bob, room := pair(t, up, f, lasting(150, 0))
		bob.cache(1, nil, photon.AddToRoomCache)
		ann.hears("event 1 from 2")
		bob.Disconnect()
		ann.hears("inactive 2", "leave 2")
		if n := len(ann.CurrentRoom().Actors); n != 1 {
			t.Errorf("%d actors", n)
		}
		bob.must(bob.ReconnectToMaster(bob.ctx()))
		bob.fails(bob.RejoinRoom(bob.ctx(), room), photon.ReturnJoinFailedWithRejoinerNotFound)
		bob.forget()
		bob.must(bob.JoinRoom(bob.ctx(), client.EnterRoomParams{RoomName: room}))
		ann.raise(9, nil)
		bob.hears(fmt.Sprintf("join 3 %q", bob.user), "event 9 from 1") // LB-249: nothing cached is left
	})
}

// LB-205, LB-206, LB-207: a room outlives its last player for EmptyRoomTTL, and
// begins anew afterwards.
func TestEmptyRoomTTL(t *testing.T) {
	each(t, func(c *config.Config) { c.Apps.MaxEmptyRoomTTL = time.Minute }, func(t *testing.T, up *daemon.Up, f Form) {
		ann := enters(t, up, f, "ann")
		room := t.Name()
		opt := lasting(-1, 60001)
		eventually(t, func() bool {
			err := ann.CreateRoom(ann.ctx(), client.EnterRoomParams{RoomName: room + " too long", RoomOptions: opt})
			return code(err) == photon.ReturnInvalidOperation // LB-168
		}, "EmptyRoomTTL is refused")
		opt = lasting(-1, 400)
		opt.CustomRoomProperties = map[string]any{"k": "v"}
		ann.creates(room, opt)
		ann.must(ann.LeaveRoom(ann.ctx(), false))
		ann.must(ann.JoinRoom(ann.ctx(), client.EnterRoomParams{RoomName: room}))
		if ann.MyActorNr() != 2 || ann.CurrentRoom().CustomProperties["k"] != "v" || ann.MasterClientID() != 2 {
			t.Errorf("actor %d, master client %d, properties %v", ann.MyActorNr(), ann.MasterClientID(), ann.CurrentRoom().CustomProperties)
		}
		// An inactive actor does not keep it.
		ann.must(ann.LeaveRoom(ann.ctx(), true))
		eventually(t, func() bool { return !hosts(ann, room) }, "the room ends")
		ann.creates(room, nil)
		if _, old := ann.CurrentRoom().CustomProperties["k"]; ann.MyActorNr() != 1 || old {
			t.Errorf("the new room has actor %d and properties %v", ann.MyActorNr(), ann.CurrentRoom().CustomProperties)
		}
	})
}

// hosts says whether the master knows where a room is, without entering it.
func hosts(m *member, room string) bool {
	m.t.Helper()
	r, err := m.Peer().Operation(m.ctx(), photon.OpJoinGame, photon.Params{photon.Param(photon.ParamRoomName, room)})
	m.must(err)
	return r.Err() == nil
}
