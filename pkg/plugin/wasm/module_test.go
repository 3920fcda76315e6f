package wasm

import (
	"strings"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/plugin"
	"github.com/boson-project/boson/pkg/plugin/wasm/testdata/probe"
)

func open(t testing.TB, m *Module, config plugin.Config) (plugin.Plugin, *fakeHost) {
	t.Helper()
	h := newFakeHost()
	p, err := m.Create(h, "", config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.(plugin.Closer).Close() })
	return p, h
}

func TestAGuestInGoIsAPlugin(t *testing.T) {
	m := load(t, "probeguest", nil)
	p, h := open(t, m, nil)
	if p.Name() != "Probe" || p.Version() != "1.2" {
		t.Errorf("it is %s %s", p.Name(), p.Version())
	}
	c, control := raise(50, "hello")
	p.OnRaiseEvent(c)
	if len(control.decided) != 1 || !c.IsSucceeded() {
		t.Errorf("decided %v", control.decided)
	}
	before, _, _ := c.Request.Content()
	if string(before.Bytes) != "\x07\x05hello" {
		t.Errorf("content is now %x", before.Bytes)
	}

	c, _ = raise(probe.EvChange, "hello")
	p.OnRaiseEvent(c)
	if v, err := c.Request.Data(); v != "changed" || err != nil || c.Request.EvCode != 99 || c.Request.ReceiverGroup != 1 {
		t.Errorf("the event is %d %v %v %v", c.Request.EvCode, v, err, c.Request.ReceiverGroup)
	}
	c, _ = raise(probe.EvTable, plugin.NewTable(plugin.Pair{Key: "a", Value: int32(1)}))
	p.OnRaiseEvent(c)
	v, _ := c.Request.Data()
	if seen, _ := v.(*plugin.Table).Get("seen"); seen != true {
		t.Errorf("the table is %v", v)
	}
	c, control = raise(probe.EvTwice, nil)
	p.OnRaiseEvent(c)
	if got := h.said(t); len(got) != 1 || got[0] != "<nil> true true Succeeded" || control.misused != 2 || len(control.decided) != 1 {
		t.Errorf("said %v, misused %d, decided %v", got, control.misused, control.decided)
	}
	if len(h.logs.all()) != 0 {
		t.Errorf("log: %v", h.logs.all())
	}
}

// PL-135: an endless loop is stopped, and others are not harmed.
func TestAnEndlessLoopEnds(t *testing.T) {
	m := load(t, "probeguest", func(o *Options) { o.CallTimeout = 50 * time.Millisecond })
	p, h := open(t, m, nil)
	other, _ := open(t, m, nil)
	c, control := raise(probe.EvLoop, nil)
	p.OnRaiseEvent(c)
	if !c.IsFailed() || !strings.Contains(control.decided[0].Message, "took too long") {
		t.Fatalf("decided %+v", control.decided)
	}
	h.run()
	if len(h.infos) != 1 {
		t.Errorf("the room was told %v", h.infos)
	}
	c, control = raise(50, nil)
	p.OnRaiseEvent(c)
	if !c.IsFailed() {
		t.Errorf("after that %+v", control.decided)
	}
	c, _ = raise(50, nil)
	other.OnRaiseEvent(c)
	if !c.IsSucceeded() {
		t.Error("another room was harmed")
	}
}

// PL-136
func TestMemoryHasALimit(t *testing.T) {
	m := load(t, "probeguest", nil)
	p, _ := open(t, m, nil)
	other, _ := open(t, m, nil)
	c, control := raise(probe.EvGrow, nil)
	p.OnRaiseEvent(c)
	if !c.IsFailed() || !strings.Contains(control.decided[0].Message, "out of memory") {
		t.Fatalf("decided %+v", control.decided)
	}
	c, _ = raise(50, nil)
	other.OnRaiseEvent(c)
	if !c.IsSucceeded() {
		t.Error("another room was harmed")
	}
}

// The ABI is no matter of Go: the example in C runs.
func TestAGuestInC(t *testing.T) {
	m := load(t, cGuest, func(o *Options) { o.Name = "ChatFilter" })
	p, _ := open(t, m, nil)
	if p.Name() != "ChatFilter" || p.Version() != "1.0.0" {
		t.Errorf("it is %s %s", p.Name(), p.Version())
	}
	for _, tt := range []struct {
		code   byte
		text   any
		actors []int32
		fails  bool
	}{
		{10, strings.Repeat("x", 100), nil, false}, {10, strings.Repeat("x", 101), nil, true}, {10, strings.Repeat("x", 300), []int32{1, -70000}, true},
		{11, strings.Repeat("x", 300), nil, false}, {10, int32(5), nil, false}, {10, nil, nil, false},
	} {
		c, control := raise(tt.code, tt.text)
		c.Request.Actors = tt.actors
		p.OnRaiseEvent(c)
		if c.IsFailed() != tt.fails || !c.IsProcessed() {
			t.Errorf("%d %v: %v", tt.code, tt.text, c.Status())
		}
		if tt.fails && control.decided[0].Message != "text too long" {
			t.Errorf("decided %+v", control.decided)
		}
	}
}
