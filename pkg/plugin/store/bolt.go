package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// Bolt keeps states in one file of a directory, for the game servers of one
// process. What was saved is on the disk when Save returns.
type Bolt struct{ db *bolt.DB }

// The buckets: records by key, and keys by expiry, so that old ones are found
// without a walk.
var (
	roomsBucket  = []byte("rooms")
	expiryBucket = []byte("expiry")
)

// A record is a byte of format, version and expiry in ms (0: never), big-endian,
// and the state.
const (
	recordFormat = 1
	recordHeader = 1 + 8 + 8
)

// boltFile is the file's name in the directory.
const boltFile = "rooms.db"

// sweepPerSave is how many expired states a Save removes on its way: more than
// it adds, so the file does not fill with them.
const sweepPerSave = 8

// OpenBolt opens or makes the file. It fails within a second if another process
// has it.
func OpenBolt(dir string) (*Bolt, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	file := filepath.Join(dir, boltFile)
	db, err := bolt.Open(file, 0o600, &bolt.Options{Timeout: time.Second})
	if errors.Is(err, berrors.ErrTimeout) {
		return nil, fmt.Errorf("store: %s is in use by another process; give each its own directory, or use Redis or PostgreSQL", file)
	}
	if err != nil {
		return nil, fmt.Errorf("store: %s: %w", file, err)
	}
	// One write to the disk for as many saves as there are workers.
	db.MaxBatchSize, db.MaxBatchDelay = maxWorkers, 2*time.Millisecond
	err = db.Update(func(tx *bolt.Tx) error {
		for _, name := range [][]byte{roomsBucket, expiryBucket} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("store: %s: %w", file, err)
	}
	return &Bolt{db: db}, nil
}

// Close implements Store.
func (b *Bolt) Close() error { return b.db.Close() }

// Load implements Store.
func (b *Bolt) Load(ctx context.Context, key string) (s Saved, err error) {
	if err := ctx.Err(); err != nil {
		return s, err
	}
	err = b.db.View(func(tx *bolt.Tx) error {
		record := tx.Bucket(roomsBucket).Get([]byte(key))
		if record == nil {
			return ErrNotFound
		}
		if s, err = parseRecord(record); err != nil {
			return fmt.Errorf("store: %s: %w", key, err)
		}
		if s.expired(time.Now()) {
			return ErrNotFound
		}
		s.State = bytes.Clone(s.State)
		return nil
	})
	if err != nil {
		return Saved{}, err
	}
	return s, nil
}

// Save implements Store. Saves of many rooms at once share a transaction.
func (b *Bolt) Save(ctx context.Context, key string, s Saved) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var stale bool // an error would make the others of the transaction try again
	err := b.db.Batch(func(tx *bolt.Tx) error {
		stale = false
		rooms := tx.Bucket(roomsBucket)
		if err := sweep(tx, time.Now()); err != nil {
			return err
		}
		if old := rooms.Get([]byte(key)); old != nil {
			if before, err := parseRecord(old); err == nil {
				if before.Version > s.Version {
					stale = true
					return nil
				}
				if err := unindex(tx, key, before); err != nil {
					return err
				}
			}
		}
		if err := index(tx, key, s); err != nil {
			return err
		}
		return rooms.Put([]byte(key), appendRecord(nil, s))
	})
	if err == nil && stale {
		return ErrStale
	}
	return err
}

// Delete implements Store.
func (b *Bolt) Delete(ctx context.Context, key string, version int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var stale bool
	err := b.db.Batch(func(tx *bolt.Tx) error {
		stale = false
		rooms := tx.Bucket(roomsBucket)
		old := rooms.Get([]byte(key))
		if old == nil {
			return nil
		}
		if before, err := parseRecord(old); err == nil {
			if before.Version > version {
				stale = true
				return nil
			}
			if err := unindex(tx, key, before); err != nil {
				return err
			}
		}
		return rooms.Delete([]byte(key))
	})
	if err == nil && stale {
		return ErrStale
	}
	return err
}

func appendRecord(b []byte, s Saved) []byte {
	b = append(b, recordFormat)
	b = binary.BigEndian.AppendUint64(b, uint64(s.Version))
	b = binary.BigEndian.AppendUint64(b, expiryMillis(s))
	return append(b, s.State...)
}

var errRecord = errors.New("unknown record")

// parseRecord reads a record. The state stays in it.
func parseRecord(b []byte) (s Saved, err error) {
	if len(b) < recordHeader || b[0] != recordFormat {
		return s, errRecord
	}
	s.Version = int64(binary.BigEndian.Uint64(b[1:]))
	if ms := binary.BigEndian.Uint64(b[9:]); ms != 0 {
		s.Expires = time.UnixMilli(int64(ms))
	}
	s.State = b[recordHeader:]
	return s, nil
}

func expiryMillis(s Saved) uint64 {
	if s.Expires.IsZero() {
		return 0
	}
	return uint64(max(s.Expires.UnixMilli(), 1))
}

// expiryKey sorts by time.
func expiryKey(key string, s Saved) []byte {
	return append(binary.BigEndian.AppendUint64(nil, expiryMillis(s)), key...)
}

func index(tx *bolt.Tx, key string, s Saved) error {
	if s.Expires.IsZero() {
		return nil
	}
	return tx.Bucket(expiryBucket).Put(expiryKey(key, s), nil)
}

func unindex(tx *bolt.Tx, key string, s Saved) error {
	if s.Expires.IsZero() {
		return nil
	}
	return tx.Bucket(expiryBucket).Delete(expiryKey(key, s))
}

// sweep removes a few of the states that expired.
func sweep(tx *bolt.Tx, now time.Time) error {
	var old [][]byte
	c := tx.Bucket(expiryBucket).Cursor()
	for k, _ := c.First(); k != nil && len(old) < sweepPerSave; k, _ = c.Next() {
		if len(k) >= 8 && binary.BigEndian.Uint64(k) > uint64(now.UnixMilli()) {
			break
		}
		old = append(old, bytes.Clone(k))
	}
	for _, k := range old {
		if err := tx.Bucket(expiryBucket).Delete(k); err != nil {
			return err
		}
		if len(k) < 8 {
			continue
		}
		if err := tx.Bucket(roomsBucket).Delete(k[8:]); err != nil {
			return err
		}
	}
	return nil
}
