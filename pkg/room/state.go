package room

import (
	"iter"
	"time"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// State is a whole room in the form in which plugins and web services save it
// (plugins.md 10). encoding/json writes and reads that form; fields that it has
// beyond these are ignored.
type State struct {
	// ActorCounter is the number of the last actor that joined.
	ActorCounter int32
	ActorList    []StateActor
	Binary       StateBinary
	// CustomProperties are the properties that lobbies see, as JSON, for readers
	// only: nobody reads them back.
	CustomProperties StateTable
	// DebugInfo is Binary once more, for readers only.
	DebugInfo          StateDebug
	CheckUserOnJoin    bool
	DeleteCacheOnLeave bool
	EmptyRoomTTL       int32 // ms
	ExcludedActors     []ExcludedUser
	// ExpectedUsers is nil for a room that never had any.
	ExpectedUsers []string
	IsOpen        bool
	IsVisible     bool
	// LobbyID is nil for the default lobby.
	LobbyID         *string `json:"LobbyId"`
	LobbyType       byte
	LobbyProperties []string
	// MaxPlayers is 0 to 255. A room for more has 0 here, and the number in the
	// well-known property 243 of Binary.
	MaxPlayers    int32
	PlayerTTL     int32 // ms
	PublishUserID bool  `json:"PublishUserId"`
	// RoomFlags counts more than the four single ones, where it is present.
	RoomFlags          *int32
	Slice              int32
	SuppressRoomEvents bool
}

// StateActor is one actor of a State.
type StateActor struct {
	ActorNr  int32
	UserID   string `json:"UserId"`
	Nickname string `json:"NickName"` // for readers only
	// IsActive is nil in the state of a room that nobody plays in: none is.
	IsActive *bool `json:",omitempty"`
	// DeactivationTime is when the actor became inactive, RFC 3339 in UTC; only
	// in the state of a room that nobody plays in.
	DeactivationTime string `json:",omitempty"`
	// Binary is a dictionary byte->object whose key 1 are the actor's properties.
	Binary []byte
	// Debug is Binary once more, for readers only.
	Debug StateTable `json:"DEBUG_BINARY"`
}

// StateDebug are readable copies of StateBinary's parts. Nobody reads them back.
type StateDebug struct {
	Properties StateTable `json:"DEBUG_PROPERTIES_18"`
	Events     StateTable `json:"DEBUG_EVENTS_19"`
	Groups     StateTable `json:"DEBUG_GROUPS_20"`
}

// StateBinary holds values in format 1.6, each with its type byte, which JSON
// has as base64.
type StateBinary struct {
	// Properties is a dictionary object->object: the custom properties, and those
	// well-known ones that State has no exact field for.
	Properties []byte `json:"18,omitempty"`
	// Events is a dictionary int->object[]: per cache slice its events, each an
	// object[] of actor number, code and content.
	Events []byte `json:"19,omitempty"`
	// Groups is a dictionary byte->object: per interest group the numbers of its
	// subscribers.
	Groups []byte `json:"20,omitempty"`
	// Keyed is an object[] of events as in Events: those that MergeCache and
	// ReplaceCache keep one of. The published form has no place for them.
	Keyed []byte `json:"21,omitempty"`
}

// ExcludedUser may not enter the room any more. Reason is 0 kicked, 1 banned or
// 2 globally banned (plugins.md 7.4).
type ExcludedUser struct {
	UserID string `json:"UserId"`
	Reason byte
}

// State returns the room as it is. wall is the time of day at now. lost counts
// the values that format 1.6 can't hold, for example arrays of more than 32767
// elements: they are left out.
//
// The form has no place for the encryption that events were raised with, nor for
// the JavaScript origin of values.
func (r *Room) State(now time.Duration, wall time.Time) (s *State, lost int) {
	w := stateWriter{}
	flags := int32(r.flags)
	s = &State{
		ActorCounter:       r.lastNr,
		ActorList:          make([]StateActor, 0, len(r.actors)),
		CustomProperties:   r.lobbyTable(),
		CheckUserOnJoin:    r.flags&photon.FlagCheckUserOnJoin != 0,
		DeleteCacheOnLeave: r.flags&photon.FlagDeleteCacheOnLeave != 0,
		EmptyRoomTTL:       r.set.emptyTTL,
		ExcludedActors:     append([]ExcludedUser{}, r.excluded...),
		IsOpen:             r.set.open,
		IsVisible:          r.set.visible,
		LobbyType:          byte(r.id.Lobby.Type),
		LobbyProperties:    append([]string{}, r.set.listed...),
		MaxPlayers:         int32(maxPlayersByte(r.set.maxPlayers)),
		PlayerTTL:          r.set.playerTTL,
		PublishUserID:      r.flags&photon.FlagPublishUserID != 0,
		RoomFlags:          &flags,
		Slice:              r.cache.current,
		SuppressRoomEvents: r.flags&photon.FlagSuppressRoomEvents != 0,
		Binary: StateBinary{
			Properties: w.dictionary(r.stateProperties()),
			Events:     w.events(r.cache.slices),
			Groups:     r.stateGroups(),
		},
		DebugInfo: r.debugInfo(),
	}
	if r.set.expectedKnown {
		s.ExpectedUsers = append([]string{}, r.set.expected...)
	}
	if name := r.id.Lobby.Name; name != "" {
		s.LobbyID = &name
	}
	if len(r.cache.keyed) > 0 {
		s.Binary.Keyed = w.eventArray(nil, r.cache.keyed, true)
	}
	closing := len(r.active) == 0
	for i, info := range r.Actors() {
		a := r.actors[i]
		if a.unborn() {
			continue
		}
		info.Active = a.active()
		sa := StateActor{ActorNr: a.nr, UserID: a.userID, Nickname: info.Nickname}
		if closing {
			sa.DeactivationTime = wall.Add(a.inactive - now).UTC().Format(time.RFC3339Nano)
		} else {
			sa.IsActive = &info.Active
		}
		sa.Binary = append([]byte{codeDictionary, codeByte, 0, 0, 1, 1}, w.dictionary(a.props.pairs())...)
		sa.Debug = StateTable{gpbinary.NewHashtable(gpbinary.Pair{Key: byte(1), Value: gpbinary.NewHashtable(a.props.pairs()...)})}
		s.ActorList = append(s.ActorList, sa)
	}
	return s, w.lost
}

// stateProperties are the room's properties as the state has them: custom ones
// behind what its fields can't say.
func (r *Room) stateProperties() []gpbinary.Pair {
	pairs := make([]gpbinary.Pair, 0, r.props.len()+2)
	if len(r.set.listed) > 0 {
		pairs = append(pairs, gpbinary.Pair{Key: photon.PropPropsListedInLobby, Value: r.set.listed})
	}
	if maxPlayersByte(r.set.maxPlayers) == 0 && r.set.maxPlayers != 0 {
		pairs = append(pairs, gpbinary.Pair{Key: photon.PropMaxPlayersInt, Value: r.set.maxPlayers})
	}
	return append(pairs, r.props.pairs()...)
}

// lobbyTable are the custom properties that lobbies see.
func (r *Room) lobbyTable() StateTable {
	var shown []gpbinary.Pair
	for _, key := range r.set.listed {
		if v, ok := r.props.get(key); ok {
			shown = append(shown, gpbinary.Pair{Key: key, Value: v})
		}
	}
	return StateTable{gpbinary.NewHashtable(shown...)}
}

// debugInfo are the readable copies. The values are shared with the room, which
// is why they are written down before it goes on.
func (r *Room) debugInfo() StateDebug {
	events := gpbinary.NewHashtable()
	for _, slice := range r.cache.slices {
		list := make(gpbinary.ObjectArray, 0, len(slice.entries))
		for _, e := range slice.entries {
			list = append(list, gpbinary.ObjectArray{e.owner, byte(e.code), e.decode()})
		}
		events.Set(slice.number, list)
	}
	groups := gpbinary.NewHashtable()
	for g, members := range r.groupMembers() {
		groups.Set(g, members)
	}
	return StateDebug{StateTable{gpbinary.NewHashtable(r.stateProperties()...)}, StateTable{events}, StateTable{groups}}
}

// groupMembers yields the groups that some actor is or was in, with the numbers
// of their subscribers.
func (r *Room) groupMembers() iter.Seq2[byte, []int32] {
	return func(yield func(byte, []int32) bool) {
		for g := 1; g < 256; g++ {
			if !r.groups.has(byte(g)) {
				continue
			}
			members := []int32{}
			for _, a := range r.active {
				if a.groups.has(byte(g)) && len(members) < maxCount {
					members = append(members, a.nr)
				}
			}
			if !yield(byte(g), members) {
				return
			}
		}
	}
}

// stateGroups encodes them.
func (r *Room) stateGroups() []byte {
	d := &gpbinary.Dictionary{Key: gpbinary.TypeDesc{Kind: gpbinary.KindByte}}
	for g, members := range r.groupMembers() {
		d.Pairs = append(d.Pairs, gpbinary.Pair{Key: g, Value: members})
	}
	if len(d.Pairs) == 0 {
		return nil
	}
	b, _ := gpbinary.Append(nil, gpbinary.V16, d) // bytes and short int arrays always fit
	return b
}
