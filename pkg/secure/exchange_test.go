package secure

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// hexBytes is a hexadecimal text in a vector file.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

type exchangeCase struct {
	Case          string   `json:"case"`
	ClientPublic  hexBytes `json:"client_public_hex"`
	ServerPrivate hexBytes `json:"server_private_hex"`
	ServerPublic  hexBytes `json:"server_public_sent_hex"`
	AESKey        hexBytes `json:"aes_key_hex"`
	Message       hexBytes `json:"client_encrypted_message_hex"`
	Plain         hexBytes `json:"plaintext_hex"`
}

func readVectors(t *testing.T, path string, into any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func seeded(n uint64) *rand.ChaCha8 {
	var seed [32]byte
	seed[0], seed[1] = byte(n), byte(n>>8)
	return rand.NewChaCha8(seed)
}

// wire W-33
func TestKnownExchanges(t *testing.T) {
	var file struct {
		Cases []exchangeCase `json:"cases"`
	}
	readVectors(t, "testdata/dh_known_answers.json", &file)
	if len(file.Cases) < 4 {
		t.Fatalf("only %d cases", len(file.Cases))
	}
	for _, c := range file.Cases {
		t.Run(c.Case, func(t *testing.T) {
			k := newKeyExchange(new(big.Int).SetBytes(c.ServerPrivate))
			if want := bytes.TrimLeft(c.ServerPublic, "\x00"); !bytes.Equal(k.PublicKey(), want) {
				t.Errorf("public key %x, want %x", k.PublicKey(), want)
			}
			for _, zeros := range []int{0, 1, 40} {
				key, err := k.SharedKey(append(make([]byte, zeros), c.ClientPublic...))
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(key[:], c.AESKey) {
					t.Errorf("key %x, want %x with %d zeros before the public key", key, []byte(c.AESKey), zeros)
				}
			}
			checkMessage(t, c.AESKey, c.Message, c.Plain)
		})
	}
}

type encryptionVector struct {
	Crypto struct {
		ClientPublic  hexBytes `json:"client_public_hex"`
		ServerPrivate hexBytes `json:"server_private_hex"`
		AESKey        hexBytes `json:"aes_key_hex"`
		Messages      []struct {
			Message hexBytes `json:"message_hex"`
			Plain   hexBytes `json:"plaintext_hex"`
		} `json:"messages"`
	} `json:"crypto"`
}

// wire W-33, W-35 (the file with the server's secret has no exchange)
func TestEncryptionVectors(t *testing.T) {
	files, err := filepath.Glob("testdata/udp_*.json")
	if err != nil || len(files) < 7 {
		t.Fatalf("%d vector files, %v", len(files), err)
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			var v encryptionVector
			readVectors(t, f, &v)
			if len(v.Crypto.Messages) == 0 {
				t.Fatal("no messages")
			}
			if v.Crypto.ServerPrivate != nil {
				key, err := newKeyExchange(new(big.Int).SetBytes(v.Crypto.ServerPrivate)).SharedKey(v.Crypto.ClientPublic)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(key[:], v.Crypto.AESKey) {
					t.Errorf("key %x, want %x", key, []byte(v.Crypto.AESKey))
				}
			}
			for _, m := range v.Crypto.Messages {
				checkMessage(t, v.Crypto.AESKey, m.Message, m.Plain)
			}
		})
	}
}

// checkMessage holds that message and F3, its type, plain are the encrypted and
// the plain form of the same message, in both directions.
func checkMessage(t *testing.T, key, message, plain []byte) {
	t.Helper()
	c, err := NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	clear := append([]byte{0xF3, message[1] &^ 0x80}, plain...)
	prefix := []byte("prefix")
	got, err := AppendDecryptedMessage(bytes.Clone(prefix), message, c)
	if err != nil || !bytes.Equal(got, append(bytes.Clone(prefix), clear...)) {
		t.Errorf("decrypted %x, %v, want %x", got, err, clear)
	}
	got, err = AppendEncryptedMessage(bytes.Clone(prefix), clear, c)
	if err != nil || !bytes.Equal(got, append(bytes.Clone(prefix), message...)) {
		t.Errorf("encrypted %x, %v, want %x", got, err, message)
	}
}

// wire W-34: two exchanges with one client key make two keys.
func TestExchangesDiffer(t *testing.T) {
	r := seeded(1)
	client, err := NewKeyExchange(r)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[[32]byte]bool)
	for range 20 {
		server, err := NewKeyExchange(r)
		if err != nil {
			t.Fatal(err)
		}
		if n := server.private.BitLen(); n != 256 {
			t.Errorf("private exponent of %d bits", n)
		}
		key, err := server.SharedKey(client.PublicKey())
		if err != nil {
			t.Fatal(err)
		}
		other, err := client.SharedKey(server.PublicKey())
		if err != nil || other != key {
			t.Errorf("the sides disagree: %x, %x, %v", key, other, err)
		}
		if seen[key] {
			t.Errorf("key %x came twice", key)
		}
		seen[key] = true
	}
}

func TestBadPublicKeys(t *testing.T) {
	k, err := NewKeyExchange(seeded(2))
	if err != nil {
		t.Fatal(err)
	}
	minus := func(n int64) []byte { return new(big.Int).Sub(exchangePrime, big.NewInt(n)).Bytes() }
	bad := map[string][]byte{
		"nil": nil, "empty": {}, "zero": {0}, "zeros": make([]byte, 96), "one": {0, 1},
		"p-1": minus(1), "p": minus(0), "p+1": minus(-1), "97 bytes": bytes.Repeat([]byte{1}, 97),
		"huge": bytes.Repeat([]byte{0xFF}, 500_000),
	}
	for name, b := range bad {
		if _, err := k.SharedKey(b); !errors.Is(err, ErrPublicKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, b := range map[string][]byte{"two": {2}, "p-2": minus(2)} {
		if _, err := k.SharedKey(b); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestExchangeNeedsRandomness(t *testing.T) {
	if _, err := NewKeyExchange(bytes.NewReader(make([]byte, 31))); err == nil {
		t.Error("no error from an empty source")
	}
}
