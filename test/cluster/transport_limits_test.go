package cluster

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/daemon"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/transport"
)

// transports of players whose application has its own limits.
var limitForms = []Form{{client.UDP, photon.GpBinaryV18}, {client.TCP, photon.GpBinaryV16}, {client.WebSocket, photon.GpBinaryV18}, {client.WebSocket, photon.JSON}}

// appPlayer is a player of another application than everybody else.
func appPlayer(t testing.TB, up *daemon.Up, f Form, appID, user string) *player {
	t.Helper()
	s := Settings(up, f, user)
	s.AppID = appID
	return newPlayer(t, s)
}

// hitsOf is what the game server counted for an application.
func hitsOf(up *daemon.Up, appID, limit string) int64 {
	hits := up.GameServerLimitHits()
	i := slices.IndexFunc(hits, func(h app.LimitHits) bool { return h.AppID == appID && h.Limit == limit })
	if i < 0 {
		return -1
	}
	return hits[i].N
}

// Each limit of an application strikes its own clients, with its name; those of
// others may do the same and nobody minds.
func TestLimitsOfOneApplication(t *testing.T) {
	t.Parallel()
	up := Start(t, func(c *config.Config) {
		c.Apps.Rules = []config.AppRules{
			{AppID: "size", Limits: config.AppLimits{MaxMessageSize: 20_000}},
			{AppID: "messages", Limits: config.AppLimits{MaxMessagesPerSecond: 50}},
			{AppID: "bytes", Limits: config.AppLimits{MaxBytesPerSecond: 100_000, MaxMessageSize: 30_000}},
			{AppID: "wide", Limits: config.AppLimits{MaxMessageSize: 1_500_000, MaxMessagesPerSecond: -1}},
		}
	})
	for _, tt := range []struct {
		appID, limit string
		reason       transport.Reason
		n, size      int // events until it must be over
	}{
		{"size", "max_message_size", transport.ReasonMessageTooBig, 1, 25_000},
		{"messages", "max_messages_per_second", transport.ReasonRateLimit, 500, 10},
		{"bytes", "max_bytes_per_second", transport.ReasonByteRateLimit, 60, 10_000},
	} {
		for _, f := range limitForms {
			if tt.appID == "size" && f.Protocol == photon.JSON {
				continue // its limit is that of text, see TestJSONLimit
			}
			t.Run(tt.appID+"_"+f.String(), func(t *testing.T) {
				free := connected(t, up, f, "free")
				free.must(free.CreateRoom(free.ctx(), client.EnterRoomParams{}))
				bound := appPlayer(t, up, f, tt.appID, "bound")
				bound.must(bound.Connect(bound.ctx()))
				bound.must(bound.CreateRoom(bound.ctx(), client.EnterRoomParams{}))
				before := hitsOf(up, tt.appID, tt.limit)
				closed := closedFor(up.GameServer(), tt.reason)
				content := strings.Repeat("x", tt.size)
				for _, p := range []*player{free, bound} {
					for range tt.n {
						err := p.RaiseEvent(1, content, &client.RaiseEventOptions{Receivers: photon.ReceiverAll}, client.SendReliable)
						if errors.Is(err, client.ErrQueueFull) {
							break
						} else if err != nil && p == free {
							t.Fatal(err)
						}
					}
				}
				select {
				case <-bound.lost:
				case <-time.After(Timeout):
					t.Fatal("the limit does not strike")
				}
				eventually(t, func() bool { return hitsOf(up, tt.appID, tt.limit) == before+1 }, "the application's hit is counted")
				eventually(t, func() bool { return closedFor(up.GameServer(), tt.reason) == closed+1 }, "the transport's reason is counted")
				for range tt.n {
					next(t, free.events, "event of a free player")
				}
				free.must(free.LeaveRoom(free.ctx(), false))
			})
		}
	}
	// Limits may be wider than the others', too.
	for _, f := range []Form{{client.UDP, photon.GpBinaryV18}, {client.TCP, photon.GpBinaryV18}} {
		wide := appPlayer(t, up, f, "wide", "wide")
		wide.must(wide.Connect(wide.ctx()))
		wide.must(wide.CreateRoom(wide.ctx(), client.EnterRoomParams{}))
		wide.must(wide.RaiseEvent(1, make([]byte, 1_000_000), &client.RaiseEventOptions{Receivers: photon.ReceiverAll}, client.SendReliable))
		if e := next(t, wide.events, "large event"); len(e.content.([]byte)) != 1_000_000 {
			t.Errorf("%d bytes", len(e.content.([]byte)))
		}
	}
}

// The queue of a client that does not read, by application.
func TestQueueLimitOfOneApplication(t *testing.T) {
	t.Parallel()
	up := Start(t, func(c *config.Config) {
		c.Apps.Rules = []config.AppRules{{AppID: "queue", Limits: config.AppLimits{MaxQueuedBytes: 100_000}}}
	})
	for _, f := range limitForms {
		t.Run(f.String(), func(t *testing.T) {
			stuck := make(chan struct{})
			s := Settings(up, f, "slow")
			s.AppID = "queue"
			slow := client.New(s, client.Handler{OnEvent: func(e *client.Event) {
				if e.Code == 1 {
					<-stuck
				}
			}})
			defer slow.Close()
			defer close(stuck)
			fast := appPlayer(t, up, Form{client.TCP, photon.GpBinaryV18}, "queue", "fast")
			fast.must(fast.Connect(fast.ctx()))
			fast.must(fast.CreateRoom(fast.ctx(), client.EnterRoomParams{RoomName: f.String()}))
			fast.must(slow.Connect(fast.ctx()))
			fast.must(slow.JoinRoom(fast.ctx(), client.EnterRoomParams{RoomName: f.String()}))
			before := hitsOf(up, "queue", "max_queued_bytes")
			content := strings.Repeat("x", 20_000)
			tick := time.NewTicker(time.Millisecond)
			defer tick.Stop()
			for end := time.After(2 * Timeout); hitsOf(up, "queue", "max_queued_bytes") == before; {
				select {
				case <-end:
					t.Fatal("the slow client is still there")
				case <-tick.C:
				}
				if err := fast.RaiseEvent(1, content, nil, client.SendReliable); err != nil && !errors.Is(err, client.ErrQueueFull) {
					t.Fatal(err)
				}
			}
			fast.must(fast.LeaveRoom(fast.ctx(), false)) // it was not harmed
		})
	}
}

// Clients from one address, by application: one too many is told so when it
// authenticates, whatever its transport; another application is open, and a place
// that becomes free is taken.
func TestAddressLimitOfOneApplication(t *testing.T) {
	t.Parallel()
	up := Start(t, func(c *config.Config) {
		c.Apps.Rules = []config.AppRules{{AppID: "few", Limits: config.AppLimits{MaxPeersPerAddress: 2}}}
	})
	var in []*player
	for i, f := range []Form{{client.UDP, photon.GpBinaryV18}, {client.WebSocket, photon.JSON}} {
		p := appPlayer(t, up, f, "few", fmt.Sprint("in", i))
		p.must(p.Connect(p.ctx()))
		in = append(in, p)
	}
	for _, f := range limitForms {
		out := appPlayer(t, up, f, "few", "out")
		if err := out.Connect(out.ctx()); code(err) != photon.ReturnOperationLimitReached {
			t.Errorf("%s: %v", f, err)
		}
		other := connected(t, up, f, "other")
		other.Close()
	}
	in[0].Close()
	eventually(t, func() bool { return peerCount(up.Master()) == 1 }, "one has left")
	again := appPlayer(t, up, Form{client.TCP, photon.GpBinaryV16}, "few", "again")
	again.must(again.Connect(again.ctx()))
}

// All clients of one address on one listener, of whatever application: refused
// while it is full, by UDP with the words of the protocol. wire W-22
func TestAddressLimitOfListener(t *testing.T) {
	t.Parallel()
	up := Start(t, func(c *config.Config) { c.Limits.MaxPeersPerAddress = 3 })
	for _, f := range []Form{{client.UDP, photon.GpBinaryV18}, {client.TCP, photon.GpBinaryV18}} {
		var bound app.Bound
		for _, b := range up.NameServer() {
			if b.Kind == transport.Kind(f.Transport) {
				bound = b
			}
		}
		for i := range 3 {
			p, err := client.Dial(t.Context(), client.Options{Transport: f.Transport, AppID: "x"}, address(up.NameServer(), f.Transport))
			if err != nil {
				t.Fatal(i, err)
			}
			defer p.Close()
		}
		var lost *client.DisconnectError
		_, err := client.Dial(t.Context(), client.Options{Transport: f.Transport, AppID: "x", Timeout: Timeout}, address(up.NameServer(), f.Transport))
		if err == nil || f.Transport == client.UDP && (!errors.As(err, &lost) || lost.Cause != client.DisconnectByServerUserLimit) {
			t.Errorf("%s: %v", f, err)
		}
		if n := bound.Counters.RefusedAddress.Load(); n == 0 {
			t.Errorf("%s: nothing was counted", f)
		}
	}
	// Region pings are for everybody.
	c, err := net.Dial("udp", address(up.NameServer(), client.UDP))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(Timeout))
	ping := strings.Repeat("}", 12) + "\x01"
	buf := make([]byte, 64)
	if _, err := c.Write([]byte(ping)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(buf); err != nil || string(buf[:n]) != ping {
		t.Errorf("ping: %q, %v", buf[:n], err)
	}
}
