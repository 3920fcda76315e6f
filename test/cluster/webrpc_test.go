package cluster

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/daemon"
	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// withRPC configures the stub as the web service of WebRpc.
func withRPC(s *stub, change func(*config.Config)) func(*config.Config) {
	return func(c *config.Config) {
		c.WebRPC.BaseURL = s.URL + "/api?base=1"
		c.WebRPC.RateLimit = 0
		if change != nil {
			change(c)
		}
	}
}

// onBoth runs a test for a client on the master, and again in a room.
func onBoth(t *testing.T, up *daemon.Up, f Form, user string, test func(t *testing.T, p *player)) {
	t.Helper()
	p := connected(t, up, f, user)
	t.Run("master", func(t *testing.T) { test(t, p) })
	p.must(p.CreateRoom(p.ctx(), client.EnterRoomParams{}))
	t.Run("room", func(t *testing.T) { test(t, p) })
}

// LB-270, LB-271, LB-273, LB-274: the whole way of a call, in every form.
func TestWebRPC(t *testing.T) {
	s := newStub(t, httptest.NewServer)
	up := Start(t, withRPC(s, nil))
	for _, f := range Forms {
		t.Run(f.String(), func(t *testing.T) {
			onBoth(t, up, f, "ann", func(t *testing.T, p *player) {
				const who = `{"AppId":"test","AppVersion":"1.0","Region":"eu","UserId":"ann"`
				for _, tt := range []struct {
					data any
					body string
				}{
					{map[string]any{"key1": 1, "key2": "yx", "key3": true}, `,"key1":1,"key2":"yx","key3":true}`},
					{[]any{1, "x"}, `,"RpcParams":[1,"x"]}`},
					{nil, `}`},
				} {
					s.answers(200, `{"ResultCode":7,"Message":"hi","Data":{"l":5000000000,"d":1.5,"s":"x","b":true,"a":[1,null],"n":{"i":2}}}`)
					r, err := p.WebRPC(p.ctx(), "method?id=1", tt.data, true)
					if err != nil {
						t.Fatal(err)
					}
					got := s.heard()
					if len(got) != 1 || got[0].method != "POST" || got[0].contentType != "application/json" || got[0].query.Encode() != "base=1&id=1" || got[0].body != who+tt.body {
						t.Errorf("asked %+v", got)
					}
					if r.Name != "method?id=1" || r.Code != 7 || r.Message != "hi" {
						t.Errorf("%+v", r)
					}
					if f.Protocol == photon.JSON {
						if table, ok := r.Data.(*gpbinary.Hashtable); !ok || table.Len() != 6 {
							t.Errorf("data %T %v", r.Data, r.Data)
						}
						continue
					}
					data, ok := r.Data.(*gpbinary.Dictionary)
					if !ok || data.Key.Kind != gpbinary.KindString || data.Val.Kind != gpbinary.KindObject {
						t.Fatalf("data %T %v", r.Data, r.Data)
					}
					for key, want := range map[string]any{"l": int64(5e9), "d": 1.5, "s": "x", "b": true, "a": gpbinary.ObjectArray{int64(1), nil}} {
						if v, _ := data.Get(key); !gpbinary.EqualValues(v, want) {
							t.Errorf("%s is %T %v", key, v, v)
						}
					}
				}
			})
		})
	}
}

// LB-272: what goes wrong on the way.
func TestWebRPCFailures(t *testing.T) {
	s := newStub(t, httptest.NewServer)
	up := Start(t, withRPC(s, nil))
	onBoth(t, up, Forms[1], "ann", func(t *testing.T, p *player) {
		for _, tt := range []struct {
			status       int
			answer, path string
			code         photon.ReturnCode
			says         string
		}{
			{500, `{"ResultCode":0}`, "m", photon.ReturnExternalHTTPCallFailed, "HTTP 500"},
			{404, ``, "m", photon.ReturnExternalHTTPCallFailed, "HTTP 404"},
			{200, `<html>`, "m", photon.ReturnExternalHTTPCallFailed, "JSON"},
			{302, "http://169.254.169.254/", "m", photon.ReturnExternalHTTPCallFailed, "not allowed"},
			{302, "http://localhost/", "m", photon.ReturnExternalHTTPCallFailed, "not allowed"},
			{200, ``, "http://evil.example/", photon.ReturnInvalidOperation, "209"},
			{200, ``, "//evil.example/", photon.ReturnInvalidOperation, "209"},
			{200, ``, "../admin", photon.ReturnInvalidOperation, "209"},
		} {
			s.answers(tt.status, tt.answer)
			_, err := p.WebRPC(p.ctx(), tt.path, nil, false)
			if code(err) != tt.code || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%d %s %s: %v", tt.status, tt.answer, tt.path, err)
			}
			if asked := len(s.heard()); (asked == 1) != (tt.code == photon.ReturnExternalHTTPCallFailed) {
				t.Errorf("%s: asked %d times", tt.path, asked)
			}
		}
		s.answers(200, `{"ResultCode":0}`)
		if _, err := p.WebRPC(p.ctx(), "m", nil, false); err != nil {
			t.Error(err)
		}
	})
	s.Close()
	p := connected(t, up, Forms[1], "bob")
	if _, err := p.WebRPC(p.ctx(), "m", nil, false); code(err) != photon.ReturnExternalHTTPCallFailed {
		t.Errorf("the service is down: %v", err)
	}
}

// WJ-113, LB-272: without a service -2 with a message, and so where 209 is
// missing; beyond the rate limit 32745, on each connection.
func TestWebRPCRefused(t *testing.T) {
	up := Start(t, nil)
	for _, f := range []Form{Forms[0], Forms[6]} {
		p := connected(t, up, f, "ann")
		if _, err := p.WebRPC(p.ctx(), "p/q", map[string]any{"a": 1}, false); code(err) != photon.ReturnInvalidOperation || !strings.Contains(err.Error(), "not configured") {
			t.Errorf("%s: %v", f, err)
		}
		p.Close()
	}

	s := newStub(t, httptest.NewServer)
	s.answers(200, `{"ResultCode":0}`)
	up = Start(t, withRPC(s, func(c *config.Config) {
		c.WebRPC.RateLimit = 3
		c.Apps.Rules = []config.AppRules{{AppID: "test"}, {AppID: "none", WebRPCURL: config.Off}, {AppID: "own", WebRPCURL: s.URL, WebRPCHeaders: []string{"X: y"}}}
	}))
	onBoth(t, up, Forms[1], "ann", func(t *testing.T, p *player) {
		var codes []photon.ReturnCode
		for range 5 {
			_, err := p.WebRPC(p.ctx(), "m", nil, false)
			codes = append(codes, code(err))
		}
		if fmt.Sprint(codes) != fmt.Sprint([]photon.ReturnCode{0, 0, 0, photon.ReturnHTTPLimitReached, photon.ReturnHTTPLimitReached}) {
			t.Errorf("codes %d", codes)
		}
	})
	for app, want := range map[string]photon.ReturnCode{"none": photon.ReturnInvalidOperation, "own": 0} {
		settings := Settings(up, Forms[3], "bob")
		settings.AppID = app
		p := newPlayer(t, settings)
		p.must(p.Connect(p.ctx()))
		if _, err := p.WebRPC(p.ctx(), "m", nil, false); code(err) != want {
			t.Errorf("application %s: %v", app, err)
		}
	}
	r := dialRaw(t, up.Master(), Forms[3], nil)
	if a := r.ask(photon.OpAuthenticate, loginParams(true, nil)...); a.Err() != nil {
		t.Fatal(a.Err())
	}
	if a := r.ask(photon.OpWebRPC, photon.Param(photon.ParamWebRPCParameters, int32(1))); a.ReturnCode != photon.ReturnInvalidOperation || !strings.Contains(a.Debug, "209") {
		t.Errorf("without a path: %d %s", a.ReturnCode, a.Debug)
	}
}

// LB-273: the cookie of the authentication service goes to the web service when
// the client asks for it, and never to the client.
func TestWebRPCAuthCookie(t *testing.T) {
	login, s := newStub(t, httptest.NewServer), newStub(t, httptest.NewServer)
	up := Start(t, withProvider(login, withRPC(s, nil)))
	login.answers(200, `{"ResultCode":1,"UserId":"Given","AuthCookie":{"top": "secret-cookie"}}`)
	s.answers(200, `{"ResultCode":0}`)
	for _, f := range []Form{Forms[1], Forms[6]} {
		settings := Settings(up, f, "claimed")
		settings.CustomAuth = &client.CustomAuth{Parameters: "user=1"}
		p := newPlayer(t, settings)
		p.must(p.Connect(p.ctx()))
		for _, place := range []string{"master", "room"} {
			for _, with := range []bool{true, false} {
				s.answers(200, `{"ResultCode":0}`)
				if _, err := p.WebRPC(p.ctx(), "m", map[string]any{"AuthCookie": "forged"}, with); err != nil {
					t.Fatal(err)
				}
				want := `{"AppId":"test","AppVersion":"1.0","Region":"eu","UserId":"Given"`
				if with {
					want += `,"AuthCookie":{"top":"secret-cookie"}`
				}
				if got := s.heard(); len(got) != 1 || got[0].body != want+"}" {
					t.Errorf("%s, %s, %v: asked %+v", f, place, with, got)
				}
			}
			if place == "master" {
				p.must(p.CreateRoom(p.ctx(), client.EnterRoomParams{}))
			}
		}
	}
}

// loadbalancing-webhooks.md 1.4: many calls at once are all answered, while the
// room goes on.
func TestWebRPCParallel(t *testing.T) {
	s := newStub(t, httptest.NewServer)
	s.answers(200, `{"ResultCode":1}`)
	up := Start(t, withRPC(s, nil))
	ann, bob := connected(t, up, Forms[0], "ann"), connected(t, up, Forms[1], "bob")
	ann.must(ann.CreateRoom(ann.ctx(), client.EnterRoomParams{RoomName: "r"}))
	bob.must(bob.JoinRoom(bob.ctx(), client.EnterRoomParams{RoomName: "r"}))
	var wg sync.WaitGroup
	for i := range 40 {
		path := fmt.Sprint("m", i)
		wg.Go(func() {
			r, err := ann.Peer().Operation(ann.ctx(), photon.OpWebRPC, photon.Params{photon.Param(photon.ParamURIPath, path)})
			if err != nil || r.Err() != nil {
				t.Errorf("%s: %+v, %v", path, r, err)
			}
		})
		bob.must(bob.RaiseEvent(1, int32(i), nil, client.SendReliable))
	}
	for range 40 {
		next(t, ann.events, "event")
	}
	wg.Wait()
	if n := len(s.heard()); n != 40 {
		t.Errorf("asked %d times", n)
	}
}
