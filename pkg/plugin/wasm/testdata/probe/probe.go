// Package probe is a plugin for tests: it does what events tell it to. It runs
// compiled in and as WebAssembly.
package probe

import (
	"errors"
	"fmt"
	"time"

	"github.com/boson-project/boson/pkg/plugin"
)

// The codes of events that make the plugin do something. Others it continues.
const (
	EvFail      = 1  // Fail with "no" and {7: "why"}
	EvCancel    = 2  // Cancel
	EvTwice     = 3  // Continue twice, then Fail
	EvDefer     = 4  // continued after 20 ms by a timer
	EvPanic     = 5  // panics
	EvNothing   = 6  // returns without a decision
	EvChange    = 7  // changes code, data, receivers before Continue, and tries so afterwards
	EvTable     = 8  // changes a table in place
	EvReport    = 9  // broadcasts what it knows of room and call
	EvTimer     = 10 // starts a timer that broadcasts, and one that panics
	EvHTTP      = 11 // asks a web service, synchronously; content is the URL
	EvHTTPFor   = 12 // asks a web service and continues the event when it has answered
	EvEnqueue   = 13 // enqueues a broadcast
	EvLoop      = 14 // never returns
	EvGrow      = 15 // takes all the memory that there is
	EvExit      = 16 // ends the process, in WebAssembly
	EvProps     = 17 // sets a property of the room and one of the sender
	EvRemove    = 18 // removes the actor whose number is the content
	EvClose     = 25 // closes the room
	EvErrorInfo = 19 // broadcasts an error info
	EvCache     = 20 // stores event 120 in the cache
	EvState     = 21 // broadcasts the length of the room's state
	EvCount     = 22 // broadcasts how many events the plugin has seen
	EvCookie    = 23 // sets an entry of the sender's auth cookie
	EvErrors    = 24 // broadcasts what was reported

	// EvAnswer is what the plugin broadcasts.
	EvAnswer = 100
)

// Factory makes probes. Configuration: "fail" is an error of Create, "name" the
// plugin's name, "hooks" a list of callbacks that fail.
var Factory = plugin.FactoryFunc(func(host plugin.Host, name string, config plugin.Config) (plugin.Plugin, error) {
	if text := config["fail"]; text != "" {
		return nil, errors.New(text)
	}
	p := &Probe{config: config}
	p.Host = host
	if p.name = config["name"]; p.name == "" {
		p.name = "Probe"
	}
	return p, nil
})

// Probe is the plugin.
type Probe struct {
	plugin.Base
	name     string
	config   plugin.Config
	events   int32
	reported []string
	master   string
}

// Name implements plugin.Plugin.
func (p *Probe) Name() string { return p.name }

// Version implements plugin.Plugin.
func (p *Probe) Version() string { return "1.2" }

// ReportError implements plugin.ErrorReporter.
func (p *Probe) ReportError(code plugin.ErrorCode, err error, state any) {
	_, isEvent := state.(*plugin.RaiseEventCall)
	if code == plugin.AsyncCallbackException {
		p.say("reported")
	}
	p.reported = append(p.reported, fmt.Sprintf("%v event=%v processed=%v", code, isEvent, errors.Is(err, plugin.ErrProcessed)))
}

// OnMasterClientChanged implements plugin.MasterClientObserver.
func (p *Probe) OnMasterClientChanged(oldID, newID int32) {
	p.master = fmt.Sprintf("%d>%d", oldID, newID)
}

func (p *Probe) refuses(hook string) bool { return p.config["refuse"] == hook }

func (p *Probe) panics(hook string) {
	if p.config["panic"] == hook {
		panic("probe: " + hook)
	}
}

// OnCreateGame implements plugin.Plugin.
func (p *Probe) OnCreateGame(c *plugin.CreateGameCall) {
	p.panics("OnCreateGame")
	if p.refuses("OnCreateGame") {
		_ = c.Fail("no room", map[byte]any{7: "why"})
		return
	}
	if p.config["early"] != "" {
		if err := p.BroadcastToAll(EvAnswer, "too early"); !errors.Is(err, plugin.ErrNotInitialised) {
			_ = c.Fail(fmt.Sprintf("early: %v", err), nil)
			return
		}
	}
	if v := p.config["map"]; v != "" {
		c.Request.GameProperties = plugin.NewTable(plugin.Pair{Key: "map", Value: v})
	}
	_ = c.Continue()
}

// BeforeJoin implements plugin.Plugin.
func (p *Probe) BeforeJoin(c *plugin.BeforeJoinCall) {
	p.panics("BeforeJoin")
	if p.refuses("BeforeJoin") {
		_ = c.Fail("no entry for "+c.UserID(), nil)
		return
	}
	_ = c.Continue()
}

// OnJoin implements plugin.Plugin.
func (p *Probe) OnJoin(c *plugin.JoinCall) {
	p.panics("OnJoin")
	if p.refuses("OnJoin") {
		_ = c.Fail("no join", nil)
		return
	}
	if p.config["extra"] != "" {
		c.Params.ResponseExtraParameters = map[byte]any{77: p.config["extra"]}
		c.Params.PublishJoinEvents = false
	}
	_ = c.Continue()
}

// OnLeave implements plugin.Plugin.
func (p *Probe) OnLeave(c *plugin.LeaveCall) {
	p.panics("OnLeave")
	if p.refuses("OnLeave") {
		_ = c.Fail("no leave", nil)
		return
	}
	_ = c.Continue()
	if p.config["leaves"] != "" {
		_ = p.BroadcastToAll(EvAnswer, fmt.Sprintf("left %d %v %d", c.ActorNr, c.IsInactive, c.Reason))
	}
}

// BeforeSetProperties implements plugin.Plugin.
func (p *Probe) BeforeSetProperties(c *plugin.BeforeSetPropertiesCall) {
	p.panics("BeforeSetProperties")
	switch p.config["properties"] {
	case "fail":
		_ = c.Fail("no properties", nil)
	case "cancel":
		_ = c.Cancel()
	case "change":
		c.Request.Properties.Set("by", "probe")
		_ = c.Continue()
	default:
		_ = c.Continue()
	}
}

// OnSetProperties implements plugin.Plugin.
func (p *Probe) OnSetProperties(c *plugin.SetPropertiesCall) {
	p.panics("OnSetProperties")
	_ = c.Continue()
	if p.config["properties"] == "tell" {
		v, _ := p.Host.Properties().Get("k")
		_ = p.BroadcastToAll(EvAnswer, fmt.Sprintf("set by %d for %d: %v", c.ActorNr, c.Request.ActorNumber, v))
	}
}

func (p *Probe) say(data any) { _ = p.BroadcastToAll(EvAnswer, data) }

// OnRaiseEvent implements plugin.Plugin.
func (p *Probe) OnRaiseEvent(c *plugin.RaiseEventCall) {
	p.panics("OnRaiseEvent")
	p.events++
	switch c.Request.EvCode {
	case EvFail:
		_ = c.Fail("no", map[byte]any{7: "why"})
	case EvCancel:
		_ = c.Cancel()
	case EvTwice:
		first := c.Continue()
		second := c.Continue()
		third := c.Fail("late", nil)
		p.say(fmt.Sprintf("%v %v %v %v", first, errors.Is(second, plugin.ErrProcessed), errors.Is(third, plugin.ErrProcessed), c.Status()))
	case EvDefer:
		p.Host.DeferAfter(c, 20*time.Millisecond, func() {
			was := c.Status()
			_ = c.Continue()
			p.say(fmt.Sprintf("%v %v", was, c.Status()))
		})
	case EvPanic:
		panic("probe: as told")
	case EvNothing:
	case EvChange:
		c.Request.EvCode = 99
		c.Request.SetData("changed")
		c.Request.ReceiverGroup = 1 // all
		_ = c.Continue()
		c.Request.SetData("too late")
	case EvTable:
		v, err := c.Request.Data()
		t, ok := v.(*plugin.Table)
		if err != nil || !ok {
			_ = c.Fail("no table", nil)
			return
		}
		t.Set("seen", true)
		_ = c.Continue()
	case EvReport:
		p.report(c)
	case EvTimer:
		_ = c.Continue()
		n := 0
		var t *plugin.Timer
		t = p.Host.Every(10*time.Millisecond, 10*time.Millisecond, func() {
			if n++; n == 2 {
				t.Stop()
				p.say("tick")
			}
		})
		stopped := p.Host.AfterFunc(10*time.Millisecond, func() { p.say("stopped timers don't run") })
		stopped.Stop()
		p.Host.AfterFunc(10*time.Millisecond, func() { panic("probe: timer") })
	case EvHTTP, EvHTTPFor:
		p.http(c)
	case EvEnqueue:
		ok := p.Host.Enqueue(func() { p.say("enqueued") })
		_ = c.Continue()
		p.say(ok)
	case EvLoop:
		for n := 0; ; n++ {
			if n < 0 {
				break
			}
		}
	case EvGrow:
		var all [][]byte
		for {
			all = append(all, make([]byte, 1<<20))
			all[len(all)-1][0] = 1
		}
	case EvExit:
		exit()
	case EvProps:
		done, err := p.Host.SetProperties(0, plugin.NewTable(plugin.Pair{Key: "k", Value: int32(5)}), plugin.SetOptions{Broadcast: true})
		again, err2 := p.Host.SetProperties(0, plugin.NewTable(plugin.Pair{Key: "k", Value: int32(6)}), plugin.SetOptions{Expected: plugin.NewTable(plugin.Pair{Key: "k", Value: int32(1)})})
		_, _ = p.Host.SetProperties(c.ActorNr, plugin.NewTable(plugin.Pair{Key: "hp", Value: int32(7)}), plugin.SetOptions{})
		a, _ := p.Host.Actor(c.ActorNr)
		hp, _ := a.Properties.Get("hp")
		k, _ := p.Host.Properties().Get("k")
		_ = c.Continue()
		p.say(fmt.Sprintf("%v %v %v %v %v %v", done, err, again, err2 != nil, k, hp))
	case EvRemove:
		v, _ := c.Request.Data()
		nr, _ := v.(int32)
		_ = c.Continue()
		p.say(p.Host.RemoveActor(nr, plugin.Banned, "told so"))
	case EvClose:
		_ = c.Continue()
		p.say(p.Host.CloseRoom("all done"))
	case EvErrorInfo:
		_ = c.Continue()
		_ = p.Host.BroadcastErrorInfo("oh")
	case EvCache:
		_ = c.Continue()
		err := p.Host.ExecuteCacheOperation(plugin.CacheOperation{Op: 4, EventCode: 120, Data: "cached", ActorNr: c.ActorNr})
		p.say(fmt.Sprint(err))
	case EvState:
		_ = c.Continue()
		s, err := p.Host.State()
		p.say(fmt.Sprintf("%v %v %v", len(s) > 100, err, p.Host.SetState(s)))
	case EvCount:
		_ = c.Continue()
		p.say(p.events)
	case EvCookie:
		err := p.Host.UpdateAuthCookie(c.ActorNr, "k", int32(3))
		_ = c.Continue()
		a, _ := p.Host.Actor(c.ActorNr)
		p.say(fmt.Sprintf("%v %v %v", err, c.AuthCookie()["a"], a.AuthCookie["k"]))
	case EvErrors:
		_ = c.Continue()
		p.say(p.reported)
	default:
		_ = c.Continue()
	}
}

func (p *Probe) report(c *plugin.RaiseEventCall) {
	_ = c.Continue()
	env := p.Host.Environment()
	op := c.Operation()
	code, _ := op.Param(244)
	var numbers []int32
	for _, a := range p.Host.Actors() {
		numbers = append(numbers, a.ActorNr)
	}
	p.Host.Logger().Info("report", "room", p.Host.GameID(), "events", p.events)
	p.say(fmt.Sprintf("room=%s app=%s user=%s nick=%s actor=%d master=%d actors=%v active=%d inactive=%d op=%d code=%v params=%d suspended=%v lobby=%v",
		p.Host.GameID(), env.AppID, c.UserID(), c.Nickname(), c.ActorNr, p.Host.MasterClientID(), numbers,
		len(p.Host.ActiveActors()), len(p.Host.InactiveActors()), op.Code(), code, len(op.Params()), p.Host.Suspended(), p.Host.LobbyProperties()))
}

func (p *Probe) http(c *plugin.RaiseEventCall) {
	v, _ := c.Request.Data()
	url, _ := v.(string)
	req := &plugin.HTTPRequest{
		URL: url, Method: "POST", ContentType: "text/plain", Body: []byte("hello"), Headers: map[string]string{"X-Probe": "1"}, UserState: 42,
		Callback: func(a *plugin.HTTPResponse, state any) {
			if c.IsDeferred() {
				_ = c.Continue()
			}
			p.say(fmt.Sprintf("%v %d %s %v %v", a.Status, a.HTTPCode, a.Text(), a.Headers["X-Answer"], state))
		},
	}
	if c.Request.EvCode == EvHTTPFor {
		if err := p.Host.HTTPFor(c, req); err != nil {
			_ = c.Continue()
			p.say(err.Error())
		}
		return
	}
	err := p.Host.HTTP(req)
	_ = c.Continue()
	p.say(fmt.Sprint(err))
}
