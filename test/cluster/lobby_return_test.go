package cluster

import (
	"testing"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/photon"
)

// WJ-114, LB-114, LB-161: a second connection of a user is not sent to the room
// in which the user is; who comes back from it at once is.
func TestReturnToRoom(t *testing.T) {
	up := Start(t, nil)
	for _, f := range []Form{Forms[1], Forms[3], Forms[6]} {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			room, user := "room"+f.String(), "user"+f.String()
			lobby := &client.TypedLobby{Name: f.String()} // random joins find this room only
			host(t, up, f, "host"+f.String(), room, lobby, nil)
			ann, asker := connected(t, up, f, user), connected(t, up, f, "asker"+f.String())
			eventually(t, func() bool { return seated(t, asker, "host"+f.String()) }, "the master knows the room")
			for i := range 10 {
				if i%2 == 0 {
					ann.must(ann.JoinRoom(ann.ctx(), client.EnterRoomParams{RoomName: room}))
				} else {
					ann.must(ann.JoinRandomRoom(ann.ctx(), client.JoinRandomRoomParams{Lobby: lobby}))
				}
				ann.must(ann.LeaveRoom(ann.ctx(), false))
			}
			ann.must(ann.JoinRoom(ann.ctx(), client.EnterRoomParams{RoomName: room}))

			// A room that ends with its only player: the name is free at once.
			solo := connected(t, up, f, "solo"+f.String())
			for range 10 {
				solo.must(solo.CreateRoom(solo.ctx(), client.EnterRoomParams{RoomName: "solo" + room}))
				solo.must(solo.LeaveRoom(solo.ctx(), false))
			}

			second := onMaster(t, up, f, user)
			second.known(room, photon.ReturnJoinFailedFoundActiveJoiner)
			for _, mode := range []photon.JoinMode{photon.JoinDefault, photon.CreateIfNotExists} {
				refused(t, "join", second.ask(photon.OpJoinGame, roomName(room), photon.Param(photon.ParamJoinMode, byte(mode))), photon.ReturnJoinFailedFoundActiveJoiner)
			}
			refused(t, "random join", second.ask(photon.OpJoinRandomGame, photon.Param(photon.ParamLobbyName, f.String())), photon.ReturnNoRandomMatchFound)
			// The game server knows whether this is the one who was there.
			second.ok(photon.OpJoinGame, roomName(room), photon.Param(photon.ParamJoinMode, byte(photon.RejoinOnly)))

			// Rooms may let a user in twice.
			open := host(t, up, f, "other"+f.String(), "open"+room, nil, func(o *client.RoomOptions) { o.CheckUserOnJoin = false })
			twin := connected(t, up, f, "other"+f.String())
			twin.must(twin.JoinRoom(twin.ctx(), client.EnterRoomParams{RoomName: "open" + room}))
			if open.MyActorNr() != 1 || twin.MyActorNr() != 2 {
				t.Errorf("actors %d and %d", open.MyActorNr(), twin.MyActorNr())
			}
		})
	}
}
