package webhooks

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/boson-project/boson/pkg/plugin"
	"github.com/boson-project/boson/pkg/plugin/letter"
)

// retryAfter are the pauses before a save is tried again (plugins.md 16).
var retryAfter = [...]time.Duration{time.Second, 2 * time.Second, 4 * time.Second}

// OnCloseGame saves the room, or tells the service of its end, and waits for the
// calls that are under way: they would end with the room.
func (p *webhooks) OnCloseGame(c *plugin.CloseGameCall) {
	// A room that never came to be is no news, and what it was to be loaded from
	// must stay.
	if p.set.close != "" && !c.FailedOnCreate {
		p.close(c)
		return
	}
	p.end(c)
}

// end lets the room go as soon as no call is under way.
func (p *webhooks) end(c *plugin.CloseGameCall) {
	finish := func() {
		p.drained = nil
		if !c.IsProcessed() {
			_ = c.Continue()
		}
	}
	if p.pending == 0 {
		finish()
		return
	}
	p.drained = finish
	if c.IsNew() && p.Host.DeferAfter(c, drainTimeout, finish) == nil {
		finish()
	}
}

func (p *webhooks) close(c *plugin.CloseGameCall) {
	var state plugin.GameState
	inactive := len(p.Host.InactiveActors())
	if p.set.isPersistent && inactive > 0 {
		var err error
		if state, err = p.Host.State(); err != nil {
			// Type Close would make the service forget the room.
			p.Host.Logger().Error("room not saved", "error", err)
			p.end(c)
			return
		}
	}
	body, err := closePayload(p.Host, inactive, state)
	p.ask(c, p.set.close, body, err, func(_ answer, err error) { p.closed(c, body, state != nil, 0, err) })
}

// closed ends the room after the answer to PathClose, or tries a save again.
func (p *webhooks) closed(c *plugin.CloseGameCall, body []byte, save bool, attempt int, err error) {
	if err == nil || !save {
		p.end(c)
		return
	}
	var refused *refusedError
	if errors.As(err, &refused) || attempt == len(retryAfter) || c.IsNew() {
		p.bury(c, body)
		return
	}
	again := func() {
		request := p.request(p.set.close, body, func(r *plugin.HTTPResponse, _ any) {
			_, err := readAnswer(r)
			if err != nil {
				p.failed(p.set.close, err)
			}
			p.closed(c, body, save, attempt+1, err)
		})
		if err := p.Host.HTTP(request); err != nil {
			p.bury(c, body)
		}
	}
	if p.Host.AfterFunc(retryAfter[attempt], again) == nil {
		p.bury(c, body)
	}
}

// bury writes a save that nobody took to the dead-letter directory, and ends the
// room.
func (p *webhooks) bury(c *plugin.CloseGameCall, body []byte) {
	if p.set.deadLetterDir == "" {
		p.Host.Logger().Error("room not saved: its state is lost")
		p.end(c)
		return
	}
	if c.IsNew() && p.Host.DeferAfter(c, drainTimeout, func() { p.end(c) }) == nil {
		p.end(c)
		return
	}
	env := p.Host.Environment()
	// One room has one close at a time.
	name := letter.Name(strconv.FormatInt(time.Now().UnixNano(), 10), env.AppID, env.AppVersion, p.Host.GameID())
	log := p.Host.Logger()
	go func() {
		if err := letter.Write(p.set.deadLetterDir, name, body); err != nil {
			log.Error("room not saved: its state is lost", "error", err)
		} else {
			log.Error("room not saved: its state is in the dead-letter directory", "file", name)
		}
		p.Host.Enqueue(func() { p.end(c) })
	}()
}

// pathOnly is a path without its query, which may hold keys.
func pathOnly(path string) string {
	path, _, _ = strings.Cut(path, "?")
	return path
}
