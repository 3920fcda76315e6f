package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/daemon"
	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// secure adds secure WebSockets to every server.
func secure(c *config.Config) {
	c.TLS.SelfSigned = true
	for _, e := range []*config.Endpoints{&c.NameServer.Listen, &c.Master.Listen, &c.GameServer.Listen} {
		e.WSS = "127.0.0.1:0"
	}
}

// anyCertificate is a client's trust in a test's own certificate.
func anyCertificate() *tls.Config { return &tls.Config{InsecureSkipVerify: true} }

func secureSettings(up *daemon.Up, p photon.Protocol, user string) client.Settings {
	s := Settings(up, Form{client.SecureWebSocket, p}, user)
	s.TLS = anyCertificate()
	return s
}

// shape checks that an address has the form that clients of a transport expect
// (LB-025), and leads to the listener of that transport.
func shape(t testing.TB, got string, bound []app.Bound, tr client.Transport) {
	t.Helper()
	if want := address(bound, tr); got != want {
		t.Errorf("address for a %s client is %q, want %q", tr, got, want)
	}
}

// Clients of every transport are told addresses of their own transport, from the
// name server to the game server, and those over secure WebSocket play with the
// others. LB-025, WJ-008, wire W-32
func TestSecureWholeWay(t *testing.T) {
	up := Start(t, secure)
	host := connected(t, up, Form{client.UDP, photon.GpBinaryV18}, "host")
	host.must(host.CreateRoom(host.ctx(), client.EnterRoomParams{RoomName: "tower"}))
	shape(t, host.Peer().Address(), up.GameServer(), client.UDP)
	for _, f := range append([]Form{
		{client.SecureWebSocket, photon.GpBinaryV16}, {client.SecureWebSocket, photon.GpBinaryV18}, {client.SecureWebSocket, photon.JSON},
	}, Forms...) {
		t.Run(f.String(), func(t *testing.T) {
			s := Settings(up, f, "guest"+f.String())
			s.TLS = anyCertificate()
			p := newPlayer(t, s)
			p.must(p.Connect(p.ctx()))
			shape(t, p.Peer().Address(), up.Master(), f.Transport)
			p.must(p.JoinRoom(p.ctx(), client.EnterRoomParams{RoomName: "tower"}))
			shape(t, p.Peer().Address(), up.GameServer(), f.Transport)
			// Encrypt has no effect over TLS: neither side runs a cipher of its own.
			p.must(p.RaiseEvent(3, "over", nil, photon.Delivery{Mode: photon.Reliable, Encrypt: f.Transport == client.SecureWebSocket}))
			if e := next(t, host.events, "event"); e.content != "over" || e.from != p.MyActorNr() {
				t.Errorf("got %+v", e)
			}
			host.must(host.RaiseEvent(4, "out", nil, client.SendReliable))
			if e := next(t, p.events, "event"); e.content != "out" {
				t.Errorf("got %+v", e)
			}
			p.must(p.LeaveRoom(p.ctx(), false))
			shape(t, p.Peer().Address(), up.Master(), f.Transport)
		})
	}
}

// A client that authenticates over secure WebSocket and plays by another
// transport gets that one's address and a key. LB-026, wire W-35
func TestAuthenticateOnceWss(t *testing.T) {
	up := Start(t, secure)
	for _, tr := range []client.Transport{client.UDP, client.TCP, client.WebSocket, client.SecureWebSocket} {
		t.Run(tr.String(), func(t *testing.T) {
			ns, err := client.Dial(t.Context(), client.Options{Transport: client.SecureWebSocket, TLS: anyCertificate()}, address(up.NameServer(), client.SecureWebSocket))
			if err != nil {
				t.Fatal(err)
			}
			defer ns.Close()
			r, err := ns.Operation(t.Context(), photon.OpAuthenticateOnce, photon.Params{
				photon.Param(photon.ParamApplicationID, "test"), photon.Param(photon.ParamAppVersion, "1.0"),
				photon.Param(photon.ParamRegion, "eu"), photon.Param(photon.ParamExpectedProtocol, byte(tr)),
				photon.Param(photon.ParamEncryptionMode, byte(0)),
			})
			if err != nil || r.Err() != nil {
				t.Fatal(err, r)
			}
			got, _ := r.String(photon.ParamAddress)
			shape(t, got, up.Master(), tr)

			s := Settings(up, Form{tr, photon.GpBinaryV18}, "once "+tr.String())
			s.NameServer, s.AuthMode, s.TLS = address(up.NameServer(), client.SecureWebSocket), client.AuthOnceWss, anyCertificate()
			p := newPlayer(t, s)
			p.must(p.Connect(p.ctx()))
			p.must(p.CreateRoom(p.ctx(), client.EnterRoomParams{RoomName: "room " + tr.String()}))
			shape(t, p.Peer().Address(), up.GameServer(), tr)
			if !p.Peer().Encrypted() {
				t.Error("no encryption from the name server's secret")
			}
		})
	}
}

// Whatever a client asks for, the server chooses payload encryption. wire W-36
func TestDatagramEncryptionIsNeverChosen(t *testing.T) {
	up := Start(t, nil)
	for _, mode := range []byte{0, 1, 10, 11, 12, 13, 255} {
		ns, err := client.Dial(t.Context(), client.Options{Transport: client.UDP}, address(up.NameServer(), client.UDP))
		if err != nil {
			t.Fatal(err)
		}
		r, err := ns.Operation(t.Context(), photon.OpAuthenticateOnce, photon.Params{
			photon.Param(photon.ParamApplicationID, "test"), photon.Param(photon.ParamRegion, "eu"),
			photon.Param(photon.ParamExpectedProtocol, byte(0)), photon.Param(photon.ParamEncryptionMode, mode),
		})
		if err != nil || r.Err() != nil {
			t.Fatal(mode, err, r)
		}
		v, _ := r.Value(photon.ParamEncryptionData)
		d, ok := v.(*gpbinary.Dictionary)
		if !ok {
			t.Fatalf("mode %d is answered with a %T", mode, v)
		}
		chosen, _ := d.Get(byte(0))
		value, _ := d.Get(byte(1))
		if secret, _ := value.([]byte); chosen != byte(0) || len(secret) != 32 {
			t.Errorf("mode %d is answered with %v and a secret of %d bytes", mode, chosen, len(secret))
		}
		ns.Close()
	}
}

// TLS over TCP beside plain TCP: a session with the name server, frame by frame.
func TestTLSOverTCP(t *testing.T) {
	up := Start(t, func(c *config.Config) {
		c.TLS.SelfSigned = true
		c.NameServer.Listen.TLS = "127.0.0.1:0"
		// The master has TLS alone: then its TCP clients are sent there.
		c.Master.Listen.TCP, c.Master.Listen.TLS = "", "127.0.0.1:0"
	})
	further := up.NameServerFurther()
	if len(further) != 1 {
		t.Fatalf("%d further listeners", len(further))
	}
	c, err := tls.Dial("tcp", further[0].Addr.String(), anyCertificate())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(Timeout))
	in := photon.AppendInit(nil, photon.Init{Protocol: photon.GpBinaryV18, AppID: "NameServer", ClientVersion: [4]byte{4, 1, 8, 11}, SDKID: 30}, "")
	if _, err := c.Write(tcpFrame(in)); err != nil {
		t.Fatal(err)
	}
	if got := readTCPFrame(t, c); string(got) != string(photon.InitResponse) {
		t.Fatalf("init is answered %x", got)
	}
	req, err := photon.AppendRequest(nil, photon.GpBinaryV18, photon.OpGetRegions, photon.Params{photon.Param(photon.ParamApplicationID, "test")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(tcpFrame(req)); err != nil {
		t.Fatal(err)
	}
	got := readTCPFrame(t, c)
	if want := address(up.Master(), client.TCP); !strings.Contains(string(got), want) || want == "" {
		t.Errorf("regions %q do not name %s", got, want)
	}
	// Nobody is told of a TLS port where there is a plain one.
	if plain := address(up.NameServer(), client.TCP); plain == "" || plain == further[0].Addr.String() {
		t.Errorf("plain TCP is at %q", plain)
	}
}

func tcpFrame(msg []byte) []byte {
	b := binary.BigEndian.AppendUint32([]byte{0xFB}, uint32(len(msg)+7))
	return append(append(b, 0, 1), msg...)
}

func readTCPFrame(t testing.TB, c io.Reader) []byte {
	t.Helper()
	var head [7]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		t.Fatal(err)
	}
	msg := make([]byte, binary.BigEndian.Uint32(head[1:])-7)
	if _, err := io.ReadFull(c, msg); err != nil {
		t.Fatal(err)
	}
	return msg
}

// writeCertificate writes a pair of files, serial tells it from others.
func writeCertificate(t testing.TB, dir string, serial int64) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{key: {Type: "PRIVATE KEY", Bytes: pkcs8}, cert: {Type: "CERTIFICATE", Bytes: der}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// File systems with coarse times must see the change.
	if err := os.Chtimes(cert, time.Time{}, time.Now().Add(time.Duration(serial)*time.Hour)); err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// A renewed certificate is served without a restart, sessions go on, and files
// that are half written are not served.
func TestCertificateReload(t *testing.T) {
	dir := t.TempDir()
	up := Start(t, func(c *config.Config) {
		secure(c)
		c.TLS.SelfSigned = false
		c.TLS.Cert, c.TLS.Key = writeCertificate(t, dir, 1)
	})
	serial := func() int64 {
		addr, _ := strings.CutPrefix(address(up.Master(), client.SecureWebSocket), "wss://")
		c, err := tls.Dial("tcp", addr, anyCertificate())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if n := serial(); n != 1 {
		t.Fatalf("certificate %d", n)
	}
	p := newPlayer(t, secureSettings(up, photon.GpBinaryV18, "old"))
	p.must(p.Connect(p.ctx()))
	cert, _ := writeCertificate(t, dir, 2)
	eventually(t, func() bool { return serial() == 2 }, "the new certificate is served")
	p.must(p.CreateRoom(p.ctx(), client.EnterRoomParams{}))
	if err := os.WriteFile(cert, []byte("-----BEGIN CERT"), 0o600); err != nil {
		t.Fatal(err)
	}
	if n := serial(); n != 2 {
		t.Errorf("certificate %d", n)
	}
}
