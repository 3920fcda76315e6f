package master

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/boson-project/boson/pkg/photon"
)

// slow makes the game server answer its next reservation when the test says so, and
// those after it at once.
func (b *bench) slow() (answer chan<- ReserveResult) {
	answers, first := make(chan ReserveResult), true
	b.serve(func(ctx context.Context, _ Reservation) (ReserveResult, error) {
		if !first {
			return ReserveOk, nil
		}
		first = false
		select {
		case r := <-answers:
			return r, nil
		case <-ctx.Done():
			return ReserveRefused, ctx.Err()
		}
	})
	return answers
}

// A room ends and comes to be again while a client is on the way to it. What the
// client wants is decided anew, not refused (cluster.md 12.3).
func TestRoomComesWhileItIsPlaced(t *testing.T) {
	createOrJoin := photon.Param(photon.ParamJoinMode, byte(photon.CreateIfNotExists))
	for _, tt := range []struct {
		name string
		// meanwhile happens before the game server answers.
		meanwhile func(b *bench)
		want      string
	}{
		{"its record is quicker than the answer", func(b *bench) { b.room("r", "bob", 9, nil) }, "226 0"},
		{"it has ended again", func(b *bench) { b.room("r", "bob", 9, nil); b.server.Remove("gs", testApp, "r") }, "226 0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, Options{}, func(b *bench) {
				answer := b.slow()
				p := b.connect("ann", 1)
				p.send(photon.OpJoinGame, roomName("r"), createOrJoin)
				tt.meanwhile(b)
				synctest.Wait()
				answer <- ReserveExists
				time.Sleep(retryDelay)
				p.wants("after the answer", tt.want)
			})
		})
	}
}

// A game server asks for a name that is being placed there for another client: it
// hears so when that is decided (cluster.md 12.3).
func TestGrantWhileItIsPlaced(t *testing.T) {
	for _, tt := range []struct {
		name   string
		server string // that asks
		want   ReserveResult
	}{
		{"there", "gs", ReserveOk},
		{"elsewhere", "gs-2", ReserveExists},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, Options{}, func(b *bench) {
				answer := b.slow()
				p := b.connect("ann", 1)
				p.send(photon.OpCreateGame, roomName("r"))
				got := make(chan ReserveResult, 1)
				b.server.RequestPlacement(tt.server, testApp, "r", func(r ReserveResult) { got <- r })
				synctest.Wait()
				if len(got) > 0 {
					t.Errorf("answered %v before it was decided", <-got)
				}
				answer <- ReserveOk
				p.wants("the creator", "227 0")
				time.Sleep(retryDelay)
				synctest.Wait()
				if len(got) == 0 {
					t.Error("no answer")
				} else if r := <-got; r != tt.want {
					t.Errorf("answered %v, want %v", r, tt.want)
				}
			})
		})
	}
	t.Run("never decided", func(t *testing.T) {
		inBubble(t, Options{}, func(b *bench) {
			b.slow()
			b.connect("ann", 1).send(photon.OpCreateGame, roomName("r"))
			got := make(chan ReserveResult, 1)
			b.server.RequestPlacement("gs", testApp, "r", func(r ReserveResult) { got <- r })
			time.Sleep(grantTimeout + retryDelay)
			synctest.Wait()
			if len(got) == 0 || <-got != ReserveRefused {
				t.Error("not refused in the end")
			}
		})
	})
}
