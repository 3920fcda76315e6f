//go:build linux

package main

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"

	"github.com/boson-project/boson/pkg/bench"
	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/photon"
)

// shape of a load: the plain relay of the same shape is what a case is compared with.
type shape struct{ rooms, players, bytes int }

// trial is one line of the table.
type trial struct {
	name      string // group/what
	server    string // plain, boson or cluster
	shape     shape
	rate      float64
	transport client.Transport
	reliable  bool
	idle      bool
}

// trials are all there are. Rates above what a server can do show its limit: only
// a busy server joins as much as it can.
var trials = []trial{
	{name: "limit/64x8 plain", server: "plain", shape: shape{64, 8, 64}, rate: 70},
	{name: "limit/64x8 udp", server: "boson", shape: shape{64, 8, 64}, rate: 300},
	{name: "limit/64x8 udp reliable", server: "boson", shape: shape{64, 8, 64}, rate: 200, reliable: true},
	{name: "limit/64x8 ws", server: "boson", shape: shape{64, 8, 64}, rate: 200, transport: client.WebSocket, reliable: true},
	{name: "limit/64x8 tcp", server: "boson", shape: shape{64, 8, 64}, rate: 200, transport: client.TCP, reliable: true},
	{name: "limit/8x64 plain", server: "plain", shape: shape{8, 64, 64}, rate: 9},
	{name: "limit/8x64 udp", server: "boson", shape: shape{8, 64, 64}, rate: 140},
	{name: "limit/8x64 ws", server: "boson", shape: shape{8, 64, 64}, rate: 50, transport: client.WebSocket, reliable: true},
	{name: "limit/64x8 200 bytes plain", server: "plain", shape: shape{64, 8, 200}, rate: 70},
	{name: "limit/64x8 200 bytes udp", server: "boson", shape: shape{64, 8, 200}, rate: 250},
	{name: "limit/256x2 plain", server: "plain", shape: shape{256, 2, 64}, rate: 300},
	{name: "limit/256x2 udp", server: "boson", shape: shape{256, 2, 64}, rate: 500},
	{name: "limit/32x16 plain", server: "plain", shape: shape{32, 16, 64}, rate: 35},
	{name: "limit/32x16 udp", server: "boson", shape: shape{32, 16, 64}, rate: 180},

	{name: "moderate/64x8 plain", server: "plain", shape: shape{64, 8, 64}, rate: 10},
	{name: "moderate/64x8 udp", server: "boson", shape: shape{64, 8, 64}, rate: 10},
	{name: "moderate/64x8 ws", server: "boson", shape: shape{64, 8, 64}, rate: 10, transport: client.WebSocket, reliable: true},

	{name: "players/750x4 plain", server: "plain", shape: shape{750, 4, 64}, rate: 10},
	{name: "players/750x4 cluster", server: "cluster", shape: shape{750, 4, 64}, rate: 10},

	// The same number of events and deliveries in ever more rooms.
	{name: "growth/10x2", server: "boson", shape: shape{10, 2, 64}, rate: 1000},
	{name: "growth/100x2", server: "boson", shape: shape{100, 2, 64}, rate: 100},
	{name: "growth/1000x2", server: "boson", shape: shape{1000, 2, 64}, rate: 10},
	{name: "growth/9500x2", server: "boson", shape: shape{9500, 2, 64}, rate: 20000. / 19000},

	{name: "idle/10000 udp", server: "boson", shape: shape{2500, 4, 64}, idle: true},
	{name: "idle/10000 ws", server: "boson", shape: shape{2500, 4, 64}, transport: client.WebSocket, idle: true},
	{name: "idle/50000 udp", server: "boson", shape: shape{12500, 4, 64}, idle: true},
	// A server needs a file per WebSocket, which many systems have not got.
	{name: "idle/18000 ws", server: "boson", shape: shape{4500, 4, 64}, transport: client.WebSocket, idle: true},
	{name: "idle/50000 ws", server: "boson", shape: shape{12500, 4, 64}, transport: client.WebSocket, idle: true},
}

// outcome of one run of a trial.
type outcome struct {
	perSecond  float64 // deliveries, wall clock
	perCPU     float64 // deliveries per second of the server's CPU
	p50, p99   float64 // ms
	lost       float64 // share of the deliveries
	server     float64 // cores
	load       float64 // cores
	perClient  float64 // bytes that live in the server, idle only
	perClientR float64 // the same of resident memory
}

// compare runs trials in turn, several times, and prints their medians.
func compare(args []string) error {
	f := flag.NewFlagSet("compare", flag.ContinueOnError)
	only := f.String("only", "", "regular expression of the trials to run; default all but those of 50000 players")
	runs := f.Int("runs", 3, "runs of each trial")
	duration := f.Duration("duration", 3*time.Second, "measured time of a run")
	if err := f.Parse(args); err != nil {
		return err
	}
	wanted, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	if runtime.NumCPU() <= max(serverCore, loadCore) {
		return fmt.Errorf("needs two cores")
	}
	// Many players need many sockets; a child has to have the limit as well.
	_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 120_000, Max: 120_000})
	runtime.GOMAXPROCS(1)
	if err := pinAll(loadCore); err != nil {
		return err
	}
	outcomes := make([][]outcome, len(trials))
	for run := range *runs {
		for i := range trials {
			t := &trials[i]
			if !wanted.MatchString(t.name) || *only == "" && t.shape.rooms > 10_000 {
				continue
			}
			o, err := t.run(*duration)
			if err != nil {
				// A machine may not have what one of them needs, as files for many sockets.
				fmt.Fprintf(os.Stderr, "run %d  %-28s did not work: %v\n", run+1, t.name, err)
				continue
			}
			fmt.Fprintf(os.Stderr, "run %d  %-28s %8.0f/s  %8.0f per CPU second  p50 %.3g ms  lost %.3g %%  server %.2f  load %.2f cores\n",
				run+1, t.name, o.perSecond, o.perCPU, o.p50, 100*o.lost, o.server, o.load)
			outcomes[i] = append(outcomes[i], o)
		}
	}
	return table(outcomes)
}

func (t *trial) run(duration time.Duration) (o outcome, err error) {
	s, err := startServer(t.server)
	if err != nil {
		return o, err
	}
	defer s.stop()
	if t.server == "plain" {
		before := s.cpu()
		r, err := runLoad(loadOptions{s.udp, t.shape.rooms, t.shape.players, t.rate, t.shape.bytes, time.Second, duration})
		if err != nil {
			return o, err
		}
		used := s.cpu() - before
		return outcome{
			perSecond: r.perSecond, perCPU: float64(r.arrived) / used.Seconds(), p50: r.p50, p99: r.p99,
			lost: 1 - float64(r.arrived)/float64(r.expected), server: used.Seconds() / (duration + time.Second).Seconds(), load: r.cores,
		}, nil
	}
	opt := bench.Options{
		Rooms: t.shape.rooms, Players: t.shape.players, Bytes: t.shape.bytes, Rate: t.rate, Reliable: t.reliable,
		Transport: t.transport, Protocol: photon.GpBinaryV18, Duration: duration, Servers: []int{s.cmd.Process.Pid},
		From: netip.MustParsePrefix("127.1.0.0/26"), Ramp: time.Duration(t.shape.rooms*t.shape.players) * 300 * time.Microsecond,
	}
	switch {
	case t.server == "cluster":
		opt.NameServer, opt.Ramp = s.udp, 0
	case t.transport == client.WebSocket:
		opt.GameServer = "ws://" + s.ws
	case t.transport == client.TCP:
		opt.GameServer = s.tcp
	default:
		opt.GameServer = s.udp
	}
	if t.idle {
		return t.runIdle(s, opt)
	}
	r, err := bench.Run(context.Background(), opt)
	if err != nil {
		return o, err
	}
	if err := r.Failure(); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", t.name, err)
	}
	return outcome{
		perSecond: r.DeliveriesPerSecond, perCPU: float64(r.Deliveries) / r.ServerSeconds, p50: r.Latency.P50, p99: r.Latency.P99,
		lost: float64(r.Missing) / float64(r.Expected), server: r.ServerCPU, load: r.ClientCPU,
	}, nil
}

// idleAtOnce is how many sockets one process has: the usual limit of files is 20000.
const idleAtOnce = 15000

// runIdle asks for the server's memory while its clients are there. More of them
// than a process may have are those of children.
func (t *trial) runIdle(s *server, opt bench.Options) (o outcome, err error) {
	opt.Scenario, opt.Warmup, opt.Duration = bench.Idle, 3*time.Second, 10*time.Second
	before, err := s.memory()
	if err != nil {
		return o, err
	}
	_, resident, err := bench.ProcessUse(s.cmd.Process.Pid)
	if err != nil {
		return o, err
	}
	for opt.Rooms*opt.Players > idleAtOnce && t.transport == client.UDP {
		part := idleAtOnce / opt.Players
		opt.Rooms -= part
		opt.From = netip.PrefixFrom(netip.AddrFrom4([4]byte{127, byte(2 + opt.Rooms/part), 0, 0}), 26)
		end, err := startIdle(opt.GameServer, part, opt.Players, opt.From)
		if err != nil {
			return o, err
		}
		defer end()
	}
	opt.From = netip.MustParsePrefix("127.1.0.0/26")
	var live int64
	var asked error
	opt.Progress = func(p bench.Progress) {
		// Late: what is measured is idle clients, not a collection.
		if p.Interval != nil && live == 0 && p.Interval.Seconds > 11 {
			live, asked = s.memory()
		}
	}
	r, err := bench.Run(context.Background(), opt)
	if err == nil {
		err = asked
	}
	if err == nil {
		err = r.Failure()
	}
	if err != nil {
		return o, err
	}
	clients := float64(t.shape.rooms * t.shape.players)
	return outcome{
		server: r.ServerCPU, load: r.ClientCPU, perClient: float64(live-before) / clients,
		perClientR: float64(r.ServerMemory-resident) / clients,
	}, nil
}

// table prints medians, with the lowest and highest of what matters most.
func table(outcomes [][]outcome) error {
	median := func(all []outcome, of func(outcome) float64) float64 {
		v := values(all, of)
		return v[len(v)/2]
	}
	perCPU := func(o outcome) float64 { return o.perCPU }
	plain := map[string]float64{} // by group and shape
	key := func(t *trial) string {
		return fmt.Sprint(regexp.MustCompile(`^\w+`).FindString(t.name), t.shape)
	}
	for i := range trials {
		if len(outcomes[i]) > 0 && trials[i].server == "plain" {
			plain[key(&trials[i])] = median(outcomes[i], perCPU)
		}
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "trial\tdeliveries/s\tper CPU second (least, most)\tof plain\tp50 ms\tp99 ms\tlost %\tserver\tload\tbytes per client, resident")
	for i := range trials {
		all := outcomes[i]
		if len(all) == 0 {
			continue
		}
		t := &trials[i]
		m := func(of func(outcome) float64) float64 { return median(all, of) }
		if t.idle {
			fmt.Fprintf(w, "%s\t\t\t\t\t\t\t%.3f\t%.2f\t%.0f, %.0f\n", t.name, m(func(o outcome) float64 { return o.server }),
				m(func(o outcome) float64 { return o.load }), m(func(o outcome) float64 { return o.perClient }),
				m(func(o outcome) float64 { return o.perClientR }))
			continue
		}
		ratio := ""
		if p := plain[key(t)]; p > 0 {
			ratio = fmt.Sprintf("%.2f", m(perCPU)/p)
		}
		v := values(all, perCPU)
		fmt.Fprintf(w, "%s\t%.0f\t%.0f (%.0f, %.0f)\t%s\t%.3f\t%.3g\t%.3g\t%.2f\t%.2f\n", t.name, m(func(o outcome) float64 { return o.perSecond }),
			m(perCPU), v[0], v[len(v)-1], ratio, m(func(o outcome) float64 { return o.p50 }), m(func(o outcome) float64 { return o.p99 }),
			100*m(func(o outcome) float64 { return o.lost }), m(func(o outcome) float64 { return o.server }), m(func(o outcome) float64 { return o.load }))
	}
	return w.Flush()
}

func values(all []outcome, of func(outcome) float64) []float64 {
	var v []float64
	for _, o := range all {
		v = append(v, of(o))
	}
	slices.Sort(v)
	return v
}
