// Command cmd runs the guest book.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/examples/guestbook"
	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/transport"
)

func main() {
	server := app.NewServer(app.Options{
		Name: "guestbook", Logger: zerolog.New(os.Stderr),
		Listen: []app.Listen{
			{Kind: transport.UDP, Addr: ":5060"}, {Kind: transport.TCP, Addr: ":5060"}, {Kind: transport.WebSocket, Addr: ":9060"},
		},
	}, guestbook.New())
	if err := server.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt)
	<-stop
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = server.Shutdown(ctx)
}
