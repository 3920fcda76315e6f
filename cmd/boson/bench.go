package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"strings"

	"github.com/spf13/cobra"

	"github.com/boson-project/boson/pkg/bench"
	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/photon"
)

func benchCommand() *cobra.Command {
	var opt bench.Options
	var transport, protocol, scenario, from, jsonFile, csvFile, svgFile string
	c := &cobra.Command{
		Use:   "bench",
		Short: "Load a cluster with players in rooms and measure what becomes of their events",
		Long: `Takes players into rooms and has each of them raise numbered events at a fixed rate,
whatever the servers do: latency counts from the moment that an event was due. Says
how many arrived, how late, how many were missing, came twice or out of order, and
how much CPU the load itself took - when that is near the cores it may use, it is
the load that was measured and not the server.

Scenarios:
  rooms   all players raise events at a steady rate
  bursts  all players of a room raise --burst reliable events at once, as when a
          level is loaded, and then none until the rate is kept
  idle    the players enter their rooms and stay connected
  lobby   the players stay in the lobby; three of four times they ask the master
          for a random room, the fourth for a new one
  churn   the players enter rooms and leave again, each time from the name server
          or master anew; --rate is how often a second each of them does

Ends with exit code 1 when a reliable event is missing, any event came twice or out
of order, a question was refused, or a connection was lost.`,
		Example: `  boson bench                                        the cluster on this machine
  boson bench --server game.example:5058 --rooms 100 --players 4 --reliable --svg latency.svg
  boson bench --transport ws --protocol json --json result.json
  boson bench --scenario churn --players 50 --rate 0.5 --duration 1m
  boson bench --scenario idle --rooms 2500 --players 4 --from 127.1.0.0/24`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var ok bool
			if opt.Transport, ok = benchTransports[transport]; !ok {
				return fmt.Errorf("unknown transport %q: udp, tcp, ws or wss", transport)
			}
			if opt.Protocol, ok = benchProtocols[protocol]; !ok {
				return fmt.Errorf("unknown protocol %q: v16, v18 or json", protocol)
			}
			opt.Scenario = bench.Scenario(scenario)
			if from != "" {
				var err error
				if opt.From, err = netip.ParsePrefix(from); err != nil {
					return fmt.Errorf("--from is no network: %w", err)
				}
			}
			if opt.NameServer == "" && opt.Master == "" && opt.GameServer == "" {
				opt.NameServer = "127.0.0.1"
			}
			opt.NameServer = withPort(opt.Transport, opt.NameServer)
			if info, err := os.Stderr.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
				opt.Progress = showProgress
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
			defer stop()
			return runBench(ctx, opt, map[string]func(*bench.Result, io.Writer) error{
				jsonFile: (*bench.Result).WriteJSON, csvFile: (*bench.Result).WriteCSV, svgFile: (*bench.Result).WriteSVG,
			})
		},
	}
	f := c.Flags()
	f.StringVar(&opt.NameServer, "server", "", "name server to begin at, host or host:port (default: the one on this machine)")
	f.StringVar(&opt.Master, "master", "", "master to begin at, without a name server")
	f.StringVar(&opt.GameServer, "gameserver", "", "game server to go straight to; it must take clients without a token (apps.tokenless)")
	f.StringVar(&opt.Region, "region", "eu", "region to ask the name server for")
	f.StringVar(&opt.AppID, "app", "bench", "AppId of the players")
	f.StringVar(&opt.AppVersion, "app-version", "1.0", "AppVersion of the players")
	f.StringVar(&scenario, "scenario", string(bench.Rooms), "what the players do: rooms, bursts, idle, lobby or churn")
	f.IntVar(&opt.Rooms, "rooms", 8, "number of rooms")
	f.IntVar(&opt.Players, "players", 8, "players per room")
	f.Float64Var(&opt.Rate, "rate", 0, "events, questions or visits per second and player (default 10, lobby 1, churn 0.2)")
	f.IntVar(&opt.Burst, "burst", 0, "events that a player raises at once (default 1, bursts 20)")
	f.IntVar(&opt.Bytes, "bytes", 64, fmt.Sprintf("bytes of an event's content, at least %d, JSON %d", bench.MinBytes, bench.MinBytesJSON))
	f.BoolVar(&opt.Reliable, "reliable", false, "send events reliably")
	f.BoolVar(&opt.Encrypt, "encrypt", false, "encrypt the events")
	f.BoolVar(&opt.Insecure, "insecure", false, "accept any certificate on secure WebSockets")
	f.StringVar(&transport, "transport", "udp", "udp, tcp, ws or wss")
	f.StringVar(&protocol, "protocol", "v18", "serialization: v16, v18, or on WebSockets json")
	f.StringVar(&from, "from", "", "network of this machine whose addresses the players connect from in turn, as 127.1.0.0/24")
	f.DurationVar(&opt.Ramp, "ramp", 0, "time over which players connect (default 1ms per player)")
	f.DurationVar(&opt.Warmup, "warmup", 0, "load before the measurement (default 1s)")
	f.DurationVar(&opt.Duration, "duration", 0, "length of the measurement (default 10s)")
	f.IntVar(&opt.Loops, "loops", 1, "goroutines that the rooms are spread over")
	f.BoolVar(&opt.Plain, "plain", false, "goroutines per player, as pkg/client has them, instead of batched loops")
	f.IntSliceVar(&opt.Servers, "pid", nil, "process id of a server on this machine, to tell its CPU and memory as well (Linux); may be repeated")
	f.StringVar(&jsonFile, "json", "", "file for the result as JSON; - is standard output")
	f.StringVar(&csvFile, "csv", "", "file for each second's figures as CSV; - is standard output")
	f.StringVar(&svgFile, "svg", "", "file for a plot of latency over time; - is standard output")
	return c
}

var benchTransports = map[string]client.Transport{
	"udp": client.UDP, "tcp": client.TCP, "ws": client.WebSocket, "wss": client.SecureWebSocket,
}

var benchProtocols = map[string]photon.Protocol{"v16": photon.GpBinaryV16, "v18": photon.GpBinaryV18, "json": photon.JSON}

// withPort adds what a name server's address lacks: the port of the transport,
// and the scheme of WebSockets.
func withPort(t client.Transport, address string) string {
	scheme, port := "", "5058"
	switch t {
	case client.TCP:
		port = "4533"
	case client.WebSocket:
		scheme, port = "ws://", "9093"
	case client.SecureWebSocket:
		scheme, port = "wss://", "19093"
	}
	if address == "" || strings.Contains(address, "://") {
		return address
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		address = net.JoinHostPort(strings.Trim(address, "[]"), port)
	}
	return scheme + address
}

// runBench writes the result for people to standard output unless a file goes there.
func runBench(ctx context.Context, opt bench.Options, files map[string]func(*bench.Result, io.Writer) error) error {
	res, err := bench.Run(ctx, opt)
	if opt.Progress != nil {
		fmt.Fprint(os.Stderr, "\r\033[K")
	}
	if err != nil {
		return err
	}
	if _, taken := files["-"]; !taken {
		if err := res.WriteText(os.Stdout); err != nil {
			return err
		}
	}
	for name, write := range files {
		switch name {
		case "":
		case "-":
			err = write(res, os.Stdout)
		default:
			err = writeFile(name, func(w io.Writer) error { return write(res, w) })
		}
		if err != nil {
			return err
		}
	}
	return res.Failure()
}

func writeFile(name string, write func(io.Writer) error) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}

// showProgress keeps one line of the terminal up to date.
func showProgress(p bench.Progress) {
	if p.Interval == nil {
		fmt.Fprintf(os.Stderr, "\r\033[K%d of %d players in their rooms", p.Joined, p.Players)
		return
	}
	in := p.Interval
	fmt.Fprintf(os.Stderr, "\r\033[K%.0f s   sent %d   delivered %d   p50 %.3g ms   p99 %.3g ms   max %.3g ms",
		in.Seconds, in.Sent, in.Deliveries, in.Latency.P50, in.Latency.P99, in.Latency.Max)
}
