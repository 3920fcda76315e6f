package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/photon"
)

// eventCode of the run's events.
const eventCode photon.EventCode = 66

// Run connects the players, loads the servers, and returns what it measured. The
// error is about the run as such; what went wrong with events is in the result,
// see Result.Failure.
func Run(ctx context.Context, opt Options) (*Result, error) {
	o, err := opt.withDefaults()
	if err != nil {
		return nil, err
	}
	tmpl, err := newTemplate(&o)
	if err != nil {
		return nil, err
	}
	_, before, err := o.serversUse()
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	r := &run{memoryBefore: before, opt: o, start: time.Now(), connect: newHistogram(), match: newHistogram()}
	defer func() {
		for _, d := range r.drivers {
			d.close()
		}
	}()
	for i := range o.Loops {
		c := newCounts(o.Warmup, o.Warmup+o.Duration)
		c.text = o.Protocol == photon.JSON
		var d driver = &peers{opt: &r.opt, counts: c, now: r.now}
		if loopTakes(&o) && o.Scenario != Lobby && o.Scenario != Churn {
			if d, err = newLoop(&r.opt, c, r.now); err != nil {
				return nil, fmt.Errorf("bench: %w", err)
			}
		}
		r.counts, r.drivers = append(r.counts, c), append(r.drivers, d)
		r.rooms = append(r.rooms, nil)
		for n := i; n < o.Rooms; n += o.Loops {
			r.rooms[i] = append(r.rooms[i], r.newRoom(n))
		}
	}
	if o.Scenario == Lobby || o.Scenario == Churn {
		return r.storm(ctx)
	}
	if err := r.enterAll(ctx, r.enter); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	return r.play(ctx, func(ctx context.Context, i int, base time.Duration) error {
		s := newSchedule(&r.opt, r.rooms[i], r.counts[i], tmpl)
		s.base = base
		return r.drivers[i].play(ctx, s)
	})
}

// run is the state of Run.
type run struct {
	opt     Options
	start   time.Time
	drivers []driver
	counts  []*counts
	rooms   [][][]*player // by loop and room

	memoryBefore int64 // of the servers

	mu             sync.Mutex
	connect, match histogram
	joined         int
	failed         error
}

// now is the run's time. The load begins at 0: start moves there.
func (r *run) now() time.Duration { return time.Since(r.start) }

func newTemplate(o *Options) (*template, error) {
	bin := make([]byte, o.Bytes)
	copy(bin, mark)
	var content any = bin
	if o.Protocol == photon.JSON {
		content = string(mark) + strings.Repeat("0", o.Bytes-len(mark))
	}
	msg, err := photon.AppendRequest(nil, o.Protocol, photon.OpRaiseEvent, client.RaiseEventParams(eventCode, content, nil))
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	return &template{msg: msg, at: bytes.Index(msg, mark), text: o.Protocol == photon.JSON}, nil
}

func (r *run) newRoom(n int) (players []*player) {
	// The process's start time keeps runs apart that follow each other closely.
	name := fmt.Sprintf("bench %x %d", r.start.UnixNano(), n)
	for i := range r.opt.Players {
		players = append(players, &player{
			index: uint32(i), room: name, user: fmt.Sprintf("%s.%d", name, i), from: r.opt.from(n*r.opt.Players + i),
		})
		if r.opt.raises() {
			players[i].pairs = make([]pair, r.opt.Players)
		}
	}
	return players
}

// maxEntering players are on their way at once.
const maxEntering = 64

// enterAll takes all players into their rooms, spread over the ramp.
func (r *run) enterAll(ctx context.Context, enter func(context.Context, driver, *player)) error {
	total := r.opt.Rooms * r.opt.Players
	gap := r.opt.Ramp / time.Duration(total)
	slots := make(chan struct{}, maxEntering)
	var wg sync.WaitGroup
	defer wg.Wait()
	started := 0
	shown := time.Now()
	for i := range r.opt.Players {
		for loop, rooms := range r.rooms {
			for _, room := range rooms {
				select {
				case slots <- struct{}{}:
				case <-ctx.Done():
					return ctx.Err()
				}
				if ahead := time.Duration(started)*gap - time.Since(r.start); ahead > time.Millisecond {
					select {
					case <-time.After(ahead):
					case <-ctx.Done():
						return ctx.Err()
					}
				}
				started++
				wg.Go(func() {
					defer func() { <-slots }()
					enter(ctx, r.drivers[loop], room[i])
				})
				r.mu.Lock()
				joined, failed := r.joined, r.failed
				r.mu.Unlock()
				if failed != nil {
					return failed
				}
				if r.opt.Progress != nil && time.Since(shown) > time.Second {
					shown = time.Now()
					r.opt.Progress(Progress{Joined: joined, Players: total})
				}
			}
		}
	}
	wg.Wait()
	return r.failed
}

func (r *run) enter(ctx context.Context, d driver, p *player) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	began := time.Now()
	t, atMaster, err := r.opt.route(ctx, p)
	if err == nil {
		err = d.enter(ctx, p, t)
	}
	r.entered(began, atMaster, err)
}

// entered counts a player's way in, or why it failed.
func (r *run) entered(began, atMaster time.Time, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.failed = errors.Join(r.failed, err)
		return
	}
	_ = r.connect.RecordValue(int64(atMaster.Sub(began)))
	_ = r.match.RecordValue(int64(time.Since(atMaster)))
	r.joined++
}

// play loads the servers: it runs load for each loop.
func (r *run) play(ctx context.Context, load func(ctx context.Context, loop int, base time.Duration) error) (*Result, error) {
	cpu, wall := cpuTime(), time.Now()
	servers, _, err := r.opt.serversUse()
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	base := r.now()
	for _, c := range r.counts {
		c.from, c.to = c.from+base, c.to+base
	}
	errs := make(chan error, len(r.drivers))
	for i := range r.drivers {
		go func() { errs <- load(ctx, i, base) }()
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var intervals []Interval
	var failed error
	for running := len(r.drivers); running > 0; {
		select {
		case err := <-errs:
			running--
			failed = errors.Join(failed, err)
		case <-tick.C:
			in := r.interval(time.Since(wall))
			if time.Since(wall) < r.opt.Warmup+r.opt.Duration+500*time.Millisecond {
				intervals = append(intervals, in)
			}
			if r.opt.Progress != nil {
				r.opt.Progress(Progress{Joined: r.joined, Players: r.joined, Interval: &in})
			}
		}
	}
	if failed != nil {
		return nil, fmt.Errorf("bench: %w", failed)
	}
	res := r.result(intervals)
	used, memory, err := r.opt.serversUse()
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	res.ServerSeconds = (used - servers).Seconds()
	res.ServerCPU = float64(used-servers) / float64(time.Since(wall))
	res.ServerMemory, res.ServerMemoryBefore = memory, r.memoryBefore
	res.ClientCPU = float64(cpuTime()-cpu) / float64(time.Since(wall))
	return res, nil
}
