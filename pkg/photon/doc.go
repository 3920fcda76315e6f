// Package photon holds the words of the protocol: operation requests and
// responses, events, the init request in its forms, and all codes as typed
// constants. It puts messages of the three serializations (GpBinary V16 and
// V18, JSON) behind one set of functions, so that no code above it asks which
// one a client speaks.
//
// It knows no sockets, keys or clocks. Messages are whole here: F3, type, body
// for the binary protocols (wire.md 4); a framed "~m~" text for JSON on the way
// out and its JSON object on the way in (websocket-json.md 2).
package photon
