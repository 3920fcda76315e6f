package cluster

import (
	"math/rand/v2"
	"testing"
	"time"
)

// cluster CL-14: where levels begin, for each input.
func TestLoadThresholds(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		name   string
		config LoadConfig
		sample Sample
		want   Level
	}{
		{"idle", LoadConfig{}, Sample{}, Lowest},
		{"cpu at the end of lowest", LoadConfig{}, Sample{CPU: 20}, Lowest},
		{"cpu low", LoadConfig{}, Sample{CPU: 20.1}, Low},
		{"cpu end of low", LoadConfig{}, Sample{CPU: 35}, Low},
		{"cpu normal", LoadConfig{}, Sample{CPU: 50}, Medium},
		{"cpu high", LoadConfig{}, Sample{CPU: 70}, High},
		{"cpu highest", LoadConfig{}, Sample{CPU: 70.1}, Highest},
		{"bandwidth lowest", LoadConfig{}, Sample{BytesOut: mib}, Lowest},
		{"bandwidth has no low", LoadConfig{}, Sample{BytesOut: mib + 1}, Medium},
		{"bandwidth normal", LoadConfig{}, Sample{BytesOut: 4 * mib}, Medium},
		{"bandwidth high", LoadConfig{}, Sample{BytesOut: 8 * mib}, High},
		{"bandwidth highest", LoadConfig{}, Sample{BytesOut: 8*mib + 1}, Highest},
		{"bandwidth on a gigabit", LoadConfig{NICMbit: 1000}, Sample{BytesOut: 10 * mib}, Lowest},
		{"peers without limit", LoadConfig{}, Sample{Peers: 1e6}, Lowest},
		{"peers lowest", LoadConfig{PeerLimit: 1000}, Sample{Peers: 400}, Lowest},
		{"peers low", LoadConfig{PeerLimit: 1000}, Sample{Peers: 600}, Low},
		{"peers normal", LoadConfig{PeerLimit: 1000}, Sample{Peers: 750}, Medium},
		{"peers high", LoadConfig{PeerLimit: 1000}, Sample{Peers: 900}, High},
		{"peers highest", LoadConfig{PeerLimit: 1000}, Sample{Peers: 901}, Highest},
		{"inbox lowest", LoadConfig{}, Sample{Inbox: time.Millisecond}, Lowest},
		{"inbox low", LoadConfig{}, Sample{Inbox: 2 * time.Millisecond}, Low},
		{"inbox normal", LoadConfig{}, Sample{Inbox: 5 * time.Millisecond}, Medium},
		{"inbox high", LoadConfig{}, Sample{Inbox: 20 * time.Millisecond}, High},
		{"inbox highest", LoadConfig{}, Sample{Inbox: 21 * time.Millisecond}, Highest},
		{"the busiest decides", LoadConfig{}, Sample{CPU: 10, BytesOut: 5 * mib, Inbox: time.Millisecond}, High},
	} {
		m := NewLoadMeter(c.config)
		if got := m.Add(c.sample); got != c.want || m.Level() != got {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// cluster CL-14: the mean of ten samples, up at once, down late.
func TestLoadOverTime(t *testing.T) {
	type step struct {
		times int
		cpu   float64
		want  Level // after the last
	}
	for _, c := range []struct {
		name  string
		steps []step
	}{
		{"a peak among ten samples is averaged", []step{{10, 0, Lowest}, {1, 100, Lowest}, {1, 100, Lowest}, {1, 100, Low}}},
		{"up by two levels at once", []step{{1, 0, Lowest}, {1, 100, Medium}}},
		{"just below the threshold is not enough", []step{{10, 36, Medium}, {100, 32, Medium}}},
		{"below nine tenths of it, three samples", []step{{10, 36, Medium}, {8, 31, Medium}, {2, 31, Medium}, {1, 31, Low}}},
		{"calm must be in a row", []step{{10, 36, Medium}, {10, 31, Medium}, {1, 45, Medium}, {8, 31, Medium}}},
		{"from the top to the bottom", []step{{10, 100, Highest}, {30, 0, Lowest}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := NewLoadMeter(LoadConfig{})
			for i, s := range c.steps {
				var got Level
				for range s.times {
					got = m.Add(Sample{CPU: s.cpu})
				}
				if got != s.want {
					t.Fatalf("step %d: %v, want %v", i, got, s.want)
				}
			}
		})
	}
}

// An input that swings around a threshold must not make the level swing.
func TestLoadDoesNotFlap(t *testing.T) {
	m := NewLoadMeter(LoadConfig{})
	changes, last := 0, Lowest
	for i := range 1000 {
		cpu := 33.0
		if i%20 < 10 {
			cpu = 37
		}
		if l := m.Add(Sample{CPU: cpu}); l != last {
			changes, last = changes+1, l
		}
	}
	if changes != 1 {
		t.Errorf("%d changes of level", changes)
	}
}

// cluster CL-15
func TestPickShares(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	candidates := []Candidate{{Level: Highest}, {Level: Lowest}, {Level: Low}, {Level: Medium}, {Level: High}}
	want := []float64{0, 40, 30, 20, 10}
	count := make([]int, len(candidates))
	const draws = 100_000
	for range draws {
		count[Pick(candidates, r)]++
	}
	for i, w := range want {
		if got := 100 * float64(count[i]) / draws; got < w-2 || got > w+2 || w == 0 && got != 0 {
			t.Errorf("level %v: %.1f %%, want %v", candidates[i].Level, got, w)
		}
	}
}

func TestPickNobody(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, c := range [][]Candidate{nil, {{Level: Highest}}, {{Level: Highest}, {Level: 200}}} {
		if got := Pick(c, r); got != -1 {
			t.Errorf("%v: %d", c, got)
		}
	}
	if got := Pick([]Candidate{{Level: Highest}, {Level: High, Recent: 1_000_000}, {Level: Highest}}, r); got != 1 {
		t.Errorf("the only one: %d", got)
	}
}

// cluster CL-17: a burst between two load reports.
func TestBurstSpreads(t *testing.T) {
	for _, servers := range []int{2, 4, 8, 10} {
		r := rand.New(rand.NewPCG(7, uint64(servers)))
		placed := make([]Placements, servers)
		total := make([]int, servers)
		for i := range 1000 {
			now := time.Duration(i) * 100 * time.Microsecond
			candidates := make([]Candidate, servers)
			for s := range candidates {
				candidates[s].Recent = placed[s].Count(now)
			}
			s := Pick(candidates, r)
			placed[s].Add(now)
			total[s]++
		}
		lo, hi := total[0], total[0]
		for _, n := range total {
			lo, hi = min(lo, n), max(hi, n)
		}
		if float64(hi)/float64(lo) >= 1.5 {
			t.Errorf("%d servers: from %d to %d", servers, lo, hi)
		}
	}
}

func TestPlacementsForget(t *testing.T) {
	var p Placements
	start := 5 * time.Hour
	for i := range 20 {
		p.Add(start + time.Duration(i)*50*time.Millisecond)
	}
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{950 * time.Millisecond, 20}, {1000 * time.Millisecond, 18}, {1500 * time.Millisecond, 8}, {1900 * time.Millisecond, 0}, {time.Hour, 0}} {
		if got := p.Count(start + c.after); got != c.want {
			t.Errorf("after %v: %d, want %d", c.after, got, c.want)
		}
	}
}
