// Package announce holds what servers tell clients to connect to: one address
// per transport and address family, written by the operator or worked out from
// the way that leads to the client (loadbalancing.md 4).
package announce

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"

	"github.com/boson-project/boson/pkg/transport"
)

// Keys of a Set, as servers exchange them (cluster.md 12.2).
const (
	UDP4 = "udp4"
	UDP6 = "udp6"
	TCP4 = "tcp4"
	TCP6 = "tcp6"
	WS   = "ws"
	WSS  = "wss"
)

// Set maps a key to an address in the form that clients receive: host:port for
// UDP and TCP, ws://host:port, wss://host:port. The host may be empty: then it
// is the address by which the client reaches that server, which For finds out.
type Set map[string]string

// Announcement is the operator's wish for one server.
type Announcement struct {
	// Host for all transports, a name or an IPv4 address; empty: the address that the
	// server listens on, or if that is all of the machine's, found per client.
	Host string
	// IPv6 for clients on IPv6, without brackets; empty: Host.
	IPv6 string
	// Override is a whole address per transport, over Host and the listening port.
	Override map[transport.Kind]string
}

// Build makes the Set of a server that listens at these addresses.
func Build(a Announcement, listens map[transport.Kind]netip.AddrPort) Set {
	s := Set{}
	add := func(key string, kind transport.Kind, scheme, host string) {
		at, listening := listens[kind]
		address := a.Override[kind]
		if address == "" {
			if !listening {
				return
			}
			if host == "" && at.Addr().IsValid() && !at.Addr().IsUnspecified() {
				host = at.Addr().Unmap().WithZone("").String()
			}
			address = net.JoinHostPort(host, strconv.Itoa(int(at.Port())))
		}
		if scheme != "" && !strings.Contains(address, "://") {
			address = scheme + address
		}
		s[key] = address
	}
	add(UDP4, transport.UDP, "", a.Host)
	add(TCP4, transport.TCP, "", a.Host)
	add(WS, transport.WebSocket, "ws://", a.Host)
	add(WSS, transport.SecureWebSocket, "wss://", a.Host)
	if a.IPv6 != "" {
		add(UDP6, transport.UDP, "", a.IPv6)
		add(TCP6, transport.TCP, "", a.IPv6)
	}
	return s
}

// For returns the address for a client at the address client (unmapped), which
// will use the transport kind. server is where this process sees the announced
// server: the zero Addr or a loopback address when both are on one machine.
// ok is false when the server does not offer the transport.
func (s Set) For(kind transport.Kind, client, server netip.Addr) (address string, ok bool) {
	v6 := client.Is6()
	switch kind {
	case transport.UDP:
		address, ok = s.family(v6, UDP4, UDP6)
	case transport.TCP:
		address, ok = s.family(v6, TCP4, TCP6)
	case transport.WebSocket:
		address, ok = s[WS]
	case transport.SecureWebSocket:
		address, ok = s[WSS]
	}
	if !ok {
		return "", false
	}
	scheme, rest := "", address
	if i := strings.Index(address, "://"); i >= 0 {
		scheme, rest = address[:i+3], address[i+3:]
	}
	if !strings.HasPrefix(rest, ":") {
		return address, true
	}
	if server.IsValid() && !server.IsLoopback() && !server.IsUnspecified() {
		return scheme + bracket(server.String()) + rest, true
	}
	return scheme + bracket(reaching(client).String()) + rest, true
}

func (s Set) family(v6 bool, four, six string) (string, bool) {
	if v6 {
		if a, ok := s[six]; ok {
			return a, true
		}
	}
	a, ok := s[four]
	return a, ok
}

func bracket(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

// routes remembers which of this machine's addresses leads to a client. It is
// bounded: a flood of clients empties it, nothing more.
var routes = struct {
	sync.Mutex
	m map[netip.Addr]netip.Addr
}{m: map[netip.Addr]netip.Addr{}}

const maxRoutes = 4096

// reaching returns the address of this machine that a client at addr talks to.
// The kernel's routing table knows; no packet is sent.
func reaching(client netip.Addr) netip.Addr {
	if client.IsLoopback() {
		if client.Is6() {
			return netip.IPv6Loopback()
		}
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	routes.Lock()
	local, ok := routes.m[client]
	routes.Unlock()
	if ok {
		return local
	}
	local = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if c, err := net.Dial("udp", net.JoinHostPort(client.String(), "9")); err == nil {
		if ap, err := netip.ParseAddrPort(c.LocalAddr().String()); err == nil {
			local = ap.Addr().Unmap()
		}
		_ = c.Close()
	}
	routes.Lock()
	if len(routes.m) >= maxRoutes {
		clear(routes.m)
	}
	routes.m[client] = local
	routes.Unlock()
	return local
}
