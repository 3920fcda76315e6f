package cluster

import (
	"context"
	"net"
	"strconv"
	"testing"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/photon"
)

// Clients that are set to alternative ports replace the port of every address
// that they are told (27000 to 27002), and ping regions at that of the master.
func TestAlternativePorts(t *testing.T) {
	alt := map[string]string{}
	up := Start(t, func(c *config.Config) {
		for role, e := range map[string]*config.Endpoints{"ns": &c.NameServer.Listen, "ms": &c.Master.Listen, "gs": &c.GameServer.Listen} {
			e.AltUDP = freeAddress(t)
			alt[role] = e.AltUDP
		}
	})
	dial := func(role string) *client.Peer {
		ctx, cancel := context.WithTimeout(t.Context(), Timeout)
		defer cancel()
		p, err := client.Dial(ctx, client.Options{Transport: client.UDP, Protocol: photon.GpBinaryV18}, alt[role])
		if err != nil {
			t.Fatal(role, err)
		}
		t.Cleanup(p.Close)
		return p
	}
	ok := func(r *client.Response) *client.Response {
		t.Helper()
		if err := r.Err(); err != nil {
			t.Fatal(err)
		}
		return r
	}
	token := func(r *client.Response) photon.Params {
		s, _ := r.String(photon.ParamToken)
		return photon.Params{photon.Param(photon.ParamToken, s)}
	}
	ns := ok(ask(t, dial("ns"), photon.OpAuthenticate, loginParams(false, nil)))
	if a, _ := ns.String(photon.ParamAddress); a != address(up.Master(), client.UDP) {
		t.Errorf("the alternative port is announced: %s", a)
	}
	master := dial("ms")
	ok(ask(t, master, photon.OpAuthenticate, token(ns)))
	created := ok(ask(t, master, photon.OpCreateGame, photon.Params{roomName("r")}))
	game := dial("gs")
	ok(ask(t, game, photon.OpAuthenticate, token(created)))
	ok(ask(t, game, photon.OpCreateGame, photon.Params{roomName("r")}))

	host, port, _ := net.SplitHostPort(alt["ms"])
	n, _ := strconv.Atoi(port)
	ctx, cancel := context.WithTimeout(t.Context(), Timeout)
	defer cancel()
	if _, err := client.PingRegion(ctx, host, n); err != nil {
		t.Error(err)
	}
}

// Ports and names of the operator's choice: listening addresses and announced
// ones are settings of their own (27000 to 27002 instead of 5058, 5055, 5056,
// for one). LB-025
func TestPortsByConfiguration(t *testing.T) {
	everywhere := func(t *testing.T) string { // "localhost" may be one of several
		_, port, _ := net.SplitHostPort(freeAddress(t))
		return ":" + port
	}
	announced := func(listen string) string {
		_, port, err := net.SplitHostPort(listen)
		if err != nil {
			t.Fatal(err)
		}
		return "localhost:" + port
	}
	var master, game config.Endpoints
	up := Start(t, func(c *config.Config) {
		c.NameServer.Listen.UDP = freeAddress(t)
		for _, e := range []*config.Endpoints{&c.Master.Listen, &c.GameServer.Listen} {
			// On all addresses, as those with another name have to.
			e.UDP, e.TCP, e.WS = everywhere(t), everywhere(t), everywhere(t)
		}
		master, game = c.Master.Listen, c.GameServer.Listen
		c.Master.Announce = config.Announce{UDP: announced(master.UDP), TCP: announced(master.TCP), WS: announced(master.WS)}
		c.GameServer.Announce = config.Announce{UDP: announced(game.UDP), TCP: announced(game.TCP), WS: "ws://" + announced(game.WS)}
	})
	for _, tt := range []struct {
		form               Form
		wantMaster, wantGS string
	}{
		{Forms[1], announced(master.UDP), announced(game.UDP)},
		{Forms[3], announced(master.TCP), announced(game.TCP)},
		{Forms[6], "ws://" + announced(master.WS), "ws://" + announced(game.WS)},
	} {
		p := connected(t, up, tt.form, "user"+tt.form.String())
		if got := p.MasterAddress(); got != tt.wantMaster {
			t.Errorf("%s: master at %q, want %q", tt.form, got, tt.wantMaster)
		}
		p.must(p.CreateRoom(p.ctx(), client.EnterRoomParams{}))
		if got := p.Peer().Address(); got != tt.wantGS {
			t.Errorf("%s: game server at %q, want %q", tt.form, got, tt.wantGS)
		}
	}
}
