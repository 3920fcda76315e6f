package app

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/transport"
)

// limitedSession takes limits, as those of package transport do.
type limitedSession struct {
	session
	limits *transport.PeerLimits
}

func (s *limitedSession) SetLimits(l *transport.PeerLimits) { s.limits = l }

// Limits of an application hold from authentication on, count its peers by
// address over all transports, and what they did is counted under its name.
func TestLimitsByApp(t *testing.T) {
	own := Limits{PeerLimits: transport.PeerLimits{MaxMessageSize: 9}, MaxPeersPerAddress: 2}
	server := NewServer(Options{Logger: zerolog.Nop(), AppLimits: map[string]Limits{"own": own}}, &testApp{})
	t.Cleanup(server.pool.Close)
	open := func(addr string) (*Peer, *limitedSession) {
		s := &limitedSession{session: session{info: transport.Info{Remote: netip.MustParseAddrPort(addr)}, sent: make(chan []byte, 16)}}
		return server.Accept(s).(*Peer), s
	}
	enter := func(p *Peer, app string, ok bool) {
		t.Helper()
		if err := p.EnterApp(app); (err == nil) != ok {
			t.Errorf("enter %s: %v", app, err)
		}
	}
	hits := func(app, limit string, want int64) {
		t.Helper()
		if !slices.Contains(server.LimitHits(), LimitHits{app, limit, want}) {
			t.Errorf("%q %s is not %d in %v", app, limit, want, server.LimitHits())
		}
	}
	a, sa := open("10.0.0.1:1")
	b, _ := open("10.0.0.1:2")
	c, sc := open("10.0.0.1:3")
	d, sd := open("10.0.0.1:4")
	e, _ := open("10.0.0.2:1")
	enter(a, "own", true)
	enter(a, "own", true) // again: still one
	enter(b, "own", true)
	enter(c, "own", false)
	enter(d, "another", true)
	enter(e, "own", true)
	if sa.limits == nil || *sa.limits != own.PeerLimits || sc.limits != nil || sd.limits != nil {
		t.Errorf("limits %v, %v, %v", sa.limits, sc.limits, sd.limits)
	}
	hits("own", "max_peers_per_address", 1)
	a.Closed(transport.ReasonByteRateLimit)
	enter(a, "own", true) // it is gone and takes no place
	enter(c, "own", true)
	c.Closed(transport.ReasonClientDisconnect)
	b.Closed(transport.ReasonMessageTooBig)
	d.Closed(transport.ReasonSendQueueFull)
	e.Disconnect(photon.ReturnOperationLimitReached, "operations", transport.ReasonRateLimit)
	e.Closed(transport.ReasonRateLimit)
	hits("own", "max_bytes_per_second", 1)
	hits("own", "max_message_size", 1)
	hits("own", "max_queued_bytes", 0)
	hits("own", "max_messages_per_second", 0) // the server's own decision
	hits("", "max_queued_bytes", 1)
	if n := len(server.apps.byID["own"].byAddress); n != 0 {
		t.Errorf("%d addresses are still counted", n)
	}
}
