package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/boson-project/boson/pkg/plugin"
	"github.com/boson-project/boson/pkg/plugin/letter"
)

// deadLetter is the file of a room whose last save failed. The next load of the
// room takes it.
type deadLetter struct {
	Key     string
	Version int64
	Expires time.Time `json:",omitzero"`
	State   json.RawMessage
}

// letterName is the same for all letters of a room: only the newest counts.
func letterName(key string) string {
	sum := sha256.Sum256([]byte(key))
	return letter.Name(hex.EncodeToString(sum[:16]), key)
}

// readLetter reads a room's letter. Without one the error is fs.ErrNotExist.
func readLetter(dir, key string) (Saved, error) {
	text, err := os.ReadFile(filepath.Join(dir, letterName(key)))
	if err != nil {
		return Saved{}, err
	}
	var l deadLetter
	if err := json.Unmarshal(text, &l); err != nil {
		return Saved{}, fmt.Errorf("store: dead letter %s: %w", letterName(key), err)
	}
	if l.Key != key {
		return Saved{}, fmt.Errorf("store: dead letter %s is that of another room", letterName(key))
	}
	return Saved{Version: l.Version, Expires: l.Expires, State: l.State}, nil
}

// writeLetter writes a room's letter, unless there is a newer one.
func writeLetter(dir, key string, s Saved) error {
	if before, err := readLetter(dir, key); err == nil && before.Version > s.Version {
		return ErrStale
	}
	text, err := json.Marshal(deadLetter{Key: key, Version: s.Version, Expires: s.Expires, State: s.State})
	if err != nil {
		return err
	}
	return letter.Write(dir, letterName(key), text)
}

// load returns a room's state: what is stored, or a dead letter that is newer,
// which is then stored and gone. It is for a worker of the store.
func (p *roomStore) load(ctx context.Context, s Store, log *slog.Logger) (Saved, error) {
	saved, err := s.Load(ctx, p.key)
	if p.set.letterDir == "" || err != nil && !errors.Is(err, ErrNotFound) {
		return saved, err
	}
	l, letterErr := readLetter(p.set.letterDir, p.key)
	switch {
	case errors.Is(letterErr, fs.ErrNotExist):
		return saved, err
	case letterErr != nil:
		return Saved{}, letterErr
	}
	if (err != nil || saved.Version < l.Version) && !l.expired(time.Now()) {
		switch stored := s.Save(ctx, p.key, l); {
		case errors.Is(stored, ErrStale): // deleted since, or another server was quicker
			saved, err = s.Load(ctx, p.key)
		case stored != nil:
			return Saved{}, stored
		default:
			saved, err = l, nil
			log.Info("the room's dead letter was taken", "file", letterName(p.key))
		}
	}
	p.removeLetter(log)
	return saved, err
}

// removeLetter removes a letter that is no longer needed. One that stays does no
// harm: it is older than what is stored.
func (p *roomStore) removeLetter(log *slog.Logger) {
	if err := os.Remove(filepath.Join(p.set.letterDir, letterName(p.key))); err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Warn("dead letter of a room that is stored not removed", "error", err)
	}
}

// saveLast saves the room at its end, and then lets it go. Should the save fail or
// take long, a dead letter is there until it works.
func (p *roomStore) saveLast(c *plugin.CloseGameCall, text plugin.GameState) {
	log, state := p.Host.Logger(), p.newest(text)
	draft := &letter.Draft{Enqueue: p.Host.Enqueue, Remove: func() error { p.removeLetter(log); return nil }}
	if p.set.letterDir != "" {
		draft.Write = func() error {
			saved, err := state()
			if err != nil {
				return err
			}
			return writeLetter(p.set.letterDir, p.key, saved)
		}
		p.Host.AfterFunc(letter.After, draft.Begin)
	}
	p.closeWith(c, len(text), p.save(state), draft.Begin, func(err error) {
		stale := errors.Is(err, ErrStale)
		draft.End(err == nil || stale, func(there bool, letterErr error) {
			switch {
			case stale:
				log.Warn("another server has a newer state of this room: it is not saved")
			case err != nil && there:
				log.Error("room not saved at its end: its state is in the dead-letter directory", "file", letterName(p.key), "error", err)
			case err != nil:
				log.Error("room not saved at its end: its state is lost", "error", errors.Join(err, letterErr))
			}
			_ = c.Continue()
		})
	}, 0)
}
