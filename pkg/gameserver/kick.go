package gameserver

import (
	"context"

	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
	"github.com/boson-project/boson/pkg/room"
)

// Kick says whom an operator removes from a room.
type Kick struct {
	// UserID means all actors of that user, active and inactive; ActorNr one actor.
	// One of them is set.
	UserID  string
	ActorNr int32
	// Ban keeps the users out of this room from now on. The one of UserID need not
	// be in it.
	Ban bool
	// Reason is what the players are told.
	Reason string
}

// Kick removes actors from a room on an operator's wish, and returns how many. The
// others get the event Leave. False: there is no such room here. It waits for the
// room until ctx ends; then it may happen later.
func (s *Server) Kick(ctx context.Context, appKey, name string, k Kick) (there bool, removed int, err error) {
	s.mu.Lock()
	g := s.games[gameKey{appKey, name}]
	s.mu.Unlock()
	if g == nil || g.record.Load() == nil {
		return false, 0, nil
	}
	type outcome struct {
		there   bool
		removed int
	}
	done := make(chan outcome, 1)
	posted := g.fiber.PostAlways(message{kind: kick, run: func() {
		var o outcome
		defer func() { done <- o }()
		if g.room != nil && !g.ended {
			o.there = true
			o.removed = g.kick(&k)
		}
	}})
	if !posted {
		return false, 0, nil
	}
	select {
	case o := <-done:
		return o.there, o.removed, nil
	case <-ctx.Done():
		return true, 0, ctx.Err()
	}
}

// kick runs on the fiber.
func (g *game) kick(k *Kick) (removed int) {
	now := g.server.now()
	how := room.Removal{Exclude: k.Ban, Reason: byte(plugin.Kick), Leave: photon.ManagedDisconnect, Code: photon.ReturnOk, Text: k.Reason}
	if k.Ban {
		how.Reason = byte(plugin.Banned)
		g.room.Exclude(k.UserID, how.Reason)
	}
	for _, a := range g.room.Actors() {
		if a.Nr != k.ActorNr && (k.UserID == "" || a.UserID != k.UserID) {
			continue
		}
		if g.room.Remove(now, a.Nr, how) {
			removed++
		}
	}
	return removed
}
