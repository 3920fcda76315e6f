package enet

import (
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/photon"
)

// TestSlowLink holds that who sends and gets 2000 reliable messages in one burst,
// as when a level loads, is not thrown out on a slow link, whether that one loses
// what it can't carry or lets it wait, and that the server does not fill the link
// with copies. The client follows the rules of the official ones.
//
// wire W-7, W-8, W-18
func TestSlowLink(t *testing.T) {
	seeds := uint64(20)
	if raceEnabled {
		seeds = 4
	}
	for _, tc := range []struct {
		name  string
		rate  float64 // bytes per second and direction
		delay time.Duration
		loss  float64
		size  int
		queue time.Duration
	}{
		{"modem", 16_000, 60 * ms, 0, 60, time.Second},
		{"modem with a long queue", 16_000, 60 * ms, 0.02, 60, 4 * time.Second},
		{"2G", 32_000, 150 * ms, 0.02, 60, time.Second},
		{"2G with a short queue", 32_000, 150 * ms, 0.02, 60, 200 * ms},
		{"3G", 100_000, 80 * ms, 0.05, 100, time.Second},
		{"bad wifi", 1_000_000, 5 * ms, 0.1, 100, 50 * ms},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for seed := range seeds {
				const n = 2000
				l := newLink(t, seed, Connect{})
				l.delay, l.jitter = tc.delay, tc.delay/4
				l.connect()
				l.rate, l.queue, l.loss = tc.rate, tc.queue, tc.loss
				var sent [2]map[stream][][]byte
				for from := range sent {
					s := stream{0, photon.Reliable}
					sent[from] = map[stream][][]byte{s: nil}
					for i := range uint32(n) {
						msg := testMessage(i, tc.size)
						sent[from][s] = append(sent[from][s], msg)
						l.send(from, msg, photon.Delivery{Mode: photon.Reliable})
					}
				}
				start := l.now
				var took [2]time.Duration // to client, to server
				for took[0] == 0 || took[1] == 0 {
					l.run(100 * ms)
					for i, e := range l.ends {
						if e.conn.State() != Connected || l.now-start > 2*time.Minute {
							t.Fatalf("seed %d: after %v end %d is %v for cause %v; %d and %d of %d came", seed, l.now-start, i,
								e.conn.State(), e.conn.Cause(), len(l.ends[0].got), len(l.ends[1].got), n)
						}
						if took[i] == 0 && len(e.got) == n {
							took[i] = l.now - start
						}
					}
				}
				checkDelivered(t, "client to server", sent[0], l.ends[1].got)
				checkDelivered(t, "server to client", sent[1], l.ends[0].got)
				if l.lost == 0 && tc.loss > 0 {
					t.Error("the link lost nothing")
				}
				if resent := l.scfg.Stats.Resent; resent > n/2 {
					t.Errorf("seed %d: the server sent %d commands again", seed, resent)
				}
				if seed == 0 {
					carried := time.Duration(float64(n*(tc.size+commandSize)) / tc.rate * float64(time.Second))
					t.Logf("to the client in %v, to the server in %v, of the link's time %v; resent %d and %d", took[0], took[1], carried,
						l.scfg.Stats.Resent, l.ends[0].conn.cfg.Stats.Resent)
				}
			}
		})
	}
}

// TestCongestion holds how the window moves: it doubles with each round trip up
// to its bound, gives way when something is lost, at most once in a round trip,
// and never below what goes on.
func TestCongestion(t *testing.T) {
	now := 10 * time.Second
	cfg := ServerConfig()
	cfg.TransmitRate = 0
	c := serverWith(t, cfg, Connect{}, now)
	for range 1000 {
		_ = c.Send(make([]byte, 1000), photon.Delivery{Mode: photon.Reliable})
	}
	var all [][]byte
	for _, want := range []int{16, 32, 50, 50} { // of 1012 bytes
		sent := drain(t, c, now)
		if n := c.inFlight; n < want-1 || n > want+1 {
			t.Fatalf("%d messages in flight, want %d", n, want)
		}
		all = append(all, sent...)
		now += 50 * ms
		for _, b := range sent {
			answer(t, c, now, b)
		}
	}
	drain(t, c, now)
	before := c.congested.window
	for range 40 { // nothing is acknowledged any more
		now += 100 * ms
		resent := cfg.Stats.Resent
		drain(t, c, now)
		// What is sent again in a round trip is not more than the window.
		if n := cfg.Stats.Resent - resent; n > int64(before)*7/10/1012+1 {
			t.Errorf("%d commands sent again at once", n)
		}
	}
	if w := c.congested.window; w >= before/2 || w < minWindow*DefaultMTU {
		t.Errorf("window %d after losses, was %d", w, before)
	}
	if len(all) == 0 || cfg.Stats.Resent < 50 || c.State() != Connected {
		t.Errorf("state %v", c.State())
	}
}

// TestSlowButAlive holds that a peer which acknowledges, however late, is kept:
// it is given up when nothing comes for the time-out, or one command waits for
// the longest time.
//
// wire W-18
func TestSlowButAlive(t *testing.T) {
	now := 10 * time.Second
	cfg := ServerConfig()
	c := serverWith(t, cfg, Connect{}, now)
	_ = c.Send([]byte("never acknowledged"), photon.Delivery{Mode: photon.Reliable})
	_ = c.Send([]byte("first"), photon.Delivery{Mode: photon.Reliable})
	start := now
	for n := uint32(2); c.State() == Connected; n++ {
		if now-start > time.Minute {
			t.Fatal("it is never given up")
		}
		drain(t, c, now)
		now += 2 * time.Second
		// Everything but the first message.
		input(t, c, now, nil, ackFor(Header{Time: millis(now - 50*ms)}, commandHeader{kind: typeReliable, flags: 1, sequence: n}))
		_ = c.Send([]byte("next"), photon.Delivery{Mode: photon.Reliable})
	}
	if age := now - start; age < 30*time.Second || age > 34*time.Second || c.Cause() != CauseTimeout {
		t.Errorf("given up after %v, cause %v", age, c.Cause())
	}
}
