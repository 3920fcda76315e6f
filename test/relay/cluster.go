//go:build linux

package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/daemon"
)

// wholeCluster runs name server, master and game server in one process, without
// limits that a load from one machine would reach.
func wholeCluster(args []string) error {
	f := flag.NewFlagSet("cluster", flag.ContinueOnError)
	nameServer := f.String("nameserver", "127.0.0.1:7010", "the name server's UDP address")
	profiles := f.String("pprof", "", "address of an HTTP server with profiles")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *profiles != "" {
		go func() { fmt.Println(http.ListenAndServe(*profiles, nil)) }()
	}
	cfg := config.Default()
	free := config.Endpoints{UDP: "127.0.0.1:0"}
	cfg.NameServer.Listen, cfg.Master.Listen, cfg.GameServer.Listen = config.Endpoints{UDP: *nameServer}, free, free
	cfg.Master.S2S = "127.0.0.1:0"
	cfg.GameServer.LoadByCPU = false
	cfg.Limits.MaxMessagesPerSecond, cfg.Limits.MaxPeersPerAddress = -1, -1
	up, err := daemon.NewUp(cfg, zerolog.Nop(), io.Discard)
	if err != nil {
		return err
	}
	if err := up.Start(context.Background()); err != nil {
		return err
	}
	select {}
}
