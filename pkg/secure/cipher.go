package secure

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"errors"
	"slices"
)

// Errors of decryption. A server that gets one drops the message (wire.md 7.2).
var (
	ErrCiphertext = errors.New("secure: ciphertext is malformed or of another key")
	ErrMessage    = errors.New("secure: not a message that can be encrypted or decrypted")
)

// Message header, wire.md 4.1.
const (
	messageMagic  = 0xF3
	encryptedFlag = 0x80
	headerSize    = 2
)

// Cipher encrypts and decrypts the messages of one connection (wire.md 7.2):
// AES-CBC with an initialisation vector of zeros and PKCS#7 padding, every
// message on its own. It may be used from several goroutines at once and does
// not allocate when the destination has room.
type Cipher struct {
	block cipher.Block
}

// NewCipher returns the cipher of a key of 16, 24 or 32 bytes: that of a key
// exchange, or secret 1 of the encryption data that the name server handed out
// (wire.md 7.3). The error is about the key's length.
func NewCipher(key []byte) (*Cipher, error) {
	b, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return &Cipher{block: b}, nil
}

// EncryptedSize is the length of the ciphertext of n bytes.
func EncryptedSize(n int) int { return (n/aes.BlockSize + 1) * aes.BlockSize }

// AppendEncrypted appends the ciphertext of plain, EncryptedSize(len(plain))
// bytes. plain must not overlap dst's spare capacity.
//
// The chaining is written out here because the cipher.BlockMode of the standard
// library is an allocation per message, and CBC encryption has no parallelism
// that it could use.
func (c *Cipher) AppendEncrypted(dst, plain []byte) []byte {
	start := len(dst)
	dst = slices.Grow(dst, EncryptedSize(len(plain)))
	dst = append(dst, plain...)
	pad := aes.BlockSize - len(plain)%aes.BlockSize
	for range pad {
		dst = append(dst, byte(pad))
	}
	out := dst[start:]
	c.block.Encrypt(out, out)
	for i := aes.BlockSize; i < len(out); i += aes.BlockSize {
		block := out[i : i+aes.BlockSize]
		subtle.XORBytes(block, block, out[i-aes.BlockSize:i])
		c.block.Encrypt(block, block)
	}
	return dst
}

// AppendDecrypted appends the plaintext of cipher. The error is ErrCiphertext;
// dst is then returned as it was. cipher must not overlap dst's spare capacity.
func (c *Cipher) AppendDecrypted(dst, cipher []byte) ([]byte, error) {
	n := len(cipher)
	if n == 0 || n%aes.BlockSize != 0 {
		return dst, ErrCiphertext
	}
	start := len(dst)
	out := slices.Grow(dst, n)[:start+n]
	plain := out[start:]
	c.block.Decrypt(plain, cipher[:aes.BlockSize])
	for i := aes.BlockSize; i < n; i += aes.BlockSize {
		block := plain[i : i+aes.BlockSize]
		c.block.Decrypt(block, cipher[i:i+aes.BlockSize])
		subtle.XORBytes(block, block, cipher[i-aes.BlockSize:i])
	}
	pad, ok := padding(plain[n-aes.BlockSize:])
	if !ok {
		return dst, ErrCiphertext
	}
	return out[:start+n-pad], nil
}

// padding returns the length of the PKCS#7 padding of the last block. It looks
// at all 16 bytes whatever they are, so that its time tells nothing of them.
func padding(last []byte) (n int, ok bool) {
	p := int(last[aes.BlockSize-1])
	good := subtle.ConstantTimeLessOrEq(1, p) & subtle.ConstantTimeLessOrEq(p, aes.BlockSize)
	for i := range aes.BlockSize {
		inside := subtle.ConstantTimeLessOrEq(aes.BlockSize-i, p)
		equal := subtle.ConstantTimeByteEq(last[i], byte(p))
		good &= subtle.ConstantTimeSelect(inside, equal, 1)
	}
	return p, good == 1
}

// AppendEncryptedMessage appends the encrypted form of the message msg: F3,
// type with bit 7 set, ciphertext of the rest. The error is ErrMessage when msg
// has no header or is encrypted already; dst is then returned as it was.
func AppendEncryptedMessage(dst, msg []byte, c *Cipher) ([]byte, error) {
	if len(msg) < headerSize || msg[0] != messageMagic || msg[1]&encryptedFlag != 0 {
		return dst, ErrMessage
	}
	dst = slices.Grow(dst, headerSize+EncryptedSize(len(msg)-headerSize))
	dst = append(dst, messageMagic, msg[1]|encryptedFlag)
	return c.AppendEncrypted(dst, msg[headerSize:]), nil
}

// AppendDecryptedMessage appends the plain form of the encrypted message msg.
// The error is ErrMessage when msg is not an encrypted message, or
// ErrCiphertext; dst is then returned as it was.
func AppendDecryptedMessage(dst, msg []byte, c *Cipher) ([]byte, error) {
	if len(msg) < headerSize || msg[0] != messageMagic || msg[1]&encryptedFlag == 0 {
		return dst, ErrMessage
	}
	out := append(dst, messageMagic, msg[1]&^encryptedFlag)
	out, err := c.AppendDecrypted(out, msg[headerSize:])
	if err != nil {
		return dst, err
	}
	return out, nil
}
