// Package cluster runs whole clusters in one process, for tests and benchmarks
// that drive them with the Go client over real sockets.
package cluster

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/daemon"
	"github.com/boson-project/boson/pkg/photon"
)

// Timeout of every step of a test.
const Timeout = 10 * time.Second

// Config returns a configuration for free ports on loopback. change may be nil.
func Config(change func(*config.Config)) *config.Config {
	free := config.Endpoints{UDP: "127.0.0.1:0", TCP: "127.0.0.1:0", WS: "127.0.0.1:0"}
	cfg := config.Default()
	cfg.NameServer.Listen, cfg.Master.Listen, cfg.GameServer.Listen = free, free, free
	cfg.Master.S2S = "127.0.0.1:0"
	cfg.GameServer.DrainTimeout = time.Millisecond
	cfg.GameServer.LoadByCPU = false // tests share the machine with much else
	if change != nil {
		change(cfg)
	}
	return cfg
}

// Start runs a cluster for the length of a test.
func Start(t testing.TB, change func(*config.Config)) *daemon.Up {
	t.Helper()
	up, err := daemon.NewUp(Config(change), zerolog.Nop(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), Timeout)
	defer cancel()
	if err := up.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), Timeout)
		defer cancel()
		if err := up.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return up
}

// Form is a transport with a serialization.
type Form struct {
	Transport client.Transport
	Protocol  photon.Protocol
}

// String names the form, for subtests.
func (f Form) String() string { return fmt.Sprintf("%s_%s", f.Transport, f.Protocol) }

// Forms are all ways in which a client can speak.
var Forms = []Form{
	{client.UDP, photon.GpBinaryV16}, {client.UDP, photon.GpBinaryV18},
	{client.TCP, photon.GpBinaryV16}, {client.TCP, photon.GpBinaryV18},
	{client.WebSocket, photon.GpBinaryV16}, {client.WebSocket, photon.GpBinaryV18}, {client.WebSocket, photon.JSON},
}

// Settings of a client that connects through the cluster's name server.
func Settings(up *daemon.Up, f Form, user string) client.Settings {
	return client.Settings{
		AppID: "test", AppVersion: "1.0", NameServer: address(up.NameServer(), f.Transport), Region: "eu",
		UserID: user, NickName: user, Transport: f.Transport, Protocol: f.Protocol,
	}
}
