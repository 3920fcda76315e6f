//go:build linux

package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	_ "net/http/pprof" // profiles on -pprof
	"time"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/auth"
	"github.com/boson-project/boson/pkg/gameserver"
	"github.com/boson-project/boson/pkg/lobby"
	"github.com/boson-project/boson/pkg/secure"
	"github.com/boson-project/boson/pkg/transport"
)

// alone stands for the masters: whoever comes may create its room.
type alone struct{}

func (alone) Upsert(*lobby.Record)                                        {}
func (alone) Remove(string, string)                                       {}
func (alone) RequestPlacement(_, _ string, done func(gameserver.Reserve)) { done(gameserver.Reserved) }

// boson runs a game server alone, without limits on what a peer may send and get:
// the plain relay has none either.
func boson(args []string) error {
	f := flag.NewFlagSet("boson", flag.ContinueOnError)
	listen := f.String("listen", "127.0.0.1:7001", "UDP address")
	tcp := f.String("tcp", "", "TCP address; may be empty")
	ws := f.String("ws", "", "WebSocket address; may be empty")
	profiles := f.String("pprof", "", "address of an HTTP server with profiles")
	limited := f.Bool("limited", false, "with a peer's ordinary limit of 256 KiB/s")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *profiles != "" {
		go func() { fmt.Println(http.ListenAndServe(*profiles, nil)) }()
	}
	keys, err := secure.NewKeyring(secure.Key{1})
	if err != nil {
		return err
	}
	games := gameserver.New(gameserver.Options{
		Auth:      auth.New(auth.Options{Keys: keys, Separation: auth.ByVersion, AllowAnonymous: true, TokenLife: time.Hour}),
		Directory: alone{}, Tokenless: true, AuthTimeout: time.Minute, TokenLife: time.Hour, Logger: zerolog.Nop(),
	})
	rate := -1
	if *limited {
		rate = 0
	}
	listens := []app.Listen{{Kind: transport.UDP, Addr: *listen}}
	if *tcp != "" {
		listens = append(listens, app.Listen{Kind: transport.TCP, Addr: *tcp})
	}
	if *ws != "" {
		listens = append(listens, app.Listen{Kind: transport.WebSocket, Addr: *ws})
	}
	server := app.NewServer(app.Options{
		Name: "gameserver", Listen: listens, Logger: zerolog.Nop(),
		Limits:          transport.Limits{MaxMessagesPerSecond: -1, MaxPeersPerAddress: -1},
		UDPTransmitRate: rate,
	}, games)
	if err := server.Start(); err != nil {
		return err
	}
	go games.Run(context.Background())
	select {}
}
