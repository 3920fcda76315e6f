package master

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

	"github.com/boson-project/boson/pkg/announce"
	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/auth"
	"github.com/boson-project/boson/pkg/cluster"
	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/lobby"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/secure"
	"github.com/boson-project/boson/pkg/transport"
)

// bench is a master without sockets, with one game server that takes every room,
// inside a synctest bubble.
type bench struct {
	t      *testing.T
	server *Server
	app    *app.Server
	auth   *auth.Authenticator
}

func inBubble(t *testing.T, opt Options, fn func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		key, err := secure.RandomKey(bytes.NewReader(bytes.Repeat([]byte{9}, 64)))
		if err != nil {
			t.Fatal(err)
		}
		keys, err := secure.NewKeyring(key)
		if err != nil {
			t.Fatal(err)
		}
		opt.Auth = auth.New(auth.Options{Keys: keys, AllowAnonymous: true, TokenLife: time.Hour})
		opt.AuthTimeout, opt.StatsInterval, opt.LobbyStatsInterval, opt.Logger = time.Minute, 5*time.Second, time.Minute, zerolog.Nop()
		b := &bench{t: t, server: New(opt), auth: opt.Auth}
		b.app = app.NewServer(app.Options{Logger: zerolog.Nop()}, b.server)
		b.server.ServerUp(GameServer{
			ID: "gs", Addresses: announce.Build(announce.Announcement{Host: "192.0.2.1"}, map[transport.Kind]netip.AddrPort{transport.TCP: netip.MustParseAddrPort("0.0.0.0:1")}),
			Reserve: func(context.Context, Reservation) (ReserveResult, error) { return ReserveOk, nil },
			Release: func(Reservation) {},
		}, cluster.Normal)
		fn(b)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := b.app.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		b.server.Close()
		time.Sleep(time.Minute) // timers of grace periods run out
	})
}

// player is a client's connection without a socket.
type player struct {
	b    *bench
	info transport.Info
	r    transport.Receiver

	mu   sync.Mutex
	sent [][]byte
}

func (p *player) ID() uint64            { return 1 }
func (p *player) Info() *transport.Info { return &p.info }
func (p *player) RTT() time.Duration    { return 0 }
func (p *player) Send(msg []byte, _ photon.Delivery) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = append(p.sent, msg)
}
func (p *player) Close(transport.Reason) {}

// connect authenticates a user by the token of a session.
func (b *bench) connect(user string, session byte) *player {
	b.t.Helper()
	p := &player{b: b, info: transport.Info{Kind: transport.TCP, Protocol: photon.GpBinaryV18, Remote: netip.MustParseAddrPort("192.0.2.9:9")}}
	p.r = b.app.Accept(p)
	token, err := b.auth.Seal(&secure.Token{AppID: "app", AppVersion: "1.0", UserID: user, SessionID: [16]byte{session}, Issued: time.Now(), Expires: time.Now().Add(time.Hour)})
	if err != nil {
		b.t.Fatal(err)
	}
	p.send(photon.OpAuthenticate, photon.Param(photon.ParamToken, token))
	if got := p.responses(); !slices.Equal(got, []string{"230 0"}) {
		b.t.Fatalf("authenticate: %q", got)
	}
	return p
}

func (p *player) send(op photon.OpCode, params ...gpbinary.Param) {
	p.b.t.Helper()
	msg, err := photon.AppendRequest(nil, photon.GpBinaryV18, op, params)
	if err != nil {
		p.b.t.Fatal(err)
	}
	p.r.Receive(msg, photon.Delivery{Mode: photon.Reliable})
	synctest.Wait()
}

// responses takes the codes and return codes of all responses, in their order.
func (p *player) responses() (all []string) {
	p.b.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, msg := range p.sent {
		if photon.MessageType(msg[1]) != photon.TypeResponse {
			continue
		}
		r, _, err := gpbinary.DecodeResponse(gpbinary.V18, msg[2:])
		if err != nil {
			p.b.t.Fatal(err)
		}
		all = append(all, fmt.Sprint(r.Code, " ", r.ReturnCode))
	}
	p.sent = nil
	return all
}

func (p *player) wants(what string, want ...string) {
	p.b.t.Helper()
	synctest.Wait()
	if got := p.responses(); !slices.Equal(got, want) {
		p.b.t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// room publishes a room whose only actor is a user by a session.
func (b *bench) room(name, user string, session byte, change func(*lobby.Record)) {
	r := &lobby.Record{
		App: testApp, Name: name, Open: true, Visible: true, CheckUser: true, Players: 1, Users: []string{user},
		Sessions: []uint64{lobby.Session([16]byte{session})}, Created: 1, Incarnation: 1,
	}
	if change != nil {
		change(r)
	}
	b.server.Upsert("gs", r)
	synctest.Wait()
}

func roomName(n string) gpbinary.Param { return photon.Param(photon.ParamRoomName, n) }

// A client that comes from a room waits for the word that it has left, and not a
// moment longer; what it asks meanwhile is answered afterwards, in order. LB-007
func TestWaitForWordOfLeave(t *testing.T) {
	empty := func(r *lobby.Record) { r.Players, r.Users, r.Sessions = 0, nil, nil }
	for _, tt := range []struct {
		name string
		op   photon.OpCode
		room string
		// word is what the game server tells last; before that comes word of other
		// matters, which decides nothing.
		word  func(b *bench)
		late  time.Duration // until the wait is over without a word
		told  string
		alone string
	}{
		{"join", photon.OpJoinGame, "r", func(b *bench) { b.room("r", "ann", 1, empty) }, settleTime, "226 0", "226 32746"},
		{"join after the end", photon.OpJoinGame, "r", func(b *bench) { b.server.Remove("gs", testApp, "r") }, settleTime, "226 32758", "226 32746"},
		{"random", photon.OpJoinRandomGame, "", func(b *bench) { b.room("r", "ann", 1, empty) }, settleTime, "225 0", "225 32760"},
		{"the same session", photon.OpJoinGame, "r", func(b *bench) { b.room("r", "ann", 2, nil) }, settleTime, "226 0", "226 32746"},
		{"create", photon.OpCreateGame, "r", func(b *bench) { b.server.Remove("gs", testApp, "r") }, endTime, "227 0", "227 32766"},
		{"create, lives on", photon.OpCreateGame, "r", func(b *bench) {
			b.room("r", "ann", 1, func(r *lobby.Record) { r.Users[0] = "bob" })
		}, endTime, "227 32766", "227 32766"},
	} {
		ask := func(b *bench) *player {
			b.room("r", "ann", 1, nil)
			p := b.connect("ann", 2)
			p.send(tt.op, roomName(tt.room))
			p.send(photon.OpLeaveLobby)
			p.wants("at once")
			return p
		}
		t.Run(tt.name+", told", func(t *testing.T) {
			inBubble(t, Options{}, func(b *bench) {
				p := ask(b)
				time.Sleep(tt.late / 2)
				b.room("other", "bob", 9, nil)
				b.room("r", "ann", 1, func(r *lobby.Record) { r.Properties = gpbinary.NewHashtable(gpbinary.Pair{Key: "k", Value: "v"}) })
				p.wants("before the word")
				tt.word(b)
				p.wants("after it", tt.told, "228 0")
				time.Sleep(2 * endTime)
				p.wants("later")
			})
		})
		t.Run(tt.name+", not told", func(t *testing.T) {
			inBubble(t, Options{}, func(b *bench) {
				p := ask(b)
				time.Sleep(tt.late - time.Nanosecond)
				p.wants("before the limit")
				time.Sleep(time.Nanosecond)
				p.wants("at the limit", tt.alone, "228 0")
				// The limit counts from the client's coming.
				p.send(tt.op, roomName(tt.room))
				p.wants("again", tt.alone)
			})
		})
	}
}

// A client that goes while it waits leaves nothing behind.
func TestWaiterGoes(t *testing.T) {
	inBubble(t, Options{}, func(b *bench) {
		b.room("r", "ann", 1, nil)
		p := b.connect("ann", 2)
		p.send(photon.OpJoinGame, roomName("r"))
		p.r.Closed(transport.ReasonClientDisconnect)
		synctest.Wait()
		b.server.Remove("gs", testApp, "r")
		synctest.Wait()
		time.Sleep(time.Minute)
		p.wants("after it went")
		b.server.mu.Lock()
		defer b.server.mu.Unlock()
		if len(b.server.apps) != 0 {
			t.Error("the application stays")
		}
	})
}
