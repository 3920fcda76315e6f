package cluster

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"hash/crc32"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// replay sends what official clients sent, datagram by datagram, and takes in
// what a server of ours answers.
type replay struct {
	t         testing.TB
	sock      net.Conn
	peerID    uint16
	challenge uint32
	messages  [][]byte // of SEND_RELIABLE commands, once each
	seen      map[uint64]bool
	acks      map[string]bool // channel, sequence, time of what was acknowledged
}

func be16(b []byte) uint16 { return binary.BigEndian.Uint16(b) }
func be32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }

// commands calls f with the head and the body of every command of a datagram.
func commands(b []byte, f func(head, body []byte)) {
	n := 12
	if b[2] == 0xCC {
		n = 16
	}
	for rest := b[n:]; len(rest) >= 12; {
		size := be32(rest[4:])
		f(rest[:12], rest[12:size])
		rest = rest[size:]
	}
}

// checksum is the CRC of wire.md 3.1.
func checksum(b []byte) uint32 {
	zeroed := append([]byte(nil), b...)
	binary.BigEndian.PutUint32(zeroed[12:], 0)
	return ^crc32.ChecksumIEEE(zeroed)
}

func ackKey(channel byte, sequence, sent []byte) string {
	return string(append(append([]byte{channel}, sequence...), sent...))
}

// send sends one recorded datagram under the peer id that our server gave, and
// waits until everything in it is acknowledged as it must be.
func (r *replay) send(b []byte) {
	r.t.Helper()
	if be16(b) != 0xFFFF {
		binary.BigEndian.PutUint16(b, r.peerID)
	}
	if b[2] == 0xCC {
		binary.BigEndian.PutUint32(b[12:], checksum(b))
	}
	if _, err := r.sock.Write(b); err != nil {
		r.t.Fatal(err)
	}
	missing := func() (n int) {
		commands(b, func(head, _ []byte) {
			if head[2]&1 != 0 && !r.acks[ackKey(head[1], head[8:12], b[4:8])] {
				n++
			}
		})
		return n
	}
	_ = r.sock.SetReadDeadline(time.Now().Add(Timeout))
	for missing() > 0 || r.peerID == 0 {
		r.receive(b)
	}
}

// receive takes one datagram in; to is one of those that it answers.
func (r *replay) receive(to []byte) {
	r.t.Helper()
	buf := make([]byte, 2000)
	n, err := r.sock.Read(buf)
	if err != nil {
		r.t.Fatalf("%x is not answered: %v", to, err)
	}
	b := buf[:n]
	if b[2] != to[2] || be32(b[8:]) != be32(to[8:]) || b[2] == 0xCC && be32(b[12:]) != checksum(b) {
		r.t.Fatalf("answer %x to %x", b, to)
	}
	commands(b, func(head, body []byte) {
		switch head[0] {
		case 1, 16:
			r.acks[ackKey(head[1], body[:4], body[4:8])] = true
		case 3:
			r.peerID = be16(body)
		case 6:
			key := uint64(head[1])<<32 | uint64(be32(head[8:]))
			if !r.seen[key] {
				r.seen[key] = true
				r.messages = append(r.messages, append([]byte(nil), body...))
			}
		}
	})
}

// Whole recorded sessions of the official clients against a whole cluster: every
// reliable command is acknowledged with its channel, number and time, the init
// request is understood, and operations are answered in the layout of the
// client's serialization. wire W-1, W-6, W-12, W-15, W-24, W-25, W-26
func TestReplayOfOfficialClients(t *testing.T) {
	t.Parallel()
	up := Start(t, nil)
	var files []string
	for _, pattern := range []string{"udp_session_*", "udp_crc_*", "udp_init_token_*"} {
		found, err := filepath.Glob("../../pkg/enet/testdata/" + pattern + ".json")
		if err != nil || len(found) == 0 {
			t.Fatal(pattern, err)
		}
		files = append(files, found...)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var f struct {
				Serialization string
				Packets       []struct{ Dir, Hex string }
			}
			if err := json.Unmarshal(text, &f); err != nil {
				t.Fatal(err)
			}
			sock, err := net.Dial("udp", address(up.Master(), client.UDP))
			if err != nil {
				t.Fatal(err)
			}
			defer sock.Close()
			r := &replay{t: t, sock: sock, seen: map[uint64]bool{}, acks: map[string]bool{}}
			requests := 0
			var last []byte
			for _, p := range f.Packets {
				if p.Dir != "c2s" {
					continue
				}
				b, err := hex.DecodeString(p.Hex)
				if err != nil {
					t.Fatal(err)
				}
				commands(b, func(head, body []byte) {
					if head[0] == 6 && len(body) > 1 && body[0] == 0xF3 && body[1] == 2 {
						requests++
					}
					// The last word: the server must have said all of its own before.
					if head[0] == 4 {
						for len(r.messages) < 1+min(requests, 1) {
							_ = sock.SetReadDeadline(time.Now().Add(Timeout))
							r.receive(last)
						}
					}
				})
				r.send(b)
				last = b
			}
			if len(r.messages) == 0 || string(r.messages[0]) != string(photon.InitResponse) {
				t.Fatalf("messages %x, first must be the init response", r.messages)
			}
			version := gpbinary.V18
			if f.Serialization == "GpBinaryV16" {
				version = gpbinary.V16
			}
			for _, m := range r.messages[1:] {
				switch m[1] {
				case 3:
					resp, n, err := gpbinary.DecodeResponse(version, m[2:])
					if err != nil || n != len(m)-2 || resp.ReturnCode == 0 {
						t.Errorf("response %x: %+v, %v", m, resp, err)
					}
				case 5: // the token of these clients is none
				default:
					t.Errorf("message %x", m)
				}
			}
		})
	}
	eventually(t, func() bool { return peerCount(up.Master()) == 0 }, "every recorded client has gone")
}

// The probes of an official client are echoed byte for byte. wire W-37, LB-039
func TestReplayOfRegionPing(t *testing.T) {
	up := Start(t, nil)
	sock, err := net.Dial("udp", address(up.Master(), client.UDP))
	if err != nil {
		t.Fatal(err)
	}
	defer sock.Close()
	_ = sock.SetDeadline(time.Now().Add(Timeout))
	for _, probe := range []string{"7d7d7d7d7d7d7d7d7d7d7d7d65", "7d7d7d7d7d7d7d7d7d7d7d7d31", "7d7d7d7d7d7d7d7d7d7d7d7d2a"} {
		b, _ := hex.DecodeString(probe)
		buf := make([]byte, 100)
		if _, err := sock.Write(b); err != nil {
			t.Fatal(err)
		}
		if n, err := sock.Read(buf); err != nil || hex.EncodeToString(buf[:n]) != probe {
			t.Errorf("%s is answered %x, %v", probe, buf[:n], err)
		}
	}
}

// JSON: 50 requests in one burst are answered in their order; an operation before
// authentication is -3, an unknown one -2, and the connection stays.
// WJ-034, WJ-035
func TestJSONResponses(t *testing.T) {
	up := Start(t, nil)
	responses := make(chan *client.Response, 100)
	p, err := client.Dial(t.Context(), client.Options{
		Transport: client.WebSocket, Protocol: photon.JSON, AppID: "test",
		OnResponse: func(r *client.Response) { responses <- r },
	}, address(up.Master(), client.WebSocket))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	send := func(op photon.OpCode, params ...gpbinary.Param) {
		t.Helper()
		if err := p.Send(op, params, client.SendReliable); err != nil {
			t.Fatal(err)
		}
	}
	want := func(op photon.OpCode, rc photon.ReturnCode) {
		t.Helper()
		if r := next(t, responses, "response"); r.Op != op || r.ReturnCode != rc {
			t.Errorf("response %d %d %q, want %d %d", r.Op, r.ReturnCode, r.Debug, op, rc)
		}
	}
	send(photon.OpJoinLobby)
	want(photon.OpJoinLobby, photon.ReturnOperationNotAllowedInCurrentState)
	send(photon.OpAuthenticate, photon.Param(photon.ParamApplicationID, "test"), photon.Param(photon.ParamAppVersion, "1.0"), photon.Param(photon.ParamUserID, "json"))
	want(photon.OpAuthenticate, photon.ReturnOk)
	send(99)
	want(99, photon.ReturnInvalidOperation)
	for i := range 50 {
		send([]photon.OpCode{photon.OpJoinLobby, photon.OpLeaveLobby, 98}[i%3])
	}
	for i := range 50 {
		if i%3 == 2 {
			want(98, photon.ReturnInvalidOperation)
		} else {
			want([]photon.OpCode{photon.OpJoinLobby, photon.OpLeaveLobby}[i%3], photon.ReturnOk)
		}
	}
}
