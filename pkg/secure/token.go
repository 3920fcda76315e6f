package secure

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// MaxTokenSize is the longest sealed token, in characters. Only a large
// authentication cookie gets anywhere near; a usual token has 200 to 400.
const MaxTokenSize = 8192

// IssueTolerance is by how much the clocks of two servers may differ: a token
// issued further in the future is invalid (cluster.md 15).
const IssueTolerance = time.Minute

// Errors of Seal and Open. What exactly was wrong with a token is nobody's
// business who sends it.
var (
	ErrTokenInvalid = errors.New("secure: token is invalid")
	ErrTokenExpired = errors.New("secure: token has expired")
	ErrTokenSize    = errors.New("secure: token is too large")
)

// Token is what one server of a cluster tells the others about a client, by way
// of the client (loadbalancing-auth.md 5). Strings and slices may be empty.
type Token struct {
	AppID, AppVersion string
	Region, Cluster   string
	UserID, Nickname  string
	AuthCookie        []byte // of the authentication provider, never shown to the client
	Provider          byte   // authentication provider, 255 none
	Issued, Expires   time.Time
	SessionID         [16]byte // drawn at the name server, kept through refreshes
	EncryptionMode    byte
	Secret            []byte // payload encryption key of mode 0, or empty
	ExpectedProtocol  byte
}

// A sealed token is base64url without padding of
//
//	version 01 | key id 4 | salt 16 | ciphertext | tag 16
//
// The AES-256-GCM key and nonce are derived from the cluster key and the salt
// (HKDF-SHA256): with a nonce of 96 random bits alone, a busy cluster would
// reach the number of tokens per key that is safe within weeks. The 21 bytes
// before the ciphertext are authenticated.
const (
	tokenVersion = 1
	tokenSalt    = 16
	tokenHeader  = 1 + len(keyID{}) + tokenSalt
	tokenTag     = 16
	gcmKey       = 32
	gcmNonce     = 12
)

// Seal returns t encrypted and authenticated with the current key, as text that
// a client can carry. Times are kept in milliseconds. rand gives 16 bytes per
// token. The error is ErrTokenSize, or that of rand.
func (k *Keyring) Seal(t *Token, rand io.Reader) (string, error) {
	if len(t.AuthCookie) > MaxTokenSize {
		return "", ErrTokenSize
	}
	b := make([]byte, tokenHeader, 512)
	b[0] = tokenVersion
	id := k.current.id()
	copy(b[1:], id[:])
	if _, err := io.ReadFull(rand, b[tokenHeader-tokenSalt:]); err != nil {
		return "", fmt.Errorf("secure: token salt: %w", err)
	}
	aead, nonce, err := tokenAEAD(k.current, b)
	if err != nil {
		return "", err
	}
	plain := t.append(make([]byte, 0, 512))
	b = aead.Seal(b, nonce, plain, b)
	if base64.RawURLEncoding.EncodedLen(len(b)) > MaxTokenSize {
		return "", ErrTokenSize
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}

// Open returns the token that Seal made into s. The error is ErrTokenInvalid for
// anything that Seal did not make with one of the ring's keys, and for tokens
// issued more than IssueTolerance after now; ErrTokenExpired from the expiry on.
func (k *Keyring) Open(s string, now time.Time) (*Token, error) {
	// Package base64 skips line breaks; a token has one form only.
	if len(s) > MaxTokenSize || strings.ContainsAny(s, "\r\n") {
		return nil, ErrTokenInvalid
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) < tokenHeader+tokenTag || b[0] != tokenVersion {
		return nil, ErrTokenInvalid
	}
	header, sealed := b[:tokenHeader], b[tokenHeader:]
	key, ok := k.keys[keyID(header[1:])]
	if !ok {
		return nil, ErrTokenInvalid
	}
	aead, nonce, err := tokenAEAD(key, header)
	if err != nil {
		return nil, ErrTokenInvalid
	}
	plain, err := aead.Open(nil, nonce, sealed, header)
	if err != nil {
		return nil, ErrTokenInvalid
	}
	t, ok := parseToken(plain)
	if !ok || t.Issued.After(now.Add(IssueTolerance)) {
		return nil, ErrTokenInvalid
	}
	if !now.Before(t.Expires) {
		return nil, ErrTokenExpired
	}
	return t, nil
}

func tokenAEAD(k Key, header []byte) (aead cipher.AEAD, nonce []byte, err error) {
	derived, err := hkdf.Key(sha256.New, k[:], header[tokenHeader-tokenSalt:tokenHeader], "boson-token-v1", gcmKey+gcmNonce)
	if err != nil {
		return nil, nil, fmt.Errorf("secure: token key: %w", err)
	}
	block, err := aes.NewCipher(derived[:gcmKey])
	if err != nil {
		return nil, nil, fmt.Errorf("secure: token key: %w", err)
	}
	aead, err = cipher.NewGCM(block)
	if err != nil {
		return nil, nil, fmt.Errorf("secure: token key: %w", err)
	}
	return aead, derived[gcmKey:], nil
}

// append writes the token's content: texts as uvarint length and bytes, times as
// varint Unix milliseconds. A later minor version adds at the end.
func (t *Token) append(b []byte) []byte {
	for _, s := range []string{t.AppID, t.AppVersion, t.Region, t.Cluster, t.UserID, t.Nickname, string(t.AuthCookie), string(t.Secret)} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	b = binary.AppendVarint(b, t.Issued.UnixMilli())
	b = binary.AppendVarint(b, t.Expires.UnixMilli())
	b = append(b, t.SessionID[:]...)
	return append(b, t.Provider, t.EncryptionMode, t.ExpectedProtocol)
}

// parseToken reads what append wrote. Bytes after the known fields are those of
// a later version and ignored; the whole is authenticated.
func parseToken(b []byte) (t *Token, ok bool) {
	t = &Token{}
	var cookie, secret string
	for _, p := range []*string{&t.AppID, &t.AppVersion, &t.Region, &t.Cluster, &t.UserID, &t.Nickname, &cookie, &secret} {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size) {
			return nil, false
		}
		*p = string(b[size : size+int(n)])
		b = b[size+int(n):]
	}
	if cookie != "" {
		t.AuthCookie = []byte(cookie)
	}
	if secret != "" {
		t.Secret = []byte(secret)
	}
	for _, p := range []*time.Time{&t.Issued, &t.Expires} {
		ms, size := binary.Varint(b)
		if size <= 0 {
			return nil, false
		}
		*p = time.UnixMilli(ms)
		b = b[size:]
	}
	if len(b) < len(t.SessionID)+3 {
		return nil, false
	}
	b = b[copy(t.SessionID[:], b):]
	t.Provider, t.EncryptionMode, t.ExpectedProtocol = b[0], b[1], b[2]
	return t, true
}
