package room

import (
	"slices"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/photon"
)

// LB-200, LB-201, LB-202, WJ-136, WJ-141: ways to go, with and without PlayerTTL.
func TestLeave(t *testing.T) {
	goes := map[string]func(*testing.T, *client){
		"leave": func(t *testing.T, c *client) {
			c.fails(c.do(photon.OpLeave), 0)
		},
		"leave for good": func(t *testing.T, c *client) {
			c.fails(c.do(photon.OpLeave, with(photon.ParamIsInactive, false), with(photon.ParamWebFlags, byte(2))), 0)
		},
		"come back": func(t *testing.T, c *client) {
			if err := c.do(photon.OpLeave, with(photon.ParamIsInactive, true)); err != nil {
				t.Fatal(err)
			}
			c.wants("response 254 rc 0")
		},
		"disconnect": func(t *testing.T, c *client) { c.disconnect() },
	}
	for _, tt := range []struct {
		how  string
		ttl  int32
		want string
	}{
		{"leave", 0, "event 254 254=2 252=[1 3] 233=false"},
		{"leave", 5000, "event 254 254=2 252=[1 3] 233=false"},
		{"leave for good", 5000, "event 254 254=2 252=[1 3] 233=false"},
		{"come back", 0, "event 254 254=2 252=[1 3] 233=false"},
		{"come back", 5000, "event 254 254=2 252=[1 2 3] 233=true"},
		{"disconnect", 0, "event 254 254=2 252=[1 3] 233=false"},
		{"disconnect", 5000, "event 254 254=2 252=[1 2 3] 233=true"},
		{"disconnect", -1, "event 254 254=2 252=[1 2 3] 233=true"},
	} {
		eachProtocol(t, func(t *testing.T, p photon.Protocol) {
			_, ann, bob, eve := three(t, p, with(photon.ParamPlayerTTL, tt.ttl))
			goes[tt.how](t, bob)
			ann.wants(tt.want)
			eve.wants(tt.want)
			bob.wants()
			if bob.seat.ActorNr() != 0 {
				t.Error("the leaver has its seat")
			}
			// LB-204: there is always a response.
			bob.fails(bob.do(photon.OpLeave), photon.ReturnOperationNotAllowedInCurrentState)
			bob.disconnect()
			ann.wants()
		})
	}
	_, ann, bob, _ := three(t, photon.GpBinaryV18)
	bob.fails(bob.do(photon.OpLeave, with(photon.ParamIsInactive, "x")), -2)
	ann.wants()
}

// LB-191, LB-192, LB-222: who is master client next.
func TestMasterClient(t *testing.T) {
	eachProtocol(t, func(t *testing.T, p photon.Protocol) {
		w, ann, bob, eve := three(t, p, with(photon.ParamPlayerTTL, int32(-1)), with(photon.ParamEmptyRoomTTL, int32(1000)))
		ann.disconnect()
		bob.wants("event 254 254=1 252=[1 2 3] 233=true 203=2")
		// Whoever returns is not master client again.
		ann2 := w.client(p, "ann")
		if err := ann2.join(with(photon.ParamJoinMode, byte(3))); err != nil {
			t.Fatal(err)
		}
		if got := property(ann2.last(false, 226).table(t, photon.ParamGameProperties), photon.PropMasterClientID); got != int32(2) {
			t.Errorf("master client %v", got)
		}
		eve.take()
		bob.fails(bob.do(photon.OpLeave), 0)
		// The lowest active number.
		eve.wants("event 254 254=2 252=[1 3] 233=false 203=1")
		ann2.take()
		eve.disconnect()
		ann2.wants("event 254 254=3 252=[1 3] 233=true")
		ann2.disconnect()
		if w.room.set.masterClientID != 0 {
			t.Errorf("master client %d of nobody", w.room.set.masterClientID)
		}
		// The first one in an empty room is.
		eve2 := w.client(p, "eve")
		if err := eve2.join(with(photon.ParamJoinMode, byte(2))); err != nil {
			t.Fatal(err)
		}
		if got := property(eve2.last(false, 226).table(t, photon.ParamGameProperties), photon.PropMasterClientID); got != int32(3) {
			t.Errorf("master client %v", got)
		}
	})
}

// Rooms 5.3.3: without room events the new master client is told as a property.
func TestMasterClientWithoutRoomEvents(t *testing.T) {
	for _, f := range []photon.RoomOptionFlags{photon.FlagSuppressRoomEvents, photon.FlagSuppressPlayerInfo} {
		_, ann, bob, eve := three(t, photon.GpBinaryV18, flag(f))
		eve.disconnect()
		bob.wants()
		ann.disconnect()
		bob.wants("event 253 254=0 253=0 251={248:2}")
	}
}

// LB-203: an inactive actor expires: a second Leave event, and nothing is left of it.
func TestPlayerTTL(t *testing.T) {
	eachProtocol(t, func(t *testing.T, p photon.Protocol) {
		w, ann, bob, eve := three(t, p, with(photon.ParamPlayerTTL, int32(1000)))
		if err := bob.set(with(photon.ParamActorNr, int32(2)), props("k", int32(1))); err != nil {
			t.Fatal(err)
		}
		if err := bob.raise(with(photon.ParamEventCode, byte(1)), with(photon.ParamCache, byte(4))); err != nil {
			t.Fatal(err)
		}
		bob.disconnect()
		w.pass(500 * time.Millisecond)
		eve.disconnect()
		ann.take()
		w.pass(499 * time.Millisecond)
		ann.wants()
		if w.room.cache.count != 1 || w.room.find(2).props.len() != 1 {
			t.Error("an inactive actor keeps its properties and cached events")
		}
		w.pass(time.Millisecond)
		ann.wants("event 254 254=2 252=[1 3] 233=false")
		if w.room.cache.count != 0 || w.room.find(2) != nil || w.room.bytes != 0 {
			t.Error("something of the expired actor is left")
		}
		// Rejoining stops the clock, leaving again starts it anew.
		eve2 := w.client(p, "eve").mustJoin(with(photon.ParamJoinMode, byte(3)))
		w.pass(time.Minute)
		eve2.disconnect()
		ann.take()
		// A longer PlayerTTL counts for those who are away already.
		if err := ann.set(props(photon.PropPlayerTTL, int32(3000))); err != nil {
			t.Fatal(err)
		}
		ann.take()
		w.pass(2999 * time.Millisecond)
		ann.wants()
		w.pass(time.Millisecond)
		ann.wants("event 254 254=3 252=[1] 233=false")
		if w.room.Deadline() != Never {
			t.Errorf("deadline %v with nothing to wait for", w.room.Deadline())
		}
	})
}

// Several expire in one Tick, in the order in which their time came.
func TestPlayerTTLOrder(t *testing.T) {
	w, ann, bob, eve := three(t, photon.GpBinaryV18, with(photon.ParamPlayerTTL, int32(1000)))
	eve.disconnect()
	w.pass(time.Millisecond)
	bob.disconnect()
	ann.take()
	w.pass(time.Hour)
	ann.wants("event 254 254=3 252=[1 2] 233=false", "event 254 254=2 252=[1] 233=false")
}

// LB-205, LB-206: the room stays for EmptyRoomTTL, whoever is inactive.
func TestEmptyRoomTTL(t *testing.T) {
	w := newWorld(t, Config{})
	ann := w.client(photon.GpBinaryV18, "ann").mustCreate(options(with(photon.ParamEmptyRoomTTL, int32(5000)), with(photon.ParamPlayerTTL, int32(-1)),
		with(photon.ParamGameProperties, table("k", int32(1))))...)
	ann.disconnect()
	if w.room.Done() || w.room.Deadline() != w.now+5*time.Second {
		t.Fatalf("done %v, deadline %v at %v", w.room.Done(), w.room.Deadline(), w.now)
	}
	w.pass(4 * time.Second)
	// A join in between stops the timer, and finds the room as it was.
	bob := w.client(photon.GpBinaryV18, "bob")
	if err := bob.join(); err != nil {
		t.Fatal(err)
	}
	if got := property(bob.last(false, 226).table(t, photon.ParamGameProperties), "k"); got != int32(1) {
		t.Errorf("k is %v", got)
	}
	w.pass(time.Hour)
	bob.fails(bob.do(photon.OpLeave), 0)
	w.pass(4999 * time.Millisecond)
	if w.room.Done() {
		t.Fatal("too early")
	}
	w.pass(time.Millisecond)
	if !w.room.Done() || w.room.Deadline() != Never {
		t.Fatal("the room is still there")
	}
	if rec := w.room.Changed(); rec == nil || !rec.Closing {
		t.Errorf("record %+v", rec)
	}
	eve := w.client(photon.GpBinaryV18, "eve")
	eve.fails(eve.join(), photon.ReturnGameDoesNotExist)
}

// EmptyRoomTTL 0: gone with the last player. LB-207 is the owner's new Room.
func TestEmptyRoomEndsAtOnce(t *testing.T) {
	w := newWorld(t, Config{})
	ann := w.client(photon.GpBinaryV18, "ann").mustCreate(options(with(photon.ParamPlayerTTL, int32(-1)))...)
	ann.fails(ann.do(photon.OpLeave, with(photon.ParamIsInactive, true)), 0)
	if !w.room.Done() {
		t.Error("the room is still there")
	}
}

func TestClose(t *testing.T) {
	w, ann, bob, _ := three(t, photon.GpBinaryV18, with(photon.ParamEmptyRoomTTL, int32(5000)))
	w.room.Close(w.now, photon.ReturnOk, "shutdown")
	if !w.room.Done() || len(ann.ended) != 1 || ann.ended[0] != "0 shutdown" || len(bob.ended) != 1 {
		t.Errorf("done %v, ended %q, %q", w.room.Done(), ann.ended, bob.ended)
	}
	ann.wants()
	ann.fails(ann.raise(with(photon.ParamEventCode, byte(1))), photon.ReturnOperationNotAllowedInCurrentState)
	ann.disconnect()
	w.room.Close(w.now, photon.ReturnOk, "again")
	if len(ann.ended) != 1 || w.room.Remove(w.now, 1, Removal{Exclude: false, Code: 0, Text: ""}) {
		t.Error("a closed room closes again")
	}
}

// What is published, and when (matchmaking 2, LB-089, LB-090).
func TestRecord(t *testing.T) {
	w := newWorld(t, Config{})
	ann := w.client(photon.GpBinaryV18, "ann").mustCreate(options(with(photon.ParamPlayerTTL, int32(-1)), with(photon.ParamEmptyRoomTTL, int32(5000)),
		with(photon.ParamGameProperties, table(photon.PropPropsListedInLobby, []string{"map", "mode"}, "map", int32(1), "other", int32(2))))...)
	changed := func(name string, want bool, do func()) {
		t.Helper()
		w.room.Changed()
		do()
		if got := w.room.Changed() != nil; got != want {
			t.Errorf("%s: published %v, want %v", name, got, want)
		}
	}
	set := func(p ...any) func() { return func() { ann.fails(ann.set(props(p...)), 0) } }
	rec := w.room.Changed()
	if rec == nil || rec.App != "app\x001.0" || rec.Name != "room1" || rec.Lobby.Name != "L" || rec.Players != 1 || rec.Incarnation != 7 ||
		rec.Created != 1700000000000 || !rec.Open || !rec.Visible || rec.Plugin != "Default" || show(rec.Properties) != "{map:1}" {
		t.Errorf("record %+v", rec)
	}
	changed("nothing", false, func() {})
	changed("listed property", true, set("mode", "x"))
	changed("other property", false, set("other", int32(3)))
	changed("open, as it was", false, set(photon.PropIsOpen, true))
	changed("closed", true, set(photon.PropIsOpen, false))
	changed("open", true, set(photon.PropIsOpen, true))
	changed("player TTL", false, set(photon.PropPlayerTTL, int32(1000)))
	changed("listed keys", true, set(photon.PropPropsListedInLobby, []string{"other"}))
	changed("event", false, func() { ann.fails(ann.raise(with(photon.ParamEventCode, byte(1))), 0) })
	var bob *client
	changed("join", true, func() { bob = w.client(photon.GpBinaryV18, "bob").mustJoin() })
	changed("inactive", true, func() { bob.disconnect() })
	rec = w.room.Record()
	if rec.Players != 2 || rec.Inactive != 1 || len(rec.Users) != 2 || len(rec.InactiveUsers) != 1 || show(rec.Properties) != "{other:3}" {
		t.Errorf("record %+v", rec)
	}
	// WJ 4.6: whose numbers have no type, matchmaking must know.
	js := w.client(photon.JSON, "js").mustJoin()
	changed("listed keys, one of JavaScript's", true, func() {
		js.fails(js.set(props("js", int32(4))), 0)
		ann.fails(ann.set(props(photon.PropPropsListedInLobby, []string{"other", "js"})), 0)
	})
	if rec = w.room.Record(); !slices.Equal(rec.ByValue, []string{"js"}) {
		t.Errorf("record %+v", rec)
	}
	js.fails(js.do(photon.OpLeave), 0)
	changed("expired", true, func() { w.pass(time.Minute) })
	if list := w.room.Actors(); len(list) != 1 || list[0].Nr != 1 || list[0].UserID != "ann" || list[0].Nickname != "nick ann" || !list[0].Active {
		t.Errorf("actors %+v", list)
	}
}
