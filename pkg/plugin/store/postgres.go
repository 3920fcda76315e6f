package store

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Postgres keeps states in a table of a PostgreSQL database, for any number of game
// servers. What was saved is on that server's disk when Save returns, as far as its
// settings say so.
type Postgres struct {
	pool *pgxpool.Pool

	mu    sync.Mutex
	ready bool // the table is there
}

// A row without a state is of a room that was deleted a short while ago (tombstone).
// The key of the table is a hash: an index takes no keys as long as rooms' can be.
const postgresTable = `
CREATE TABLE IF NOT EXISTS boson_rooms (
	hash bytea PRIMARY KEY,
	key text NOT NULL,
	version bigint NOT NULL,
	expires timestamptz,
	state bytea
);
CREATE INDEX IF NOT EXISTS boson_rooms_expires ON boson_rooms (expires) WHERE expires IS NOT NULL`

const (
	postgresLoad = `
SELECT version, state FROM boson_rooms
WHERE hash = sha256(convert_to($1, 'UTF8')) AND state IS NOT NULL AND (expires IS NULL OR expires > now())`

	postgresSave = `
INSERT INTO boson_rooms AS r (hash, key, version, expires, state) VALUES (sha256(convert_to($1, 'UTF8')), $1, $2, $3, $4)
ON CONFLICT (hash) DO UPDATE SET version = excluded.version, expires = excluded.expires, state = excluded.state
WHERE r.version < excluded.version OR r.version = excluded.version AND r.state IS NOT NULL OR r.expires <= now()`

	postgresDelete = `
UPDATE boson_rooms SET version = $2, expires = now() + $3::bigint * interval '1 millisecond', state = NULL
WHERE hash = sha256(convert_to($1, 'UTF8')) AND version <= $2`

	postgresNewer = `
SELECT EXISTS (SELECT FROM boson_rooms
WHERE hash = sha256(convert_to($1, 'UTF8')) AND version > $2 AND (expires IS NULL OR expires > now()))`

	// Rows that somebody has locked are left to the next save: nobody waits here,
	// so no two saves can wait for each other.
	postgresSweep = `
DELETE FROM boson_rooms WHERE hash IN
(SELECT hash FROM boson_rooms WHERE expires <= now() ORDER BY expires LIMIT $1 FOR UPDATE SKIP LOCKED)`
)

// postgresConns is how many connections a process makes at most, unless the setting
// says pool_max_conns: PostgreSQL takes a hundred of all together by default.
const postgresConns = 8

// parsePostgres checks a setting, an address with the parameters of the driver.
func parsePostgres(setting string) (*pgxpool.Config, error) {
	u, err := url.Parse(setting)
	if err != nil || u.Host == "" || strings.Trim(u.Path, "/") == "" {
		return nil, errBadStore
	}
	config, err := pgxpool.ParseConfig(setting)
	if err != nil {
		return nil, errBadStore
	}
	if !u.Query().Has("pool_max_conns") {
		config.MaxConns = postgresConns
	}
	return config, nil
}

// NewPostgres returns a store on a server, in the table boson_rooms of the
// connection's schema, which is made if it is missing. Connections are made when
// they are needed.
func NewPostgres(config *pgxpool.Config) (*Postgres, error) {
	pool, err := pgxpool.NewWithConfig(context.Background(), config.Copy())
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return &Postgres{pool: pool}, nil
}

// Close implements Store.
func (p *Postgres) Close() error {
	p.pool.Close()
	return nil
}

// Load implements Store.
func (p *Postgres) Load(ctx context.Context, key string) (s Saved, err error) {
	err = p.do(ctx, func() error {
		return p.pool.QueryRow(ctx, postgresLoad, key).Scan(&s.Version, &s.State)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return Saved{}, ErrNotFound
	}
	return s, err
}

// Save implements Store. It removes a few states that expired on its way, as Bolt does.
func (p *Postgres) Save(ctx context.Context, key string, s Saved) error {
	var expires *time.Time
	if !s.Expires.IsZero() {
		expires = &s.Expires
	}
	var rows int64
	err := p.do(ctx, func() error {
		batch := &pgx.Batch{}
		batch.Queue(postgresSave, key, s.Version, expires, s.State)
		batch.Queue(postgresSweep, sweepPerSave)
		results := p.pool.SendBatch(ctx, batch)
		tag, err := results.Exec()
		rows = tag.RowsAffected()
		return errors.Join(err, results.Close())
	})
	if err == nil && rows == 0 {
		return ErrStale
	}
	return err
}

// Delete implements Store.
func (p *Postgres) Delete(ctx context.Context, key string, version int64) error {
	newer := false
	err := p.do(ctx, func() error {
		tag, err := p.pool.Exec(ctx, postgresDelete, key, version, tombstone.Milliseconds())
		if err != nil || tag.RowsAffected() > 0 {
			return err
		}
		return p.pool.QueryRow(ctx, postgresNewer, key, version).Scan(&newer)
	})
	if err == nil && newer {
		return ErrStale
	}
	return err
}

// do runs a request, and a second time on a new connection if its own has died
// while it was idle. Requests may be repeated: versions see to that.
func (p *Postgres) do(ctx context.Context, request func() error) error {
	once := func() error {
		if err := p.prepare(ctx); err != nil {
			return err
		}
		return request()
	}
	err := once()
	if err != nil && ctx.Err() == nil && connectionDied(err) {
		p.pool.Reset()
		err = once()
	}
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

// connectionDied says whether an error is not the database's opinion of the request.
func connectionDied(err error) bool {
	if errors.Is(err, pgx.ErrNoRows) {
		return false
	}
	var opinion *pgconn.PgError
	return !errors.As(err, &opinion) || strings.HasPrefix(opinion.Code, "57P") // it is being shut down
}

// prepare makes the table if it is missing. A user that may not make it can use one
// that is there.
func (p *Postgres) prepare(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ready {
		return nil
	}
	there := false
	if err := p.pool.QueryRow(ctx, `SELECT to_regclass('boson_rooms') IS NOT NULL`).Scan(&there); err != nil {
		return err
	}
	if !there {
		err := pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
			// Of servers that start together one makes it: IF NOT EXISTS alone fails
			// when two begin at once.
			if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtext('boson_rooms'))`); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, postgresTable)
			return err
		})
		if err != nil {
			return err
		}
	}
	p.ready = true
	return nil
}
