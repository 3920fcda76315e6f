package enet

import (
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/photon"
)

type vectorFile struct {
	ClientLog []struct {
		Line string `json:"line"`
	} `json:"client_log"`
	Packets []struct {
		Dir string `json:"dir"`
		T   int64  `json:"t_ms"`
		Hex string `json:"hex"`
		b   []byte
	} `json:"packets"`
}

func readVector(t testing.TB, path string) vectorFile {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var f vectorFile
	if err := json.Unmarshal(raw, &f); err != nil {
		t.Fatal(err)
	}
	for i := range f.Packets {
		f.Packets[i].b, err = hex.DecodeString(f.Packets[i].Hex)
		if err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func vectorFiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/udp_*.json")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d vectors, %v", len(files), err)
	}
	return files
}

// commandsOf reads the commands of a well-formed datagram.
func commandsOf(b []byte) (h Header, cmds []commandHeader, bodies [][]byte) {
	h, _ = ParseHeader(b)
	rest := b[h.Size():]
	for range h.Commands {
		cmd := parseCommand(rest)
		cmds = append(cmds, cmd)
		bodies = append(bodies, rest[commandSize:cmd.length])
		rest = rest[cmd.length:]
	}
	return h, cmds, bodies
}

type collector struct{ got []message }

func (r *collector) Receive(msg []byte, d photon.Delivery) {
	r.got = append(r.got, message{data: append([]byte(nil), msg...), d: d})
}

// drain takes all datagrams that are due.
func drain(t testing.TB, c *Conn, now time.Duration) (all [][]byte) {
	t.Helper()
	var buf [MaxMTU]byte
	for {
		n, more := c.Output(now, buf[:])
		if n > 0 {
			all = append(all, append([]byte(nil), buf[:n]...))
		}
		if !more {
			return all
		}
	}
}

// firstSequence is the lowest reliable sequence of a channel in one direction.
func firstSequence(f vectorFile, dir string, channel byte) uint32 {
	first := uint32(1)
	found := false
	for _, p := range f.Packets {
		if p.Dir != dir {
			continue
		}
		_, cmds, _ := commandsOf(p.b)
		for _, cmd := range cmds {
			if cmd.channel == channel && (cmd.kind == typeReliable || cmd.kind == typeFragment) && (!found || cmd.sequence < first) {
				first, found = cmd.sequence, true
			}
		}
	}
	return first
}

// TestServerVectors plays what the official clients sent to a server
// connection: every command with flag bit 0 is acknowledged as it must be, and
// every message comes out.
//
// wire W-1, W-6, W-12, W-15, W-17, W-20
func TestServerVectors(t *testing.T) {
	for _, path := range vectorFiles(t) {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".json"), func(t *testing.T) {
			f := readVector(t, path)
			var c *Conn
			var asked *Connect // that was answered
			cfg := ServerConfig()
			var out collector
			want := 0
			for _, p := range f.Packets {
				if p.Dir != "c2s" {
					continue
				}
				now := 100*time.Second + time.Duration(p.T)*time.Millisecond
				h, cmds, bodies := commandsOf(p.b)
				connect, isConnect := ParseConnect(p.b)
				unknown := h.PeerID == unknownPeer
				var sent [][]byte
				switch {
				case c == nil && isConnect:
					asked = &connect
					sent = [][]byte{AppendAccept(nil, connect, 1, now)}
				case c == nil && asked != nil && !unknown:
					c = NewServerConn(cfg, *asked, 1, now)
					if err := c.Input(now, p.b, &out); err != nil {
						t.Fatalf("at %d ms: %v", p.T, err)
					}
				case c == nil && asked != nil:
					continue // it gives up before it was let in
				case c == nil:
					// The file begins within a session.
					c = NewServerConn(cfg, Connect{Challenge: h.Challenge, CRC: h.CRC, MTU: 1200, Channels: 2}, 1, now)
					for n := range byte(2) {
						ch := c.channelFor(n)
						ch.inRel = firstSequence(f, "c2s", n) - 1
						ch.inDone = ch.inRel
					}
					unknown = true // a DISCONNECT without id may be the first one
					fallthrough
				default:
					if err := c.Input(now, p.b, &out); err != nil {
						t.Fatalf("at %d ms: %v", p.T, err)
					}
				}
				var acks [][]byte
				if c != nil {
					sent = drain(t, c, now+cfg.AckDelay)
				}
				for _, b := range sent {
					if len(b) > 1200 {
						t.Fatalf("%d bytes", len(b))
					}
					oh, ocmds, obodies := commandsOf(b)
					if oh.Challenge != h.Challenge || oh.CRC != h.CRC || oh.CRC && !checksumOK(b) {
						t.Fatalf("bad header in %x", b)
					}
					for i, cmd := range ocmds {
						if cmd.kind == typeAck || cmd.kind == typeAckUnsequenced {
							acks = append(acks, append([]byte{byte(cmd.kind), cmd.channel}, obodies[i]...))
						}
					}
				}
				for i, cmd := range cmds {
					if cmd.flags&flagReliable != 0 {
						a := []byte{1, cmd.channel}
						if cmd.flags&flagUnsequenced != 0 {
							a[0] = 16
						}
						a = binary.BigEndian.AppendUint32(a, cmd.sequence)
						a = binary.BigEndian.AppendUint32(a, h.Time)
						at := slices.IndexFunc(acks, func(b []byte) bool { return string(a) == string(b) })
						if at < 0 {
							t.Fatalf("at %d ms: no ack for %+v among %x", p.T, cmd, acks)
						}
						acks = slices.Delete(acks, at, at+1)
					}
					switch {
					case cmd.kind == typeDisconnect:
						if c.State() != Closed || c.Cause() != CauseRemote || c.RemoteReason() != cmd.reserved {
							t.Errorf("state %v cause %v after DISCONNECT", c.State(), c.Cause())
						}
					case unknown || strings.HasPrefix(filepath.Base(path), "udp_resend"):
					case cmd.kind == typeReliable || cmd.kind == typeUnreliable || cmd.kind == typeUnsequenced || cmd.kind == typeReliableUnsequenced:
						want++
					case cmd.kind == typeFragment || cmd.kind == typeFragmentUnsequenced:
						if binary.BigEndian.Uint32(bodies[i][8:])+1 == binary.BigEndian.Uint32(bodies[i][4:]) {
							want++
						}
					}
				}
				if len(acks) != 0 {
					t.Fatalf("at %d ms: superfluous acks %x", p.T, acks)
				}
				if c != nil && c.Done() {
					break
				}
			}
			if c != nil && want > len(out.got) && !strings.HasPrefix(filepath.Base(path), "udp_resend") {
				t.Errorf("%d messages, want %d", len(out.got), want)
			}
		})
	}
}

// TestClientVectors plays what the official clients accepted to a client
// connection, which must dispatch the same messages in the same order.
//
// wire W-7, W-8, W-9, W-10, W-11
func TestClientVectors(t *testing.T) {
	for _, name := range []string{"udp_ordering_s2c", "udp_fragments_s2c"} {
		t.Run(name, func(t *testing.T) {
			f := readVector(t, "testdata/"+name+".json")
			cfg := ClientConfig()
			h, _ := ParseHeader(f.Packets[0].b)
			c := NewClientConn(cfg, Connect{}, h.Challenge, 0)
			c.state = Connected
			for n := range byte(2) {
				ch := c.channelFor(n)
				ch.inRel = firstSequence(f, "s2c", n) - 1
				ch.inDone = ch.inRel
			}
			var out collector
			for _, p := range f.Packets {
				if p.Dir == "s2c" {
					if err := c.Input(time.Duration(p.T)*time.Millisecond, p.b, &out); err != nil {
						t.Fatal(err)
					}
				}
			}
			var got, want []string
			for _, m := range out.got {
				line := fmt.Sprintf("event code=%d params={}", m.data[2])
				if len(m.data) > 100 {
					line = fmt.Sprintf("event code=%d params={245=byte[2500]#%x;}", m.data[2], md5.Sum(m.data[len(m.data)-2500:]))
				}
				got = append(got, line)
			}
			for _, l := range f.ClientLog {
				if strings.HasPrefix(l.Line, "event") {
					want = append(want, l.Line)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("dispatched\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

// TestChecksum holds the CRC of every captured datagram against ours.
//
// wire W-15
func TestChecksum(t *testing.T) {
	good, bad := 0, 0
	for _, path := range vectorFiles(t) {
		for _, p := range readVector(t, path).Packets {
			if h, ok := ParseHeader(p.b); ok && h.CRC {
				if checksumOK(p.b) {
					good++
				} else {
					bad++
				}
			}
		}
	}
	// Each of the two files holds one datagram with a wrong CRC.
	if good < 20 || bad != 2 {
		t.Errorf("%d good, %d bad", good, bad)
	}
}

// TestSizeArithmetic holds wire.md 12: what our client sends for an operation
// of that many bytes, and what acknowledges it.
func TestSizeArithmetic(t *testing.T) {
	raw, err := os.ReadFile("testdata/size_arithmetic.json")
	if err != nil {
		t.Fatal(err)
	}
	var f struct {
		Measured []struct {
			MessageBytes     int `json:"message_bytes"`
			DatagramBytes    int `json:"datagram_bytes"`
			AckDatagramBytes int `json:"ack_datagram_bytes"`
		} `json:"measured"`
	}
	if err := json.Unmarshal(raw, &f); err != nil || len(f.Measured) == 0 {
		t.Fatal(err)
	}
	for _, m := range f.Measured {
		l := newLink(t, 1, Connect{}).connect()
		l.run(20 * time.Millisecond)
		l.send(0, make([]byte, m.MessageBytes), photon.Delivery{Mode: photon.Reliable})
		var sizes []int
		l.drop = func(to int, b []byte) bool {
			sizes = append(sizes, len(b))
			return false
		}
		l.run(30 * time.Millisecond)
		if !slices.Equal(sizes, []int{m.DatagramBytes, m.AckDatagramBytes}) {
			t.Errorf("message of %d: datagrams of %v, want %d and %d", m.MessageBytes, sizes, m.DatagramBytes, m.AckDatagramBytes)
		}
	}
}

// TestClientBytes holds that our client says what the official one says: its
// CONNECT and its messages are byte for byte those of a capture.
func TestClientBytes(t *testing.T) {
	f := readVector(t, "testdata/udp_session_4_1_8_11_v18.json")
	var connect, verify, init []byte
	for _, p := range f.Packets {
		switch {
		case connect == nil && p.Dir == "c2s":
			connect = p.b
		case connect != nil && verify == nil && p.Dir == "s2c":
			verify = p.b
		case verify != nil && init == nil && p.Dir == "c2s":
			init = p.b
		}
	}
	h, _ := ParseHeader(connect)
	c := NewClientConn(ClientConfig(), Connect{}, h.Challenge, time.Duration(h.Time)*time.Millisecond)
	if got := drain(t, c, time.Duration(h.Time)*time.Millisecond); len(got) != 1 || string(got[0]) != string(connect) {
		t.Errorf("CONNECT %x, want %x", got, connect)
	}
	_, _, bodies := commandsOf(init)
	if err := c.Send(bodies[1], photon.Delivery{Mode: photon.Reliable}); err != nil {
		t.Fatal(err)
	}
	ih, _ := ParseHeader(init)
	now := time.Duration(ih.Time) * time.Millisecond
	if err := c.Input(now, verify, &collector{}); err != nil {
		t.Fatal(err)
	}
	if got := drain(t, c, now); len(got) != 1 || string(got[0]) != string(init) {
		t.Errorf("init %x, want %x", got, init)
	}
}
