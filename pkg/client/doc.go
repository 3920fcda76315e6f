// Package client is a Go client of the Photon LoadBalancing protocols. It has
// two levels.
//
// A [Peer] is one connection to one server: UDP, TCP, WebSocket or secure
// WebSocket, with GpBinaryV16, GpBinaryV18 or JSON. It sends operations, matches
// responses and hands out events; it knows nothing of rooms. Load generators and
// protocol tests use it.
//
// A [Client] is a player: it goes from the name server to a master and on to
// game servers by itself, authenticates everywhere, and keeps a model of the room
// that it is in. Its names are those of Photon's Realtime API.
//
// Callbacks run on the peer's own goroutine, one at a time and in the order in
// which the server sent. While one runs nothing else of that peer is dispatched,
// so a callback must not call what waits for the server (Operation, JoinRoom,
// SetRoomProperties, Close, ...); it may call what only sends (Send, RaiseEvent,
// ChangeGroups, Disconnect).
package client
