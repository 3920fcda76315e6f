// Package app is the framework that Boson's servers are made of, and that a
// user's own server can be made of: an Application takes peers from any
// transport, operations arrive decoded into typed structs, and state that many
// peers touch lives on fibers.
//
// It knows sessions, messages and encryption. It does not know what a room is.
package app
