package master

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
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
