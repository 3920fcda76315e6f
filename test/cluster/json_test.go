package cluster

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/photon"
	tokens "github.com/boson-project/boson/pkg/secure"
)

// WJ-130: the JavaScript SDK repeats the type of its authentication beside the
// token; nobody is asked again.
func TestTokenNeedsNoProvider(t *testing.T) {
	s := newStub(t, httptest.NewServer)
	up := Start(t, withProvider(s, withKey))
	s.answers(200, `{"ResultCode":2,"Message":"no"}`)
	json := Forms[6]
	token := photon.Param(photon.ParamToken, minted(t, clusterKey, nil))
	for what, params := range map[string]photon.Params{
		"token": {token},
		"all":   append(loginParams(true, photon.Params{photon.Param(photon.ParamClientAuthenticationType, byte(0)), photon.Param(photon.ParamUserID, "other")}), token),
	} {
		for _, bound := range []string{address(up.Master(), json.Transport), address(up.GameServer(), json.Transport)} {
			r := dialAddress(t, bound, json, nil).ok(photon.OpAuthenticate, params...)
			if id, _ := r.String(photon.ParamUserID); id != "minted" {
				t.Errorf("%s at %s: user %q", what, bound, id)
			}
		}
	}
	if n := len(s.heard()); n != 0 {
		t.Errorf("the provider was asked %d times", n)
	}
}

// WJ-144: the new token reaches JavaScript clients too.
func TestTokenRefreshForJSON(t *testing.T) {
	up := Start(t, withKey)
	p := dialRaw(t, up.GameServer(), Forms[6], nil)
	p.ok(photon.OpAuthenticate, photon.Param(photon.ParamToken, minted(t, clusterKey, func(tk *tokens.Token) {
		tk.Issued, tk.Expires = time.Now().Add(-31*time.Minute), time.Now().Add(29*time.Minute)
	})))
	p.ok(photon.OpJoinGame, photon.Param(photon.ParamRoomName, "r"), photon.Param(photon.ParamJoinMode, byte(photon.CreateIfNotExists)))
	if err := p.Send(photon.OpRaiseEvent, photon.Params{photon.Param(photon.ParamEventCode, byte(7))}, client.SendReliable); err != nil {
		t.Fatal(err)
	}
	text, _ := p.event(photon.EventAuth).String(photon.ParamToken)
	if fresh, err := ring(t, clusterKey).Open(text, time.Now()); err != nil || time.Until(fresh.Expires) < 59*time.Minute {
		t.Errorf("%+v, %v", fresh, err)
	}
}

// WJ-057: a string that 1.6 has no form for costs its clients the content and
// nothing else.
func TestLongStringFromJSON(t *testing.T) {
	up := Start(t, nil)
	text := strings.Repeat("x", 40_000)
	var players []*player
	for _, f := range []Form{Forms[6], {client.TCP, photon.GpBinaryV16}, {client.TCP, photon.GpBinaryV18}, Forms[6]} {
		p := connected(t, up, f, "user "+string(rune('a'+len(players))))
		p.must(p.JoinOrCreateRoom(p.ctx(), client.EnterRoomParams{RoomName: "r"}))
		players = append(players, p)
	}
	sender := players[0]
	sender.must(sender.RaiseEvent(5, text, nil, client.SendReliable))
	sender.must(sender.RaiseEvent(6, "short", nil, client.SendReliable))
	for i, p := range players[1:] {
		want := any(text)
		if i == 0 {
			want = nil
		}
		if e := next(t, p.events, "long text"); e.code != 5 || e.content != want {
			t.Errorf("player %d: event %d with %.40v (%T)", i, e.code, e.content, e.content)
		}
		if e := next(t, p.events, "short text"); e.code != 6 || e.content != "short" {
			t.Errorf("player %d: %+v", i, e)
		}
	}
}
