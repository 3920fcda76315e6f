//go:build unix

package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/boson-project/boson/pkg/photon"
)

// newRealRedis is Redis itself, down at first. The test is skipped where it is not
// installed: what must hold everywhere is tested with miniredis.
func newRealRedis(t *testing.T) *dbServer {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("redis-server is not installed")
	}
	s := newDBServer(t, "s", syscall.SIGTERM)
	s.command = func() *exec.Cmd {
		return exec.Command(program, "--port", "0", "--unixsocket", s.socket, "--dir", s.dir, "--save", "", "--appendonly", "yes", "--appendfsync", "always")
	}
	return s
}

func init() {
	realStores["real redis"] = func(t *testing.T) string {
		s := newRealRedis(t)
		startRedis(s)
		return "redis://" + s.addr() + "/1"
	}
}

func startRedis(s *dbServer) {
	s.t.Helper()
	s.start(func() bool {
		c := redis.NewClient(&redis.Options{Network: "unix", Addr: s.socket, MaxRetries: -1})
		defer c.Close()
		return c.Ping(ctx).Err() == nil
	})
}

// Expiry, tombstones and big states with the real server.
func TestRealRedis(t *testing.T) {
	t.Parallel()
	server := newRealRedis(t)
	startRedis(server)
	s := look(t, "redis://"+server.addr())
	client := s.(*Redis).client

	ttl := func(what string, low, high time.Duration) {
		t.Helper()
		got := client.PTTL(ctx, redisPrefix+"a").Val()
		if got < low || got > high {
			t.Errorf("%s: it expires in %v, want %v to %v", what, got, low, high)
		}
	}
	check(t, "save", s.Save(ctx, "a", Saved{Version: 1, Expires: time.Now().Add(time.Hour), State: []byte("x")}), nil)
	ttl("an hour", 50*time.Minute, time.Hour)
	check(t, "save", s.Save(ctx, "a", Saved{Version: 2, State: []byte("x")}), nil)
	ttl("never", -1, -1)
	check(t, "save", s.Save(ctx, "a", Saved{Version: 3, Expires: time.Now().Add(10 * time.Millisecond), State: []byte("x")}), nil)
	eventually(t, "it has expired", func() bool {
		_, err := s.Load(ctx, "a")
		return errors.Is(err, ErrNotFound)
	})
	check(t, "older save after the expiry", s.Save(ctx, "a", Saved{Version: 2, State: []byte("x")}), nil)
	check(t, "delete", s.Delete(ctx, "a", 2), nil)
	ttl("deleted", tombstone-time.Minute, tombstone)
	check(t, "late save", s.Save(ctx, "a", Saved{Version: 2, State: []byte("x")}), ErrStale)
	check(t, "new save", s.Save(ctx, "a", Saved{Version: 3, State: []byte("y")}), nil)
	ttl("saved after a deletion", -1, -1)

	big := bytes.Repeat([]byte("0123456789abcdef"), 2<<20) // 32 MB
	check(t, "big save", s.Save(ctx, "big", Saved{Version: 1, State: big}), nil)
	got, err := s.Load(ctx, "big")
	if err != nil || !bytes.Equal(got.State, big) {
		t.Errorf("loaded %d bytes of %d, %v", len(got.State), len(big), err)
	}
	// Milliseconds of the far future are exact.
	const far = int64(1)<<52 + 1
	check(t, "save", s.Save(ctx, "far", Saved{Version: far, State: []byte("x")}), nil)
	check(t, "older save", s.Save(ctx, "far", Saved{Version: far - 1, State: []byte("x")}), ErrStale)
	expect(t, s, "far", far, "x")
}

// A restarted server is used again, though every connection of the pool has died
// and its scripts are gone.
func TestRealRedisRestarts(t *testing.T) {
	t.Parallel()
	server := newRealRedis(t)
	startRedis(server)
	s := look(t, "redis://"+server.addr())
	saveSome(t, s, 1)
	server.stop()
	check(t, "save without server", s.Save(ctx, "0", Saved{Version: 9, State: []byte("x")}), errAny)
	startRedis(server)
	for i := range maxWorkers {
		expect(t, s, fmt.Sprint(i), 1, "x")
	}
	saveSome(t, s, 2)

	// More requests than connections fail: the client then asks nobody for a while.
	server.stop()
	for range maxWorkers + 4 {
		_, err := s.Load(ctx, "0")
		check(t, "load without server", err, errAny)
	}
	startRedis(server)
	eventually(t, "it is used again", func() bool {
		_, err := s.Load(ctx, "0")
		return err == nil
	})
	saveSome(t, s, 3)
}

// Requests end with their context, not sooner and not later, when the server is slow.
func TestRealRedisIsSlow(t *testing.T) {
	t.Parallel()
	server := newRealRedis(t)
	startRedis(server)
	s := look(t, "redis://"+server.addr())
	check(t, "save", s.Save(ctx, "a", Saved{Version: 1, State: []byte("x")}), nil)
	server.pause()
	resume := time.AfterFunc(3*time.Second, server.resume) // later than the requests, sooner than the client's own time-outs
	defer resume.Stop()
	defer server.resume()
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	_, err := s.Load(short, "a")
	check(t, "load", err, errAny)
	check(t, "save", s.Save(short, "a", Saved{Version: 2, State: []byte("y")}), errAny)
	check(t, "delete", s.Delete(short, "a", 2), errAny)
	resume.Stop()
	server.resume()
	expect(t, s, "a", 1, "x")
	check(t, "save", s.Save(ctx, "a", Saved{Version: 3, State: []byte("z")}), nil)
	expect(t, s, "a", 3, "z")
}

// A server that is down when rooms begin is no harm but to those who ask, and
// its restart costs no room.
func TestRoomsOnRealRedis(t *testing.T) {
	quick(t)
	server := newRealRedis(t)
	s := rooms(t, "redis://"+server.addr(), nil)
	ann := s.Client("ann")
	expectCode(t, "create without database", create(ann, "room1", playerTTL(-1)), photon.ReturnPluginReportedError)
	startRedis(server)
	expectCode(t, "create", create(ann, "room1", playerTTL(-1)), 0)
	ann.Set(0, turn(3))
	server.stop()
	startRedis(server)
	ann.Leave(true)
	eventually(t, "the room ends", func() bool { return s.Rooms() == 0 })
	r := ann.JoinMode("room1", photon.RejoinOnly)
	expectCode(t, "rejoin", r, 0)
	if turnOf(r) != int32(3) {
		t.Errorf("rejoined with %v", r.Params)
	}
}
