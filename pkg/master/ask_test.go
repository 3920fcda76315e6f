package master

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/lobby"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/s2s"
)

// A player who was told by another that a room is there, open, left or over may ask
// before the game server's word has come: a refusal is checked once. LB-114, LB-166
func TestRefusalIsChecked(t *testing.T) {
	const server = "gs-0"
	room := func(change func(*lobby.Record)) *lobby.Record {
		r := &lobby.Record{App: testApp, Name: "r", Open: true, Visible: true, Players: 1, MaxPlayers: 2, Users: []string{"host"}, Created: 1, Incarnation: 1}
		change(r)
		return r
	}
	same := func(*lobby.Record) {}
	full := func(r *lobby.Record) { r.Players, r.Users = 2, []string{"host", "guest"} }
	name, random := photon.Param(photon.ParamRoomName, "r"), photon.OpJoinRandomGame
	for _, c := range []struct {
		what   string
		before *lobby.Record // nil: no room
		op     photon.OpCode
		params photon.Params
		news   func(*Server) // half way
		want   photon.ReturnCode
		takes  time.Duration
	}{
		{"full, then left", room(full), photon.OpJoinGame, photon.Params{name}, func(s *Server) { s.Upsert(server, room(same)) }, photon.ReturnOk, retryDelay},
		{"full", room(full), photon.OpJoinGame, photon.Params{name}, nil, photon.ReturnGameFull, retryDelay},
		{"closed, then open", room(func(r *lobby.Record) { r.Open = false }), photon.OpJoinGame, photon.Params{name}, func(s *Server) { s.Upsert(server, room(same)) }, photon.ReturnOk, retryDelay},
		{"closed", room(func(r *lobby.Record) { r.Open = false }), photon.OpJoinGame, photon.Params{name}, nil, photon.ReturnGameClosed, retryDelay},
		{"taken, then over", room(same), photon.OpCreateGame, photon.Params{name}, func(s *Server) { s.Remove(server, testApp, "r") }, photon.ReturnOk, 0},
		{"taken", room(same), photon.OpCreateGame, photon.Params{name}, nil, photon.ReturnGameIDAlreadyExists, retryDelay},
		{"hidden, then not", room(func(r *lobby.Record) { r.Visible = false }), random, nil, func(s *Server) { s.Upsert(server, room(same)) }, photon.ReturnOk, retryDelay},
		{"hidden", room(func(r *lobby.Record) { r.Visible = false }), random, nil, nil, photon.ReturnNoRandomMatchFound, retryDelay},
		{"no room in the lobby", nil, random, nil, nil, photon.ReturnNoRandomMatchFound, 0},
		{"unknown", nil, photon.OpJoinGame, photon.Params{name}, nil, photon.ReturnGameDoesNotExist, 0},
		{"any", room(same), random, nil, nil, photon.ReturnOk, 0},
	} {
		t.Run(c.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, 1, 1)
				defer w.end()
				s := w.ms[0].Server
				if c.before != nil {
					s.Upsert(server, c.before)
				}
				synctest.Wait()
				d, took := decide(s, c.op, c.params, c.news)
				if d.Code != c.want {
					t.Errorf("%d %q, want %d", d.Code, d.Text, c.want)
				}
				if c.takes > 0 && took != c.takes || c.want != photon.ReturnOk && took != c.takes {
					t.Errorf("took %v, want %v", took, c.takes)
				}
			})
		})
	}
}

// Who calls random-or-create waits a moment for a room whose creator is on the way,
// and does so only then. LB-119
func TestRandomOrCreateWaitsForCreators(t *testing.T) {
	orCreate := func(filter *gpbinary.Hashtable) photon.Params {
		return photon.Params{
			photon.Param(photon.ParamJoinMode, byte(photon.CreateIfNotExists)), photon.Param(photon.ParamGameProperties, filter),
		}
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 1, 1)
		defer w.end()
		s := w.ms[0].Server
		first, _ := decide(s, photon.OpCreateGame, nil, nil)
		if first.Code != photon.ReturnOk {
			t.Fatal(first)
		}
		map1 := gpbinary.NewHashtable(gpbinary.Pair{Key: "map", Value: "m1"})
		d, _ := decide(s, photon.OpJoinRandomGame, orCreate(map1), func(s *Server) {
			s.Upsert(first.Server, &lobby.Record{App: testApp, Name: first.Room, Open: true, Visible: true, Players: 1, Users: []string{"host"}, Properties: map1, Created: 1, Incarnation: 1})
		})
		if d.Code != photon.ReturnOk || d.Room != first.Room {
			t.Errorf("%+v, want room %q", d, first.Room)
		}
		map2 := gpbinary.NewHashtable(gpbinary.Pair{Key: "map", Value: "m2"})
		d, took := decide(s, photon.OpJoinRandomGame, orCreate(map2), nil)
		if d.Code != photon.ReturnOk || d.Room == first.Room || took >= retryDelay {
			t.Errorf("%+v after %v, want a new room at once", d, took)
		}
	})
}

// decide asks for a client of another master. news come half way to when the master
// looks again.
func decide(s *Server, op photon.OpCode, params photon.Params, news func(*Server)) (s2s.Decision, time.Duration) {
	msg, err := photon.AppendRequest(nil, photon.GpBinaryV18, op, params)
	if err != nil {
		panic(err)
	}
	f := question(photon.OpCreateGame, "")
	if err := photon.ParseRequest(photon.GpBinaryV18, msg, &f.Request); err != nil {
		panic(err)
	}
	start := time.Now()
	answer := make(chan s2s.Decision, 1)
	s.Decide(f, func(d s2s.Decision) { answer <- d })
	if news != nil {
		time.Sleep(retryDelay / 2)
		news(s)
	}
	return <-answer, time.Since(start)
}
