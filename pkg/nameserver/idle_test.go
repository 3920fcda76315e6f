package nameserver

import (
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/auth"
	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/secure"
	"github.com/boson-project/boson/pkg/transport"
)

// session is a client without a socket, in a synctest bubble.
type session struct {
	info transport.Info
	mu   sync.Mutex
	sent int
	over transport.Reason
}

func (s *session) ID() uint64            { return 1 }
func (s *session) Info() *transport.Info { return &s.info }
func (s *session) RTT() time.Duration    { return 0 }
func (s *session) Send([]byte, photon.Delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent++
}
func (s *session) Close(r transport.Reason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = r
}

func (s *session) state() (sent int, over transport.Reason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent, s.over
}

// LB-036, LB-037, WJ-086: a client may take its time, before it authenticates
// (it pings regions) and after. Transports have idle times of their own, which
// clients' pings keep at bay.
func TestNameServerIsPatient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys, err := secure.NewKeyring(secure.Key{1})
		if err != nil {
			t.Fatal(err)
		}
		a := auth.New(auth.Options{Keys: keys, AllowAnonymous: true, TokenLife: time.Hour})
		defer a.Close()
		s := app.NewServer(app.Options{Logger: zerolog.Nop()}, New(Options{Auth: a, Regions: world, AuthTimeout: 10 * time.Second, Logger: zerolog.Nop()}))
		client := &session{info: transport.Info{Kind: transport.TCP, Protocol: photon.GpBinaryV18, Remote: netip.MustParseAddrPort("127.0.0.1:9")}}
		peer := s.Accept(client)
		answered := func(what string, want int, op photon.OpCode, params ...gpbinary.Param) {
			t.Helper()
			msg, err := photon.AppendRequest(nil, photon.GpBinaryV18, op, params)
			if err != nil {
				t.Fatal(err)
			}
			peer.Receive(msg, photon.Delivery{Mode: photon.Reliable})
			synctest.Wait()
			if sent, over := client.state(); sent != want || over != 0 {
				t.Fatalf("%s: %d answers, closed %v", what, sent, over)
			}
		}
		answered("regions", 1, photon.OpGetRegions, application("app"))
		time.Sleep(30 * time.Second) // LB-037
		answered("authenticate", 2, photon.OpAuthenticate, application("app"), in("eu"))
		time.Sleep(time.Hour) // LB-036
		answered("regions once more", 3, photon.OpGetRegions, application("app"))
		peer.Closed(transport.ReasonClientDisconnect)

		// Who never authenticates goes in the end.
		lazy := &session{info: client.info}
		peer = s.Accept(lazy)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if _, over := lazy.state(); over == 0 {
			t.Error("a client that never authenticated stays")
		}
		peer.Closed(transport.ReasonServerDisconnect)
	})
}
