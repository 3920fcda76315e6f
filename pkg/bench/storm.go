package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/photon"
)

// questions are what players of a storm ask, and how it was answered.
type questions struct {
	mu     sync.Mutex
	byName map[string]*question
	first  error // the first that failed
}

type question struct {
	asked, failed int64
	latency       histogram
}

func (q *questions) answered(name string, latency time.Duration, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	one := q.byName[name]
	if one == nil {
		one = &question{latency: newHistogram()}
		q.byName[name] = one
	}
	one.asked++
	if err != nil {
		one.failed++
		if q.first == nil {
			q.first = fmt.Errorf("%s: %w", name, err)
		}
		return
	}
	_ = one.latency.RecordValue(min(int64(latency), one.latency.HighestTrackableValue()))
}

// storm runs the scenarios whose load is not events: each player asks one thing
// after the other, due at fixed times. A player that still waits asks late, and
// the time counts from when it should have asked.
func (r *run) storm(ctx context.Context) (*Result, error) {
	q := &questions{byName: map[string]*question{}}
	var ask func(ctx context.Context, loop int, p *player, n int) (string, error)
	if r.opt.Scenario == Lobby {
		l := &lobbyStorm{run: r, masters: map[*player]*client.Peer{}}
		defer l.close()
		if err := r.enterAll(ctx, l.enter); err != nil {
			return nil, fmt.Errorf("bench: %w", err)
		}
		ask = l.ask
	} else {
		ask = r.visit
	}
	res, err := r.play(ctx, func(ctx context.Context, loop int, base time.Duration) error {
		players := slices.Concat(r.rooms[loop]...)
		var wg sync.WaitGroup
		for i, p := range players {
			wg.Go(func() {
				c := r.counts[loop]
				period := time.Duration(float64(time.Second) / r.opt.Rate)
				due := base + period*time.Duration(i)/time.Duration(len(players))
				for n := 0; due < base+r.opt.Warmup+r.opt.Duration; n++ {
					if !sleep(ctx, due-r.now()) {
						return
					}
					c.mu.Lock()
					c.sent++
					c.expected++
					c.mu.Unlock()
					name, err := ask(ctx, loop, p, n)
					now := r.now()
					q.answered(name, now-due, err)
					if err == nil {
						c.mu.Lock()
						c.answer(due, now)
						c.mu.Unlock()
					}
					due += period
				}
			})
		}
		wg.Wait()
		return ctx.Err()
	})
	if err != nil {
		return nil, err
	}
	res.OfferedPerSecond = r.opt.Rate * float64(r.opt.Rooms*r.opt.Players)
	for name, one := range q.byName {
		res.Questions = append(res.Questions, Question{Name: name, Asked: one.asked, Failed: one.failed, Latency: latencyOf(one.latency)})
	}
	slices.SortFunc(res.Questions, func(a, b Question) int { return int(b.Asked - a.Asked) })
	if q.first != nil {
		res.FirstError = q.first.Error()
	}
	// The ways in were measured while the storm went on.
	res.Connect, res.Matchmaking = latencyOf(r.connect), latencyOf(r.match)
	return res, nil
}

// sleep is false when ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// lobbyStorm has its players connected to a master, in the default lobby.
type lobbyStorm struct {
	run *run

	mu      sync.Mutex
	masters map[*player]*client.Peer
}

// enter takes a player into the lobby.
func (l *lobbyStorm) enter(ctx context.Context, _ driver, p *player) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	r := l.run
	began := time.Now()
	ms, _, _, err := r.opt.reachMaster(ctx, p)
	atMaster := time.Now()
	if err == nil {
		l.mu.Lock()
		l.masters[p] = ms
		l.mu.Unlock()
		_, err = operation(ctx, ms, photon.OpJoinLobby, nil)
	}
	r.entered(began, atMaster, err)
}

// ask has a player look for a room three times and make one the fourth. There
// being none is an answer as well.
func (l *lobbyStorm) ask(ctx context.Context, _ int, p *player, n int) (string, error) {
	l.mu.Lock()
	ms := l.masters[p]
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	op := photon.OpJoinRandomGame
	if n%4 == 3 {
		op = photon.OpCreateGame
	}
	_, err := operation(ctx, ms, op, nil)
	var refused *client.OperationError
	if errors.As(err, &refused) && refused.Code == photon.ReturnNoRandomMatchFound {
		err = nil
	}
	return op.String(), err
}

func (l *lobbyStorm) close() {
	for _, ms := range l.masters {
		ms.Disconnect()
	}
	for _, ms := range l.masters {
		ms.Close()
	}
}

// visit takes a player into its room, and out again.
func (r *run) visit(ctx context.Context, loop int, p *player, _ int) (string, error) {
	const name = "visit"
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	began := time.Now()
	t, atMaster, err := r.opt.route(ctx, p)
	if err != nil {
		return name, err
	}
	d := r.drivers[loop].(*peers)
	if err := d.enter(ctx, p, t); err != nil {
		return name, err
	}
	r.entered(began, atMaster, nil)
	return name, d.leave(ctx, p)
}

// operation asks and returns the error of the answer, too.
func operation(ctx context.Context, p *client.Peer, op photon.OpCode, params photon.Params) (*client.Response, error) {
	r, err := p.Operation(ctx, op, params)
	if err == nil {
		err = r.Err()
	}
	return r, err
}
