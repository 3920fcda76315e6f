package cluster

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/photon"
)

// The provider's AuthCookie travels sealed in the token, through all servers and
// refreshes, to where plugins and webhooks read it; no client ever sees it.
// LB-048, LB-065
func TestAuthCookieTravels(t *testing.T) {
	s := newStub(t, httptest.NewServer)
	up := Start(t, withProvider(s, withKey))
	large := `{"rank":"` + strings.Repeat("x", 4000) + `"}`
	for _, cookie := range []string{`{"rank":"hidden-from-clients","n":[1,2]}`, large} {
		s.answers(200, `{"ResultCode":1,"UserId":"given","AuthCookie":`+cookie+`}`)
		for _, f := range Forms {
			// Whatever an answer or event has, the cookie is only in its token.
			check := func(where string, r *client.Response) string {
				t.Helper()
				params, err := r.Params()
				if err != nil || r.ReturnCode != 0 {
					t.Fatalf("%s %s: %d %s, %v", f, where, r.ReturnCode, r.Debug, err)
				}
				token := ""
				for _, p := range params {
					if p.Key == byte(photon.ParamToken) {
						token, _ = p.Value.(string)
					} else if text := fmt.Sprint(p.Value); strings.Contains(text, "hidden") || strings.Contains(text, "xxxx") {
						t.Errorf("%s %s: the cookie is in parameter %d", f, where, p.Key)
					}
				}
				tk, err := ring(t, clusterKey).Open(token, time.Now())
				if err != nil || string(tk.AuthCookie) != cookie || tk.UserID != "given" {
					t.Fatalf("%s %s: %+v, %v", f, where, tk, err)
				}
				if strings.Contains(token, "hidden") {
					t.Errorf("%s %s: the token can be read", f, where)
				}
				return token
			}
			ns := login(t, up, f, false, custom(0, "", nil))
			token := check("name server", ns)
			m := dialRaw(t, up.Master(), f, nil)
			check("master", m.ok(photon.OpAuthenticate, photon.Param(photon.ParamToken, token)))
			token = check("create", m.ok(photon.OpCreateGame))
			g := dialRaw(t, up.GameServer(), f, nil)
			g.ok(photon.OpAuthenticate, photon.Param(photon.ParamToken, token))
			m = dialRaw(t, up.Master(), f, nil)
			check("back on the master", m.ok(photon.OpAuthenticate, photon.Param(photon.ParamToken, token)))
		}
	}
	// In the init request of AuthenticateOnce, also in more than one datagram.
	settings := Settings(up, Forms[1], "claimed")
	settings.AuthMode = client.AuthOnce
	settings.CustomAuth = &client.CustomAuth{Parameters: "user=1"}
	p := newPlayer(t, settings)
	p.must(p.Connect(p.ctx()))
	p.must(p.CreateRoom(p.ctx(), client.EnterRoomParams{}))

	// More is refused: tokens must stay of a size that clients carry about.
	s.answers(200, `{"ResultCode":1,"AuthCookie":{"a":"`+strings.Repeat("x", 4096)+`"}}`)
	refused(t, "a cookie too large", login(t, up, Forms[3], false, custom(0, "", nil)), photon.ReturnCustomAuthenticationFailed)
}

// A platform from the configuration to the client: Steam's stand-in decides.
func TestPlatformThroughCluster(t *testing.T) {
	s := newStub(t, httptest.NewServer)
	up := Start(t, func(c *config.Config) {
		c.Apps.Auth.Providers = []config.AuthProvider{{Kind: "steam", AppID: "480", Secret: "web-key", URL: s.URL}, {Kind: "static", Type: 30, Users: map[string]string{"ann": "secret"}}}
	})
	login := func(typ byte, query string, direct bool) *client.Response {
		return login(t, up, Forms[3], direct, photon.Params{photon.Param(photon.ParamClientAuthenticationType, typ), photon.Param(photon.ParamClientAuthenticationParams, query)})
	}
	places(t, func(t *testing.T, direct bool) {
		s.answers(200, `{"response":{"params":{"result":"OK","steamid":"765","ownersteamid":"765"}}}`)
		r := login(1, "ticket=00ff", direct)
		if id, _ := r.String(photon.ParamUserID); r.ReturnCode != 0 || id != "765" {
			t.Errorf("%d %s, user %q", r.ReturnCode, r.Debug, id)
		}
		s.answers(200, `{"response":{"error":{"errorcode":101,"errordesc":"Invalid ticket"}}}`)
		r = login(1, "ticket=00ff", direct)
		if r.ReturnCode != photon.ReturnCustomAuthenticationFailed || !strings.Contains(r.Debug, "Invalid ticket") {
			t.Errorf("%d %s", r.ReturnCode, r.Debug)
		}
		s.answers(403, `<html>Forbidden</html>`)
		refused(t, "a wrong key", login(1, "ticket=00ff", direct), photon.ReturnCustomAuthenticationFailed)
		refused(t, "a bad ticket", login(1, "ticket=x", direct), photon.ReturnInvalidOperation)
		if r := login(30, "user=ann&token=secret", direct); r.ReturnCode != 0 {
			t.Errorf("static: %d %s", r.ReturnCode, r.Debug)
		}
		refused(t, "static", login(30, "user=ann&token=x", direct), photon.ReturnCustomAuthenticationFailed)
	})
}

// LB-071 with this repository's client: name server, master, create, leave,
// master, join at random, leave, in each of the ways to authenticate. (The .NET
// clients of 4.1.6.6 and 4.1.8 are not to be had here; their recorded bytes are
// replayed by TestReplayOfOfficialClients.)
func TestFullCycle(t *testing.T) {
	up := Start(t, nil)
	for _, mode := range []client.AuthMode{client.Auth, client.AuthOnce} {
		for _, f := range Forms {
			if mode == client.AuthOnce && f.Protocol == photon.JSON {
				continue
			}
			t.Run(fmt.Sprintf("%s/%d", f, mode), func(t *testing.T) {
				t.Parallel()
				own := fmt.Sprint(f, mode)
				lobby := &client.TypedLobby{Name: own}
				host(t, up, f, "host"+own, "room"+own, lobby, nil)
				asker := onMaster(t, up, f, "asker"+own)
				asker.rooms(own, client.DefaultLobby, 1)
				s := Settings(up, f, "ann"+own)
				s.AuthMode = mode
				ann := newPlayer(t, s)
				ann.must(ann.Connect(ann.ctx()))
				for range 3 {
					ann.must(ann.CreateRoom(ann.ctx(), client.EnterRoomParams{RoomName: "own" + own}))
					ann.must(ann.LeaveRoom(ann.ctx(), false))
					ann.must(ann.JoinRandomRoom(ann.ctx(), client.JoinRandomRoomParams{Lobby: lobby}))
					if name := ann.CurrentRoom().Name; name != "room"+own {
						t.Errorf("in %q", name)
					}
					ann.must(ann.LeaveRoom(ann.ctx(), false))
				}
			})
		}
	}
}
