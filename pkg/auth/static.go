package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"strings"
)

// staticProvider knows its users from the configuration: for tests, for events
// and for games of few. Clients bring "user" and "token".
type staticProvider struct {
	secrets map[string][sha256.Size]byte // hashes
}

// hashPrefix marks a secret of which the configuration has the hash only.
const hashPrefix = "sha256:"

func newStatic(s Settings) (Provider, error) {
	if len(s.Users) == 0 {
		return nil, fmt.Errorf("users is empty")
	}
	p := &staticProvider{map[string][sha256.Size]byte{}}
	for user, secret := range s.Users {
		if user == "" || secret == "" {
			return nil, fmt.Errorf("users has an empty name or secret")
		}
		hash := sha256.Sum256([]byte(secret))
		if digits, ok := strings.CutPrefix(secret, hashPrefix); ok {
			b, err := hex.DecodeString(digits)
			if err != nil || len(b) != len(hash) {
				return nil, fmt.Errorf("users: the secret of %q is not %s and 64 hexadecimal digits", user, hashPrefix)
			}
			hash = [sha256.Size]byte(b)
		}
		p.secrets[user] = hash
	}
	return p, nil
}

// Check implements Provider. It never blocks.
func (p *staticProvider) Check(_ context.Context, login *Login) (*Verdict, error) {
	q, err := readParams(login, "user", "token")
	if err != nil {
		return nil, err
	}
	want, known := p.secrets[q[0]]
	got := sha256.Sum256([]byte(q[1]))
	if subtle.ConstantTimeCompare(want[:], got[:]) != 1 || !known {
		return &Verdict{Code: ResultWrongCredentials, Message: "wrong user or token"}, nil
	}
	return &Verdict{Code: ResultSuccess, UserID: q[0]}, nil
}
