package trace

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/transport"
)

// session is a transport.Session that only says who it is.
type session struct {
	transport.Session
	id   uint64
	info transport.Info
}

func (s *session) ID() uint64            { return s.id }
func (s *session) Info() *transport.Info { return &s.info }

func newSession(id uint64, p photon.Protocol, remote string) *session {
	return &session{id: id, info: transport.Info{
		Protocol: p, Remote: netip.MustParseAddrPort(remote), Local: netip.MustParseAddrPort("127.0.0.1:5055"),
	}}
}

func read(t *testing.T, dir, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(b))
	}
	return all
}

const secret = "TOPSECRET"

// say plays one client's session into a tap.
func say(t *testing.T, tr *Tracer, s *session, user string) {
	t.Helper()
	tap, p := tr.Open(s), s.info.Protocol
	must := func(msg []byte, err error) []byte {
		if err != nil {
			t.Fatal(err)
		}
		return msg
	}
	in := func(msg []byte) {
		if p == photon.JSON { // without its frame
			msg = msg[bytes.Index(msg, []byte("~j~"))+3:]
		}
		tap.Message(msg, true, photon.Delivery{Mode: photon.Reliable})
	}
	out := func(msg []byte) { tap.Message(msg, false, photon.Delivery{Mode: photon.Reliable}) }
	in(must(photon.AppendRequest(nil, p, photon.OpAuthenticate, photon.Params{
		photon.Param(photon.ParamUserID, user), photon.Param(photon.ParamToken, secret), photon.Param(photon.ParamAppVersion, "1.0"),
		photon.Param(photon.ParamClientAuthenticationParams, "pass="+secret), photon.Param(photon.ParamClientAuthenticationData, secret),
	})))
	out(must(photon.AppendResponse(nil, p, photon.OpAuthenticate, 0, "", photon.Params{
		photon.Param(photon.ParamUserID, user), photon.Param(photon.ParamToken, secret),
		photon.Param(photon.ParamData, gpbinary.NewHashtable(gpbinary.Pair{Key: "session", Value: secret})),
	})))
	in(must(photon.AppendRequest(nil, p, photon.OpRaiseEvent, photon.Params{photon.Param(photon.ParamData, gpbinary.NewHashtable(gpbinary.Pair{Key: "x", Value: int32(4711)}))})))
	out(must(photon.AppendEvent(nil, p, photon.EventAuth, photon.Params{photon.Param(photon.ParamToken, secret)})))
	out(must(photon.AppendEvent(nil, p, 7, photon.Params{photon.Param(photon.ParamData, "hello")})))
	if p != photon.JSON {
		in([]byte("\xf3\x02\xfd\x01\xdd" + secret)) // malformed
	}
	tap.Closed(transport.ReasonClientDisconnect)
}

func TestTrace(t *testing.T) {
	for _, p := range []photon.Protocol{photon.GpBinaryV16, photon.GpBinaryV18, photon.JSON} {
		for _, remote := range []string{"192.0.2.7:1234", "[2001:db8::1]:1234"} {
			dir := filepath.Join(t.TempDir(), "new")
			tr, err := New(dir, "ann", "master")
			if err != nil {
				t.Fatal(err)
			}
			say(t, tr, newSession(1, p, remote), "bob")
			say(t, tr, newSession(2, p, remote), "ann")
			if err := tr.Close(); err != nil {
				t.Fatal(err)
			}
			texts, captures := read(t, dir, "*.txt"), read(t, dir, "*.pcap")
			if len(texts) != 1 || len(captures) != 1 || tr.Lost() != 0 || tr.pending != 0 || tr.open != 0 {
				t.Fatalf("%s: %d texts, %d captures, %d lost, %d pending, %d open", p, len(texts), len(captures), tr.Lost(), tr.pending, tr.open)
			}
			if strings.Contains(texts[0]+captures[0], secret) {
				t.Errorf("%s: a secret was written: %s", p, texts[0])
			}
			for _, want := range []string{"request 230 ", `"ann"`, `"1.0"`, "4711", "event 7", `"hello"`, `"***"`, "closed: client_disconnect", "-> ", "<- "} {
				if !strings.Contains(texts[0], want) {
					t.Errorf("%s: text lacks %s:\n%s", p, want, texts[0])
				}
			}
			packets(t, p, []byte(captures[0]), remote)
		}
	}
}

// packets checks a capture as a reader of such files would.
func packets(t *testing.T, p photon.Protocol, b []byte, remote string) {
	t.Helper()
	le := binary.LittleEndian
	if le.Uint32(b) != pcapMagic || le.Uint32(b[20:]) != pcapRawIP {
		t.Fatalf("head %x", b[:24])
	}
	n := 0
	for b = b[24:]; len(b) > 0; n++ {
		size := int(le.Uint32(b[8:]))
		if le.Uint32(b[12:]) != uint32(size) || time.Since(time.Unix(int64(le.Uint32(b)), 0)) > time.Hour {
			t.Fatalf("packet head %x", b[:16])
		}
		ip := b[16 : 16+size]
		b = b[16+size:]
		head, length := 20, int(binary.BigEndian.Uint16(ip[2:]))
		if ip[0]>>4 == 6 {
			head, length = 40, 40+int(binary.BigEndian.Uint16(ip[4:]))
		} else if checksum(0, ip[:20]) != 0xFFFF { // of a header with its sum
			t.Errorf("IP checksum of %x", ip[:20])
		}
		if length != len(ip) || int(binary.BigEndian.Uint16(ip[head+4:])) != len(ip)-head || (ip[0]>>4 == 6) != strings.HasPrefix(remote, "[") {
			t.Fatalf("lengths in %x", ip[:head+8])
		}
		pseudo := sum(ip[12:20])
		if head == 40 {
			pseudo = sum(ip[8:40])
		}
		if checksum(pseudo+udpProtocol+uint32(len(ip)-head), ip[head:]) != 0xFFFF {
			t.Errorf("UDP checksum of %x", ip)
		}
		if _, err := decode(p, ip[head+8:]); err != nil && n < 5 {
			t.Errorf("packet %d: %v", n, err)
		}
	}
	if want := map[bool]int{true: 5, false: 6}[p == photon.JSON]; n != want {
		t.Errorf("%d packets, want %d", n, want)
	}
}

// Everybody is traced without a user; what comes after Close is dropped, and a
// client that says much before it says who it is costs no more than the bound.
func TestTraceBounds(t *testing.T) {
	dir := t.TempDir()
	tr, err := New(dir, "", "ns")
	if err != nil {
		t.Fatal(err)
	}
	say(t, tr, newSession(1, photon.GpBinaryV18, "192.0.2.7:1"), "ann")
	say(t, tr, newSession(2, photon.GpBinaryV18, "192.0.2.7:2"), "bob")
	late := tr.Open(newSession(3, photon.GpBinaryV18, "192.0.2.7:3"))
	if err := tr.Close(); err != nil {
		t.Fatal(err)
	}
	late.Message([]byte("\xf3\x01\x00"), false, photon.Delivery{})
	if n := len(read(t, dir, "*.txt")); n != 2 {
		t.Errorf("%d files", n)
	}

	if tr, err = New(t.TempDir(), "ann", "ns"); err != nil {
		t.Fatal(err)
	}
	p := tr.Open(newSession(4, photon.GpBinaryV18, "192.0.2.7:4")).(*peer)
	msg := append([]byte("\xf3\x02\x63\x00"), make([]byte, maxPending/4)...)
	for range 10 {
		p.Message(msg, true, photon.Delivery{})
	}
	if err := tr.Close(); err != nil {
		t.Fatal(err)
	}
	if !p.off.Load() || tr.pending != 0 {
		t.Errorf("off %t, %d bytes pending", p.off.Load(), tr.pending)
	}
	if err := tr.Close(); err != nil {
		t.Error(err)
	}
}

// What waits for a slow disk is bounded in bytes and in messages.
func TestTraceQueue(t *testing.T) {
	tr := &Tracer{queue: make(chan record, maxQueued)} // nobody writes
	tr.post(record{msg: make([]byte, maxQueuedBytes-10)})
	tr.post(record{msg: make([]byte, 11)})
	if tr.Lost() != 1 || len(tr.queue) != 1 {
		t.Errorf("%d lost, %d wait", tr.Lost(), len(tr.queue))
	}
	for range maxQueued {
		tr.post(record{})
	}
	if tr.Lost() != 2 || len(tr.queue) != maxQueued {
		t.Errorf("%d lost, %d wait", tr.Lost(), len(tr.queue))
	}
}

// Hostile bytes are written down as what they are.
func FuzzDecode(f *testing.F) {
	f.Add([]byte("\xf3\x02\xe6\x01\xdd\x07\x03abc"), byte(8))
	f.Add([]byte("\xf3\x03\xe6\x00\x00\x2a\x00\x00"), byte(6))
	f.Add([]byte(`{"req":230,"vals":[221,"x"]}`), byte(photon.JSON))
	f.Fuzz(func(t *testing.T, msg []byte, p byte) {
		proto := []photon.Protocol{photon.GpBinaryV16, photon.GpBinaryV18, photon.JSON}[p%3]
		m, err := decode(proto, msg)
		if err == nil {
			_ = m.String()
		}
	})
}
