// Package gpjson turns Photon values and messages into the JSON text that the
// JavaScript SDK speaks, and back (websocket-json.md 2 to 4).
//
// It knows values, messages and the "~m~" frame around a message. It knows
// neither sockets nor what an operation means: which parameter has which type
// is package photon's business. It has no state: every function may be called
// from any goroutine, and no function changes or keeps its input. Values that
// were decoded do not alias the text; the Fields of a Message do.
package gpjson
