package cluster

import (
	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/client"
)

// address returns where a server listens for a transport, as a client types it.
func address(bound []app.Bound, t client.Transport) string {
	for _, b := range bound {
		if uint8(b.Kind) == uint8(t) {
			if t == client.WebSocket || t == client.SecureWebSocket {
				return t.String() + "://" + b.Addr.String()
			}
			return b.Addr.String()
		}
	}
	return ""
}
