package store

import (
	"encoding/json"
	"math"
	"time"

	"github.com/boson-project/boson/pkg/plugin"
)

// stateTimes is what the plugin reads of a saved state.
type stateTimes struct {
	PlayerTTL int32 // ms
	ActorList []struct {
		IsActive         *bool
		DeactivationTime time.Time
	}
}

// crashGrace is how much longer than PlayerTTL a state is kept in which players
// are active: they are still playing, and the room is saved again at half of it
// at the latest.
const crashGrace = 24 * time.Hour

// expiry says when the last player's PlayerTTL of a saved state ends, zero for
// never. maxAge, if it is not 0, bounds that.
func expiry(state plugin.GameState, now time.Time, maxAge time.Duration) (time.Time, error) {
	var s stateTimes
	if err := json.Unmarshal(state, &s); err != nil {
		return time.Time{}, err
	}
	var last time.Time
	if maxAge > 0 {
		last = now.Add(maxAge)
	}
	if isForever(s.PlayerTTL) {
		return last, nil
	}
	ttl := time.Duration(s.PlayerTTL) * time.Millisecond
	until := now
	for _, a := range s.ActorList {
		end := a.DeactivationTime.Add(ttl)
		if a.DeactivationTime.IsZero() {
			end = now.Add(ttl + crashGrace)
		}
		if end.After(until) {
			until = end
		}
	}
	if last.IsZero() || until.Before(last) {
		return until, nil
	}
	return last, nil
}

// isForever says whether inactive actors of that PlayerTTL, in ms, may come back
// at any time (plugins.md 9).
func isForever(playerTTL int32) bool { return playerTTL < 0 || playerTTL == math.MaxInt32 }
