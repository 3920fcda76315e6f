package room

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/photon"
)

// LB-153, LB-159, WJ-132, WJ-133: what the second actor and the first one see.
func TestJoin(t *testing.T) {
	eachProtocol(t, func(t *testing.T, p photon.Protocol) {
		w := newWorld(t, Config{})
		ann := w.client(p, "ann").mustCreate(
			with(photon.ParamRoomOptionFlags, int32(flags43)), with(photon.ParamPlayerProperties, table(photon.ActorPropNickName, "Ann", "hp", int32(9))))
		bob := w.client(p, "bob")
		// LB-010: unknown parameters are ignored.
		err := bob.join(with(photon.ParamBroadcast, true), with(photon.ParamPlayerProperties, table(photon.ActorPropNickName, "Bob")), with(77, "x"))
		if err != nil {
			t.Fatal(err)
		}
		join := `event 255 254=2 252=[1 2] 249={255:"Bob" 253:"bob"}`
		bob.wants(
			`response 226 rc 0 254=2 252=[1 2] 249={1:{255:"Ann" hp:9 253:"ann"}} `+
				`248={255:0 254:true 253:true 250:[] 248:1 246:0 245:0 243:0} 191=43 201="Default" 200=""`,
			join)
		ann.wants(join)
	})
}

// LB-154: numbers are not used again.
func TestActorNumbers(t *testing.T) {
	w := newWorld(t, Config{})
	w.client(photon.GpBinaryV18, "ann").mustCreate(options()...)
	bob := w.client(photon.GpBinaryV18, "bob").mustJoin()
	bob.disconnect()
	// LB-170: nor those of joins that failed.
	eve := w.client(photon.GpBinaryV18, "ann")
	eve.fails(eve.join(), photon.ReturnJoinFailedFoundActiveJoiner)
	if nr := w.client(photon.JSON, "bob").mustJoin().seat.ActorNr(); nr != 3 {
		t.Errorf("number %d, want 3", nr)
	}
}

// LB-155, WJ-135: a joiner's room options mean nothing, not even wrong ones.
func TestJoinOptionsAreIgnored(t *testing.T) {
	w := newWorld(t, Config{})
	ann := w.client(photon.GpBinaryV18, "ann").mustCreate(options(with(photon.ParamGameProperties, table(photon.PropIsVisible, false, photon.PropMaxPlayers, byte(8))))...)
	before := w.room.set
	for i, params := range [][]par{
		{with(photon.ParamGameProperties, table(photon.PropIsOpen, true, photon.PropIsVisible, true, photon.PropMaxPlayers, byte(2), photon.PropPropsListedInLobby, []string{"a"}))},
		{with(photon.ParamEmptyRoomTTL, int32(999999999)), with(photon.ParamPlayerTTL, int32(7))},
		{with(photon.ParamRoomOptionFlags, int32(0x44)), with(photon.ParamGameProperties, "wrong")},
	} {
		w.client(photon.GpBinaryV18, fmt.Sprint("user", i)).mustJoin(params...)
	}
	if fmt.Sprint(w.room.set) != fmt.Sprint(before) || w.room.flags != 3 {
		t.Errorf("settings %v became %v", before, w.room.set)
	}
	if err := ann.set(with(photon.ParamProperties, table(photon.PropIsOpen, false))); err != nil {
		t.Fatal(err)
	}
	late := w.client(photon.GpBinaryV18, "late")
	late.fails(late.join(with(photon.ParamGameProperties, table(photon.PropIsOpen, true))), photon.ReturnGameClosed)
}

// LB-157, LB-158: no room events, no player info.
func TestSuppressedEvents(t *testing.T) {
	for _, tt := range []struct {
		flags    photon.RoomOptionFlags
		response string
	}{
		{photon.FlagSuppressRoomEvents | photon.FlagPublishUserID, `response 226 rc 0 254=2 252=[1 2] 249={1:{255:"Ann" 253:"ann"}} `},
		{photon.FlagSuppressPlayerInfo | photon.FlagPublishUserID, `response 226 rc 0 254=2 `},
	} {
		w := newWorld(t, Config{})
		ann := w.client(photon.GpBinaryV16, "ann")
		if err := ann.create(with(photon.ParamRoomOptionFlags, int32(tt.flags)), with(photon.ParamBroadcast, true),
			with(photon.ParamPlayerProperties, table(photon.ActorPropNickName, "Ann"))); err != nil {
			t.Fatal(err)
		}
		if len(ann.got) != 1 {
			t.Errorf("creator got %q", ann.take())
		}
		ann.take()
		bob := w.client(photon.GpBinaryV18, "bob")
		if err := bob.join(with(photon.ParamBroadcast, true)); err != nil {
			t.Fatal(err)
		}
		room := `248={255:0 254:true 253:true 250:[] 248:1 246:0 245:0 243:0 249:false} `
		flags := tt.flags | photon.FlagSuppressRoomEvents
		bob.wants(tt.response + room + fmt.Sprintf(`191=%d 201="Default" 200=""`, flags))
		bob.disconnect()
		ann.wants()
		w.client(photon.JSON, "eve").mustJoin()
		ann.disconnect()
	}
}

// LB-160: the Join event tells properties to those who asked for it.
func TestJoinWithoutBroadcast(t *testing.T) {
	w := newWorld(t, Config{})
	ann := w.client(photon.GpBinaryV18, "ann").mustCreate(with(photon.ParamRoomOptionFlags, int32(flags43)))
	w.client(photon.GpBinaryV18, "bob").mustJoin(with(photon.ParamPlayerProperties, table("a", int32(1))))
	ann.wants("event 255 254=2 252=[1 2]")
	w.client(photon.GpBinaryV18, "eve").mustJoin(with(photon.ParamBroadcast, true))
	ann.wants(`event 255 254=3 252=[1 2 3] 249={253:"eve"}`)
}

// LB-161, LB-162, LB-164: rooms 3.2, the table of join modes and known users.
func TestJoinModes(t *testing.T) {
	const none, inactive, active = 0, 1, 2
	for _, tt := range []struct {
		name  string
		mode  any
		known int
		code  photon.ReturnCode
	}{
		{"join, unknown", nil, none, 0},
		{"join, inactive", byte(0), inactive, photon.ReturnJoinFailedFoundInactiveJoiner},
		{"join, active", byte(0), active, photon.ReturnJoinFailedFoundActiveJoiner},
		{"create, unknown", int32(1), none, 0},
		{"create, inactive", byte(1), inactive, photon.ReturnJoinFailedFoundInactiveJoiner},
		{"create, active", byte(1), active, photon.ReturnJoinFailedFoundActiveJoiner},
		{"join or rejoin, unknown", byte(2), none, 0},
		{"join or rejoin, inactive", byte(2), inactive, 0},
		{"join or rejoin, active", int64(2), active, photon.ReturnJoinFailedFoundActiveJoiner},
		{"rejoin, unknown", byte(3), none, photon.ReturnJoinFailedWithRejoinerNotFound},
		{"rejoin, inactive", byte(3), inactive, 0},
		{"rejoin, active", byte(3), active, photon.ReturnJoinFailedFoundActiveJoiner},
		{"no mode", byte(4), none, photon.ReturnInvalidOperation},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachProtocol(t, func(t *testing.T, p photon.Protocol) {
				w := newWorld(t, Config{})
				w.client(p, "ann").mustCreate(options(with(photon.ParamPlayerTTL, int32(10000)))...)
				if tt.known != none {
					old := w.client(p, "bob").mustJoin()
					if tt.known == inactive {
						old.disconnect()
					}
				}
				bob := w.client(p, "bob")
				bob.session = 1
				bob.fails(bob.join(with(photon.ParamJoinMode, tt.mode)), tt.code)
				if tt.code == 0 && bob.seat.ActorNr() != 2 {
					t.Errorf("number %d, want 2", bob.seat.ActorNr())
				}
			})
		})
	}
}

// LB-163, WJ-141: back with the same number and properties, closed and full or not.
func TestRejoin(t *testing.T) {
	eachProtocol(t, func(t *testing.T, p photon.Protocol) {
		w := newWorld(t, Config{})
		ann := w.client(p, "ann").mustCreate(options(with(photon.ParamPlayerTTL, int32(10000)),
			with(photon.ParamGameProperties, table(photon.PropMaxPlayers, byte(2))))...)
		bob := w.client(p, "bob").mustJoin(with(photon.ParamPlayerProperties, table(photon.ActorPropNickName, "Bob", "hp", int32(5))))
		if err := ann.set(with(photon.ParamProperties, table(photon.PropIsOpen, false))); err != nil {
			t.Fatal(err)
		}
		bob.disconnect()
		eve := w.client(p, "eve")
		eve.fails(eve.join(), photon.ReturnGameClosed)
		ann.take()

		again := w.client(p, "bob")
		// What it says of itself now does not count: it keeps what it had.
		if err := again.join(with(photon.ParamJoinMode, byte(3)), with(photon.ParamBroadcast, true),
			with(photon.ParamPlayerProperties, table(photon.ActorPropNickName, ""))); err != nil {
			t.Fatal(err)
		}
		join := `event 255 254=2 252=[1 2] 249={255:"Bob" hp:5}`
		again.wants(`response 226 rc 0 254=2 252=[1 2] 249={2:{255:"Bob" hp:5}} `+
			`248={255:2 254:true 253:false 250:[] 248:1 246:10000 245:0 243:2} 191=3 201="Default" 200=""`, join)
		ann.wants(join)
	})
}

// LB-164, WJ-143: the same session takes its own seat over.
func TestTakeover(t *testing.T) {
	eachProtocol(t, func(t *testing.T, p photon.Protocol) {
		w := newWorld(t, Config{})
		ann := w.client(p, "ann").mustCreate(options(with(photon.ParamPlayerTTL, int32(10000)))...)
		bob := w.client(p, "bob").mustJoin()
		ann.take()
		again := w.client(p, "bob")
		if err := again.join(with(photon.ParamJoinMode, byte(3))); err != nil {
			t.Fatal(err)
		}
		if again.seat.ActorNr() != 2 || bob.seat.ActorNr() != 0 || len(bob.ended) != 1 {
			t.Errorf("new seat %d, old seat %d, old connection ended %q", again.seat.ActorNr(), bob.seat.ActorNr(), bob.ended)
		}
		ann.wants("event 255 254=2 252=[1 2]")
		// The old connection's end, and what was still on its way, change nothing.
		again.take()
		bob.fails(bob.raise(with(photon.ParamEventCode, byte(1))), photon.ReturnOperationNotAllowedInCurrentState)
		bob.disconnect()
		ann.wants()
		if again.seat.ActorNr() != 2 || w.room.Record().Inactive != 0 {
			t.Error("the old connection's end made the actor inactive")
		}
		if err := ann.raise(with(photon.ParamEventCode, byte(1))); err != nil {
			t.Fatal(err)
		}
		again.wants("event 1 254=1")
		bob.wants()
	})
}

// The only player of a room takes its seat over: the room goes on, with its master client.
func TestTakeoverAlone(t *testing.T) {
	w := newWorld(t, Config{})
	w.client(photon.GpBinaryV18, "ann").mustCreate(options(with(photon.ParamPlayerTTL, int32(-1)))...)
	again := w.client(photon.GpBinaryV18, "ann").mustJoin(with(photon.ParamJoinMode, byte(2)))
	if again.seat.ActorNr() != 1 || w.room.set.masterClientID != 1 || w.room.Done() || w.room.Deadline() != Never {
		t.Errorf("seat %d, master client %d, done %v, deadline %v", again.seat.ActorNr(), w.room.set.masterClientID, w.room.Done(), w.room.Deadline())
	}
}

// Rooms 2.3, question Q23: without CheckUserOnJoin a user may be there twice.
func TestSameUserTwice(t *testing.T) {
	w := newWorld(t, Config{})
	w.client(photon.GpBinaryV18, "ann").mustCreate(with(photon.ParamRoomOptionFlags, int32(2)), with(photon.ParamPlayerTTL, int32(9000)),
		with(photon.ParamGameProperties, table(photon.PropMaxPlayers, byte(3))))
	two := w.client(photon.GpBinaryV18, "ann").mustJoin()
	three := w.client(photon.GpBinaryV18, "ann").mustJoin()
	four := w.client(photon.GpBinaryV18, "ann")
	four.fails(four.join(), photon.ReturnGameFull)
	three.disconnect()
	two.disconnect()
	if four.mustJoin(with(photon.ParamJoinMode, byte(3))); four.seat.ActorNr() != 2 {
		t.Errorf("rejoined as %d, want the first inactive one, 2", four.seat.ActorNr())
	}
}

// LB-162: an inactive actor whose time is over is unknown.
func TestRejoinTooLate(t *testing.T) {
	w := newWorld(t, Config{})
	w.client(photon.GpBinaryV18, "ann").mustCreate(options(with(photon.ParamPlayerTTL, int32(1000)))...)
	w.client(photon.GpBinaryV18, "bob").mustJoin().disconnect()
	w.now += time.Second // and Tick has not been called yet
	bob := w.client(photon.GpBinaryV18, "bob")
	seat, err := joinRoom(w.room, w.now, bob.request(photon.OpJoinGame, []par{with(photon.ParamJoinMode, byte(3))}), bob.joiner())
	if seat != nil || Code(err) != photon.ReturnJoinFailedWithRejoinerNotFound {
		t.Errorf("got %v, %v", seat, err)
	}
}

// LB-165: one room per connection.
func TestJoinTwice(t *testing.T) {
	c := newWorld(t, Config{}).client(photon.JSON, "ann").mustCreate()
	c.fails(c.do(photon.OpJoinGame, with(photon.ParamRoomName, "room2")), photon.ReturnJoinFailedPeerAlreadyJoined)
	c.fails(c.do(photon.OpCreateGame), photon.ReturnJoinFailedPeerAlreadyJoined)
	c.fails(c.do(100), photon.ReturnInvalidOperation) // LB-001
	c.fails(c.do(photon.OpJoinLobby), photon.ReturnInvalidOperation)
}

// LB-166: closed before full; inactive actors and expected users need places.
func TestPlaces(t *testing.T) {
	for _, tt := range []struct {
		name   string
		max    byte
		open   bool
		users  []string // expected by the creator
		leaver bool     // a second actor has become inactive
		user   string
		brings []string
		code   photon.ReturnCode
	}{
		{"last place", 2, true, nil, false, "bob", nil, 0},
		{"full", 1, true, nil, false, "bob", nil, photon.ReturnGameFull},
		{"closed and full", 1, false, nil, false, "bob", nil, photon.ReturnGameClosed},
		{"inactive takes a place", 2, true, nil, true, "bob", nil, photon.ReturnGameFull},
		{"expected takes a place", 2, true, []string{"eve"}, false, "bob", nil, photon.ReturnGameFull},
		{"expected gets in", 2, true, []string{"bob"}, false, "bob", nil, 0},
		{"expected gets in but not if closed", 2, false, []string{"bob"}, false, "bob", nil, photon.ReturnGameClosed},
		{"expected actor needs one place", 2, true, []string{"ann"}, false, "bob", nil, 0},
		{"no limit", 0, true, []string{"eve", "fay"}, true, "bob", []string{"gus"}, 0},
		{"brings friends", 4, true, nil, false, "bob", []string{"gus", "hal"}, 0},
		{"brings known friends", 3, true, []string{"gus"}, false, "bob", []string{"gus", "bob", "ann"}, 0},
		{"friends do not fit now", 3, true, nil, false, "bob", []string{"gus", "hal"}, photon.ReturnGameFull},
		{"friends will never fit", 2, true, nil, false, "bob", []string{"gus", "hal"}, photon.ReturnSlotError},
		{"user without id", 2, true, nil, false, "", nil, 0},
		{"user without id, full", 1, true, nil, false, "", nil, photon.ReturnGameFull},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, Config{})
			max := tt.max
			ann := w.client(photon.GpBinaryV18, "ann").mustCreate(options(with(photon.ParamPlayerTTL, int32(-1)), with(photon.ParamExpectedUsers, tt.users),
				with(photon.ParamGameProperties, table(photon.PropMaxPlayers, max)))...)
			if tt.leaver {
				w.client(photon.GpBinaryV18, "zoe").mustJoin().disconnect()
			}
			if !tt.open {
				if err := ann.set(with(photon.ParamProperties, table(photon.PropIsOpen, false))); err != nil {
					t.Fatal(err)
				}
			}
			ann.take()
			c := w.client(photon.GpBinaryV18, tt.user)
			err := c.join(with(photon.ParamExpectedUsers, tt.brings))
			c.fails(err, tt.code)
			if err != nil { // LB-170
				ann.wants()
				w.room.set.open, w.room.set.maxPlayers = true, 0
				c.mustJoin()
			}
		})
	}
}

// Loadbalancing.md 10: user ids have at most 256 bytes.
func TestLongUserID(t *testing.T) {
	w := newWorld(t, Config{})
	long := w.client(photon.GpBinaryV18, strings.Repeat("x", 257))
	long.fails(long.create(), photon.ReturnInvalidOperation)
	w = newWorld(t, Config{})
	w.client(photon.GpBinaryV18, strings.Repeat("x", 256)).mustCreate()
	long = w.client(photon.GpBinaryV18, long.user)
	long.fails(long.join(), photon.ReturnInvalidOperation)
}

// LB-167: the union becomes property 247; the others are told, the joiner has it.
func TestJoinWithExpectedUsers(t *testing.T) {
	eachProtocol(t, func(t *testing.T, p photon.Protocol) {
		w := newWorld(t, Config{})
		ann := w.client(p, "ann").mustCreate(options(with(photon.ParamExpectedUsers, []string{"bob"}))...)
		bob := w.client(p, "bob")
		if err := bob.join(with(photon.ParamExpectedUsers, []string{"eve", "bob"})); err != nil {
			t.Fatal(err)
		}
		ann.wants("event 255 254=2 252=[1 2]", `event 253 254=0 253=0 251={247:["bob" "eve"]}`)
		if got := show(property(bob.last(false, 226).table(t, photon.ParamGameProperties), photon.PropExpectedUsers)); got != `["bob" "eve"]` {
			t.Errorf("joiner sees %s", got)
		}
		// Nothing new, nothing told.
		w.client(p, "eve").mustJoin(with(photon.ParamExpectedUsers, []string{"eve"}))
		ann.wants("event 255 254=3 252=[1 2 3]")
		if rec := w.room.Record(); !slices.Equal(rec.Expected, []string{"bob", "eve"}) {
			t.Errorf("record has %v", rec.Expected)
		}
	})
}

// An excluded user stays out (rooms 3.1), and the removed one is disconnected.
func TestRemove(t *testing.T) {
	w := newWorld(t, Config{})
	ann := w.client(photon.GpBinaryV18, "ann").mustCreate(options(with(photon.ParamPlayerTTL, int32(-1)))...)
	bob := w.client(photon.GpBinaryV18, "bob").mustJoin()
	ann.take()
	if !w.room.Remove(w.now, 2, Removal{Exclude: true, Code: photon.ReturnUserBlocked, Text: "kicked"}) || w.room.Remove(w.now, 2, Removal{Exclude: true, Code: photon.ReturnUserBlocked, Text: "kicked"}) {
		t.Error("Remove must find the actor once")
	}
	ann.wants("event 254 254=2 252=[1] 233=false")
	if len(bob.ended) != 1 || bob.ended[0] != "32761 kicked" || bob.seat.ActorNr() != 0 || len(bob.got) > 0 {
		t.Errorf("ended %q, seat %d, got %q", bob.ended, bob.seat.ActorNr(), bob.take())
	}
	for _, mode := range []byte{0, 2, 3} {
		bob.fails(bob.join(with(photon.ParamJoinMode, mode)), photon.ReturnJoinFailedFoundExcludedUserID)
	}
	if rec := w.room.Record(); !slices.Equal(rec.Excluded, []string{"bob"}) {
		t.Errorf("record has %v", rec.Excluded)
	}
	// Without exclusion the user may come again.
	w.client(photon.GpBinaryV18, "eve").mustJoin().disconnect()
	w.room.Remove(w.now, 3, Removal{Exclude: false, Code: photon.ReturnUserBlocked, Text: ""})
	w.client(photon.GpBinaryV18, "eve").mustJoin()
}

// LB-172, WJ-063: 253 and 254 of an actor are the server's.
func TestServerOwnedActorProperties(t *testing.T) {
	eachProtocol(t, func(t *testing.T, p photon.Protocol) {
		w := newWorld(t, Config{})
		ann := w.client(p, "ann").mustCreate(with(photon.ParamRoomOptionFlags, int32(flags43)), with(photon.ParamPlayerProperties,
			table(photon.ActorPropUserID, "root", photon.ActorPropIsInactive, true, "k", "v")))
		if err := ann.set(with(photon.ParamActorNr, int32(1)), with(photon.ParamBroadcast, true),
			with(photon.ParamProperties, table(photon.ActorPropUserID, "root", "k2", int32(2)))); err != nil {
			t.Fatal(err)
		}
		ann.wants("response 252 rc 0", "event 253 254=1 253=1 251={k2:2}")
		bob := w.client(photon.GpBinaryV18, "bob")
		if err := bob.join(); err != nil {
			t.Fatal(err)
		}
		if got := show(bob.last(false, 226).param(photon.ParamPlayerProperties)); got != `{1:{k:"v" k2:2 253:"ann"}}` {
			t.Errorf("249 is %s", got)
		}
	})
}

// Inactive actors are in 252, and 254 marks them in 249.
func TestJoinerSeesInactive(t *testing.T) {
	w := newWorld(t, Config{})
	w.client(photon.GpBinaryV18, "ann").mustCreate(options(with(photon.ParamPlayerTTL, int32(-1)))...)
	w.client(photon.GpBinaryV18, "bob").mustJoin().disconnect()
	eve := w.client(photon.GpBinaryV18, "eve")
	if err := eve.join(); err != nil {
		t.Fatal(err)
	}
	m := eve.last(false, 226)
	if got := show(m.param(photon.ParamActorList)) + show(m.param(photon.ParamPlayerProperties)); got != "[1 2 3]{2:{254:true}}" {
		t.Errorf("got %s", got)
	}
}

// Responses are as secret as their requests, and carry a token if there is one.
func TestEncryptedJoin(t *testing.T) {
	w := newWorld(t, Config{})
	ann := w.client(photon.GpBinaryV18, "ann")
	req := ann.request(photon.OpCreateGame, nil)
	req.Delivery.Encrypt = true
	j := ann.joiner()
	j.Token = "fresh"
	if _, err := createRoom(w.room, w.now, req, j); err != nil {
		t.Fatal(err)
	}
	if m := ann.got[0]; !m.d.Encrypt || m.d.Mode != photon.Reliable || m.param(photon.ParamToken) != "fresh" {
		t.Errorf("response %s with delivery %+v", m.text, m.d)
	}
	if m := ann.got[1]; m.d != reliable {
		t.Errorf("Join event with delivery %+v", m.d)
	}
}
