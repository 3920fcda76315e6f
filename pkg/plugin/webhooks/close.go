package webhooks

import (
	"errors"
	"os"
	"path/filepath"
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
	d := p.draft(body, state != nil)
	p.ask(c, p.set.close, body, err, func(_ answer, err error) { p.closed(c, body, d, 0, err) })
}

// draft is the dead letter of a save; nil for a call that saves nothing.
func (p *webhooks) draft(body []byte, save bool) *draft {
	if !save {
		return nil
	}
	env := p.Host.Environment()
	// One room has one close at a time.
	d := &draft{file: letter.Name(strconv.FormatInt(time.Now().UnixNano(), 10), env.AppID, env.AppVersion, p.Host.GameID())}
	d.Enqueue = p.Host.Enqueue
	if dir := p.set.deadLetterDir; dir != "" {
		d.Write = func() error { return letter.Write(dir, d.file, body) }
		d.Remove = func() error { return os.Remove(filepath.Join(dir, d.file)) }
		p.Host.AfterFunc(letter.After, d.Begin)
	}
	return d
}

type draft struct {
	letter.Draft
	file string
}

// closed ends the room after the answer to PathClose, or tries a save again. The
// letter is there from the first failure on.
func (p *webhooks) closed(c *plugin.CloseGameCall, body []byte, d *draft, attempt int, err error) {
	if d == nil {
		p.end(c)
		return
	}
	if err == nil {
		p.saved(c, d, true)
		return
	}
	d.Begin()
	var refused *refusedError
	if errors.As(err, &refused) || attempt == len(retryAfter) || c.IsNew() {
		p.saved(c, d, false)
		return
	}
	again := func() {
		request := p.request(p.set.close, body, func(r *plugin.HTTPResponse, _ any) {
			_, err := readAnswer(r)
			if err != nil {
				p.failed(p.set.close, err)
			}
			p.closed(c, body, d, attempt+1, err)
		})
		if err := p.Host.HTTP(request); err != nil {
			p.saved(c, d, false)
		}
	}
	if p.Host.AfterFunc(retryAfter[attempt], again) == nil {
		p.saved(c, d, false)
	}
}

// saved ends the room after a save, when its letter is written or removed.
func (p *webhooks) saved(c *plugin.CloseGameCall, d *draft, ok bool) {
	if c.IsNew() && p.Host.DeferAfter(c, drainTimeout, func() { p.end(c) }) == nil {
		p.end(c)
		return
	}
	log := p.Host.Logger()
	d.End(ok, func(there bool, err error) {
		switch {
		case ok && err != nil:
			log.Warn("dead letter of a room that is saved not removed", "file", d.file, "error", err)
		case ok:
		case there:
			log.Error("room not saved: its state is in the dead-letter directory", "file", d.file)
		default:
			log.Error("room not saved: its state is lost", "error", err)
		}
		p.end(c)
	})
}

// pathOnly is a path without its query, which may hold keys.
func pathOnly(path string) string {
	path, _, _ = strings.Cut(path, "?")
	return path
}
