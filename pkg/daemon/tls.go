package daemon

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"os"
	"sync"
	"time"

	"github.com/boson-project/boson/pkg/config"
)

// serverTLS returns the certificate configuration of the secure listeners, or
// nil when there is none. Files are read again when they change, so that a
// renewed certificate needs no restart.
func serverTLS(cfg config.TLS) (*tls.Config, error) {
	switch {
	case cfg.Cert != "":
		c := &certificate{cert: cfg.Cert, key: cfg.Key}
		if _, err := c.get(nil); err != nil {
			return nil, fmt.Errorf("tls.cert, tls.key: %w", err)
		}
		return &tls.Config{GetCertificate: c.get, MinVersion: tls.VersionTLS12}, nil
	case cfg.SelfSigned:
		c, err := selfSigned()
		if err != nil {
			return nil, err
		}
		return &tls.Config{Certificates: []tls.Certificate{c}, MinVersion: tls.VersionTLS12}, nil
	}
	return nil, nil
}

// certificate is a pair of files and what was read from them.
type certificate struct {
	cert, key string

	mu      sync.Mutex
	loaded  *tls.Certificate
	modTime time.Time
	checked time.Time
}

// checkEvery bounds how often handshakes look at the files.
const checkEvery = time.Second

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.loaded != nil && time.Since(c.checked) < checkEvery {
		return c.loaded, nil
	}
	c.checked = time.Now()
	info, err := os.Stat(c.cert)
	if err == nil && c.loaded != nil && info.ModTime().Equal(c.modTime) {
		return c.loaded, nil
	}
	var pair tls.Certificate
	if err == nil {
		pair, err = tls.LoadX509KeyPair(c.cert, c.key)
	}
	if err != nil {
		if c.loaded != nil { // half-written files: go on with what there is
			return c.loaded, nil
		}
		return nil, err
	}
	c.loaded, c.modTime = &pair, info.ModTime()
	return c.loaded, nil
}

// selfSigned makes a certificate for this machine, good for tests.
func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return tls.Certificate{}, err
	}
	host, _ := os.Hostname()
	template := x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "boson self-signed"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(365 * 24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost", host}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// certificates reads a file of certificates (PEM) to trust; no file is nil: those
// of the system.
func certificates(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", file)
	}
	return pool, nil
}
