package wasm

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
)

// Guests are built once with the machine's own Go, and compiled modules are kept
// for the other tests, which compile them again and again.
var (
	guestDir  string
	guestOnce sync.Map // package to func() (string, error)

	keptModules sync.Map // shared or not to func() (*Module, error)
)

// cGuest is the example in C. It needs Debian's clang and lld.
const cGuest = "../../../examples/plugin-c/chatfilter.c"

func TestMain(m *testing.M) {
	var err error
	if guestDir, err = os.MkdirTemp("", "boson-guests"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(guestDir)
	os.Exit(code)
}

// guestFile returns the WebAssembly file of a package under testdata, or of the
// example in C.
func guestFile(t testing.TB, pkg string) []byte {
	t.Helper()
	build, _ := guestOnce.LoadOrStore(pkg, sync.OnceValues(func() (string, error) {
		out := filepath.Join(guestDir, filepath.Base(pkg)+".wasm")
		if pkg == cGuest {
			if text, err := exec.Command("clang", "--target=wasm32", "-O2", "-Wall", "-Werror", "-nostdlib", "-Wl,--no-entry", "-o", out, pkg).CombinedOutput(); err != nil {
				return "", fmt.Errorf("%w\n%s", err, text)
			}
			return out, nil
		}
		cmd := exec.Command("go", "build", "-ldflags=-s -w", "-buildmode=c-shared", "-o", out, "./testdata/"+pkg)
		cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
		if text, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%w\n%s", err, text)
		}
		// With the race detector the compiler takes a minute, so that these tests, built
		// without it, fill the cache.
		cmd = exec.Command("go", "test", "-count=1", "-run", "^TestPrecompile$", ".")
		cmd.Env = append(os.Environ(), "BOSON_TEST_PRECOMPILE="+out, "BOSON_TEST_CACHE="+filepath.Join(guestDir, "cache"), "GOFLAGS=-buildvcs=false")
		if text, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%w\n%s", err, text)
		}
		return out, nil
	}))
	name, err := build.(func() (string, error))()
	if err != nil {
		for _, tool := range []string{"go", "clang", "wasm-ld"} {
			if _, missing := exec.LookPath(tool); missing != nil && (tool == "go") == (pkg != cGuest) {
				t.Skip("there is no ", tool)
			}
		}
		t.Fatal(err)
	}
	file, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// load loads a guest under testdata. The time limit is long, for machines that
// are busy with other tests.
func load(t testing.TB, pkg string, change func(*Options)) *Module {
	t.Helper()
	opt := Options{CacheDir: filepath.Join(guestDir, "cache"), CallTimeout: 30 * time.Second, MemoryMiB: 32}
	if change != nil {
		change(&opt)
	}
	return loadFile(t, guestFile(t, pkg), opt)
}

// TestPrecompile is no test: see guestFile.
func TestPrecompile(t *testing.T) {
	name := os.Getenv("BOSON_TEST_PRECOMPILE")
	if name == "" {
		t.Skip("only for other tests")
	}
	file, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	loadFile(t, file, Options{CacheDir: os.Getenv("BOSON_TEST_CACHE"), MemoryMiB: 32})
}

// kept is load with a module that stays for other tests.
func kept(t testing.TB, shared bool) *Module {
	t.Helper()
	file := guestFile(t, "probeguest")
	m, _ := keptModules.LoadOrStore(shared, sync.OnceValues(func() (*Module, error) {
		return Load(file, Options{CacheDir: filepath.Join(guestDir, "cache"), CallTimeout: 30 * time.Second, MemoryMiB: 32, Shared: shared, Instances: 2})
	}))
	module, err := m.(func() (*Module, error))()
	if err != nil {
		t.Fatal(err)
	}
	return module
}

func loadFile(t testing.TB, file []byte, opt Options) *Module {
	t.Helper()
	m, err := Load(file, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		m.Release()
		if m.Rooms() == 0 {
			<-m.Closed()
		}
	})
	return m
}

// fakeHost is a room's host that notes what it is asked for.
type fakeHost struct {
	plugin.Host // nil: what is not here is not called
	id          string
	events      []plugin.Event
	infos       []string
	closed      string // what CloseRoom was told
	posted      chan func()
	logs        *logs
}

func newFakeHost() *fakeHost {
	return &fakeHost{id: "r", posted: make(chan func(), 16), logs: &logs{}}
}

func (h *fakeHost) GameID() string { return h.id }
func (h *fakeHost) Environment() plugin.Environment {
	return plugin.Environment{AppID: "app", AppVersion: "1", Region: "eu", Cloud: "self", Extra: map[string]string{"x": "y"}}
}
func (h *fakeHost) BroadcastEvent(e plugin.Event) error { h.events = append(h.events, e); return nil }
func (h *fakeHost) BroadcastErrorInfo(s string) error   { h.infos = append(h.infos, s); return nil }
func (h *fakeHost) CloseRoom(text string) bool          { h.closed = text; return true }
func (h *fakeHost) Logger() *slog.Logger                { return slog.New(h.logs) }
func (h *fakeHost) Enqueue(f func()) bool               { h.posted <- f; return true }
func (h *fakeHost) State() (plugin.GameState, error)    { return make(plugin.GameState, 200), nil }
func (h *fakeHost) Properties() *plugin.Table {
	return plugin.NewTable(plugin.Pair{Key: "k", Value: int32(1)})
}

// run runs what was enqueued.
func (h *fakeHost) run() {
	for {
		select {
		case f := <-h.posted:
			f()
		default:
			return
		}
	}
}

// said returns the contents of the plugin's events.
func (h *fakeHost) said(t testing.TB) []any {
	t.Helper()
	var out []any
	for _, e := range h.events {
		v := e.Data
		if raw, ok := v.(gpbinary.Raw); ok {
			var err error
			if v, _, err = gpbinary.Decode(raw.Version, raw.Bytes); err != nil {
				t.Fatal(err)
			}
		}
		out = append(out, v)
	}
	h.events = nil
	return out
}

// fakeCall is the host's side of a call.
type fakeCall struct {
	decided []plugin.Decision
	misused int
	outcome func() error
}

func (c *fakeCall) Check() error { return nil }
func (c *fakeCall) Decide(d plugin.Decision) error {
	c.decided = append(c.decided, d)
	if c.outcome != nil && d.Status == plugin.Succeeded {
		return c.outcome()
	}
	return nil
}
func (c *fakeCall) Misused(error)              { c.misused++ }
func (c *fakeCall) Deferred()                  {}
func (c *fakeCall) AuthCookie() map[string]any { return map[string]any{"a": "b", "n": []any{1.5, nil}} }

// raise returns a call of an event.
func raise(code byte, content any) (*plugin.RaiseEventCall, *fakeCall) {
	control := &fakeCall{}
	c := &plugin.RaiseEventCall{ActorNr: 3, Request: &plugin.RaiseEventRequest{EvCode: code}}
	c.Call = plugin.MakeCall(control, plugin.Caller{UserID: "ann", Nickname: "Ann"})
	if content != nil {
		typed, err := photon.ContentOf(content)
		if err != nil {
			panic(err)
		}
		c.Request.SetContent(typed, true, nil)
	}
	return c, control
}

// logs is a slog.Handler that keeps lines.
type logs struct {
	mu    sync.Mutex
	lines []string
}

func (l *logs) Enabled(context.Context, slog.Level) bool { return true }
func (l *logs) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	line := r.Message
	r.Attrs(func(a slog.Attr) bool { line += " " + a.String(); return true })
	l.lines = append(l.lines, line)
	return nil
}
func (l *logs) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l *logs) WithGroup(string) slog.Handler      { return l }

func (l *logs) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.lines...)
}

// nullHost does nothing.
type nullHost struct{ plugin.Host }

func (nullHost) SetProperties(int32, *plugin.Table, plugin.SetOptions) (bool, error) {
	return true, nil
}
func (nullHost) CloseRoom(string) bool                                             { return true }
func (nullHost) RemoveActor(int32, plugin.RemoveReason, string) bool               { return true }
func (nullHost) ExecuteCacheOperation(plugin.CacheOperation) error                 { return nil }
func (nullHost) UpdateAuthCookie(int32, string, any) error                         { return nil }
func (nullHost) LobbyProperties() map[string]any                                   { return nil }
func (nullHost) Actors() []plugin.Actor                                            { return []plugin.Actor{{ActorNr: 1}} }
func (nullHost) Actor(int32) (plugin.Actor, bool)                                  { return plugin.Actor{}, false }
func (nullHost) MasterClientID() int32                                             { return 1 }
func (nullHost) Suspended() bool                                                   { return false }
func (nullHost) SetState(plugin.GameState) error                                   { return plugin.ErrBadState }
func (nullHost) HTTP(*plugin.HTTPRequest) error                                    { return nil }
func (nullHost) HTTPFor(plugin.Deferrable, *plugin.HTTPRequest) error              { return nil }
func (nullHost) AfterFunc(time.Duration, func()) *plugin.Timer                     { return nil }
func (nullHost) Every(time.Duration, time.Duration, func()) *plugin.Timer          { return nil }
func (nullHost) DeferAfter(plugin.Deferrable, time.Duration, func()) *plugin.Timer { return nil }
