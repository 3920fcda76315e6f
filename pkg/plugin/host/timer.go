package host

import (
	"time"

	"github.com/boson-project/boson/pkg/plugin"
)

const (
	// maxTimers of one room at once.
	maxTimers = 256
	// minInterval of a timer.
	minInterval = 10 * time.Millisecond
)

// timer is one of the plugin's. All but the wait itself happens on the fiber.
type timer struct {
	h        *Host
	f        func()
	due      time.Duration
	interval time.Duration // 0: once
	wait     *time.Timer
	stopped  bool
}

// AfterFunc implements plugin.Host.
func (h *Host) AfterFunc(d time.Duration, f func()) *plugin.Timer { return h.newTimer(d, 0, f) }

// Every implements plugin.Host.
func (h *Host) Every(first, interval time.Duration, f func()) *plugin.Timer {
	return h.newTimer(first, max(interval, minInterval), f)
}

// DeferAfter implements plugin.Host.
func (h *Host) DeferAfter(c plugin.Deferrable, d time.Duration, f func()) *plugin.Timer {
	if len(h.timers) >= maxTimers || plugin.Postpone(c) != nil {
		return nil
	}
	return h.newTimer(d, 0, f)
}

func (h *Host) newTimer(first, interval time.Duration, f func()) *plugin.Timer {
	if h.check() != nil {
		return nil
	}
	if len(h.timers) >= maxTimers {
		h.log().Warn().Int("timers", maxTimers).Msg("plugin has too many timers; one more is refused")
		return nil
	}
	first = max(first, minInterval)
	t := &timer{h: h, f: f, interval: interval, due: h.opt.Now() + first}
	if h.timers == nil {
		h.timers = map[*timer]struct{}{}
	}
	h.timers[t] = struct{}{}
	t.start(first)
	return plugin.NewTimer(t.stop)
}

func (t *timer) start(d time.Duration) {
	t.wait = time.AfterFunc(d, func() { t.h.opt.Post(t.fire) })
}

func (t *timer) stop() {
	t.stopped = true
	t.wait.Stop()
	delete(t.h.timers, t)
}

// fire runs on the fiber, guarded by Host.Run.
func (t *timer) fire() {
	if t.stopped {
		return
	}
	if t.interval == 0 {
		t.stop()
		t.f()
		return
	}
	defer func() {
		if t.stopped {
			return
		}
		// Ticks that are over by now are left out.
		now := t.h.opt.Now()
		t.due += t.interval
		if behind := now - t.due; behind >= 0 {
			t.due += (behind/t.interval + 1) * t.interval
		}
		t.start(t.due - now)
	}()
	t.f()
}
