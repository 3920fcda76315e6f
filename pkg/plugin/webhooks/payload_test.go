package webhooks

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
)

// still is a room that only says where it is.
type still struct{ plugin.Host }

func (still) GameID() string                  { return "room1" }
func (still) Environment() plugin.Environment { return testEnv }

// known is a caller with an authentication cookie.
type known struct{ plugin.Control }

func (known) AuthCookie() map[string]any {
	return map[string]any{"secret": "s", "level": 3, "tags": []any{"a", nil, 1.5, true}}
}

var ann = plugin.MakeCall(known{}, plugin.Caller{UserID: "ann", Nickname: "Ann"})

// createOptions are those of the example.
func createOptions() map[string]any {
	return map[string]any{
		"MaxPlayers": int32(4), "IsVisible": true, "IsOpen": true, "LobbyId": nil, "LobbyType": byte(0),
		"CustomProperties": plugin.NewTable(plugin.Pair{Key: "map", Value: int32(1)}), "EmptyRoomTTL": int32(2000),
		"PlayerTTL": int32(60000), "CheckUserOnJoin": true, "DeleteCacheOnLeave": true, "SuppressRoomEvents": false,
		"PublishUserId": false, "Zoo": 1,
	}
}

// PL-118, PL-123, PL-124, PL-126, PL-127, PL-128: the bytes of the examples in
// loadbalancing-webhooks.md 3, with the members that the tables have beyond them.
func TestPayloads(t *testing.T) {
	state := plugin.GameState(`{"ActorCounter":2}`)
	all := extra{state: state, cookie: known{}.AuthCookie()}
	const cookie = `"AuthCookie":{"level":3,"secret":"s","tags":["a",null,1.5,true]}`
	event := func(data any) *plugin.RaiseEventCall {
		r := &plugin.RaiseEventRequest{EvCode: 7}
		r.SetData(data)
		return &plugin.RaiseEventCall{Open: plugin.Open{Call: ann}, ActorNr: 1, Request: r}
	}
	properties := func(actorNr int32) *plugin.BeforeSetPropertiesCall {
		return &plugin.BeforeSetPropertiesCall{Open: plugin.Open{Call: ann}, ActorNr: 1, Request: &plugin.SetPropertiesRequest{
			ActorNumber: actorNr, Properties: plugin.NewTable(
				plugin.Pair{Key: "turn", Value: int32(2)}, plugin.Pair{Key: photon.PropIsOpen, Value: false}, plugin.Pair{Key: "old", Value: nil}),
		}}
	}
	leave := func(reason plugin.LeaveReason, inactive bool) *plugin.LeaveCall {
		return &plugin.LeaveCall{
			Call: plugin.MakeCall(known{}, plugin.Caller{UserID: "bob", Nickname: "Bob"}), ActorNr: 2, IsInactive: inactive, Reason: reason,
		}
	}
	load := func(actorNr int32, create bool) *plugin.CreateGameCall {
		return &plugin.CreateGameCall{
			Call: ann, IsJoin: true, CreateIfNotExists: create, Request: &plugin.JoinGameRequest{ActorNr: actorNr},
		}
	}
	text := func(b []byte, err error) string {
		if err != nil {
			t.Error(err)
		}
		return string(b)
	}
	for _, test := range []struct{ name, got, want string }{
		{
			"create", text(createPayload(still{}, &plugin.CreateGameCall{Call: ann, CreateOptions: createOptions()})),
			`{"ActorNr":1,"AppVersion":"1.0","AppId":"app-guid","CreateOptions":{"MaxPlayers":4,"IsVisible":true,"IsOpen":true,"LobbyId":null,"LobbyType":0,` +
				`"CustomProperties":{"map":1},"EmptyRoomTTL":2000,"PlayerTTL":60000,"CheckUserOnJoin":true,"DeleteCacheOnLeave":true,` +
				`"SuppressRoomEvents":false,"PublishUserId":false,"Zoo":1},"GameId":"room1","Region":"eu","Type":"Create","UserId":"ann","NickName":"Ann"}`,
		},
		{
			"load", text(loadPayload(still{}, load(3, true))),
			`{"ActorNr":3,"AppVersion":"1.0","AppId":"app-guid","CreateIfNotExists":true,"GameId":"room1","Region":"eu","Type":"Load","UserId":"ann","NickName":"Ann"}`,
		},
		{
			"load by user", text(loadPayload(still{}, load(-1, false))),
			`{"ActorNr":0,"AppVersion":"1.0","AppId":"app-guid","CreateIfNotExists":false,"GameId":"room1","Region":"eu","Type":"Load","UserId":"ann","NickName":"Ann"}`,
		},
		{
			"before join", text(beforeJoinPayload(still{}, &plugin.BeforeJoinCall{Call: ann})),
			`{"AppVersion":"1.0","AppId":"app-guid","GameId":"room1","Region":"eu","Type":"BeforeJoin",` + cookie + `,"UserId":"ann","NickName":"Ann"}`,
		},
		{
			"join", text(joinPayload(still{}, &plugin.JoinCall{Call: ann, ActorNr: 2})),
			`{"ActorNr":2,"AppVersion":"1.0","AppId":"app-guid","GameId":"room1","Region":"eu","Type":"Join","UserId":"ann","NickName":"Ann"}`,
		},
		{
			"leave", text(leavePayload(still{}, leave(photon.TimeoutDisconnect, true), extra{})),
			`{"ActorNr":2,"AppVersion":"1.0","AppId":"app-guid","GameId":"room1","IsInactive":true,"Reason":"4","Region":"eu",` +
				`"Type":"TimeoutDisconnect","UserId":"bob","NickName":"Bob"}`,
		},
		{
			"leave with cookie", text(leavePayload(still{}, leave(photon.LeaveRequest, false), extra{cookie: all.cookie})),
			`{"ActorNr":2,"AppVersion":"1.0","AppId":"app-guid","GameId":"room1","IsInactive":false,"Reason":"101","Region":"eu",` +
				`"Type":"LeaveRequest",` + cookie + `,"UserId":"bob","NickName":"Bob"}`,
		},
		{
			"event", text(eventPayload(still{}, event("hello"), extra{})),
			`{"ActorNr":1,"AppVersion":"1.0","AppId":"app-guid","GameId":"room1","Region":"eu","Type":"Event","EvCode":7,"Data":"hello",` +
				`"UserId":"ann","NickName":"Ann"}`,
		},
		{
			"event with all", text(eventPayload(still{}, event([]byte{1, 2}), all)),
			`{"ActorNr":1,"AppVersion":"1.0","AppId":"app-guid","GameId":"room1","Region":"eu","Type":"Event","EvCode":7,"Data":"AQI=",` +
				`"State":{"ActorCounter":2},` + cookie + `,"UserId":"ann","NickName":"Ann"}`,
		},
		{
			"properties of the room", text(propertiesPayload(still{}, properties(0), extra{})),
			`{"ActorNr":1,"AppVersion":"1.0","AppId":"app-guid","GameId":"room1","Region":"eu","Type":"Game",` +
				`"Properties":{"turn":2,"253":false,"old":null},"UserId":"ann","NickName":"Ann"}`,
		},
		{
			"properties of an actor", text(propertiesPayload(still{}, properties(2), all)),
			`{"ActorNr":1,"AppVersion":"1.0","AppId":"app-guid","GameId":"room1","Region":"eu","Type":"Actor","TargetActor":2,` +
				`"Properties":{"turn":2,"253":false,"old":null},"State":{"ActorCounter":2},` + cookie + `,"UserId":"ann","NickName":"Ann"}`,
		},
		{
			"save", text(closePayload(still{}, 1, state)),
			`{"ActorCount":1,"AppVersion":"1.0","AppId":"app-guid","GameId":"room1","Region":"eu","Type":"Save","State":{"ActorCounter":2}}`,
		},
		{
			"close", text(closePayload(still{}, 0, nil)),
			`{"ActorCount":0,"AppVersion":"1.0","AppId":"app-guid","GameId":"room1","Region":"eu","Type":"Close"}`,
		},
	} {
		if test.got != test.want {
			t.Errorf("%s:\n%s\nwant\n%s", test.name, test.got, test.want)
		}
		if !json.Valid([]byte(test.got)) {
			t.Errorf("%s: not JSON: %s", test.name, test.got)
		}
	}
}

// TestPayloadRefusesWhatJSONHasNotGot holds that what has no form fails, and does
// not crash.
func TestPayloadRefusesWhatJSONHasNotGot(t *testing.T) {
	for _, data := range []any{make(chan int), &gpbinary.EventData{}} {
		r := &plugin.RaiseEventRequest{}
		r.SetData(data)
		if b, err := eventPayload(still{}, &plugin.RaiseEventCall{Open: plugin.Open{Call: ann}, Request: r}, extra{}); err == nil {
			t.Errorf("%T: %s", data, b)
		}
	}
	endless := map[string]any{}
	endless["x"] = endless
	p := newPayload(still{})
	p.value("AuthCookie", endless)
	if b, err := p.bytes(); err == nil {
		t.Errorf("an endless table: %d bytes", len(b))
	}
	p = newPayload(still{})
	p.value("n", math.NaN())
	if b, err := p.bytes(); err != nil || string(b) != `{"n":null}` {
		t.Errorf("%s, %v", b, err)
	}
}

func TestAnswers(t *testing.T) {
	for _, test := range []struct {
		status    plugin.HTTPStatus
		code      int
		body      string
		state     string
		err       string
		isRefused bool
	}{
		{body: `{"ResultCode":0}`, code: 200},
		{body: `{"ResultCode":0,"State":{"a":1},"More":[]}`, code: 200, state: `{"a":1}`},
		{body: `{"ResultCode":0,"State":""}`, code: 200},
		{body: `{"ResultCode":0,"State":null}`, code: 200},
		{body: `{"ResultCode":1,"Message":"no"}`, code: 200, err: "no", isRefused: true},
		{body: `{"ResultCode":-5}`, code: 200, err: "the web service refused with ResultCode -5", isRefused: true},
		{body: `{"Message":"no"}`, code: 200, err: errNoResultCode.Error()},
		{body: `{"ResultCode":"0"}`, code: 200, err: errNotJSON.Error()},
		{body: `[]`, code: 200, err: errNotJSON.Error()},
		{body: `<html>`, code: 200, err: errNotJSON.Error()},
		{body: ``, code: 204, err: errNotJSON.Error()},
		{status: plugin.HTTPError, code: 500, body: `{"ResultCode":0}`, err: "the web service answered with HTTP status 500"},
		{status: plugin.HTTPOffline, err: "the web service can't be asked: Offline"},
	} {
		a, err := readAnswer(&plugin.HTTPResponse{Status: test.status, HTTPCode: test.code, Body: []byte(test.body)})
		got := ""
		if err != nil {
			got = err.Error()
		}
		_, isRefused := err.(*refusedError)
		if string(a.state) != test.state || got != test.err || isRefused != test.isRefused {
			t.Errorf("%v %d %s: state %s, error %q", test.status, test.code, test.body, a.state, got)
		}
	}
}
