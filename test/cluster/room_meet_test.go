package cluster

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/daemon"
	"github.com/boson-project/boson/pkg/photon"
)

// several starts a name server, a master and some game servers in one process.
func several(t testing.TB, gameServers int) *config.Config {
	t.Helper()
	cfg := separate(t)
	cfg.Master.Listen.WS = freeAddress(t)
	run(t, daemon.NewNameServer, cfg)
	run(t, daemon.NewMaster, cfg)
	for i := range gameServers {
		own := *cfg
		own.Cluster.NodeID = fmt.Sprint("gs-", i)
		n, err := daemon.NewGameServer(&own, zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), Timeout)
		defer cancel()
		if err := n.Start(ctx); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), Timeout)
			defer cancel()
			if err := n.Stop(ctx); err != nil {
				t.Error(err)
			}
		})
		eventually(t, func() bool { return n.Ready() == nil }, "a game server reaches the master")
	}
	return cfg
}

// walker goes from the master into rooms and back on connections that it keeps,
// so that many rounds take little time.
type walker struct {
	user   string
	opt    client.Options
	master *client.Peer
	token  any
	games  map[string]*client.Peer // by address
	dialed time.Time               // the oldest of games
	nr     int32
	at     string
}

func (w *walker) dial(ctx context.Context, address string, params ...photon.Params) (*client.Peer, error) {
	p, err := client.Dial(ctx, w.opt, address)
	if err != nil {
		return nil, err
	}
	if err := p.EstablishEncryption(ctx); err != nil {
		return nil, err
	}
	for _, params := range params {
		r, err := p.OperationWith(ctx, photon.OpAuthenticate, params, photon.Delivery{Mode: photon.Reliable, Encrypt: true})
		if err == nil {
			err = r.Err()
		}
		if err != nil {
			return nil, err
		}
		if token, ok := r.Value(photon.ParamToken); ok {
			w.token = token
		}
	}
	return p, nil
}

func (w *walker) start(ctx context.Context, address string) (err error) {
	w.games = map[string]*client.Peer{}
	w.master, err = w.dial(ctx, address, photon.Params{
		photon.Param(photon.ParamApplicationID, "test"), photon.Param(photon.ParamAppVersion, "1.0"), photon.Param(photon.ParamUserID, w.user),
	})
	return err
}

// join goes into the room of that name, or makes it.
func (w *walker) join(ctx context.Context, room string) error {
	params := photon.Params{photon.Param(photon.ParamRoomName, room), photon.Param(photon.ParamJoinMode, byte(photon.CreateIfNotExists))}
	r, err := w.master.Operation(ctx, photon.OpJoinGame, params)
	if err == nil {
		err = r.Err()
	}
	if err != nil {
		return fmt.Errorf("master: %w", err)
	}
	w.at, _ = r.String(photon.ParamAddress)
	game := w.games[w.at]
	if game == nil {
		if game, err = w.dial(ctx, w.at, photon.Params{photon.Param(photon.ParamToken, w.token)}); err != nil {
			return err
		}
		if len(w.games) == 0 {
			w.dialed = time.Now()
		}
		w.games[w.at] = game
	}
	flags := int32(photon.FlagCheckUserOnJoin | photon.FlagDeleteCacheOnLeave | photon.FlagSuppressRoomEvents)
	r, err = game.Operation(ctx, photon.OpJoinGame, append(params, photon.Param(photon.ParamRoomOptionFlags, flags)))
	if err == nil {
		err = r.Err()
	}
	if err != nil {
		return fmt.Errorf("game server: %w", err)
	}
	w.nr, _ = r.Int32(photon.ParamActorNr)
	return nil
}

func (w *walker) leave(ctx context.Context) error {
	r, err := w.games[w.at].Operation(ctx, photon.OpLeave, nil)
	if err == nil {
		err = r.Err()
	}
	// A game server lets a client stay for ten seconds after it left a room.
	if time.Since(w.dialed) > 5*time.Second {
		w.close()
	}
	return err
}

func (w *walker) close() {
	for _, p := range w.games {
		p.Close()
	}
	clear(w.games)
}

// Fifty clients call join-or-create for one name at the same moment, over and
// over: they always meet in one room on one of three game servers. In every other
// round the name is that of a room that has just ended. LB-101, LB-120, CL-25
func TestMeetOnThreeGameServers(t *testing.T) {
	const clients, rounds, atLeast = 50, 240, 30
	const budget = 8 * time.Second // for more rounds than the least
	cfg := several(t, 3)
	ctx, cancel := context.WithTimeout(context.Background(), 6*Timeout)
	defer cancel()
	var all []*walker
	addresses := map[client.Transport]string{client.UDP: cfg.Master.Listen.UDP, client.TCP: cfg.Master.Listen.TCP, client.WebSocket: "ws://" + cfg.Master.Listen.WS}
	for i := range clients {
		f := Forms[i%len(Forms)]
		w := &walker{user: fmt.Sprint("user", i), opt: client.Options{Transport: f.Transport, Protocol: f.Protocol, AppID: "test"}}
		if err := w.start(ctx, addresses[f.Transport]); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { w.close(); w.master.Close() })
		all = append(all, w)
	}
	used := map[string]int{} // by address for the first client
	begin := time.Now()
	for round := range rounds {
		if round >= atLeast && time.Since(begin) > budget {
			break
		}
		again := round%2 == 1
		room := fmt.Sprint("meet ", round-round%2)
		var wg sync.WaitGroup
		for _, w := range all {
			wg.Go(func() {
				for {
					err := w.join(ctx, room)
					// Sent to the room that has just ended: the client asks again.
					if again && code(err) == photon.ReturnGameDoesNotExist && ctx.Err() == nil {
						continue
					}
					if code(err) == photon.ReturnServerFull && ctx.Err() == nil {
						// Too much load on this machine for a new room: the client waits.
						time.Sleep(10 * time.Millisecond)
						continue
					}
					if err != nil {
						t.Errorf("round %d, %s (%s): %v", round, w.user, Form{w.opt.Transport, w.opt.Protocol}, err)
					}
					return
				}
			})
		}
		wg.Wait()
		if t.Failed() {
			return
		}
		// One room: it gave every number once.
		var numbers []int32
		for _, w := range all {
			numbers = append(numbers, w.nr)
		}
		slices.Sort(numbers)
		for i, nr := range numbers {
			if nr != int32(i+1) {
				t.Fatalf("round %d: actors %v", round, numbers)
			}
		}
		used[all[0].at]++
		for _, w := range all {
			wg.Go(func() {
				if err := w.leave(ctx); err != nil {
					t.Errorf("round %d, %s leaves: %v", round, w.user, err)
				}
			})
		}
		wg.Wait()
	}
	if len(used) != 3 {
		t.Errorf("rooms were on %v, not on three game servers", used)
	}
}
