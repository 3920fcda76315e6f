package cluster

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/daemon"
	"github.com/boson-project/boson/pkg/photon"
)

// atlas is three clusters, each on a loopback address of its own and all on the
// same ports, as hosts in the world would be: regions eu (default cluster and
// "alpha") and us, a region that is not there, and a name server for all.
type atlas struct {
	clusters map[string]*daemon.Up // by region/cluster
	ports    config.Endpoints
	ns       *config.Config
}

func newAtlas(t *testing.T) *atlas {
	t.Helper()
	for _, host := range []string{"127.0.0.2", "127.0.0.3", "127.0.0.4"} {
		l, err := net.Listen("tcp", host+":0")
		if err != nil {
			t.Skipf("this machine has no address %s: %v", host, err)
		}
		_ = l.Close()
	}
	a := &atlas{clusters: map[string]*daemon.Up{}}
	_, udp, _ := net.SplitHostPort(freeAddress(t))
	_, tcp, _ := net.SplitHostPort(freeAddress(t))
	_, ws, _ := net.SplitHostPort(freeAddress(t))
	key := strings.Repeat("b2", 32)
	var regions []config.Region
	for i, name := range []string{"eu/default", "eu/alpha", "us/default"} {
		code, cluster, _ := strings.Cut(name, "/")
		host := "127.0.0." + string(rune('2'+i))
		cfg := Config(func(c *config.Config) {
			c.Cluster.Key, c.Cluster.Region, c.Cluster.Name = key, code, cluster
			c.Master.Listen = config.Endpoints{UDP: net.JoinHostPort(host, udp), TCP: net.JoinHostPort(host, tcp), WS: net.JoinHostPort(host, ws)}
			free := host + ":0"
			c.GameServer.Listen = config.Endpoints{UDP: free, TCP: free, WS: free}
			c.GameServer.Announce.Host = host
		})
		up, err := daemon.NewUp(cfg, zerolog.Nop(), io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), Timeout)
		err = up.Start(ctx)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), Timeout)
			defer cancel()
			if err := up.Stop(ctx); err != nil {
				t.Error(err)
			}
		})
		a.clusters[name] = up
		regions = append(regions, config.Region{Region: code, Cluster: cluster,
			Announce: config.Announce{UDP: net.JoinHostPort(host, udp), TCP: net.JoinHostPort(host, tcp), WS: net.JoinHostPort(host, ws)}})
	}
	// A region whose master is down: nothing listens there.
	regions = append(regions, config.Region{Region: "asia", Announce: config.Announce{UDP: "127.0.0.9:" + udp, TCP: "127.0.0.9:" + tcp, WS: "127.0.0.9:" + ws}})
	a.ports = config.Endpoints{UDP: udp, TCP: tcp, WS: ws}
	a.ns = Config(func(c *config.Config) {
		c.Cluster.Key = key
		c.NameServer.Listen = config.Endpoints{UDP: freeAddress(t), TCP: freeAddress(t), WS: freeAddress(t)}
		c.NameServer.Regions = regions
		c.Apps.Rules = []config.AppRules{{AppID: "american", Regions: "US;mars"}}
	})
	run(t, daemon.NewNameServer, a.ns)
	return a
}

func (a *atlas) settings(f Form, region, user string) client.Settings {
	ns := map[client.Transport]string{client.UDP: a.ns.NameServer.Listen.UDP, client.TCP: a.ns.NameServer.Listen.TCP, client.WebSocket: "ws://" + a.ns.NameServer.Listen.WS}
	return client.Settings{AppID: "test", AppVersion: "1.0", NameServer: ns[f.Transport], Region: region, UserID: user, Transport: f.Transport, Protocol: f.Protocol}
}

// Regions and their clusters, from the name server into a room.
// LB-020, LB-025, LB-029, LB-030, CL-54
func TestRegions(t *testing.T) {
	a := newAtlas(t)
	for _, f := range []Form{Forms[1], Forms[3], Forms[6]} {
		for _, tt := range []struct{ region, host, cluster string }{
			{"eu", "127.0.0.2", "default"}, {"EU", "127.0.0.2", "default"}, {"eu/default", "127.0.0.2", "default"},
			{"eu/alpha", "127.0.0.3", "alpha"}, {"us", "127.0.0.4", "default"}, {"us/*", "127.0.0.4", "default"},
		} {
			p := newPlayer(t, a.settings(f, tt.region, "ann"))
			p.must(p.Connect(p.ctx()))
			if !strings.Contains(p.MasterAddress(), tt.host+":") {
				t.Errorf("%s %s: master at %s", f, tt.region, p.MasterAddress())
			}
			p.must(p.CreateRoom(p.ctx(), client.EnterRoomParams{RoomName: "same name"}))
			if !strings.Contains(p.Peer().Address(), tt.host+":") || p.MyActorNr() != 1 {
				t.Errorf("%s %s: game server at %s", f, tt.region, p.Peer().Address())
			}
			p.must(p.LeaveRoom(p.ctx(), false))
			p.Close()
		}
		// Any cluster of the region: different users come to both.
		met := map[string]bool{}
		for i := 0; i < 40 && len(met) < 2; i++ {
			p := newPlayer(t, a.settings(f, "eu/*", string(rune('a'+i))))
			p.must(p.Connect(p.ctx()))
			met[p.MasterAddress()] = true
			p.Close()
		}
		if len(met) != 2 {
			t.Errorf("%s: eu/* led to %v", f, met)
		}
		for _, region := range []string{"mars", "eu/beta", "us/alpha", "/", "/eu", "eu /default"} {
			p := newPlayer(t, a.settings(f, region, "ann"))
			if err := p.Connect(p.ctx()); code(err) != photon.ReturnInvalidRegion {
				t.Errorf("%s %q: %v", f, region, err)
			}
		}
		for region, want := range map[string]photon.ReturnCode{"us": 0, "eu": photon.ReturnInvalidRegion} {
			s := a.settings(f, region, "ann")
			s.AppID = "american"
			p := newPlayer(t, s)
			if err := p.Connect(p.ctx()); code(err) != want {
				t.Errorf("%s: american in %s: %v", f, region, err)
			}
			p.Close()
		}
		p := newPlayer(t, a.settings(f, "eu", "ann"))
		regions, err := p.Regions(p.ctx())
		if err != nil || len(regions) != 3 || regions[0].Code != "asia" || regions[1].Code != "eu" || regions[2].Code != "us" {
			t.Errorf("%s: %v, %v", f, regions, err)
		}
		p.Close()
	}
}

// LB-038: of several regions, one of which does not answer, the client finds the
// best by pings, and gets there.
func TestBestRegion(t *testing.T) {
	a := newAtlas(t)
	s := a.settings(Forms[1], "", "ann")
	s.RegionPingPort, _ = net.LookupPort("udp", a.ports.UDP)
	p := newPlayer(t, s)
	p.must(p.Connect(p.ctx()))
	if m := p.MasterAddress(); !strings.HasPrefix(m, "127.0.0.2:") && !strings.HasPrefix(m, "127.0.0.4:") {
		t.Errorf("master at %s", m)
	}
	p.must(p.CreateRoom(p.ctx(), client.EnterRoomParams{}))
	p.Close()

	// A token is worth nothing in another region.
	ns := dialAddress(t, a.ns.NameServer.Listen.TCP, Forms[3], nil)
	token, _ := ns.ok(photon.OpAuthenticate, claims("test", "1.0", "bob")...).String(photon.ParamToken)
	us := dialRaw(t, a.clusters["us/default"].Master(), Forms[3], nil)
	refused(t, "a token of another region", us.ask(photon.OpAuthenticate, photon.Param(photon.ParamToken, token)), photon.ReturnInvalidAuthentication)
	eu := dialRaw(t, a.clusters["eu/default"].Master(), Forms[3], nil)
	eu.ok(photon.OpAuthenticate, photon.Param(photon.ParamToken, token))
}
