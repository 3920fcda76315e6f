package room

import (
	"math"
	"time"
)

// Never is the deadline of a room that waits for nothing.
const Never = time.Duration(math.MaxInt64)

// Config holds the limits and options that all rooms of an application share.
// Zero fields take the default (loadbalancing.md 10).
type Config struct {
	// MaxEmptyRoomTTL is the longest EmptyRoomTTL that a client may ask for.
	// Default 60 s. It is rounded down to milliseconds.
	MaxEmptyRoomTTL time.Duration
	// MaxPlayers is the largest MaxPlayers that a client may set, and that of rooms
	// whose clients set none. Default 0: no limit.
	MaxPlayers int32
	// MaxCachedEvents per room, actors' and global ones. Default 10000.
	MaxCachedEvents int
	// MaxCachedBytes is the size of the contents of all cached events. Default 16 MiB.
	MaxCachedBytes int
	// MaxProperties is the number of keys in the room's property table, and in
	// each actor's. Default 13000.
	MaxProperties int
	// MaxPropertyBytes is the size of all properties of the room and its actors,
	// as binary clients encode them. Default 500000.
	MaxPropertyBytes int
	// MaxExpectedUsers is the length of the list of expected users. Default 1000.
	MaxExpectedUsers int
	// AllowReservedEvents lets clients raise events whose codes other clients
	// take for the server's own word (loadbalancing-rooms.md 6.1).
	AllowReservedEvents bool
	// Plugin and PluginVersion are what the room answers to joiners and compares
	// with their demands. Default "Default" and "".
	Plugin, PluginVersion string
	// Persistent says that the plugin saves the room, so that masters may keep it
	// in mind after its end.
	Persistent bool
}

// DefaultPlugin is the name of "no plugin" (loadbalancing-rooms.md 2.5).
const DefaultPlugin = "Default"

// maxUserID is the size of a user id in bytes (loadbalancing.md 10).
const maxUserID = 256

// WithDefaults returns c with its zero fields filled in.
func (c Config) WithDefaults() Config {
	def := func(p *int, d int) {
		if *p == 0 {
			*p = d
		}
	}
	def(&c.MaxCachedEvents, 10000)
	def(&c.MaxCachedBytes, 16<<20)
	def(&c.MaxProperties, 13000)
	def(&c.MaxPropertyBytes, 500000)
	def(&c.MaxExpectedUsers, 1000)
	if c.MaxEmptyRoomTTL == 0 {
		c.MaxEmptyRoomTTL = time.Minute
	}
	if c.Plugin == "" {
		c.Plugin = DefaultPlugin
	}
	return c
}

// maxEmptyRoomTTL in milliseconds, as properties have it.
func (c *Config) maxEmptyRoomTTL() int32 {
	return int32(min(c.MaxEmptyRoomTTL.Milliseconds(), math.MaxInt32))
}
