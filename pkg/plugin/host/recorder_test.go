package host_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
	"github.com/boson-project/boson/pkg/plugin/plugintest"
)

// recorder writes down what it is asked and does what the test says. Its hooks
// run on the room's fiber; the lock is for the test, which reads from outside.
type recorder struct {
	plugin.Base
	name string

	// What a hook does in place of continuing; nil continues.
	create      func(*plugin.CreateGameCall)
	beforeJoin  func(*plugin.BeforeJoinCall)
	join        func(*plugin.JoinCall)
	leave       func(*plugin.LeaveCall)
	raise       func(*plugin.RaiseEventCall)
	beforeSet   func(*plugin.BeforeSetPropertiesCall)
	set         func(*plugin.SetPropertiesCall)
	beforeClose func(*plugin.BeforeCloseGameCall)
	close       func(*plugin.CloseGameCall)
	master      func(old, now int32)

	mu     sync.Mutex
	calls  []string
	errors []string
	ended  bool
}

func (r *recorder) Name() string {
	if r.name == "" {
		return "Recorder"
	}
	return r.name
}
func (r *recorder) Version() string { return "1.2" }

func (r *recorder) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, fmt.Sprintf(format, args...))
}

// noted returns what was written down since the last time.
func (r *recorder) noted() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.calls
	r.calls = nil
	return list
}

func (r *recorder) reported() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.errors
	r.errors = nil
	return list
}

func (r *recorder) ReportError(code plugin.ErrorCode, err error, _ any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errors = append(r.errors, fmt.Sprintf("%d", code))
}

func (r *recorder) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	return nil
}

func (r *recorder) OnMasterClientChanged(old, now int32) {
	r.note("master %d to %d", old, now)
	if r.master != nil {
		r.master(old, now)
	}
}

// do continues a call, or does what the test wants.
func do[C interface{ Continue() error }](f func(C), c C) {
	if f != nil {
		f(c)
		return
	}
	_ = c.Continue()
}

func (r *recorder) OnCreateGame(c *plugin.CreateGameCall) {
	r.note("create %s join=%v createIfNotExists=%v", c.UserID(), c.IsJoin, c.CreateIfNotExists)
	do(r.create, c)
}
func (r *recorder) BeforeJoin(c *plugin.BeforeJoinCall) {
	r.note("beforeJoin %s", c.UserID())
	do(r.beforeJoin, c)
}
func (r *recorder) OnJoin(c *plugin.JoinCall) {
	r.note("join %s %d", c.UserID(), c.ActorNr)
	do(r.join, c)
}
func (r *recorder) OnLeave(c *plugin.LeaveCall) {
	r.note("leave %d inactive=%v reason=%d", c.ActorNr, c.IsInactive, int(c.Reason))
	do(r.leave, c)
}
func (r *recorder) OnRaiseEvent(c *plugin.RaiseEventCall) {
	r.note("raise %d by %d", c.Request.EvCode, c.ActorNr)
	do(r.raise, c)
}
func (r *recorder) BeforeSetProperties(c *plugin.BeforeSetPropertiesCall) {
	r.note("beforeSet %d of %d", c.ActorNr, c.Request.ActorNumber)
	do(r.beforeSet, c)
}
func (r *recorder) OnSetProperties(c *plugin.SetPropertiesCall) {
	r.note("set %d of %d", c.ActorNr, c.Request.ActorNumber)
	do(r.set, c)
}
func (r *recorder) BeforeCloseGame(c *plugin.BeforeCloseGameCall) {
	r.note("beforeClose failed=%v", c.FailedOnCreate)
	do(r.beforeClose, c)
}
func (r *recorder) OnCloseGame(c *plugin.CloseGameCall) {
	r.note("close failed=%v actors=%d", c.FailedOnCreate, c.ActorCount)
	do(r.close, c)
}

// factory hands out one recorder per room, the first one first.
type factory struct {
	mu   sync.Mutex
	made []*recorder
	all  []*recorder
	// seen is what the factory was called with.
	seen []string
	conf plugin.Config
}

func (f *factory) Create(h plugin.Host, name string, c plugin.Config) (plugin.Plugin, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen, f.conf = append(f.seen, name), c
	var r *recorder
	if len(f.made) > 0 {
		r, f.made = f.made[0], f.made[1:]
	} else {
		r = &recorder{}
	}
	r.Host = h
	f.all = append(f.all, r)
	return r, nil
}

// bubble runs a test in virtual time, with a server whose first room gets the
// recorder.
func bubble(t *testing.T, opt plugintest.Options, test func(t *testing.T, s *plugintest.Server, r *recorder)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		virtual = true
		defer func() { virtual = false }()
		r := &recorder{}
		if opt.Factory == nil {
			opt.Factory = &factory{made: []*recorder{r}}
		}
		s := plugintest.New(t, opt)
		test(t, s, r)
		s.Stop()
	})
}

// virtual says that the test runs in a bubble.
var virtual bool

// settle lets the room come to rest, so that the test may look at and change
// what its plugin works with.
func settle() {
	if virtual {
		synctest.Wait()
	}
}

func param(code photon.ParamCode, v any) gpbinary.Param { return photon.Param(code, v) }

// options are a room's: times to live in ms.
func options(emptyTTL, playerTTL int32) []gpbinary.Param {
	return []gpbinary.Param{param(photon.ParamEmptyRoomTTL, emptyTTL), param(photon.ParamPlayerTTL, playerTTL)}
}

func table(pairs ...any) *plugin.Table {
	t := plugin.NewTable()
	for i := 0; i < len(pairs); i += 2 {
		t.Set(pairs[i], pairs[i+1])
	}
	return t
}

func wantOk(t *testing.T, r *plugintest.Response) {
	t.Helper()
	settle()
	if r.ReturnCode != 0 {
		t.Fatalf("response %d: %d %s", r.Code, r.ReturnCode, r.Debug)
	}
}

func wantCode(t *testing.T, r *plugintest.Response, code photon.ReturnCode) {
	t.Helper()
	settle()
	if r.ReturnCode != code || r.Debug == "" {
		t.Fatalf("response %d: %d %q, want %d", r.Code, r.ReturnCode, r.Debug, code)
	}
}

func wantList[T comparable](t *testing.T, what string, got []T, want ...T) {
	t.Helper()
	settle()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s:\n\t%v\nwant\n\t%v", what, got, want)
	}
}

func texts(events []*plugintest.Event) (list []string) {
	for _, e := range events {
		list = append(list, e.String())
	}
	return list
}

// only keeps the lines that start with a prefix.
func only(lines []string, prefix string) (list []string) {
	for _, l := range lines {
		if strings.HasPrefix(l, prefix) {
			list = append(list, l)
		}
	}
	return list
}

// joins returns the numbers of the actors whose Join events a client got.
func joins(c *plugintest.Client) (list []int32) {
	for _, line := range c.Got() {
		var nr int32
		if _, err := fmt.Sscanf(line, "event 255 from %d:", &nr); err == nil {
			list = append(list, nr)
		}
	}
	return list
}

func itoa(n int32) string     { return fmt.Sprint(n) }
func boolText(on bool) string { return fmt.Sprint(on) }

func textOf(v any) string { return fmt.Sprint(v) }
