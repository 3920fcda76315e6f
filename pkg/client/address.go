package client

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

// hostPort takes host:port, also out of a URL.
func hostPort(address string) (string, error) {
	s := address
	if _, after, ok := strings.Cut(s, "://"); ok {
		s = after
	}
	s, _, _ = strings.Cut(s, "/")
	if _, _, err := net.SplitHostPort(s); err != nil {
		return "", fmt.Errorf("address %q: want host:port", address)
	}
	return s, nil
}

// role is the kind of server that a client talks to.
type role uint8

const (
	nameServer role = iota
	masterServer
	gameServer
)

func (r role) String() string {
	return [...]string{"name server", "master", "game server"}[r]
}

// defaultPorts by role and transport (loadbalancing.md 4.5).
var defaultPorts = [...]map[Transport]int{
	nameServer:   {UDP: 5058, TCP: 4533, WebSocket: 9093, SecureWebSocket: 19093},
	masterServer: {UDP: 5055, TCP: 4530, WebSocket: 9090, SecureWebSocket: 19090},
	gameServer:   {UDP: 5056, TCP: 4531, WebSocket: 9091, SecureWebSocket: 19091},
}

// withPort adds the default port to an address that has none, and keeps its
// scheme and path.
func withPort(address string, r role, t Transport) string {
	scheme, rest := "", address
	if i := strings.Index(address, "://"); i >= 0 {
		scheme, rest = address[:i+3], address[i+3:]
	}
	host, path := rest, ""
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		host, path = rest[:i], rest[i:]
	}
	if _, _, err := net.SplitHostPort(host); err == nil {
		return address
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return scheme + net.JoinHostPort(host, strconv.Itoa(defaultPorts[r][t])) + path
}

// hostOf is the host of an address without scheme, path and port.
func hostOf(address string) string {
	_, rest, ok := strings.Cut(address, "://")
	if !ok {
		rest = address
	}
	rest, _, _ = strings.Cut(rest, "/")
	if host, _, err := net.SplitHostPort(rest); err == nil {
		return host
	}
	return strings.TrimSuffix(strings.TrimPrefix(rest, "["), "]")
}
