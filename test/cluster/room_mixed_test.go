package cluster

import (
	"testing"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/photon"
)

// LB-290 with this repository's client in the place of the .NET ones: clients of
// 1.6, 1.8 and JSON in one room see each other's properties, leave, and come
// back as who they were.
func TestMixedRoom(t *testing.T) {
	up := Start(t, nil)
	forms := []Form{{client.UDP, photon.GpBinaryV16}, {client.TCP, photon.GpBinaryV18}, {client.WebSocket, photon.JSON}}
	opt := client.NewRoomOptions()
	opt.PlayerTTL, opt.EmptyRoomTTL, opt.PublishUserID, opt.MaxPlayers = 60000, 60000, true, 3
	var players []*player
	for _, f := range forms {
		p := connected(t, up, f, "user "+f.String())
		p.must(p.JoinOrCreateRoom(p.ctx(), client.EnterRoomParams{RoomName: "mixed", RoomOptions: opt}))
		players = append(players, p)
	}
	for i, p := range players {
		nr := p.MyActorNr()
		p.must(p.SetActorProperties(p.ctx(), nr, map[string]any{"hp": int32(10 + i)}, nil))
		p.must(p.SetRoomProperties(p.ctx(), map[string]any{"turn": int32(i)}, nil))
		for j, q := range players {
			eventually(t, func() bool {
				a := q.CurrentRoom().Actors[nr]
				turn, _ := photon.AsInt(q.CurrentRoom().CustomProperties["turn"])
				hp, _ := photon.AsInt(a.CustomProperties["hp"])
				return turn == int64(i) && hp == int64(10+i) && a.UserID == p.UserID() && a.NickName == p.NickName()
			}, forms[j].String()+" sees what "+forms[i].String()+" has set")
		}
	}
	for i, p := range players {
		nr := p.MyActorNr()
		p.must(p.LeaveRoom(p.ctx(), true))
		for j, q := range players {
			if j != i {
				if l := next(t, q.leaves, "leave"); l != nr {
					t.Errorf("%s heard actor %d leave, not %d", forms[j], l, nr)
				}
			}
		}
		p.must(p.RejoinRoom(p.ctx(), "mixed"))
		hp, _ := photon.AsInt(p.CurrentRoom().Actors[nr].CustomProperties["hp"])
		if p.MyActorNr() != nr || hp != int64(10+i) || len(p.CurrentRoom().Actors) != 3 {
			t.Errorf("%s came back as actor %d with hp %d, of %d", forms[i], p.MyActorNr(), hp, len(p.CurrentRoom().Actors))
		}
		for j, q := range players {
			if j != i {
				eventually(t, func() bool { return next(t, q.joins, "join") == nr }, forms[j].String()+" hears of the return")
			}
		}
	}
}
