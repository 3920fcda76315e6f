package cluster

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// network joins gossip transports in memory. Servers in cut are unplugged.
type network struct {
	mu    sync.Mutex
	wires map[string]*wire
	cut   map[string]bool
}

func newNetwork() *network {
	return &network{wires: make(map[string]*wire), cut: make(map[string]bool)}
}

// wire is one server's end. Packets that nobody takes are lost, as with UDP.
type wire struct {
	net     *network
	addr    *net.UDPAddr
	packets chan *memberlist.Packet
	streams chan net.Conn
}

func (n *network) plug(host int) *wire {
	n.mu.Lock()
	defer n.mu.Unlock()
	w := &wire{
		net:     n,
		addr:    &net.UDPAddr{IP: net.IPv4(10, 0, 0, byte(host)), Port: DefaultGossipPort},
		packets: make(chan *memberlist.Packet, 1000),
		streams: make(chan net.Conn, 100),
	}
	n.wires[w.addr.String()] = w
	return w
}

func (n *network) setCut(w *wire, cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut[w.addr.String()] = cut
}

// to returns the wire at addr if it can be reached from w.
func (w *wire) to(addr string) (*wire, error) {
	w.net.mu.Lock()
	defer w.net.mu.Unlock()
	dest := w.net.wires[addr]
	if dest == nil || w.net.cut[addr] || w.net.cut[w.addr.String()] {
		return nil, fmt.Errorf("no route to %s", addr)
	}
	return dest, nil
}

func (w *wire) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return w.addr.IP, w.addr.Port, nil
}

func (w *wire) WriteTo(b []byte, addr string) (time.Time, error) {
	if dest, err := w.to(addr); err == nil {
		select {
		case dest.packets <- &memberlist.Packet{Buf: b, From: w.addr, Timestamp: time.Now()}:
		default:
		}
	}
	return time.Now(), nil
}

func (w *wire) DialTimeout(addr string, _ time.Duration) (net.Conn, error) {
	dest, err := w.to(addr)
	if err != nil {
		return nil, err
	}
	a, b := net.Pipe()
	select {
	case dest.streams <- a:
		return b, nil
	default:
		return nil, errors.New("connection refused")
	}
}

func (w *wire) PacketCh() <-chan *memberlist.Packet { return w.packets }
func (w *wire) StreamCh() <-chan net.Conn           { return w.streams }

func (w *wire) Shutdown() error {
	w.net.mu.Lock()
	defer w.net.mu.Unlock()
	if w.net.wires[w.addr.String()] == w {
		delete(w.net.wires, w.addr.String())
	}
	return nil
}
