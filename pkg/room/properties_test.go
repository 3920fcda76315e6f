package room

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// three makes a room of three players of one protocol.
func three(t *testing.T, p photon.Protocol, create ...par) (w *world, ann, bob, eve *client) {
	w = newWorld(t, Config{})
	ann = w.client(p, "ann").mustCreate(options(create...)...)
	bob = w.client(p, "bob").mustJoin()
	eve = w.client(p, "eve").mustJoin()
	ann.take()
	bob.take()
	return w, ann, bob, eve
}

func flag(f photon.RoomOptionFlags) par {
	return with(photon.ParamRoomOptionFlags, int32(f|photon.FlagCheckUserOnJoin|photon.FlagDeleteCacheOnLeave))
}

func props(kv ...any) par { return with(photon.ParamProperties, table(kv...)) }

func expect(kv ...any) par { return with(photon.ParamExpectedValues, table(kv...)) }

var broadcast = with(photon.ParamBroadcast, true)

// LB-180, LB-181, LB-183, WJ-138, WJ-139: who is told of a change, and when.
func TestPropertiesChanged(t *testing.T) {
	const event = `event 253 254=1 253=0 251={k:1}`
	for _, tt := range []struct {
		name           string
		flags          photon.RoomOptionFlags
		params         []par
		setter, others bool
	}{
		{"broadcast", 0, []par{broadcast}, false, true},
		{"broadcast to all", photon.FlagBroadcastPropertiesChangeToAll, []par{broadcast}, true, true},
		{"broadcast with a condition", 0, []par{broadcast, expect("k", nil)}, true, true},
		{"broadcast with an empty condition", 0, []par{broadcast, expect()}, false, true},
		{"silent", photon.FlagBroadcastPropertiesChangeToAll, nil, false, false},
		{"silent with a condition", 0, []par{with(photon.ParamBroadcast, false), expect("k", nil)}, false, false},
		{"room properties without player info", photon.FlagSuppressPlayerInfo, []par{broadcast}, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachProtocol(t, func(t *testing.T, p photon.Protocol) {
				w, ann, bob, eve := three(t, p, flag(tt.flags))
				if err := ann.set(append([]par{props("k", int32(1))}, tt.params...)...); err != nil {
					t.Fatal(err)
				}
				wants := func(c *client, first []string, told bool) {
					if told {
						first = append(first, event)
					}
					c.wants(first...)
				}
				wants(ann, []string{"response 252 rc 0"}, tt.setter)
				wants(bob, nil, tt.others)
				wants(eve, nil, tt.others)
				fay := w.client(p, "fay")
				if err := fay.join(); err != nil {
					t.Fatal(err)
				}
				if got := property(fay.last(false, 226).table(t, photon.ParamGameProperties), "k"); got != int32(1) {
					t.Errorf("a later joiner sees k = %v", got)
				}
			})
		})
	}
}

// What belongs to the server is ignored silently: where nothing else is set there is
// nothing to tell (loadbalancing-operations.md 5).
func TestServerOwnedProperties(t *testing.T) {
	for _, tt := range []struct {
		target int32
		keys   []any
	}{
		{0, []any{byte(252), byte(9), byte(251), true, byte(249), false}},
		{1, []any{byte(254), true, byte(253), "eve"}},
		{0, nil},
	} {
		eachProtocol(t, func(t *testing.T, p photon.Protocol) {
			if p == photon.JSON && tt.target == 0 && tt.keys != nil {
				t.Skip("these keys are a game's own from JSON (websocket-json.md 4.5)")
			}
			_, ann, bob, _ := three(t, p, flag(photon.FlagBroadcastPropertiesChangeToAll))
			target := with(photon.ParamActorNr, tt.target)
			if err := ann.set(props(tt.keys...), target, broadcast); err != nil {
				t.Fatal(err)
			}
			ann.wants("response 252 rc 0")
			bob.wants()
			if err := ann.set(props(append(tt.keys, "k", "v")...), target, broadcast); err != nil {
				t.Fatal(err)
			}
			bob.wants(fmt.Sprintf("event 253 254=1 253=%d 251={k:\"v\"}", tt.target))
		})
	}
}

// LB-182: properties of actors, set by anyone, of active and inactive ones.
func TestActorProperties(t *testing.T) {
	eachProtocol(t, func(t *testing.T, p photon.Protocol) {
		_, ann, bob, eve := three(t, p, with(photon.ParamPlayerTTL, int32(-1)))
		eve.disconnect()
		ann.take()
		bob.take()
		for _, target := range []int32{1, 2, 3} {
			if err := ann.set(with(photon.ParamActorNr, int64(target)), props(photon.ActorPropNickName, "N", "k", int32(2)), broadcast); err != nil {
				t.Fatal(err)
			}
			ann.wants("response 252 rc 0")
			bob.wants(fmt.Sprintf(`event 253 254=1 253=%d 251={255:"N" k:2}`, target))
		}
		for _, target := range []any{int32(4), int32(-1)} {
			ann.fails(ann.set(with(photon.ParamActorNr, target), props("k", int32(1)), broadcast), -2)
		}
		ann.fails(ann.set(with(photon.ParamActorNr, int32(1)), props(photon.ActorPropNickName, int32(3))), -2)
		bob.wants()
		// Conditions on an actor's properties, the server's included.
		if p != photon.JSON {
			if err := ann.set(with(photon.ParamActorNr, int32(3)), props("k", int32(5)),
				expect("k", int32(2), photon.ActorPropUserID, "eve", photon.ActorPropIsInactive, true)); err != nil {
				t.Error(err)
			}
			ann.fails(ann.set(with(photon.ParamActorNr, int32(3)), props("k", int32(6)), expect(photon.ActorPropUserID, "bob")), -2)
		}
	})
}

// LB-157, rooms 4.2.7: without player info nobody is told of actors' properties.
func TestActorPropertiesWithoutPlayerInfo(t *testing.T) {
	_, ann, bob, _ := three(t, photon.GpBinaryV18, flag(photon.FlagSuppressPlayerInfo|photon.FlagBroadcastPropertiesChangeToAll))
	if err := ann.set(with(photon.ParamActorNr, int32(2)), props("k", int32(2)), broadcast, expect("k", nil)); err != nil {
		t.Fatal(err)
	}
	ann.wants("response 252 rc 0")
	bob.wants()
}

// LB-183, LB-184, LB-185, WJ-065, WJ-137, WJ-059: conditions.
func TestCompareAndSwap(t *testing.T) {
	const both = 0
	for _, tt := range []struct {
		name   string
		writer photon.Protocol // of property k, if v is not nil
		v      any
		asker  photon.Protocol
		expect *gpbinary.Hashtable
		holds  bool
	}{
		{"equal", photon.GpBinaryV18, int32(5), photon.GpBinaryV16, table("k", int32(5)), true},
		{"other value", photon.GpBinaryV18, int32(5), photon.GpBinaryV16, table("k", int32(6)), false},
		{"other type", photon.GpBinaryV18, byte(5), photon.GpBinaryV16, table("k", int32(5)), false},
		{"one of two", photon.GpBinaryV18, int32(5), photon.GpBinaryV16, table("k", int32(5), "l", int32(1)), false},
		{"null and absent", both, nil, photon.GpBinaryV18, table("k", nil), true},
		{"value and absent", both, nil, photon.GpBinaryV18, table("k", int32(0)), false},
		{"null and value", photon.GpBinaryV18, int32(5), photon.GpBinaryV18, table("k", nil), false},
		{"JSON asks for a byte", photon.GpBinaryV16, byte(5), photon.JSON, table("k", int32(5)), true},
		{"JSON asks for a short", photon.GpBinaryV16, int16(5), photon.JSON, table("k", int32(5)), true},
		{"JSON asks for a double", photon.GpBinaryV16, float64(5), photon.JSON, table("k", int32(5)), true},
		{"JSON text is no number", photon.GpBinaryV16, byte(5), photon.JSON, table("k", "5"), false},
		{"JSON wrote, .NET asks for a byte", photon.JSON, int32(5), photon.GpBinaryV18, table("k", byte(5)), true},
		{"JSON array", photon.GpBinaryV18, []string{"a", "b"}, photon.JSON, table("k", []string{"a", "b"}), true},
		{"array", photon.GpBinaryV18, []int32{1, 2}, photon.GpBinaryV16, table("k", []int32{1, 2}), true},
		{"other array", photon.GpBinaryV18, []int32{1, 2}, photon.GpBinaryV16, table("k", []int32{1}), false},
		{"table", photon.GpBinaryV18, table("a", int32(1), byte(1), "x"), photon.GpBinaryV16, table("k", table(byte(1), "x", "a", int32(1))), true},
		{"float", photon.GpBinaryV18, float32(1.5), photon.GpBinaryV18, table("k", float32(1.5)), true},
		{"open by default", both, nil, photon.JSON, table(photon.PropIsOpen, true), true},
		{"visible by default", both, nil, photon.JSON, table(photon.PropIsVisible, true), true},
		{"not closed", both, nil, photon.JSON, table(photon.PropIsOpen, false), false},
		{"no limit by default", both, nil, photon.JSON, table(photon.PropMaxPlayers, byte(0)), true},
		{"master client", both, nil, photon.JSON, table(photon.PropMasterClientID, int32(1)), true},
		{"not the master client", both, nil, photon.JSON, table(photon.PropMasterClientID, int32(2)), false},
		{"master client as byte", both, nil, photon.GpBinaryV18, table(photon.PropMasterClientID, byte(1)), true},
		{"limit as int", both, nil, photon.GpBinaryV18, table(photon.PropMaxPlayers, int32(0), photon.PropMaxPlayersInt, int32(0)), true},
		{"time to live", both, nil, photon.GpBinaryV18, table(photon.PropPlayerTTL, int32(0), photon.PropEmptyRoomTTL, int32(0)), true},
		{"cache is cleaned", both, nil, photon.GpBinaryV18, table(photon.PropCleanupCacheOnLeave, true), true},
		{"no one expected", both, nil, photon.JSON, table(photon.PropExpectedUsers, nil), true},
		{"empty list expected", both, nil, photon.GpBinaryV18, table(photon.PropExpectedUsers, []string{}), true},
		{"someone expected", both, nil, photon.JSON, table(photon.PropExpectedUsers, []string{"x"}), false},
		{"wrong type", both, nil, photon.GpBinaryV18, table(photon.PropExpectedUsers, int32(1)), false},
		{"nothing listed", both, nil, photon.GpBinaryV18, table(photon.PropPropsListedInLobby, []string{}), true},
		{"byte key of a game", both, nil, photon.GpBinaryV18, table(byte(3), nil), true},
		{"key of an odd kind", both, nil, photon.GpBinaryV18, table(gpbinary.Custom{Code: 1, Data: []byte{1}}, int32(1)), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, Config{})
			w.client(photon.GpBinaryV18, "ann").mustCreate(options()...)
			if tt.v != nil {
				writer := w.client(tt.writer, "writer").mustJoin()
				if err := writer.set(props("k", tt.v)); err != nil {
					t.Fatal(err)
				}
			}
			asker, other := w.client(tt.asker, "asker").mustJoin(), w.client(photon.GpBinaryV18, "other").mustJoin()
			asker.take()
			err := asker.set(props("k", int32(99), "new", true), broadcast, with(photon.ParamExpectedValues, tt.expect))
			if (err == nil) != tt.holds {
				t.Fatalf("got %v, want it to hold: %v", err, tt.holds)
			}
			if err != nil {
				asker.wants("response 252 rc -2")
				other.wants()
				return
			}
			nr := asker.seat.ActorNr()
			event := fmt.Sprintf("event 253 254=%d 253=0 251={k:99 new:true}", nr)
			asker.wants("response 252 rc 0", event)
			other.wants(event)
		})
	}
}

// LB-187: no update is lost.
func TestCompareAndSwapCounter(t *testing.T) {
	w := newWorld(t, Config{})
	clients := []*client{w.client(photon.GpBinaryV18, "0").mustCreate(options(with(photon.ParamGameProperties, table("n", int32(0))))...)}
	for i := 1; i < 10; i++ {
		clients = append(clients, w.client(protocols[i%3], fmt.Sprint(i)).mustJoin())
	}
	// All read, all try, one wins: 100 times.
	applied := int32(0)
	for round := range int32(100) {
		for i, c := range clients {
			first := clients[(int(round)+i)%10]
			if first.set(props("n", round+1), expect("n", round)) == nil {
				applied++
			}
			c.take()
		}
	}
	if v, _ := w.room.props.get("n"); v != int32(100) || applied != 100 {
		t.Errorf("n = %v after %d successes", v, applied)
	}
}

// LB-186: null removes, or is kept.
func TestNullProperties(t *testing.T) {
	for _, tt := range []struct {
		flags photon.RoomOptionFlags
		want  string
	}{{photon.FlagDeleteNullProperties, "{keep:1}"}, {0, "{keep:1 a:null b:null new:null}"}} {
		eachProtocol(t, func(t *testing.T, p photon.Protocol) {
			w, ann, bob, _ := three(t, p, flag(tt.flags), with(photon.ParamGameProperties, table("keep", int32(1), "a", int32(2), "b", "x")))
			if err := ann.set(props("a", nil, "b", nil, "new", nil), broadcast); err != nil {
				t.Fatal(err)
			}
			ann.wants("response 252 rc 0")
			bob.wants("event 253 254=1 253=0 251={a:null b:null new:null}")
			if got := show(&w.room.props.table); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if err := ann.set(with(photon.ParamActorNr, int32(2)), props("a", nil)); err != nil {
				t.Fatal(err)
			}
			if got := w.room.find(2).props.len(); got != 1-int(tt.flags>>4) {
				t.Errorf("actor has %d properties", got)
			}
		})
	}
}

// LB-188: well-known properties and their effect.
func TestWellKnownProperties(t *testing.T) {
	w, ann, bob, _ := three(t, photon.GpBinaryV18, with(photon.ParamGameProperties, table("map", int32(3), "secret", int32(4))))
	w.room.Changed()
	set := func(want string, kv ...any) {
		t.Helper()
		if err := ann.set(props(kv...), broadcast); err != nil {
			t.Fatal(err)
		}
		bob.wants("event 253 254=1 253=0 251=" + want)
	}
	set("{253:false}", photon.PropIsOpen, false)
	fay := w.client(photon.GpBinaryV16, "fay")
	fay.fails(fay.join(), photon.ReturnGameClosed)
	set("{253:true 254:false}", photon.PropIsOpen, true, photon.PropIsVisible, false)
	set("{255:5}", photon.PropMaxPlayers, byte(5))
	set("{255:0 243:300}", photon.PropMaxPlayersInt, int32(300))
	set("{255:0 243:400}", photon.PropMaxPlayers, int32(400))
	set("{255:6 243:6}", photon.PropMaxPlayers, byte(9), photon.PropMaxPlayersInt, int32(6))
	set(`{250:["map"]}`, photon.PropPropsListedInLobby, []string{"map"})
	set("{246:7 245:8}", photon.PropPlayerTTL, byte(7), photon.PropEmptyRoomTTL, int64(8))
	set(`{247:["x"]}`, photon.PropExpectedUsers, []string{"x"})
	rec := w.room.Changed()
	if rec == nil || rec.Visible || !rec.Open || rec.MaxPlayers != 6 || show(rec.Properties) != "{map:3}" || !slices.Equal(rec.Expected, []string{"x"}) {
		t.Errorf("record %+v", rec)
	}
	set("{247:null}", photon.PropExpectedUsers, nil)
	// The server's own keys are left out, the rest applied.
	set("{k:1}", photon.PropPlayerCount, byte(9), photon.PropRemoved, true, photon.PropCleanupCacheOnLeave, false, "k", int32(1))
	// Games may have other keys.
	set("{3:1 1000:2}", byte(3), int32(1), int32(1000), int32(2))
	if err := fay.join(); err != nil {
		t.Fatal(err)
	}
	got := show(fay.last(false, 226).param(photon.ParamGameProperties))
	if want := `{255:6 254:false 253:true 250:["map"] 248:1 246:7 245:8 243:6 247:[] map:3 secret:4 k:1 3:1 1000:2}`; got != want {
		t.Errorf("joiner sees\n%s, want\n%s", got, want)
	}
}

// LB-188, LB-189: what is refused, with nothing applied.
func TestWellKnownRefused(t *testing.T) {
	for _, tt := range []struct {
		name string
		kv   []any
		code photon.ReturnCode
	}{
		{"fewer places than actors", []any{photon.PropMaxPlayers, byte(2)}, -2},
		{"no limit", []any{photon.PropMaxPlayers, byte(0)}, 0},
		{"just enough", []any{photon.PropMaxPlayers, byte(3)}, 0},
		{"too many expected", []any{photon.PropExpectedUsers, []string{"x", "y", "z"}}, photon.ReturnSlotError},
		{"actors are no extra", []any{photon.PropExpectedUsers, []string{"x", "y", "ann", "x"}}, 0},
		{"together", []any{photon.PropExpectedUsers, []string{"x", "y", "z"}, photon.PropMaxPlayers, byte(6)}, 0},
		{"together, too few", []any{photon.PropExpectedUsers, []string{"x"}, photon.PropMaxPlayers, byte(3)}, photon.ReturnSlotError},
		{"together, too few for the actors", []any{photon.PropExpectedUsers, []string{"x"}, photon.PropMaxPlayers, byte(2)}, -2},
		{"together, less for fewer", []any{photon.PropExpectedUsers, nil, photon.PropMaxPlayers, byte(3)}, 0},
		{"PlayerTTL", []any{photon.PropPlayerTTL, int32(-2)}, -2},
		{"EmptyRoomTTL", []any{photon.PropEmptyRoomTTL, int32(60001)}, -2},
		{"EmptyRoomTTL no number", []any{photon.PropEmptyRoomTTL, true}, -2},
		{"IsOpen", []any{photon.PropIsOpen, nil}, -2},
		{"listed", []any{photon.PropPropsListedInLobby, gpbinary.ObjectArray{int32(1)}}, -2},
		{"expected", []any{photon.PropExpectedUsers, "x"}, -2},
		{"user id too long", []any{photon.PropExpectedUsers, []string{strings.Repeat("x", 257)}}, photon.ReturnSlotError},
		{"key", []any{true, int32(1)}, -2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, ann, bob, _ := three(t, photon.GpBinaryV18, with(photon.ParamGameProperties, table(photon.PropMaxPlayers, byte(5))))
			ann.fails(ann.set(props(append([]any{"k", int32(1)}, tt.kv...)...), broadcast), tt.code)
			if tt.code != 0 {
				bob.wants()
			}
		})
	}
	// Places that are reserved can't be taken away.
	_, ann, _, _ := three(t, photon.GpBinaryV18, with(photon.ParamExpectedUsers, []string{"x"}))
	ann.fails(ann.set(props(photon.PropMaxPlayers, byte(3))), -2)
	ann.fails(ann.set(props(photon.PropMaxPlayers, byte(4))), 0)
}

// LB-190: the master client is chosen by hand.
func TestSetMasterClient(t *testing.T) {
	for _, value := range []any{byte(2), int32(2), int64(2), float64(2)} {
		_, ann, bob, eve := three(t, photon.GpBinaryV18)
		if err := bob.set(props(photon.PropMasterClientID, value), broadcast, expect(photon.PropMasterClientID, int32(1))); err != nil {
			t.Fatal(err)
		}
		m := eve.last(true, 253)
		if got, _ := m.table(t, photon.ParamProperties).Get(photon.PropMasterClientID); got != int32(2) {
			t.Errorf("%T: others see %v (%T)", value, got, got)
		}
		ann.wants("event 253 254=2 253=0 251={248:2}")
		bob.wants("response 252 rc 0", "event 253 254=2 253=0 251={248:2}")
	}
	eachProtocol(t, func(t *testing.T, p photon.Protocol) {
		_, ann, bob, eve := three(t, p, with(photon.ParamPlayerTTL, int32(-1)))
		eve.disconnect()
		ann.take()
		bob.take()
		condition := expect(photon.PropMasterClientID, int32(1))
		ann.fails(ann.set(props(photon.PropMasterClientID, int32(2)), broadcast, expect(photon.PropMasterClientID, int32(2))), -2)
		for _, nr := range []int32{0, 3, 9, -1} {
			ann.fails(ann.set(props(photon.PropMasterClientID, nr), broadcast, condition), -2)
		}
		ann.fails(ann.set(props(photon.PropMasterClientID, "2"), broadcast, condition), -2)
		bob.wants()
		ann.fails(ann.set(props(photon.PropMasterClientID, int32(2)), broadcast, condition), 0)
	})
}

// Bad requests, LB-004, LB-005: refused with the parameter's name.
func TestSetPropertiesRefuses(t *testing.T) {
	_, ann, _, _ := three(t, photon.GpBinaryV18)
	for want, params := range map[string][]par{
		"251": {broadcast},
		"254": {props("k", "v"), with(photon.ParamActorNr, "2")},
		"250": {props("k", "v"), with(photon.ParamBroadcast, int32(1))},
		"231": {props("k", "v"), with(photon.ParamExpectedValues, "x")},
	} {
		err := ann.set(params...)
		ann.fails(err, -2)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name parameter %s", err, want)
		}
	}
	ann.fails(ann.set(with(photon.ParamProperties, "x")), -2)
}

// LB-193: the nickname that 4.1.8 clients set at once, many cached events or not.
func TestNicknameRightAfterJoin(t *testing.T) {
	w, ann, _, _ := three(t, photon.GpBinaryV18)
	for range 1000 {
		if err := ann.raise(with(photon.ParamEventCode, byte(1)), with(photon.ParamCache, byte(photon.AddToRoomCache))); err != nil {
			t.Fatal(err)
		}
	}
	fay := w.client(photon.GpBinaryV18, "fay").mustJoin()
	if err := fay.set(with(photon.ParamActorNr, int32(4)), props(photon.ActorPropNickName, "Fay"), broadcast); err != nil {
		t.Fatal(err)
	}
	fay.wants("response 252 rc 0")
}

// LB-194: GetProperties.
func TestGetProperties(t *testing.T) {
	eachProtocol(t, func(t *testing.T, p photon.Protocol) {
		_, ann, _, _ := three(t, p, with(photon.ParamGameProperties, table("a", int32(1), "b", int32(2))),
			with(photon.ParamPlayerProperties, table(photon.ActorPropNickName, "Ann", "hp", int32(3))))
		well := "255:0 254:true 253:true 250:[] 248:1 246:0 245:0 243:0 "
		for _, tt := range []struct {
			params []par
			want   string
		}{
			{nil, ""},
			{[]par{with(photon.ParamProperties, byte(1))}, ` 248={` + well + `a:1 b:2}`},
			{[]par{with(photon.ParamProperties, byte(2))}, ` 249={1:{255:"Ann" hp:3} 2:{} 3:{}}`},
			{[]par{with(photon.ParamProperties, byte(3))}, ` 249={1:{255:"Ann" hp:3} 2:{} 3:{}} 248={` + well + `a:1 b:2}`},
			{[]par{with(photon.ParamProperties, int32(1)), with(photon.ParamGameProperties, []string{"b", "x"})}, ` 248={b:2}`},
			{[]par{with(photon.ParamProperties, int32(1)), with(photon.ParamGameProperties, []byte{255, 248})}, map[bool]string{false: ` 248={255:0 248:1}`, true: ``}[p == photon.JSON]},
			{[]par{with(photon.ParamProperties, int32(1)), with(photon.ParamGameProperties, gpbinary.ObjectArray{"253", "243", "a"})}, map[bool]string{false: ` 248={a:1}`, true: ` 248={253:true a:1}`}[p == photon.JSON]},
			{[]par{with(photon.ParamProperties, byte(2)), with(photon.ParamActorList, []int32{1}), with(photon.ParamPlayerProperties, gpbinary.ObjectArray{"255", "25"})}, map[bool]string{false: ` 249={1:{}}`, true: ` 249={1:{255:"Ann"}}`}[p == photon.JSON]},
			{[]par{with(photon.ParamProperties, byte(2)), with(photon.ParamActorList, []int32{1, 9}), with(photon.ParamPlayerProperties, []string{"hp"})}, ` 249={1:{hp:3}}`},
		} {
			if tt.want == "" && len(tt.params) > 0 {
				continue // JSON has no byte keys
			}
			if err := ann.do(photon.OpGetProperties, tt.params...); err != nil {
				t.Fatal(err)
			}
			ann.wants("response 251 rc 0" + tt.want)
		}
		ann.fails(ann.do(photon.OpGetProperties, with(photon.ParamProperties, "x")), -2)
		ann.fails(ann.do(photon.OpGetProperties, with(photon.ParamProperties, byte(1)), with(photon.ParamGameProperties, "x")), -2)
		ann.fails(ann.do(photon.OpGetProperties, with(photon.ParamProperties, byte(1)), with(photon.ParamGameProperties, make([]byte, 1001))), -2)
	})
}

// LB-195: limits in keys and bytes, in the room and over all actors.
func TestPropertyLimits(t *testing.T) {
	w := newWorld(t, Config{MaxProperties: 3, MaxPropertyBytes: 200})
	ann := w.client(photon.GpBinaryV18, "ann").mustCreate(flag(photon.FlagDeleteNullProperties))
	const over = photon.ReturnOperationLimitReached
	ann.fails(ann.set(props("a", int32(1), "b", int32(1), "c", int32(1), "d", int32(1))), over)
	ann.fails(ann.set(props("a", int32(1), "b", int32(1), "c", int32(1))), 0)
	ann.fails(ann.set(props("d", int32(1))), over)
	ann.fails(ann.set(props("a", nil, "d", int32(1))), 0)
	ann.fails(ann.set(props("d", strings.Repeat("x", 300))), over)
	ann.fails(ann.set(props("d", strings.Repeat("x", 100))), 0)
	ann.fails(ann.set(with(photon.ParamActorNr, int32(1)), props("p", strings.Repeat("x", 100))), over)
	bob := w.client(photon.GpBinaryV16, "bob")
	bob.fails(bob.join(with(photon.ParamPlayerProperties, table("p", strings.Repeat("x", 100)))), over)
	ann.fails(ann.set(props("d", strings.Repeat("y", 20))), 0)
	bob.mustJoin(with(photon.ParamPlayerProperties, table("p", strings.Repeat("x", 100))))
	ann.fails(ann.set(props("d", strings.Repeat("y", 100))), over)
	bob.disconnect() // its properties are gone with it
	ann.fails(ann.set(props("d", strings.Repeat("y", 100))), 0)
	eve := newWorld(t, Config{MaxProperties: 1}).client(photon.JSON, "eve")
	eve.fails(eve.create(with(photon.ParamGameProperties, table("a", int32(1), "b", int32(1)))), over)
}

// Serialization.md 14: what a receiver's format can't hold is left out for it alone.
func TestInexpressibleProperties(t *testing.T) {
	w, ann, _, _ := three(t, photon.GpBinaryV18)
	old := w.client(photon.GpBinaryV16, "old").mustJoin()
	long := make([]int16, 40000) // above what V16 can write
	if err := ann.set(props("long", long, "short", int32(1)), broadcast); err != nil {
		t.Fatal(err)
	}
	old.wants("event 253 254=1 253=0 251={short:1}")
	if err := ann.set(with(photon.ParamActorNr, int32(1)), props("long", long, "short", int32(2)), broadcast); err != nil {
		t.Fatal(err)
	}
	old.wants("event 253 254=1 253=1 251={short:2}")
	older := w.client(photon.GpBinaryV16, "older")
	if err := older.join(); err != nil {
		t.Fatal(err)
	}
	m := older.last(false, 226)
	if got := show(m.param(photon.ParamPlayerProperties)); got != "{1:{short:2}}" {
		t.Errorf("249 is %.100s", got)
	}
	game := m.table(t, photon.ParamGameProperties)
	if _, has := game.Get("long"); has || property(game, "short") != int32(1) || property(game, photon.PropMasterClientID) != int32(1) {
		t.Errorf("248 is %.200s", show(game))
	}
	if w.room.Stats().Undeliverable != 4 {
		t.Errorf("%d undeliverable, want 4", w.room.Stats().Undeliverable)
	}
}

// WJ-058 to WJ-062: properties between JavaScript and .NET clients.
func TestPropertiesBetweenProtocols(t *testing.T) {
	w := newWorld(t, Config{})
	net := w.client(photon.GpBinaryV16, "net").mustCreate(options(with(photon.ParamGameProperties, table(photon.PropMaxPlayers, byte(4))))...)
	js := w.client(photon.JSON, "js")
	join := js.parse([]byte(frame(`{"req":226,"vals":[255,"room1",250,true,249,{"255":"Bob","5":1,"1000":2,"249":3,"hp":10}]}`)))
	seat, err := joinRoom(w.room, w.now, join, js.joiner())
	if js.entered(seat, err) != nil {
		t.Fatal(err)
	}
	joined := net.last(true, 255).table(t, photon.ParamPlayerProperties)
	for key, want := range map[any]any{photon.ActorPropNickName: "Bob", "5": int32(1), "1000": int32(2), "249": int32(3), "hp": int32(10)} {
		if got, _ := joined.Get(key); got != want {
			t.Errorf("249: %v is %v (%T), want %v", key, got, got, want)
		}
	}
	// setMaxPlayers, with the condition on what the client knows.
	js.take()
	if err := js.run(js.parse([]byte(frame(`{"req":252,"vals":[251,{"255":6},250,true,231,{"255":4}]}`)))); err != nil {
		t.Fatal(err)
	}
	js.wants("response 252 rc 0", "event 253 254=2 253=0 251={255:6}")
	if got, _ := net.last(true, 253).table(t, photon.ParamProperties).Get(photon.PropMaxPlayers); got != byte(6) {
		t.Errorf("255 is %v (%T)", got, got)
	}
	// clearExpectedUsers, its condition an array.
	if err := net.set(props(photon.PropExpectedUsers, []string{"u"})); err != nil {
		t.Fatal(err)
	}
	if err := js.run(js.parse([]byte(frame(`{"req":252,"vals":[251,{"247":null},250,true,231,{"247":["u"]}]}`)))); err != nil {
		t.Fatal(err)
	}
	if err := js.run(js.parse([]byte(frame(`{"req":252,"vals":[251,{"247":["u"]},250,true,231,{"247":null}]}`)))); err != nil {
		t.Fatal(err)
	}
	// A float comes to JavaScript as its short decimal.
	js.take()
	if err := net.set(props("f", float32(1.5)), broadcast); err != nil {
		t.Fatal(err)
	}
	js.wants("event 253 254=1 253=0 251={f:1.5}")
}

func frame(json string) string { return fmt.Sprintf("~m~%d~m~~j~%s", len(json)+3, json) }

// holding is a plugin that does not decide about joins.
type holding struct {
	Hooks
	held *Entry
}

func (h *holding) CreateGame(now time.Duration, e *Entry) { _ = e.Continue(now) }
func (h *holding) BeforeJoin(now time.Duration, e *Entry) { _ = e.Continue(now) }
func (h *holding) Join(_ time.Duration, e *Entry)         { h.held = e }

// Nobody learns of an actor before the plugin has let it in, GetProperties or not.
func TestGetPropertiesOfUndecided(t *testing.T) {
	eachProtocol(t, func(t *testing.T, p photon.Protocol) {
		w := newWorld(t, Config{})
		h := &holding{}
		w.room.SetHooks(h)
		ann := w.client(p, "ann").mustCreate(flag(photon.FlagPublishUserID))
		bob := w.client(p, "bob")
		w.room.Join(w.now, bob.request(photon.OpJoinGame, nil), bob.joiner(), func(*Seat, error) {})
		get := func(want string) {
			t.Helper()
			if err := ann.do(photon.OpGetProperties, with(photon.ParamProperties, byte(2))); err != nil {
				t.Fatal(err)
			}
			ann.wants("response 251 rc 0 249=" + want)
		}
		get(`{1:{253:"ann"}}`)
		if err := h.held.Continue(w.now); err != nil {
			t.Fatal(err)
		}
		ann.take()
		get(`{1:{253:"ann"} 2:{253:"bob"}}`)
	})
}
