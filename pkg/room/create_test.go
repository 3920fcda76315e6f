package room

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// flags43 is what .NET clients send: check user, delete cache, publish user ids,
// broadcast to all.
const flags43 = photon.FlagCheckUserOnJoin | photon.FlagDeleteCacheOnLeave | photon.FlagPublishUserID | photon.FlagBroadcastPropertiesChangeToAll

// options are the parameters of a create request by a .NET client, more of them,
// or others in their place.
func options(more ...par) []par {
	params := []par{
		with(photon.ParamRoomName, "room1"), with(photon.ParamBroadcast, true),
		with(photon.ParamRoomOptionFlags, int32(photon.FlagCheckUserOnJoin|photon.FlagDeleteCacheOnLeave)),
	}
	for _, m := range more {
		params = append(slices.DeleteFunc(params, func(p par) bool { return p.Key == m.Key }), m)
	}
	return params
}

// LB-150, LB-151, WJ-131, WJ-134: the response, then the Join event, nothing between.
func TestCreate(t *testing.T) {
	eachProtocol(t, func(t *testing.T, p photon.Protocol) {
		w := newWorld(t, Config{})
		ann := w.client(p, "ann")
		err := ann.create(
			with(photon.ParamRoomName, "room1"), with(photon.ParamBroadcast, true),
			with(photon.ParamPlayerProperties, table(photon.ActorPropNickName, "Ann", "pk", "pv")),
			with(photon.ParamGameProperties, table(
				photon.PropIsOpen, true, photon.PropIsVisible, true, photon.PropPropsListedInLobby, []string{"map"},
				"map", int32(1), photon.PropMaxPlayers, byte(4))),
			with(photon.ParamPlayerTTL, int32(1000)), with(photon.ParamEmptyRoomTTL, int32(2000)),
			with(photon.ParamRoomOptionFlags, int32(flags43)))
		if err != nil {
			t.Fatal(err)
		}
		ann.wants(
			`response 227 rc 0 254=1 252=[1] 249={} `+
				`248={255:4 254:true 253:true 250:["map"] 248:1 246:1000 245:2000 243:4 map:1} 191=43 201="Default" 200=""`,
			`event 255 254=1 252=[1] 249={255:"Ann" pk:"pv" 253:"ann"}`,
		)
	})
}

// LB-151, WJ-058: the types that clients cast to, whatever the creator speaks.
func TestResponseTypes(t *testing.T) {
	for _, creator := range protocols {
		for _, joiner := range []photon.Protocol{photon.GpBinaryV16, photon.GpBinaryV18} {
			w := newWorld(t, Config{})
			custom := table(photon.PropMaxPlayers, byte(4), photon.PropIsOpen, true, "hp", int32(10), "name", "x")
			w.client(creator, "ann").mustCreate(options(with(photon.ParamGameProperties, custom), with(photon.ParamExpectedUsers, []string{"bob"}))...)
			bob := w.client(joiner, "bob")
			if err := bob.join(); err != nil {
				t.Fatal(err)
			}
			m := bob.last(false, byte(photon.OpJoinGame))
			if m.param(photon.ParamActorNr) != int32(2) || m.param(photon.ParamRoomOptionFlags) != int32(3) {
				t.Errorf("%s: 254 or 191 have a wrong type or value", m.text)
			}
			if _, ok := m.param(photon.ParamActorList).([]int32); !ok {
				t.Errorf("252 is a %T", m.param(photon.ParamActorList))
			}
			props := m.table(t, photon.ParamGameProperties)
			for key, want := range map[any]any{
				photon.PropMaxPlayers: byte(4), photon.PropMaxPlayersInt: int32(4), photon.PropIsVisible: true, photon.PropIsOpen: true,
				photon.PropMasterClientID: int32(1), photon.PropPlayerTTL: int32(0), photon.PropEmptyRoomTTL: int32(0),
				photon.PropPropsListedInLobby: []string{}, photon.PropExpectedUsers: []string{"bob"}, "hp": int32(10), "name": "x",
			} {
				if got, _ := props.Get(key); !gpbinary.Equal(got, want) {
					t.Errorf("%s to %s: property %v is %v (%T), want %v (%T)", creator, joiner, key, got, got, want, want)
				}
			}
		}
	}
}

// LB-156, LB-157: flags as numbers, as single bools, and what they bring along.
func TestFlags(t *testing.T) {
	for _, tt := range []struct {
		name   string
		params []par
		want   int32
	}{
		{"191", []par{with(photon.ParamRoomOptionFlags, int32(43))}, 43},
		{"191 wins over bools", []par{with(photon.ParamRoomOptionFlags, int32(2)), with(photon.ParamCheckUserOnJoin, true)}, 2},
		{"JavaScript", []par{with(photon.ParamCleanupCacheOnLeave, true), with(photon.ParamCheckUserOnJoin, true), with(photon.ParamPublishUserID, true)}, 0x0B},
		{"nothing", nil, 2},
		{"cache stays", []par{with(photon.ParamCleanupCacheOnLeave, false)}, 0},
		{"no room events", []par{with(photon.ParamSuppressRoomEvents, true)}, 6},
		{"no player info", []par{with(photon.ParamRoomOptionFlags, int32(0x40))}, 0x44},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachProtocol(t, func(t *testing.T, p photon.Protocol) {
				c := newWorld(t, Config{}).client(p, "ann")
				if err := c.create(tt.params...); err != nil {
					t.Fatal(err)
				}
				if got := show(c.last(false, 227).param(photon.ParamRoomOptionFlags)); got != show(tt.want) {
					t.Errorf("191 is %s, want %d", got, tt.want)
				}
			})
		})
	}
}

// LB-168, LB-134, rooms 2.2: bad options make no room.
func TestCreateRefuses(t *testing.T) {
	room := func(kv ...any) par { return with(photon.ParamGameProperties, table(kv...)) }
	for _, tt := range []struct {
		name  string
		param par
		code  photon.ReturnCode
		text  string
	}{
		{"EmptyRoomTTL above the maximum", with(photon.ParamEmptyRoomTTL, int32(60001)), -2, "60000"},
		{"EmptyRoomTTL as property", room(photon.PropEmptyRoomTTL, int32(60001)), -2, "60000"},
		{"EmptyRoomTTL -1", with(photon.ParamEmptyRoomTTL, int32(-1)), -2, "236"},
		{"PlayerTTL -2", with(photon.ParamPlayerTTL, int32(-2)), -2, "235"},
		{"PlayerTTL is no number", with(photon.ParamPlayerTTL, "x"), -2, "235"},
		{"MaxPlayers negative", room(photon.PropMaxPlayers, int32(-1)), -2, "MaxPlayers"},
		{"MaxPlayers no number", room(photon.PropMaxPlayersInt, "4"), -2, "MaxPlayers"},
		{"IsOpen no bool", room(photon.PropIsOpen, int32(1)), -2, "IsOpen"},
		{"IsVisible null", room(photon.PropIsVisible, nil), -2, "IsVisible"},
		{"listed keys", room(photon.PropPropsListedInLobby, int32(5)), -2, "PropsListedInLobby"},
		{"flags", with(photon.ParamRoomOptionFlags, "x"), -2, "191"},
		{"properties are no table", with(photon.ParamGameProperties, "x"), -2, "248"},
		{"key of a property is a float", room(float32(1), true), -2, "248"},
		{"player properties are no table", with(photon.ParamPlayerProperties, int32(1)), -2, "249"},
		{"nickname is no string", with(photon.ParamPlayerProperties, table(photon.ActorPropNickName, int32(1))), -2, "249"},
		{"expected users", with(photon.ParamExpectedUsers, int32(1)), -2, "238"},
		{"two plugins", with(photon.ParamPlugins, []string{"a", "b"}), photon.ReturnPluginMismatch, "204"},
		{"unknown plugin", with(photon.ParamPlugins, []string{"NoSuch"}), photon.ReturnPluginMismatch, "NoSuch"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, Config{})
			c := w.client(photon.GpBinaryV18, "ann")
			err := c.create(tt.param)
			if Code(err) != tt.code || err == nil || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("got %v (%d), want %d with %q", err, Code(err), tt.code, tt.text)
			}
			c.wants(map[photon.ReturnCode]string{-2: "response 227 rc -2", photon.ReturnPluginMismatch: "response 227 rc 32751"}[tt.code])
			if !w.room.Done() || w.room.Deadline() != Never {
				t.Error("the room is still there")
			}
		})
	}
}

// LB-167: creator and expected users must fit.
func TestCreateWithExpectedUsers(t *testing.T) {
	for _, tt := range []struct {
		max   byte
		users []string
		code  photon.ReturnCode
	}{
		{3, []string{"bob", "eve"}, photon.ReturnOk},
		{2, []string{"bob", "eve"}, photon.ReturnSlotError},
		{2, []string{"bob", "ann", "bob"}, photon.ReturnOk}, // each user once, the creator too
		{0, []string{"bob", "eve"}, photon.ReturnOk},
	} {
		c := newWorld(t, Config{}).client(photon.GpBinaryV18, "ann")
		err := c.create(with(photon.ParamGameProperties, table(photon.PropMaxPlayers, tt.max)), with(photon.ParamExpectedUsers, tt.users))
		if Code(err) != tt.code {
			t.Errorf("%d places for %v: %v, want %d", tt.max, tt.users, err, tt.code)
		}
	}
	c := newWorld(t, Config{MaxExpectedUsers: 1}).client(photon.GpBinaryV18, "ann")
	c.fails(c.create(with(photon.ParamExpectedUsers, []string{"a", "b"})), photon.ReturnSlotError)
}

// LB-168: -1 is no limit. LB-006: any integer width.
func TestPlayerTTLValues(t *testing.T) {
	for _, tt := range []struct {
		ttl any
		end time.Duration
	}{
		{int32(-1), 20 * time.Second}, // the room's own end
		{int64(2147483647), 20 * time.Second},
		{int16(5000), 5 * time.Second},
		{byte(200), 200 * time.Millisecond},
	} {
		w := newWorld(t, Config{})
		c := w.client(photon.GpBinaryV18, "ann").mustCreate(with(photon.ParamPlayerTTL, tt.ttl), with(photon.ParamEmptyRoomTTL, int16(20000)))
		c.disconnect()
		if got := w.room.Deadline() - w.now; got != tt.end {
			t.Errorf("PlayerTTL %T(%v): deadline in %v, want %v", tt.ttl, tt.ttl, got, tt.end)
		}
	}
}

// LB-169: demands for plugins.
func TestPlugins(t *testing.T) {
	for _, tt := range []struct {
		name   string
		plugin string
		demand any
		code   photon.ReturnCode
	}{
		{"default by name", "", []string{"Default"}, photon.ReturnOk},
		{"default, no demand", "", nil, photon.ReturnOk},
		{"default by empty list", "", []string{}, photon.ReturnOk},
		{"own, by name", "Own", []string{"Own"}, photon.ReturnOk},
		{"own, no demand", "Own", nil, photon.ReturnOk},
		{"own, but none demanded", "Own", []string{}, photon.ReturnPluginMismatch},
		{"own, but another demanded", "Own", []string{"own"}, photon.ReturnPluginMismatch},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, Config{Plugin: tt.plugin, PluginVersion: "1.2"})
			ann := w.client(photon.GpBinaryV18, "ann")
			ann.fails(ann.create(with(photon.ParamPlugins, tt.demand)), tt.code)
			w = newWorld(t, Config{Plugin: tt.plugin, PluginVersion: "1.2"})
			w.client(photon.GpBinaryV18, "ann").mustCreate()
			bob := w.client(photon.JSON, "bob")
			err := bob.join(with(photon.ParamPlugins, tt.demand))
			if Code(err) != tt.code {
				t.Fatalf("join: %v, want %d", err, tt.code)
			}
			m := bob.last(false, 226)
			if err == nil && (m.param(photon.ParamPluginName) != w.room.cfg.Plugin || m.param(photon.ParamPluginVersion) != "1.2") {
				t.Errorf("response %s", m.text)
			}
		})
	}
}

// LB-173, LB-088: both forms of MaxPlayers.
func TestMaxPlayersForms(t *testing.T) {
	for _, tt := range []struct {
		in        *gpbinary.Hashtable
		max       int32
		inPlayers string
	}{
		{table(photon.PropMaxPlayers, byte(4)), 4, "4 4"},
		{table(photon.PropMaxPlayers, byte(0), photon.PropMaxPlayersInt, int32(300)), 300, "0 300"},
		{table(photon.PropMaxPlayersInt, int32(7)), 7, "7 7"},
		{table(photon.PropMaxPlayers, int32(256)), 256, "0 256"},
		{table(photon.PropMaxPlayers, byte(9), photon.PropMaxPlayersInt, int32(3)), 3, "3 3"},
		{table(), 0, "0 0"},
	} {
		w := newWorld(t, Config{})
		c := w.client(photon.GpBinaryV16, "ann")
		if err := c.create(with(photon.ParamGameProperties, tt.in)); err != nil {
			t.Fatal(err)
		}
		props := c.last(false, 227).table(t, photon.ParamGameProperties)
		got := show(property(props, photon.PropMaxPlayers)) + " " + show(property(props, photon.PropMaxPlayersInt))
		if got != tt.inPlayers || w.room.Record().MaxPlayers != tt.max {
			t.Errorf("%s: 255 and 243 are %s, record %d; want %s, %d", show(tt.in), got, w.room.Record().MaxPlayers, tt.inPlayers, tt.max)
		}
	}
}

// The room's second life: LB-152, LB-207.
func TestCreateOnce(t *testing.T) {
	w := newWorld(t, Config{})
	ann := w.client(photon.GpBinaryV18, "ann").mustCreate()
	bob := w.client(photon.GpBinaryV18, "bob")
	bob.fails(bob.entered(joinRoom(w.room, w.now, bob.request(photon.OpCreateGame, nil), bob.joiner())), photon.ReturnGameIDAlreadyExists)
	ann.disconnect()
	bob.fails(bob.join(), photon.ReturnGameDoesNotExist)
}
