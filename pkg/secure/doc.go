// Package secure holds the cryptography of the project: the key exchange of
// clients, the encryption of their messages, and the sealed tokens that carry
// an authentication from server to server.
//
// It knows bytes and times only. Randomness and the present time are inputs;
// nothing here reads a clock, a socket or a file.
//
// The client protocol's encryption (wire.md 7) is what unmodified clients
// speak: a 768 bit Diffie-Hellman exchange without authentication and AES-CBC
// without a message authentication code. It hides messages from a passive
// listener, no more. Whoever needs more puts TLS below (secure WebSocket).
package secure
