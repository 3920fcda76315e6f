package store

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Store keeps the states of rooms by key. Its methods may be called from any
// goroutine and may block; they give up with the context, as far as the database
// lets them.
type Store interface {
	// Load returns what is stored under a key. ErrNotFound: nothing, or it expired.
	Load(ctx context.Context, key string) (Saved, error)
	// Save stores a state, unless one of a higher version is there, or one of this
	// or a higher version was deleted a short while ago: ErrStale.
	Save(ctx context.Context, key string, s Saved) error
	// Delete removes what is stored, unless its version is higher: ErrStale.
	// Deleting nothing is fine.
	Delete(ctx context.Context, key string, version int64) error
	// Close gives back files and connections. Nothing may be called after it.
	Close() error
}

// Saved is a room's state as it is stored.
type Saved struct {
	// Version grows with each save of a room, over all servers: the time of the
	// save in milliseconds since 1970, or one more than the version before it if
	// that is later.
	Version int64
	// Expires is when nobody can come back any more; zero is never. Milliseconds
	// count.
	Expires time.Time
	// State is the JSON of plugin.GameState.
	State []byte
}

// Errors of stores.
var (
	ErrNotFound = errors.New("store: nothing is stored")
	ErrStale    = errors.New("store: something newer is stored")
)

// errBadStore carries no part of the setting: it may hold a password.
var errBadStore = errors.New(`Store must be "bolt:<directory>", "redis://[user:password@]host:port/database" (rediss:// for TLS) or "postgres://[user:password@]host:port/database"`)

// parseStore checks a setting and returns what opens the store.
func parseStore(setting string) (open func() (Store, error), err error) {
	if dir, ok := strings.CutPrefix(setting, "bolt:"); ok && dir != "" {
		return func() (Store, error) { return OpenBolt(dir) }, nil
	}
	if strings.HasPrefix(setting, "redis://") || strings.HasPrefix(setting, "rediss://") {
		opt, err := redis.ParseURL(setting)
		if err != nil {
			return nil, errBadStore
		}
		return func() (Store, error) { return NewRedis(opt), nil }, nil
	}
	if strings.HasPrefix(setting, "postgres://") || strings.HasPrefix(setting, "postgresql://") {
		config, err := parsePostgres(setting)
		if err != nil {
			return nil, err
		}
		return func() (Store, error) { return NewPostgres(config) }, nil
	}
	return nil, errBadStore
}

// Key names a room in a store: rooms of different applications, versions and
// regions never meet. Each part is escaped, so that no name can pass for another.
func Key(appID, appVersion, region, room string) string {
	e := url.QueryEscape
	return fmt.Sprintf("%s:%s:%s:%s", e(appID), e(appVersion), e(region), e(room))
}

// expired says whether a state is too old.
func (s *Saved) expired(now time.Time) bool { return !s.Expires.IsZero() && !now.Before(s.Expires) }
