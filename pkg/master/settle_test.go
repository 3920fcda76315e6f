package master

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/lobby"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/transport"
)

// A client that comes from a room waits for the word that it has left, and not a
// moment longer; what it asks meanwhile is answered afterwards, in order. LB-007
func TestWaitForWordOfLeave(t *testing.T) {
	empty := func(r *lobby.Record) { r.Players, r.Users, r.Sessions = 0, nil, nil }
	for _, tt := range []struct {
		name string
		op   photon.OpCode
		room string
		// session of the client; that of the one in the room is 1.
		session byte
		// word is what the game server tells last; before that comes word of other
		// matters, which decides nothing.
		word  func(b *bench)
		late  time.Duration // until the wait is over without a word
		told  string
		alone string
	}{
		{"join", photon.OpJoinGame, "r", 2, func(b *bench) { b.room("r", "ann", 1, empty) }, settleTime, "226 0", "226 32746"},
		{"join after the end", photon.OpJoinGame, "r", 2, func(b *bench) { b.server.Remove("gs", testApp, "r") }, settleTime, "226 32758", "226 32746"},
		{"random", photon.OpJoinRandomGame, "", 2, func(b *bench) { b.room("r", "ann", 1, empty) }, settleTime, "225 0", "225 32760"},
		{"random, from this room", photon.OpJoinRandomGame, "", 1, func(b *bench) { b.room("r", "ann", 1, empty) }, settleTime, "225 0", "225 32760"},
		{"random, from a room that ended", photon.OpJoinRandomGame, "", 1, func(b *bench) { b.server.Remove("gs", testApp, "r") }, settleTime, "225 0", "225 32760"},
		{"the same session", photon.OpJoinGame, "r", 2, func(b *bench) { b.room("r", "ann", 2, nil) }, settleTime, "226 0", "226 32746"},
		{"create", photon.OpCreateGame, "r", 2, func(b *bench) { b.server.Remove("gs", testApp, "r") }, endTime, "227 0", "227 32766"},
		{"create, lives on", photon.OpCreateGame, "r", 2, func(b *bench) {
			b.room("r", "ann", 1, func(r *lobby.Record) { r.Users[0] = "bob" })
		}, endTime, "227 32766", "227 32766"},
	} {
		ask := func(b *bench) *player {
			b.room("r", "ann", 1, nil)
			p := b.connect("ann", tt.session)
			p.send(tt.op, roomName(tt.room))
			p.send(photon.OpLeaveLobby)
			p.wants("at once")
			return p
		}
		t.Run(tt.name+", told", func(t *testing.T) {
			inBubble(t, Options{}, func(b *bench) {
				p := ask(b)
				time.Sleep(tt.late / 2)
				b.room("other", "bob", 9, nil)
				b.room("r", "ann", 1, func(r *lobby.Record) { r.Properties = gpbinary.NewHashtable(gpbinary.Pair{Key: "k", Value: "v"}) })
				p.wants("before the word")
				tt.word(b)
				time.Sleep(retryDelay) // a refusal is doubted once
				p.wants("after it", tt.told, "228 0")
				time.Sleep(2 * endTime)
				p.wants("later")
			})
		})
		t.Run(tt.name+", not told", func(t *testing.T) {
			inBubble(t, Options{}, func(b *bench) {
				p := ask(b)
				time.Sleep(tt.late - time.Nanosecond)
				p.wants("before the limit")
				time.Sleep(time.Nanosecond + retryDelay) // a refusal is doubted once
				p.wants("at the limit", tt.alone, "228 0")
				// The limit counts from the client's coming.
				p.send(tt.op, roomName(tt.room))
				time.Sleep(retryDelay)
				p.wants("again", tt.alone)
			})
		})
	}
}

// A client that goes while it waits leaves nothing behind.
func TestWaiterGoes(t *testing.T) {
	inBubble(t, Options{}, func(b *bench) {
		b.room("r", "ann", 1, nil)
		p := b.connect("ann", 2)
		p.send(photon.OpJoinGame, roomName("r"))
		p.r.Closed(transport.ReasonClientDisconnect)
		synctest.Wait()
		b.server.Remove("gs", testApp, "r")
		synctest.Wait()
		time.Sleep(time.Minute)
		p.wants("after it went")
		b.server.mu.Lock()
		defer b.server.mu.Unlock()
		if len(b.server.apps) != 0 {
			t.Error("the application stays")
		}
	})
}
