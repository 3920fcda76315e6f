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
	"time"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/photon"
)

// MinBytes is the smallest content of an event: its mark, number and due time.
const MinBytes = 24

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

	// Rooms with Players each. Default 8 and 8.
	Rooms, Players int
	// Rate of events per second and player. Default 10.
	Rate float64
	// Bytes of an event's content, at least MinBytes. Default 64.
	Bytes int
	// Reliable events must all arrive, once and in order.
	Reliable bool
	// Encrypt the events.
	Encrypt   bool
	Transport client.Transport
	// Protocol is GpBinaryV16 or GpBinaryV18, the default.
	Protocol photon.Protocol

	// Ramp is the time over which players connect. Default 1 ms per player.
	Ramp time.Duration
	// Warmup before the measurement. Default 1 s; negative is none.
	Warmup time.Duration
	// Duration of the measurement. Default 10 s.
	Duration time.Duration
	// Loops is the number of goroutines that the rooms are spread over. Default 1.
	Loops int
	// Plain runs UDP players on client.Peer, a socket and goroutine each, instead
	// of the batched loops.
	Plain bool
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
	if o.Rate == 0 {
		o.Rate = 10
	}
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
	case o.Bytes < MinBytes || o.Bytes > 100_000:
		return o, fmt.Errorf("bench: %d bytes: must be %d to 100000", o.Bytes, MinBytes)
	case o.Protocol == photon.JSON:
		return o, errors.New("bench: events are bytes, which JSON has no form for")
	case o.Duration < 0 || o.Ramp < 0 || o.Loops < 1:
		return o, errors.New("bench: durations and loops must not be negative")
	}
	return o, nil
}

func (o *Options) delivery() photon.Delivery {
	d := photon.Delivery{Mode: photon.Unreliable, Encrypt: o.Encrypt}
	if o.Reliable {
		d.Mode = photon.Reliable
	}
	return d
}
