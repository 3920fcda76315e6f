package abi

import (
	"errors"
	"reflect"
	"testing"

	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
)

func parse(t *testing.T, table *Table) *photon.Request {
	t.Helper()
	b, err := table.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	q := &photon.Request{}
	if err := Parse(b, q); err != nil {
		t.Fatal(err)
	}
	return q
}

// What a request says arrives, and of a changed one only what changed.
func TestRequestsTravel(t *testing.T) {
	index := int32(-4)
	full := &plugin.RaiseEventRequest{EvCode: 200, Actors: []int32{}, Cache: 4, ReceiverGroup: 2, Group: 9, CacheSliceIndex: &index, WebFlags: 3}
	full.SetData("x")
	join := &plugin.JoinGameRequest{GameID: "g", JoinMode: 2, ActorNr: -1, BroadcastActorProperties: true, ExpectedUsers: []string{"a"}, Plugins: []string{},
		LobbyName: "l", LobbyType: 3, GameProperties: plugin.NewTable(plugin.Pair{Key: "k", Value: int32(1)}), EmptyRoomLiveTime: 5, PlayerTTL: -1, RoomFlags: 7}
	params := &plugin.JoinParams{PublishCache: false, PublishJoinEvents: true, ResponseExtraParameters: map[byte]any{7: "why"}}
	props := &plugin.SetPropertiesRequest{ActorNumber: 2, Properties: join.GameProperties, ExpectedValues: plugin.NewTable(), Broadcast: true}
	for _, tt := range []struct{ from, to Request }{
		{RaiseEvent{full}, RaiseEvent{&plugin.RaiseEventRequest{}}},
		{Join{JoinGame{join}, params}, Join{JoinGame{&plugin.JoinGameRequest{}}, &plugin.JoinParams{}}},
		{SetProperties{props}, SetProperties{&plugin.SetPropertiesRequest{}}},
		{Leave{&plugin.LeaveGameRequest{IsComingBack: true}}, Leave{&plugin.LeaveGameRequest{}}},
		{Close{&plugin.CloseRequest{EmptyRoomTTL: 5}}, Close{&plugin.CloseRequest{}}},
	} {
		var before, after, diff Table
		Write(&before, tt.from)
		q := parse(t, &before)
		if err := Apply(tt.to, q); err != nil {
			t.Fatal(err)
		}
		if e, ok := tt.to.(RaiseEvent); ok {
			c, _ := Content(q)
			e.SetContent(c, true, nil)
		}
		Write(&after, tt.to)
		Diff(&diff, q.Fields, parse(t, &after).Fields)
		if !diff.Empty() {
			t.Errorf("%T did not arrive as it was: %v", tt.from, parse(t, &diff).Fields)
		}
	}

	// Something set to nothing is null, and nothing again on the other side.
	var before, after, diff Table
	Write(&before, RaiseEvent{full})
	was := parse(t, &before)
	changed := *full
	changed.Actors, changed.EvCode, changed.CacheSliceIndex = nil, 7, nil
	Write(&after, RaiseEvent{&changed})
	Diff(&diff, was.Fields, parse(t, &after).Fields)
	if n := len(parse(t, &diff).Fields); n != 3 {
		t.Errorf("%d entries changed", n)
	}
	if err := Apply(RaiseEvent{full}, parse(t, &diff)); err != nil || full.Actors != nil || full.EvCode != 7 || full.CacheSliceIndex != nil || full.Cache != 4 {
		t.Errorf("%+v, %v", full, err)
	}
}

func TestMapsAreWhatTheyWere(t *testing.T) {
	in := map[string]any{"a": []any{1.5, nil, map[string]any{"b": true}}, "c": "d", "n": int64(5)}
	var table Table
	table.Map(KeyValue, in)
	q := Reader{Request: parse(t, &table)}
	if out := q.Map(KeyValue); q.Err != nil || !reflect.DeepEqual(in, out) {
		t.Errorf("%v, %v", out, q.Err)
	}
}

func TestErrorsAreWhatTheyWere(t *testing.T) {
	for _, c := range codes {
		if got := ErrorOf(CodeOf(c.err), "words"); !errors.Is(got, c.err) || got.Error() != "words" {
			t.Errorf("%v became %v", c.err, got)
		}
	}
	if CodeOf(&plugin.RefusedError{}) != Refused || CodeOf(errors.New("x")) != Failed {
		t.Error("codes")
	}
}
