package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// Redis keeps states in a Redis server (or a cluster of them behind one address),
// for any number of game servers. How safe a saved state is there is up to that
// server's own persistence.
type Redis struct{ client *redis.Client }

// redisPrefix is what all keys begin with. A key is a hash of v, the version, and
// s, the state; one that was deleted has no s.
const redisPrefix = "boson:room:"

// tombstone is how long a deleted room's version is remembered, so that a save
// that was on its way does not bring the room back.
const tombstone = 10 * time.Minute

// The client would write to standard error what it returns as errors, too.
func init() { redis.SetLogger(silent{}) }

type silent struct{}

// Printf implements the client's logger.
func (silent) Printf(context.Context, string, ...any) {}

// NewRedis returns a store on a server. Connections are made when they are
// needed; a request is tried a second time, for connections that died while they
// were idle. More is the business of those who wait. Requests end with their
// contexts: those need a deadline.
func NewRedis(opt *redis.Options) *Redis {
	own := *opt
	if own.MaxRetries == 0 {
		own.MaxRetries = 1
	}
	if own.DialerRetries == 0 {
		own.DialerRetries = 1
	}
	// The client would wait by its own clock, longer than the rooms or not so long.
	own.ContextTimeoutEnabled = true
	if own.ReadTimeout == 0 {
		own.ReadTimeout = -1
	}
	// One for each worker: its own number is that of the processors.
	if own.PoolSize == 0 {
		own.PoolSize = maxWorkers
	}
	return &Redis{client: redis.NewClient(&own)}
}

// Close implements Store.
func (r *Redis) Close() error { return r.client.Close() }

// Load implements Store.
func (r *Redis) Load(ctx context.Context, key string) (s Saved, err error) {
	values, err := r.client.HMGet(ctx, redisPrefix+key, "v", "s").Result()
	if err != nil {
		return s, fmt.Errorf("store: %w", err)
	}
	state, ok := values[1].(string)
	if !ok {
		return s, ErrNotFound
	}
	text, _ := values[0].(string)
	if s.Version, err = strconv.ParseInt(text, 10, 64); err != nil {
		return s, fmt.Errorf("store: %s: %w", key, errRecord)
	}
	s.State = []byte(state)
	return s, nil
}

// Versions are milliseconds: the numbers of the scripts hold them exactly.
var saveScript = redis.NewScript(`
local v = redis.call('HGET', KEYS[1], 'v')
if v then
  local newer = tonumber(v) - tonumber(ARGV[1])
  if newer > 0 or newer == 0 and redis.call('HEXISTS', KEYS[1], 's') == 0 then return 0 end
end
redis.call('HSET', KEYS[1], 'v', ARGV[1], 's', ARGV[2])
if ARGV[3] == '0' then redis.call('PERSIST', KEYS[1]) else redis.call('PEXPIREAT', KEYS[1], ARGV[3]) end
return 1`)

var deleteScript = redis.NewScript(`
local v = redis.call('HGET', KEYS[1], 'v')
if not v then return 1 end
if tonumber(v) > tonumber(ARGV[1]) then return 0 end
redis.call('HDEL', KEYS[1], 's')
redis.call('HSET', KEYS[1], 'v', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1`)

// Save implements Store.
func (r *Redis) Save(ctx context.Context, key string, s Saved) error {
	return r.run(ctx, saveScript, key, s.Version, s.State, expiryMillis(s))
}

// Delete implements Store.
func (r *Redis) Delete(ctx context.Context, key string, version int64) error {
	return r.run(ctx, deleteScript, key, version, tombstone.Milliseconds())
}

func (r *Redis) run(ctx context.Context, script *redis.Script, key string, args ...any) error {
	done, err := script.Run(ctx, r.client, []string{redisPrefix + key}, args...).Int()
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return err
	case err != nil:
		return fmt.Errorf("store: %w", err)
	case done == 0:
		return ErrStale
	}
	return nil
}
