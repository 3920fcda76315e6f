package lobby

import "time"

// Config holds the limits and times of an App. Zero fields get the default.
type Config struct {
	// ListInterval is the least time between two updates of a lobby's list; 1 s.
	ListInterval time.Duration
	// ListLimit is how many rooms an initial list, and how many changed rooms an
	// update may have; 500.
	ListLimit int
	// ListBytes bounds the same lists by the approximate size of their rooms; 1 MiB.
	// One room always fits.
	ListBytes int
	// GameListLimit is how many rooms a GameList answer may have; 100.
	GameListLimit int
	// MaxLobbies of the application; 10000.
	MaxLobbies int
	// ReserveTTL is how long a name stays reserved for a room that its game
	// server doesn't confirm; 15 s.
	ReserveTTL time.Duration
	// JoinTTL is how long a slot is held for a user who was sent to a room; 10 s.
	JoinTTL time.Duration
	// AsyncTTL is how long saved rooms of AsyncRandom lobbies can be matched after
	// they left their game server; 60 min. Negative: not at all.
	AsyncTTL time.Duration
	// MaxAsync is how many such rooms there may be; the oldest go first; 100000.
	MaxAsync int
	// UserGrace is how long users count as online after they left a server; 10 s.
	UserGrace time.Duration
	// MaxExpected users in one request; 512.
	MaxExpected int
	// MaxFriends in one FindFriends request; 512.
	MaxFriends int
	// SearchSteps bounds the work of one SQL search, in steps of
	// sqlfilter.Matcher; 20 million, some tenths of a second.
	SearchSteps int
	// StatsLimit is how many lobbies LobbyStats lists, the fullest; 0 is all.
	StatsLimit int
	// LoadRooms says that a room that is not in memory may exist in storage, so
	// that rejoining users are sent to a game server which tries to load it.
	LoadRooms bool
	// LoadOnJoin extends LoadRooms to plain joins.
	LoadOnJoin bool
	// NewName makes names of rooms that clients left unnamed. Default: a GUID of
	// the App's randomness.
	NewName func() string
}

func (c Config) withDefaults() Config {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	num := func(n *int, v int) {
		if *n == 0 {
			*n = v
		}
	}
	def(&c.ListInterval, time.Second)
	def(&c.ReserveTTL, 15*time.Second)
	def(&c.JoinTTL, 10*time.Second)
	def(&c.AsyncTTL, 60*time.Minute)
	def(&c.UserGrace, 10*time.Second)
	num(&c.ListLimit, 500)
	num(&c.ListBytes, 1<<20)
	num(&c.GameListLimit, 100)
	num(&c.MaxLobbies, 10000)
	num(&c.MaxAsync, 100000)
	num(&c.MaxExpected, 512)
	num(&c.MaxFriends, 512)
	num(&c.SearchSteps, 20_000_000)
	return c
}
