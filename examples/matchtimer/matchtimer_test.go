package matchtimer

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
	"github.com/boson-project/boson/pkg/plugin/plugintest"
)

// bubble runs a test in virtual time, with ann alone in a room.
func bubble(t *testing.T, config plugin.Config, test func(t *testing.T, s *plugintest.Server, ann *plugintest.Client)) {
	synctest.Test(t, func(t *testing.T) {
		s := plugintest.New(t, plugintest.Options{Factory: Factory{}, Config: config})
		defer s.Stop()
		ann := s.Client("ann")
		if r := ann.Create("room"); r.ReturnCode != 0 {
			t.Fatalf("%+v", r)
		}
		test(t, s, ann)
	})
}

func join(t *testing.T, s *plugintest.Server, user string) *plugintest.Client {
	t.Helper()
	c := s.Client(user)
	if r := c.Join("room"); r.ReturnCode != 0 {
		t.Fatalf("%+v", r)
	}
	return c
}

// wantTold checks all that the room told a client since the last time.
func wantTold(t *testing.T, c *plugintest.Client, want ...string) {
	t.Helper()
	names := map[photon.EventCode]string{EvWaiting: "waiting", EvCountdown: "countdown", EvStarted: "started", EvEnded: "ended"}
	var got []string
	for _, e := range c.Events() {
		if e.Sender() != 0 {
			t.Errorf("%v is not the room's", e)
		}
		got = append(got, strings.TrimSuffix(fmt.Sprint(names[e.Code], " ", e.Data()), " <nil>"))
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s was told %v, want %v", c.UserID, got, want)
	}
}

func wantPhase(t *testing.T, c *plugintest.Client, want string) {
	t.Helper()
	if phase, _ := c.RoomProperties().Get(KeyPhase); phase != want {
		t.Errorf("phase is %v, want %s", phase, want)
	}
}

func TestMatch(t *testing.T) {
	bubble(t, plugin.Config{"countdown": "2500ms", "length": "1m", "idle": "0s"}, func(t *testing.T, s *plugintest.Server, ann *plugintest.Client) {
		wantPhase(t, ann, Waiting)
		wantTold(t, ann, "waiting 1")
		bob := join(t, s, "bob")
		wantPhase(t, ann, Countdown)
		time.Sleep(2500*time.Millisecond - 1) // virtual, as all of them
		wantTold(t, ann, "countdown 3", "countdown 2", "countdown 1")
		if !s.Record("room").Open {
			t.Error("the room is closed before the start")
		}
		time.Sleep(time.Second)
		wantPhase(t, bob, Running)
		wantTold(t, ann, "started 60")
		if s.Record("room").Open {
			t.Error("the room is open after the start")
		}
		if r := s.Client("cat").Join("room"); r.ReturnCode != photon.ReturnGameClosed {
			t.Errorf("a newcomer: %d %s", r.ReturnCode, r.Debug)
		}
		bob.Leave(false) // the match goes on
		time.Sleep(time.Minute)
		wantPhase(t, ann, Over)
		wantTold(t, ann, "ended")
	})
}

func TestCountdownIsBrokenOff(t *testing.T) {
	bubble(t, plugin.Config{"players": "3", "countdown": "2s"}, func(t *testing.T, s *plugintest.Server, ann *plugintest.Client) {
		join(t, s, "bob")
		cat := join(t, s, "cat")
		time.Sleep(1500 * time.Millisecond)
		cat.Leave(false)
		time.Sleep(time.Minute)
		wantPhase(t, ann, Waiting)
		wantTold(t, ann, "waiting 2", "waiting 1", "countdown 2", "countdown 1", "waiting 1")
		join(t, s, "dan")
		time.Sleep(3 * time.Second)
		wantPhase(t, ann, Running)
		wantTold(t, ann, "countdown 2", "countdown 1", "started 180")
	})
}

func TestIdlePlayersAreThrownOut(t *testing.T) {
	bubble(t, plugin.Config{"countdown": "0s", "idle": "10s"}, func(t *testing.T, s *plugintest.Server, ann *plugintest.Client) {
		time.Sleep(time.Minute) // nobody is idle before the match
		bob := join(t, s, "bob")
		for range 3 {
			time.Sleep(8 * time.Second)
			ann.Raise(1, nil)
			ann.Sync()
		}
		if reason := bob.WaitGone(); !strings.Contains(reason, "you did nothing for 10s") {
			t.Errorf("bob was told %q", reason)
		}
		if r := s.Client("bob").Join("room"); r.ReturnCode == 0 {
			t.Error("bob is back")
		}
		wantPhase(t, ann, Running)
		time.Sleep(11 * time.Second)
		ann.WaitGone()
	})
}

func TestNobodyIsIdleAfterTheMatch(t *testing.T) {
	bubble(t, plugin.Config{"players": "1", "countdown": "0s", "length": "5s", "idle": "10s"}, func(t *testing.T, s *plugintest.Server, ann *plugintest.Client) {
		time.Sleep(time.Minute)
		wantPhase(t, ann, Over)
		wantTold(t, ann, "started 5", "ended")
	})
}

func TestCheckConfig(t *testing.T) {
	for key, bad := range map[string]string{"players": "0", "countdown": "5", "length": "long", "idle": "-1s"} {
		if err := (Factory{}).CheckConfig(plugin.Config{key: bad}); err == nil || !strings.HasPrefix(err.Error(), key+" is ") {
			t.Errorf("%s: %v", key, err)
		}
	}
	if err := (Factory{}).CheckConfig(nil); err != nil {
		t.Error(err)
	}
}
