package store

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin/letter"
)

// letters are the files in a directory that may not be there.
func letters(t *testing.T, dir string) (names []string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, f := range files {
		names = append(names, f.Name())
	}
	return names
}

// A room whose database is gone when it ends is written to a file, and comes back
// from there when the database does.
func TestDeadLetter(t *testing.T) {
	quick(t)
	redis := miniredis.RunT(t)
	dir := t.TempDir() + "/letters"
	s := rooms(t, "redis://"+redis.Addr(), func(s *settings) { s.letterDir = dir })
	ann := s.Client("ann")
	expectCode(t, "create", create(ann, "room1", playerTTL(-1)), 0)
	ann.Set(0, turn(7))
	redis.Close()
	ann.Leave(true)
	eventually(t, "the room ends", func() bool { return s.Rooms() == 0 })
	if got := letters(t, dir); len(got) != 1 || got[0] != letterName(room1) {
		t.Fatalf("letters %v", got)
	}
	expectCode(t, "rejoin without database", ann.JoinMode("room1", photon.RejoinOnly), photon.ReturnPluginReportedError)
	if err := redis.Restart(); err != nil {
		t.Fatal(err)
	}
	expectCode(t, "create of a room that is a letter", create(s.Client("bob"), "room1"), photon.ReturnGameIDAlreadyExists)
	if got := letters(t, dir); len(got) != 0 {
		t.Errorf("letters %v are left", got)
	}
	if redis.HGet(redisPrefix+room1, "s") == "" {
		t.Error("the letter is not stored")
	}
	r := ann.JoinMode("room1", photon.RejoinOnly)
	expectCode(t, "rejoin", r, 0)
	if turnOf(r) != int32(7) {
		t.Errorf("rejoined with %v", r.Params)
	}
}

// A save that works after all leaves no letter.
func TestLetterOfASaveThatWorks(t *testing.T) {
	quick(t)
	m := &memory{fail: 2}
	dir := t.TempDir()
	s := rooms(t, m.use(t), func(s *settings) { s.letterDir = dir })
	ann := s.Client("ann")
	create(ann, "room1", playerTTL(-1))
	ann.Leave(true)
	eventually(t, "the room ends", func() bool { return s.Rooms() == 0 })
	if got := letters(t, dir); len(got) != 0 || m.count() != 1 {
		t.Errorf("letters %v, %d saves", got, m.count())
	}
}

// A directory that can't be written to keeps no room from its end.
func TestLetterThatCantBeWritten(t *testing.T) {
	quick(t)
	m := &memory{fail: 100}
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := rooms(t, m.use(t), func(s *settings) { s.letterDir = file })
	ann := s.Client("ann")
	create(ann, "room1", playerTTL(-1))
	ann.Leave(true)
	eventually(t, "the room ends", func() bool { return s.Rooms() == 0 })
}

// The letter of a room is there long before a server that stops gives up its
// rooms, though the database says nothing.
func TestLetterInTime(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		s := rooms(t, m.use(t), func(s *settings) { s.letterDir = dir })
		ann := s.Client("ann")
		create(ann, "room1", playerTTL(-1))
		m.hold = make(chan struct{})
		ann.Leave(true)
		synctest.Wait()
		if got := letters(t, dir); len(got) != 0 {
			t.Errorf("letters %v before their time", got)
		}
		time.Sleep(letter.After)
		synctest.Wait()
		if saved, err := readLetter(dir, room1); err != nil || saved.Version == 0 {
			t.Errorf("%+v, %v", saved, err)
		}
		close(m.hold)
		s.Stop()
	})
	if got := letters(t, dir); len(got) != 0 {
		t.Errorf("letters %v of a room that was saved", got)
	}
}

// What is newer counts, and a letter is taken once.
func TestLoadOfLetters(t *testing.T) {
	for _, test := range []struct {
		name                    string
		stored, letter, deleted int64 // versions; 0: none
		expires                 time.Time
		want                    int64
	}{
		{"no letter", 5, 0, 0, time.Time{}, 5},
		{"nothing stored", 0, 5, 0, time.Time{}, 5},
		{"older stored", 4, 5, 0, time.Now().Add(time.Hour), 5},
		{"the same stored", 5, 5, 0, time.Time{}, 5},
		{"newer stored", 6, 5, 0, time.Time{}, 6},
		{"expired", 0, 5, 0, time.Now().Add(-time.Hour), 0},
		{"deleted since", 4, 5, 6, time.Time{}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "letters")
			s := look(t, "redis://"+miniredis.RunT(t).Addr())
			p := &roomStore{set: &settings{letterDir: dir}, key: "a:b"}
			state := func(version int64) []byte { return []byte{'0' + byte(version)} }
			if v := test.stored; v != 0 {
				check(t, "save", s.Save(ctx, p.key, Saved{Version: v, State: state(v)}), nil)
			}
			if v := test.deleted; v != 0 {
				check(t, "delete", s.Delete(ctx, p.key, v), nil)
			}
			if v := test.letter; v != 0 {
				check(t, "letter", writeLetter(dir, p.key, Saved{Version: v, Expires: test.expires, State: state(v)}), nil)
				check(t, "older letter", writeLetter(dir, p.key, Saved{Version: v - 1, State: state(v - 1)}), ErrStale)
			}
			for range 2 {
				got, err := p.load(ctx, s, slog.New(slog.DiscardHandler))
				if test.want == 0 {
					check(t, "load", err, ErrNotFound)
				} else if err != nil || got.Version != test.want || string(got.State) != string(state(test.want)) {
					t.Errorf("version %d, %q, %v; want %d", got.Version, got.State, err, test.want)
				}
				if left := letters(t, dir); len(left) > 0 {
					t.Errorf("letters %v are left", left)
				}
			}
		})
	}
}

// A letter that can't be read is refused and stays, as a state would.
func TestBadLetter(t *testing.T) {
	dir := t.TempDir()
	s := look(t, "bolt:"+t.TempDir())
	p := &roomStore{set: &settings{letterDir: dir}, key: "a:b"}
	for _, text := range []string{`{`, `{"Key":"a:c","Version":1,"State":{}}`} {
		if err := os.WriteFile(filepath.Join(dir, letterName(p.key)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := p.load(ctx, s, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%s was loaded", text)
		}
		if len(letters(t, dir)) != 1 {
			t.Errorf("%s is gone", text)
		}
	}
}
