package main

import (
	"testing"

	"github.com/boson-project/boson/pkg/client"
)

func TestWithPort(t *testing.T) {
	for _, tt := range []struct {
		transport     client.Transport
		address, want string
	}{
		{client.UDP, "", ""},
		{client.UDP, "game.example", "game.example:5058"},
		{client.TCP, "game.example", "game.example:4533"},
		{client.TCP, "game.example:1", "game.example:1"},
		{client.WebSocket, "127.0.0.1", "ws://127.0.0.1:9093"},
		{client.WebSocket, "127.0.0.1:1", "ws://127.0.0.1:1"},
		{client.WebSocket, "ws://game.example/x", "ws://game.example/x"},
		{client.SecureWebSocket, "[::1]", "wss://[::1]:19093"},
	} {
		if got := withPort(tt.transport, tt.address); got != tt.want {
			t.Errorf("%v %q: %q, want %q", tt.transport, tt.address, got, tt.want)
		}
	}
}
