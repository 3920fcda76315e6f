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
		b.serve(func(context.Context, Reservation) (ReserveResult, error) { return ReserveOk, nil })
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

// serve makes the game server answer reservations in this way from now on.
func (b *bench) serve(reserve func(context.Context, Reservation) (ReserveResult, error)) {
	b.server.ServerUp(GameServer{
		ID: "gs", Addresses: announce.Build(announce.Announcement{Host: "192.0.2.1"}, map[transport.Kind]netip.AddrPort{transport.TCP: netip.MustParseAddrPort("0.0.0.0:1")}),
		Reserve: reserve,
		Release: func(Reservation) {},
	}, cluster.Normal)
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

// params returns the parameters of the last response to an operation.
func (p *player) params(op photon.OpCode) (params gpbinary.Params) {
	p.b.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, msg := range p.sent {
		if photon.MessageType(msg[1]) == photon.TypeResponse && photon.OpCode(msg[2]) == op {
			r, _, err := gpbinary.DecodeResponse(gpbinary.V18, msg[2:])
			if err != nil {
				p.b.t.Fatal(err)
			}
			params = r.Params
		}
	}
	return params
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
