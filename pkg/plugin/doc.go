// Package plugin is how a studio puts its own rules into rooms: a plugin is an
// object per room that is asked before the room acts (plugins.md).
//
// A plugin embeds Base, which continues every call, and overrides the callbacks
// it cares about. Each callback gets a call with a request that the plugin may
// look at and change, and decides once: Continue performs the default
// processing, Fail refuses it, and where the type has the methods Cancel drops it
// without a word and Defer postpones the decision to a timer, an HTTP callback or
// an enqueued function.
//
//	type chatFilter struct{ plugin.Base }
//
//	func (chatFilter) Name() string    { return "ChatFilter" }
//	func (chatFilter) Version() string { return "1.0" }
//
//	func (chatFilter) OnRaiseEvent(c *plugin.RaiseEventCall) {
//		if c.Request.EvCode == 10 {
//			if text, _ := c.Request.Data(); tooLong(text) {
//				_ = c.Fail("text too long", nil)
//				return
//			}
//		}
//		_ = c.Continue()
//	}
//
// Everything of one room runs one after the other on the room's fiber: callbacks,
// timers, HTTP callbacks, enqueued functions. So a plugin needs no lock for its
// own fields, and must not block, for it would block its room. The methods of
// Host and of calls are for that fiber alone, except Host.Enqueue.
//
// Values of properties and events have the Go types of package gpbinary: bool,
// uint8, int16, int32, int64, float32, float64, string, their slices,
// gpbinary.ObjectArray, *Table, *gpbinary.Dictionary, gpbinary.Custom.
//
// The package is the contract between plugins and the server. It knows nothing of
// rooms or sockets; pkg/plugin/host is the server's side.
package plugin
