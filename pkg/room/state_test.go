package room

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

var noon = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)

// saved returns the room's state after a way through JSON.
func (w *world) saved() (*State, string) {
	w.t.Helper()
	s, lost := w.room.State(w.now, noon)
	if lost != 0 {
		w.t.Errorf("%d values lost", lost)
	}
	return w.throughJSON(s)
}

func (w *world) throughJSON(s *State) (*State, string) {
	w.t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		w.t.Fatal(err)
	}
	back := &State{}
	if err := json.Unmarshal(text, back); err != nil {
		w.t.Fatal(err)
	}
	return back, string(text)
}

// load returns a world with the room of a state, some time after it was saved.
func load(t *testing.T, s *State, after time.Duration) *world {
	t.Helper()
	w := newWorld(t, Config{})
	w.now = 5 * time.Minute
	if err := w.room.SetState(w.now, noon.Add(after), s); err != nil {
		t.Fatal(err)
	}
	w.check()
	return w
}

// PL-108: the worked examples of plugins.md 10.
func TestStateExamples(t *testing.T) {
	const (
		roomProperties  = "RAAAAANi+nkAAXMAA21hcHMAA21hcHMABmZvcmVzdHMABHR1cm5pAAAAAQ=="
		events          = "RGl6AAEAAAAAAAJ6AANpAAAAA2IHcwAEZGF0YXoAA2kAAAAAYgh4AAAAAgEC"
		actorProperties = "RGIAAAEBRAAAAAJi/3MAA0FubnMAAmhwaQAAAGQ="
	)
	for _, p := range []photon.Protocol{photon.GpBinaryV16, photon.GpBinaryV18} {
		w := newWorld(t, Config{})
		ann := w.client(p, "ann").mustCreate(with(photon.ParamGameProperties,
			table(photon.PropPropsListedInLobby, []string{"map"}, "map", "forest", "turn", int32(1))))
		w.client(p, "bob").mustJoin()
		eve := w.client(p, "eve").mustJoin(with(photon.ParamPlayerProperties, table(photon.ActorPropNickName, "Ann", "hp", int32(100))))
		eve.mustRaise(code(7), content("data"), caching(photon.AddToRoomCache))
		ann.mustRaise(code(8), content([]byte{1, 2}), caching(photon.AddToRoomCacheGlobal))
		_, text := w.saved()
		var j struct {
			Binary    map[string]string
			ActorList []map[string]any
		}
		if err := json.Unmarshal([]byte(text), &j); err != nil {
			t.Fatal(err)
		}
		if j.Binary["18"] != roomProperties || j.Binary["19"] != events || len(j.Binary) != 2 {
			t.Errorf("%s: got %v", p, j.Binary)
		}
		if got := j.ActorList[2]["Binary"]; got != actorProperties {
			t.Errorf("%s: actor %v", p, got)
		}
	}

	s := &State{ActorCounter: 3, PlayerTTL: -1, IsOpen: true, ActorList: []StateActor{{ActorNr: 3, UserID: "eve", Binary: decode64(t, actorProperties)}}}
	s.Binary.Properties, s.Binary.Events = decode64(t, roomProperties), decode64(t, events)
	w := load(t, s, 0)
	bob := w.client(photon.GpBinaryV18, "bob")
	if err := bob.join(); err != nil {
		t.Fatal(err)
	}
	bob.got = slices.DeleteFunc(bob.got, func(m received) bool { return m.event && m.code == 255 })
	bob.wants(`response 226 rc 0 254=4 252=[3 4] 249={3:{255:"Ann" hp:100 254:true}} `+
		`248={255:0 254:false 253:true 250:["map"] 248:4 246:-1 245:0 243:0 249:false map:"forest" turn:1} 191=0 201="Default" 200=""`,
		`event 7 245="data" 254=3`, `event 8 245=[1 2] 254=0`)
}

func decode64(t *testing.T, text string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// lively returns a room with something of everything.
func lively(t *testing.T, p photon.Protocol) (w *world, ann, bob *client) {
	t.Helper()
	w = newWorld(t, Config{})
	ann = w.client(p, "ann").mustCreate(with(photon.ParamRoomOptionFlags, int32(flags43)),
		with(photon.ParamPlayerTTL, int32(60000)), with(photon.ParamEmptyRoomTTL, int32(30000)),
		with(photon.ParamExpectedUsers, []string{"joe"}),
		with(photon.ParamPlayerProperties, table(photon.ActorPropNickName, "Ann", "hp", int32(3))),
		with(photon.ParamGameProperties, table(photon.PropMaxPlayers, byte(9), photon.PropIsVisible, false,
			photon.PropPropsListedInLobby, []string{"map"}, "map", "m1", "deep", table("x", 1.5, "y", []string{"a", "b"}))))
	bob = w.client(p, "bob").mustJoin(with(photon.ParamPlayerProperties, table(photon.ActorPropNickName, "Bob")))
	eve := w.client(p, "eve").mustJoin()
	ann.mustRaise(code(1), content("first"), caching(photon.AddToRoomCache))
	bob.mustRaise(code(2), caching(photon.AddToRoomCache))
	bob.mustRaise(code(3), content(table("k", int32(1))), caching(photon.MergeCache))
	bob.mustRaise(code(4), content("replaced"), caching(photon.ReplaceCache))
	ann.mustRaise(caching(photon.SliceSetIndex), with(photon.ParamCacheSliceIndex, int32(5)))
	eve.mustRaise(code(5), content(int32(7)), caching(photon.AddToRoomCacheGlobal))
	ann.mustRaise(caching(photon.SliceIncreaseIndex))
	if err := bob.do(photon.OpChangeGroups, with(photon.ParamAdd, []byte{3, 200})); err != nil {
		t.Fatal(err)
	}
	w.room.Remove(w.now, 3, Removal{Exclude: true, Code: photon.ReturnUserBlocked, Text: "kicked"})
	return w, ann, bob
}

// PL-109, PL-110, PL-114, LB-279: save, JSON, load gives the same room, whatever
// a service does to what is only for readers.
func TestStateRoundTrip(t *testing.T) {
	eachProtocol(t, func(t *testing.T, p photon.Protocol) {
		w, ann, bob := lively(t, p)
		ann.disconnect()
		w.pass(2 * time.Second)
		bob.disconnect()
		first, text := w.saved()
		var j map[string]any
		if err := json.Unmarshal([]byte(text), &j); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(j["CustomProperties"]); got != "map[map:m1]" {
			t.Errorf("lobby-visible properties %s", got)
		}
		debug := j["DebugInfo"].(map[string]any)
		if got := fmt.Sprint(debug["DEBUG_PROPERTIES_18"], debug["DEBUG_EVENTS_19"]); got != "map[250:[map] deep:map[x:1.5 y:[a b]] map:m1] map[0:[[1 1 first] [2 2 <nil>]] 5:[[0 5 7]]]" {
			t.Errorf("readable copies %s", got)
		}
		if got := fmt.Sprint(j["ActorList"].([]any)[0].(map[string]any)["DEBUG_BINARY"]); got != "map[1:map[255:Ann hp:3]]" {
			t.Errorf("readable copy of ann %s", got)
		}
		delete(j["ActorList"].([]any)[1].(map[string]any), "DEBUG_BINARY")
		j["CustomProperties"], j["DebugInfo"], j["Unknown"] = "gone", map[string]any{"DEBUG_PROPERTIES_18": 1}, []int{1} // PL-115
		delete(j["ActorList"].([]any)[0].(map[string]any), "NickName")
		text2, err := json.Marshal(j)
		if err != nil {
			t.Fatal(err)
		}
		second := &State{}
		if err := json.Unmarshal(text2, second); err != nil {
			t.Fatal(err)
		}
		v := load(t, second, 10*time.Second)

		// Saved again it is the same, but for the clock that went on.
		again, lost := v.room.State(v.now, noon.Add(10*time.Second))
		if _, got := v.throughJSON(again); lost != 0 || got != text {
			t.Errorf("got\n%s\nwant\n%s", got, text)
		}
		if first.ActorList[0].DeactivationTime != "2025-06-01T11:59:58Z" || first.ActorList[0].IsActive != nil { // PL-107
			t.Errorf("ann became inactive at %s, active %v", first.ActorList[0].DeactivationTime, first.ActorList[0].IsActive)
		}

		// Who was in comes back as the same actor; the others get the next number.
		if rec := v.room.Changed(); rec == nil || rec.Inactive != 2 || rec.Lobby.Name != "L" || rec.MaxPlayers != 9 || rec.Visible {
			t.Errorf("record %+v", rec)
		}
		back := v.client(photon.GpBinaryV18, "bob")
		if err := back.join(with(photon.ParamJoinMode, byte(photon.RejoinOnly))); err != nil {
			t.Fatal(err)
		}
		response := back.got[0]
		if response.param(photon.ParamActorNr) != int32(2) || v.room.set.masterClientID != 2 {
			t.Errorf("bob is actor %v, master client %d", response.param(photon.ParamActorNr), v.room.set.masterClientID)
		}
		if x := property(response.table(t, photon.ParamGameProperties), "deep"); !gpbinary.EqualValues(x, table("x", 1.5, "y", []string{"a", "b"})) {
			t.Errorf("property is %s", show(x))
		}
		tables := response.table(t, photon.ParamPlayerProperties)
		if x, _ := tables.Get(int32(1)); !gpbinary.EqualValues(x, table(photon.ActorPropNickName, "Ann", "hp", int32(3), photon.ActorPropUserID, "ann", photon.ActorPropIsInactive, true)) {
			t.Errorf("ann has %s", show(x))
		}
		// Bob's own events are not for bob; slices are announced.
		if got := strings.Join(back.take()[2:], "; "); got != `event 1 245="first" 254=1; event 250 205=5; event 5 245=7 254=0` {
			t.Errorf("bob gets %s", got)
		}
		joe := v.client(photon.GpBinaryV16, "joe").mustJoin()
		if joe.seat.ActorNr() != 4 {
			t.Errorf("next actor is %d", joe.seat.ActorNr())
		}
		joe.fails(v.client(p, "eve").join(), photon.ReturnJoinFailedFoundExcludedUserID)

		// The kept-once events are still kept once.
		back.mustRaise(code(4), content("again"), caching(photon.ReplaceCache))
		back.mustRaise(code(3), content(table("l", int32(2))), caching(photon.MergeCache))
		v.cached(`event 3 245={k:1 l:2} 254=2`, `event 4 245="again" 254=2`, `event 1 245="first" 254=1`,
			"event 2 254=2", "event 250 205=5", "event 5 245=7 254=0")
		// "All groups" are those that the room had. LB-261
		if err := joe.do(photon.OpChangeGroups, with(photon.ParamAdd, []byte{})); err != nil {
			t.Fatal(err)
		}
		back.mustRaise(code(9), group(200))
		joe.got = slices.DeleteFunc(joe.got, func(m received) bool { return m.code != 9 })
		joe.wants("event 9 254=2")
	})
}

// A state taken while people play says who is active, and no times.
func TestStateWhilePlaying(t *testing.T) {
	w, ann, bob := lively(t, photon.GpBinaryV18)
	ann.disconnect()
	s, text := w.saved()
	if len(s.ActorList) != 2 || *s.ActorList[0].IsActive || !*s.ActorList[1].IsActive || strings.Contains(text, "DeactivationTime") {
		t.Errorf("got %s", text)
	}
	if want := "4462000002" + "03" + "7900016900000002" + "C8" + "7900016900000002"; !strings.EqualFold(hex.EncodeToString(s.Binary.Groups), want) {
		t.Errorf("groups %x", s.Binary.Groups)
	}
	if s.RoomFlags == nil || *s.RoomFlags != int32(flags43) || !s.CheckUserOnJoin || !s.DeleteCacheOnLeave || s.SuppressRoomEvents || !s.PublishUserID { // PL-111
		t.Errorf("flags %v", text)
	}
	if s.Slice != 6 || s.ActorCounter != 3 || len(s.ExcludedActors) != 1 || s.ExcludedActors[0] != (ExcludedUser{UserID: "eve"}) {
		t.Errorf("got %s", text)
	}
	// Taking it changed nothing.
	bob.take()
	bob.mustRaise(code(1), receivers(photon.ReceiverAll))
	bob.wants("event 1 254=2")
	w.check()

	// Times to live run anew for everybody.
	v := load(t, s, 24*time.Hour)
	if v.pass(59 * time.Second); len(v.room.actors) != 2 {
		t.Errorf("%d actors", len(v.room.actors))
	}
	if v.pass(2 * time.Second); len(v.room.actors) != 0 {
		t.Errorf("%d actors", len(v.room.actors))
	}
}

// PL-106: who was away for too long is gone after the load, with its events.
func TestStateExpiry(t *testing.T) {
	w, ann, bob := lively(t, photon.GpBinaryV16)
	ann.disconnect()
	w.pass(20 * time.Second)
	bob.disconnect()
	s, _ := w.saved()
	v := load(t, s, 45*time.Second)
	if got := v.room.Actors(); len(got) != 1 || got[0].UserID != "bob" {
		t.Fatalf("actors %+v", got)
	}
	if at := v.room.Deadline(); at != v.now+15*time.Second {
		t.Errorf("bob expires in %v", at-v.now)
	}
	joe := v.client(photon.GpBinaryV18, "joe")
	if err := joe.join(); err != nil {
		t.Fatal(err)
	}
	for _, m := range joe.got {
		if m.event && m.code == 1 {
			t.Error("an event of an actor that is gone")
		}
	}
	// A clock that went back doesn't give anybody more than the whole time.
	if v = load(t, s, -time.Hour); v.room.Deadline() != v.now+time.Minute {
		t.Errorf("deadline in %v", v.room.Deadline()-v.now)
	}
	// Nor does a time that no zone or number range can hold do harm.
	s.ActorList[0].DeactivationTime = "0001-01-01T00:00:00"
	if v = load(t, s, 0); len(v.room.actors) != 1 {
		t.Errorf("%d actors", len(v.room.actors))
	}
}

// The room's flags as old states have them. PL-111
func TestStateFlags(t *testing.T) {
	s := &State{CheckUserOnJoin: true, PublishUserID: true, IsOpen: true}
	if w := load(t, s, 0); w.room.flags != photon.FlagCheckUserOnJoin|photon.FlagPublishUserID {
		t.Errorf("flags %#x", w.room.flags)
	}
	flags := int32(photon.FlagSuppressPlayerInfo)
	s.RoomFlags = &flags
	if w := load(t, s, 0); w.room.flags != photon.FlagSuppressPlayerInfo|photon.FlagSuppressRoomEvents {
		t.Errorf("flags %#x", w.room.flags)
	}
}

// MaxPlayers above what the field holds.
func TestStateManyPlayers(t *testing.T) {
	w := newWorld(t, Config{})
	w.client(photon.GpBinaryV18, "ann").mustCreate(with(photon.ParamGameProperties, table(photon.PropMaxPlayersInt, int32(300))))
	s, _ := w.saved()
	if s.MaxPlayers != 0 {
		t.Errorf("MaxPlayers %d", s.MaxPlayers)
	}
	if v := load(t, s, 0); v.room.set.maxPlayers != 300 {
		t.Errorf("loaded %d", v.room.set.maxPlayers)
	}
}

// A value that format 1.6 has no form for is left out, the rest is kept.
func TestStateLoss(t *testing.T) {
	w := newWorld(t, Config{})
	ann := w.client(photon.GpBinaryV18, "ann").mustCreate(with(photon.ParamPlayerTTL, int32(-1)), with(photon.ParamGameProperties,
		table("a", make([]int32, 40000), "b", int32(1))))
	ann.mustRaise(code(1), content(make([]int32, 40000)), caching(photon.AddToRoomCache))
	ann.mustRaise(code(2), content("z"), caching(photon.AddToRoomCache))
	s, lost := w.room.State(w.now, noon)
	if lost != 2 {
		t.Errorf("%d values lost", lost)
	}
	v := load(t, s, 0)
	if v.room.props.len() != 1 || v.room.cache.count != 1 {
		t.Errorf("%d properties, %d events", v.room.props.len(), v.room.cache.count)
	}
}

// The one that a room is loaded for may be refused: then there is no room. One
// who creates finds the loaded room.
func TestStateFirstJoin(t *testing.T) {
	w, ann, bob := lively(t, photon.GpBinaryV18)
	ann.disconnect()
	bob.disconnect()
	s, _ := w.saved()
	v := load(t, s, 0)
	stranger := v.client(photon.GpBinaryV18, "stranger")
	_, err := joinRoom(v.room, v.now, stranger.request(photon.OpJoinGame, []par{with(photon.ParamJoinMode, byte(photon.RejoinOnly))}), stranger.joiner())
	stranger.fails(err, photon.ReturnJoinFailedWithRejoinerNotFound)
	if !v.room.Done() {
		t.Error("the room is there without anybody")
	}
	v = load(t, s, 0)
	creator := v.client(photon.GpBinaryV18, "stranger")
	seat, err := joinRoom(v.room, v.now, creator.request(photon.OpCreateGame, nil), creator.joiner())
	if creator.entered(seat, err) != nil || seat.ActorNr() != 4 {
		t.Errorf("creator: %v", err)
	}
	// LB-205: from here on it is a room like others.
	creator.disconnect()
	if v.pass(31 * time.Second); !v.room.Done() {
		t.Error("the room outlives EmptyRoomTTL")
	}
}

// PL-112, PL-113: states that can't be used, and rooms that can't take one.
func TestStateRefused(t *testing.T) {
	w, ann, bob := lively(t, photon.GpBinaryV18)
	ann.disconnect()
	bob.disconnect()
	_, text := w.saved()
	fresh := func() *State {
		s := &State{}
		if err := json.Unmarshal([]byte(text), s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	if err := w.room.SetState(w.now, noon, fresh()); !errors.Is(err, ErrNotFresh) {
		t.Errorf("state of a running room: %v", err)
	}
	if err := load(t, fresh(), 0).room.SetState(0, noon, fresh()); !errors.Is(err, ErrNotFresh) {
		t.Errorf("second state: %v", err)
	}
	if err := json.Unmarshal([]byte(strings.Replace(text, `"18":"`, `"18":"!`, 1)), &State{}); err == nil {
		t.Error("broken base64 is read")
	}
	for name, change := range map[string]func(*State){
		"truncated properties": func(s *State) { s.Binary.Properties = s.Binary.Properties[:len(s.Binary.Properties)-1] },
		"bytes behind":         func(s *State) { s.Binary.Properties = append(s.Binary.Properties, 0) },
		"truncated events":     func(s *State) { s.Binary.Events = s.Binary.Events[:len(s.Binary.Events)-1] },
		"truncated keyed":      func(s *State) { s.Binary.Keyed = s.Binary.Keyed[:len(s.Binary.Keyed)-1] },
		"truncated groups":     func(s *State) { s.Binary.Groups = s.Binary.Groups[:len(s.Binary.Groups)-1] },
		"truncated actor":      func(s *State) { s.ActorList[0].Binary = s.ActorList[0].Binary[:3] },
		"not a dictionary":     func(s *State) { s.Binary.Properties = []byte{codeInt, 0, 0, 0, 1} },
		"actor twice":          func(s *State) { s.ActorList[0].ActorNr = 2 },
		"actor 0":              func(s *State) { s.ActorList[0].ActorNr = 0 },
		"user id":              func(s *State) { s.ActorList[0].UserID = strings.Repeat("u", 257) },
		"excluded user id":     func(s *State) { s.ExcludedActors[0].UserID = strings.Repeat("u", 257) },
		"time":                 func(s *State) { s.ActorList[0].DeactivationTime = "yesterday" },
		"negative number":      func(s *State) { s.PlayerTTL = -2 },
		"no number left":       func(s *State) { s.ActorCounter = 1<<31 - 1 },
		"lobby type":           func(s *State) { s.LobbyType = 9 },
		"slices out of order": func(s *State) {
			s.Binary.Events = []byte{codeDictionary, codeInt, codeObjectArray, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}
		},
		"property key":          func(s *State) { s.Binary.Properties = []byte{codeDictionary, 0, 0, 0, 1, 'o', 1, codeNull} },
		"type of well-known":    func(s *State) { s.Binary.Properties = []byte{codeDictionary, 0, 0, 0, 1, codeByte, 255, codeNull} },
		"more events than fit":  func(s *State) { s.Binary.Events = manyEvents(10001) },
		"keyed event twice":     func(s *State) { s.Binary.Keyed = slices.Concat([]byte{codeObjectArray, 0, 2}, anEvent, anEvent) },
		"too many expected":     func(s *State) { s.ExpectedUsers = make([]string, 1001) },
		"properties over limit": func(s *State) { s.ActorList[0].Binary = bigActor() },
	} {
		w := newWorld(t, Config{})
		s := fresh()
		change(s)
		before := w.fingerprint()
		if err := w.room.SetState(w.now, noon, s); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if w.fingerprint() != before {
			t.Errorf("%s: the room changed", name)
		}
		// It can still be created.
		w.client(photon.GpBinaryV18, "ann").mustCreate()
	}
}

var anEvent = []byte{codeObjectArray, 0, 3, codeInt, 0, 0, 0, 1, codeByte, 1, codeNull}

func manyEvents(n int) []byte {
	b := []byte{codeDictionary, codeInt, codeObjectArray, 0, 1, 0, 0, 0, 0, byte(n >> 8), byte(n)}
	return append(b, bytes.Repeat(anEvent, n)...)
}

func bigActor() []byte {
	pairs := make([]gpbinary.Pair, 20)
	for i := range pairs {
		pairs[i] = gpbinary.Pair{Key: int32(i), Value: strings.Repeat("x", 32000)}
	}
	return append([]byte{codeDictionary, codeByte, 0, 0, 1, 1}, (&stateWriter{}).dictionary(pairs)...)
}

// FuzzSetState loads whatever JSON gives. A room that takes it must be
// consistent, let somebody in, and survive being saved and loaded again.
func FuzzSetState(f *testing.F) {
	t := &testing.T{}
	w, ann, bob := lively(t, photon.GpBinaryV18)
	s, _ := w.room.State(w.now, noon)
	playing, _ := json.Marshal(s)
	f.Add(playing)
	ann.disconnect()
	bob.disconnect()
	s, _ = w.room.State(w.now, noon)
	closed, _ := json.Marshal(s)
	f.Add(closed)
	f.Fuzz(func(t *testing.T, text []byte) {
		s := &State{}
		if json.Unmarshal(text, s) != nil {
			return
		}
		fuzzLoad(t, s)
	})
}

// FuzzStateBinary is FuzzSetState without the base64 in the way.
func FuzzStateBinary(f *testing.F) {
	t := &testing.T{}
	w, _, _ := lively(t, photon.GpBinaryV18)
	s, _ := w.room.State(w.now, noon)
	f.Add(s.Binary.Properties, s.Binary.Events, s.Binary.Groups, s.Binary.Keyed, s.ActorList[0].Binary, int32(60000))
	f.Fuzz(func(t *testing.T, properties, events, groups, keyed, actor []byte, ttl int32) {
		fuzzLoad(t, &State{IsOpen: true, PlayerTTL: ttl, EmptyRoomTTL: ttl, ActorList: []StateActor{{ActorNr: 1, UserID: "a", Binary: actor}},
			Binary: StateBinary{Properties: properties, Events: events, Groups: groups, Keyed: keyed}})
	})
}

func fuzzLoad(t *testing.T, s *State) {
	w := newWorld(t, Config{})
	if w.room.SetState(w.now, noon, s) != nil {
		return
	}
	w.check()
	first, _ := w.room.State(w.now, noon)
	v := newWorld(t, Config{})
	if err := v.room.SetState(v.now, noon, first); err != nil {
		t.Fatalf("saved state can't be loaded: %v", err)
	}
	second, _ := v.room.State(v.now, noon)
	a, errA := json.Marshal(first)
	b, errB := json.Marshal(second)
	if errA != nil || errB != nil || !bytes.Equal(a, b) {
		t.Errorf("saved and loaded\n%s %v\n%s %v", a, errA, b, errB)
	}
	for _, p := range protocols {
		c := v.client(p, "newcomer "+p.String())
		seat, err := joinRoom(v.room, v.now, c.request(photon.OpJoinGame, nil), c.joiner())
		if c.entered(seat, err) != nil {
			return
		}
	}
	v.pass(time.Hour)
}
