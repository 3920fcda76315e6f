package room

import (
	"math"
	"slices"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// settings are the room's well-known properties, those that have an effect of
// their own (loadbalancing-rooms.md 4.4). The slices are never changed in place.
type settings struct {
	maxPlayers     int32 // 0: unlimited
	visible, open  bool
	listed         []string // keys of the properties that the lobby shows
	expected       []string
	expectedKnown  bool  // was ever set
	playerTTL      int32 // ms; 0: no one stays inactive; negative or the maximum: for ever
	emptyTTL       int32 // ms
	masterClientID int32
}

// maxPlayersByte is MaxPlayers as clients knew it before it became an int.
func maxPlayersByte(n int32) byte {
	if n > math.MaxUint8 {
		return 0
	}
	return byte(n)
}

// change is a checked table of room properties.
type change struct {
	next     settings
	custom   []gpbinary.Pair
	told     []gpbinary.Pair // what PropertiesChanged says
	setsMax  bool
	setsList bool // expected users
}

// readRoomTable takes apart a table of room properties: well-known ones go into
// next, in the types that clients cast to, the rest is custom. Properties that
// belong to the server are left out.
func (r *Room) readRoomTable(p photon.ParamCode, t *gpbinary.Hashtable, creating bool) (*change, error) {
	c := &change{next: r.set, told: make([]gpbinary.Pair, 0, t.Len()+1)}
	if creating {
		c.next.maxPlayers = r.cfg.MaxPlayers
	}
	if err := c.readMaxPlayers(p, t, r.cfg.MaxPlayers); err != nil {
		return nil, err
	}
	for _, pair := range t.Pairs() {
		if !isPropertyKey(pair.Key) {
			return nil, photon.BadParam(p, "has a key that is neither string nor integer")
		}
		key, ok := pair.Key.(uint8)
		if !ok {
			c.custom = append(c.custom, pair)
			c.told = append(c.told, pair)
			continue
		}
		value, use, err := r.readWellKnown(c, p, key, pair.Value, creating)
		if err != nil {
			return nil, err
		}
		if use {
			c.told = append(c.told, gpbinary.Pair{Key: key, Value: value})
		}
	}
	return c, nil
}

// readMaxPlayers sets both forms from either; the int wins. Clients that know
// only the byte and clients that prefer the int are told alike. limit is the
// application's, 0 for none.
func (c *change) readMaxPlayers(p photon.ParamCode, t *gpbinary.Hashtable, limit int32) error {
	small, hasSmall := t.Get(photon.PropMaxPlayers)
	large, hasLarge := t.Get(photon.PropMaxPlayersInt)
	if !hasSmall && !hasLarge {
		return nil
	}
	v, key := large, photon.PropMaxPlayersInt
	if !hasLarge {
		v, key = small, photon.PropMaxPlayers
	}
	n, ok := photon.AsInt(v)
	if !ok || n < 0 || n > math.MaxInt32 {
		return photon.BadParam(p, "has in property %d (MaxPlayers) no number from 0 to %d", key, math.MaxInt32)
	}
	if limit > 0 && n > int64(limit) {
		return photon.BadParam(p, "has in property %d (MaxPlayers) the number %d, at most %d are allowed", key, n, limit)
	}
	if limit > 0 && n == 0 {
		n = int64(limit)
	}
	c.next.maxPlayers = int32(n)
	c.setsMax = true
	c.told = append(c.told, gpbinary.Pair{Key: photon.PropMaxPlayers, Value: maxPlayersByte(int32(n))})
	if hasLarge || n > math.MaxUint8 {
		c.told = append(c.told, gpbinary.Pair{Key: photon.PropMaxPlayersInt, Value: int32(n)})
	}
	return nil
}

// readWellKnown reads a property with a byte key. use is false for those that
// are not stored or told here.
func (r *Room) readWellKnown(c *change, p photon.ParamCode, key byte, v any, creating bool) (value any, use bool, err error) {
	bad := func(name, want string) error {
		return photon.BadParam(p, "has in property %d (%s) no %s", key, name, want)
	}
	number := func(name string, dst *int32, lo, hi int32) (any, bool, error) {
		n, ok := photon.AsInt(v)
		if !ok {
			return nil, false, bad(name, "integer")
		}
		if n < int64(lo) || n > int64(hi) {
			return nil, false, photon.BadParam(p, "has in property %d (%s) the number %d, not between %d and %d", key, name, n, lo, hi)
		}
		*dst = int32(n)
		return *dst, true, nil
	}
	switch key {
	case photon.PropMaxPlayers, photon.PropMaxPlayersInt:
		return nil, false, nil // readMaxPlayers did it
	case photon.PropPlayerCount, photon.PropRemoved, photon.PropCleanupCacheOnLeave:
		return nil, false, nil // the server's own
	case photon.PropIsVisible:
		var ok bool
		if c.next.visible, ok = v.(bool); !ok {
			return nil, false, bad("IsVisible", "bool")
		}
		return v, true, nil
	case photon.PropIsOpen:
		var ok bool
		if c.next.open, ok = v.(bool); !ok {
			return nil, false, bad("IsOpen", "bool")
		}
		return v, true, nil
	case photon.PropPropsListedInLobby:
		list, ok := photon.AsStrings(v)
		if !ok && v != nil {
			return nil, false, bad("PropsListedInLobby", "string array")
		}
		c.next.listed = orEmpty(list)
		return c.next.listed, true, nil
	case photon.PropExpectedUsers:
		list, ok := photon.AsStrings(v)
		if !ok && v != nil {
			return nil, false, bad("ExpectedUsers", "string array")
		}
		if err := r.checkExpected(list); err != nil {
			return nil, false, err
		}
		c.next.expected, c.next.expectedKnown, c.setsList = list, true, true
		if v == nil {
			return nil, true, nil
		}
		return orEmpty(list), true, nil
	case photon.PropPlayerTTL:
		return number("PlayerTTL", &c.next.playerTTL, -1, math.MaxInt32)
	case photon.PropEmptyRoomTTL:
		return number("EmptyRoomTTL", &c.next.emptyTTL, 0, r.cfg.maxEmptyRoomTTL())
	case photon.PropMasterClientID:
		if creating {
			return nil, false, nil // the creator is
		}
		var nr int32
		value, _, err = number("MasterClientId", &nr, 1, math.MaxInt32)
		if err != nil {
			return nil, false, err
		}
		if a := r.find(nr); a == nil || !a.active() {
			return nil, false, photon.BadParam(p, "has in property 248 (MasterClientId) actor %d, which is not active in the room", nr)
		}
		c.next.masterClientID = nr
		return value, true, nil
	default:
		c.custom = append(c.custom, gpbinary.Pair{Key: key, Value: v})
		return v, true, nil
	}
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// checkExpected bounds a list of expected users by itself.
func (r *Room) checkExpected(list []string) error {
	if len(list) > r.cfg.MaxExpectedUsers {
		return refuse(photon.ReturnSlotError, "%d expected users, at most %d", len(list), r.cfg.MaxExpectedUsers)
	}
	for _, id := range list {
		if len(id) > maxUserID {
			return refuse(photon.ReturnSlotError, "expected user id of %d bytes, at most %d", len(id), maxUserID)
		}
	}
	return nil
}

// slots counts the places taken with this list of expected users: actors,
// active and inactive, and expected users who are no actors
// (loadbalancing-rooms.md 3.3).
func (r *Room) slots(expected []string) int {
	n := len(r.actors)
	if len(expected) == 0 {
		return n
	}
	counted := make(map[string]struct{}, n+len(expected))
	for _, a := range r.actors {
		counted[a.userID] = struct{}{}
	}
	for _, id := range expected {
		if _, ok := counted[id]; !ok {
			counted[id] = struct{}{}
			n++
		}
	}
	return n
}

// checkSlots refuses settings that leave no place for someone who has one
// (loadbalancing-rooms.md 4.4).
func (r *Room) checkSlots(c *change) error {
	limit := int(c.next.maxPlayers)
	if limit == 0 || !c.setsMax && !c.setsList {
		return nil
	}
	if c.setsMax && len(r.actors) > limit {
		return refuse(photon.ReturnInvalidOperation, "property 255 (MaxPlayers) is %d, but the room has %d actors", limit, len(r.actors))
	}
	used := r.slots(c.next.expected)
	switch {
	case used <= limit:
		return nil
	case c.setsList:
		return refuse(photon.ReturnSlotError, "property 247 (ExpectedUsers): actors and expected users need %d of %d places", used, limit)
	default:
		return refuse(photon.ReturnInvalidOperation, "property 255 (MaxPlayers) is %d, but %d places are reserved", limit, used)
	}
}

// apply makes the settings and custom properties of a checked change the room's.
func (r *Room) apply(c *change, u update) {
	old := r.set
	r.set = c.next
	r.store(&r.props, u)
	if old.playerTTL != r.set.playerTTL || old.emptyTTL != r.set.emptyTTL {
		r.rearm()
	}
	if old.maxPlayers != r.set.maxPlayers || old.open != r.set.open || old.visible != r.set.visible ||
		!slices.Equal(old.expected, r.set.expected) || !slices.Equal(old.listed, r.set.listed) || r.showsAny(u.pairs) {
		r.changed = true
	}
}

// showsAny says whether the lobby sees one of the properties.
func (r *Room) showsAny(pairs []gpbinary.Pair) bool {
	if len(pairs) == 0 || len(r.set.listed) == 0 {
		return false
	}
	listed := make(map[string]struct{}, len(r.set.listed))
	for _, k := range r.set.listed {
		listed[k] = struct{}{}
	}
	for _, p := range pairs {
		if k, ok := p.Key.(string); ok {
			if _, ok := listed[k]; ok {
				return true
			}
		}
	}
	return false
}

// roomTable is what clients know of the room: well-known properties in the
// types that they cast to, then custom ones (loadbalancing-operations.md 5).
func (r *Room) roomTable() *gpbinary.Hashtable {
	pairs := make([]gpbinary.Pair, 0, r.props.len()+10)
	for _, key := range [...]byte{
		photon.PropMaxPlayers, photon.PropIsVisible, photon.PropIsOpen, photon.PropPropsListedInLobby,
		photon.PropMasterClientID, photon.PropPlayerTTL, photon.PropEmptyRoomTTL, photon.PropMaxPlayersInt,
	} {
		v, _ := r.wellKnown(key)
		pairs = append(pairs, gpbinary.Pair{Key: key, Value: v})
	}
	if r.set.expectedKnown || len(r.set.expected) > 0 {
		pairs = append(pairs, gpbinary.Pair{Key: photon.PropExpectedUsers, Value: orEmpty(r.set.expected)})
	}
	if r.flags&photon.FlagDeleteCacheOnLeave == 0 {
		pairs = append(pairs, gpbinary.Pair{Key: photon.PropCleanupCacheOnLeave, Value: false})
	}
	return gpbinary.NewHashtable(append(pairs, r.props.pairs()...)...)
}

// wellKnown is the effective value of a well-known room property.
func (r *Room) wellKnown(key byte) (any, bool) {
	switch key {
	case photon.PropMaxPlayers:
		return maxPlayersByte(r.set.maxPlayers), true
	case photon.PropMaxPlayersInt:
		return r.set.maxPlayers, true
	case photon.PropIsVisible:
		return r.set.visible, true
	case photon.PropIsOpen:
		return r.set.open, true
	case photon.PropPropsListedInLobby:
		return orEmpty(r.set.listed), true
	case photon.PropExpectedUsers:
		return orEmpty(r.set.expected), true
	case photon.PropMasterClientID:
		return r.set.masterClientID, true
	case photon.PropPlayerTTL:
		return r.set.playerTTL, true
	case photon.PropEmptyRoomTTL:
		return r.set.emptyTTL, true
	case photon.PropCleanupCacheOnLeave:
		return r.flags&photon.FlagDeleteCacheOnLeave != 0, true
	}
	return nil, false
}
