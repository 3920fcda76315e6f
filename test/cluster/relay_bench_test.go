package cluster

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/auth"
	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/gameserver"
	"github.com/boson-project/boson/pkg/lobby"
	"github.com/boson-project/boson/pkg/photon"
	keyring "github.com/boson-project/boson/pkg/secure"
	"github.com/boson-project/boson/pkg/transport"
)

const relayPlayers = 8

// alone stands for the masters: whoever comes may create its room.
type alone struct{}

func (alone) Upsert(*lobby.Record)                                        {}
func (alone) Remove(string, string)                                       {}
func (alone) RequestPlacement(_, _ string, done func(gameserver.Reserve)) { done(gameserver.Reserved) }

// gameServer runs a game server that takes clients without a token.
func gameServer(t testing.TB, listen ...app.Listen) *app.Server {
	t.Helper()
	keys, err := keyring.NewKeyring(keyring.Key{1})
	if err != nil {
		t.Fatal(err)
	}
	games := gameserver.New(gameserver.Options{
		Auth:      auth.New(auth.Options{Keys: keys, Separation: auth.ByVersion, AllowAnonymous: true, TokenLife: time.Hour}),
		Directory: alone{}, Tokenless: true, AuthTimeout: time.Minute, TokenLife: time.Hour, Logger: zerolog.Nop(),
	})
	s := app.NewServer(app.Options{
		Name: "gameserver", Listen: listen, Logger: zerolog.Nop(), UDPTransmitRate: -1,
		Limits: transport.Limits{MaxMessagesPerSecond: -1},
	}, games)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		games.Stop()
		ctx, cancel := context.WithTimeout(context.Background(), Timeout)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		_ = games.Close(context.Background())
	})
	return s
}

// memorySession is a session without a socket: it counts what it is sent.
type memorySession struct {
	id        uint64
	info      transport.Info
	events    *atomic.Int64
	responses atomic.Int64
}

func (s *memorySession) ID() uint64             { return s.id }
func (s *memorySession) Info() *transport.Info  { return &s.info }
func (s *memorySession) RTT() time.Duration     { return 0 }
func (s *memorySession) Close(transport.Reason) {}

func (s *memorySession) Send(msg []byte, _ photon.Delivery) {
	switch {
	case photon.MessageType(msg[1]) == photon.TypeResponse && binary.LittleEndian.Uint16(msg[3:]) == 0:
		s.responses.Add(1)
	case photon.MessageType(msg[1]) == photon.TypeEvent && msg[2] == relayEvent:
		s.events.Add(1)
	}
}

const relayEvent = 77

func request(t testing.TB, op photon.OpCode, params photon.Params) []byte {
	t.Helper()
	msg, err := photon.AppendRequest(nil, photon.GpBinaryV18, op, params)
	if err != nil {
		t.Fatal(err)
	}
	return msg
}

func relayAuth(user string) photon.Params {
	return photon.Params{
		photon.Param(photon.ParamAppVersion, "1"), photon.Param(photon.ParamApplicationID, "relay"), photon.Param(photon.ParamUserID, user),
	}
}

func relayJoin() photon.Params {
	return photon.Params{
		photon.Param(photon.ParamRoomName, "relay"), photon.Param(photon.ParamJoinMode, byte(photon.CreateIfNotExists)),
	}
}

func relayRaise() photon.Params {
	return client.RaiseEventParams(relayEvent, make([]byte, 64), nil)
}

// memoryRoom is a room of players without sockets. The function relays n events
// of the first player and waits until the others have them.
func memoryRoom(t testing.TB) func(n int) {
	s := gameServer(t)
	events := &atomic.Int64{}
	var first transport.Receiver
	var all []transport.Receiver
	for i := range relayPlayers {
		session := &memorySession{id: uint64(i + 1), events: events, info: transport.Info{
			Kind: transport.UDP, Protocol: photon.GpBinaryV18, Remote: netip.MustParseAddrPort("127.0.0.1:1"),
		}}
		r := s.Accept(session)
		for step, msg := range [][]byte{
			request(t, photon.OpAuthenticate, relayAuth(fmt.Sprint(i))), request(t, photon.OpJoinGame, relayJoin()),
		} {
			r.Receive(msg, photon.Delivery{Mode: photon.Reliable})
			eventually(t, func() bool { return session.responses.Load() == int64(step+1) }, fmt.Sprintf("response %d of player %d", step, i))
		}
		if first == nil {
			first = r
		}
		all = append(all, r)
	}
	t.Cleanup(func() {
		for _, r := range all {
			r.Closed(transport.ReasonClientDisconnect)
		}
	})
	raise := request(t, photon.OpRaiseEvent, relayRaise())
	return func(n int) {
		want := events.Load() + int64(n*(relayPlayers-1))
		for range n {
			first.Receive(raise, photon.Delivery{})
		}
		for events.Load() < want {
			runtime.Gosched()
		}
	}
}

// TestRelayAllocations holds that an event costs next to no allocation on its way
// from the session through application, fiber and room to its receivers.
func TestRelayAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector adds allocations")
	}
	relay := memoryRoom(t)
	const events = 200
	relay(events)
	per := testing.AllocsPerRun(50, func() { relay(events) }) / events
	t.Logf("%.3f allocations per event", per)
	// What there is are chunks of memory that many events share.
	if per > 0.25 {
		t.Errorf("%.3f allocations per event", per)
	}
}

// BenchmarkRelayInMemory is one event to seven receivers without sockets: the
// cost of application, fiber and room.
func BenchmarkRelayInMemory(b *testing.B) {
	relay := memoryRoom(b)
	b.ReportAllocs()
	b.ResetTimer()
	for left := b.N; left > 0; left -= min(left, 100) {
		relay(min(left, 100))
	}
}

// BenchmarkRelayUDP is one event from socket to socket in a room of eight, many
// under way at once. Time and allocations are those of the server and of the
// eight clients together.
func BenchmarkRelayUDP(b *testing.B) {
	s := gameServer(b, app.Listen{Kind: transport.UDP, Addr: "127.0.0.1:0"})
	address := s.Bound()[0].Addr.String()
	var got atomic.Int64
	var sender *client.Peer
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for i := range relayPlayers {
		p, err := client.Dial(ctx, client.Options{AppID: "relay", OnRawEvent: func(code photon.EventCode, _ []byte, _ photon.Delivery) bool {
			if code == relayEvent {
				got.Add(1)
			}
			return true
		}}, address)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(p.Close)
		for _, step := range []struct {
			op     photon.OpCode
			params photon.Params
		}{{photon.OpAuthenticate, relayAuth(fmt.Sprint(i))}, {photon.OpJoinGame, relayJoin()}} {
			r, err := p.Operation(ctx, step.op, step.params)
			if err == nil {
				err = r.Err()
			}
			if err != nil {
				b.Fatal(err)
			}
		}
		if sender == nil {
			sender = p
		}
	}
	raise := request(b, photon.OpRaiseEvent, relayRaise())
	const window = 64
	b.ReportAllocs()
	b.ResetTimer()
	for sent := 0; sent < b.N || got.Load() < int64(b.N*(relayPlayers-1)); {
		if sent < b.N && int64(sent-window)*(relayPlayers-1) < got.Load() {
			if err := sender.SendMessage(raise, photon.Delivery{Mode: photon.Reliable}); err != nil {
				b.Fatal(err)
			}
			sent++
			continue
		}
		runtime.Gosched()
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N*(relayPlayers-1))/b.Elapsed().Seconds(), "deliveries/s")
}
