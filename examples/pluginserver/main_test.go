package main

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/daemon"
	"github.com/boson-project/boson/pkg/photon"
)

// start runs the server on free ports and returns the name server's UDP address.
func start(t *testing.T) string {
	t.Helper()
	cfg := config.Default()
	preset(cfg)
	free := "127.0.0.1:0"
	listen := config.Endpoints{UDP: free}
	cfg.NameServer.Listen, cfg.Master.Listen, cfg.GameServer.Listen = listen, listen, listen
	cfg.Master.S2S, cfg.Admin.Listen, cfg.Admin.GRPC = free, "", ""
	up, err := daemon.NewUp(cfg, zerolog.Nop(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := up.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := up.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return up.NameServer()[0].Addr.String()
}

func player(t *testing.T, nameServer string, h client.Handler) *client.Client {
	t.Helper()
	c := client.New(client.Settings{AppID: "my-game", NameServer: nameServer, Region: "eu"}, h)
	t.Cleanup(c.Close)
	if err := c.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

// PL-55, PL-57, PL-60 over sockets, with our own client.
func TestPluginsByName(t *testing.T) {
	nameServer := start(t)
	ctx := t.Context()
	heard := make(chan any, 1)
	ann := player(t, nameServer, client.Handler{OnEvent: func(e *client.Event) { heard <- e.CustomData() }})
	bob := player(t, nameServer, client.Handler{})

	room := func(name string, plugins ...string) client.EnterRoomParams {
		o := client.NewRoomOptions()
		o.Plugins = plugins
		return client.EnterRoomParams{RoomName: name, RoomOptions: o}
	}
	refused := func(what string, err error) {
		t.Helper()
		if client.ReturnCodeOf(err) != photon.ReturnPluginMismatch {
			t.Errorf("%s: %v, want PluginMismatch", what, err)
		}
	}
	refused("create with a plugin that is not there", ann.CreateRoom(ctx, room("r1", "NoSuch")))
	refused("create or join with it", ann.JoinOrCreateRoom(ctx, room("r2", "NoSuch")))

	if err := ann.CreateRoom(ctx, room("r", "ChatFilter")); err != nil {
		t.Fatal(err)
	}
	refused("join of a room with another plugin", bob.JoinOrCreateRoom(ctx, room("r", "TicTacToe")))
	if err := bob.JoinOrCreateRoom(ctx, room("r", "ChatFilter")); err != nil {
		t.Fatal(err)
	}
	if err := bob.RaiseEvent(10, "what the heck", nil, client.SendReliable); err != nil {
		t.Fatal(err)
	}
	select {
	case text := <-heard:
		if text != "what the ****" {
			t.Errorf("ann heard %v", text)
		}
	case <-time.After(10 * time.Second):
		t.Error("ann heard nothing")
	}
	for _, name := range []string{"TicTacToe", "MatchTimer"} {
		c := player(t, nameServer, client.Handler{})
		if err := c.CreateRoom(ctx, room(name, name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A mistake in a plugin's configuration keeps the server from starting.
func TestBadConfig(t *testing.T) {
	cfg := config.Default()
	preset(cfg)
	cfg.Plugins.Apps[0].Config = map[string]string{"players": "none"}
	_, err := daemon.NewUp(cfg, zerolog.Nop(), io.Discard)
	if err == nil || !strings.Contains(err.Error(), "plugins.apps[0].config") || !strings.Contains(err.Error(), "MatchTimer: players is") {
		t.Errorf("got %v", err)
	}
}
