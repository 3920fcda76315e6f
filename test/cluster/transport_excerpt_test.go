package cluster

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
	ciphers "github.com/boson-project/boson/pkg/secure" // secure is taken
	"github.com/boson-project/boson/pkg/transport"
)

// recording is a file of vectors.
type recording struct {
	Serialization string
	ClientVersion string `json:"client_version"`
	Packets       []struct {
		Dir, Hex  string
		Header    string `json:"clear_header_hex"`
		Plaintext string `json:"plaintext_hex"`
	}
	Crypto struct {
		ClientPublic string `json:"client_public_hex"`
		Messages     []struct {
			Message   string `json:"message_hex"`
			Plaintext string `json:"plaintext_hex"`
		}
	}
}

func readRecording(t testing.TB, path string) (f recording) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *recording) protocol() photon.Protocol {
	if f.Serialization == "GpBinaryV16" {
		return photon.GpBinaryV16
	}
	return photon.GpBinaryV18
}

// sent are the datagrams of the client.
func (f *recording) sent(t testing.TB) (all [][]byte) {
	t.Helper()
	for _, p := range f.Packets {
		if p.Dir == "c2s" && p.Hex != "" {
			all = append(all, unhex(t, p.Hex))
		}
	}
	return all
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func newReplay(t testing.TB, bound []app.Bound) *replay {
	t.Helper()
	sock, err := net.Dial("udp", address(bound, client.UDP))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sock.Close() })
	return &replay{t: t, sock: sock, seen: map[uint64]bool{}, acks: map[string]bool{}}
}

// open connects for a recording that begins within a session, with its challenge,
// up to the init response. A token, if there is one, is a typed value.
func (r *replay) open(f *recording, challenge uint32, token []byte) {
	r.t.Helper()
	r.challenge = challenge
	body := unhex(r.t, "000004b000008000000000020000000000000000000013880000000200000002")
	r.command(2, 0xFF, 1, 1, body)
	in := photon.Init{Protocol: f.protocol(), AppID: "Master", SDKID: 30, ClientVersion: [4]byte{4, 1, 8, 11}, Token: token}
	if f.ClientVersion == "4.0.5.7" {
		in.ClientVersion = [4]byte{4, 0, 5, 7}
	}
	r.command(6, 0, 1, 1, photon.AppendInit(nil, in, "127.0.0.1"))
	r.await(1)
	if string(r.messages[0]) != string(photon.InitResponse) {
		r.t.Fatalf("init is answered %x", r.messages[0])
	}
}

// command sends one command in a datagram and waits for what it is due.
func (r *replay) command(kind, channel, flags byte, sequence uint32, body []byte) {
	r.t.Helper()
	id := r.peerID
	if id == 0 {
		id = 0xFFFF
	}
	b := binary.BigEndian.AppendUint16(nil, id)
	b = append(b, 0, 1)
	b = binary.BigEndian.AppendUint32(b, 100)
	b = binary.BigEndian.AppendUint32(b, r.challenge)
	b = append(b, kind, channel, flags, 4)
	b = binary.BigEndian.AppendUint32(b, uint32(12+len(body)))
	b = binary.BigEndian.AppendUint32(b, sequence)
	r.send(append(b, body...))
}

// await takes datagrams in until there are n messages, once each.
func (r *replay) await(n int) {
	r.t.Helper()
	_ = r.sock.SetReadDeadline(time.Now().Add(Timeout))
	head := make([]byte, 12)
	binary.BigEndian.PutUint32(head[8:], r.challenge)
	for len(r.messages) < n {
		r.receive(head)
	}
}

func challengeOf(b []byte) uint32 { return be32(b[8:]) }

// Operations in every delivery mode, alone and aggregated, on two channels, whole
// and in fragments, as the official clients sent them: each is acknowledged in its
// way and each is answered, once. wire W-6, W-10, W-11, W-14, W-17
func TestReplayOfDeliveryModes(t *testing.T) {
	t.Parallel()
	up := Start(t, nil)
	for _, name := range []string{"udp_delivery_modes_4_1_6_6", "udp_delivery_modes_4_1_8_11", "udp_fragments_c2s"} {
		t.Run(name, func(t *testing.T) {
			f := readRecording(t, "../../pkg/enet/testdata/"+name+".json")
			r := newReplay(t, up.Master())
			sent := f.sent(t)
			r.open(&f, challengeOf(sent[0]), nil)
			requests := 0
			for _, b := range sent {
				commands(b, func(head, body []byte) {
					switch head[0] {
					case 6, 7, 11, 14:
						requests++
					case 8, 15: // the last part
						if be32(body[8:])+1 == be32(body[4:]) {
							requests++
						}
					}
				})
				r.send(append([]byte(nil), b...))
			}
			r.await(1 + requests)
			// All again, as if no ack had come: they are acknowledged again, and not answered.
			r.acks = map[string]bool{}
			for _, b := range sent {
				r.send(append([]byte(nil), b...))
			}
			r.command(5, 0xFF, 1, 2, nil)
			if requests < 4 || len(r.messages) != 1+requests {
				t.Errorf("%d messages for %d requests", len(r.messages), requests)
			}
			for _, m := range r.messages[1:] {
				resp, n, err := gpbinary.DecodeResponse(gpbinary.V18, m[2:])
				if m[1] != 3 || err != nil || n != len(m)-2 || resp.ReturnCode == 0 {
					t.Errorf("answer %x: %+v, %v", m, resp, err)
				}
			}
			r.command(4, 0xFF, 1, 3, nil)
		})
	}
	eventually(t, func() bool { return peerCount(up.Master()) == 0 }, "every recorded client has gone")
}

// A client whose server stopped to acknowledge sends its command seven times and
// gives up: one message, and the server knows why. wire W-7, W-20
func TestReplayOfResends(t *testing.T) {
	t.Parallel()
	up := Start(t, nil)
	for i, name := range []string{"udp_resend_timeout_4_1_6_6", "udp_resend_timeout_4_1_8_11"} {
		t.Run(name, func(t *testing.T) {
			f := readRecording(t, "../../pkg/enet/testdata/"+name+".json")
			r := newReplay(t, up.Master())
			sent := f.sent(t)
			r.open(&f, challengeOf(sent[0]), nil)
			for _, b := range sent {
				r.send(b)
			}
			eventually(t, func() bool { return closedFor(up.Master(), transport.ReasonClientTimeout) == int64(i+1) }, "the client gave up")
			if len(r.messages) > 2 {
				t.Errorf("%d messages", len(r.messages))
			}
		})
	}
}

// A client that gets no answer repeats its CONNECT and gives up in the end: it
// has one peer id all the time, and leaves nothing behind. wire W-2, W-5
func TestReplayOfUnansweredConnect(t *testing.T) {
	t.Parallel()
	up := Start(t, nil)
	f := readRecording(t, "../../pkg/enet/testdata/udp_connect_unanswered.json")
	r := newReplay(t, up.Master())
	_ = r.sock.SetReadDeadline(time.Now().Add(Timeout))
	var id uint16
	for i, b := range f.sent(t) {
		if b[12] == 4 {
			_, _ = r.sock.Write(b)
			continue
		}
		r.peerID = 0
		r.send(b) // and gets an id
		if i > 0 && r.peerID != id {
			t.Errorf("peer id %d, then %d", id, r.peerID)
		}
		id = r.peerID
	}
	if n := peerCount(up.Master()); n != 0 {
		t.Errorf("%d peers", n)
	}
}

// A full server refuses as a client of old was refused, and takes no notice of its
// goodbye. wire W-22
func TestReplayOfRefusal(t *testing.T) {
	t.Parallel()
	up := Start(t, func(c *config.Config) { c.Limits.MaxPeers = 1 })
	full, err := client.Dial(t.Context(), client.Options{Transport: client.UDP, AppID: "x"}, address(up.Master(), client.UDP))
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	f := readRecording(t, "../../pkg/enet/testdata/udp_connect_refused_user_limit.json")
	r := newReplay(t, up.Master())
	sent := f.sent(t)
	if _, err := r.sock.Write(sent[0]); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 2000)
	_ = r.sock.SetReadDeadline(time.Now().Add(Timeout))
	n, err := r.sock.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []byte
	commands(buf[:n], func(head, body []byte) {
		kinds = append(kinds, head[0])
		if head[0] == 1 && string(body) != string(append([]byte{0, 0, 0, 1}, sent[0][4:8]...)) || head[0] == 4 && head[3] != 3 {
			t.Errorf("command %x %x", head, body)
		}
	})
	if string(kinds) != "\x01\x04" || n > len(sent[0]) {
		t.Errorf("refused with commands %v in %d bytes", kinds, n)
	}
	_, _ = r.sock.Write(sent[1])
	if peers := peerCount(up.Master()); peers != 1 {
		t.Errorf("%d peers", peers)
	}
}

// encrypt seals a recorded plaintext of a request as its client did.
func encrypt(c *ciphers.Cipher, plain []byte) []byte {
	return c.AppendEncrypted([]byte{0xF3, 0x82}, plain)
}

// Key exchanges of all client versions, byte for byte, among them those whose
// secret has a leading zero; then their encrypted request is answered encrypted.
// Their private keys are not recorded, so that one is sealed with the key of a
// second exchange, which replaces the first (wire.md 7.1). wire W-27, W-33, W-34
func TestReplayOfEncryption(t *testing.T) {
	t.Parallel()
	up := Start(t, nil)
	files, err := filepath.Glob("../../pkg/secure/testdata/udp_encryption_*.json")
	if err != nil || len(files) < 6 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			f := readRecording(t, file)
			r := newReplay(t, up.Master())
			sent := f.sent(t)
			r.open(&f, challengeOf(sent[0]), nil)
			version := gpbinary.Version(f.protocol())
			// public answers an exchange.
			public := func(m []byte) []byte {
				t.Helper()
				resp, _, err := gpbinary.DecodeResponse(version, m[2:])
				if m[1] != 7 || err != nil || resp.ReturnCode != 0 || len(resp.Params) != 1 || resp.Params[0].Key != 1 {
					t.Fatalf("key exchange is answered %x: %+v, %v", m, resp, err)
				}
				key, _ := resp.Params[0].Value.([]byte)
				return key
			}
			r.send(sent[0])
			r.await(2)
			first := public(r.messages[1])
			kx, err := ciphers.NewKeyExchange(rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			request, err := photon.AppendInternalRequest(nil, f.protocol(), photon.InternalInitEncryption, photon.Params{{Key: 1, Value: kx.PublicKey()}})
			if err != nil {
				t.Fatal(err)
			}
			r.command(6, 0, 1, 3, request)
			r.await(3)
			second := public(r.messages[2])
			if len(first) > 96 || len(second) > 96 || string(first) == string(second) {
				t.Errorf("keys %x and %x", first, second)
			}
			key, err := kx.SharedKey(second)
			if err != nil {
				t.Fatal(err)
			}
			c, err := ciphers.NewCipher(key[:])
			if err != nil {
				t.Fatal(err)
			}
			plain := unhex(t, f.Crypto.Messages[0].Plaintext)
			r.command(6, 0, 1, 4, encrypt(c, plain))
			r.await(4)
			wantEncryptedResponse(t, c, version, r.messages[3], photon.OpCode(plain[0]))
			// One that nobody can read ends the session. It lacks a byte: a wrong key
			// alone leaves padding that looks right once in 256 times.
			closed := closedFor(up.Master(), transport.ReasonProtocolError)
			sealed := unhex(t, f.Crypto.Messages[0].Message)
			r.command(6, 0, 1, 5, sealed[:len(sealed)-1])
			eventually(t, func() bool { return closedFor(up.Master(), transport.ReasonProtocolError) == closed+1 }, "the unreadable message is noticed")
		})
	}
}

func wantEncryptedResponse(t testing.TB, c *ciphers.Cipher, version gpbinary.Version, m []byte, op photon.OpCode) {
	t.Helper()
	if m[0] != 0xF3 || m[1] != 0x83 {
		t.Fatalf("an encrypted request is answered %x", m)
	}
	answer, err := c.AppendDecrypted(nil, m[2:])
	if err != nil {
		t.Fatal(err)
	}
	resp, n, err := gpbinary.DecodeResponse(version, answer)
	if err != nil || n != len(answer) || photon.OpCode(resp.Code) != op {
		t.Errorf("response %x: %+v, %v", answer, resp, err)
	}
}

// authenticatedOnce returns what the name server gives a client for the master.
func authenticatedOnce(t testing.TB, bound []app.Bound, mode byte) (token string, key []byte) {
	t.Helper()
	ns, err := client.Dial(t.Context(), client.Options{Transport: client.UDP}, address(bound, client.UDP))
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	resp, err := ns.Operation(t.Context(), photon.OpAuthenticateOnce, photon.Params{
		photon.Param(photon.ParamApplicationID, "test"), photon.Param(photon.ParamRegion, "eu"),
		photon.Param(photon.ParamExpectedProtocol, byte(0)), photon.Param(photon.ParamEncryptionMode, mode),
	})
	if err != nil || resp.Err() != nil {
		t.Fatal(err, resp)
	}
	token, _ = resp.String(photon.ParamToken)
	v, _ := resp.Value(photon.ParamEncryptionData)
	secret, _ := v.(*gpbinary.Dictionary).Get(byte(1))
	return token, secret.([]byte)
}

// A request under the secret that the name server gave, without a key exchange.
// wire W-35
func TestReplayOfPayloadSecret(t *testing.T) {
	t.Parallel()
	up := Start(t, nil)
	f := readRecording(t, "../../pkg/secure/testdata/udp_payload_secret.json")
	sent := f.sent(t)
	token, key := authenticatedOnce(t, up.NameServer(), 0)
	typed, err := gpbinary.Append(nil, gpbinary.V18, token)
	if err != nil {
		t.Fatal(err)
	}
	c, err := ciphers.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	r := newReplay(t, up.Master())
	r.open(&f, challengeOf(sent[0]), typed)
	r.await(2) // the answer to AuthenticateOnce, without a request
	plain := unhex(t, f.Crypto.Messages[0].Plaintext)
	before := len(r.messages)
	r.command(6, 0, 1, 2, encrypt(c, plain))
	for {
		r.await(before + 1)
		if m := r.messages[before]; m[1]&0x7F == 4 { // statistics
			before++
			continue
		}
		break
	}
	wantEncryptedResponse(t, c, gpbinary.V18, r.messages[before], photon.OpCode(plain[0]))
}

// A client that wants datagram encryption gets a token and mode 0, connects in the
// clear, and goes on so, because no encrypted datagram ever comes. Encrypted ones
// in its name have no effect. wire W-36
func TestReplayOfDatagramEncryption(t *testing.T) {
	t.Parallel()
	up := Start(t, nil)
	files, err := filepath.Glob("testdata/udp_datagram_encryption_framing_*.json")
	if err != nil || len(files) != 3 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			f := readRecording(t, file)
			r := newReplay(t, up.Master())
			sent := f.sent(t)
			r.challenge = challengeOf(sent[0])
			r.send(sent[0]) // CONNECT
			r.send(sent[1]) // init request with a token, of which ours knows nothing
			r.await(1)
			for _, p := range f.Packets {
				if p.Dir != "c2s" || p.Header == "" {
					continue
				}
				b := append(unhex(t, p.Header), unhex(t, p.Plaintext)...)
				binary.BigEndian.PutUint16(b, r.peerID)
				if _, err := r.sock.Write(b); err != nil {
					t.Fatal(err)
				}
			}
			r.command(12, 0xFF, 1, 2, nil) // FETCH_SERVER_TIME, in the clear: still there
			r.command(6, 0, 1, 2, unhex(t, "f302e201ff0708736f6d6567616d65"))
			for n := 2; ; n++ {
				r.await(n)
				if m := r.messages[n-1]; m[1] == 3 && m[2] == 226 {
					break
				}
			}
		})
	}
}
