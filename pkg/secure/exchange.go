package secure

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/big"
)

// exchangeSize is the length of the prime, and the longest public key, in bytes.
const exchangeSize = 96

// privateSize is the length of a private exponent in bytes; wire.md 7.1
// recommends 256 bits or more.
const privateSize = 32

// ErrPublicKey is the error of SharedKey for a peer's public key that is not a
// number from 2 to p-2.
var ErrPublicKey = errors.New("secure: public key out of range")

// The group of the exchange, wire.md 7.1. The prime is a safe prime, so the
// only public keys that would give away the shared secret are 1 and p-1 (and
// what is not reduced); all others are in subgroups of at least 766 bits.
var (
	exchangePrime, _ = new(big.Int).SetString(
		"FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74"+
			"020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F1437"+
			"4FE1356D6D51C245E485B576625E7EC6F44C42E9A63A3620FFFFFFFFFFFFFFFF", 16)
	exchangeGenerator = big.NewInt(22)
	exchangeLargest   = new(big.Int).Sub(exchangePrime, big.NewInt(2))
	exchangeSmallest  = big.NewInt(2)
)

// KeyExchange is the server's half of one Diffie-Hellman exchange (wire.md
// 7.1). A client may repeat the exchange; every one takes a new KeyExchange, so
// that a private exponent is used once. That also is why the exponentiation of
// math/big, which does not run in constant time, is good enough: there is
// nothing to average over. It takes some tenths of a millisecond, so callers
// limit how often a client may ask.
type KeyExchange struct {
	private *big.Int
	public  *big.Int
}

// NewKeyExchange draws a private exponent of 256 bits from rand. The error is
// that of rand.
func NewKeyExchange(rand io.Reader) (*KeyExchange, error) {
	var b [privateSize]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return nil, fmt.Errorf("secure: private exponent: %w", err)
	}
	// The highest bit set keeps the exponent at 256 bits whatever rand says,
	// and all exponentiations at the same length.
	b[0] |= 0x80
	return newKeyExchange(new(big.Int).SetBytes(b[:])), nil
}

func newKeyExchange(private *big.Int) *KeyExchange {
	return &KeyExchange{
		private: private,
		public:  new(big.Int).Exp(exchangeGenerator, private, exchangePrime),
	}
}

// PublicKey returns the server's public key for the client: big-endian, without
// leading zero bytes, at most 96 bytes.
func (k *KeyExchange) PublicKey() []byte { return k.public.Bytes() }

// SharedKey returns the AES-256 key that follows from the client's public key,
// which may have leading zero bytes. The error is ErrPublicKey.
func (k *KeyExchange) SharedKey(peerPublic []byte) (key [32]byte, err error) {
	for len(peerPublic) > 0 && peerPublic[0] == 0 {
		peerPublic = peerPublic[1:]
	}
	if len(peerPublic) > exchangeSize {
		return key, ErrPublicKey
	}
	a := new(big.Int).SetBytes(peerPublic)
	if a.Cmp(exchangeSmallest) < 0 || a.Cmp(exchangeLargest) > 0 {
		return key, ErrPublicKey
	}
	s := new(big.Int).Exp(a, k.private, exchangePrime)
	// Clients hash the secret without its leading zero bytes, which is how
	// big.Int gives it. Padded to 96 bytes it would fail once in 256 exchanges.
	return sha256.Sum256(s.Bytes()), nil
}
