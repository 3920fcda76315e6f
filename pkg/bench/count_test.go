package bench

import (
	"bytes"
	"encoding/xml"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/photon"
)

// Every event is told apart by its number: in order, late, again, and too old.
func TestPair(t *testing.T) {
	var p pair
	for _, c := range []struct {
		number uint32
		want   verdict
	}{
		{0, fresh}, {1, fresh}, {1, duplicate}, {0, duplicate}, {5, fresh}, {3, late}, {3, duplicate}, {2, late}, {4, late}, {5, duplicate},
		{69, fresh}, {6, late}, {6, duplicate}, {5, duplicate}, {1000, fresh}, {999, late}, {937, late}, {936, duplicate}, {1000, duplicate},
	} {
		if got := p.take(c.number); got != c.want {
			t.Fatalf("event %d: %d, want %d", c.number, got, c.want)
		}
	}
}

// What arrives is counted with its latency from when it was due.
func TestReceive(t *testing.T) {
	o, err := Options{GameServer: "x", Bytes: MinBytes}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	tmpl, err := newTemplate(&o)
	if err != nil {
		t.Fatal(err)
	}
	c := newCounts(time.Second, 3*time.Second)
	pairs := make([]pair, 2)
	msg := make([]byte, len(tmpl.msg))
	at := func(sender, number uint32, due, now time.Duration) {
		tmpl.fill(msg, sender, number, due)
		c.receive(pairs, msg, now)
	}
	at(1, 0, time.Second/2, time.Second)                    // before the measurement
	at(1, 1, 2*time.Second, 2*time.Second+time.Millisecond) // measured
	at(1, 1, 2*time.Second, 2*time.Second+time.Millisecond) // again
	at(1, 3, 2*time.Second, 4*time.Second)                  // after the measurement
	at(1, 2, 2*time.Second, 4*time.Second)                  // out of order
	at(2, 0, 2*time.Second, 2*time.Second)                  // of nobody
	c.receive(pairs, []byte("something else"), 2*time.Second)
	if c.arrived != 4 || c.measured != 2 || c.duplicates != 1 || c.disorder != 1 || c.foreign != 2 {
		t.Errorf("arrived %d, measured %d, duplicates %d, disorder %d, foreign %d", c.arrived, c.measured, c.duplicates, c.disorder, c.foreign)
	}
	if low := c.latency.Min(); low < 990_000 || low > 1_010_000 {
		t.Errorf("least latency %d ns", low)
	}
}

func TestOptionsRefused(t *testing.T) {
	good := Options{Master: "x"}
	if _, err := good.withDefaults(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Options){
		"no address":               func(o *Options) { o.Master = "" },
		"too few bytes":            func(o *Options) { o.Bytes = MinBytes - 1 },
		"too many players":         func(o *Options) { o.Rooms, o.Players = 60001, 1 },
		"negative rooms":           func(o *Options) { o.Rooms = -1 },
		"negative rate":            func(o *Options) { o.Rate = -1 },
		"negative duration":        func(o *Options) { o.Duration = -1 },
		"JSON without a WebSocket": func(o *Options) { o.Protocol = photon.JSON },
		"JSON with too few bytes": func(o *Options) {
			o.Protocol, o.Transport, o.Bytes = photon.JSON, client.WebSocket, MinBytesJSON-1
		},
		"encrypted JSON":       func(o *Options) { o.Protocol, o.Transport, o.Encrypt = photon.JSON, client.WebSocket, true },
		"unknown scenario":     func(o *Options) { o.Scenario = "x" },
		"lobby without master": func(o *Options) { o.Scenario, o.Master, o.GameServer = Lobby, "", "x" },
		"addresses of client.Peer": func(o *Options) {
			o.Plain, o.From = true, netip.MustParsePrefix("127.1.0.0/24")
		},
		"negative burst":     func(o *Options) { o.Burst = -1 },
		"loops below nought": func(o *Options) { o.Loops = -1 },
	} {
		o := good
		change(&o)
		if _, err := o.withDefaults(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestFailure(t *testing.T) {
	for name, c := range map[string]struct {
		result Result
		fails  bool
	}{
		"clean":           {Result{Reliable: true}, false},
		"unreliable lost": {Result{Missing: 3}, false},
		"reliable lost":   {Result{Reliable: true, Missing: 1}, true},
		"duplicate":       {Result{Duplicates: 1}, true},
		"out of order":    {Result{Disorder: 1}, true},
		"lost connection": {Result{Lost: "x"}, true},
	} {
		if got := c.result.Failure() != nil; got != c.fails {
			t.Errorf("%s: fails %v", name, got)
		}
	}
}

// The plot is well-formed, also of a run without a single delivery.
func TestPlot(t *testing.T) {
	for _, intervals := range [][]Interval{nil, {{Seconds: 1, Deliveries: 5, Latency: Latency{P50: 0.2, P99: 3, Max: 80}}, {Seconds: 2}}} {
		var b bytes.Buffer
		if err := (&Result{Intervals: intervals}).WriteSVG(&b); err != nil {
			t.Fatal(err)
		}
		d := xml.NewDecoder(&b)
		for {
			_, err := d.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestCSV(t *testing.T) {
	var b strings.Builder
	if err := (&Result{Intervals: []Interval{{Seconds: 1, Sent: 2, Deliveries: 14, Latency: Latency{P50: 0.5}}}}).WriteCSV(&b); err != nil {
		t.Fatal(err)
	}
	if want := "seconds,sent,deliveries,p50_ms,p90_ms,p99_ms,p99_9_ms,max_ms\n1,2,14,0.5,0,0,0,0\n"; b.String() != want {
		t.Errorf("got %q", b.String())
	}
}
