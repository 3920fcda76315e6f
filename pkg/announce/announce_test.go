package announce

import (
	"net/netip"
	"testing"

	"github.com/boson-project/boson/pkg/transport"
)

// at makes the addresses of a server that listens on one host.
func at(host string) map[transport.Kind]netip.AddrPort {
	m := map[transport.Kind]netip.AddrPort{}
	for kind, port := range map[transport.Kind]uint16{transport.UDP: 5055, transport.TCP: 4530, transport.WebSocket: 9090, transport.SecureWebSocket: 19090} {
		m[kind] = netip.AddrPortFrom(netip.MustParseAddr(host), port)
	}
	return m
}

// LB-025, LB-026, LB-035, CL-13: the form fits the transport and family.
func TestAddressesFitTransportAndFamily(t *testing.T) {
	v4, v6 := netip.MustParseAddr("198.51.100.9"), netip.MustParseAddr("2001:db8::9")
	loop4, loop6 := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")
	none := netip.Addr{}
	named := Announcement{Host: "play.example.net"}
	both := Announcement{Host: "203.0.113.7", IPv6: "2001:db8::7"}
	tests := []struct {
		name   string
		a      Announcement
		kind   transport.Kind
		client netip.Addr
		server netip.Addr
		want   string
	}{
		{"UDP", named, transport.UDP, v4, none, "play.example.net:5055"},
		{"TCP", named, transport.TCP, v4, none, "play.example.net:4530"},
		{"WebSocket", named, transport.WebSocket, v4, none, "ws://play.example.net:9090"},
		{"secure WebSocket", named, transport.SecureWebSocket, v4, none, "wss://play.example.net:19090"},
		{"IPv6 client, server with IPv6", both, transport.UDP, v6, none, "[2001:db8::7]:5055"},
		{"IPv6 client, server with a name only", named, transport.UDP, v6, none, "play.example.net:5055"},
		{"IPv4 client, server with both", both, transport.TCP, v4, none, "203.0.113.7:4530"},
		{"override", Announcement{Host: "h", Override: map[transport.Kind]string{transport.UDP: "relay.example.net:27001"}}, transport.UDP, v4, none, "relay.example.net:27001"},
		{"override with path", Announcement{Override: map[transport.Kind]string{transport.WebSocket: "ws://h:80/game"}}, transport.WebSocket, v4, none, "ws://h:80/game"},
		{"nothing set, same machine", Announcement{}, transport.UDP, loop4, none, "127.0.0.1:5055"},
		{"nothing set, same machine, IPv6", Announcement{}, transport.WebSocket, loop6, none, "ws://[::1]:9090"},
		{"nothing set, server elsewhere", Announcement{}, transport.UDP, v4, netip.MustParseAddr("203.0.113.8"), "203.0.113.8:5055"},
		{"nothing set, server linked over loopback", Announcement{}, transport.UDP, loop4, loop4, "127.0.0.1:5055"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := Build(tt.a, at("0.0.0.0")).For(tt.kind, tt.client, tt.server)
			if !ok || got != tt.want {
				t.Errorf("got %q, %v, want %q", got, ok, tt.want)
			}
		})
	}
}

// A server that listens on one address of several is reached at that one only.
func TestAddressListenedOn(t *testing.T) {
	client, elsewhere := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("203.0.113.8")
	for _, tt := range []struct{ listens, host, want string }{
		{"127.0.0.2", "", "127.0.0.2:5055"},
		{"198.51.100.7", "", "198.51.100.7:5055"},
		{"::1", "", "[::1]:5055"},
		{"::", "", "203.0.113.8:5055"},
		{"198.51.100.7", "play.example.net", "play.example.net:5055"},
	} {
		got, _ := Build(Announcement{Host: tt.host}, at(tt.listens)).For(transport.UDP, client, elsewhere)
		if got != tt.want {
			t.Errorf("listening on %s with the host %q: %s, want %s", tt.listens, tt.host, got, tt.want)
		}
	}
}

func TestTransportThatIsOff(t *testing.T) {
	s := Build(Announcement{Host: "h"}, map[transport.Kind]netip.AddrPort{transport.UDP: netip.MustParseAddrPort("0.0.0.0:1")})
	if a, ok := s.For(transport.WebSocket, netip.MustParseAddr("127.0.0.1"), netip.Addr{}); ok {
		t.Errorf("got %q for a transport that is off", a)
	}
}

// The address of this machine that leads to a client is one of its own.
func TestReachingIsLocal(t *testing.T) {
	a := reaching(netip.MustParseAddr("192.0.2.1"))
	if !a.IsValid() || a.IsUnspecified() {
		t.Errorf("got %s", a)
	}
	if again := reaching(netip.MustParseAddr("192.0.2.1")); again != a {
		t.Errorf("%s, then %s", a, again)
	}
}
