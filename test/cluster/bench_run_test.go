package cluster

import (
	"io"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/bench"
	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/photon"
)

// The load of "boson bench" goes the whole way on every transport, and counts
// every event.
func TestBench(t *testing.T) {
	up := Start(t, secure)
	for _, f := range append([]Form{{client.SecureWebSocket, photon.GpBinaryV18}, {client.SecureWebSocket, photon.JSON}}, Forms...) {
		for _, plain := range []bool{false, true} {
			if plain && f.Transport == client.SecureWebSocket {
				continue // is never in a batched loop
			}
			name := f.String()
			if plain {
				name += "_plain"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				opt := bench.Options{
					NameServer: address(up.NameServer(), f.Transport), Transport: f.Transport, Protocol: f.Protocol, Plain: plain,
					Rooms: 3, Players: 4, Rate: 50, Bytes: 100, Reliable: true, Encrypt: plain && f.Protocol != photon.JSON, Loops: 2,
					Insecure: true,
					Ramp:     time.Millisecond, Warmup: -1, Duration: 400 * time.Millisecond,
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

// Each scenario does what it says, and ends well.
func TestBenchScenarios(t *testing.T) {
	up := Start(t, nil)
	base := bench.Options{
		NameServer: address(up.NameServer(), client.UDP), Rooms: 3, Players: 4, Loops: 2,
		Ramp: time.Millisecond, Warmup: -1, Duration: 500 * time.Millisecond,
	}
	run := func(t *testing.T, change func(*bench.Options)) *bench.Result {
		o := base
		change(&o)
		res, err := bench.Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Failure(); err != nil {
			t.Error(err)
		}
		if err := res.WriteText(io.Discard); err != nil {
			t.Error(err)
		}
		return res
	}
	t.Run("bursts", func(t *testing.T) {
		t.Parallel()
		res := run(t, func(o *bench.Options) { o.Scenario, o.Burst, o.Rate = bench.Bursts, 10, 40 })
		if want := int64(12 * 20); res.Sent != want || res.Deliveries != want*3 {
			t.Errorf("sent %d of %d, delivered %d", res.Sent, want, res.Deliveries)
		}
	})
	t.Run("idle", func(t *testing.T) {
		t.Parallel()
		res := run(t, func(o *bench.Options) {
			o.Scenario = bench.Idle
			if runtime.GOOS == "linux" { // elsewhere 127.0.0.1 alone is there
				o.From = netip.MustParsePrefix("127.9.9.0/29")
			}
		})
		if res.Sent != 0 || res.Deliveries != 0 {
			t.Errorf("sent %d, delivered %d", res.Sent, res.Deliveries)
		}
	})
	t.Run("lobby", func(t *testing.T) {
		t.Parallel()
		res := run(t, func(o *bench.Options) { o.Scenario, o.Rate = bench.Lobby, 20 })
		if len(res.Questions) != 2 || res.Sent != 12*10 || res.Deliveries != res.Sent {
			t.Errorf("%d questions, %d answers: %+v", res.Sent, res.Deliveries, res.Questions)
		}
	})
	t.Run("churn", func(t *testing.T) {
		t.Parallel()
		res := run(t, func(o *bench.Options) { o.Scenario, o.Rate = bench.Churn, 4 })
		if res.Sent != 12*2 || res.Deliveries != res.Sent || res.Matchmaking.P50 <= 0 {
			t.Errorf("%d visits, %d went well: %+v", res.Sent, res.Deliveries, res.Questions)
		}
	})
}
