package cluster

import (
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/bench"
	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/photon"
)

// The load of "boson bench" goes the whole way on every transport, and counts
// every event.
func TestBench(t *testing.T) {
	up := Start(t, nil)
	for _, f := range Forms {
		if f.Protocol == photon.JSON {
			continue
		}
		for _, plain := range []bool{false, true} {
			if plain && f.Transport != client.UDP {
				continue
			}
			name := f.String()
			if plain {
				name += "_plain"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				opt := bench.Options{
					NameServer: address(up.NameServer(), f.Transport), Transport: f.Transport, Protocol: f.Protocol, Plain: plain,
					Rooms: 3, Players: 4, Rate: 50, Bytes: 100, Reliable: true, Encrypt: plain, Loops: 2,
					Ramp: time.Millisecond, Warmup: -1, Duration: 400 * time.Millisecond,
				}
				res, err := bench.Run(t.Context(), opt)
				if err != nil {
					t.Fatal(err)
				}
				if err := res.Failure(); err != nil {
					t.Error(err)
				}
				if want := int64(3 * 4 * 50 * 4 / 10); res.Sent != want || res.Deliveries != want*3 {
					t.Errorf("sent %d of %d, delivered %d", res.Sent, want, res.Deliveries)
				}
				if res.Latency.P50 <= 0 || res.Matchmaking.P50 <= 0 {
					t.Errorf("latency %+v, matchmaking %+v", res.Latency, res.Matchmaking)
				}
			})
		}
	}
}
