// Package room is one room as a state machine: its actors, properties, event
// cache, interest groups and time-outs (loadbalancing-rooms.md).
//
// A Room belongs to one fiber. All of its methods, and those of its Seats, are
// called from there, one at a time. Nothing here blocks, starts a goroutine,
// reads a clock or logs: time comes in as a monotonic duration, messages go out
// through Sinks.
//
// Each operation runs in three steps, in functions of their own: decode the
// request, check it against the room, apply it. Only the last step changes the
// room or sends anything, so an operation that fails has changed nothing.
//
// The package must not know sockets, servers or masters. It imports the words of
// the protocol, and from package lobby the record that it publishes.
package room
