package room

import (
	"testing"

	"github.com/boson-project/boson/pkg/photon"
)

// The application's limit of players: what clients may ask for, what rooms have
// whose clients ask for nothing, and saved rooms with more.
func TestMaxPlayersLimit(t *testing.T) {
	for _, p := range []photon.Protocol{photon.GpBinaryV16, photon.GpBinaryV18} { // JSON knows no 243
		limits := Config{MaxPlayers: 4}
		for _, tt := range []struct {
			table []any
			want  int32 // 0: refused
		}{
			{nil, 4}, {[]any{photon.PropMaxPlayers, byte(0)}, 4}, {[]any{photon.PropMaxPlayersInt, int32(0)}, 4},
			{[]any{photon.PropMaxPlayers, byte(3)}, 3}, {[]any{photon.PropMaxPlayersInt, int32(4)}, 4},
			{[]any{photon.PropMaxPlayers, byte(5)}, 0}, {[]any{photon.PropMaxPlayersInt, int32(300)}, 0},
		} {
			w := newWorld(t, limits)
			ann := w.client(p, "ann")
			err := ann.create(with(photon.ParamGameProperties, table(tt.table...)))
			if tt.want == 0 {
				ann.fails(err, photon.ReturnInvalidOperation)
				continue
			}
			if err != nil || w.room.set.maxPlayers != tt.want {
				t.Errorf("%v: MaxPlayers %d, want %d; %v", tt.table, w.room.set.maxPlayers, tt.want, err)
			}
		}

		w := newWorld(t, limits)
		ann := w.client(p, "ann").mustCreate()
		ann.fails(ann.set(with(photon.ParamProperties, table(photon.PropMaxPlayers, byte(9)))), photon.ReturnInvalidOperation)
		if err := ann.set(with(photon.ParamProperties, table(photon.PropMaxPlayers, byte(2)))); err != nil || w.room.set.maxPlayers != 2 {
			t.Errorf("set to 2: %d, %v", w.room.set.maxPlayers, err)
		}
		if err := ann.set(with(photon.ParamProperties, table(photon.PropMaxPlayers, byte(0)))); err != nil || w.room.set.maxPlayers != 4 {
			t.Errorf("set to none: %d, %v", w.room.set.maxPlayers, err)
		}

		for _, n := range []int32{0, 3, 200, 300} {
			saved := newWorld(t, Config{})
			saved.client(p, "ann").mustCreate(with(photon.ParamGameProperties, table(photon.PropMaxPlayersInt, n)))
			s, _ := saved.saved()
			w := newWorld(t, limits)
			if err := w.room.SetState(w.now, noon, s); err != nil {
				t.Fatal(err)
			}
			if want := map[int32]int32{3: 3}[n]; want != 0 && w.room.set.maxPlayers != want || want == 0 && w.room.set.maxPlayers != 4 {
				t.Errorf("a saved room for %d has MaxPlayers %d", n, w.room.set.maxPlayers)
			}
		}
	}
}
