package gameserver

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/auth"
	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/lobby"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
	"github.com/boson-project/boson/pkg/room"
	"github.com/boson-project/boson/pkg/secure"
	"github.com/boson-project/boson/pkg/transport"
)

// session is a client's connection without a socket.
type session struct {
	info transport.Info
	mu   sync.Mutex
	sent [][]byte
	over transport.Reason
	// onSend is called with each message, if set.
	onSend func(msg []byte)
}

func (s *session) ID() uint64            { return 1 }
func (s *session) Info() *transport.Info { return &s.info }
func (s *session) RTT() time.Duration    { return 0 }
func (s *session) Send(msg []byte, _ photon.Delivery) {
	s.mu.Lock()
	s.sent = append(s.sent, msg)
	s.mu.Unlock()
	if s.onSend != nil {
		s.onSend(msg)
	}
}
func (s *session) Close(r transport.Reason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = r
}

func (s *session) closed() transport.Reason {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over
}

// directory is what the masters were told, and what they would answer.
type directory struct {
	mu     sync.Mutex
	rooms  map[string]*lobby.Record
	grants bool
	taken  bool // if it doesn't: the name is another server's
	asked  int
	bug    string // Upsert of this room panics
	slow   time.Duration
}

func (d *directory) Upsert(r *lobby.Record) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r.Name == d.bug {
		panic("a bug")
	}
	d.rooms[r.Name] = r
}
func (d *directory) Remove(_, name string) {
	time.Sleep(d.slow)
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.rooms, name)
}
func (d *directory) RequestPlacement(_, _ string, done func(Reserve)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked++
	answer := Refused
	switch {
	case d.grants:
		answer = Reserved
	case d.taken:
		answer = Exists
	}
	go done(answer)
}

// bench is a game server without sockets, inside a synctest bubble.
type bench struct {
	t      *testing.T
	server *Server
	app    *app.Server
	dir    *directory
	auth   *auth.Authenticator
}

func newBench(t *testing.T) *bench {
	key, err := secure.RandomKey(bytes.NewReader(bytes.Repeat([]byte{9}, 64)))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := secure.NewKeyring(key)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, dir: &directory{rooms: map[string]*lobby.Record{}}}
	b.auth = auth.New(auth.Options{Keys: keys, AllowAnonymous: true, TokenLife: time.Hour})
	b.server = New(Options{
		Auth: b.auth, Directory: b.dir, AuthTimeout: 30 * time.Second, TokenLife: time.Hour, Logger: zerolog.Nop(), Room: room.Config{},
	})
	b.app = app.NewServer(app.Options{Logger: zerolog.Nop()}, b.server)
	return b
}

type testClient struct {
	*session
	b *bench
	r transport.Receiver
}

// connect authenticates a client by token.
func (b *bench) connect(user string) *testClient {
	b.t.Helper()
	s := &session{info: transport.Info{Kind: transport.TCP, Protocol: photon.GpBinaryV18, Remote: netip.MustParseAddrPort("127.0.0.1:9")}}
	c := &testClient{s, b, b.app.Accept(s)}
	token, err := b.auth.Seal(&secure.Token{AppID: "app", AppVersion: "1", UserID: user, Issued: time.Now(), Expires: time.Now().Add(time.Hour)})
	if err != nil {
		b.t.Fatal(err)
	}
	if r := c.call(photon.OpAuthenticate, photon.Param(photon.ParamToken, token)); r.ReturnCode != 0 {
		b.t.Fatalf("authenticate: %+v", r)
	}
	return c
}

func (c *testClient) send(op photon.OpCode, params ...gpbinary.Param) {
	c.b.t.Helper()
	msg, err := photon.AppendRequest(nil, photon.GpBinaryV18, op, params)
	if err != nil {
		c.b.t.Fatal(err)
	}
	c.r.Receive(msg, photon.Delivery{Mode: photon.Reliable})
	synctest.Wait()
}

// call sends a request and returns the response that is there when everything
// has come to rest; nil if there is none.
func (c *testClient) call(op photon.OpCode, params ...gpbinary.Param) *gpbinary.OperationResponse {
	c.b.t.Helper()
	c.send(op, params...)
	return c.response(op)
}

func (c *testClient) response(op photon.OpCode) *gpbinary.OperationResponse {
	c.b.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, msg := range c.sent {
		if photon.MessageType(msg[1]) == photon.TypeResponse && photon.OpCode(msg[2]) == op {
			r, _, err := gpbinary.DecodeResponse(gpbinary.V18, msg[2:])
			if err != nil {
				c.b.t.Fatal(err)
			}
			c.sent = append(c.sent[:i:i], c.sent[i+1:]...)
			return r
		}
	}
	return nil
}

func name(n string) gpbinary.Param { return photon.Param(photon.ParamRoomName, n) }

const appKey = "app\x001"

func (b *bench) reserve(n string) {
	b.t.Helper()
	if r, _ := b.server.ReserveRoom(appKey, n, lobby.ID{}, [16]byte{1}, 20*time.Second); r != Reserved {
		b.t.Fatalf("reserve: %v", r)
	}
}

func inBubble(t *testing.T, fn func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		fn(b)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := b.app.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * time.Minute) // timers of grace periods run out
		_ = b.server.Close(ctx)
	})
}

// CL-29: a name that no master announced needs a master's word.
func TestCreateNeedsReservation(t *testing.T) {
	inBubble(t, func(b *bench) {
		c := b.connect("ann")
		if r := c.call(photon.OpCreateGame, name("r")); r == nil || photon.ReturnCode(r.ReturnCode) != photon.ReturnServerFull {
			t.Errorf("without reservation: %+v", r)
		}
		if b.dir.asked != 1 {
			t.Errorf("the master was asked %d times", b.dir.asked)
		}
		if b.server.Stats().Rooms != 0 {
			t.Error("a room came to be")
		}
		b.dir.taken = true
		if r := c.call(photon.OpCreateGame, name("r")); r == nil || photon.ReturnCode(r.ReturnCode) != photon.ReturnGameIDAlreadyExists {
			t.Errorf("the room is on another server: %+v", r)
		}
		createOrJoin := photon.Param(photon.ParamJoinMode, byte(photon.CreateIfNotExists))
		if r := c.call(photon.OpJoinGame, name("r"), createOrJoin); r == nil || photon.ReturnCode(r.ReturnCode) != photon.ReturnGameDoesNotExist {
			t.Errorf("join or create, the room is on another server: %+v", r)
		}
		b.reserve("r")
		if r := c.call(photon.OpCreateGame, name("r")); r == nil || r.ReturnCode != 0 {
			t.Errorf("with reservation: %+v", r)
		}
		if b.dir.rooms["r"] == nil {
			t.Error("the room was not published")
		}
		d := b.connect("bob")
		b.dir.grants = true
		if r := d.call(photon.OpCreateGame, name("other")); r == nil || r.ReturnCode != 0 {
			t.Errorf("with a master's consent: %+v", r)
		}
	})
}

// A creation without a name gets one, a join needs one
// (loadbalancing-operations.md 3.6).
func TestCreateWithoutName(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.dir.grants = true
		for _, none := range [][]gpbinary.Param{nil, {name("")}, {photon.Param(photon.ParamRoomName, nil)}} {
			before := len(b.dir.rooms)
			if r := b.connect("ann").call(photon.OpCreateGame, none...); r == nil || r.ReturnCode != 0 {
				t.Errorf("%v: %+v", none, r)
			}
			if n := len(b.dir.rooms) - before; n != 1 {
				t.Errorf("%v: %d rooms more were published", none, n)
			}
			if r := b.connect("bob").call(photon.OpJoinGame, none...); r == nil || photon.ReturnCode(r.ReturnCode) != photon.ReturnInvalidOperation {
				t.Errorf("join %v: %+v", none, r)
			}
		}
		if b.dir.rooms[""] != nil {
			t.Error("a room has no name")
		}
	})
}

// A reservation is used up by one creation and ends by itself. CL-28, LB-102
func TestReservationEnds(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.reserve("r")
		if r, _ := b.server.ReserveRoom(appKey, "r", lobby.ID{}, [16]byte{2}, time.Second); r != Exists {
			t.Errorf("second placement of a reserved name: %v", r)
		}
		b.reserve("r") // the same placement renews
		time.Sleep(21 * time.Second)
		c := b.connect("ann")
		if r := c.call(photon.OpCreateGame, name("r")); r == nil || r.ReturnCode == 0 {
			t.Errorf("after the reservation's time: %+v", r)
		}
	})
}

// A join that comes before the creator waits for it, for two seconds.
func TestJoinWaitsForCreator(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.reserve("r")
		bob, ann := b.connect("bob"), b.connect("ann")
		if r := bob.call(photon.OpJoinGame, name("r")); r != nil {
			t.Fatalf("answered before the creator came: %+v", r)
		}
		time.Sleep(time.Second)
		if r := ann.call(photon.OpCreateGame, name("r")); r == nil || r.ReturnCode != 0 {
			t.Fatalf("creator: %+v", r)
		}
		if r := bob.response(photon.OpJoinGame); r == nil || r.ReturnCode != 0 {
			t.Fatalf("the one who waited: %+v", r)
		}

		b.reserve("late")
		carl := b.connect("carl")
		if r := carl.call(photon.OpJoinGame, name("late")); r != nil {
			t.Fatalf("answered at once: %+v", r)
		}
		time.Sleep(3 * time.Second)
		if r := carl.response(photon.OpJoinGame); r == nil || photon.ReturnCode(r.ReturnCode) != photon.ReturnGameDoesNotExist {
			t.Errorf("nobody came: %+v", r)
		}
		if r := carl.call(photon.OpRaiseEvent, photon.Param(photon.ParamEventCode, byte(1))); r == nil || photon.ReturnCode(r.ReturnCode) != photon.ReturnOperationNotAllowedInCurrentState {
			t.Errorf("event outside a room: %+v", r) // LB-231
		}
	})
}

// responses takes the codes and return codes of all responses, in their order.
func (c *testClient) responses() (all []string) {
	c.b.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, msg := range c.sent {
		if photon.MessageType(msg[1]) != photon.TypeResponse {
			continue
		}
		r, _, err := gpbinary.DecodeResponse(gpbinary.V18, msg[2:])
		if err != nil {
			c.b.t.Fatal(err)
		}
		all = append(all, fmt.Sprint(r.Code, " ", r.ReturnCode))
	}
	c.sent = nil
	return all
}

// LB-007: what a client asks while its entry is not decided is answered behind it. A
// second attempt to enter comes too late if the first one succeeds, and counts if not.
func TestAnswersBehindEntry(t *testing.T) {
	inBubble(t, func(b *bench) {
		ask := func(c *testClient) {
			t.Helper()
			c.responses()
			c.send(photon.OpJoinGame, name("r"))
			c.send(photon.OpCreateGame, name("second"))
			c.send(photon.OpSetProperties)
			c.send(photon.OpServerSettings)
			c.send(photon.OpJoinGame, name("third"))
			if got := c.responses(); got != nil {
				t.Errorf("before the entry is decided: %q", got)
			}
		}
		wants := func(c *testClient, want ...string) {
			t.Helper()
			if got := c.responses(); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		b.reserve("r")
		ann, bob := b.connect("ann"), b.connect("bob")
		ask(bob)
		ann.call(photon.OpCreateGame, name("r"))
		wants(bob, "226 0", "227 32750", "252 -3", "218 0", "226 32750")

		ann.call(photon.OpLeave)
		bob.call(photon.OpLeave)
		b.reserve("r")
		b.reserve("second")
		ask(bob)
		time.Sleep(creatorWait)
		synctest.Wait()
		wants(bob, "226 32758", "227 0", "252 -3", "218 0", "226 32750")

		// What is asked in a room that was entered late goes there.
		if r := bob.call(photon.OpLeave); r == nil || r.ReturnCode != 0 {
			t.Errorf("leave: %+v", r)
		}
		b.reserve("r")
		ask(bob)
		for range maxHeld {
			bob.send(photon.OpServerSettings)
		}
		if bob.closed() == 0 {
			time.Sleep(time.Minute)
		}
		if bob.closed() == 0 {
			t.Error("a client may ask without end before its entry is decided")
		}
	})
}

// A client that is gone before its second attempt to enter counts is not in the room
// of that.
func TestGoneBetweenTwoEntries(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.reserve("r")
		b.reserve("second")
		ann, bob := b.connect("ann"), b.connect("bob")
		bob.onSend = func(msg []byte) {
			if photon.MessageType(msg[1]) == photon.TypeResponse && photon.OpCode(msg[2]) == photon.OpJoinGame {
				bob.r.Closed(transport.ReasonTimeout) // "r" will hear of it, which has let him go by then
			}
		}
		bob.send(photon.OpJoinGame, name("r"))
		bob.send(photon.OpCreateGame, name("second"))
		closed := gpbinary.NewHashtable(gpbinary.Pair{Key: photon.PropIsOpen, Value: false})
		ann.send(photon.OpCreateGame, name("r"), photon.Param(photon.ParamGameProperties, closed))
		if r := bob.response(photon.OpJoinGame); r == nil || photon.ReturnCode(r.ReturnCode) != photon.ReturnGameClosed {
			t.Errorf("first attempt: %+v", r)
		}
		if s := b.server.Stats(); s.Rooms != 1 || s.Peers != 1 {
			t.Errorf("a client that is gone has a room: %+v", s)
		}
	})
}

// LB-165, LB-200, LB-204: once in a room, out again, and the connection goes when
// the client does not close it.
func TestEnterAndLeave(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.reserve("r")
		c := b.connect("ann")
		c.call(photon.OpCreateGame, name("r"))
		if r := c.call(photon.OpJoinGame, name("other")); r == nil || photon.ReturnCode(r.ReturnCode) != photon.ReturnJoinFailedPeerAlreadyJoined {
			t.Errorf("second room: %+v", r)
		}
		if r := c.call(photon.OpLeave); r == nil || r.ReturnCode != 0 {
			t.Errorf("leave: %+v", r)
		}
		if b.server.Stats().Rooms != 0 || len(b.dir.rooms) != 0 {
			t.Error("the empty room is still there")
		}
		if r := c.call(photon.OpLeave); r == nil || photon.ReturnCode(r.ReturnCode) != photon.ReturnOperationNotAllowedInCurrentState {
			t.Errorf("leave outside a room: %+v", r)
		}
		time.Sleep(leaveGrace - time.Second)
		if c.closed() != 0 {
			t.Error("closed before the client had its time")
		}
		time.Sleep(2 * time.Second)
		if c.closed() != transport.ReasonServerDisconnect {
			t.Errorf("not closed: %s", c.closed())
		}
	})
}

// Draining takes no new rooms; joins go on, and Drain ends with the last room, of
// whose end masters have been told then. CL-42
func TestDrain(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.dir.slow = time.Second
		b.reserve("r")
		ann, bob := b.connect("ann"), b.connect("bob")
		ann.call(photon.OpCreateGame, name("r"))
		drained := make(chan error, 1)
		go func() { drained <- b.server.Drain(context.Background()) }()
		synctest.Wait()
		if r, _ := b.server.ReserveRoom(appKey, "new", lobby.ID{}, [16]byte{3}, time.Second); r != Refused {
			t.Errorf("a draining server reserved: %v", r)
		}
		if r := bob.call(photon.OpJoinGame, name("r")); r == nil || r.ReturnCode != 0 {
			t.Errorf("join while draining: %+v", r)
		}
		ann.call(photon.OpLeave)
		select {
		case <-drained:
			t.Error("drained with a player in a room")
		default:
		}
		bob.r.Closed(transport.ReasonClientDisconnect)
		if err := <-drained; err != nil {
			t.Error(err)
		}
		b.dir.mu.Lock()
		defer b.dir.mu.Unlock()
		if len(b.dir.rooms) != 0 || b.server.Stats().Rooms != 0 {
			t.Errorf("drained, and masters know %d rooms, operators %d", len(b.dir.rooms), b.server.Stats().Rooms)
		}
	})
}

// LB-066: a client that raises events gets a new token after half of its life.
func TestTokenRefresh(t *testing.T) {
	inBubble(t, func(b *bench) {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { defer close(done); b.server.Run(ctx) }()
		b.reserve("r")
		c := b.connect("ann")
		c.call(photon.OpCreateGame, name("r"))
		events := func() (n int) {
			c.mu.Lock()
			defer c.mu.Unlock()
			for _, msg := range c.sent {
				if photon.MessageType(msg[1]) == photon.TypeEvent && photon.EventCode(msg[2]) == photon.EventAuth {
					n++
				}
			}
			return n
		}
		raise := func() { c.send(photon.OpRaiseEvent, photon.Param(photon.ParamEventCode, byte(1))) }
		raise()
		if events() != 0 {
			t.Error("a new token at once")
		}
		time.Sleep(31 * time.Minute)
		if events() != 0 {
			t.Error("a silent client got a token")
		}
		raise()
		raise()
		if n := events(); n != 1 {
			t.Errorf("%d new tokens, want 1", n)
		}
		cancel()
		<-done
	})
}

// A panic closes its room; other rooms and the name's next room live.
func TestPanicStaysInItsRoom(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.reserve("good")
		ann, bob, carl := b.connect("ann"), b.connect("bob"), b.connect("carl")
		ann.call(photon.OpCreateGame, name("good"))

		b.dir.bug = "bad"
		b.reserve("bad")
		bob.call(photon.OpCreateGame, name("bad"))
		if n := b.server.Stats().Rooms; n != 1 {
			t.Errorf("%d rooms after one crashed", n)
		}
		time.Sleep(6 * time.Second)
		if bob.closed() == 0 {
			t.Error("the player of the crashed room is still connected")
		}
		if r := carl.call(photon.OpJoinGame, name("good")); r == nil || r.ReturnCode != 0 {
			t.Errorf("the other room: %+v", r)
		}
		b.dir.bug = ""
		b.reserve("bad")
		dora := b.connect("dora")
		if r := dora.call(photon.OpCreateGame, name("bad")); r == nil || r.ReturnCode != 0 {
			t.Errorf("the name's next room: %+v", r)
		}
	})
}

// undecided is a plugin that never decides who may enter.
type undecided struct{ plugin.Base }

func (undecided) Name() string              { return "Undecided" }
func (undecided) Version() string           { return "1" }
func (undecided) OnJoin(c *plugin.JoinCall) { _ = plugin.Postpone(c) }

// A panic also disconnects those whom the room's plugin has not let in yet.
func TestPanicWhileEntering(t *testing.T) {
	inBubble(t, func(b *bench) {
		f := plugin.FactoryFunc(func(h plugin.Host, _ string, _ plugin.Config) (plugin.Plugin, error) {
			return undecided{plugin.Base{Host: h}}, nil
		})
		b.server.opt.Plugins = func(string) *Plugins { return &Plugins{Factory: f} }
		b.reserve("bad")
		ann, bob := b.connect("ann"), b.connect("bob")
		ann.call(photon.OpCreateGame, name("bad"))
		bob.call(photon.OpJoinGame, name("bad"))
		b.dir.bug = "bad"
		carl := b.connect("carl")
		carl.call(photon.OpJoinGame, name("bad"))
		time.Sleep(6 * time.Second)
		if n := b.server.Stats().Rooms; n != 0 {
			t.Errorf("%d rooms after one crashed", n)
		}
		if ann.closed() == 0 || bob.closed() == 0 || carl.closed() == 0 {
			t.Errorf("still connected: ann %v, bob %v, carl %v", ann.closed() == 0, bob.closed() == 0, carl.closed() == 0)
		}
	})
}

// The time that a client has to go counts from its last leave.
func TestLeaveTwice(t *testing.T) {
	inBubble(t, func(b *bench) {
		c := b.connect("ann")
		b.reserve("one")
		c.call(photon.OpCreateGame, name("one"))
		c.call(photon.OpLeave)
		time.Sleep(leaveGrace - 2*time.Second)
		b.reserve("two")
		c.call(photon.OpCreateGame, name("two"))
		c.call(photon.OpLeave)
		time.Sleep(leaveGrace - 2*time.Second)
		if c.closed() != 0 {
			t.Error("closed by the first leave's timer")
		}
		time.Sleep(3 * time.Second)
		if c.closed() == 0 {
			t.Error("never closed")
		}
	})
}
