package store

import (
	"context"
	"errors"
	"hash/maphash"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
)

// Name is the plugin's name. It is configured as builtin:store.
const Name = "RoomStore"

const version = "1.0"

func init() { plugin.Register("store", factory{}) }

type factory struct{}

// CheckConfig implements plugin.ConfigChecker.
func (factory) CheckConfig(config plugin.Config) error {
	_, err := parseSettings(config)
	return err
}

// Loads implements plugin.Loader.
func (factory) Loads(plugin.Config) (onRejoin, onJoin bool) { return true, true }

// Create implements plugin.Factory.
func (factory) Create(host plugin.Host, _ string, config plugin.Config) (plugin.Plugin, error) {
	set, err := parseSettings(config)
	if err != nil {
		return nil, err
	}
	shared, err := acquire(set.store)
	if err != nil {
		return nil, err
	}
	env := host.Environment()
	return &roomStore{
		Base: plugin.Base{Host: host}, set: set, shared: shared,
		key: Key(env.AppID, env.AppVersion, env.Region, host.GameID()),
	}, nil
}

// roomStore is the plugin of one room.
type roomStore struct {
	plugin.Base
	set    *settings
	shared *shared
	key    string

	// version of what was last loaded or sent to be saved, 0 for nothing.
	version int64
	ticker  *plugin.Timer

	saving bool // a save of the ticker is under way
	saved  uint64
	at     time.Time // of that save
	stale  bool      // another server has a newer state: this room is a ghost
}

// Name implements plugin.Plugin.
func (*roomStore) Name() string { return Name }

// Version implements plugin.Plugin.
func (*roomStore) Version() string { return version }

// IsPersistent implements plugin.Persistent.
func (*roomStore) IsPersistent() bool { return true }

// Filter implements plugin.Filtered: players cost nothing.
func (*roomStore) Filter() plugin.Filter {
	return plugin.Filter{Hooks: plugin.HookCreateGame | plugin.HookCloseGame}
}

// Close implements plugin.Closer.
func (p *roomStore) Close() error {
	p.shared.release()
	return nil
}

// OnCreateGame looks whether there is a saved room of that name: a join brings it
// back, a create finds the name taken.
func (p *roomStore) OnCreateGame(c *plugin.CreateGameCall) {
	var saved Saved // not to be read after a time-out
	log := p.Host.Logger()
	p.request(c, 0, func(ctx context.Context, s Store) (err error) {
		saved, err = p.load(ctx, s, log)
		return err
	}, func(err error) {
		switch {
		case errors.Is(err, ErrNotFound):
			// A join that may not create is answered by the room: there is no such game.
		case err != nil:
			p.Host.Logger().Error("room not loaded", "error", err)
			_ = c.Fail("the room store is not available", nil)
			return
		case !c.IsJoin:
			_ = c.FailWith(photon.ReturnGameIDAlreadyExists, "a saved room has this name", nil)
			return
		default:
			if err := p.Host.SetState(saved.State); err != nil {
				p.Host.Logger().Error("saved room can't be used", "error", err)
				_ = c.Fail("the saved room can't be loaded", nil)
				return
			}
			p.version = saved.Version
		}
		if c.Continue() == nil {
			p.start()
		}
	})
}

// start begins the saves of the running room, at a random time so that rooms that
// came at once do not save at once.
func (p *roomStore) start() {
	if every := p.set.saveInterval; every > 0 {
		p.ticker = p.Host.Every(time.Duration(1+rand.Int64N(int64(every))), every, p.saveIfChanged)
	}
}

// OnCloseGame saves the room if somebody may come back, and else forgets it.
func (p *roomStore) OnCloseGame(c *plugin.CloseGameCall) {
	p.ticker.Stop()
	if c.FailedOnCreate || p.stale {
		_ = c.Continue()
		return
	}
	if p.mayComeBack() {
		state, err := p.Host.State()
		if err == nil {
			p.saveLast(c, state)
			return
		}
		p.Host.Logger().Error("room not saved", "error", err)
	} else if last := p.version; last != 0 {
		p.closeWith(c, 0, func(ctx context.Context, s Store) error { return s.Delete(ctx, p.key, last) }, func() {}, func(err error) {
			if err != nil {
				p.Host.Logger().Error("room not deleted at its end", "error", err)
			}
			_ = c.Continue()
		}, 0)
		return
	}
	_ = c.Continue()
}

// retryAfter are the pauses between the attempts of the last request of a room.
var retryAfter = [...]time.Duration{time.Second, 2 * time.Second, 4 * time.Second}

// closeWith does the last request of a room, which is tried a few times, and then
// what comes after it. failed is told of each attempt that failed.
func (p *roomStore) closeWith(c *plugin.CloseGameCall, size int, do func(context.Context, Store) error, failed func(), then func(error), attempt int) {
	p.request(c, size, do, func(err error) {
		if err != nil && !errors.Is(err, ErrStale) {
			failed()
			if attempt < len(retryAfter) &&
				p.Host.AfterFunc(retryAfter[attempt], func() { p.closeWith(c, size, do, failed, then, attempt+1) }) != nil {
				return
			}
		}
		then(err)
	})
}

// mayComeBack says whether an actor is left that the room would wait for. Active
// ones are there when a server stops.
func (p *roomStore) mayComeBack() bool {
	return len(p.Host.InactiveActors()) > 0 || p.playerTTL() != 0 && len(p.Host.ActiveActors()) > 0
}

func (p *roomStore) playerTTL() int32 {
	v, _ := p.Host.Properties().Get(photon.PropPlayerTTL)
	ttl, _ := v.(int32)
	return ttl
}

// Saves and SaveFailures count the saves of all rooms of this process. A save that
// is refused because the queue is full is a failed one, too; one that found a newer
// state is neither.
var Saves, SaveFailures atomic.Int64

// count counts a save that was tried.
func count(err error) {
	switch {
	case err == nil:
		Saves.Add(1)
	case !errors.Is(err, ErrStale):
		SaveFailures.Add(1)
	}
}

var seed = maphash.MakeSeed()

// saveIfChanged saves the running room, for the case that the server crashes.
// Rooms that nobody can come back to are not saved.
func (p *roomStore) saveIfChanged() {
	if p.saving || p.stale || !p.mayComeBack() {
		return
	}
	state, err := p.Host.State()
	if err != nil {
		p.Host.Logger().Error("room not saved", "error", err)
		return
	}
	sum := maphash.Bytes(seed, state)
	if sum == p.saved && time.Since(p.at) < crashGrace/2 {
		return
	}
	before := p.version
	p.saving = true
	err = p.do(len(state), p.save(p.newest(state)), func(err error) {
		p.saving = false
		switch {
		case errors.Is(err, ErrStale):
			p.Host.Logger().Warn("another server has a newer state of this room: it is not saved any more")
			p.stale = true
		case err != nil:
			p.Host.Logger().Warn("room not saved, it is tried again", "error", err)
		default:
			p.saved, p.at = sum, time.Now()
		}
	})
	if err != nil {
		p.saving, p.version = false, before
		p.Host.Logger().Warn("room not saved, it is tried again", "error", err)
	}
}

// newest makes a state the newest one of the room. What it returns reads the state
// for its expiry: not on the fiber.
func (p *roomStore) newest(state plugin.GameState) func() (Saved, error) {
	now := time.Now()
	p.version = max(p.version+1, now.UnixMilli())
	saved := Saved{Version: p.version, State: state}
	return sync.OnceValues(func() (_ Saved, err error) {
		saved.Expires, err = expiry(state, now, p.set.maxAge)
		return saved, err
	})
}

// save returns the request that stores a state.
func (p *roomStore) save(state func() (Saved, error)) func(context.Context, Store) error {
	return func(ctx context.Context, s Store) error {
		saved, err := state()
		if err != nil {
			return err
		}
		return s.Save(ctx, p.key, saved)
	}
}

// do runs a request elsewhere and then, if the room is still there, on its fiber.
// An error means that neither happens. size is that of the state to be saved, 0
// for requests that save none.
func (p *roomStore) do(size int, request func(context.Context, Store) error, then func(error)) error {
	err := p.shared.do(p.key, size, p.set.timeout, func(ctx context.Context, s Store, err error) {
		if err == nil {
			err = request(ctx, s)
		}
		if size > 0 {
			count(err)
		}
		p.Host.Enqueue(func() { then(err) })
	})
	if err != nil && size > 0 {
		count(err)
	}
	return err
}

var errTimeout = errors.New("store: no answer in time")

// request is do for a call that waits: it is deferred, and then is called in any
// case, after a while without an answer if need be.
func (p *roomStore) request(c plugin.Deferrable, size int, request func(context.Context, Store) error, then func(error)) {
	answered := false
	answer := func(err error) {
		if !answered {
			answered = true
			then(err)
		}
	}
	// The request may have to wait for its turn, too.
	late := func() { answer(errTimeout) }
	var timer *plugin.Timer
	if plugin.CallOf(c).IsNew() {
		timer = p.Host.DeferAfter(c, 2*p.set.timeout, late)
	} else {
		timer = p.Host.AfterFunc(2*p.set.timeout, late)
	}
	err := p.do(size, request, func(err error) {
		timer.Stop()
		answer(err)
	})
	if err != nil {
		timer.Stop()
		answer(err)
	}
}
