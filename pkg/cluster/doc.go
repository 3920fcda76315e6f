// Package cluster knows who else is there: which servers are alive, with what
// role, where, and in which state (cluster.md 11). It also holds the two small
// rules by which servers choose among each other: load levels with weighted
// choice (cluster.md 13) and rendezvous hashing (cluster.md 14).
//
// It does not know rooms, and it carries no state of its own across the
// network beyond 512 bytes per server; that is the business of package s2s.
package cluster
