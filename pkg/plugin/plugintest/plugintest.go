// Package plugintest is for tests of plugins: a game server with real rooms and
// without sockets, and clients in memory that speak to it as real ones do.
//
//	s := plugintest.New(t, plugintest.Options{Factory: myFactory})
//	ann := s.Client("ann")
//	ann.Create("room1")
//	bob := s.Client("bob")
//	bob.Join("room1")
//	ann.Raise(10, "hello")
//	got := bob.WaitEvent(10)
//
// It works in real time and inside a testing/synctest bubble. What a test waits
// for must come within ten seconds.
package plugintest

import (
	"context"
	"encoding/json"
	"io"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/auth"
	"github.com/boson-project/boson/pkg/gameserver"
	"github.com/boson-project/boson/pkg/lobby"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
	"github.com/boson-project/boson/pkg/room"
	"github.com/boson-project/boson/pkg/secure"
	"github.com/boson-project/boson/pkg/webcall"
)

// AppID, AppVersion and Region are those of the server and its clients.
const (
	AppID      = "app-guid"
	AppVersion = "1.0"
	Region     = "eu"
)

// timeout of everything that a test waits for.
const timeout = 10 * time.Second

// Options of a Server. Only Factory is needed.
type Options struct {
	Factory plugin.Factory
	// Config is handed to the factory, Default is the plugin of rooms whose creator
	// names none.
	Config  plugin.Config
	Default string
	// Lax turns strict mode off.
	Lax bool
	// Load says which joins of rooms that are not in memory reach the plugin.
	Load gameserver.Load
	// Allow is where plugins may send HTTP requests (webcall.Rules.Allow). HTTP
	// configures their queue.
	Allow []string
	HTTP  webcall.Config
	// Room holds the limits of rooms.
	Room room.Config
	// MaxWaiting messages may wait for one room; 0 is the server's default.
	MaxWaiting int
	// Log gets the server's log as JSON lines; nil is nowhere.
	Log io.Writer
}

// Server is a game server without sockets.
type Server struct {
	t    testing.TB
	game *gameserver.Server
	app  *app.Server
	auth *auth.Authenticator
	dir  *directory
	web  *webcall.Service
	call *webcall.Client
	stop sync.Once
}

// New returns a running server, which ends with the test.
func New(t testing.TB, opt Options) *Server {
	t.Helper()
	key, err := secure.RandomKey(strings.NewReader(strings.Repeat("tests only ", 8)))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := secure.NewKeyring(key)
	if err != nil {
		t.Fatal(err)
	}
	log := zerolog.Nop()
	if opt.Log != nil {
		log = zerolog.New(zerolog.SyncWriter(opt.Log))
	}
	s := &Server{t: t, dir: &directory{rooms: map[string]*lobby.Record{}}}
	if s.call, err = webcall.NewClient(webcall.ClientOptions{Rules: webcall.Rules{Allow: opt.Allow}}); err != nil {
		t.Fatal(err)
	}
	opt.HTTP.Logger = log
	s.web = webcall.NewService(s.call, opt.HTTP)
	s.auth = auth.New(auth.Options{Keys: keys, AllowAnonymous: true, TokenLife: time.Hour, Separation: auth.ByVersion})
	plugins := &gameserver.Plugins{
		Factory: opt.Factory, Default: opt.Default, Config: opt.Config, Strict: !opt.Lax, Load: opt.Load,
		Web: s.web, Region: Region, Cloud: "test",
	}
	s.game = gameserver.New(gameserver.Options{
		Auth: s.auth, Directory: s.dir, AuthTimeout: time.Minute, TokenLife: time.Hour, Logger: log, Room: opt.Room, MaxWaiting: opt.MaxWaiting,
		Plugins: func(string) *gameserver.Plugins {
			if opt.Factory == nil {
				return nil
			}
			return plugins
		},
	})
	s.app = app.NewServer(app.Options{Name: "plugintest", Logger: log}, s.game)
	t.Cleanup(s.Stop)
	return s
}

// Stop ends all rooms, as a server that stops does, and the server. The test's
// end calls it.
func (s *Server) Stop() {
	s.stop.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		s.game.Stop()
		if err := s.game.CloseRooms(ctx, "the test is over"); err != nil {
			s.t.Errorf("rooms that did not end: %v", err)
		}
		if err := s.app.Shutdown(ctx); err != nil {
			s.t.Errorf("shutdown: %v", err)
		}
		if err := s.game.Close(ctx); err != nil {
			s.t.Error(err)
		}
		s.web.Close()
		s.call.Close()
	})
}

// Rooms is the number of rooms on the server.
func (s *Server) Rooms() int { return s.game.Stats().Rooms }

// Record is what the server tells masters of a room, nil if there is none.
func (s *Server) Record(name string) *lobby.Record { return s.dir.get(name) }

// Close ends a room as an operator does.
func (s *Server) Close(name string) bool {
	return s.game.CloseRoom(AppID+"\x00"+AppVersion, name, "closed by the test")
}

// Kick removes actors as an operator does, and returns how many.
func (s *Server) Kick(name string, k gameserver.Kick) int {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	there, n, err := s.game.Kick(ctx, AppID+"\x00"+AppVersion, name, k)
	if err != nil || !there {
		s.t.Errorf("kick from %s: %v, there: %v", name, err, there)
	}
	return n
}

// Client connects a client. Its nickname is "nick-" and the user id.
func (s *Server) Client(userID string, opt ...ClientOption) *Client {
	s.t.Helper()
	c := &Client{s: s, t: s.t, UserID: userID, protocol: photon.GpBinaryV18, arrived: make(chan struct{}, 1)}
	token := &secure.Token{
		AppID: AppID, AppVersion: AppVersion, UserID: userID, Nickname: "nick-" + userID,
		Issued: time.Now(), Expires: time.Now().Add(time.Hour),
	}
	for _, o := range opt {
		o(c, token)
	}
	c.link.c = c
	c.link.info.Protocol = c.protocol
	c.link.info.Remote = netip.MustParseAddrPort("127.0.0.1:9")
	sealed, err := s.auth.Seal(token)
	if err != nil {
		s.t.Fatal(err)
	}
	c.receiver = s.app.Accept(&c.link)
	if r := c.Call(photon.OpAuthenticate, photon.Param(photon.ParamToken, sealed)); r.ReturnCode != 0 {
		s.t.Fatalf("%s can't authenticate: %d %s", userID, r.ReturnCode, r.Debug)
	}
	return c
}

// ClientOption changes a client before it connects.
type ClientOption func(*Client, *secure.Token)

// Protocol makes the client speak another protocol than GpBinaryV18.
func Protocol(p photon.Protocol) ClientOption {
	return func(c *Client, _ *secure.Token) { c.protocol = p }
}

// AuthCookie gives the client what an authentication provider keeps about its user.
func AuthCookie(cookie map[string]any) ClientOption {
	return func(c *Client, t *secure.Token) {
		text, err := json.Marshal(cookie)
		if err != nil {
			c.t.Fatal(err)
		}
		t.AuthCookie = text
	}
}

// Session gives the client's token a session id, for rejoins that replace an old
// connection.
func Session(id byte) ClientOption {
	return func(_ *Client, t *secure.Token) { t.SessionID[0] = id }
}

// directory is a master that grants every name.
type directory struct {
	mu    sync.Mutex
	rooms map[string]*lobby.Record
}

func (d *directory) Upsert(r *lobby.Record) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rooms[r.Name] = r
}

func (d *directory) Remove(_, name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.rooms, name)
}

func (d *directory) RequestPlacement(_, _ string, done func(gameserver.Reserve)) {
	done(gameserver.Reserved)
}

func (d *directory) get(name string) *lobby.Record {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rooms[name]
}
