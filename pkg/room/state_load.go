package room

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/boson-project/boson/pkg/lobby"
	"github.com/boson-project/boson/pkg/photon"
)

// ErrNotFresh says that a state can be set only before the room has its first
// actor.
var ErrNotFresh = errors.New("room: a state can be set only in a room that is being created")

// SetState makes a room that waits for its creator the one that was saved
// (plugins.md 4.1, 10). wall is the time of day at now. All actors are inactive;
// those whose PlayerTTL is over are gone. When it fails the room is as it was.
//
// The client for whom the room was loaded then comes by Join; if that fails the
// room is Done, like one that could not be created.
func (r *Room) SetState(now time.Duration, wall time.Time, s *State) error {
	if r.phase != fresh || r.loaded {
		return ErrNotFresh
	}
	n := New(r.cfg, r.id)
	n.hooks = r.hooks
	if err := n.load(now, wall, s); err != nil {
		return fmt.Errorf("room: state can't be used: %w", err)
	}
	*r = *n
	return nil
}

func (r *Room) load(now time.Duration, wall time.Time, s *State) error {
	r.flags = s.flags()
	if err := r.loadSettings(s); err != nil {
		return err
	}
	if err := r.loadActors(now, wall, s); err != nil {
		return err
	}
	if err := r.loadCache(s); err != nil {
		return err
	}
	var err error
	if r.groups, err = readGroups(s.Binary.Groups); err != nil {
		return err
	}
	// Expired actors go only now that their events are there to go with them.
	for _, a := range slices.Clone(r.actors) {
		if r.expiry(a) <= now {
			r.remove(a)
		}
	}
	r.phase, r.loaded, r.changed = open, true, true
	r.rearm()
	return nil
}

// flags returns the room option flags: RoomFlags, or else the single bools.
func (s *State) flags() photon.RoomOptionFlags {
	var flags photon.RoomOptionFlags
	if s.RoomFlags != nil {
		flags = photon.RoomOptionFlags(*s.RoomFlags)
	} else {
		for _, single := range [...]struct {
			on   bool
			flag photon.RoomOptionFlags
		}{
			{s.CheckUserOnJoin, photon.FlagCheckUserOnJoin},
			{s.DeleteCacheOnLeave, photon.FlagDeleteCacheOnLeave},
			{s.SuppressRoomEvents, photon.FlagSuppressRoomEvents},
			{s.PublishUserID, photon.FlagPublishUserID},
		} {
			if single.on {
				flags |= single.flag
			}
		}
	}
	return impliedFlags(flags)
}

func (r *Room) loadSettings(s *State) error {
	name := ""
	if s.LobbyID != nil {
		name = *s.LobbyID
	}
	var err error
	if r.id.Lobby, err = lobby.ParseID(name, s.LobbyType); err != nil {
		return err
	}
	table, err := readProperties(s.Binary.Properties)
	if err != nil {
		return err
	}
	// The state's fields are the truth about what both can hold.
	for _, key := range [...]byte{photon.PropIsVisible, photon.PropIsOpen, photon.PropPlayerTTL, photon.PropEmptyRoomTTL, photon.PropExpectedUsers} {
		table.Delete(key)
	}
	// A room may come from a server with higher limits.
	limit := r.cfg.MaxPlayers
	for _, key := range [...]byte{photon.PropMaxPlayers, photon.PropMaxPlayersInt} {
		v, _ := table.Get(key)
		if n, ok := photon.AsInt(v); ok && limit > 0 && n > int64(limit) {
			table.Set(key, limit)
		}
	}
	c, err := r.readRoomTable(photon.ParamGameProperties, table, true)
	if err != nil {
		return err
	}
	next := &c.next
	if s.MaxPlayers < 0 || s.PlayerTTL < -1 || s.EmptyRoomTTL < 0 || s.Slice < 0 || s.ActorCounter < 0 || s.ActorCounter == math.MaxInt32 {
		return errors.New("a number is out of range")
	}
	if !c.setsMax {
		next.maxPlayers = s.MaxPlayers
		if limit > 0 && (next.maxPlayers == 0 || next.maxPlayers > limit) {
			next.maxPlayers = limit
		}
	}
	next.visible, next.open, next.playerTTL = s.IsVisible, s.IsOpen, s.PlayerTTL
	next.emptyTTL = min(s.EmptyRoomTTL, r.cfg.maxEmptyRoomTTL())
	if s.LobbyProperties != nil {
		next.listed = slices.Clone(s.LobbyProperties)
	}
	if err := r.checkExpected(s.ExpectedUsers); err != nil {
		return err
	}
	next.expected, next.expectedKnown = slices.Clone(s.ExpectedUsers), s.ExpectedUsers != nil
	for _, x := range s.ExcludedActors {
		if len(x.UserID) > maxUserID {
			return fmt.Errorf("excluded user id of %d bytes, at most %d", len(x.UserID), maxUserID)
		}
	}
	r.excluded = slices.Clone(s.ExcludedActors)
	custom, err := r.prepare(&r.props, c.custom, false)
	if err != nil {
		return err
	}
	r.apply(c, custom)
	return nil
}

func (r *Room) loadActors(now time.Duration, wall time.Time, s *State) error {
	r.lastNr = s.ActorCounter
	for i := range s.ActorList {
		sa := &s.ActorList[i]
		if sa.ActorNr < 1 || sa.ActorNr == math.MaxInt32 {
			return fmt.Errorf("actor number %d", sa.ActorNr)
		}
		if len(sa.UserID) > maxUserID {
			return fmt.Errorf("actor %d: user id of %d bytes, at most %d", sa.ActorNr, len(sa.UserID), maxUserID)
		}
		a := &actor{nr: sa.ActorNr, userID: sa.UserID, inactive: now}
		if sa.DeactivationTime != "" {
			since, err := parseTime(sa.DeactivationTime)
			if err != nil {
				return fmt.Errorf("actor %d: %w", sa.ActorNr, err)
			}
			a.inactive = now - max(wall.Sub(since), 0)
		}
		table, err := readActor(sa.Binary)
		if err != nil {
			return fmt.Errorf("actor %d: %w", sa.ActorNr, err)
		}
		pairs, err := actorPairs(photon.ParamPlayerProperties, table)
		if err != nil {
			return fmt.Errorf("actor %d: %w", sa.ActorNr, err)
		}
		u, err := r.prepare(&a.props, pairs, false)
		if err != nil {
			return fmt.Errorf("actor %d: %w", sa.ActorNr, err)
		}
		r.store(&a.props, u)
		r.actors = append(r.actors, a)
		r.lastNr = max(r.lastNr, a.nr)
	}
	slices.SortFunc(r.actors, func(a, b *actor) int { return cmp.Compare(a.nr, b.nr) })
	for i := range r.actors {
		if i > 0 && r.actors[i-1].nr == r.actors[i].nr {
			return fmt.Errorf("actor %d is there twice", r.actors[i].nr)
		}
	}
	return nil
}

// parseTime reads a timestamp. Services that drop the zone mean UTC.
func parseTime(text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t, err = time.Parse("2006-01-02T15:04:05.999999999", text)
	}
	return t, err
}

func (r *Room) loadCache(s *State) error {
	fits := func(e *entry) error {
		if !r.cacheHasRoom(nil, e.size()) {
			return fmt.Errorf("more than %d cached events, or %d bytes of them", r.cfg.MaxCachedEvents, r.cfg.MaxCachedBytes)
		}
		return nil
	}
	err := readKeyed(s.Binary.Keyed, func(e *entry) error {
		if r.cache.index[e.entryKey] != nil {
			return fmt.Errorf("%w: actor %d has two keyed events with code %d", errState, e.owner, e.code)
		}
		if err := fits(e); err != nil {
			return err
		}
		r.cache.addKeyed(e)
		return nil
	})
	if err != nil {
		return err
	}
	err = readEvents(s.Binary.Events, func(number int32, e *entry) error {
		if err := fits(e); err != nil {
			return err
		}
		r.cache.current = number
		r.cache.append(e)
		return nil
	})
	r.cache.current = s.Slice
	return err
}

// isExcluded says whether a user may not enter.
func (r *Room) isExcluded(userID string) bool {
	return slices.ContainsFunc(r.excluded, func(x ExcludedUser) bool { return x.UserID == userID })
}

// excludedIDs returns the ids of excluded users.
func (r *Room) excludedIDs() []string {
	ids := make([]string, len(r.excluded))
	for i, x := range r.excluded {
		ids[i] = x.UserID
	}
	return ids
}
