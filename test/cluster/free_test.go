package cluster

import (
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
)

// ownLoopback is an address of loopback that no other process uses: a port that is
// free there stays free until this process takes it. Packages are tested side by
// side, and the system gives the ports of 127.0.0.1 to every connection. Where
// loopback has one address only, it is that.
var ownLoopback = sync.OnceValue(func() string {
	pid := os.Getpid()
	own := fmt.Sprintf("127.%d.%d.%d", 64+pid>>16&63, pid>>8&255, pid&255)
	l, err := net.Listen("tcp", own+":0")
	if err != nil {
		return ""
	}
	_ = l.Close()
	return own
})

// lastPort is the last one given away of ownLoopback. No port is given twice.
var lastPort atomic.Int32

func init() { lastPort.Store(10_000) }

// freeAddress is a loopback address whose port is free for TCP and UDP, for
// servers that must know their addresses, or each other's, before they start.
func freeAddress(t testing.TB) string {
	t.Helper()
	for range 50 {
		address := "127.0.0.1:0"
		if own := ownLoopback(); own != "" {
			address = fmt.Sprint(own, ":", lastPort.Add(1))
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		u, err := net.ListenPacket("udp", l.Addr().String())
		_ = l.Close()
		if err != nil {
			continue
		}
		_ = u.Close()
		return l.Addr().String()
	}
	t.Fatal("no free port")
	return ""
}
