package chatfilter

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/boson-project/boson/pkg/plugin"
)

// Name is what clients ask for by RoomOptions.Plugins.
const Name = "ChatFilter"

// EvChat is the event code of chat, unless the configuration names another.
const EvChat = 10

// ParamReason is the parameter of a refusal that says why, one of the reasons.
const ParamReason = 1

// The reasons.
const (
	ReasonNotText = "not_text"
	ReasonTooLong = "too_long"
	ReasonTooFast = "too_fast"
	ReasonWords   = "words"
)

func init() { plugin.Register("chatfilter", Factory{}) }

// Factory makes the plugins of rooms.
type Factory struct{}

// Create implements plugin.Factory.
func (Factory) Create(host plugin.Host, _ string, config plugin.Config) (plugin.Plugin, error) {
	r, err := parse(config)
	if err != nil {
		return nil, err
	}
	return &filter{Base: plugin.Base{Host: host}, rules: r, chats: map[int32]*chat{}}, nil
}

// CheckConfig implements plugin.ConfigChecker.
func (Factory) CheckConfig(config plugin.Config) error {
	_, err := parse(config)
	return err
}

// rules are the configuration.
type rules struct {
	event     byte
	words     map[string]bool // in lower case
	refuse    bool            // instead of mask
	messages  int
	per       time.Duration
	maxLength int // characters
}

func parse(c plugin.Config) (r rules, err error) {
	r.words = map[string]bool{}
	for _, w := range c.List("words") {
		r.words[strings.ToLower(w)] = true
	}
	switch c["action"] {
	case "", "mask":
	case "refuse":
		r.refuse = true
	default:
		return r, fmt.Errorf("action is %q, want mask or refuse", c["action"])
	}
	if r.messages, err = c.Int("messages", 5, 1); err != nil {
		return r, err
	}
	if r.per, err = c.Duration("per", 10*time.Second); err != nil {
		return r, err
	}
	if r.maxLength, err = c.Int("max_length", 200, 1); err != nil {
		return r, err
	}
	event, err := c.Int("event", EvChat, 0)
	if err == nil && event >= 200 {
		err = fmt.Errorf("event is %d, want an event code below 200", event)
	}
	r.event = byte(event)
	return r, err
}

// chat is what one actor said in the current span of time.
type chat struct {
	since    time.Time
	messages int
}

// filter is the plugin of one room.
type filter struct {
	plugin.Base
	rules rules
	chats map[int32]*chat // by ActorNr
}

// Name implements plugin.Plugin.
func (*filter) Name() string { return Name }

// Version implements plugin.Plugin.
func (*filter) Version() string { return "1.0" }

// Filter implements plugin.Filtered.
func (f *filter) Filter() plugin.Filter {
	return plugin.Filter{
		Hooks:  plugin.HookRaiseEvent | plugin.HookLeave,
		Events: []plugin.EventRange{{From: f.rules.event, To: f.rules.event}},
	}
}

// OnRaiseEvent implements plugin.Plugin.
func (f *filter) OnRaiseEvent(c *plugin.RaiseEventCall) {
	data, _ := c.Request.Data()
	text, ok := data.(string)
	switch {
	case !ok:
		refuse(c, ReasonNotText, "chat is text")
		return
	case utf8.RuneCountInString(text) > f.rules.maxLength:
		refuse(c, ReasonTooLong, fmt.Sprintf("a message has at most %d characters", f.rules.maxLength))
		return
	case !f.count(c.ActorNr):
		refuse(c, ReasonTooFast, fmt.Sprintf("at most %d messages in %s", f.rules.messages, f.rules.per))
		return
	}
	if masked := f.rules.mask(text); masked != text {
		if f.rules.refuse {
			refuse(c, ReasonWords, "the message has words that are not welcome here")
			return
		}
		c.Request.SetData(masked)
	}
	_ = c.Continue()
}

// OnLeave implements plugin.Plugin: who may come back keeps the count.
func (f *filter) OnLeave(c *plugin.LeaveCall) {
	if !c.IsInactive {
		delete(f.chats, c.ActorNr)
	}
	_ = c.Continue()
}

func refuse(c *plugin.RaiseEventCall, reason, message string) {
	_ = c.Fail(message, map[byte]any{ParamReason: reason})
}

// count counts a message and says whether it is within the limit.
func (f *filter) count(actorNr int32) bool {
	now := time.Now()
	c := f.chats[actorNr]
	if c == nil || now.Sub(c.since) >= f.rules.per {
		c = &chat{since: now}
		f.chats[actorNr] = c
	}
	c.messages++
	return c.messages <= f.rules.messages
}

// mask replaces each letter of listed words by a star. Words are runs of letters
// and digits, in any case.
func (r *rules) mask(text string) string {
	if len(r.words) == 0 {
		return text
	}
	var out strings.Builder
	for rest := text; rest != ""; {
		end := strings.IndexFunc(rest, inWord)
		if end < 0 {
			end = len(rest)
		}
		out.WriteString(rest[:end])
		rest = rest[end:]
		end = strings.IndexFunc(rest, func(c rune) bool { return !inWord(c) })
		if end < 0 {
			end = len(rest)
		}
		word := rest[:end]
		if r.words[strings.ToLower(word)] {
			word = strings.Repeat("*", utf8.RuneCountInString(word))
		}
		out.WriteString(word)
		rest = rest[end:]
	}
	return out.String()
}

func inWord(c rune) bool { return unicode.IsLetter(c) || unicode.IsDigit(c) }
