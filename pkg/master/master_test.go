package master

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

// What comes to an application after its end, from a timer that was on its way,
// does not end the one that has its name by then.
func TestEndedApplication(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{StatsInterval: 5 * time.Second, LobbyStatsInterval: time.Minute, Logger: zerolog.Nop()})
		var first, second *application
		s.post("app\x001", func(a *application, _ time.Time) { first = a })
		synctest.Wait()
		first.post(func(time.Time) {
			if !first.end() {
				t.Error("it was not idle")
			}
		})
		synctest.Wait()
		s.post("app\x001", func(a *application, _ time.Time) {
			second = a
			a.asks++ // it is in use
		})
		synctest.Wait()
		for range 20 { // the first one's fiber has nothing to say any more
			first.post(func(time.Time) {})
			time.Sleep(time.Second)
			synctest.Wait()
		}
		s.mu.Lock()
		if s.apps["app\x001"] != second || second == first {
			t.Error("the second one is gone")
		}
		s.mu.Unlock()
		s.Close()
	})
}

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
