// Package bench loads a cluster with players in rooms that raise events, and
// measures what becomes of every one of them: how long it took since it was due,
// and whether it came once, in order, or not at all.
//
// The load is an open loop: events are due at fixed times, whatever the servers
// do, and latency counts from the moment that an event was due.
package bench

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/photon"
)

// MinBytes is the smallest content of an event: its mark, number and due time.
// MinBytesJSON is the same for JSON, which has them as text.
const (
	MinBytes     = 24
	MinBytesJSON = 40
)

// Scenario says what the players do.
type Scenario string

const (
	// Rooms: all players raise events at a steady rate. The default.
	Rooms Scenario = "rooms"
	// Bursts: all players of a room raise Burst reliable events at once, as when a
	// level is loaded, and then none until the rate is kept.
	Bursts Scenario = "bursts"
	// Idle: the players enter their rooms and do nothing but stay connected.
	Idle Scenario = "idle"
	// Lobby: the players stay in the lobby and ask the master for random rooms and
	// new ones at a steady rate.
	Lobby Scenario = "lobby"
	// Churn: the players enter rooms and leave again, each time anew from the name
	// server or master, at a steady rate.
	Churn Scenario = "churn"
)

// Scenarios are all there are.
var Scenarios = []Scenario{Rooms, Bursts, Idle, Lobby, Churn}

// Options of a run. One of the three addresses is needed; zero fields take their
// defaults.
type Options struct {
	// NameServer, Master or GameServer is where players connect first. A game
	// server that is addressed itself must take clients without a token.
	NameServer, Master, GameServer string
	// Region to ask a name server for. Default "eu".
	Region string
	// AppID and AppVersion of the players. Default "bench" and "1.0".
	AppID, AppVersion string

	// Scenario. Default Rooms.
	Scenario Scenario
	// Rooms with Players each. Default 8 and 8.
	Rooms, Players int
	// Rate of events, questions (Lobby) or ways into a room (Churn) per second and
	// player. Default 10; 1 for Lobby, 0.2 for Churn. It means nothing for Idle.
	Rate float64
	// Burst is how many events a player raises at once. Default 1; 20 for Bursts.
	Burst int
	// Bytes of an event's content, at least MinBytes. Default 64.
	Bytes int
	// Reliable events must all arrive, once and in order.
	Reliable bool
	// Encrypt the events.
	Encrypt bool
	// Insecure has secure WebSockets take any certificate, as one that a server made
	// for itself.
	Insecure  bool
	Transport client.Transport
	// Protocol is GpBinaryV16, GpBinaryV18, the default, or on WebSockets JSON.
	Protocol photon.Protocol
	// From is a network of this machine that the players' connections come from,
	// its addresses in turn; without one the system chooses. A loopback network
	// ("127.1.0.0/24") lets one machine have more players than ports. Only for
	// players in batched loops.
	From netip.Prefix

	// Ramp is the time over which players connect. Default 1 ms per player.
	Ramp time.Duration
	// Warmup before the measurement. Default 1 s; negative is none.
	Warmup time.Duration
	// Duration of the measurement. Default 10 s.
	Duration time.Duration
	// Loops is the number of goroutines that the rooms are spread over. Default 1.
	Loops int
	// Plain runs players on client.Peer, goroutines for each, instead of the batched
	// loops that Linux has for everything but encrypted events and secure WebSockets.
	Plain bool
	// Servers are the process ids of servers on this machine, whose use of CPU and
	// memory goes into the result. Linux only.
	Servers []int
	// Progress is called about once a second from Run's goroutine; may be nil.
	Progress func(Progress)
}

// Progress is what a run shows while it goes on.
type Progress struct {
	// Joined of Players are in their rooms.
	Joined, Players int
	// Interval is the latest second of the load, nil while players still connect.
	Interval *Interval
}

// connectTimeout bounds a player's way into its room.
const connectTimeout = 20 * time.Second

func (o Options) withDefaults() (Options, error) {
	def := func(p *int, d int) {
		if *p == 0 {
			*p = d
		}
	}
	def(&o.Rooms, 8)
	def(&o.Players, 8)
	def(&o.Bytes, 64)
	def(&o.Loops, 1)
	if o.Scenario == "" {
		o.Scenario = Rooms
	}
	if o.Rate == 0 {
		o.Rate = map[Scenario]float64{Lobby: 1, Churn: 0.2}[o.Scenario]
	}
	if o.Rate == 0 {
		o.Rate = 10
	}
	if o.Scenario == Bursts {
		def(&o.Burst, 20)
		o.Reliable = true
	}
	def(&o.Burst, 1)
	if o.Region == "" {
		o.Region = "eu"
	}
	if o.AppID == "" {
		o.AppID = "bench"
	}
	if o.AppVersion == "" {
		o.AppVersion = "1.0"
	}
	if o.Protocol == 0 {
		o.Protocol = photon.GpBinaryV18
	}
	if o.Ramp == 0 {
		o.Ramp = time.Duration(o.Rooms*o.Players) * time.Millisecond
	}
	switch {
	case o.Warmup == 0:
		o.Warmup = time.Second
	case o.Warmup < 0:
		o.Warmup = 0
	}
	if o.Duration == 0 {
		o.Duration = 10 * time.Second
	}
	o.Loops = min(o.Loops, o.Rooms)
	switch {
	case o.NameServer == "" && o.Master == "" && o.GameServer == "":
		return o, errors.New("bench: no address of a server")
	case o.Rooms < 0 || o.Players < 0 || o.Rooms*o.Players > 60000:
		return o, fmt.Errorf("bench: %d rooms of %d players: must be 1 to 60000 players", o.Rooms, o.Players)
	case o.Rate <= 0 || o.Rate > 1e6:
		return o, fmt.Errorf("bench: %g events per second", o.Rate)
	case !slices.Contains(Scenarios, o.Scenario):
		return o, fmt.Errorf("bench: scenario %q: must be one of %v", o.Scenario, Scenarios)
	case o.Bytes < o.minBytes() || o.Bytes > 100_000:
		return o, fmt.Errorf("bench: %d bytes: must be %d to 100000", o.Bytes, o.minBytes())
	case o.Burst < 1 || o.Burst > 10000:
		return o, fmt.Errorf("bench: bursts of %d events: must be 1 to 10000", o.Burst)
	case o.Protocol == photon.JSON && o.Transport != client.WebSocket && o.Transport != client.SecureWebSocket:
		return o, errors.New("bench: JSON needs a WebSocket")
	case o.Protocol == photon.JSON && o.Encrypt:
		return o, errors.New("bench: JSON events can't be encrypted")
	case o.Scenario == Lobby && o.NameServer == "" && o.Master == "":
		return o, errors.New("bench: a lobby needs a name server or master")
	case o.From.IsValid() && (!loopTakes(&o) || o.Scenario == Lobby || o.Scenario == Churn):
		return o, errors.New("bench: client addresses can only be chosen for players in batched loops")
	case o.Duration < 0 || o.Ramp < 0 || o.Loops < 1:
		return o, errors.New("bench: durations and loops must not be negative")
	}
	return o, nil
}

// raises says whether the scenario's players raise events.
func (o *Options) raises() bool { return o.Scenario == Rooms || o.Scenario == Bursts }

func (o *Options) minBytes() int {
	if o.Protocol == photon.JSON {
		return MinBytesJSON
	}
	return MinBytes
}

// from is the address that player n connects from.
func (o *Options) from(n int) netip.Addr {
	if !o.From.IsValid() {
		return netip.Addr{}
	}
	// The first and the last address are not for hosts.
	hosts := 1
	if free := o.From.Addr().BitLen() - o.From.Bits(); free >= 2 {
		hosts = 1<<min(free, 16) - 2
	}
	a := o.From.Masked().Addr()
	if hosts > 1 {
		a = a.Next()
	}
	for range n % hosts {
		a = a.Next()
	}
	return a
}

func (o *Options) delivery() photon.Delivery {
	d := photon.Delivery{Mode: photon.Unreliable, Encrypt: o.Encrypt}
	if o.Reliable {
		d.Mode = photon.Reliable
	}
	return d
}

// serversUse is what the servers have used, all together.
func (o *Options) serversUse() (cpu time.Duration, memory int64, err error) {
	for _, pid := range o.Servers {
		c, m, err := ProcessUse(pid)
		if err != nil {
			return 0, 0, err
		}
		cpu, memory = cpu+c, memory+m
	}
	return cpu, memory, nil
}
