package cluster

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
	tokens "github.com/boson-project/boson/pkg/secure"
)

const clusterKey = "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"

// minted is a token as the cluster of these tests would make it, but for what
// change does.
func minted(t *testing.T, key string, change func(*tokens.Token)) string {
	t.Helper()
	token := &tokens.Token{AppID: "test", AppVersion: "1.0", Region: "eu", Cluster: "default", UserID: "minted", Provider: photon.AuthNone,
		Issued: time.Now(), Expires: time.Now().Add(time.Hour)}
	_, _ = rand.Read(token.SessionID[:])
	if change != nil {
		change(token)
	}
	text, err := ring(t, key).Seal(token, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func ring(t *testing.T, key string) *tokens.Keyring {
	t.Helper()
	k, err := tokens.ParseKey(key)
	if err != nil {
		t.Fatal(err)
	}
	r, err := tokens.NewKeyring(k)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// raw is a peer without a client's habits.
type raw struct {
	*client.Peer
	t      testing.TB
	events chan *client.Event
}

func dialRaw(t testing.TB, bound []app.Bound, f Form, token any) *raw {
	t.Helper()
	return dialAddress(t, address(bound, f.Transport), f, token)
}

func dialAddress(t testing.TB, to string, f Form, token any) *raw {
	t.Helper()
	r := &raw{t: t, events: make(chan *client.Event, 1024)}
	ctx, cancel := context.WithTimeout(t.Context(), Timeout)
	defer cancel()
	p, err := client.Dial(ctx, client.Options{Transport: f.Transport, Protocol: f.Protocol, Token: token,
		OnEvent: func(e *client.Event) { r.events <- e.Clone() }}, to)
	if err != nil {
		t.Fatal(err)
	}
	r.Peer = p
	t.Cleanup(p.Close)
	return r
}

func (r *raw) ask(op photon.OpCode, params ...gpbinary.Param) *client.Response {
	r.t.Helper()
	return ask(r.t, r.Peer, op, params)
}

func (r *raw) ok(op photon.OpCode, params ...gpbinary.Param) *client.Response {
	r.t.Helper()
	resp := r.ask(op, params...)
	if err := resp.Err(); err != nil {
		r.t.Fatal(err)
	}
	return resp
}

// event waits for the next event of a code and drops those before it.
func (r *raw) event(code photon.EventCode) *client.Event {
	r.t.Helper()
	return r.await(code.String(), func(e *client.Event) bool { return e.Code == code })
}

// await waits for the first event that will do. The time is for all of them:
// statistics come forever.
func (r *raw) await(what string, ok func(*client.Event) bool) *client.Event {
	r.t.Helper()
	timeout := time.After(Timeout)
	for {
		select {
		case e := <-r.events:
			if ok(e) {
				return e
			}
		case <-timeout:
			r.t.Fatalf("no %s", what)
		}
	}
}

func withKey(c *config.Config) { c.Cluster.Key = clusterKey }

// LB-064, WJ-102: tokens that are worth nothing, on both servers and in the init.
func TestTokensRefused(t *testing.T) {
	up := Start(t, func(c *config.Config) { withKey(c); c.Apps.Allow = []string{"test"} })
	flipped := []byte(minted(t, clusterKey, nil))
	flipped[len(flipped)/2] ^= 1
	past := func(tk *tokens.Token) {
		tk.Issued, tk.Expires = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	}
	tests := []struct {
		name  string
		token any
		want  photon.ReturnCode
	}{
		{"good", minted(t, clusterKey, nil), 0},
		{"good, as bytes", []byte(minted(t, clusterKey, nil)), 0},
		{"modified", string(flipped), photon.ReturnInvalidAuthentication},
		{"of another key", minted(t, strings.Repeat("b2", 32), nil), photon.ReturnInvalidAuthentication},
		{"expired", minted(t, clusterKey, past), photon.ReturnAuthenticationTicketExpired},
		{"of the future", minted(t, clusterKey, func(tk *tokens.Token) { tk.Issued = time.Now().Add(time.Hour) }), photon.ReturnInvalidAuthentication},
		{"of another application", minted(t, clusterKey, func(tk *tokens.Token) { tk.AppID = "other" }), photon.ReturnInvalidAuthentication},
		{"of another cluster", minted(t, clusterKey, func(tk *tokens.Token) { tk.Cluster = "other" }), photon.ReturnInvalidAuthentication},
		{"of another region", minted(t, clusterKey, func(tk *tokens.Token) { tk.Region = "us" }), photon.ReturnInvalidAuthentication},
		{"empty", "", photon.ReturnInvalidAuthentication},
		{"no token", "hello", photon.ReturnInvalidAuthentication},
		{"a number", int32(5), photon.ReturnInvalidOperation},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for name, bound := range map[string][]app.Bound{"master": up.Master(), "game server": up.GameServer()} {
				for _, f := range []Form{Forms[0], Forms[3], Forms[6]} {
					if _, bytes := tt.token.([]byte); bytes && f.Protocol == photon.JSON {
						continue
					}
					p := dialRaw(t, bound, f, nil)
					r := p.ask(photon.OpAuthenticate, photon.Param(photon.ParamToken, tt.token))
					if r.ReturnCode != tt.want {
						t.Errorf("%s, %s: %d %s", name, f, r.ReturnCode, r.Debug)
					}
					if id, _ := r.String(photon.ParamUserID); tt.want == 0 && id != "minted" { // LB-060, WJ-100
						t.Errorf("%s, %s: user id %q", name, f, id)
					}
				}
				// The same in the init request, LB-061, LB-062.
				p := dialRaw(t, bound, Forms[3], tt.token)
				ctx, cancel := context.WithTimeout(t.Context(), Timeout)
				defer cancel()
				r, err := p.TokenResponse(ctx)
				want := tt.want
				if want == photon.ReturnInvalidOperation {
					want = r.ReturnCode // either code will do for what is no token at all
				}
				if err != nil || r.ReturnCode != want || (r.ReturnCode == 0) != (tt.want == 0) {
					t.Errorf("%s, init: %v %d", name, err, r.ReturnCode)
				}
			}
		})
	}
}

// A token is for its own virtual application, whatever stands beside it. LB-013
func TestTokenNamesTheApplication(t *testing.T) {
	up := Start(t, withKey)
	ann := connected(t, up, Forms[3], "ann")
	ann.must(ann.CreateRoom(ann.ctx(), client.EnterRoomParams{RoomName: "ours"}))
	for name, change := range map[string]func(*tokens.Token){
		"application": func(tk *tokens.Token) { tk.AppID = "other" },
		"version":     func(tk *tokens.Token) { tk.AppVersion = "2.0" },
	} {
		token := minted(t, clusterKey, change)
		for server, bound := range map[string][]app.Bound{"master": up.Master(), "game server": up.GameServer()} {
			p := dialRaw(t, bound, Forms[3], nil)
			p.ok(photon.OpAuthenticate, photon.Param(photon.ParamToken, token),
				photon.Param(photon.ParamApplicationID, "test"), photon.Param(photon.ParamAppVersion, "1.0"))
			if r := p.ask(photon.OpJoinGame, photon.Param(photon.ParamRoomName, "ours")); r.ReturnCode != photon.ReturnGameDoesNotExist {
				t.Errorf("other %s on the %s: %d %s", name, server, r.ReturnCode, r.Debug)
			}
		}
	}
}

// LB-065, WJ-110: the master's answers to matchmaking bring a younger token.
func TestTokensAreRefreshedOnTheWay(t *testing.T) {
	up := Start(t, withKey)
	for _, f := range []Form{Forms[0], Forms[3], Forms[6]} {
		old := minted(t, clusterKey, func(tk *tokens.Token) {
			tk.Issued, tk.Expires = time.Now().Add(-50*time.Minute), time.Now().Add(10*time.Minute)
		})
		presented, err := ring(t, clusterKey).Open(old, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		p := dialRaw(t, up.Master(), f, nil)
		p.ok(photon.OpAuthenticate, photon.Param(photon.ParamToken, old))
		name := photon.Param(photon.ParamRoomName, "room "+f.String())
		for _, r := range []*client.Response{
			p.ok(photon.OpCreateGame, name),
			p.ok(photon.OpJoinGame, name, photon.Param(photon.ParamJoinMode, byte(photon.CreateIfNotExists))),
			p.ok(photon.OpJoinRandomGame, photon.Param(photon.ParamJoinMode, byte(photon.CreateIfNotExists))),
		} {
			text, _ := r.String(photon.ParamToken)
			fresh, err := ring(t, clusterKey).Open(text, time.Now())
			if err != nil {
				t.Fatalf("%s, %s: %v", f, r.Op, err)
			}
			if !fresh.Expires.After(presented.Expires.Add(30*time.Minute)) || fresh.SessionID != presented.SessionID || fresh.UserID != "minted" {
				t.Errorf("%s, %s: %+v after %+v", f, r.Op, fresh, presented)
			}
			if !r.Has(photon.ParamAddress) {
				t.Errorf("%s, %s: no address", f, r.Op)
			}
		}
	}
}

// LB-066: who raises events gets a new token when half of the old one's life is
// over; who is silent does not, and stays connected past the end.
func TestTokenRefreshInRoom(t *testing.T) {
	up := Start(t, withKey)
	enter := func(token, room string) *raw {
		p := dialRaw(t, up.GameServer(), Forms[3], nil)
		p.ok(photon.OpAuthenticate, photon.Param(photon.ParamToken, token))
		p.ok(photon.OpJoinGame, photon.Param(photon.ParamRoomName, room), photon.Param(photon.ParamJoinMode, byte(photon.CreateIfNotExists)))
		p.event(photon.EventJoin)
		return p
	}
	raise := func(p *raw) {
		if err := p.Send(photon.OpRaiseEvent, photon.Params{photon.Param(photon.ParamEventCode, byte(7)), photon.Param(photon.ParamReceiverGroup, byte(photon.ReceiverAll))}, client.SendReliable); err != nil {
			t.Fatal(err)
		}
	}
	old := minted(t, clusterKey, func(tk *tokens.Token) {
		tk.Issued, tk.Expires = time.Now().Add(-50*time.Minute), time.Now().Add(10*time.Minute)
	})
	p := enter(old, "old")
	raise(p)
	text, _ := p.event(photon.EventAuth).String(photon.ParamToken)
	fresh, err := ring(t, clusterKey).Open(text, time.Now())
	if err != nil || time.Until(fresh.Expires) < 50*time.Minute {
		t.Fatalf("%+v %v", fresh, err)
	}
	p.event(7)
	raise(p)
	if e := next(t, p.events, "second event"); e.Code != 7 {
		t.Errorf("one more token, or %s", e.Code)
	}
	// It is good on the master.
	back := dialRaw(t, up.Master(), Forms[3], nil)
	back.ok(photon.OpAuthenticate, photon.Param(photon.ParamToken, text))

	young := enter(minted(t, clusterKey, nil), "young")
	raise(young)
	if e := next(t, young.events, "event"); e.Code != 7 {
		t.Errorf("a young token was refreshed: %s", e.Code)
	}

	short := minted(t, clusterKey, func(tk *tokens.Token) {
		tk.Issued, tk.Expires = time.Now().Add(-59*time.Minute), time.Now().Add(1500*time.Millisecond)
	})
	silent := enter(short, "silent")
	eventually(t, func() bool {
		r := dialRaw(t, up.Master(), Forms[3], nil).ask(photon.OpAuthenticate, photon.Param(photon.ParamToken, short))
		return r.ReturnCode == photon.ReturnAuthenticationTicketExpired
	}, "the token expires")
	silent.ok(photon.OpGetProperties)
	if len(silent.events) != 0 {
		t.Errorf("a silent client got %s", (<-silent.events).Code)
	}
}

// WJ-101: a token is good several times, also at once.
func TestTokenInParallel(t *testing.T) {
	up := Start(t, withKey)
	token := minted(t, clusterKey, nil)
	var all []*raw
	for range 5 {
		p := dialRaw(t, up.Master(), Forms[6], nil)
		p.ok(photon.OpAuthenticate, photon.Param(photon.ParamToken, token))
		all = append(all, p)
	}
	for _, p := range all {
		p.ok(photon.OpJoinLobby)
	}
}

// LB-069: game servers in tokenless mode, and others.
func TestTokenless(t *testing.T) {
	for _, tokenless := range []bool{true, false} {
		up := Start(t, func(c *config.Config) { c.Apps.Tokenless = tokenless })
		p := dialRaw(t, up.GameServer(), Forms[3], nil)
		r := p.ask(photon.OpAuthenticate, loginParams(true, custom(0, "", nil))...)
		id, _ := r.String(photon.ParamUserID)
		if tokenless && (r.ReturnCode != 0 || id != "claimed") || !tokenless && r.ReturnCode != photon.ReturnInvalidAuthentication {
			t.Errorf("tokenless %v: %d %s, user %q", tokenless, r.ReturnCode, r.Debug, id)
		}
	}
}

// LB-068, LB-070, WJ-103: straight to the master, where a region says nothing.
func TestDirectMaster(t *testing.T) {
	up := Start(t, nil)
	for _, f := range []Form{Forms[0], Forms[3], Forms[6]} {
		p := dialRaw(t, up.Master(), f, nil)
		r := p.ok(photon.OpAuthenticate, loginParams(true, photon.Params{photon.Param(photon.ParamRegion, "mars"), photon.Param(photon.ParamLobbyStats, true)})...)
		if !r.Has(photon.ParamToken) || !r.Has(photon.ParamUserID) {
			t.Errorf("%s: token %v, user id %v", f, r.Has(photon.ParamToken), r.Has(photon.ParamUserID))
		}
		p.event(photon.EventAppStats)
		p.event(photon.EventLobbyStats)
	}
}

// seated says whether the master knows the room in which a user is.
func seated(t *testing.T, asker *player, user string) bool {
	t.Helper()
	friends, err := asker.FindFriends(asker.ctx(), []string{user}, photon.FriendsCreatedOnGs)
	return err == nil && friends[0].Room != ""
}

// Limits of applications, on the wire. LB-031 (on the master), LB-021
func TestApplicationLimits(t *testing.T) {
	up := Start(t, func(c *config.Config) {
		c.Apps.MaxCCU = 2
		c.Apps.Allow = []string{"test"}
		c.Apps.Rules = []config.AppRules{{AppID: "big", MaxCCU: -1}, {AppID: "strict", Versions: []string{"1.0"}, Regions: "us; asia"}}
	})
	f := Forms[3]
	one, two := connected(t, up, f, "one"), connected(t, up, f, "two")
	three := newPlayer(t, Settings(up, f, "three"))
	if err := three.Connect(three.ctx()); code(err) != photon.ReturnMaxCcuReached {
		t.Errorf("third player: %v", err)
	}
	// Who sends more than it may gets an answer to everything.
	greedy := dialRaw(t, up.Master(), f, nil)
	for _, op := range []photon.OpCode{photon.OpAuthenticate, photon.OpJoinLobby, photon.OpCreateGame, photon.OpAuthenticate} {
		if err := greedy.Send(op, loginParams(true, nil), client.SendReliable); err != nil {
			t.Fatal(err)
		}
	}
	if r := greedy.ask(photon.OpLeaveLobby); r.ReturnCode != photon.ReturnOperationNotAllowedInCurrentState {
		t.Errorf("operation of a refused client: %d", r.ReturnCode)
	}
	// Those who are in come and go as they like, also before the master hears that
	// they have left their room.
	one.must(one.CreateRoom(one.ctx(), client.EnterRoomParams{}))
	eventually(t, func() bool { return seated(t, two, "one") }, "the master knows who is in the room")
	eventually(t, func() bool { // its old connection may still count
		coming := dialRaw(t, up.Master(), f, nil)
		defer coming.Close()
		return coming.ask(photon.OpAuthenticate, loginParams(true, photon.Params{photon.Param(photon.ParamUserID, "one")})...).ReturnCode == 0
	}, "who is in a room may come to the master")
	one.must(one.LeaveRoom(one.ctx(), false))
	for i := range 10 {
		one.must(one.CreateRoom(one.ctx(), client.EnterRoomParams{RoomName: fmt.Sprint("room ", i)}))
		one.must(one.LeaveRoom(one.ctx(), false))
	}
	two.Close()
	eventually(t, func() bool { return three.Connect(three.ctx()) == nil }, "a place is free")

	for i := range 4 {
		s := Settings(up, f, fmt.Sprint("big", i))
		s.AppID = "big"
		p := newPlayer(t, s)
		p.must(p.Connect(p.ctx()))
	}
	for name, tt := range map[string]struct {
		app, version string
		want         photon.ReturnCode
	}{
		"unknown application": {"unknown", "1.0", photon.ReturnInvalidAuthentication},
		"version":             {"strict", "2.0", photon.ReturnInvalidRegion}, // the region is looked at first
		"region":              {"strict", "1.0", photon.ReturnInvalidRegion},
	} {
		s := Settings(up, f, "x")
		s.AppID, s.AppVersion = tt.app, tt.version
		p := newPlayer(t, s)
		if err := p.Connect(p.ctx()); code(err) != tt.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	r := dialRaw(t, up.Master(), f, nil).ask(photon.OpAuthenticate, photon.Param(photon.ParamApplicationID, "strict"), photon.Param(photon.ParamAppVersion, "2.0"))
	if r.ReturnCode != photon.ReturnInvalidAuthentication || !strings.Contains(r.Debug, "2.0") {
		t.Errorf("version that may not connect: %d %q", r.ReturnCode, r.Debug)
	}
}
