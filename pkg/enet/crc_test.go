package enet

import (
	"slices"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/photon"
)

// TestCRCRules holds what either side takes (wire.md 3.1): a server nothing but
// right CRCs of a client that uses them, a client whatever is right. What is
// dropped has no effect at all, and comes again.
//
// wire W-15
func TestCRCRules(t *testing.T) {
	now := 10 * time.Second
	message := testCommand{commandHeader: commandHeader{kind: typeReliable, flags: 1, sequence: 1}, body: []byte("x")}
	good := func(c *Conn, crc bool) []byte {
		was := c.crc
		c.crc = crc
		defer func() { c.crc = was }()
		return datagram(c, now, message)
	}
	for _, tc := range []struct {
		name              string
		server, uses, crc bool
		broken            bool
		taken             bool
	}{
		{"server, right CRC", true, true, true, false, true},
		{"server, wrong CRC", true, true, true, true, false},
		{"server, no CRC of a client that uses it", true, true, false, false, false},
		{"server, wrong CRC of a client that uses none", true, false, true, true, false},
		{"client that uses CRC, none", false, true, false, false, true},
		{"client that uses CRC, wrong one", false, true, true, true, false},
		{"client that uses none, right one", false, false, true, false, true},
		{"client that uses none, wrong one", false, false, true, true, false},
	} {
		var c *Conn
		if tc.server {
			c = serverWith(t, ServerConfig(), Connect{CRC: tc.uses}, now)
		} else {
			c = NewClientConn(ClientConfig(), Connect{CRC: tc.uses}, testChallenge, now)
			c.state = Connected
		}
		b := good(c, tc.crc)
		if tc.broken {
			b[len(b)-1] ^= 0x10
		}
		var out collector
		err := c.Input(now, b, &out)
		if taken := len(out.got) == 1 && len(c.acks) == 1; taken != tc.taken || (err == nil) != tc.taken || !taken && len(out.got)+len(c.acks) != 0 {
			t.Errorf("%s: %v, %d messages, %d acks", tc.name, err, len(out.got), len(c.acks))
		}
		if tc.broken {
			// The client sends it again.
			if err := c.Input(now, good(c, tc.uses), &out); err != nil || len(out.got) != 1 {
				t.Errorf("%s: the copy: %v, %d messages", tc.name, err, len(out.got))
			}
		}
	}
}

// TestCommandsPerDatagram holds that the smallest messages, of which more than 100
// fit into the largest datagram, are spread over two.
//
// wire W-13
func TestCommandsPerDatagram(t *testing.T) {
	now := 10 * time.Second
	c := serverWith(t, ServerConfig(), Connect{MTU: MaxMTU}, now)
	for range 150 {
		_ = c.Send([]byte("x"), photon.Delivery{Mode: photon.Reliable})
	}
	var counts []byte
	for _, b := range drain(t, c, now) {
		counts = append(counts, b[3])
	}
	if !slices.Equal(counts, []byte{100, 50}) {
		t.Errorf("datagrams of %v commands", counts)
	}
}
