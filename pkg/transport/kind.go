package transport

import "strconv"

// String returns the transport's short name, as configuration and logs use it.
func (k Kind) String() string {
	switch k {
	case UDP:
		return "udp"
	case TCP:
		return "tcp"
	case HTTP:
		return "http"
	case WebSocket:
		return "ws"
	case SecureWebSocket:
		return "wss"
	}
	return strconv.Itoa(int(k))
}
