package cluster

import (
	"net"
	"testing"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/config"
)

// Ports and names of the operator's choice: listening addresses and announced
// ones are settings of their own (27000 to 27002 instead of 5058, 5055, 5056,
// for one). LB-025
func TestPortsByConfiguration(t *testing.T) {
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
			e.UDP, e.TCP, e.WS = freeAddress(t), freeAddress(t), freeAddress(t)
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
