// Package guest is the Go SDK for plugins in WebAssembly: a plugin written for
// package plugin, unchanged, becomes one file that any server runs, without a
// rebuild of the server (docs/wasm-plugins.md).
//
//	package main
//
//	func init() { guest.Serve(plugin.FactoryFunc(newChat)) }
//	func main() {}
//
// It is built with the Go toolchain alone:
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o chat.wasm ./chat
//
// What differs from a plugin that is compiled in: there are no files and no network
// but Host.HTTP; goroutines run only while the server is inside the plugin, so
// timers, not sleeps; Host is to be used by the plugin that it was given to, in
// its own callbacks, except Enqueue and Logger; Context ends when the room does.
package guest

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
	"github.com/boson-project/boson/pkg/plugin/wasm/abi"
)

// Serve says which factory makes the plugins. Call it once, from init.
func Serve(f plugin.Factory) { factory = f }

var (
	factory plugin.Factory
	// rooms are those that this instance serves, by their numbers.
	rooms = map[int64]*room{}
)

// room is what the guest has of one room.
type room struct {
	*host
	plugin plugin.Plugin
	cancel context.CancelFunc
	// open are the calls that are being asked, the innermost last; last is the one
	// before, deferred are those that were postponed.
	open     []*call
	last     *call
	deferred map[int64]*call
}

// call is a call of the server's in the guest. It is a plugin.Control.
type call struct {
	room *room
	id   int64
	call plugin.Deferrable
	// request is what the plugin may change, args what came. They are of use until
	// the decision.
	request abi.Request
	args    []byte
	// postponed says that the server defers the call by itself, with a timer or a
	// web call.
	postponed bool
	operation photon.OpCode // of the client that waits
}

// serve runs one hook. It is what boson_hook calls.
func serve(hook abi.Hook, handle, id int64, args []byte) (action abi.Action) {
	r := rooms[handle]
	depth := 0
	if r != nil {
		depth = len(r.open)
	}
	defer func() {
		if p := recover(); p != nil {
			if r != nil && len(r.open) > depth {
				r.last = r.open[depth]
				r.open = r.open[:depth]
			}
			action = trouble(handle, fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
	}()
	if hook == abi.Setup {
		if err := setup(handle, args); err != nil {
			return trouble(handle, err)
		}
		return abi.None
	}
	if r == nil {
		return trouble(handle, fmt.Errorf("no room %d", handle))
	}
	if hook == abi.Dispose {
		r.cancel()
		delete(rooms, handle)
		return abi.None
	}
	if hook < abi.OnTimer {
		if err := r.ask(hook, id, args); err != nil {
			return trouble(handle, err)
		}
		return abi.None
	}
	var q photon.Request
	if err := abi.Parse(args, &q); err != nil {
		return trouble(handle, err)
	}
	r.tell(hook, id, &abi.Reader{Request: &q})
	return abi.None
}

// trouble tells the host why a hook failed.
func trouble(handle int64, err error) abi.Action {
	t := &abi.Table{}
	text := strings.ToValidUTF8(err.Error(), "?")
	t.String(abi.KeyMessage, text[:min(len(text), maxText)])
	_, _ = hostCall(abi.OpTrouble, handle, 0, t)
	return abi.Trouble
}

// maxText is the longest text that is worth sending: the host takes no more.
const maxText = 4096

// setup makes a room's plugin.
func setup(handle int64, args []byte) error {
	if factory == nil {
		return fmt.Errorf("the plugin never called guest.Serve")
	}
	var fields photon.Request
	if err := abi.Parse(args, &fields); err != nil {
		return err
	}
	q := &abi.Reader{Request: &fields}
	ctx, cancel := context.WithCancel(context.Background())
	h := &host{
		handle: handle,
		ctx:    ctx,
		gameID: q.Text(photon.ParamRoomName),
		env: plugin.Environment{
			AppID: q.Text(photon.ParamApplicationID), AppVersion: q.Text(photon.ParamAppVersion),
			Region: q.Text(photon.ParamRegion), Cloud: q.Text(abi.KeyCloud), Extra: q.TextMap(abi.KeyEnvironment),
		},
	}
	h.logger = newLogger(handle)
	r := &room{host: h, cancel: cancel}
	h.room = r
	name, config := q.Text(abi.KeyName), plugin.Config(q.TextMap(abi.KeyConfig))
	if q.Err != nil {
		return q.Err
	}
	rooms[handle] = r
	p, err := factory.Create(h, name, config)
	if err == nil && p == nil {
		err = fmt.Errorf("the factory made no plugin for %q", name)
	}
	if err == nil {
		r.plugin = p
		err = describe(h, p)
	}
	if err != nil {
		delete(rooms, handle)
	}
	return err
}

// describe tells the host what the plugin is.
func describe(h *host, p plugin.Plugin) error {
	var flags int32
	set := func(flag int32, on bool) {
		if on {
			flags |= flag
		}
	}
	if x, ok := p.(plugin.Persistent); ok {
		set(abi.FlagPersistent, x.IsPersistent())
	}
	if x, ok := p.(plugin.StrictModer); ok {
		set(abi.FlagStrict, x.StrictMode())
		set(abi.FlagLax, !x.StrictMode())
	}
	_, ok := p.(plugin.ErrorReporter)
	set(abi.FlagErrors, ok)
	_, ok = p.(plugin.MasterClientObserver)
	set(abi.FlagMaster, ok)
	if x, ok := p.(plugin.UnknownTypeHandler); ok {
		h.unknown = x.OnUnknownType
	}
	t := &abi.Table{}
	t.String(abi.KeyName, p.Name())
	t.String(abi.KeyVersion, p.Version())
	t.Int(abi.KeyFlags, flags)
	if x, ok := p.(plugin.Filtered); ok {
		f := x.Filter()
		t.Int(abi.KeyHooks, int32(f.Hooks))
		if f.Events != nil {
			ranges := []byte{}
			for _, e := range f.Events {
				ranges = append(ranges, e.From, e.To)
			}
			t.Value(abi.KeyEvents, ranges)
		}
	}
	return h.do(abi.OpDescribe, nil, t)
}

// ask lets the plugin decide a call.
func (r *room) ask(hook abi.Hook, id int64, args []byte) error {
	if hook == abi.OnRaiseEvent {
		return r.askEvent(id, args)
	}
	var fields photon.Request
	c := &call{room: r, id: id, args: args}
	if err := abi.Parse(args, &fields); err != nil {
		return err
	}
	q := &abi.Reader{Request: &fields}
	caller := plugin.Caller{UserID: q.Text(photon.ParamUserID), Nickname: q.Text(photon.ParamNickName)}
	if fields.Has(abi.KeyOperation) {
		c.operation = photon.OpCode(q.Small(abi.KeyOperation))
		caller.Source = c
	}
	run := c.prepare(hook, plugin.MakeCall(c, caller), q)
	if q.Err != nil {
		return q.Err
	}
	r.open = append(r.open, c)
	run()
	r.asked(c)
	return nil
}

// asked closes the innermost call.
func (r *room) asked(c *call) {
	r.open = r.open[:len(r.open)-1]
	r.last = c
	if plugin.CallOf(c.call).IsDeferred() {
		if r.deferred == nil {
			r.deferred = map[int64]*call{}
		}
		r.deferred[c.id] = c
		handOver(c.args) // the request still reads from it
	}
}
