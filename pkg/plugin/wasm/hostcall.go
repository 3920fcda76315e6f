package wasm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
	"github.com/boson-project/boson/pkg/plugin/wasm/abi"
)

// maxText is the most of a guest's text that is kept: messages of errors and log
// lines, in bytes.
const maxText = 4096

// exportHost gives a runtime the module boson_v1.
func exportHost(ctx context.Context, r wazero.Runtime) error {
	const i32, i64 = api.ValueTypeI32, api.ValueTypeI64
	b := r.NewHostModuleBuilder(abi.Module)
	export := func(name string, f func(i *instance, stack []uint64), params, results []api.ValueType) {
		b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(ctx context.Context, _ api.Module, stack []uint64) {
			i := ctx.Value(instanceKey{}).(*instance)
			f(i, stack)
			if t := i.death.Load(); t != nil {
				panic(t) // it died in a call inside this one: no way back into it
			}
		}), params, results).Export(name)
	}
	export("host_call", hostCall, []api.ValueType{i32, i64, i64, i32, i32, i32, i32}, []api.ValueType{i64})
	export("result", hostResult, []api.ValueType{i32, i32}, []api.ValueType{i32})
	export("log", hostLog, []api.ValueType{i64, i32, i32, i32, i32, i32}, nil)
	export("now_ms", func(_ *instance, stack []uint64) {
		stack[0] = uint64(time.Now().UnixMilli())
	}, nil, []api.ValueType{i64})
	export(tickImport, func(i *instance, stack []uint64) {
		i.tick()
		stack[0] = api.EncodeI32(workPerTick)
	}, nil, []api.ValueType{i32})
	_, err := b.Instantiate(ctx)
	return err
}

// hostCall is host_call of the ABI.
func hostCall(i *instance, stack []uint64) {
	op, handle, call := abi.Op(api.DecodeI32(stack[0])), int64(stack[1]), int64(stack[2])
	ptr, size, out, room := api.DecodeU32(stack[3]), api.DecodeU32(stack[4]), api.DecodeU32(stack[5]), api.DecodeU32(stack[6])
	i.tickRarely()
	result, err := i.serve(op, handle, call, ptr, size)
	if err != nil {
		code := abi.CodeOf(err)
		i.result = append(i.result[:0], cut(err.Error(), maxText)...)
		if refused := (*plugin.RefusedError)(nil); errors.As(err, &refused) {
			t := abi.Table{}
			t.Int(abi.KeyReturnCode, int32(refused.ReturnCode))
			t.String(abi.KeyMessage, cut(refused.Text, maxText))
			b, _ := t.Bytes()
			i.result = append(i.result[:0], b...)
		}
		stack[0] = errorResult(code)
		return
	}
	i.result = append(i.result[:0], result...)
	stack[0] = uint64(len(result))
	if n := min(uint32(len(result)), room); n > 0 && !i.guest.Memory().Write(out, result[:n]) {
		stack[0] = errorResult(abi.BadArgument)
	}
}

func errorResult(c abi.ErrorCode) uint64 { return uint64(-c) }

// hostResult copies the result of the last host call, or the text of its error,
// and returns its length.
func hostResult(i *instance, stack []uint64) {
	out, room := api.DecodeU32(stack[0]), api.DecodeU32(stack[1])
	n := min(uint32(len(i.result)), room)
	if n > 0 && !i.guest.Memory().Write(out, i.result[:n]) {
		n = 0
	}
	stack[0] = uint64(len(i.result))
}

// hostLog is log(room i64, level i32, text, attributes): levels are those of
// log/slog, attributes a dictionary with string keys or nothing. Room 0 is the
// guest itself.
func hostLog(i *instance, stack []uint64) {
	handle, level := int64(stack[0]), slogLevel(api.DecodeI32(stack[1]))
	i.tickRarely()
	text, ok := i.read(api.DecodeU32(stack[2]), min(api.DecodeU32(stack[3]), maxText))
	if !ok {
		return
	}
	log := i.module.opt.Log
	if r := i.rooms[handle]; r != nil {
		log = r.host.Logger()
	}
	if !log.Enabled(i.ctx, level) {
		return
	}
	log.Log(i.ctx, level, strings.ToValidUTF8(string(text), "?"), i.attributes(api.DecodeU32(stack[4]), api.DecodeU32(stack[5]))...)
}

// read returns a view of the guest's memory, good until the guest runs again.
func (i *instance) read(ptr, size uint32) ([]byte, bool) {
	if size == 0 {
		return nil, true
	}
	return i.guest.Memory().Read(ptr, size)
}

func badArgument(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{abi.ErrArgument}, args...)...)
}

// serve does what the guest asks for.
func (i *instance) serve(op abi.Op, handle, call int64, ptr, size uint32) ([]byte, error) {
	b, ok := i.read(ptr, size)
	if !ok {
		return nil, badArgument("%d bytes at %d are not in memory", size, ptr)
	}
	r := i.rooms[handle]
	if r == nil || r != i.current && op != abi.OpEnqueue {
		return nil, plugin.ErrGoroutine
	}
	if op == abi.OpSetState {
		return nil, r.host.SetState(append(plugin.GameState(nil), b...))
	}
	// The arguments alias the guest's memory: each operation reads all it needs
	// before it does anything that may run the guest.
	if err := abi.Parse(b, &r.query); err != nil {
		return nil, err
	}
	q := &abi.Reader{Request: &r.query}
	// Not kept with the room: the guest may be called, and call, meanwhile.
	t := &abi.Table{}
	var err error
	switch op {
	case abi.OpContinue, abi.OpFail, abi.OpCancel, abi.OpDefer, abi.OpMisused, abi.OpAuthCookie, abi.OpOperation:
		o, ok := r.find(call)
		if !ok {
			return nil, badArgument("no call %d is open", call)
		}
		err = r.serveCall(op, o, q, t)
	case abi.OpTimer, abi.OpStopTimer, abi.OpHTTP, abi.OpEnqueue:
		err = r.serveLater(op, call, q)
	case abi.OpDescribe:
		err = r.describe(q)
	case abi.OpTrouble:
		if i.trouble = cut(q.Text(abi.KeyMessage), maxText); i.trouble == "" {
			i.trouble = "the plugin failed"
		}
	case abi.OpState:
		return r.host.State()
	default:
		err = r.serveRoom(op, q, t)
	}
	if err != nil || t.Empty() {
		return nil, err
	}
	return t.Bytes()
}

// serveCall does what concerns a call.
func (r *room) serveCall(op abi.Op, o openCall, q *abi.Reader, t *abi.Table) error {
	call := plugin.CallOf(o.call)
	defer func() {
		if call.IsProcessed() {
			delete(r.deferred, o.id)
		}
	}()
	switch op {
	case abi.OpContinue:
		if !call.IsProcessed() && len(q.Fields) > 0 && o.request != nil {
			if err := abi.Apply(o.request, q.Request); err != nil {
				return err
			}
			if e, ok := o.request.(abi.RaiseEvent); ok {
				if c, ok := abi.Content(q.Request); ok {
					e.SetContent(c.Clone(), true, nil)
				}
			}
		}
		return call.Continue()
	case abi.OpFail:
		text, data := cut(q.Text(abi.KeyMessage), maxText), q.Params(photon.ParamData, true)
		rc, ok, err := q.Int32(abi.KeyReturnCode)
		if err != nil || q.Err != nil || rc != int32(int16(rc)) {
			return errors.Join(abi.ErrArgument, err, q.Err)
		}
		if !ok {
			rc = int32(photon.ReturnPluginReportedError)
		}
		return call.FailWith(photon.ReturnCode(rc), text, data)
	case abi.OpCancel:
		return cancel(o.call)
	case abi.OpDefer:
		return postpone(o.call)
	case abi.OpMisused:
		if call.IsProcessed() {
			return call.Continue() // the host's call notices, and reports it
		}
		return nil
	case abi.OpAuthCookie:
		t.Map(abi.KeyAuthCookie, call.AuthCookie())
		return nil
	}
	operation := call.Operation()
	if operation == nil {
		return nil
	}
	request := operation.Request()
	for _, f := range request.Fields {
		c := photon.Content{Protocol: request.Protocol, Bytes: f.Bytes}
		if b, err := c.AppendTo(nil, photon.GpBinaryV18); err == nil {
			t.Raw(photon.ParamCode(f.Key), b)
		}
	}
	return nil
}

// describe notes what the guest says about itself.
func (r *room) describe(q *abi.Reader) error {
	name, version, flags := q.Text(abi.KeyName), q.Text(abi.KeyVersion), q.Number(abi.KeyFlags)
	filter := plugin.Filter{Hooks: plugin.Hook(q.Number(abi.KeyHooks))}
	if events := q.Blob(abi.KeyEvents); events != nil {
		filter.Events = []plugin.EventRange{}
		for ; len(events) >= 2; events = events[2:] {
			filter.Events = append(filter.Events, plugin.EventRange{From: events[0], To: events[1]})
		}
	}
	switch {
	case q.Err != nil:
		return q.Err
	case r.described:
		return plugin.ErrNotAllowed
	case name == "" || len(name) > maxName || len(version) > maxName:
		return badArgument("the plugin's name or version is empty or longer than %d bytes", maxName)
	}
	r.name, r.version, r.flags, r.filter, r.described = name, version, flags, filter, true
	return nil
}

// maxName is the longest name or version of a plugin, in bytes.
const maxName = 256

// cut shortens a text that came from a guest, and makes it legal.
func cut(s string, most int) string {
	return strings.ToValidUTF8(s[:min(len(s), most)], "?")
}
