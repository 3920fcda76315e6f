package cluster

import (
	"net"
	"strings"
	"testing"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/config"
)

// Every transport goes the whole way over IPv6, told IPv6 addresses, and plays
// with those on IPv4 in one room. wire W-24, LB-025
func TestIPv6(t *testing.T) {
	t.Parallel()
	probe, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6 here")
	}
	_ = probe.Close()
	up := Start(t, func(c *config.Config) {
		both := config.Endpoints{UDP: ":0", TCP: ":0", WS: ":0"} // all addresses of both families
		c.NameServer.Listen, c.Master.Listen, c.GameServer.Listen = both, both, both
	})
	at := func(f Form, host string) string {
		a := address(up.NameServer(), f.Transport)
		scheme := ""
		if i := strings.Index(a, "://"); i >= 0 {
			scheme, a = a[:i+3], a[i+3:]
		}
		_, port, err := net.SplitHostPort(a)
		if err != nil {
			t.Fatal(err)
		}
		return scheme + net.JoinHostPort(host, port)
	}
	enter := func(f Form, host, user string) *player {
		s := Settings(up, f, user)
		s.NameServer = at(f, host)
		p := newPlayer(t, s)
		p.must(p.Connect(p.ctx()))
		p.must(p.JoinOrCreateRoom(p.ctx(), client.EnterRoomParams{RoomName: "both"}))
		if got := p.Peer().Address(); !strings.Contains(got, host) {
			t.Errorf("%s: a client of %s was sent to %s", f, host, got)
		}
		return p
	}
	old := enter(Forms[0], "127.0.0.1", "old")
	for _, f := range Forms {
		p := enter(f, "::1", "new "+f.String())
		p.must(p.RaiseEvent(1, "six", nil, client.SendReliable))
		if e := next(t, old.events, "event"); e.content != "six" {
			t.Errorf("%s: %+v", f, e)
		}
		old.must(old.RaiseEvent(2, "four", nil, client.SendReliable))
		if e := next(t, p.events, "event"); e.content != "four" {
			t.Errorf("%s: %+v", f, e)
		}
		p.must(p.LeaveRoom(p.ctx(), false))
	}
}
