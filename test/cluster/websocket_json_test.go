package cluster

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/photon"
	tokens "github.com/boson-project/boson/pkg/secure"
)

// A JSON client's string that GpBinaryV16 can't hold: its clients get the event
// without content and stay, all others get the string. WJ-057
func TestLongStringFromJSON(t *testing.T) {
	t.Parallel()
	up := Start(t, nil)
	sender := connected(t, up, Form{client.WebSocket, photon.JSON}, "sender")
	sender.must(sender.CreateRoom(sender.ctx(), client.EnterRoomParams{RoomName: "long"}))
	var others []*player
	for _, f := range Forms {
		p := connected(t, up, f, "other "+f.String())
		p.must(p.JoinRoom(p.ctx(), client.EnterRoomParams{RoomName: "long"}))
		others = append(others, p)
	}
	long := strings.Repeat("abcdé", 8_000)[:40_000]
	sender.must(sender.RaiseEvent(1, long, nil, client.SendReliable))
	sender.must(sender.RaiseEvent(2, "short", nil, client.SendReliable))
	for i, f := range Forms {
		want := any(long)
		if f.Protocol == photon.GpBinaryV16 {
			want = nil
		}
		if e := next(t, others[i].events, "event of "+f.String()); e.code != 1 || e.content != want {
			t.Errorf("%s: event %d with a %T", f, e.code, e.content)
		}
		if e := next(t, others[i].events, "next event of "+f.String()); e.code != 2 || e.content != "short" {
			t.Errorf("%s: %+v", f, e)
		}
	}
}

// The JavaScript SDK sends its authentication type along with a token, without the
// type's parameters: the token counts, and no provider is asked. WJ-130
func TestAuthTypeBesideToken(t *testing.T) {
	t.Parallel()
	provider := newStub(t, func(h http.Handler) *httptest.Server { return httptest.NewServer(h) })
	up := Start(t, withProvider(provider, withKey))
	token := minted(t, clusterKey, nil)
	p := dialRaw(t, up.GameServer(), Form{client.WebSocket, photon.JSON}, nil)
	p.ok(photon.OpAuthenticate,
		photon.Param(photon.ParamApplicationID, "test"), photon.Param(photon.ParamAppVersion, "1.0"), photon.Param(photon.ParamToken, token),
		photon.Param(photon.ParamClientAuthenticationType, byte(0)), photon.Param(photon.ParamUserID, "somebody else"))
	p.ok(photon.OpJoinGame, photon.Param(photon.ParamRoomName, "r"), photon.Param(photon.ParamJoinMode, byte(photon.CreateIfNotExists)))
	if n := len(provider.heard()); n != 0 {
		t.Errorf("the provider was asked %d times", n)
	}
}

// A JSON client that plays gets a new token long before its old one ends. WJ-144
func TestTokenRefreshOfJSON(t *testing.T) {
	t.Parallel()
	up := Start(t, func(c *config.Config) { withKey(c) })
	p := dialRaw(t, up.GameServer(), Form{client.WebSocket, photon.JSON}, nil)
	p.ok(photon.OpAuthenticate, photon.Param(photon.ParamToken, minted(t, clusterKey, func(tk *tokens.Token) {
		tk.Issued, tk.Expires = time.Now().Add(-31*time.Minute), time.Now().Add(29*time.Minute)
	})))
	p.ok(photon.OpJoinGame, photon.Param(photon.ParamRoomName, "r"), photon.Param(photon.ParamJoinMode, byte(photon.CreateIfNotExists)))
	p.event(photon.EventJoin)
	if err := p.Send(photon.OpRaiseEvent, photon.Params{photon.Param(photon.ParamEventCode, byte(7))}, client.SendReliable); err != nil {
		t.Fatal(err)
	}
	text, ok := p.event(photon.EventAuth).String(photon.ParamToken)
	fresh, err := ring(t, clusterKey).Open(text, time.Now())
	if !ok || err != nil || time.Until(fresh.Expires) < 50*time.Minute {
		t.Fatalf("%+v %v", fresh, err)
	}
}
