package cluster

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/photon"
)

// benchPeers ask at the same time, each as soon as its last question is answered.
const benchPeers = 32

// Rates that leave two cores, which clients and servers share, half idle.
const (
	createsPerSecond = 1000
	cyclesPerSecond  = 50
)

// measure runs b.N calls of do from workers goroutines, at a rate per second or,
// if that is 0, as fast as they go. It reports the rate that was reached and the
// latency that one in a hundred exceeds, counted from the time at which the call
// was due.
//
// Creates need a rate: a game server whose machine is busy takes no rooms, and
// clients without pause make it busy within its first load report.
func measure(b *testing.B, workers int, rate float64, do func(worker int) error) {
	b.Helper()
	took := make([][]time.Duration, workers)
	var started atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	begin := time.Now()
	for w := range workers {
		wg.Go(func() {
			for {
				i := started.Add(1)
				if i > int64(b.N) {
					return
				}
				start := time.Now()
				if rate > 0 {
					start = begin.Add(time.Duration(float64(i) / rate * float64(time.Second)))
					time.Sleep(time.Until(start))
				}
				if err := do(w); err != nil {
					b.Error(err)
					return
				}
				took[w] = append(took[w], time.Since(start))
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	elapsed := time.Since(begin)
	all := slices.Concat(took...)
	if len(all) == 0 {
		return
	}
	slices.Sort(all)
	b.ReportMetric(float64(len(all))/elapsed.Seconds(), "ops/s")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99-ms")
}

// question asks the master one thing over and over.
func question(b *testing.B, rate float64, prepare func(peers []*raw) (photon.OpCode, photon.Params)) {
	up := Start(b, nil)
	peers := make([]*raw, benchPeers)
	for i := range peers {
		peers[i] = onMaster(b, up, Forms[3], fmt.Sprint("user", i))
	}
	op, params := photon.OpCreateGame, photon.Params(nil)
	if prepare != nil {
		host(b, up, Forms[3], "host", "room", nil, nil)
		eventually(b, func() bool { return peers[0].ask(photon.OpJoinRandomGame).ReturnCode == 0 }, "the room is known")
		op, params = prepare(peers)
	}
	measure(b, len(peers), rate, func(w int) error {
		r, err := peers[w].Operation(b.Context(), op, params)
		if err != nil {
			return err
		}
		return r.Err()
	})
}

// Creates of unnamed rooms: each is placed on the game server, over the S2S link.
func BenchmarkMasterCreate(b *testing.B) { question(b, createsPerSecond, nil) }

// Joins of one room by its name.
func BenchmarkMasterJoin(b *testing.B) {
	question(b, 0, func([]*raw) (photon.OpCode, photon.Params) {
		return photon.OpJoinGame, photon.Params{roomName("room")}
	})
}

// Random joins with a filter.
func BenchmarkMasterJoinRandom(b *testing.B) {
	question(b, 0, func([]*raw) (photon.OpCode, photon.Params) {
		return photon.OpJoinRandomGame, photon.Params{filter(photon.PropMaxPlayers, byte(0))}
	})
}

// Whole round trips of clients: create on the master, change to the game server,
// enter, leave, return to the master. Each is three connections' worth of work.
func BenchmarkCreateAndReturn(b *testing.B) {
	up := Start(b, nil)
	players := make([]*client.Client, 8)
	for i := range players {
		p := client.New(Settings(up, Form{client.TCP, photon.GpBinaryV18}, fmt.Sprint("user", i)), client.Handler{})
		b.Cleanup(p.Close)
		if err := p.Connect(b.Context()); err != nil {
			b.Fatal(err)
		}
		players[i] = p
	}
	measure(b, len(players), cyclesPerSecond, func(w int) error {
		if err := players[w].CreateRoom(b.Context(), client.EnterRoomParams{}); err != nil {
			return err
		}
		return players[w].LeaveRoom(b.Context(), false)
	})
}
