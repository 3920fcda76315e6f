//go:build unix

package store

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/boson-project/boson/pkg/photon"
)

func init() {
	realStores["postgres"] = func(t *testing.T) string {
		s := newPostgres(t)
		startPostgres(s)
		return postgresSetting(s)
	}
}

// postgresPrograms is the directory of initdb and postgres. Debian keeps them off
// the PATH.
func postgresPrograms(t *testing.T) string {
	if program, err := exec.LookPath("postgres"); err == nil {
		if program, err = filepath.EvalSymlinks(program); err == nil {
			return filepath.Dir(program)
		}
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(found) == 0 {
		t.Skip("postgres is not installed")
	}
	return filepath.Dir(found[len(found)-1])
}

// newPostgres is a new cluster of PostgreSQL, down at first. The test is skipped
// where it is not installed.
func newPostgres(t *testing.T) *dbServer {
	t.Helper()
	programs := postgresPrograms(t)
	s := newDBServer(t, ".s.PGSQL.5432", syscall.SIGINT)
	data := filepath.Join(s.dir, "data")
	command := func(name string, args ...string) *exec.Cmd {
		c := exec.Command(filepath.Join(programs, name), args...)
		c.Dir = s.dir
		if os.Getuid() == 0 { // it does not run as root
			nobody, err := user.Lookup("nobody")
			if err != nil {
				t.Skip(err)
			}
			uid, _ := strconv.Atoi(nobody.Uid)
			gid, _ := strconv.Atoi(nobody.Gid)
			if err := os.Chown(s.dir, uid, gid); err != nil {
				t.Fatal(err)
			}
			c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
		}
		return c
	}
	if out, err := command("initdb", "--no-sync", "--auth=trust", "--username=boson", "--encoding=UTF8", "--locale=C", data).CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	s.command = func() *exec.Cmd {
		return command("postgres", "-D", data, "-k", s.dir, "-c", "listen_addresses=", "-c", "fsync=off")
	}
	return s
}

func postgresSetting(s *dbServer) string {
	return "postgres://boson@" + s.addr() + "/postgres?sslmode=disable"
}

func startPostgres(s *dbServer) {
	s.t.Helper()
	s.start(func() bool {
		c, err := pgx.Connect(ctx, "postgres://boson@/postgres?host="+s.dir)
		if err != nil {
			return false
		}
		_ = c.Close(ctx)
		return true
	})
}

// What eachStore does not ask: tombstones, the removal of what expired, big states.
func TestPostgres(t *testing.T) {
	t.Parallel()
	server := newPostgres(t)
	startPostgres(server)
	s := look(t, postgresSetting(server))
	check(t, "save", s.Save(ctx, "a", Saved{Version: 5, State: []byte("x")}), nil)
	check(t, "delete", s.Delete(ctx, "a", 5), nil)
	check(t, "late save", s.Save(ctx, "a", Saved{Version: 5, State: []byte("x")}), ErrStale)
	check(t, "late delete", s.Delete(ctx, "a", 4), ErrStale)
	_, err := s.Load(ctx, "a")
	check(t, "load", err, ErrNotFound)

	pool := s.(*Postgres).pool
	rows := func(where string) (n int) {
		t.Helper()
		if err := pool.QueryRow(ctx, "SELECT count(*) FROM boson_rooms WHERE "+where).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := rows("key = 'a' AND expires BETWEEN now() AND now() + interval '10 minutes'"); n != 1 {
		t.Error("a tombstone stays for good, or not at all")
	}
	past := time.Now().Add(-time.Minute)
	for i := range 20 {
		check(t, "save", s.Save(ctx, fmt.Sprint(i), Saved{Version: 1, Expires: past, State: []byte("x")}), nil)
	}
	for i := range 2 {
		check(t, "save", s.Save(ctx, fmt.Sprint("new", i), Saved{Version: 1, State: []byte("x")}), nil)
	}
	if n := rows("expires <= now()"); n != 0 {
		t.Errorf("%d expired rows are left", n)
	}
	// What expired holds up no older version, though it was not removed yet.
	_, err = pool.Exec(ctx, "UPDATE boson_rooms SET version = 100, expires = now() - interval '1 hour' WHERE key = 'new0'")
	check(t, "aging", err, nil)
	check(t, "save over an expired one", s.Save(ctx, "new0", Saved{Version: 2, State: []byte("y")}), nil)
	expect(t, s, "new0", 2, "y")

	big := bytes.Repeat([]byte("0123456789abcdef"), 2<<20) // 32 MB
	check(t, "big save", s.Save(ctx, "big", Saved{Version: 1, State: big}), nil)
	got, err := s.Load(ctx, "big")
	if err != nil || !bytes.Equal(got.State, big) {
		t.Errorf("loaded %d bytes of %d, %v", len(got.State), len(big), err)
	}
	long := strings.Repeat("long", 5000)
	check(t, "save under a long key", s.Save(ctx, long, Saved{Version: 1, State: []byte("x")}), nil)
	expect(t, s, long, 1, "x")
}

// Servers that start together make one table, and one whose user may make none
// uses the one that is there.
func TestPostgresTable(t *testing.T) {
	t.Parallel()
	server := newPostgres(t)
	startPostgres(server)
	var done sync.WaitGroup
	for i := range 8 {
		s := look(t, postgresSetting(server))
		done.Go(func() {
			check(t, "save", s.Save(ctx, fmt.Sprint(i), Saved{Version: 1, State: []byte("x")}), nil)
		})
	}
	done.Wait()
	owner := look(t, postgresSetting(server))
	expect(t, owner, "7", 1, "x")
	_, err := owner.(*Postgres).pool.Exec(ctx, `CREATE ROLE guest LOGIN; GRANT SELECT, INSERT, UPDATE, DELETE ON boson_rooms TO guest`)
	check(t, "role", err, nil)
	guest := look(t, strings.Replace(postgresSetting(server), "boson@", "guest@", 1))
	check(t, "save of a guest", guest.Save(ctx, "7", Saved{Version: 2, State: []byte("y")}), nil)
	expect(t, owner, "7", 2, "y")
}

// Of saves of one room at once the newest stays, whatever the order.
func TestPostgresRace(t *testing.T) {
	t.Parallel()
	server := newPostgres(t)
	startPostgres(server)
	stores := []Store{look(t, postgresSetting(server)), look(t, postgresSetting(server))}
	var done sync.WaitGroup
	for i := range 40 {
		done.Go(func() {
			// Expired ones beside them, so that saves sweep, too.
			err := stores[i%2].Save(ctx, fmt.Sprint("old", i%4), Saved{Version: 1, Expires: time.Now().Add(-time.Minute), State: []byte("x")})
			check(t, "save of an expired one", err, nil)
			version := int64(1 + i*7%40)
			err = stores[i%2].Save(ctx, "a", Saved{Version: version, State: fmt.Append(nil, version)})
			if err != nil {
				check(t, "save", err, ErrStale)
			}
		})
	}
	done.Wait()
	expect(t, stores[0], "a", 40, "40")
}

// A restarted server is used again, though every connection has died, and a slow
// one costs a request its time and no more.
func TestPostgresRestarts(t *testing.T) {
	t.Parallel()
	server := newPostgres(t)
	s := look(t, postgresSetting(server))
	_, err := s.Load(ctx, "0")
	check(t, "load without server", err, errAny)
	startPostgres(server)
	saveSome(t, s, 1)
	server.stop()
	check(t, "save without server", s.Save(ctx, "0", Saved{Version: 9, State: []byte("x")}), errAny)
	startPostgres(server)
	saveSome(t, s, 2)
	server.stop()
	startPostgres(server)
	saveSome(t, s, 3)

	tx, err := look(t, postgresSetting(server)).(*Postgres).pool.Begin(ctx)
	check(t, "begin", err, nil)
	_, err = tx.Exec(ctx, "LOCK TABLE boson_rooms")
	check(t, "lock", err, nil)
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	_, err = s.Load(short, "0")
	check(t, "load from a busy table", err, context.DeadlineExceeded)
	check(t, "save", s.Save(short, "0", Saved{Version: 4, State: []byte("x")}), context.DeadlineExceeded)
	check(t, "rollback", tx.Rollback(ctx), nil)
	saveSome(t, s, 5)
}

// Rooms go through a restart of the database, and from one server to another.
func TestRoomsOnPostgres(t *testing.T) {
	quick(t)
	server := newPostgres(t)
	one, two := rooms(t, postgresSetting(server), nil), rooms(t, postgresSetting(server), nil)
	ann := one.Client("ann")
	expectCode(t, "create without database", create(ann, "room1", playerTTL(-1)), photon.ReturnPluginReportedError)
	startPostgres(server)
	expectCode(t, "create", create(ann, "room1", playerTTL(-1)), 0)
	ann.Set(0, turn(3))
	server.stop()
	startPostgres(server)
	ann.Leave(true)
	eventually(t, "the room ends", func() bool { return one.Rooms() == 0 })
	ann = two.Client("ann")
	r := ann.JoinMode("room1", photon.RejoinOnly)
	expectCode(t, "rejoin", r, 0)
	if turnOf(r) != int32(3) {
		t.Errorf("rejoined with %v", r.Params)
	}
	ann.Leave(false)
	eventually(t, "the room ends", func() bool { return two.Rooms() == 0 })
	expectCode(t, "rejoin of a room that is over", ann.JoinMode("room1", photon.RejoinOnly), photon.ReturnGameDoesNotExist)
}
