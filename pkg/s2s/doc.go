// Package s2s is the link between servers: game servers tell masters about
// themselves and their rooms, masters ask for reservations and pass orders
// (cluster.md 1, 12).
//
// A Link is one TCP connection with Photon's framing and operations in
// GpBinaryV16. Outbound keeps one alive to one master, Listener accepts them.
// Publisher and Mirror carry the rooms of one game server to one master over
// whatever links come and go.
//
// The package does not know lobbies or rooms beyond their records, and it
// decides nothing: what a message means is its owner's business.
package s2s
