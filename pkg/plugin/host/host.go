// Package host is the server's side of a room's plugin: it makes calls out of a
// room's steps, guards the plugin's code, and does what plugins ask for
// (plugins.md 14). One Host serves one room.
//
// Everything runs on the room's fiber, which the owner of the room provides. A
// room whose plugin is Default has no Host and pays nothing.
package host

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
	"github.com/boson-project/boson/pkg/room"
	"github.com/boson-project/boson/pkg/webcall"
)

// Options of a room's host.
type Options struct {
	// GameID is the room's name.
	GameID      string
	Environment plugin.Environment
	// Strict is strict mode, unless the plugin decides for itself.
	Strict bool
	// Post runs a function on the room's fiber; false: the fiber has ended. It may
	// be called from any goroutine.
	Post func(func()) bool
	// Now is the room's clock.
	Now func() time.Duration
	// Lane returns the room's way to web services; asked for on first use. nil:
	// there is none, and HTTP answers Error.
	Lane func() *webcall.Lane
	// AuthCookie returns what the authentication provider keeps about a client, as
	// JSON, or nil.
	AuthCookie func(room.Sink) []byte
	// Counters are shared by all hosts of a server; nil is none.
	Counters *Counters
	Logger   zerolog.Logger
}

// Counters count what plugins do.
type Counters struct {
	Calls  atomic.Int64 // callbacks that plugins were asked in
	Panics atomic.Int64
	Slow   atomic.Int64 // callbacks that took longer than slowCallback
	Failed atomic.Int64 // calls that plugins refused
}

const (
	// slowCallback is how long a callback may hold up its room without a warning.
	slowCallback = 50 * time.Millisecond
	// decisionTimeout is how long a call may stay deferred: longer than the longest
	// HTTP request with its wait, and an end nevertheless.
	decisionTimeout = 150 * time.Second
	// maxDeferred calls of one room may wait for their decision; then its clients'
	// events and properties are refused.
	maxDeferred = 4096
	// logsPerSecond is how many lines the plugin of one room may log.
	logsPerSecond = 100
)

// Host is the plugin's side of one room.
type Host struct {
	opt    Options
	plugin plugin.Plugin
	room   *room.Room
	logs   atomic.Pointer[logs]
	ctx    context.Context
	cancel context.CancelFunc

	strict  bool
	hooks   plugin.Hook
	events  [4]uint64 // a bit for each event code that the plugin wants
	unknown func(any) (any, bool)

	inside    atomic.Bool // the fiber is in this room's code
	suspended atomic.Bool // it waits for a web service
	closed    bool        // the room is over: nothing is called any more
	ending    bool        // calls are being failed because of it
	creating  *room.Entry // the call of OnCreateGame that is not decided yet
	depth     int         // of callbacks
	waited    time.Duration
	deferred  map[*call]struct{}
	limit     *time.Timer // of the oldest deferred call
	timers    map[*timer]struct{}
	lane      *webcall.Lane
	cookies   map[int32]*cookie
	master    int32 // the master client that the plugin knows of
}

// New returns a host without plugin and room.
func New(opt Options) *Host {
	if opt.Counters == nil {
		opt.Counters = &Counters{}
	}
	h := &Host{opt: opt}
	h.named("Plugin")
	h.ctx, h.cancel = context.WithCancel(context.Background())
	return h
}

// ErrMismatch says that there is no plugin of the name that a client asked for.
var ErrMismatch = errors.New("no such plugin")

// Open makes the room's plugin. An error is what the creating client is to be
// told; for ErrMismatch with PluginMismatch, else with PluginReportedError.
func (h *Host) Open(f plugin.Factory, name string, config plugin.Config) (p plugin.Plugin, err error) {
	h.Begin()
	defer h.Pause()
	defer func() {
		if x := recover(); x != nil {
			h.opt.Counters.Panics.Add(1)
			h.log().Error().Str("panic", fmt.Sprint(x)).Bytes("stack", debug.Stack()).Msg("plugin factory crashed")
			p, err = nil, fmt.Errorf("the plugin could not be made: %v", x)
		}
	}()
	p, err = f.Create(h, name, config)
	switch {
	case errors.Is(err, plugin.ErrNoSuchPlugin):
		return nil, fmt.Errorf("%w: %q", ErrMismatch, name)
	case err != nil:
		return nil, err
	case p == nil:
		return nil, errors.New("the factory made no plugin")
	}
	if _, isDefault := p.(plugin.Default); p.Name() == plugin.DefaultName && !isDefault {
		return nil, plugin.ErrReservedName
	}
	h.plugin = p
	h.named("Plugin." + p.Name())
	if s, ok := p.(plugin.StrictModer); ok {
		h.strict = s.StrictMode()
	} else {
		h.strict = h.opt.Strict
	}
	if u, ok := p.(plugin.UnknownTypeHandler); ok {
		h.unknown = u.OnUnknownType
	}
	filter := plugin.Filter{Hooks: plugin.AllHooks}
	if f, ok := p.(plugin.Filtered); ok {
		filter = f.Filter()
	}
	h.hooks = filter.Hooks
	if filter.Hooks&plugin.HookRaiseEvent != 0 {
		if filter.Events == nil {
			filter.Events = []plugin.EventRange{{From: 0, To: 255}}
		}
		for _, r := range filter.Events {
			for code := int(r.From); code <= int(r.To); code++ {
				h.events[code/64] |= 1 << (code % 64)
			}
		}
	}
	return p, nil
}

// Attach binds the host to its room, before the room is created.
func (h *Host) Attach(r *room.Room) {
	h.room = r
	r.SetHooks(hooks{h})
}

// Begin says that the fiber is now in this room's code; Pause that it is no
// longer, after a look at what the plugin must be told. Only in between can the
// plugin do anything.
func (h *Host) Begin() { h.inside.Store(true) }

// Pause ends what Begin began.
func (h *Host) Pause() {
	h.observeMaster()
	h.inside.Store(false)
}

// observeMaster tells the plugin of a new master client.
func (h *Host) observeMaster() {
	if h.room == nil || h.closed {
		return
	}
	old, now := h.master, h.room.MasterClientID()
	if old == now {
		return
	}
	h.master = now
	if o, ok := h.plugin.(plugin.MasterClientObserver); ok && h.room.Open() {
		h.guard(plugin.AsyncCallbackException, func() { o.OnMasterClientChanged(old, now) })
	}
}

// Run runs what a timer, a web call or Enqueue posted. On the fiber, between
// Begin and Pause.
func (h *Host) Run(f func()) {
	if !h.closed {
		h.guard(plugin.AsyncCallbackException, f)
	}
}

// guard runs the plugin's code: what it throws is reported and logged, and
// harms nobody.
func (h *Host) guard(code plugin.ErrorCode, f func()) (err error) {
	start, waited := h.opt.Now(), h.waited
	h.depth++
	defer func() {
		h.depth--
		if x := recover(); x != nil {
			h.opt.Counters.Panics.Add(1)
			err = fmt.Errorf("%v", x)
			if e, ok := x.(error); ok {
				err = e
			}
			h.log().Error().Str("panic", fmt.Sprint(x)).Bytes("stack", debug.Stack()).Msg("plugin crashed; its room goes on")
			h.report(code, err, nil)
		}
		if h.depth > 0 {
			return
		}
		if took := h.opt.Now() - start - (h.waited - waited); took > slowCallback {
			h.opt.Counters.Slow.Add(1)
			h.log().Warn().Dur("took", took).Msg("plugin held up its room")
		}
	}()
	f()
	return nil
}

// report tells the plugin of a mistake of its own.
func (h *Host) report(code plugin.ErrorCode, err error, state any) {
	r, ok := h.plugin.(plugin.ErrorReporter)
	if !ok {
		return
	}
	defer func() {
		if x := recover(); x != nil {
			h.opt.Counters.Panics.Add(1)
			h.log().Error().Str("panic", fmt.Sprint(x)).Msg("plugin crashed in ReportError")
		}
	}()
	r.ReportError(code, err, state)
}

// Abandon is for a plugin whose room was refused before OnCreateGame, and for
// one whose room crashed: no callback is called any more.
func (h *Host) Abandon() {
	h.ending = true
	h.shut()
}

// End is for a room that is Done: calls that wait for a decision fail, timers
// and web calls end, and the plugin frees what it holds. On the fiber.
func (h *Host) End() {
	h.Begin()
	defer h.inside.Store(false)
	h.ending = true
	for c := range h.deferred {
		h.guard(plugin.AsyncCallbackException, func() { _ = c.info.Fail("the room is closed", nil) })
	}
	h.shut()
}

// Cancel ends web calls that the room waits for. It may be called from any
// goroutine, when the server must stop.
func (h *Host) Cancel() { h.cancel() }

func (h *Host) shut() {
	if h.closed {
		return
	}
	h.closed = true
	h.cancel()
	for t := range h.timers {
		t.stop()
	}
	if h.limit != nil {
		h.limit.Stop()
	}
	if h.lane != nil {
		h.lane.Close()
	}
	h.deferred, h.timers, h.cookies = nil, nil, nil
	if c, ok := h.plugin.(plugin.Closer); ok {
		_ = h.guard(plugin.UnhandledException, func() {
			if err := c.Close(); err != nil {
				h.log().Warn().Err(err).Msg("plugin did not close well")
			}
		})
	}
}

// refusal is the error that a client gets for Fail.
func refusal(d *plugin.Decision, wire func(any) (any, error)) *room.Error {
	e := &room.Error{Code: d.ReturnCode, Text: d.Message}
	if e.Code == 0 {
		e.Code = photon.ReturnPluginReportedError
	}
	if e.Text == "" {
		e.Text = "refused by the room's plugin"
	}
	for code, v := range d.Data {
		if w, err := wire(v); err == nil {
			e.Params = append(e.Params, photon.Param(photon.ParamCode(code), w))
		}
	}
	return e
}

// outcome turns a room's refusal into what plugins see.
func outcome(err error) error {
	if err == nil {
		return nil // before the variables, which cost an allocation each
	}
	var refused *room.Error
	var param *photon.ParamError
	switch {
	case room.IsGone(err):
		return plugin.ErrNoSuchActor
	case errors.As(err, &refused), errors.As(err, &param):
		return &plugin.RefusedError{ReturnCode: int16(room.Code(err)), Text: err.Error()}
	}
	return err
}
