//go:build linux

package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"time"

	"github.com/boson-project/boson/pkg/bench"
)

// idle has UDP clients enter a game server and do nothing, until its standard
// input ends: compare has one process of it for every so many clients. It says
// when they are there.
func idle(args []string) error {
	f := flag.NewFlagSet("idle", flag.ContinueOnError)
	to := f.String("to", "127.0.0.1:7001", "the game server")
	rooms := f.Int("rooms", 100, "rooms")
	players := f.Int("players", 4, "players per room")
	from := f.String("from", "127.2.0.0/26", "network that they connect from")
	if err := f.Parse(args); err != nil {
		return err
	}
	network, err := netip.ParsePrefix(*from)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	said := false
	_, err = bench.Run(ctx, bench.Options{
		GameServer: *to, Rooms: *rooms, Players: *players, From: network, Scenario: bench.Idle, Duration: time.Hour,
		Ramp: time.Duration(*rooms**players) * 300 * time.Microsecond,
		Progress: func(p bench.Progress) {
			if p.Interval != nil && !said {
				said = true
				fmt.Println("all there")
			}
		},
	})
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// startIdle runs idle as a child, and returns when its clients are there. end
// ends it.
func startIdle(to string, rooms, players int, from netip.Prefix) (end func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := exec.Command(self, "idle", "-to", to, "-rooms", fmt.Sprint(rooms), "-players", fmt.Sprint(players), "-from", from.String())
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	end = func() {
		_ = in.Close()
		_ = c.Wait()
	}
	var line [16]byte
	if _, err := out.Read(line[:]); err != nil {
		end()
		return nil, fmt.Errorf("idle clients: %w", err)
	}
	return end, nil
}
