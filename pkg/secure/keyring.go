package secure

import (
	"bytes"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
)

// KeySize is the length of a cluster key in bytes.
const KeySize = 32

// Key is a secret that all servers of a cluster share. It prints as its id
// only, so that it cannot get into a log by accident.
type Key [KeySize]byte

// keyID names a key inside a token. It tells nothing about the key.
type keyID [4]byte

func (k Key) id() keyID {
	h := sha256.New()
	h.Write([]byte("boson-key-id-v1\x00"))
	h.Write(k[:])
	return keyID(h.Sum(nil))
}

// String returns the key's id.
func (k Key) String() string {
	id := k.id()
	return "key:" + hex.EncodeToString(id[:])
}

// GoString is String: %#v shows the id only as well.
func (k Key) GoString() string { return k.String() }

// Format keeps every verb of package fmt from printing the key's bytes.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// passphrasePrefix marks a passphrase in the text of a key.
const passphrasePrefix = "passphrase:"

// passphraseRounds makes the guessing of passphrases expensive; at about half a
// second it is paid once, at the start of a server.
const passphraseRounds = 600_000

// minPassphrase is the length below which a passphrase is refused, in bytes.
const minPassphrase = 12

// ParseKey reads a key from text, as it stands in a file or in the environment:
// 64 hexadecimal digits, or 32 bytes in base64 (standard or URL alphabet, padded
// or not), or "passphrase:" and at least 12 bytes. White space around the text is
// ignored. No error holds any of the text.
func ParseKey(text string) (Key, error) {
	text = strings.TrimSpace(text)
	if phrase, ok := strings.CutPrefix(text, passphrasePrefix); ok {
		return KeyFromPassphrase(phrase)
	}
	if len(text) == hex.EncodedLen(KeySize) {
		if b, err := hex.DecodeString(text); err == nil {
			return Key(b), nil
		}
	}
	s := strings.TrimRight(text, "=")
	s = strings.NewReplacer("+", "-", "/", "_").Replace(s)
	if b, err := base64.RawURLEncoding.DecodeString(s); err == nil && len(b) == KeySize {
		return Key(b), nil
	}
	return Key{}, errors.New(`secure: a key is 64 hexadecimal digits, 32 bytes in base64, or "passphrase:" and a passphrase`)
}

// KeyFromPassphrase derives a key. All servers must derive the same key, so there
// is no salt of their own; a random key is better where it can be stored. The
// error says that the passphrase is too short.
func KeyFromPassphrase(phrase string) (Key, error) {
	if len(phrase) < minPassphrase {
		return Key{}, fmt.Errorf("secure: a passphrase has at least %d bytes", minPassphrase)
	}
	b, err := pbkdf2.Key(sha256.New, phrase, []byte("boson-passphrase-v1"), passphraseRounds, KeySize)
	if err != nil {
		return Key{}, fmt.Errorf("secure: passphrase: %w", err)
	}
	return Key(b), nil
}

// RandomKey draws a key from rand. The error is that of rand.
func RandomKey(rand io.Reader) (Key, error) {
	var k Key
	if _, err := io.ReadFull(rand, k[:]); err != nil {
		return Key{}, fmt.Errorf("secure: random key: %w", err)
	}
	return k, nil
}

// Keyring seals tokens with its current key and opens those of its current and
// previous keys, so that keys can be replaced while tokens are in use: add the
// new key as previous everywhere, then make it current, then drop the old one
// after the life of a token (cluster.md 22). It does not change and may be used
// from several goroutines at once.
type Keyring struct {
	current Key
	keys    map[keyID]Key
}

// NewKeyring returns a keyring. The error is about a zero key or two different
// keys of the same id.
func NewKeyring(current Key, previous ...Key) (*Keyring, error) {
	r := &Keyring{current: current, keys: make(map[keyID]Key, 1+len(previous))}
	for _, k := range append([]Key{current}, previous...) {
		if k == (Key{}) {
			return nil, errors.New("secure: a key of the keyring is zero")
		}
		if other, ok := r.keys[k.id()]; ok && !bytes.Equal(other[:], k[:]) {
			return nil, fmt.Errorf("secure: two keys have the id %s", k)
		}
		r.keys[k.id()] = k
	}
	return r, nil
}

// Format prints the id of the current key, whatever the verb. Package fmt would
// show the bytes of a key in an unexported field.
func (k *Keyring) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "keyring of "+k.current.String())
}
