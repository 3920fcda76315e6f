package lobby

import (
	"testing"

	"github.com/boson-project/boson/pkg/photon"
)

// Clients of other masters count in lobbies' statistics, until their master is gone.
func TestClientsOfOtherMasters(t *testing.T) {
	f := newFixture(t, Config{MaxLobbies: 3})
	l, k := ID{"l", Default}, ID{"k", SQL}
	f.SetClients("ms-2", l, 5)
	f.SetClients("ms-3", l, 1)
	f.SetClients("ms-3", k, 2)
	f.SetClients("ms-3", ID{}, 3)
	f.SetClients("ms-3", ID{"one too many", Default}, 4)
	want(t, "lobbies", f.AllLobbyStats(), "[{{ 0} 3 0} {{k 2} 2 0} {{l 0} 6 0}]")
	f.put(with(visible("a"), func(r *Record) { r.Lobby, r.Players = l, 2 }))
	want(t, "one", f.LobbyStats(l), "{{l 0} 8 1}")
	f.SetClients("ms-2", l, 4)
	f.RemoveMaster(f.now, "ms-3")
	want(t, "lobbies, later", f.AllLobbyStats(), "[{{ 0} 0 0} {{l 0} 6 1}]")
	f.SetClients("ms-2", l, 0)
	want(t, "nobody", len(f.elsewhere), 0)
}

// What a master may answer by itself: joins of rooms that are there, not what would
// take a new name.
func TestWhatReserves(t *testing.T) {
	f := newFixture(t, Config{LoadRooms: true})
	f.put(visible("there"))
	for _, c := range []struct {
		name string
		mode photon.JoinMode
		want bool
	}{
		{"there", photon.CreateIfNotExists, false}, {"there", photon.RejoinOnly, false},
		{"new", photon.JoinDefault, false}, {"new", photon.CreateIfNotExists, true},
		{"new", photon.RejoinOnly, true}, // it may be in storage
		{"", photon.CreateIfNotExists, false},
	} {
		want(t, c.name, f.Reserves(JoinRequest{Name: c.name, Mode: c.mode}), c.want)
	}
	want(t, "there is free", f.Free("there"), false)
	want(t, "new is free", f.Free("new"), true)
	f = newFixture(t, Config{})
	want(t, "nothing is in storage", f.Reserves(JoinRequest{Name: "new", Mode: photon.RejoinOnly}), false)
}
