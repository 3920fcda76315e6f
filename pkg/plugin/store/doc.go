// Package store is the plugin RoomStore: it saves rooms whose players may come
// back, so that asynchronous games survive empty rooms and restarts of the server
// (docs/persistence.md).
//
// A room's state is saved when the room ends while somebody may still come back,
// and every SaveInterval while it changes; it is loaded when somebody asks for the
// room again, and deleted when the room ends for good. Where it is kept is behind
// the interface Store: a file (Bolt), or a Redis or PostgreSQL server that several
// game servers share.
//
// Rooms never wait for a database on their fiber. A few workers per store do the
// work, in order per room; what a room waits for is a call that it deferred.
package store
