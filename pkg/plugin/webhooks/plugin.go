package webhooks

import (
	"errors"
	"time"

	"golang.org/x/time/rate"

	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
)

// Name is the plugin's name. Clients may ask for it by the aliases, too. It is
// configured as builtin:webhooks.
const Name = "Webhooks1.2"

var aliases = [...]string{"WebHooksPlugin1.2", "Webhooks"}

const version = "1.2"

func init() { plugin.Register("webhooks", factory{}) }

type factory struct{}

// CheckConfig implements plugin.ConfigChecker.
func (factory) CheckConfig(config plugin.Config) error {
	_, err := parseSettings(config)
	return err
}

// Loads implements plugin.Loader.
func (factory) Loads(config plugin.Config) (onRejoin, onJoin bool) {
	s, err := parseSettings(config)
	if err != nil {
		return false, false
	}
	return s.isPersistent, s.isPersistent && s.asyncJoin
}

// Create implements plugin.Factory.
func (factory) Create(host plugin.Host, name string, config plugin.Config) (plugin.Plugin, error) {
	set, err := parseSettings(config)
	if err != nil {
		return nil, err
	}
	p := &webhooks{Base: plugin.Base{Host: host}, set: set, name: Name}
	for _, alias := range aliases {
		if name == alias {
			p.name = alias
		}
	}
	if set.maxEvents > 0 {
		p.events = rate.NewLimiter(rate.Limit(set.maxEvents), set.maxEvents)
	}
	return p, nil
}

// webhooks is the plugin of one room.
type webhooks struct {
	plugin.Base
	set    *settings
	name   string
	events *rate.Limiter // of PathEvent; nil for none

	// pending counts calls whose answer is not there, and bytes what they say. The
	// room ends after the last.
	pending, bytes int
	drained        func() // called when pending becomes 0; nil if nobody waits
}

// Name implements plugin.Plugin.
func (p *webhooks) Name() string { return p.name }

// Version implements plugin.Plugin.
func (*webhooks) Version() string { return version }

// IsPersistent implements plugin.Persistent.
func (p *webhooks) IsPersistent() bool { return p.set.isPersistent }

// Filter implements plugin.Filtered: hooks without a path cost nothing.
func (p *webhooks) Filter() plugin.Filter {
	f := plugin.Filter{Hooks: plugin.HookCloseGame}
	for _, h := range [...]struct {
		path string
		hook plugin.Hook
	}{
		{p.set.create, plugin.HookCreateGame}, {p.set.load, plugin.HookCreateGame}, {p.set.beforeJoin, plugin.HookBeforeJoin},
		{p.set.join, plugin.HookJoin}, {p.set.leave, plugin.HookLeave}, {p.set.event, plugin.HookRaiseEvent},
		{p.set.gameProperties, plugin.HookBeforeSetProperties},
	} {
		if h.path != "" {
			f.Hooks |= h.hook
		}
	}
	return f
}

// OnCreateGame asks the service about a new room, or for a saved one. The room is
// there when the service has answered.
func (p *webhooks) OnCreateGame(c *plugin.CreateGameCall) {
	switch {
	case !c.IsJoin:
		if p.set.create == "" {
			_ = c.Continue()
			return
		}
		body, err := createPayload(p.Host, c)
		p.ask(c, p.set.create, body, err, func(_ answer, err error) {
			if err != nil {
				_ = c.Fail(err.Error(), nil)
				return
			}
			_ = c.Continue()
		})
	case !p.set.isPersistent, !p.set.asyncJoin && c.Request.JoinMode == photon.JoinDefault:
		// The room creates what it may create, and answers otherwise that there is no
		// such game.
		_ = c.Continue()
	default:
		body, err := loadPayload(p.Host, c)
		p.ask(c, p.set.load, body, err, func(a answer, err error) {
			if err == nil && a.state != nil {
				if err = p.Host.SetState(a.state); err != nil {
					p.Host.Logger().Warn("the saved room can't be loaded", "error", err)
					err = errors.New("the saved room can't be loaded")
				}
			}
			if err != nil {
				_ = c.Fail(err.Error(), nil)
				return
			}
			_ = c.Continue()
		})
	}
}

// BeforeJoin asks the service whether a client may enter. The room goes on
// meanwhile; the client waits.
func (p *webhooks) BeforeJoin(c *plugin.BeforeJoinCall) {
	body, err := beforeJoinPayload(p.Host, c)
	p.ask(c, p.set.beforeJoin, body, err, func(_ answer, err error) {
		if err != nil {
			_ = c.Fail(err.Error(), nil)
			return
		}
		_ = c.Continue()
	})
}

// OnJoin tells the service who entered.
func (p *webhooks) OnJoin(c *plugin.JoinCall) {
	if c.Continue() != nil {
		return
	}
	body, err := joinPayload(p.Host, c)
	p.tell(p.set.join, body, err)
}

// OnLeave tells the service who is leaving: before the room acts, for the room may
// end with it.
func (p *webhooks) OnLeave(c *plugin.LeaveCall) {
	var x extra
	if c.Request != nil && c.Request.WebFlags.Has(photon.WebSendAuthCookie) {
		x.cookie = c.AuthCookie()
	}
	body, err := leavePayload(p.Host, c, x)
	p.tell(p.set.leave, body, err)
	_ = c.Continue()
}

// OnRaiseEvent forwards the events that clients want forwarded.
func (p *webhooks) OnRaiseEvent(c *plugin.RaiseEventCall) {
	flags := c.Request.WebFlags
	switch {
	case !flags.Has(photon.WebHTTPForward):
		_ = c.Continue()
	case p.events != nil && !p.events.Allow(), p.congested():
		_ = c.FailWith(photon.ReturnHTTPLimitReached, "too many events for the web service", nil)
	case flags.Has(photon.WebSendSync):
		body, err := eventPayload(p.Host, c, p.extra(&c.Call, flags))
		p.askFirst(c, p.set.event, body, err)
	default:
		if c.Continue() == nil {
			body, err := eventPayload(p.Host, c, p.extra(&c.Call, flags))
			p.tell(p.set.event, body, err)
		}
	}
}

// BeforeSetProperties forwards the properties that clients want forwarded.
func (p *webhooks) BeforeSetProperties(c *plugin.BeforeSetPropertiesCall) {
	flags := c.Request.WebFlags
	switch {
	case !flags.Has(photon.WebHTTPForward):
		_ = c.Continue()
	case p.congested():
		_ = c.FailWith(photon.ReturnHTTPLimitReached, "too many properties for the web service", nil)
	case flags.Has(photon.WebSendSync):
		body, err := propertiesPayload(p.Host, c, p.extra(&c.Call, flags))
		p.askFirst(c, p.set.gameProperties, body, err)
	default:
		if c.Continue() == nil {
			body, err := propertiesPayload(p.Host, c, p.extra(&c.Call, flags))
			p.tell(p.set.gameProperties, body, err)
		}
	}
}

// The bounds of what clients can make a room send while the service is slow.
// Clients that want more are refused.
const (
	maxPending      = 256
	maxPendingBytes = 16 << 20 // a last one may go beyond
)

func (p *webhooks) congested() bool { return p.pending >= maxPending || p.bytes >= maxPendingBytes }

// extra is what the flags of an operation ask for.
func (p *webhooks) extra(c *plugin.Call, flags plugin.WebFlags) (x extra) {
	if flags.Has(photon.WebSendAuthCookie) {
		x.cookie = c.AuthCookie()
	}
	if flags.Has(photon.WebSendState) && p.set.isPersistent {
		var err error
		if x.state, err = p.Host.State(); err != nil {
			p.Host.Logger().Warn("no state for the web service", "error", err)
		}
	}
	return x
}

// ask sends a call that the deferred c waits for; then gets the answer, in any case.
func (p *webhooks) ask(c plugin.Deferrable, path string, body []byte, err error, then func(answer, error)) {
	p.pending++
	p.bytes += len(body)
	done := func(a answer, err error) {
		if err != nil {
			p.failed(path, err)
		}
		then(a, err)
		p.answered(body)
	}
	if err == nil {
		err = p.Host.HTTPFor(c, p.request(path, body, func(r *plugin.HTTPResponse, _ any) { done(readAnswer(r)) }))
	}
	if err != nil {
		done(answer{}, err)
	}
}

// askFirst continues a call after the service has answered, whatever it said
// (plugins.md 11.4).
func (p *webhooks) askFirst(c interface {
	plugin.Deferrable
	Continue() error
}, path string, body []byte, err error) {
	p.ask(c, path, body, err, func(_ answer, err error) {
		if err != nil {
			p.tellClients(err)
		}
		_ = c.Continue()
	})
}

// tell sends a call that nobody waits for.
func (p *webhooks) tell(path string, body []byte, err error) {
	p.pending++
	p.bytes += len(body)
	done := func(err error) {
		if err != nil {
			p.failed(path, err)
			p.tellClients(err)
		}
		p.answered(body)
	}
	if err == nil {
		err = p.Host.HTTP(p.request(path, body, func(r *plugin.HTTPResponse, _ any) {
			_, err := readAnswer(r)
			done(err)
		}))
	}
	if err != nil {
		done(err)
	}
}

// answered counts a call down.
func (p *webhooks) answered(body []byte) {
	p.bytes -= len(body)
	if p.pending--; p.pending == 0 && p.drained != nil {
		p.drained()
	}
}

func (p *webhooks) request(path string, body []byte, callback func(*plugin.HTTPResponse, any)) *plugin.HTTPRequest {
	return &plugin.HTTPRequest{
		URL: p.set.url(path, p.Host.Environment()), Method: "POST", Accept: contentType, ContentType: contentType,
		Headers: p.set.headers, Body: body, Async: true, Callback: callback,
	}
}

const contentType = "application/json"

// failed logs a failed call. The address may hold keys: the path is enough.
func (p *webhooks) failed(path string, err error) {
	var refused *refusedError
	if errors.As(err, &refused) {
		p.Host.Logger().Info("web service refused a call", "path", pathOnly(path), "result_code", refused.code, "message", refused.message)
		return
	}
	p.Host.Logger().Warn("call to the web service failed", "path", pathOnly(path), "error", err)
}

// tellClients sends the failure to the clients, if they are to know.
func (p *webhooks) tellClients(err error) {
	if p.set.hasErrorInfo {
		_ = p.Host.BroadcastErrorInfo(err.Error())
	}
}

// drainTimeout is how long a room that ends waits for answers: the longest wait
// and request of the server's defaults.
const drainTimeout = 2 * time.Minute
