package bench

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

type histogram = *hdrhistogram.Histogram

// Latency is a distribution in milliseconds.
type Latency struct {
	P50  float64 `json:"p50_ms"`
	P90  float64 `json:"p90_ms"`
	P99  float64 `json:"p99_ms"`
	P999 float64 `json:"p99_9_ms"`
	Max  float64 `json:"max_ms"`
}

func latencyOf(h histogram) Latency {
	at := func(q float64) float64 { return float64(h.ValueAtQuantile(q)) / 1e6 }
	return Latency{at(50), at(90), at(99), at(99.9), float64(h.Max()) / 1e6}
}

// Interval is about a second of a run.
type Interval struct {
	// Seconds since the load began, at the interval's end.
	Seconds    float64 `json:"seconds"`
	Sent       int64   `json:"sent"`
	Deliveries int64   `json:"deliveries"`
	Latency    Latency `json:"latency"`
}

// Result is what a run measured.
type Result struct {
	Scenario  Scenario `json:"scenario"`
	Rooms     int      `json:"rooms"`
	Players   int      `json:"players_per_room"`
	Rate      float64  `json:"events_per_second_and_player"`
	Bytes     int      `json:"bytes"`
	Reliable  bool     `json:"reliable"`
	Encrypt   bool     `json:"encrypted"`
	Transport string   `json:"transport"`
	Protocol  string   `json:"protocol"`
	Seconds   float64  `json:"seconds"`

	// Sent events and Deliveries of them, each counted once, of the whole run.
	Sent       int64 `json:"sent"`
	Expected   int64 `json:"expected"`
	Deliveries int64 `json:"deliveries"`
	// Missing deliveries, those that came again, and those that came after a later
	// one of the same sender.
	Missing    int64 `json:"missing"`
	Duplicates int64 `json:"duplicates"`
	Disorder   int64 `json:"disorder"`
	// Unsendable events found the client's own queue full.
	Unsendable int64 `json:"unsendable"`
	// OfferedPerSecond and DeliveriesPerSecond within the measured time.
	OfferedPerSecond    float64 `json:"offered_deliveries_per_second"`
	DeliveriesPerSecond float64 `json:"deliveries_per_second"`

	Latency     Latency `json:"latency"`
	Connect     Latency `json:"connect"`
	Matchmaking Latency `json:"matchmaking"`
	// ClientCPU is what the load itself used, in cores.
	ClientCPU float64 `json:"client_cpu_cores"`
	// ServerCPU is what Options.Servers used while they were loaded, in cores, and
	// ServerMemory what they had at the load's end, in bytes; before the players
	// came it was ServerMemoryBefore.
	ServerCPU          float64 `json:"server_cpu_cores,omitempty"`
	ServerMemory       int64   `json:"server_memory,omitempty"`
	ServerMemoryBefore int64   `json:"server_memory_before,omitempty"`
	// ServerSeconds is CPU time, what ServerCPU is made of.
	ServerSeconds float64 `json:"server_cpu_seconds,omitempty"`
	// Lost is the first connection that ended too early; may be empty.
	Lost string `json:"lost_connection,omitempty"`
	// Questions are what was asked in the scenarios Lobby and Churn; Sent and
	// Deliveries then count questions and answers. FirstError of them may be empty.
	Questions  []Question `json:"questions,omitempty"`
	FirstError string     `json:"first_error,omitempty"`

	Intervals []Interval `json:"intervals"`
}

// Question is what players of a storm asked, or did, over and over.
type Question struct {
	Name    string  `json:"name"`
	Asked   int64   `json:"asked"`
	Failed  int64   `json:"failed"`
	Latency Latency `json:"latency"`
}

// interval closes the present interval of all loops.
func (r *run) interval(since time.Duration) Interval {
	in := Interval{Seconds: since.Seconds()}
	all := newHistogram()
	for _, c := range r.counts {
		c.mu.Lock()
		in.Sent += c.sent - c.sentMark
		in.Deliveries += c.intervalN
		c.sentMark, c.intervalN = c.sent, 0
		all.Merge(c.interval)
		c.interval.Reset()
		c.mu.Unlock()
	}
	in.Latency = latencyOf(all)
	return in
}

func (r *run) result(intervals []Interval) *Result {
	o := &r.opt
	res := &Result{
		Scenario: o.Scenario, Rooms: o.Rooms, Players: o.Players, Rate: o.Rate, Bytes: o.Bytes, Reliable: o.Reliable, Encrypt: o.Encrypt,
		Transport: o.Transport.String(), Protocol: o.Protocol.String(), Seconds: o.Duration.Seconds(),
		Connect: latencyOf(r.connect), Matchmaking: latencyOf(r.match), Intervals: intervals,
	}
	if o.raises() {
		res.OfferedPerSecond = float64(o.Rooms*o.Players*(o.Players-1)) * o.Rate
	}
	all := newHistogram()
	for _, c := range r.counts {
		c.mu.Lock()
		res.Sent += c.sent
		res.Expected += c.expected
		res.Deliveries += c.arrived
		res.Duplicates += c.duplicates
		res.Disorder += c.disorder
		res.Unsendable += c.refused
		res.DeliveriesPerSecond += float64(c.measured) / o.Duration.Seconds()
		all.Merge(c.latency)
		c.mu.Unlock()
	}
	res.Missing = res.Expected - res.Deliveries
	res.Latency = latencyOf(all)
	for _, d := range r.drivers {
		if err := d.err(); err != nil && res.Lost == "" {
			res.Lost = err.Error()
		}
	}
	return res
}

// Failure is what makes a run a failed one, or nil: a lost connection, any
// duplicate or event out of order, and a missing reliable event. Unreliable
// events may be lost.
func (r *Result) Failure() error {
	switch {
	case r.Lost != "":
		return fmt.Errorf("a connection was lost: %s", r.Lost)
	case r.Reliable && r.Missing > 0:
		return fmt.Errorf("%d of %d reliable deliveries are missing", r.Missing, r.Expected)
	case r.Duplicates > 0:
		return fmt.Errorf("%d deliveries came more than once", r.Duplicates)
	case r.Disorder > 0:
		return fmt.Errorf("%d deliveries came out of order", r.Disorder)
	}
	for _, q := range r.Questions {
		if q.Failed > 0 {
			return fmt.Errorf("%d of %d failed; the first: %s", q.Failed, q.Asked, r.FirstError)
		}
	}
	return nil
}

// WriteText writes the result for people.
func (r *Result) WriteText(w io.Writer) (err error) {
	mode := "unreliable"
	if r.Reliable {
		mode = "reliable"
	}
	line := func(l Latency) string {
		return fmt.Sprintf("p50 %.3g ms   p90 %.3g ms   p99 %.3g ms   p99.9 %.3g ms   max %.3g ms", l.P50, l.P90, l.P99, l.P999, l.Max)
	}
	if r.ServerMemory > 0 {
		defer func() {
			const mega = 1 << 20
			if err == nil {
				_, err = fmt.Fprintf(w, "  servers      %.2f cores   %.1f MiB, %.1f MiB before the players came\n",
					r.ServerCPU, float64(r.ServerMemory)/mega, float64(r.ServerMemoryBefore)/mega)
			}
		}()
	}
	what := fmt.Sprintf("%d rooms x %d players, %s, %s", r.Rooms, r.Players, r.Transport, r.Protocol)
	switch r.Scenario {
	case Idle:
		_, err := fmt.Fprintf(w, "%s, idle for %g s\n  connect      %s\n  matchmaking  %s\n  this client  %.2f cores\n",
			what, r.Seconds, line(r.Connect), line(r.Matchmaking), r.ClientCPU)
		return err
	case Lobby, Churn:
		if _, err := fmt.Fprintf(w, "%s, %s, %g/s each\n  answers      %.0f/s of %.0f/s offered\n",
			what, r.Scenario, r.Rate, r.DeliveriesPerSecond, r.OfferedPerSecond); err != nil {
			return err
		}
		for _, q := range r.Questions {
			if _, err := fmt.Fprintf(w, "  %-15s %d, %d failed   %s\n", q.Name, q.Asked, q.Failed, line(q.Latency)); err != nil {
				return err
			}
		}
		_, err := fmt.Fprintf(w, "  connect      %s\n  matchmaking  %s\n  this client  %.2f cores\n", line(r.Connect), line(r.Matchmaking), r.ClientCPU)
		return err
	}
	_, err = fmt.Fprintf(w, `%d rooms x %d players, %g events/s each of %d bytes, %s, %s, %s
  deliveries   %.0f/s of %.0f/s offered
  latency      %s
  missing      %d of %d (%.3g %%)   duplicates %d   out of order %d   not sent %d
  connect      %s
  matchmaking  %s
  this client  %.2f cores
`, r.Rooms, r.Players, r.Rate, r.Bytes, mode, r.Transport, r.Protocol, r.DeliveriesPerSecond, r.OfferedPerSecond, line(r.Latency),
		r.Missing, r.Expected, 100*float64(r.Missing)/float64(max(r.Expected, 1)), r.Duplicates, r.Disorder, r.Unsendable,
		line(r.Connect), line(r.Matchmaking), r.ClientCPU)
	return err
}

// WriteJSON writes all of the result.
func (r *Result) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// WriteCSV writes the intervals, a line each.
func (r *Result) WriteCSV(w io.Writer) error {
	c := csv.NewWriter(w)
	_ = c.Write([]string{"seconds", "sent", "deliveries", "p50_ms", "p90_ms", "p99_ms", "p99_9_ms", "max_ms"})
	f := func(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
	for _, in := range r.Intervals {
		l := in.Latency
		_ = c.Write([]string{
			f(in.Seconds), strconv.FormatInt(in.Sent, 10), strconv.FormatInt(in.Deliveries, 10),
			f(l.P50), f(l.P90), f(l.P99), f(l.P999), f(l.Max),
		})
	}
	c.Flush()
	return c.Error()
}
