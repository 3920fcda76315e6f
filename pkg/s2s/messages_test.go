package s2s

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/lobby"
	"github.com/boson-project/boson/pkg/photon"
)

// encode returns the frame that Link.Send writes.
func encode(t testing.TB, m Message) []byte {
	t.Helper()
	p, err := m.params()
	if err != nil {
		t.Fatal(err)
	}
	b, err := photon.AppendRequest(beginFrame(nil), photon.GpBinaryV16, photon.OpCode(m.op()), p)
	if err != nil || !endFrame(b, 0) {
		t.Fatal(err)
	}
	return b
}

func decode(b []byte) (Message, error) {
	r, _, err := gpbinary.DecodeRequest(gpbinary.V16, b)
	if err != nil {
		return nil, err
	}
	m, _, err := parseMessage(Op(r.Code), r.Params)
	return m, err
}

// cluster CL-03: the example of cluster.md 12.3.
func TestLoadReportBytes(t *testing.T) {
	want := unhex(t, `FB 00 00 00 40 00 01 F3 02 02 00 09
		01 6C 00 00 00 00 00 00 00 11  02 62 01  03 62 00  04 69 00 00 00 EA
		05 69 00 01 86 A0  06 69 00 0C 35 00  07 69 00 00 00 78  08 69 00 00 00 1E  09 69 00 00 01 C2`)
	m := &LoadReport{Rev: 17, Level: 1, CPU: 234, BytesIn: 100_000, BytesOut: 800_000, Peers: 120, Rooms: 30, InboxDelay: 450}
	if got := encode(t, m); !bytes.Equal(got, want) {
		t.Errorf("%x\nwant %x", got, want)
	}
	if got, err := decode(want[9:]); err != nil || !reflect.DeepEqual(got, m) {
		t.Errorf("%+v, %v", got, err)
	}
	r, n, err := gpbinary.DecodeResponse(gpbinary.V16, unhex(t, "02 00 00 2A 00 00"))
	if err != nil || n != 6 || Op(r.Code) != OpLoadReport || r.ReturnCode != ReturnOk {
		t.Errorf("response %+v, %v", r, err)
	}
}

// cluster CL-05: the vector of cluster.md 12.2.
func TestAuthVector(t *testing.T) {
	var nonce [16]byte
	for i := range nonce {
		nonce[i] = byte(i)
	}
	key := bytes.Repeat([]byte("k"), 32)
	const want = "1c68da1bcbca50967f788be13fc5e12d136202ac3aa915a48bac61ba436854b9"
	if got := hex.EncodeToString(authCode(key, macClient, nonce, "gs-1", 1_700_000_000_000)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := hex.EncodeToString(authCode(key, macServer, nonce, "gs-1", 1_700_000_000_000)); got == want {
		t.Error("both sides have the same code")
	}
}

func testRecord(name string) lobby.Record {
	return lobby.Record{
		App: "app\x001.0", Name: name, Lobby: lobby.ID{Name: "arena", Type: lobby.SQL},
		Open: true, Visible: true, Persistent: true, CheckUser: true, MaxPlayers: 8, Players: 3, Inactive: 1,
		Properties: gpbinary.NewHashtable(
			gpbinary.Pair{Key: "map", Value: "forest"},
			gpbinary.Pair{Key: "C0", Value: int32(7)},
			gpbinary.Pair{Key: byte(3), Value: gpbinary.Raw{Version: gpbinary.V18, Bytes: []byte{0x0b, 7}}},
			gpbinary.Pair{Key: "v16", Value: gpbinary.Raw{Version: gpbinary.V16, Bytes: []byte{'b', 7}}},
			gpbinary.Pair{Key: "v18 only", Value: []float64{1.5}},
		),
		ByValue: []string{"C0"},
		Users:   []string{"a", "b", "c"}, Sessions: []uint64{1, 1 << 63, 0}, InactiveUsers: []string{"c"}, Expected: []string{"d"}, Excluded: []string{"e"},
		Created: 1_700_000_000_123, Incarnation: 42, Plugin: "webhooks",
	}
}

func TestMessageRoundTrips(t *testing.T) {
	for _, m := range []Message{
		&LoadReport{},
		&LoadReport{Rev: 1, Level: 4, State: 2, CPU: 1000, BytesIn: 1, BytesOut: 2, Peers: 3, Rooms: 4, InboxDelay: 5, Reservations: 6, PeerLimit: 7},
		&SnapshotBegin{Rev: 1 << 40, Rooms: 9},
		&RoomBatch{Rev: 2, Rooms: []lobby.Record{testRecord("x"), {Name: "bare"}, {Name: "flags", Reserved: true, Closing: true}}},
		&RoomRemove{Rev: 3, Keys: []string{RoomKey("app\x001.0", "x"), "y"}, Reason: RemoveLost},
		&SnapshotEnd{Rev: 4},
		&UserDelta{Rev: 5, Joined: []UserAt{{"app", "u", "x"}, {"app", "v", ""}}, Left: []UserAt{}},
		&UserDelta{Joined: []UserAt{}, Left: []UserAt{{"app", "u", "x"}}, Master: true},
		&Goodbye{Reason: "drained"},
		&ClaimResult{App: "app", Room: "x", Placement: [16]byte{15: 1}, Given: true},
		&LobbyClients{Lobbies: []LobbyCount{{"app", lobby.ID{Name: "arena", Type: lobby.SQL}, 7}, {"app", lobby.ID{}, 0}}},
	} {
		b := encode(t, m)
		if got, err := decode(b[9:]); err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%+v, %v\nwant %+v", got, err, m)
		}
	}
	// A batch written record by record is the same message.
	r := testRecord("x")
	raw, err := encodeRecord(&r)
	if err != nil {
		t.Fatal(err)
	}
	a := encode(t, &encodedBatch{7, gpbinary.ObjectArray{gpbinary.Raw{Version: gpbinary.V16, Bytes: raw}}})
	if b := encode(t, &RoomBatch{7, []lobby.Record{r}}); !bytes.Equal(a, b) {
		t.Errorf("%x\n%x", a, b)
	}
}

func TestEventRoundTrips(t *testing.T) {
	for _, e := range []Event{
		&RoomReleased{"app", "room", [16]byte{1, 15: 2}}, &Resync{}, &SetState{1, 60_000},
		&CloseRoom{"app", "room", "why"}, &KickUser{"app", "user", "why"}, &Masters{[]string{"10.0.0.1:4520"}}, &Config{},
	} {
		b, err := photon.AppendEvent(nil, photon.GpBinaryV16, photon.EventCode(e.code()), e.params())
		if err != nil {
			t.Fatal(err)
		}
		ev, _, err := gpbinary.DecodeEvent(gpbinary.V16, b[2:])
		if err != nil {
			t.Fatal(err)
		}
		if got, ok, err := parseEvent(EventCode(ev.Code), ev.Params); err != nil || !ok || !reflect.DeepEqual(got, e) {
			t.Errorf("%+v, %v, want %+v", got, err, e)
		}
	}
	if _, ok, err := parseEvent(200, nil); ok || err != nil {
		t.Errorf("unknown event: %v, %v", ok, err)
	}
}

func TestReserveRoomRoundTrip(t *testing.T) {
	want := ReserveRoom{"app", "room", [16]byte{1, 2}, 20 * time.Second, "user", lobby.ID{Name: "arena", Type: lobby.AsyncRandom}}
	if got, err := ParseReserveRoom(want.Params()); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := ParseReserveRoom(nil); err == nil {
		t.Error("a reservation without name was read")
	}
	r := testRecord("x")
	p, err := ExistsParams(&r)
	if err != nil {
		t.Fatal(err)
	}
	b, err := gpbinary.AppendParams(nil, gpbinary.V16, p)
	if err != nil {
		t.Fatal(err)
	}
	resp, _, err := gpbinary.DecodeRequest(gpbinary.V16, append([]byte{25}, b...))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ParseExists(resp.Params); err != nil || !reflect.DeepEqual(got, r) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := ParseExists(nil); err == nil {
		t.Error("an answer without room was read")
	}
}

// cluster CL-11
func TestUnknownParametersAreIgnored(t *testing.T) {
	m, ok, err := parseMessage(OpSnapshotBegin, gpbinary.Params{param(1, int64(3)), param(77, "new"), param(2, nil)})
	if err != nil || !ok || !reflect.DeepEqual(m, &SnapshotBegin{Rev: 3}) {
		t.Errorf("%+v, %v", m, err)
	}
	for protocol, want := range map[string]bool{"1.0": true, "1.7": true, "2.0": false, "": false, "1": false, "10.0": false} {
		if compatible(protocol) != want {
			t.Errorf("protocol %q", protocol)
		}
	}
}

func TestBadMessages(t *testing.T) {
	for name, c := range map[string]struct {
		op Op
		p  gpbinary.Params
	}{
		"rev is a string":      {OpSnapshotBegin, gpbinary.Params{param(1, "1")}},
		"rooms are a string":   {OpRoomBatch, gpbinary.Params{param(2, "x")}},
		"a room is a string":   {OpRoomBatch, gpbinary.Params{param(2, gpbinary.ObjectArray{"x"})}},
		"a room without name":  {OpRoomBatch, gpbinary.Params{param(2, gpbinary.ObjectArray{&gpbinary.Dictionary{}})}},
		"a user is a string":   {OpUserDelta, gpbinary.Params{param(2, gpbinary.ObjectArray{"x"})}},
		"a user has two parts": {OpUserDelta, gpbinary.Params{param(3, gpbinary.ObjectArray{[]string{"x", "y"}})}},
		"properties not sealed": {OpRoomBatch, gpbinary.Params{param(2, gpbinary.ObjectArray{&gpbinary.Dictionary{Pairs: []gpbinary.Pair{
			{Key: byte(recordName), Value: "x"}, {Key: byte(recordProperties), Value: gpbinary.NewHashtable(gpbinary.Pair{Key: "a", Value: int32(1)})}}}})}},
		"properties of no version": {OpRoomBatch, gpbinary.Params{param(2, gpbinary.ObjectArray{&gpbinary.Dictionary{Pairs: []gpbinary.Pair{
			{Key: byte(recordName), Value: "x"}, {Key: byte(recordProperties), Value: gpbinary.NewHashtable(gpbinary.Pair{Key: "a", Value: []byte{7, 1}})}}}})}},
		"properties with a tail": {OpRoomBatch, gpbinary.Params{param(2, gpbinary.ObjectArray{&gpbinary.Dictionary{Pairs: []gpbinary.Pair{
			{Key: byte(recordName), Value: "x"}, {Key: byte(recordProperties), Value: gpbinary.NewHashtable(gpbinary.Pair{Key: "a", Value: []byte{6, 'b', 1, 1}})}}}})}},
	} {
		if m, ok, err := parseMessage(c.op, c.p); !ok || err == nil {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
}

// A room whose record is too large goes without its properties, one whose name
// is too long not at all.
func TestRecordLimits(t *testing.T) {
	r := testRecord("x")
	r.Properties.Set("big", make([]byte, 2<<20))
	b, err := encodeRecord(&r)
	if err != nil || len(b) > 1000 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	r.Name = strings.Repeat("x", maxKey+1)
	if _, err := encodeRecord(&r); err == nil {
		t.Error("a name too long was encoded")
	}
	r.Name = r.Name[:maxKey-len(r.App)]
	if _, err := encodeRecord(&r); err == nil {
		t.Error("a name too long for a removal was encoded")
	}
}

func FuzzMessages(f *testing.F) {
	for _, m := range []Message{
		&LoadReport{Rev: 1, PeerLimit: 7}, &SnapshotBegin{Rev: 1}, &RoomBatch{Rev: 2, Rooms: []lobby.Record{testRecord("x")}},
		&RoomRemove{Rev: 3, Keys: []string{"y"}}, &UserDelta{Rev: 5, Joined: []UserAt{{"app", "u", "x"}}}, &Goodbye{Reason: "x"},
	} {
		f.Add(encode(f, m)[9:])
	}
	f.Add(unhex(f, "01 0001 02 73 0001 61"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, _, err := gpbinary.DecodeRequest(gpbinary.V16, b)
		if err != nil {
			return
		}
		if h, err := parseHello(r.Params); err == nil && Op(r.Code) == OpHello {
			if _, err := gpbinary.AppendParams(nil, gpbinary.V16, h.params()); err != nil {
				t.Errorf("hello %+v: %v", h, err)
			}
		}
		_, _, _ = parseEvent(EventCode(r.Code), r.Params)
		_, _ = ParseReserveRoom(r.Params)
		_, _ = ParseExists(r.Params)
		m, ok, err := parseMessage(Op(r.Code), r.Params)
		if !ok || err != nil {
			return
		}
		once := encode(t, m)
		again, err := decode(once[9:])
		if err != nil {
			t.Fatalf("%+v: %v", m, err)
		}
		if twice := encode(t, again); !bytes.Equal(once, twice) {
			t.Errorf("%x became %x", once, twice)
		}
	})
}
