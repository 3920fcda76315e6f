package secure

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"testing"
)

func testCipher(t testing.TB) (*Cipher, cipher.Block) {
	t.Helper()
	key := bytes.Repeat([]byte{7}, 32)
	c, err := NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	b, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	return c, b
}

// The standard library's CBC is the other opinion about ours.
func TestCipherAgainstStandardLibrary(t *testing.T) {
	c, block := testCipher(t)
	for n := range 70 {
		plain := make([]byte, n)
		for i := range plain {
			plain[i] = byte(i * n)
		}
		want := bytes.Clone(plain)
		pad := 16 - n%16
		want = append(want, bytes.Repeat([]byte{byte(pad)}, pad)...)
		cipher.NewCBCEncrypter(block, make([]byte, 16)).CryptBlocks(want, want)
		got := c.AppendEncrypted([]byte("x"), plain)
		if !bytes.Equal(got[1:], want) || len(want) != EncryptedSize(n) {
			t.Fatalf("%d bytes: %x, want %x", n, got[1:], want)
		}
		back, err := c.AppendDecrypted([]byte("y"), want)
		if err != nil || !bytes.Equal(back, append([]byte("y"), plain...)) {
			t.Fatalf("%d bytes back: %x, %v", n, back, err)
		}
	}
}

func TestBadCiphertexts(t *testing.T) {
	c, block := testCipher(t)
	seal := func(plain ...byte) []byte {
		out := append(make([]byte, 16-len(plain)), plain...)
		cipher.NewCBCEncrypter(block, make([]byte, 16)).CryptBlocks(out, out)
		return out
	}
	bad := map[string][]byte{
		"empty": {}, "short": make([]byte, 15), "odd": make([]byte, 33),
		"padding 0": seal(0), "padding 17": seal(17), "padding 255": seal(255),
		"padding 2 with 1": seal(1, 2), "padding 3, first wrong": seal(2, 3, 3), "padding 16 with zeros": seal(16),
	}
	for name, b := range bad {
		dst := []byte("kept")
		got, err := c.AppendDecrypted(dst, b)
		if !errors.Is(err, ErrCiphertext) || string(got) != "kept" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if got, err := c.AppendDecrypted(nil, seal(1)); err != nil || len(got) != 15 {
		t.Errorf("padding 1: %x, %v", got, err)
	}
}

func TestBadMessages(t *testing.T) {
	c, _ := testCipher(t)
	sealed, err := AppendEncryptedMessage(nil, []byte{0xF3, 2, 1}, c)
	if err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string][]byte{"empty": {}, "magic only": {0xF3}, "json": []byte("~m~"), "encrypted already": sealed} {
		if got, err := AppendEncryptedMessage([]byte("kept"), m, c); !errors.Is(err, ErrMessage) || string(got) != "kept" {
			t.Errorf("encrypt %s: %q, %v", name, got, err)
		}
	}
	for name, m := range map[string][]byte{"empty": {}, "magic only": {0xF3}, "plain": {0xF3, 2, 1}} {
		if got, err := AppendDecryptedMessage([]byte("kept"), m, c); !errors.Is(err, ErrMessage) || string(got) != "kept" {
			t.Errorf("decrypt %s: %q, %v", name, got, err)
		}
	}
	if got, err := AppendDecryptedMessage([]byte("kept"), sealed[:len(sealed)-1], c); !errors.Is(err, ErrCiphertext) || string(got) != "kept" {
		t.Errorf("cut: %q, %v", got, err)
	}
}

func TestKeyLengths(t *testing.T) {
	for n := range 40 {
		_, err := NewCipher(make([]byte, n))
		if want := n == 16 || n == 24 || n == 32; (err == nil) != want {
			t.Errorf("key of %d bytes: %v", n, err)
		}
	}
}

func TestCipherDoesNotAllocate(t *testing.T) {
	c, _ := testCipher(t)
	msg := append([]byte{0xF3, 4}, make([]byte, 200)...)
	sealed := make([]byte, 0, 512)
	plain := make([]byte, 0, 512)
	n := testing.AllocsPerRun(100, func() {
		s, err := AppendEncryptedMessage(sealed, msg, c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = AppendDecryptedMessage(plain, s, c); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkEncryptMessage(b *testing.B) {
	c, _ := testCipher(b)
	msg := append([]byte{0xF3, 4}, make([]byte, 200)...)
	dst := make([]byte, 0, 512)
	b.SetBytes(int64(len(msg)))
	for b.Loop() {
		if _, err := AppendEncryptedMessage(dst, msg, c); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzDecryptMessage(f *testing.F) {
	c, _ := testCipher(f)
	for _, n := range []int{0, 1, 15, 16, 40} {
		m, err := AppendEncryptedMessage(nil, append([]byte{0xF3, 2}, make([]byte, n)...), c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(m)
	}
	f.Fuzz(func(t *testing.T, m []byte) {
		plain, err := AppendDecryptedMessage(nil, m, c)
		if err != nil {
			return
		}
		again, err := AppendEncryptedMessage(nil, plain, c)
		if err != nil || !bytes.Equal(again, m) {
			t.Errorf("%x decrypts to %x, which encrypts to %x, %v", m, plain, again, err)
		}
	})
}
