// Package gpbinary turns Photon values into bytes and back, in the two binary
// formats that clients use: GpBinary V16 and V18 (serialization.md).
//
// It knows values and message bodies (operation code, parameter table), not
// message headers, encryption or transports. It has no state: every function
// may be called from any goroutine.
package gpbinary
