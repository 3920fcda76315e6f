package secure

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

var testNow = time.UnixMilli(1_700_000_000_000)

func testKey(t testing.TB, n uint64) Key {
	t.Helper()
	k, err := RandomKey(seeded(n))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func testRing(t testing.TB, current Key, previous ...Key) *Keyring {
	t.Helper()
	r, err := NewKeyring(current, previous...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func testToken() *Token {
	return &Token{
		AppID: "8b5c8b0e-0c0f-4a39-9b5c-1d2e3f405162", AppVersion: "1.0_2.40", Region: "eu", Cluster: "default",
		UserID: "2f1e0d3c-4b5a-6978-8796-a5b4c3d2e1f0", Nickname: "Änne", AuthCookie: []byte(`{"guild":7}`),
		Provider: 255, Issued: testNow, Expires: testNow.Add(time.Hour), SessionID: [16]byte{1, 2, 3, 15: 16},
		EncryptionMode: 0, Secret: bytes.Repeat([]byte{9}, 32), ExpectedProtocol: 1,
	}
}

func seal(t testing.TB, r *Keyring, tok *Token) string {
	t.Helper()
	s, err := r.Seal(tok, seeded(99))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTokenRoundTrip(t *testing.T) {
	ring := testRing(t, testKey(t, 1))
	for name, tok := range map[string]*Token{
		"full":  testToken(),
		"empty": {Issued: testNow, Expires: testNow.Add(time.Second)},
	} {
		t.Run(name, func(t *testing.T) {
			s := seal(t, ring, tok)
			if len(s) > 500 || strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
				t.Errorf("token of %d characters: %s", len(s), s)
			}
			got, err := ring.Open(s, testNow)
			if err != nil || !reflect.DeepEqual(got, tok) {
				t.Errorf("%+v, %v\nwant %+v", got, err, tok)
			}
		})
	}
}

func TestTokenHidesItsContent(t *testing.T) {
	tok := testToken()
	raw, err := base64.RawURLEncoding.DecodeString(seal(t, testRing(t, testKey(t, 1)), tok))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{tok.UserID, tok.AppID, "guild", string(tok.Secret)} {
		if bytes.Contains(raw, []byte(s)) {
			t.Errorf("token shows %q", s)
		}
	}
}

func TestTokenTimes(t *testing.T) {
	ring := testRing(t, testKey(t, 1))
	s := seal(t, ring, testToken())
	for _, c := range []struct {
		name string
		now  time.Time
		want error
	}{
		{"at issue", testNow, nil},
		{"issuer's clock ahead by the tolerance", testNow.Add(-IssueTolerance), nil},
		{"issuer's clock further ahead", testNow.Add(-IssueTolerance - time.Millisecond), ErrTokenInvalid},
		{"last moment", testNow.Add(time.Hour - time.Millisecond), nil},
		{"expiry", testNow.Add(time.Hour), ErrTokenExpired},
	} {
		if _, err := ring.Open(s, c.now); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestEveryByteOfATokenCounts(t *testing.T) {
	ring := testRing(t, testKey(t, 1))
	s := seal(t, ring, testToken())
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		raw[i] ^= 0x10
		if _, err := ring.Open(base64.RawURLEncoding.EncodeToString(raw), testNow); !errors.Is(err, ErrTokenInvalid) {
			t.Errorf("byte %d changed: %v", i, err)
		}
		raw[i] ^= 0x10
	}
	for i := range s {
		if _, err := ring.Open(s[:i], testNow); !errors.Is(err, ErrTokenInvalid) {
			t.Errorf("first %d characters: %v", i, err)
		}
	}
	for _, bad := range []string{s + "A", s + "=", s + "\n", " " + s, strings.Repeat("A", MaxTokenSize+1)} {
		if _, err := ring.Open(bad, testNow); !errors.Is(err, ErrTokenInvalid) {
			t.Errorf("%.20q...: %v", bad, err)
		}
	}
}

func TestKeyRotation(t *testing.T) {
	first, second := testKey(t, 1), testKey(t, 2)
	oldToken := seal(t, testRing(t, first), testToken())
	both := testRing(t, second, first)
	newToken := seal(t, both, testToken())
	for _, c := range []struct {
		name  string
		ring  *Keyring
		token string
		want  error
	}{
		{"old token, both keys", both, oldToken, nil},
		{"new token, both keys", both, newToken, nil},
		{"new token, new key known as previous", testRing(t, first, second), newToken, nil},
		{"old token, new key only", testRing(t, second), oldToken, ErrTokenInvalid},
		{"new token, old key only", testRing(t, first), newToken, ErrTokenInvalid},
	} {
		if _, err := c.ring.Open(c.token, testNow); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	if _, err := NewKeyring(Key{}); err == nil {
		t.Error("a zero key was accepted")
	}
	if _, err := NewKeyring(first, Key{}); err == nil {
		t.Error("a zero previous key was accepted")
	}
}

func TestTokenSize(t *testing.T) {
	ring := testRing(t, testKey(t, 1))
	tok := testToken()
	for _, n := range []int{6500, MaxTokenSize, 10_000_000} {
		tok.AuthCookie = make([]byte, n)
		if _, err := ring.Seal(tok, seeded(1)); !errors.Is(err, ErrTokenSize) {
			t.Errorf("cookie of %d bytes: %v", n, err)
		}
	}
	tok.AuthCookie = make([]byte, 5500)
	s, err := ring.Seal(tok, seeded(1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ring.Open(s, testNow); err != nil {
		t.Error(err)
	}
	if _, err := ring.Seal(testToken(), bytes.NewReader(nil)); err == nil {
		t.Error("sealed without randomness")
	}
}

func TestParseKey(t *testing.T) {
	key := testKey(t, 5)
	for _, text := range []string{
		hex.EncodeToString(key[:]),
		" " + strings.ToUpper(hex.EncodeToString(key[:])) + "\n",
		base64.StdEncoding.EncodeToString(key[:]),
		base64.URLEncoding.EncodeToString(key[:]),
		base64.RawURLEncoding.EncodeToString(key[:]),
	} {
		if got, err := ParseKey(text); err != nil || got != key {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "secret", "passphrase:short", hex.EncodeToString(key[:31]), hex.EncodeToString(key[:]) + "00"} {
		_, err := ParseKey(text)
		if err == nil {
			t.Errorf("%q was accepted", text)
		} else if text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("the error shows the text: %v", err)
		}
	}
	a, err := ParseKey("passphrase:correct horse battery staple")
	if err != nil {
		t.Fatal(err)
	}
	b, err := KeyFromPassphrase("correct horse battery staplf")
	if err != nil || a == b || a == (Key{}) {
		t.Errorf("%v, %v, %v", a, b, err)
	}
}

// cluster CL-62
func TestKeysDoNotPrint(t *testing.T) {
	key := testKey(t, 5)
	secret := hex.EncodeToString(key[:4])
	ring := testRing(t, key)
	for _, s := range []string{
		fmt.Sprint(key), fmt.Sprintf("%v %+v %#v %x %X %d %q %s", key, key, key, key, key, key, key, key),
		fmt.Sprint(ring), fmt.Sprintf("%+v %#v %d %s", ring, ring, ring, ring),
	} {
		decimal := fmt.Sprintf("%d %d %d", key[0], key[1], key[2])
		if strings.Contains(strings.ToLower(s), secret) || strings.Contains(s, decimal) {
			t.Errorf("key in %q", s)
		}
	}
}

func FuzzOpen(f *testing.F) {
	ring := testRing(f, testKey(f, 1))
	f.Add(seal(f, ring, testToken()))
	f.Add("")
	f.Add(strings.Repeat("A", 100))
	f.Fuzz(func(t *testing.T, s string) {
		tok, err := ring.Open(s, testNow)
		if err == nil && seal(t, ring, tok) == "" {
			t.Error("opened a token that cannot be sealed")
		}
	})
}

// FuzzTokenContent goes behind the seal: content that only a key holder could
// have written must not crash a server either.
func FuzzTokenContent(f *testing.F) {
	f.Add(testToken().append(nil))
	f.Add([]byte{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		tok, ok := parseToken(b)
		if !ok {
			return
		}
		again, ok := parseToken(tok.append(nil))
		if !ok || !reflect.DeepEqual(again, tok) {
			t.Errorf("%+v became %+v", tok, again)
		}
	})
}
