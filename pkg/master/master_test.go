package master

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// A panic in one operation leaves the application at work, and an application
// that nobody uses goes.
func TestPanicAndIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{StatsInterval: 5 * time.Second, LobbyStatsInterval: time.Minute, Logger: zerolog.Nop()})
		ran := false
		s.post("app\x001", func(*application, time.Time) { panic("a bug") })
		s.post("app\x001", func(*application, time.Time) { ran = true })
		synctest.Wait()
		if !ran {
			t.Error("what came after the panic did not run")
		}
		time.Sleep(11 * time.Second)
		synctest.Wait()
		s.mu.Lock()
		left := len(s.apps)
		s.mu.Unlock()
		if left != 0 {
			t.Errorf("%d idle applications stay", left)
		}
		s.Close()
	})
}

// LB-135: users that are null, empty or asked for twice are answered each.
func TestFindFriendsForms(t *testing.T) {
	inBubble(t, Options{}, func(b *bench) {
		p := b.connect("ann", 1)
		b.room("r", "bob", 2, nil)
		users := func(v any) gpbinary.Param { return photon.Param(photon.ParamFindFriendsUsers, v) }
		for _, tt := range []struct {
			users any
			want  string
		}{
			{[]string{"ann", "bob", "bob", "", "Bob"}, `[[true true true false false] ["" "r" "r" "" ""]]`},
			{gpbinary.ObjectArray{"ann", nil, "bob"}, `[[true false true] ["" "" "r"]]`},
			{[]string{}, `[[] []]`},
			{gpbinary.ObjectArray{}, `[[] []]`},
		} {
			p.send(photon.OpFindFriends, users(tt.users))
			params := p.params(photon.OpFindFriends)
			online, _ := params.Get(1)
			rooms, _ := params.Get(2)
			if got := fmt.Sprintf("%q", []any{online, rooms}); strings.NewReplacer("%!q(bool=", "", ")", "").Replace(got) != tt.want {
				t.Errorf("%v: %s, want %s", tt.users, got, tt.want)
			}
			if _, ok := online.([]bool); !ok {
				t.Errorf("%v: %T", tt.users, online)
			}
		}
		p.responses()
		for _, wrong := range []any{nil, "ann", gpbinary.ObjectArray{"ann", int32(1)}, []int32{1}} {
			p.send(photon.OpFindFriends, users(wrong))
			p.wants(fmt.Sprint(wrong), "222 -2")
		}
	})
}

// An application that has ended does not come to life again by a timer that was
// under way, to end the one that took its place with its clients.
func TestEndedStaysEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{StatsInterval: 5 * time.Second, LobbyStatsInterval: time.Minute, Logger: zerolog.Nop()})
		var first, second *application
		s.post(testApp, func(a *application, _ time.Time) { first = a })
		synctest.Wait()
		s.post(testApp, func(a *application, now time.Time) {
			a.nextStats, a.slot = now, statsSlots-1 // idle, and found to be before the timer fires
		})
		synctest.Wait()
		s.post(testApp, func(a *application, _ time.Time) {
			second = a
			a.peers[&peer{}] = struct{}{}
		})
		synctest.Wait()
		if first == second {
			t.Fatal("the idle application did not end")
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		s.mu.Lock()
		if s.apps[testApp] != second {
			t.Error("an application with clients was ended")
		}
		s.mu.Unlock()
		s.Close()
	})
}
