package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/daemon"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin/store"
)

// saving is a configuration with rooms in a directory.
func saving(dir string, settings ...string) func(*config.Config) {
	c := map[string]string{"Store": "bolt:" + dir, "SaveInterval": "0"}
	for i := 0; i < len(settings); i += 2 {
		c[settings[i]] = settings[i+1]
	}
	return func(cfg *config.Config) {
		cfg.Plugins.Apps = []config.PluginApp{{AppID: "*", Factory: "builtin:store", Config: c}}
	}
}

// startUp runs a cluster until stop is called.
func startUp(t *testing.T, change func(*config.Config)) (up *daemon.Up, stop func()) {
	t.Helper()
	up, err := daemon.NewUp(Config(change), zerolog.Nop(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), Timeout)
	defer cancel()
	if err := up.Start(ctx); err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		ctx, cancel := context.WithTimeout(context.Background(), Timeout)
		defer cancel()
		if err := up.Stop(ctx); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return up, stop
}

// storeForms are a form of each serialization.
var storeForms = []Form{{client.UDP, photon.GpBinaryV18}, {client.TCP, photon.GpBinaryV16}, {client.WebSocket, photon.JSON}}

// Asynchronous games survive a restart of all servers with nothing but a
// directory: those that nobody was in, and those in the middle of a game.
// Players come back by user id and by number. PL-52, PL-101, PL-102, PL-103, PL-114
func TestRoomsSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	for _, f := range storeForms {
		t.Run(f.String(), func(t *testing.T) {
			up, stop := startUp(t, saving(dir))
			opt := lasting(-1, 0)
			opt.CustomRoomProperties = map[string]any{"map": "forest"}
			ann, bob, room := pair(t, up, f, opt)
			playing := room + " playing"
			ann.cache(1, "cached", photon.AddToRoomCache)
			bob.hears("event 1 from 1: cached")
			bob.must(bob.SetActorProperties(bob.ctx(), 2, map[string]any{"hp": int32(3)}, nil))
			ann.until("properties of 2 by 2: {hp:3}")
			bob.must(bob.LeaveRoom(bob.ctx(), true))
			ann.hears("inactive 2")
			ann.must(ann.LeaveRoom(ann.ctx(), true))
			eventually(t, func() bool { return up.Rooms() == 0 }, "the empty room is gone")
			// Another room goes down with the servers.
			bob.creates(playing, opt)
			stop()

			up, _ = startUp(t, saving(dir))
			ann, bob = enters(t, up, f, "ann"), enters(t, up, f, "bob")
			eve := enters(t, up, f, "eve")
			// The name is taken; a stranger finds nothing to come back to.
			eve.fails(eve.CreateRoom(eve.ctx(), client.EnterRoomParams{RoomName: room}), photon.ReturnGameIDAlreadyExists)
			eve.fails(eve.RejoinRoom(eve.ctx(), room), photon.ReturnJoinFailedWithRejoinerNotFound)
			bob.must(bob.RejoinRoom(bob.ctx(), room))
			if bob.MyActorNr() != 2 || bob.MasterClientID() != 2 {
				t.Errorf("bob came back as %d, master client is %d", bob.MyActorNr(), bob.MasterClientID())
			}
			bob.hears(fmt.Sprintf("join 2 %q", bob.user), "event 1 from 1: cached")
			r := bob.CurrentRoom()
			if show(r.CustomProperties["map"]) != "forest" || show(r.Actors[2].CustomProperties["hp"]) != "3" || !r.Actors[1].IsInactive {
				t.Errorf("the room came back as %+v", r)
			}
			ann.must(ann.RejoinRoom(ann.ctx(), room))
			if ann.MyActorNr() != 1 {
				t.Errorf("ann came back as %d", ann.MyActorNr())
			}
			eve.must(eve.JoinRoom(eve.ctx(), client.EnterRoomParams{RoomName: room}))
			if eve.MyActorNr() != 3 {
				t.Errorf("a newcomer is actor %d, want 3", eve.MyActorNr())
			}
			// All leave for good: nothing is kept.
			for _, m := range []*member{ann, bob, eve} {
				m.must(m.LeaveRoom(m.ctx(), false))
			}
			eventually(t, func() bool { return up.Rooms() == 0 }, "the room is gone")
			ann.fails(ann.RejoinRoom(ann.ctx(), room), photon.ReturnGameDoesNotExist)

			// The one that went down with the servers.
			if f.Protocol != photon.JSON {
				if nr := rejoinByNumber(t, up, f, bob.user, playing, 1); nr != 1 {
					t.Errorf("bob came back as %d", nr)
				}
			}
		})
	}
}

// rejoinByNumber comes back to a room with an actor number, on connections of
// its own, and returns the number that the server gave.
func rejoinByNumber(t *testing.T, up *daemon.Up, f Form, user, room string, nr int32) int32 {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Timeout)
	t.Cleanup(cancel)
	w := &walker{user: user, opt: client.Options{Transport: f.Transport, Protocol: f.Protocol}}
	if err := w.start(ctx, address(up.Master(), f.Transport)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.master.Close() })
	params := photon.Params{photon.Param(photon.ParamRoomName, room), photon.Param(photon.ParamJoinMode, byte(photon.RejoinOnly))}
	r, err := w.master.Operation(ctx, photon.OpJoinGame, params)
	if err == nil {
		err = r.Err()
	}
	if err != nil {
		t.Fatal(err)
	}
	at, _ := r.String(photon.ParamAddress)
	game, err := w.dial(ctx, at, photon.Params{photon.Param(photon.ParamToken, w.token)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { game.Close() })
	r, err = game.Operation(ctx, photon.OpJoinGame, append(params, photon.Param(photon.ParamActorNr, nr)))
	if err == nil {
		err = r.Err()
	}
	if err != nil {
		t.Fatal(err)
	}
	got, _ := r.Int32(photon.ParamActorNr)
	return got
}

// A server that crashes loses no more of a room than what changed since the last
// save: here the file is copied away from under it, as a crash leaves it.
func TestRoomsSurviveACrash(t *testing.T) {
	before, after := t.TempDir(), t.TempDir()
	f := storeForms[0]
	up, _ := startUp(t, saving(before, "SaveInterval", "1s"))
	ann, _, room := pair(t, up, f, lasting(-1, 0))
	ann.cache(1, "cached", photon.AddToRoomCache)
	ann.must(ann.SetRoomProperties(ann.ctx(), map[string]any{"turn": int32(7)}, nil))
	key := store.Key("test", "1.0", "eu", room)
	eventually(t, func() bool {
		// The same twice: not read in the middle of a write, which is worse than a crash.
		file, err := os.ReadFile(before + "/rooms.db")
		again, _ := os.ReadFile(before + "/rooms.db")
		if err != nil || !bytes.Equal(file, again) || os.WriteFile(after+"/rooms.db", file, 0o600) != nil {
			return false
		}
		db, err := store.OpenBolt(after)
		if err != nil {
			return false
		}
		defer db.Close()
		saved, err := db.Load(context.Background(), key)
		return err == nil && bytes.Contains(saved.State, []byte(ann.user)) && bytes.Contains(saved.State, []byte(`"ActorCounter":2`)) && hasTurn(saved.State)
	}, "the running room is saved")

	up, _ = startUp(t, saving(after))
	ann, bob := enters(t, up, f, "ann"), enters(t, up, f, "bob")
	bob.must(bob.RejoinRoom(bob.ctx(), room))
	bob.hears(fmt.Sprintf("join 2 %q", bob.user), "event 1 from 1: cached")
	ann.must(ann.RejoinRoom(ann.ctx(), room))
	if ann.MyActorNr() != 1 || show(ann.CurrentRoom().CustomProperties["turn"]) != "7" {
		t.Errorf("ann came back as %d to %+v", ann.MyActorNr(), ann.CurrentRoom())
	}
}

// hasTurn says whether a state's properties have the key "turn".
func hasTurn(state []byte) bool {
	var s struct{ Binary map[string][]byte }
	return json.Unmarshal(state, &s) == nil && bytes.Contains(s.Binary["18"], []byte("turn"))
}

// A mistake in the settings of a compiled-in plugin stops the start with one line.
func TestPluginSettingsAreChecked(t *testing.T) {
	for _, test := range []struct{ factory, key, value, want string }{
		{"builtin:store", "Store", "here", `plugins.apps[0].config: plugin RoomStore: Store must be`},
		{"builtin:webhooks", "BaseUrl", "", `plugins.apps[0].config: plugin Webhooks1.2: BaseUrl is missing`},
	} {
		cfg := Config(nil)
		cfg.Plugins.Apps = []config.PluginApp{{AppID: "*", Factory: test.factory, Config: map[string]string{test.key: test.value}}}
		_, err := daemon.NewUp(cfg, zerolog.Nop(), io.Discard)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", test.factory, err)
		}
	}
}

// The configurations in the guides are good ones.
func TestGuides(t *testing.T) {
	for _, guide := range []string{"webhooks", "persistence"} {
		text, err := os.ReadFile("../../docs/" + guide + ".md")
		if err != nil {
			t.Fatal(err)
		}
		_, rest, ok := strings.Cut(string(text), "```yaml\n")
		block, _, end := strings.Cut(rest, "```")
		file := t.TempDir() + "/boson.yaml"
		if err := os.WriteFile(file, []byte(block), 0o600); err != nil || !ok || !end {
			t.Fatalf("%s has no configuration: %v", guide, err)
		}
		cfg, err := config.Load("boson", []string{"--config", file}, func(string) string { return "" }, io.Discard, nil)
		if err != nil {
			t.Fatalf("%s: %v", guide, err)
		}
		if _, err := daemon.NewUp(cfg, zerolog.Nop(), io.Discard); err != nil || len(cfg.Plugins.Apps) != 1 {
			t.Errorf("%s: %v", guide, err)
		}
	}
}
