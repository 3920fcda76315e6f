// Package webcall is how the servers call web services: a guarded HTTP client
// that goes only where it may, and a queue with limits and an offline mode
// before it (plugins.md 8, 17).
//
// A Client makes one call at a time and blocks. A Service queues the calls of
// one application, and each of its Lanes those of one room, in order. The
// package knows nothing of rooms and operations; gpjson writes and reads the
// values.
package webcall
