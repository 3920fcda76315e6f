package gameserver

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/auth"
	"github.com/boson-project/boson/pkg/lobby"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/secure"
	"github.com/boson-project/boson/pkg/transport"
)

// deaf is a connection that forgets what it is sent, but counts it.
type deaf struct {
	info     *transport.Info
	messages *atomic.Int64
}

func (d *deaf) ID() uint64                    { return 1 }
func (d *deaf) Info() *transport.Info         { return d.info }
func (d *deaf) RTT() time.Duration            { return 0 }
func (d *deaf) Send([]byte, photon.Delivery)  { d.messages.Add(1) }
func (d *deaf) Close(reason transport.Reason) {}

// openDirectory stands for masters that let everybody create.
type openDirectory struct{}

func (openDirectory) Upsert(*lobby.Record)                             {}
func (openDirectory) Remove(string, string)                            {}
func (openDirectory) RequestPlacement(_, _ string, done func(Reserve)) { done(Reserved) }

// crowd is a game server with rooms of two players each.
type crowd struct {
	server   *Server
	app      *app.Server
	players  []transport.Receiver
	messages atomic.Int64 // sent to all players
}

// newCrowd fills a game server. Sockets are left out: what is measured is what
// rooms and peers cost beyond them.
func newCrowd(tb testing.TB, rooms int) *crowd {
	tb.Helper()
	key, err := secure.RandomKey(bytes.NewReader(bytes.Repeat([]byte{9}, 64)))
	if err != nil {
		tb.Fatal(err)
	}
	keys, err := secure.NewKeyring(key)
	if err != nil {
		tb.Fatal(err)
	}
	c := &crowd{players: make([]transport.Receiver, 0, 2*rooms)}
	c.server = New(Options{
		Auth:      auth.New(auth.Options{Keys: keys, AllowAnonymous: true, TokenLife: time.Hour}),
		Directory: openDirectory{}, Tokenless: true, AuthTimeout: time.Minute, TokenLife: time.Hour, Logger: zerolog.Nop(),
	})
	c.app = app.NewServer(app.Options{Logger: zerolog.Nop()}, c.server)
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := c.app.Shutdown(ctx); err != nil {
			tb.Error(err)
		}
		_ = c.server.Close(context.Background())
	})
	info := &transport.Info{Kind: transport.UDP, Protocol: photon.GpBinaryV18, Remote: netip.MustParseAddrPort("127.0.0.1:9")}
	for i := range 2 * rooms {
		c.players = append(c.players, c.app.Accept(&deaf{info, &c.messages}))
		c.send(tb, i, photon.OpAuthenticate, photon.Params{
			photon.Param(photon.ParamApplicationID, "app"), photon.Param(photon.ParamAppVersion, "1"), photon.Param(photon.ParamUserID, fmt.Sprint("user", i)),
		})
		c.send(tb, i, photon.OpJoinGame, photon.Params{
			photon.Param(photon.ParamRoomName, fmt.Sprint("room", i/2)), photon.Param(photon.ParamJoinMode, byte(photon.CreateIfNotExists)),
			photon.Param(photon.ParamRoomOptionFlags, int32(photon.FlagCheckUserOnJoin|photon.FlagDeleteCacheOnLeave)),
		})
	}
	// Each room says: two authentications, two joins, three Join events.
	c.settle(tb, int64(7*rooms))
	return c
}

func (c *crowd) send(tb testing.TB, i int, op photon.OpCode, params photon.Params) {
	tb.Helper()
	msg, err := photon.AppendRequest(nil, photon.GpBinaryV18, op, params)
	if err != nil {
		tb.Fatal(err)
	}
	c.players[i].Receive(msg, photon.Delivery{Mode: photon.Reliable})
}

// settle waits until the players have been sent that many messages.
func (c *crowd) settle(tb testing.TB, messages int64) {
	tb.Helper()
	deadline := time.Now().Add(time.Minute)
	for c.messages.Load() < messages {
		if time.Now().After(deadline) {
			tb.Fatalf("%d messages, want %d", c.messages.Load(), messages)
		}
		runtime.Gosched()
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// BenchmarkIdleRooms holds 100 000 rooms of two and reports what one costs, with
// its two peers. Idle rooms have no goroutine.
func BenchmarkIdleRooms(b *testing.B) {
	const rooms = 100_000
	for b.Loop() {
		before, goroutines := heap(), runtime.NumGoroutine()
		c := newCrowd(b, rooms)
		if n := c.server.Stats().Rooms; n != rooms {
			b.Fatalf("%d rooms", n)
		}
		after := heap()
		b.ReportMetric(float64(after-before)/rooms, "B/room")
		b.ReportMetric(float64(runtime.NumGoroutine()-goroutines), "goroutines")
		runtime.KeepAlive(c)
	}
}

// BenchmarkManyRooms raises events round robin in 10 000 rooms of two: every
// event meets a cold room.
func BenchmarkManyRooms(b *testing.B) {
	const rooms = 10_000
	c := newCrowd(b, rooms)
	msg, err := photon.AppendRequest(nil, photon.GpBinaryV18, photon.OpRaiseEvent, photon.Params{
		photon.Param(photon.ParamEventCode, byte(1)), photon.Param(photon.ParamData, make([]byte, 64)),
	})
	if err != nil {
		b.Fatal(err)
	}
	start := c.messages.Load()
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		c.players[i%len(c.players)].Receive(msg, photon.Delivery{Mode: photon.Unreliable})
	}
	c.settle(b, start+int64(b.N))
}

// A room that nobody speaks in costs no goroutine.
func TestIdleRoomsHaveNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	const rooms = 1000
	c := newCrowd(t, rooms)
	if n := c.server.Stats().Rooms; n != rooms {
		t.Fatalf("%d rooms", n)
	}
	// The fibers' runners end on their own once there is nothing to do.
	deadline := time.Now().Add(10 * time.Second)
	for runtime.NumGoroutine()-before > rooms/10 {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines for %d idle rooms", runtime.NumGoroutine()-before, rooms)
		}
		runtime.Gosched()
	}
}
