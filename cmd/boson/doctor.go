package main

import (
	"crypto/tls"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/doctor"
)

func doctorCommand() *cobra.Command {
	var opt doctor.Options
	var udp, tcp, ws, wss int
	var insecure bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Connect as a client, on every transport, and name what does not work",
		Long: `Connects as a client does: to the name server, to the master that it names, to
the game server that the master names, and into a room - on every transport, through
the addresses that the servers announce. Names the first thing that fails and the
setting to change. Run it from where your players are.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			opt.Ports = map[client.Transport]int{client.UDP: udp, client.TCP: tcp, client.WebSocket: ws, client.SecureWebSocket: wss}
			opt.TLS = &tls.Config{InsecureSkipVerify: insecure} //nolint:gosec // on request, for self-signed certificates
			if err := doctor.Examine(cmd.Context(), opt, os.Stdout); err != nil {
				return fmt.Errorf("not everything works")
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&opt.Host, "server", "127.0.0.1", "the name server's host, as players type it")
	f.IntVar(&udp, "udp", 5058, "the name server's UDP port; 0: leave UDP out")
	f.IntVar(&tcp, "tcp", 4533, "the name server's TCP port; 0: leave TCP out")
	f.IntVar(&ws, "ws", 9093, "the name server's WebSocket port; 0: leave WebSocket out")
	f.IntVar(&wss, "wss", 0, "the name server's secure WebSocket port, usually 19093")
	f.BoolVar(&insecure, "insecure", false, "accept any certificate on secure WebSockets")
	f.StringVar(&opt.Region, "region", "eu", "the region to ask for")
	f.StringVar(&opt.AppID, "app", "doctor", "the AppId to use")
	f.StringVar(&opt.AppVersion, "app-version", "1.0", "the AppVersion to use")
	f.DurationVar(&opt.Timeout, "timeout", 5*time.Second, "time limit of each step")
	return c
}
