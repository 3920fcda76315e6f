// Package wasm runs plugins that are WebAssembly files: any program with the
// exports of boson_v1 (package abi, docs/wasm-plugins.md) is a plugin.Factory. A
// guest has no files, no network and no more memory and time than its limits
// allow; what it says is checked before it is used. Package guest is the other
// side for plugins in Go.
//
// It is server code that only uses package plugin; rooms do not know of it.
package wasm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/boson-project/boson/pkg/plugin"
	"github.com/boson-project/boson/pkg/plugin/wasm/abi"
)

// Options of a module. The zero value means the defaults.
type Options struct {
	// Name is what the plugin calls itself; another name is an error. Empty: any.
	Name string
	// Filter limits what the plugin is asked; the zero value is everything.
	Filter plugin.Filter
	// Shared lets rooms share a few instances, each of which serves one room at a
	// time: little memory per room, but a plugin that hangs or fails costs its
	// neighbours their state, and synchronous HTTP is refused. Without it each room
	// has an instance of its own.
	Shared bool
	// Instances is how many are shared; 0 is GOMAXPROCS.
	Instances int
	// MemoryMiB is the most memory of an instance. 0 is 16.
	MemoryMiB int
	// CallTimeout is the longest time that a call of the guest may take, without
	// synchronous HTTP. 0 is 100 ms; negative is no limit, for measurements.
	CallTimeout time.Duration
	// CacheDir keeps compiled modules for the next start; empty: nowhere.
	CacheDir string
	// Log is for what belongs to no room. nil: nowhere.
	Log *slog.Logger
}

const (
	defaultMemoryMiB   = 16
	defaultCallTimeout = 100 * time.Millisecond
	pagesPerMiB        = 16
	// maxMemoryMiB is what 32 bits can address.
	maxMemoryMiB = 4096
)

func (o *Options) setDefaults() {
	if o.MemoryMiB == 0 {
		o.MemoryMiB = defaultMemoryMiB
	}
	if o.CallTimeout == 0 {
		o.CallTimeout = defaultCallTimeout
	}
	if o.Instances == 0 {
		o.Instances = runtime.GOMAXPROCS(0)
	}
	if o.Filter.Hooks == 0 {
		o.Filter.Hooks = plugin.AllHooks
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// Module is one compiled WebAssembly file. It is a plugin.Factory whose methods may be
// called from any goroutine.
type Module struct {
	opt      Options
	runtime  wazero.Runtime
	cache    wazero.CompilationCache // nil without a directory
	compiled wazero.CompiledModule

	mu sync.Mutex
	// slots are the shared instances; those that are nil or dead are made when they are needed.
	slots []*instance
	// spare is an instance for the next room, so that it need not wait for one.
	spare    *instance
	filling  bool
	rooms    int
	lastRoom int64
	released bool
	closed   chan struct{} // closed when everything is given back
}

// ErrReleased says that a module takes no more rooms.
var ErrReleased = errors.New("wasm: the module is released")

// Load compiles a file and tries whether it can be started. That takes seconds
// for a plugin in Go. An error says what is wrong with the file.
func Load(file []byte, opt Options) (*Module, error) {
	opt.setDefaults()
	if opt.MemoryMiB < 0 || opt.MemoryMiB > maxMemoryMiB {
		return nil, fmt.Errorf("wasm: %d MiB of memory", opt.MemoryMiB)
	}
	m := &Module{opt: opt, closed: make(chan struct{})}
	if err := m.compile(file); err != nil {
		m.giveBack()
		return nil, err
	}
	first, err := m.instantiate()
	if err != nil {
		m.giveBack()
		return nil, err
	}
	if opt.Shared {
		m.slots = make([]*instance, max(opt.Instances, 1))
		m.slots[0] = first
	} else {
		m.spare = first
	}
	return m, nil
}

func (m *Module) compile(file []byte) error {
	ctx := context.Background()
	if m.opt.CallTimeout > 0 {
		var err error
		if file, err = meter(file); err != nil {
			return err
		}
	}
	config := wazero.NewRuntimeConfig().WithMemoryLimitPages(uint32(m.opt.MemoryMiB) * pagesPerMiB).WithDebugInfoEnabled(false)
	if m.opt.CacheDir != "" {
		cache, err := wazero.NewCompilationCacheWithDir(m.opt.CacheDir)
		if err != nil {
			return fmt.Errorf("wasm: cache of compiled modules: %w", err)
		}
		m.cache = cache
		config = config.WithCompilationCache(cache)
	}
	m.runtime = wazero.NewRuntimeWithConfig(ctx, config)
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, m.runtime); err != nil {
		return err
	}
	if err := exportHost(ctx, m.runtime); err != nil {
		return err
	}
	compiled, err := m.runtime.CompileModule(ctx, file)
	if err != nil {
		return fmt.Errorf("wasm: %w", err)
	}
	m.compiled = compiled
	return checkExports(compiled)
}

var signatures = map[string]struct{ params, results []api.ValueType }{
	abi.ExportABI:   {nil, []api.ValueType{api.ValueTypeI32}},
	abi.ExportAlloc: {[]api.ValueType{api.ValueTypeI32}, []api.ValueType{api.ValueTypeI32}},
	abi.ExportHook: {
		[]api.ValueType{api.ValueTypeI32, api.ValueTypeI64, api.ValueTypeI64, api.ValueTypeI32, api.ValueTypeI32},
		[]api.ValueType{api.ValueTypeI32},
	},
}

func checkExports(c wazero.CompiledModule) error {
	exports := c.ExportedFunctions()
	for name, want := range signatures {
		f, ok := exports[name]
		if !ok {
			return fmt.Errorf("wasm: there is no export %s: this is no plugin", name)
		}
		if string(f.ParamTypes()) != string(want.params) || string(f.ResultTypes()) != string(want.results) {
			return fmt.Errorf("wasm: the export %s has other parameters or results than boson_v1 says", name)
		}
	}
	if len(c.ExportedMemories()) == 0 {
		return errors.New("wasm: there is no exported memory")
	}
	return nil
}

// Create implements plugin.Factory.
func (m *Module) Create(host plugin.Host, name string, config plugin.Config) (plugin.Plugin, error) {
	m.mu.Lock()
	if m.released {
		m.mu.Unlock()
		return nil, ErrReleased
	}
	m.rooms++
	m.lastRoom++
	r := &room{module: m, host: host, config: config, asked: name, handle: m.lastRoom}
	m.mu.Unlock()

	if err := r.attach(); err != nil {
		r.detach()
		m.roomClosed()
		return nil, err
	}
	if r.flags&(abi.FlagStrict|abi.FlagLax) != 0 {
		return strictRoom{r}, nil
	}
	return r, nil
}

// Release lets the module go when its last room has closed. New rooms are refused from now on.
func (m *Module) Release() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.released {
		m.released = true
		m.closeIfDone()
	}
}

// Closed is closed when a released module has given everything back.
func (m *Module) Closed() <-chan struct{} { return m.closed }

// Rooms is the number of rooms that run the module.
func (m *Module) Rooms() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rooms
}

func (m *Module) roomClosed() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rooms--
	m.closeIfDone()
}

// closeIfDone gives everything back if nobody needs it. The lock is held.
func (m *Module) closeIfDone() {
	if !m.released || m.rooms > 0 || m.filling {
		return
	}
	select {
	case <-m.closed:
	default:
		m.giveBack()
		close(m.closed)
	}
}

func (m *Module) giveBack() {
	ctx := context.Background()
	if m.runtime != nil {
		_ = m.runtime.Close(ctx)
	}
	if m.cache != nil {
		_ = m.cache.Close(ctx)
	}
}

// take returns the instance for a room.
func (m *Module) take() (*instance, error) {
	if m.opt.Shared {
		return m.takeShared()
	}
	m.mu.Lock()
	i := m.spare
	m.spare = nil
	if !m.filling {
		m.filling = true
		go m.fill() // ends by itself; Release waits for it
	}
	m.mu.Unlock()
	if i != nil {
		return i, nil
	}
	return m.instantiate()
}

// fill makes the next spare instance.
func (m *Module) fill() {
	i, err := m.instantiate()
	if err != nil {
		m.opt.Log.Error("wasm: the next instance can't be started", "plugin", m.opt.Name, "error", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.spare, m.filling = i, false
	m.closeIfDone()
}

// takeShared returns the live instance with the fewest rooms.
func (m *Module) takeShared() (*instance, error) {
	m.mu.Lock()
	best := -1
	for n, i := range m.slots {
		if i == nil || i.isDead() {
			best = n
			break
		}
		if best < 0 || i.count.Load() < m.slots[best].count.Load() {
			best = n
		}
	}
	if i := m.slots[best]; i != nil && !i.isDead() {
		i.count.Add(1)
		m.mu.Unlock()
		return i, nil
	}
	m.mu.Unlock()
	// Two rooms may come here at once and make one too many; the second then takes
	// the first one's.
	i, err := m.instantiate()
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if other := m.slots[best]; other != nil && !other.isDead() {
		i.close()
		i = other
	} else {
		m.slots[best] = i
	}
	i.count.Add(1)
	return i, nil
}

// lost forgets an instance that died.
func (m *Module) lost(i *instance) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for n := range m.slots {
		if m.slots[n] == i {
			m.slots[n] = nil
		}
	}
}
