package daemon

import (
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/boson-project/boson/pkg/announce"
	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/transport"
)

// announcement turns configuration into what a server announces.
func announcement(a config.Announce) announce.Announcement {
	override := map[transport.Kind]string{}
	for kind, address := range map[transport.Kind]string{
		transport.UDP: a.UDP, transport.TCP: a.TCP, transport.WebSocket: a.WS, transport.SecureWebSocket: a.WSS,
	} {
		// ":port" replaces the port only.
		if strings.HasPrefix(address, ":") {
			address = joinHost(a.Host, address)
		}
		if address != "" {
			override[kind] = address
		}
	}
	return announce.Announcement{Host: a.Host, IPv6: a.IPv6, Override: override}
}

func joinHost(host, colonPort string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]" + colonPort
	}
	return host + colonPort
}

// configuredAddresses are those in a configuration, for a server that runs
// elsewhere. A host that is a name counts as none.
func configuredAddresses(e config.Endpoints) map[transport.Kind]netip.AddrPort {
	all := map[transport.Kind]netip.AddrPort{}
	for kind, address := range endpoints(e) {
		if host, port, err := net.SplitHostPort(address); err == nil {
			if n, err := strconv.ParseUint(port, 10, 16); err == nil {
				ip, _ := netip.ParseAddr(host)
				all[kind] = netip.AddrPortFrom(ip, uint16(n))
			}
		}
	}
	return all
}

// boundAddresses are those that a running server really listens on.
func boundAddresses(bound []app.Bound) map[transport.Kind]netip.AddrPort {
	all := map[transport.Kind]netip.AddrPort{}
	for _, b := range bound {
		all[b.Kind] = b.Addr
	}
	return all
}

func endpoints(e config.Endpoints) map[transport.Kind]string {
	all := map[transport.Kind]string{}
	for kind, address := range map[transport.Kind]string{
		transport.UDP: e.UDP, transport.TCP: e.TCP, transport.WebSocket: e.WS, transport.SecureWebSocket: e.WSS, transport.HTTP: e.HTTP,
	} {
		if address != "" {
			all[kind] = address
		}
	}
	return all
}

// seenAt is where this machine sees a server by the address it was configured
// with; the zero Addr when the host is empty or does not resolve.
func seenAt(hostport string) netip.Addr {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil || host == "" {
		return netip.Addr{}
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap()
	}
	ips, err := net.LookupIP(host)
	if err != nil || len(ips) == 0 {
		return netip.Addr{}
	}
	a, _ := netip.AddrFromSlice(ips[0])
	return a.Unmap()
}
