package host_test

import (
	"math"
	"sync"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
	"github.com/boson-project/boson/pkg/plugin/plugintest"
	"github.com/boson-project/boson/pkg/transport"
)

// PL-102: actors that may stay away for ever.
func TestUnlimitedPlayerTTL(t *testing.T) {
	for _, ttl := range []int32{-1, math.MaxInt32} {
		bubble(t, plugintest.Options{}, func(t *testing.T, s *plugintest.Server, r *recorder) {
			ann, bob := s.Client("ann"), s.Client("bob")
			wantOk(t, ann.Create("room", options(0, ttl)...))
			wantOk(t, bob.Join("room"))
			bob.Drop(transport.ReasonTimeout)
			time.Sleep(1000 * time.Hour)
			settle()
			wantList(t, "callbacks", only(r.noted(), "leave"), "leave 2 inactive=true reason=4")
			if n := s.Record("room").Inactive; n != 1 {
				t.Errorf("%d inactive actors", n)
			}
		})
	}
}

// PL-104: an EmptyRoomTTL above the limit, even one that the plugin asks for.
func TestEmptyRoomTTLAboveTheLimit(t *testing.T) {
	bubble(t, plugintest.Options{}, func(t *testing.T, s *plugintest.Server, r *recorder) {
		wantCode(t, s.Client("ann").Create("room", options(60_001, 0)...), photon.ReturnInvalidOperation)
		wantList(t, "callbacks", r.noted(), "create ann join=false createIfNotExists=false", "beforeClose failed=true", "close failed=true actors=0")
	})
	bubble(t, plugintest.Options{}, func(t *testing.T, s *plugintest.Server, r *recorder) {
		r.create = func(c *plugin.CreateGameCall) {
			c.Request.EmptyRoomLiveTime = 70_000
			_ = c.Continue()
		}
		wantCode(t, s.Client("ann").Create("room", options(1000, 0)...), photon.ReturnInvalidOperation)
	})
}

// PL-43: what an actor that leaves takes along.
func TestDeleteCacheOnLeave(t *testing.T) {
	for _, deletes := range []bool{true, false} {
		bubble(t, plugintest.Options{}, func(t *testing.T, s *plugintest.Server, r *recorder) {
			ann, bob := s.Client("ann"), s.Client("bob")
			wantOk(t, ann.Create("room", param(photon.ParamCleanupCacheOnLeave, deletes)))
			wantOk(t, bob.Join("room"))
			ann.Raise(1, nil, param(photon.ParamCache, byte(photon.AddToRoomCache)))
			bob.Raise(2, nil, param(photon.ParamCache, byte(photon.AddToRoomCache)))
			bob.Raise(3, nil, param(photon.ParamCache, byte(photon.AddToRoomCacheGlobal)))
			wantOk(t, bob.Leave(false))
			carl := s.Client("carl")
			wantOk(t, carl.Join("room"))
			want := []string{"1 from 1: <nil>", "2 from 2: <nil>", "3 from 0: <nil>"}
			if deletes {
				want = []string{"1 from 1: <nil>", "3 from 0: <nil>"}
			}
			wantList(t, "cache", texts(carl.Events()), want...)
		})
	}
}

// PL-88: a room that stands still takes only so much. What may be lost is lost;
// who sends what may not is disconnected, and the others stay.
func TestFullInbox(t *testing.T) {
	block, stands := make(chan struct{}), make(chan struct{})
	free := sync.OnceFunc(func() { close(block) })
	defer free()
	r := &recorder{}
	first := true
	r.raise = func(c *plugin.RaiseEventCall) {
		if first {
			first = false
			close(stands)
			<-block
		}
		_ = c.Continue()
	}
	left := make(chan plugin.LeaveReason, 1)
	r.leave = func(c *plugin.LeaveCall) {
		select {
		case left <- c.Reason:
		default:
		}
		_ = c.Continue()
	}
	s := plugintest.New(t, plugintest.Options{Factory: &factory{made: []*recorder{r}}, MaxWaiting: 1000})
	ann, bob := s.Client("ann"), s.Client("bob")
	wantOk(t, ann.Create("room"))
	wantOk(t, bob.Join("room"))
	ann.Raise(1, nil)
	event := param(photon.ParamEventCode, byte(2))
	<-stands // only now does all that follows wait behind it
	for range 1100 {
		bob.SendUnreliable(photon.OpRaiseEvent, event, param(photon.ParamActorList, []int32{}))
	}
	ann.Raise(1, nil)
	if text := ann.WaitGone(); text != "the room can't keep up" {
		t.Errorf("ann was told %q", text)
	}
	ann.Drop(transport.ReasonRateLimit) // as the server does when ann had time to read it
	free()
	if reason := <-left; reason != photon.ManagedDisconnect {
		t.Errorf("ann left for reason %d", reason)
	}
	bob.WaitEvent(1)
	bob.Sync()
}

// Who left for good is not in what is saved, even if the plugin has not let go of it.
func TestLeaveThatOutlivesTheRoom(t *testing.T) {
	bubble(t, plugintest.Options{}, func(t *testing.T, s *plugintest.Server, r *recorder) {
		r.leave = func(c *plugin.LeaveCall) {
			if c.Reason != photon.LeaveRequest {
				_ = c.Continue()
				return
			}
			r.Host.DeferAfter(c, time.Minute, func() { _ = c.Continue() })
		}
		var left []int32
		r.close = func(c *plugin.CloseGameCall) {
			for _, a := range r.Host.Actors() {
				left = append(left, a.ActorNr)
			}
			_ = c.Continue()
		}
		ann, bob := s.Client("ann"), s.Client("bob")
		wantOk(t, ann.Create("room", options(0, 60_000)...))
		wantOk(t, bob.Join("room"))
		ann.Send(photon.OpLeave)
		bob.Sync()
		s.Close("room")
		settle()
		wantList(t, "actors at the end", left, 2)
	})
}
