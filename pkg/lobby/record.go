package lobby

import "github.com/boson-project/boson/pkg/gpbinary"

// Type is a lobby's type; together with its name it identifies a lobby
// (loadbalancing-matchmaking.md 1).
type Type uint8

// Lobby types.
const (
	Default     Type = 0
	SQL         Type = 2
	AsyncRandom Type = 3
)

// ID identifies a lobby within a virtual application. The default lobby is the zero ID.
type ID struct {
	Name string
	Type Type
}

// Record is what a game server publishes of one room
// (loadbalancing-matchmaking.md 2, cluster.md 12.3). Records are complete:
// a change is a new record. They are immutable once handed over.
type Record struct {
	App   string // application key: AppId NUL AppVersion
	Name  string
	Lobby ID

	Open, Visible bool
	Reserved      bool // handed out by a master, not yet created on the game server
	Closing       bool
	Persistent    bool
	CheckUser     bool // a user id may be in the room once

	MaxPlayers    int32               // 0 is unlimited
	Players       int32               // active and inactive actors
	Inactive      int32               // of these, inactive
	Properties    *gpbinary.Hashtable // lobby-visible custom properties that have a value; may be nil
	ByValue       []string            // keys of Properties that a JSON client wrote: their numbers have no type
	Users         []string            // user ids of the actors, active and inactive
	Sessions      []uint64            // the sessions of Users, in their order; tell connections of one user apart
	InactiveUsers []string            // of these, inactive
	Expected      []string            // expected users
	Excluded      []string            // user ids that may not enter
	Created       int64               // Unix time in ms
	Incarnation   int64               // distinguishes a room from an earlier one of the same name
	Plugin        string
}
