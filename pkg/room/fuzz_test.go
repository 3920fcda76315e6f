package room

import (
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// FuzzRoom plays scripts of three clients that send whatever parses. Each step
// is: client and action (1 byte), length (1 byte), body of a request. The room
// must not panic, must stay consistent, and what it sends must be readable.
func FuzzRoom(f *testing.F) {
	step := func(who byte, op photon.OpCode, params ...par) []byte {
		p := []photon.Protocol{photon.GpBinaryV18, photon.GpBinaryV16, photon.GpBinaryV18}[who%3]
		msg, err := photon.AppendRequest(nil, p, op, params)
		if err != nil || len(msg) > 250 {
			f.Fatal(err, len(msg))
		}
		return append([]byte{who, byte(len(msg) - 2)}, msg[2:]...)
	}
	script := func(steps ...[]byte) (all []byte) {
		for _, s := range steps {
			all = append(all, s...)
		}
		return all
	}
	f.Add(script(
		step(0, photon.OpJoinGame, with(photon.ParamRoomOptionFlags, int32(flags43)), with(photon.ParamPlayerTTL, int32(1000)),
			with(photon.ParamGameProperties, table("k", int32(1), photon.PropMaxPlayers, byte(3))), with(photon.ParamExpectedUsers, []string{"b"})),
		step(1, photon.OpJoinGame, with(photon.ParamPlayerProperties, table(photon.ActorPropNickName, "B")), with(photon.ParamBroadcast, true)),
		step(0, photon.OpSetProperties, props("k", nil, photon.PropMasterClientID, int32(2)), broadcast, expect("k", int32(1))),
		step(1, photon.OpRaiseEvent, code(1), content(table("a", int32(1))), caching(photon.MergeCache)),
		step(1, photon.OpRaiseEvent, code(1), content("x"), caching(photon.AddToRoomCache), receivers(photon.ReceiverAll)),
		step(1, photon.OpLeave, with(photon.ParamIsInactive, true)),
		step(2, photon.OpJoinGame),
		step(2, photon.OpRaiseEvent, code(0), content(table("a", int32(1))), caching(photon.RemoveFromRoomCache), actors(0, 2)),
		[]byte{3 + 2, 0}, // disconnect
		[]byte{6, 200},   // time
		step(1, photon.OpJoinGame, with(photon.ParamJoinMode, byte(3))),
	))
	f.Add(script(
		step(0, photon.OpJoinGame, with(photon.ParamRoomOptionFlags, int32(0x50)), with(photon.ParamEmptyRoomTTL, int32(9000))),
		step(0, photon.OpChangeGroups, with(photon.ParamRemove, []byte{}), with(photon.ParamAdd, []byte{1, 2})),
		step(0, photon.OpRaiseEvent, caching(photon.SliceSetIndex), with(photon.ParamCacheSliceIndex, int32(4))),
		step(0, photon.OpRaiseEvent, code(3), caching(photon.AddToRoomCacheGlobal)),
		step(0, photon.OpGetProperties, with(photon.ParamProperties, byte(3)), with(photon.ParamGameProperties, []byte{255})),
		step(0, photon.OpSetProperties, with(photon.ParamActorNr, int32(1)), props("a", gpbinary.ObjectArray{int32(1), nil}), broadcast),
		[]byte{3, 0},
		step(2, photon.OpJoinGame),
	))
	f.Fuzz(func(t *testing.T, data []byte) {
		w := newWorld(t, Config{MaxCachedEvents: 8, MaxProperties: 5, MaxPropertyBytes: 300, MaxCachedBytes: 300})
		clients := [3]*client{w.client(photon.GpBinaryV18, "a"), w.client(photon.GpBinaryV16, "b"), w.client(photon.GpBinaryV18, "c")}
		// A witness speaks JSON and reads all that the others do.
		watcher := w.client(photon.JSON, "w")
		for len(data) >= 2 {
			who, n := data[0]%7, min(int(data[1]), len(data)-2)
			body := data[2 : 2+n]
			data = data[2+n:]
			if who == 6 {
				w.pass(time.Duration(n) * 100 * time.Millisecond)
				continue
			}
			c := clients[who%3]
			c.got, watcher.got = nil, nil
			if who >= 3 {
				if c.seat.ActorNr() != 0 {
					c.disconnect()
				}
				continue
			}
			req := &photon.Request{Delivery: reliable}
			if photon.ParseRequest(c.p, append([]byte{photon.Magic, byte(photon.TypeRequest)}, body...), req) != nil {
				continue
			}
			enters := req.Code == photon.OpJoinGame || req.Code == photon.OpCreateGame
			switch {
			case w.room.phase == fresh:
				seat, err := createRoom(w.room, w.now, req, c.joiner())
				if c.entered(seat, err) != nil {
					return
				}
				_ = watcher.join()
			case c.seat.ActorNr() == 0 && enters:
				seat, err := joinRoom(w.room, w.now, req, c.joiner())
				_ = c.entered(seat, err)
			case c.seat != nil:
				_ = c.run(req)
			}
			w.room.Changed()
		}
	})
}
