package wasm

import (
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
	"github.com/boson-project/boson/pkg/plugin/wasm/abi"
)

// room is the plugin of one room, in the server. Like every plugin it belongs to
// the room's fiber.
type room struct {
	module *Module
	host   plugin.Host
	config plugin.Config
	asked  string // the name that the client asked for
	handle int64  // by which the guest knows the room

	inst  *instance
	gen   int   // counts instances: what an earlier one wanted is void
	depth int   // calls of the guest that are under way
	dead  error // why there is no instance any more

	// What the guest said about itself.
	name, version string
	flags         int32
	filter        plugin.Filter
	described     bool

	lastCall int64
	open     []openCall // calls under way, the innermost last
	last     openCall   // the one before
	deferred map[int64]openCall
	timers   map[int64]*plugin.Timer

	args  abi.Table      // of the next hook
	query photon.Request // the arguments of the current host call
}

// openCall is a call that the guest can decide.
type openCall struct {
	id      int64
	call    plugin.Deferrable
	request abi.Request
}

// strictRoom is a room whose plugin decides about strict mode.
type strictRoom struct{ *room }

// StrictMode implements plugin.StrictModer.
func (r strictRoom) StrictMode() bool { return r.flags&abi.FlagStrict != 0 }

// attach gives the room an instance and sets the plugin up.
func (r *room) attach() error {
	i, err := r.module.take()
	if err != nil {
		return err
	}
	r.inst, r.described = i, false
	r.deferred, r.timers = map[int64]openCall{}, map[int64]*plugin.Timer{}
	i.add(r)

	env := r.host.Environment()
	t := &r.args
	t.Reset()
	t.String(abi.KeyName, r.asked)
	t.TextMap(abi.KeyConfig, r.config)
	t.Text(photon.ParamRoomName, r.host.GameID())
	t.Text(photon.ParamApplicationID, env.AppID)
	t.Text(photon.ParamAppVersion, env.AppVersion)
	t.Text(photon.ParamRegion, env.Region)
	t.Text(abi.KeyCloud, env.Cloud)
	t.TextMap(abi.KeyEnvironment, env.Extra)
	args, err := t.Bytes()
	if err != nil {
		return err
	}
	action, err := i.call(r, abi.Setup, 0, args)
	switch {
	case err != nil:
		return err
	case action == abi.Trouble:
		return &PluginError{i.trouble}
	case !r.described:
		return &PluginError{"the plugin did not say its name"}
	case r.name == plugin.DefaultName:
		return plugin.ErrReservedName
	case r.module.opt.Name != "" && r.name != r.module.opt.Name:
		return &PluginError{"the plugin calls itself " + r.name + ", its manifest says " + r.module.opt.Name}
	}
	return nil
}

// detach lets the instance go.
func (r *room) detach() {
	if r.inst != nil {
		r.inst.drop(r)
		r.inst = nil
	}
	r.gen++ // only now: as long as the instance has the room, others read it there
	for _, t := range r.timers {
		t.Stop()
	}
	r.timers = nil
}

// renew replaces a dead instance, if it is still that of gen: where instances are
// shared by a fresh one, which knows nothing of the room's past; else the plugin is
// over, and the room is closed (plugins.md 15.2).
func (r *room) renew(gen int) {
	if gen != r.gen || r.inst == nil || !r.inst.isDead() || r.depth > 0 {
		return
	}
	why := r.inst.death.Load()
	deferred := r.deferred
	r.detach()
	if r.module.opt.Shared {
		r.dead = r.attach()
	} else {
		r.dead = why
	}
	if r.dead != nil {
		r.detach()
	}
	for _, o := range deferred {
		r.fail(plugin.CallOf(o.call), why)
	}
	r.host.Logger().Error("the plugin failed", "error", why.Text, "recovered", r.dead == nil)
	if r.dead == nil {
		code := plugin.UnhandledException
		if why.Timeout {
			code = plugin.Timeout
		}
		r.ReportError(code, why, nil)
	} else {
		text := "the room's plugin failed: " + r.dead.Error()
		_ = r.host.BroadcastErrorInfo(text)
		r.host.CloseRoom(text)
	}
}

// ready says whether the guest can be called; it replaces a dead instance.
func (r *room) ready() error {
	if r.inst != nil && r.inst.isDead() && r.depth == 0 {
		r.renew(r.gen)
	}
	if r.inst == nil {
		if r.dead == nil {
			return plugin.ErrRoomClosed
		}
		return r.dead
	}
	return nil
}

// fail refuses a call that nobody decided because the plugin is gone.
func (r *room) fail(c *plugin.Call, err error) {
	if !c.IsProcessed() {
		_ = c.Fail(err.Error(), nil)
	}
}

// begin starts the arguments of a callback.
func (r *room) begin(c *plugin.Call) *abi.Table {
	t := &r.args
	t.Reset()
	t.Text(photon.ParamUserID, c.UserID())
	t.Text(photon.ParamNickName, c.Nickname())
	if o := c.Operation(); o != nil {
		t.Int(abi.KeyOperation, int32(o.Code()))
	}
	return t
}

// ask lets the guest decide a call whose arguments were begun.
func (r *room) ask(hook abi.Hook, c plugin.Deferrable, q abi.Request) {
	call := plugin.CallOf(c)
	if q != nil {
		abi.Write(&r.args, q)
	}
	args, err := r.args.Bytes()
	if err != nil {
		r.fail(call, err)
		return
	}
	r.lastCall++
	o := openCall{r.lastCall, c, q}
	r.open = append(r.open, o)
	action, err := r.inst.call(r, hook, o.id, args)
	r.open = r.open[:len(r.open)-1]
	r.last = o
	if err != nil {
		r.fail(call, err)
		return
	}
	switch action {
	case abi.Continue:
		_ = call.Continue()
	case abi.Cancel:
		_ = cancel(c)
	case abi.Defer:
		_ = postpone(c)
	case abi.Trouble:
		panic(&PluginError{r.inst.trouble})
	}
	if call.IsDeferred() {
		r.keepDeferred(o)
		r.inst.handOver(r.depth)
	}
}

func cancel(c plugin.Deferrable) error {
	if o, ok := c.(interface{ Cancel() error }); ok {
		return o.Cancel()
	}
	return plugin.ErrNotAllowed
}

func postpone(c plugin.Deferrable) error {
	if o, ok := c.(interface{ Defer() error }); ok {
		return o.Defer()
	}
	return plugin.ErrNotAllowed
}

// find returns a call that the guest may decide.
func (r *room) find(id int64) (openCall, bool) {
	for n := len(r.open) - 1; n >= 0; n-- {
		if r.open[n].id == id {
			return r.open[n], true
		}
	}
	if o, ok := r.deferred[id]; ok {
		return o, true
	}
	return r.last, r.last.id == id && id != 0
}

// callback runs one of the guest's own functions: a timer, an answer, an enqueued
// function. t is nil for arguments that are only the id.
func (r *room) callback(gen int, hook abi.Hook, id int64, t *abi.Table) {
	if gen != r.gen || r.ready() != nil || gen != r.gen {
		return // it was an earlier instance's
	}
	if t == nil {
		t = &r.args
		t.Reset()
	}
	t.Value(abi.KeyID, id)
	r.tell(hook, 0, t)
}

// tell calls the guest where nothing is to be decided. It panics if the plugin
// fails, which the room's host reports.
func (r *room) tell(hook abi.Hook, call int64, t *abi.Table) {
	args, err := t.Bytes()
	if err != nil {
		panic(err)
	}
	action, err := r.inst.call(r, hook, call, args)
	if err == nil && action == abi.Trouble {
		panic(&PluginError{r.inst.trouble})
	}
}

// Name implements plugin.Plugin.
func (r *room) Name() string { return r.name }

// Version implements plugin.Plugin.
func (r *room) Version() string { return r.version }

// Filter implements plugin.Filtered: what both the manifest and the plugin want.
func (r *room) Filter() plugin.Filter {
	f := r.module.opt.Filter
	if r.filter.Hooks != 0 {
		f.Hooks &= r.filter.Hooks
	}
	f.Events = overlap(f.Events, r.filter.Events)
	return f
}

// overlap returns the codes that are in both lists, of which nil is all.
func overlap(a, b []plugin.EventRange) []plugin.EventRange {
	if a == nil {
		return b
	}
	if b == nil {
		return a
	}
	out := []plugin.EventRange{}
	for _, x := range a {
		for _, y := range b {
			if from, to := max(x.From, y.From), min(x.To, y.To); from <= to {
				out = append(out, plugin.EventRange{From: from, To: to})
			}
		}
	}
	return out
}

// IsPersistent implements plugin.Persistent.
func (r *room) IsPersistent() bool { return r.flags&abi.FlagPersistent != 0 }

// OnMasterClientChanged implements plugin.MasterClientObserver.
func (r *room) OnMasterClientChanged(oldID, newID int32) {
	if r.flags&abi.FlagMaster == 0 || r.ready() != nil {
		return
	}
	t := &r.args
	t.Reset()
	t.Number(abi.KeyOld, oldID)
	t.Number(abi.KeyNew, newID)
	r.tell(abi.OnMasterClientChange, 0, t)
}

// ReportError implements plugin.ErrorReporter.
func (r *room) ReportError(code plugin.ErrorCode, err error, state any) {
	if r.flags&abi.FlagErrors == 0 || r.ready() != nil {
		return
	}
	var id int64
	if c, ok := state.(plugin.Deferrable); ok {
		id = r.idOf(plugin.CallOf(c))
	}
	t := &r.args
	t.Reset()
	t.Int(abi.KeyErrorCode, int32(code))
	t.String(abi.KeyMessage, cut(err.Error(), maxText))
	r.tell(abi.OnReportError, id, t)
}

func (r *room) idOf(c *plugin.Call) int64 {
	for _, o := range append(r.open[:len(r.open):len(r.open)], r.last) {
		if o.call != nil && plugin.CallOf(o.call) == c {
			return o.id
		}
	}
	for id, o := range r.deferred {
		if plugin.CallOf(o.call) == c {
			return id
		}
	}
	return 0
}

// Close implements plugin.Closer.
func (r *room) Close() error {
	if r.inst != nil && !r.inst.isDead() {
		_, _ = r.inst.call(r, abi.Dispose, 0, nil)
	}
	r.detach()
	r.dead = plugin.ErrRoomClosed
	r.module.roomClosed()
	return nil
}
