package wasm

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/boson-project/boson/pkg/plugin/wasm/abi"
)

const (
	// startTimeout is how long a guest may take to start.
	startTimeout = 10 * time.Second
	// maxDepth is how deep calls of the guest may nest: a callback continues, and
	// that makes another callback.
	maxDepth = 32
	// minBuffer is the smallest buffer for arguments that a guest is asked for, in bytes.
	minBuffer = 1024
	// maxWords is what is kept of the guest's last words, in bytes.
	maxWords = 2048
	// ticksPerCheck: a host call in so many looks at the clock, for guests that do
	// little else.
	ticksPerCheck = 64
)

// TrapError says that the guest failed and its instance is gone: a trap, the end
// of its process, too much memory, too much time.
type TrapError struct {
	// Timeout says that the call took too long.
	Timeout bool
	// Text is for people. It may have several lines: what the guest wrote last.
	Text string
}

// Error returns the first line.
func (e *TrapError) Error() string {
	first, _, _ := strings.Cut(e.Text, "\n")
	return first
}

// PluginError is what a guest says about its own failure: a panic in a callback. Its
// instance goes on.
type PluginError struct{ Text string }

// Error returns the text.
func (e *PluginError) Error() string { return e.Text }

var (
	errTimeout = errors.New("the call took too long")
	errDepth   = errors.New("wasm: calls nest too deep")
)

// instance is one running guest. The fiber of one room at a time is inside, with
// mu held; all else is guarded by mu too, except where it says otherwise.
type instance struct {
	module *Module
	guest  api.Module
	ctx    context.Context // names the instance for host functions

	count atomic.Int32              // rooms that it serves; any goroutine
	death atomic.Pointer[TrapError] // why it is dead; any goroutine

	mu      sync.Mutex
	rooms   map[int64]*room
	current *room // whose fiber is inside
	frames  []*frame
	trouble string // what the guest said before it returned abi.Trouble
	result  []byte // of the last host call

	// The time limit. A call's time is not looked at before the guest has worked
	// for a while (meter.go), so short calls never read the clock.
	limit     time.Duration
	calls     uint64 // outermost calls so far
	timed     uint64 // the call that deadline is of
	deadline  time.Time
	hostCalls int
	timeout   bool // the limit was hit

	words words
}

// frame is what a call needs at one depth of nesting. A function object has a
// stack of its own and can't be used by two calls at once.
type frame struct {
	hook  api.Function
	stack [5]uint64
	// ptr and size are a buffer for arguments in the guest's memory.
	ptr, size uint32
}

type instanceKey struct{}

func (m *Module) instantiate() (*instance, error) {
	i := &instance{module: m, rooms: map[int64]*room{}, limit: startTimeout, calls: 1}
	i.words.of = i
	i.ctx = context.WithValue(context.Background(), instanceKey{}, i)
	config := wazero.NewModuleConfig().WithName("").WithStartFunctions("_initialize").
		WithRandSource(rand.Reader).WithSysWalltime().WithSysNanotime().WithNanosleep(i.sleep).
		WithStdout(&i.words).WithStderr(&i.words)
	guest, err := m.runtime.InstantiateModule(i.ctx, m.compiled, config)
	if err != nil {
		return nil, i.explain("the plugin can't be started", err)
	}
	i.guest = guest
	out, err := guest.ExportedFunction(abi.ExportABI).Call(i.ctx)
	if err == nil && int32(out[0]) != abi.Version {
		err = fmt.Errorf("it speaks version %d of boson, this server %d", int32(out[0]), abi.Version)
	}
	if err != nil {
		i.close()
		return nil, i.explain("the plugin can't be used", err)
	}
	i.limit = m.opt.CallTimeout
	return i, nil
}

func (i *instance) close() {
	if i.guest != nil {
		_ = i.guest.Close(i.ctx)
	}
}

func (i *instance) isDead() bool { return i.death.Load() != nil }

// explain makes an error of what wazero and the guest said.
func (i *instance) explain(what string, err error) *TrapError {
	if i.timeout {
		return &TrapError{Timeout: true, Text: fmt.Sprintf("wasm: %s: %v (limit %v)", what, errTimeout, i.limit)}
	}
	text, _, _ := strings.Cut(err.Error(), "\n")
	if words := strings.TrimSpace(i.words.String()); words != "" {
		first, _, _ := strings.Cut(words, "\n")
		text += ": " + first + "\n" + words
	}
	return &TrapError{Text: fmt.Sprintf("wasm: %s: %s", what, text)}
}

// kill makes the instance dead. Its rooms are told by a message to their fibers.
func (i *instance) kill(err error) *TrapError {
	if t := i.death.Load(); t != nil {
		return t
	}
	t := i.explain("the plugin failed", err)
	i.death.Store(t)
	_ = i.guest.CloseWithExitCode(i.ctx, 1)
	i.module.lost(i)
	for _, r := range i.rooms {
		gen := r.gen
		r.host.Enqueue(func() { r.renew(gen) })
	}
	return t
}

// call runs a hook of the guest on a room's fiber. The error is a *TrapError,
// then the instance is dead, or says why the guest was not called.
func (i *instance) call(r *room, hook abi.Hook, call int64, args []byte) (abi.Action, error) {
	if r.depth == 0 {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.current = r
		i.calls++
		defer func() { i.current = nil }()
	}
	if t := i.death.Load(); t != nil {
		return 0, t
	}
	if r.depth >= maxDepth {
		return 0, errDepth
	}
	if r.depth == len(i.frames) {
		i.frames = append(i.frames, &frame{hook: i.guest.ExportedFunction(abi.ExportHook)})
	}
	f := i.frames[r.depth]
	r.depth++
	defer func() { r.depth-- }()

	if err := i.put(f, args); err != nil {
		return 0, i.kill(err)
	}
	f.stack = [5]uint64{api.EncodeI32(int32(hook)), uint64(r.handle), uint64(call), uint64(f.ptr), uint64(len(args))}
	if err := f.hook.CallWithStack(i.ctx, f.stack[:]); err != nil {
		return 0, i.kill(err)
	}
	if t := i.death.Load(); t != nil {
		return 0, t
	}
	return abi.Action(api.DecodeI32(f.stack[0])), nil
}

// put writes arguments into the guest's memory.
func (i *instance) put(f *frame, args []byte) error {
	if len(args) == 0 {
		return nil
	}
	if n := uint32(len(args)); n > f.size {
		if free := i.guest.ExportedFunction(abi.ExportFree); free != nil && f.ptr != 0 {
			if _, err := free.Call(i.ctx, uint64(f.ptr)); err != nil {
				return err
			}
		}
		size := uint32(1) << bits.Len32(max(n, minBuffer)-1)
		f.ptr, f.size = 0, 0
		out, err := i.guest.ExportedFunction(abi.ExportAlloc).Call(i.ctx, uint64(size))
		if err != nil {
			return err
		}
		if f.ptr = uint32(out[0]); f.ptr == 0 {
			return fmt.Errorf("%s has no %d bytes for arguments", abi.ExportAlloc, size)
		}
		f.size = size
	}
	if !i.guest.Memory().Write(f.ptr, args) {
		return fmt.Errorf("%s returned a buffer that is not in memory", abi.ExportAlloc)
	}
	return nil
}

// handOver leaves the guest the buffer with a deferred call's arguments, which it
// may look at until the decision. The next call at that depth gets another.
func (i *instance) handOver(depth int) {
	i.frames[depth].ptr, i.frames[depth].size = 0, 0
}

// tick looks at the clock. It panics if the current call took too long, which
// ends the guest. Host functions call it, on the goroutine that runs the guest.
func (i *instance) tick() {
	now := time.Now()
	if i.timed != i.calls {
		i.timed, i.deadline = i.calls, now.Add(i.limit)
		return
	}
	if i.limit > 0 && now.After(i.deadline) {
		i.timeout = true
		panic(errTimeout)
	}
}

// tickRarely is tick at each so manieth call.
func (i *instance) tickRarely() {
	if i.hostCalls++; i.hostCalls%ticksPerCheck == 0 {
		i.tick()
	}
}

// paused gives the current call the time back that it did not spend itself.
func (i *instance) paused(d time.Duration) { i.deadline = i.deadline.Add(d) }

// sleep is the guest's. It sleeps in short naps, after each of which the guest
// asks how late it is.
func (i *instance) sleep(ns int64) {
	time.Sleep(min(time.Duration(ns), time.Millisecond))
	i.tick()
}

// add gives the instance a room.
func (i *instance) add(r *room) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.rooms[r.handle] = r
}

// drop takes a room away. An instance that is not shared ends with it.
func (i *instance) drop(r *room) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.rooms, r.handle)
	if i.module.opt.Shared {
		i.count.Add(-1)
	} else {
		i.close()
	}
}

// words keeps the begin of what a guest writes to its standard output and error
// during one call: programs say first why they end.
type words struct {
	of   *instance
	call uint64
	b    []byte
}

// Write implements io.Writer. The guest calls it, so that no lock is needed.
func (w *words) Write(p []byte) (int, error) {
	if w.call != w.of.calls {
		w.call, w.b = w.of.calls, w.b[:0]
	}
	w.b = append(w.b, p[:min(len(p), maxWords-len(w.b))]...)
	return len(p), nil
}

// String returns what is kept, as legal text.
func (w *words) String() string { return string(bytes.ToValidUTF8(w.b, []byte("?"))) }
