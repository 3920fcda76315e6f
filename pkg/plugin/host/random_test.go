package host_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
	"github.com/boson-project/boson/pkg/plugin/host"
	"github.com/boson-project/boson/pkg/plugin/plugintest"
	"github.com/boson-project/boson/pkg/room"
	"github.com/boson-project/boson/pkg/transport"
)

// chaos is a room with a plugin that does anything, and clients that do anything.
// Time is a number, the fiber is the test's own goroutine.
type chaos struct {
	plugin.Base
	t      *testing.T
	rnd    *rand.Rand
	now    time.Duration
	room   *room.Room
	host   *host.Host
	tame   bool                   // the plugin continues everything
	depth  int                    // of callbacks
	left   int                    // how many more callbacks may call the host
	later  []*plugin.Call         // deferred and not decided
	leaves map[int32]*plugin.Call // the last OnLeave, by actor
	closes int                    // OnCloseGame
	wire   []*guest
	log    []string
}

const chaosPlaces = 4

// guest is one connection.
type guest struct {
	c        *chaos
	id       int32
	user     string
	seat     *room.Seat
	entry    *room.Entry
	decided  int // calls of done
	gone     bool
	sent     map[photon.OpCode]int
	answered map[photon.OpCode]int
	dropped  int            // SetProperties that the plugin cancelled
	view     map[int32]bool // actors that the client knows of, and whether they are active; nil before it is in
}

func (*guest) Protocol() photon.Protocol { return photon.GpBinaryV18 }

func (g *guest) Disconnect(photon.ReturnCode, string) { g.gone = true }

func (g *guest) Send(msg []byte, _ photon.Delivery) {
	t := g.c.t
	kind, _, err := photon.Type(msg)
	if err != nil {
		t.Fatal(err)
	}
	if kind == photon.TypeResponse {
		r, _, err := gpbinary.DecodeResponse(gpbinary.Version(photon.GpBinaryV18), msg[2:])
		if err != nil {
			t.Fatal(err)
		}
		op := photon.OpCode(r.Code)
		g.answered[op]++
		if op == photon.OpCreateGame || op == photon.OpJoinGame {
			if r.ReturnCode == 0 {
				g.view = map[int32]bool{}
				g.sees(r.Params)
			}
		}
		return
	}
	ev, _, err := gpbinary.DecodeEvent(gpbinary.Version(photon.GpBinaryV18), msg[2:])
	if err != nil {
		t.Fatal(err)
	}
	if g.view == nil {
		g.c.fail("client %d got event %d before it was in", g.id, ev.Code)
		return
	}
	nr := int32(0)
	inactive := false
	for _, p := range ev.Params {
		switch photon.ParamCode(p.Key) {
		case photon.ParamActorNr:
			nr, _ = p.Value.(int32)
		case photon.ParamIsInactive:
			inactive, _ = p.Value.(bool)
		}
	}
	switch photon.EventCode(ev.Code) {
	case photon.EventJoin:
		g.view[nr] = true
	case photon.EventLeave:
		if _, ok := g.view[nr]; !ok {
			g.c.fail("client %d heard that actor %d left, of which it never heard", g.id, nr)
		}
		if g.view[nr] = false; !inactive {
			delete(g.view, nr)
		}
	}
}

func (g *guest) sees(params gpbinary.Params) {
	for _, p := range params {
		if list, ok := p.Value.([]int32); ok && photon.ParamCode(p.Key) == photon.ParamActorList {
			for _, nr := range list {
				g.view[nr] = true
			}
		}
	}
	for _, p := range params {
		if tables, ok := p.Value.(*gpbinary.Hashtable); ok && photon.ParamCode(p.Key) == photon.ParamPlayerProperties {
			for _, actor := range tables.Pairs() {
				if inactive, ok := actor.Value.(*gpbinary.Hashtable).Get(photon.ActorPropIsInactive); ok && inactive == true {
					g.view[actor.Key.(int32)] = false
				}
			}
		}
	}
}

func (c *chaos) fail(format string, args ...any) {
	c.t.Helper()
	if len(c.log) > 40 {
		c.log = c.log[len(c.log)-40:]
	}
	c.t.Fatalf("%s\nafter %v", fmt.Sprintf(format, args...), c.log)
}

func (c *chaos) note(format string, args ...any) { c.log = append(c.log, fmt.Sprintf(format, args...)) }

func (*chaos) Name() string    { return "Chaos" }
func (*chaos) Version() string { return "1" }

// meddle does something with the room from inside a callback.
func (c *chaos) meddle(nr int32) {
	if c.tame || c.left == 0 {
		return
	}
	c.left--
	switch c.rnd.IntN(6) {
	case 0:
		c.note("remove %d", nr)
		c.host.RemoveActor(nr, plugin.Kick, "")
	case 1:
		other := 1 + c.rnd.Int32N(max(1, int32(len(c.wire))))
		c.note("remove %d", other)
		c.host.RemoveActor(other, plugin.Kick, "")
	case 2:
		_, _ = c.host.SetProperties(nr, plugin.NewTable(gpbinary.Pair{Key: "p", Value: int32(1)}), plugin.SetOptions{Broadcast: true})
	case 3:
		_ = c.host.BroadcastEvent(plugin.Event{Code: 7, Sender: nr, Cache: photon.AddToRoomCache})
	}
}

// decide says something to a call, or nothing.
func (c *chaos) decide(name string, nr int32, call *plugin.Call, d plugin.Deferrable, cancel func() error) {
	c.note("%s %d", name, nr)
	if c.depth++; c.depth > 50 {
		c.fail("%s asks itself without end", name)
	}
	defer func() { c.depth-- }()
	c.meddle(nr)
	k := c.rnd.IntN(12)
	if c.tame {
		k = 11
	}
	switch {
	case k == 0:
		c.note("fail")
		_ = call.Fail("no", nil)
	case k == 1:
		c.note("panic")
		panic("chaos")
	case k <= 4:
		c.note("defer")
		if plugin.Postpone(d) == nil {
			c.later = append(c.later, call)
		}
	case k == 5: // nothing: not processed
		c.note("forget")
	case k == 6 && cancel != nil:
		c.note("cancel")
		_ = cancel()
	default:
		c.note("continue")
		_ = call.Continue()
	}
	c.meddle(nr)
}

func (c *chaos) OnCreateGame(p *plugin.CreateGameCall) { c.decide("create", 1, &p.Call, p, nil) }
func (c *chaos) BeforeJoin(p *plugin.BeforeJoinCall)   { c.decide("before join", 0, &p.Call, p, nil) }
func (c *chaos) OnJoin(p *plugin.JoinCall)             { c.decide("join", p.ActorNr, &p.Call, p, nil) }
func (c *chaos) OnLeave(p *plugin.LeaveCall) {
	if _, ok := c.room.Actor(p.ActorNr); !ok {
		c.fail("OnLeave of actor %d, which is not in the room", p.ActorNr)
	}
	if old := c.leaves[p.ActorNr]; old != nil && !old.IsProcessed() {
		c.fail("OnLeave of actor %d, which is leaving already", p.ActorNr)
	}
	c.leaves[p.ActorNr] = &p.Call
	c.decide("leave", p.ActorNr, &p.Call, p, nil)
}
func (c *chaos) OnRaiseEvent(p *plugin.RaiseEventCall) {
	c.decide("raise", p.ActorNr, &p.Call, p, p.Cancel)
}
func (c *chaos) BeforeSetProperties(p *plugin.BeforeSetPropertiesCall) {
	id, _ := p.Request.Properties.Get("id")
	c.decide("before set", p.ActorNr, &p.Call, p, func() error {
		c.wire[id.(int32)].dropped++
		return p.Cancel()
	})
}
func (c *chaos) OnSetProperties(p *plugin.SetPropertiesCall) {
	c.decide("set", p.ActorNr, &p.Call, p, nil)
}
func (c *chaos) BeforeCloseGame(p *plugin.BeforeCloseGameCall) {
	c.decide("before close", 0, &p.Call, p, nil)
}
func (c *chaos) OnCloseGame(p *plugin.CloseGameCall) {
	if c.closes++; c.closes > 1 {
		c.fail("closed twice")
	}
	c.decide("close", 0, &p.Call, p, nil)
}

// on runs one message of the room's fiber, and looks at what it left behind.
func (c *chaos) on(f func()) {
	c.left = 4
	c.host.Begin()
	f()
	c.host.Pause()
	c.check()
}

func (c *chaos) check() {
	actors := c.room.Actors()
	if len(actors) > chaosPlaces {
		c.fail("%d actors in a room for %d", len(actors), chaosPlaces)
	}
	known := map[int32]room.ActorInfo{}
	for _, a := range actors {
		known[a.Nr] = a
	}
	if len(known) != len(actors) {
		c.fail("an actor number is there twice")
	}
	seats := map[int32]bool{}
	for _, g := range c.wire {
		if g.decided > 1 || g.decided == 1 && g.entry != nil && g.entry.Pending() {
			c.fail("client %d was let in or refused %d times", g.id, g.decided)
		}
		nr := g.seat.ActorNr()
		if nr == 0 {
			continue
		}
		if seats[nr] || !known[nr].Active {
			c.fail("client %d has the seat of actor %d: taken %v, actor %+v", g.id, nr, seats[nr], known[nr])
		}
		seats[nr] = true
	}
	if m := c.room.MasterClientID(); m != 0 && c.room.Open() {
		if _, ok := known[m]; !ok {
			c.fail("master client %d is not in the room", m)
		}
	}
}

func (c *chaos) enter(create bool) {
	g := &guest{
		c: c, id: int32(len(c.wire)), user: fmt.Sprint("u", c.rnd.IntN(5)),
		sent: map[photon.OpCode]int{}, answered: map[photon.OpCode]int{},
	}
	c.wire = append(c.wire, g)
	done := func(s *room.Seat, err error) {
		g.decided++
		g.seat = s
		delete(c.leaves, s.ActorNr()) // it came back, and may leave again
		if (s == nil) == (err == nil) {
			c.fail("seat %v and error %v", s, err)
		}
	}
	j := room.Joiner{Sink: g, UserID: g.user}
	op, params := photon.OpJoinGame, []gpbinary.Param{param(photon.ParamJoinMode, byte([]photon.JoinMode{photon.JoinDefault, photon.JoinOrRejoin, photon.RejoinOnly}[c.rnd.IntN(3)]))}
	if create {
		op, params = photon.OpCreateGame, options([]int32{0, 500, 5000}[c.rnd.IntN(3)], []int32{0, 1000, -1}[c.rnd.IntN(3)])
		params = append(params, param(photon.ParamCheckUserOnJoin, true), param(photon.ParamCleanupCacheOnLeave, true),
			param(photon.ParamGameProperties, plugin.NewTable(gpbinary.Pair{Key: byte(photon.PropMaxPlayers), Value: byte(chaosPlaces)})))
	}
	g.sent[op]++
	c.note("client %d (%s) enters", g.id, g.user)
	c.on(func() {
		if create {
			g.entry = c.room.Create(c.now, request(c.t, op, params...), j, done)
		} else {
			g.entry = c.room.Join(c.now, request(c.t, op, params...), j, done)
		}
	})
}

// act lets one client do one thing.
func (c *chaos) act(g *guest) {
	if g.gone {
		return
	}
	k := c.rnd.IntN(8)
	if k == 0 {
		c.note("client %d is gone", g.id)
		g.gone = true
		c.on(func() {
			if g.entry.Pending() {
				g.entry.Abort()
			} else {
				c.room.Disconnected(c.now, g.seat, photon.ClientDisconnect, "")
			}
		})
		return
	}
	if g.seat.ActorNr() == 0 {
		return
	}
	op, params := photon.OpRaiseEvent, []gpbinary.Param{param(photon.ParamEventCode, byte(1)), param(photon.ParamCache, byte(c.rnd.IntN(7)))}
	switch k {
	case 1:
		op, params = photon.OpLeave, []gpbinary.Param{param(photon.ParamIsInactive, c.rnd.IntN(2) == 0)}
	case 2, 3, 4:
		op, params = photon.OpSetProperties, []gpbinary.Param{
			param(photon.ParamProperties, plugin.NewTable(gpbinary.Pair{Key: "id", Value: g.id})), param(photon.ParamBroadcast, true),
		}
		if c.rnd.IntN(2) == 0 {
			params = append(params, param(photon.ParamActorNr, g.seat.ActorNr()))
		}
	case 5:
		op, params = photon.OpGetProperties, []gpbinary.Param{param(photon.ParamProperties, byte(3))}
	}
	g.sent[op]++
	c.note("client %d: %v", g.id, op)
	c.on(func() { _ = c.room.Operation(c.now, g.seat, request(c.t, op, params...)) })
}

// decideLater decides one of the deferred calls.
func (c *chaos) decideLater() {
	i := c.rnd.IntN(len(c.later))
	call := c.later[i]
	c.later = slices.Delete(c.later, i, i+1)
	c.on(func() {
		c.host.Run(func() {
			c.note("decide the deferred of %s", call.UserID())
			if !c.tame && c.rnd.IntN(4) == 0 {
				_ = call.Fail("late", nil)
				return
			}
			_ = call.Continue()
		})
	})
}

// Whatever clients and plugin do, in whatever order: nobody is forgotten, no
// place is lost, what clients know of each other is true, and the room ends.
func TestRandomRooms(t *testing.T) {
	rooms, ended := 3000, 0
	if testing.Short() {
		rooms = 100
	}
	for seed := range rooms {
		if t.Failed() {
			return
		}
		c := &chaos{t: t, leaves: map[int32]*plugin.Call{}, rnd: rand.New(rand.NewPCG(1, uint64(seed)))}
		c.note("seed %d", seed)
		c.host = host.New(host.Options{
			GameID: "room", Strict: seed%2 == 0, Logger: zerolog.Nop(),
			Post: func(func()) bool { return true }, Now: func() time.Duration { return c.now },
		})
		f := plugin.FactoryFunc(func(h plugin.Host, _ string, _ plugin.Config) (plugin.Plugin, error) {
			c.Base = plugin.Base{Host: h}
			return c, nil
		})
		if _, err := c.host.Open(f, "", nil); err != nil {
			t.Fatal(err)
		}
		c.room = room.New(room.Config{Plugin: c.Name()}, room.ID{Name: "room"})
		c.host.Attach(c.room)
		c.enter(true)
		for range 60 {
			if c.room.Done() {
				ended++
				break
			}
			c.now += time.Duration(c.rnd.IntN(100)) * time.Millisecond
			switch k := c.rnd.IntN(10); {
			case k < 2:
				if c.room.Open() { // as a game server does
					c.enter(false)
				}
			case k < 4 && len(c.later) > 0:
				c.decideLater()
			case k == 4 && c.rnd.IntN(10) == 0:
				c.note("close")
				c.on(func() { c.room.Close(c.now, photon.ReturnOk, "closed") })
			case k < 6 && c.now >= c.room.Deadline():
				c.on(func() { c.room.Tick(c.now) })
			default:
				c.act(c.wire[c.rnd.IntN(len(c.wire))])
			}
		}
		c.quiet()
		c.on(func() { c.room.Close(c.now, photon.ReturnOk, "the end") })
		for len(c.later) > 0 {
			c.decideLater()
		}
		if !c.room.Done() {
			c.fail("the room does not end")
		}
		c.host.End()
		if c.host.Context().Err() == nil || c.host.Enqueue(func() {}) && c.host.AfterFunc(time.Second, func() {}) != nil {
			c.fail("the plugin's host lives on")
		}
	}
	if ended == rooms || ended == 0 {
		t.Errorf("%d of %d rooms ended early: the test does not see enough", ended, rooms)
	}
}

// quiet lets the plugin decide all that is open and compares what clients know.
func (c *chaos) quiet() {
	c.tame = true
	for len(c.later) > 0 {
		c.decideLater()
	}
	all := map[int32]bool{}
	for _, a := range c.room.Actors() {
		all[a.Nr] = a.Active
	}
	for _, g := range c.wire {
		if g.entry.Pending() || g.decided != 1 {
			c.fail("client %d is still waiting at the door", g.id)
		}
		nr := g.seat.ActorNr()
		if nr != 0 && g.gone {
			c.fail("client %d is gone and has the seat of actor %d", g.id, nr)
		}
		if nr != 0 && c.room.Open() && !maps.Equal(all, g.view) {
			c.fail("client %d knows actors %v, there are %v", g.id, g.view, all)
		}
		for op, sent := range g.sent {
			got, want := g.answered[op], sent
			switch op {
			case photon.OpRaiseEvent:
				continue // answered only when refused
			case photon.OpSetProperties:
				want -= g.dropped
			}
			if got > sent || got < want && nr != 0 && !g.gone {
				c.fail("client %d sent %d %v and got %d answers, want %d", g.id, sent, op, got, want)
			}
			if op == photon.OpLeave && got != sent {
				c.fail("client %d left and was not answered", g.id)
			}
			if (op == photon.OpJoinGame || op == photon.OpCreateGame) && !g.gone && got != 1 {
				c.fail("client %d wanted in and got %d answers", g.id, got)
			}
		}
	}
}

// A plugin that removes who is leaving already is not asked a second time.
func TestRemoveInOnLeave(t *testing.T) {
	table3(t, plugintest.Options{}, options(60_000, 60_000), func(s *plugintest.Server, r *recorder, _ func(func()), c [3]*plugintest.Client) {
		r.leave = func(call *plugin.LeaveCall) {
			if !r.Host.RemoveActor(call.ActorNr, plugin.Kick, "") {
				t.Errorf("actor %d could not be removed", call.ActorNr)
			}
			_ = call.Continue()
		}
		c[0].Drop(transport.ReasonTimeout)
		synctest.Wait()
		wantList(t, "callbacks", only(r.noted(), "leave"), "leave 1 inactive=true reason=4")
		wantCode(t, s.Client("ann").JoinMode("room", photon.RejoinOnly), photon.ReturnJoinFailedFoundExcludedUserID)
		// Nor when the room closes, and the plugin takes its time.
		r.leave = func(call *plugin.LeaveCall) {
			r.Host.RemoveActor(3, plugin.Kick, "")
			r.Host.DeferAfter(call, time.Second, func() { _ = call.Continue() })
		}
		s.Close("room")
		synctest.Wait()
		wantList(t, "callbacks", only(r.noted(), "leave"), "leave 2 inactive=true reason=3", "leave 3 inactive=false reason=104")
	})
}
