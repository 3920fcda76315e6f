// Package enet is the reliable UDP of the Photon protocol (wire.md 3) as a
// state machine: datagrams and time go in, messages and datagrams come out. It
// has a server side and a client side.
//
// It knows no sockets, clocks, goroutines or logger. A [Conn] is owned by one
// loop, which calls Input for every datagram that arrives, Send for every
// message, and Output until it says that there is no more; Deadline says when
// Output must be asked again. Times are durations since any fixed moment; their
// milliseconds, cut to 32 bit, are the timestamps of the datagrams, so that all
// connections of a server that share one clock show one server time.
//
// Messages are opaque here. Datagram encryption (wire.md 8) is not offered: such
// datagrams are dropped.
package enet
