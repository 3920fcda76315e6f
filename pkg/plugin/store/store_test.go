package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	bolt "go.etcd.io/bbolt"
)

// eachStore runs a test with each kind of store. reopen gives a second one on the
// same data, after the first has closed.
func eachStore(t *testing.T, test func(t *testing.T, s Store, reopen func() Store)) {
	open := func(t *testing.T, setting string) Store {
		f, err := parseStore(setting)
		if err != nil {
			t.Fatal(err)
		}
		s, err := f()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	run := func(t *testing.T, setting string) {
		current := open(t, setting)
		defer func() { _ = current.Close() }()
		test(t, current, func() Store {
			if err := current.Close(); err != nil {
				t.Fatal(err)
			}
			current = open(t, setting)
			return current
		})
	}
	t.Run("bolt", func(t *testing.T) { run(t, "bolt:"+t.TempDir()+"/states") })
	t.Run("redis", func(t *testing.T) { run(t, "redis://"+miniredis.RunT(t).Addr()+"/0") })
	for name, start := range realStores {
		t.Run(name, func(t *testing.T) { run(t, start(t)) })
	}
}

// realStores start servers that the machine has, or skip the test; they return the
// setting.
var realStores = map[string]func(*testing.T) string{}

var ctx = context.Background()

// errAny is any error but those that tell of a state.
var errAny = errors.New("any error")

func check(t *testing.T, what string, err, want error) {
	t.Helper()
	if want == errAny && err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrStale) {
		return
	}
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func expect(t *testing.T, s Store, key string, version int64, state string) {
	t.Helper()
	got, err := s.Load(ctx, key)
	if err != nil || got.Version != version || string(got.State) != state {
		t.Errorf("%s: version %d, %q, %v; want %d, %q", key, got.Version, got.State, err, version, state)
	}
}

func TestStore(t *testing.T) {
	eachStore(t, func(t *testing.T, s Store, reopen func() Store) {
		_, err := s.Load(ctx, "a")
		check(t, "load of nothing", err, ErrNotFound)
		check(t, "delete of nothing", s.Delete(ctx, "a", 1), nil)
		check(t, "save", s.Save(ctx, "a", Saved{Version: 5, State: []byte("five\x00")}), nil)
		check(t, "save of another", s.Save(ctx, "b", Saved{Version: 1, State: []byte("b")}), nil)
		expect(t, s, "a", 5, "five\x00")

		check(t, "older save", s.Save(ctx, "a", Saved{Version: 4, State: []byte("four")}), ErrStale)
		check(t, "the same save again", s.Save(ctx, "a", Saved{Version: 5, State: []byte("five\x00")}), nil)
		check(t, "older delete", s.Delete(ctx, "a", 4), ErrStale)
		expect(t, s, "a", 5, "five\x00")
		check(t, "newer save", s.Save(ctx, "a", Saved{Version: 6, State: []byte("six")}), nil)
		expect(t, s, "a", 6, "six")

		s = reopen()
		expect(t, s, "a", 6, "six")
		expect(t, s, "b", 1, "b")
		check(t, "delete", s.Delete(ctx, "a", 6), nil)
		_, err = s.Load(ctx, "a")
		check(t, "load after delete", err, ErrNotFound)
		check(t, "newer save after delete", s.Save(ctx, "a", Saved{Version: 7, State: []byte("seven")}), nil)
		expect(t, s, "a", 7, "seven")
		expect(t, s, "b", 1, "b")
	})
}

func TestStoreForgetsWhatExpired(t *testing.T) {
	eachStore(t, func(t *testing.T, s Store, _ func() Store) {
		past, future := time.Now().Add(-time.Minute), time.Now().Add(time.Hour)
		check(t, "save", s.Save(ctx, "old", Saved{Version: 1, Expires: past, State: []byte("x")}), nil)
		_, err := s.Load(ctx, "old")
		check(t, "load of an expired one", err, ErrNotFound)

		// A later save counts, with or without an expiry.
		check(t, "save", s.Save(ctx, "a", Saved{Version: 1, Expires: past, State: []byte("x")}), nil)
		check(t, "save", s.Save(ctx, "a", Saved{Version: 2, Expires: future, State: []byte("y")}), nil)
		expect(t, s, "a", 2, "y")
		check(t, "save", s.Save(ctx, "b", Saved{Version: 1, Expires: past, State: []byte("x")}), nil)
		check(t, "save", s.Save(ctx, "b", Saved{Version: 2, State: []byte("y")}), nil)
		check(t, "save", s.Save(ctx, "c", Saved{Version: 1, State: []byte("c")}), nil)
		expect(t, s, "b", 2, "y")
		expect(t, s, "a", 2, "y")
	})
}

// TestBoltSweeps holds that the file does not fill with expired states.
func TestBoltSweeps(t *testing.T) {
	b, err := OpenBolt(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	past := time.Now().Add(-time.Minute)
	for i := range 20 {
		check(t, "save", b.Save(ctx, fmt.Sprint(i), Saved{Version: 1, Expires: past, State: []byte("x")}), nil)
	}
	for i := range 2 {
		check(t, "save", b.Save(ctx, fmt.Sprint("new", i), Saved{Version: 1, State: []byte("x")}), nil)
	}
	err = b.db.View(func(tx *bolt.Tx) error {
		rooms, expiries := tx.Bucket(roomsBucket).Stats().KeyN, tx.Bucket(expiryBucket).Stats().KeyN
		if rooms != 2 || expiries != 0 {
			t.Errorf("%d rooms and %d expiries are left, want 2 and 0", rooms, expiries)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestRedisTombstone holds that a save that was on its way when the room was
// deleted does not bring it back.
func TestRedisTombstone(t *testing.T) {
	server := miniredis.RunT(t)
	f, err := parseStore("redis://" + server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	s, _ := f()
	defer s.Close()
	check(t, "save", s.Save(ctx, "a", Saved{Version: 5, State: []byte("x")}), nil)
	check(t, "delete", s.Delete(ctx, "a", 5), nil)
	check(t, "late save", s.Save(ctx, "a", Saved{Version: 5, State: []byte("x")}), ErrStale)
	_, err = s.Load(ctx, "a")
	check(t, "load", err, ErrNotFound)
	server.FastForward(tombstone + time.Second)
	if keys := server.Keys(); len(keys) != 0 {
		t.Errorf("keys %v are left", keys)
	}
}

func TestBoltOfAnotherProcess(t *testing.T) {
	dir := t.TempDir()
	b, err := OpenBolt(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if _, err := OpenBolt(dir); err == nil {
		t.Error("a second one opened the file")
	}
}

func TestRecords(t *testing.T) {
	for _, b := range [][]byte{nil, {1}, bytes.Repeat([]byte{2}, 30)} {
		if _, err := parseRecord(b); err == nil {
			t.Errorf("% x was read", b)
		}
	}
}

func TestStoreSetting(t *testing.T) {
	for _, setting := range []string{"", "bolt:", "file", "redis://:secret@host:port/x", "http://x", "postgres://u:secret@host", "postgres://u:secret@host:port/x", "postgres://u:secret@host/x?sslmode=secret"} {
		_, err := parseStore(setting)
		if err == nil || strings.Contains(err.Error(), "\n") || bytes.Contains([]byte(err.Error()), []byte("secret")) {
			t.Errorf("%q: %v", setting, err)
		}
	}
}

// TestKey holds that names can't be made up so that two rooms have one key.
func TestKey(t *testing.T) {
	if got := Key("app", "1.0", "eu", "room 1:x"); got != "app:1.0:eu:room+1%3Ax" {
		t.Error(got)
	}
	if Key("a", "1:eu", "x", "r") == Key("a", "1", "eu:x", "r") {
		t.Error("one key for two rooms")
	}
}

// TestQueue holds order per key, the bound of workers, and the bounds of the queue.
func TestQueue(t *testing.T) {
	var q queue
	var mu sync.Mutex
	var done sync.WaitGroup
	next := map[string]int{}
	running, most := 0, 0
	for i := range 2000 {
		key := fmt.Sprint(i % 50)
		done.Add(1)
		err := q.add(key, 1, func() {
			defer done.Done()
			mu.Lock()
			if next[key] != i/50 {
				t.Errorf("key %s: task %d ran when %d was due", key, i/50, next[key])
			}
			running++
			most = max(most, running)
			mu.Unlock()
			mu.Lock()
			next[key]++
			running--
			mu.Unlock()
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	done.Wait()
	if most > maxWorkers {
		t.Errorf("%d workers at once", most)
	}

	var full queue // the other may still be counting down
	hold := make(chan struct{})
	done.Add(1)
	if err := full.add("a", maxQueuedBytes, func() { defer done.Done(); <-hold }); err != nil {
		t.Fatal(err)
	}
	check(t, "a byte too many", full.add("b", 1, func() {}), errBusy)
	n := 1
	for full.add("a", 0, done.Done) == nil {
		done.Add(1)
		n++
	}
	if n != maxQueued {
		t.Errorf("%d tasks were queued, want %d", n, maxQueued)
	}
	close(hold)
	done.Wait()
}

func TestSharedStore(t *testing.T) {
	setting := "bolt:" + t.TempDir()
	a, err := acquire(setting)
	if err != nil {
		t.Fatal(err)
	}
	b, err := acquire(setting)
	if err != nil || a != b {
		t.Fatalf("two stores for one setting: %v", err)
	}
	request := func(s *shared) Store {
		c := make(chan Store)
		err := s.do("k", 0, time.Second, func(_ context.Context, s Store, err error) {
			if err != nil {
				t.Error(err)
			}
			c <- s
		})
		if err != nil {
			t.Fatal(err)
		}
		return <-c
	}
	first := request(a)
	a.release()
	a.closeIdle() // too early: b is there
	if second := request(b); second != first {
		t.Error("the store was closed in use")
	}
	b.release()
	for busy := true; busy; runtime.Gosched() { // the requests' own use ends behind their answers
		b.queue.mu.Lock()
		busy = b.queue.tasks > 0
		b.queue.mu.Unlock()
	}
	b.closeIdle()
	c, err := acquire(setting)
	if err != nil || c == b {
		t.Fatalf("a closed store is handed out, or none: %v", err)
	}
	request(c) // opens the file again
	c.release()
}

func TestExpiry(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name, state string
		maxAge      time.Duration
		want        time.Time
	}{
		{"the last of two", `{"PlayerTTL":60000,"ActorList":[{"DeactivationTime":"2025-12-31T23:59:50Z"},{"DeactivationTime":"2025-12-31T23:59:30Z"}]}`, 0, now.Add(50 * time.Second)},
		{"somebody plays", `{"PlayerTTL":60000,"ActorList":[{"IsActive":true}]}`, 0, now.Add(time.Minute + crashGrace)},
		{"forever", `{"PlayerTTL":-1,"ActorList":[]}`, 0, time.Time{}},
		{"forever, in the other form", `{"PlayerTTL":2147483647}`, 0, time.Time{}},
		{"forever is bounded", `{"PlayerTTL":-1}`, time.Hour, now.Add(time.Hour)},
		{"long is bounded", `{"PlayerTTL":7200000,"ActorList":[{"DeactivationTime":"2026-01-01T00:00:00Z"}]}`, time.Hour, now.Add(time.Hour)},
		{"short is not", `{"PlayerTTL":60000,"ActorList":[{"DeactivationTime":"2026-01-01T00:00:00Z"}]}`, time.Hour, now.Add(time.Minute)},
	} {
		if got, err := expiry([]byte(test.state), now, test.maxAge); err != nil || !got.Equal(test.want) {
			t.Errorf("%s: %v, %v; want %v", test.name, got, err, test.want)
		}
	}
	if _, err := expiry([]byte(`{`), now, 0); err == nil {
		t.Error("a broken state has an expiry")
	}
}
