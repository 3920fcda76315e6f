package photon

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/boson-project/boson/pkg/gpbinary"
)

// Messages of loadbalancing-operations.md 8, accepted by the official client
// in this form.
func TestAppendAsPublished(t *testing.T) {
	table := func(pairs ...gpbinary.Pair) *gpbinary.Hashtable { return gpbinary.NewHashtable(pairs...) }
	pair := func(k, v any) gpbinary.Pair { return gpbinary.Pair{Key: k, Value: v} }
	tests := []struct {
		name   string
		append func(p Protocol) ([]byte, error)
		v18    string
		v16    string
	}{
		{"resp 230", func(p Protocol) ([]byte, error) {
			return AppendResponse(nil, p, OpAuthenticate, ReturnOk, "", Params{Param(ParamUserID, "user-1"), Param(ParamToken, "TOKEN-M")})
		}, "F303E6000008 02 E10706757365722D31 DD0707544F4B454E2D4D",
			"F303E600002A0002E1730006757365722D31DD730007544F4B454E2D4D"},
		{"event 226", func(p Protocol) ([]byte, error) {
			return AppendEvent(nil, p, EventAppStats, Params{Param(ParamPeerCount, int32(3)), Param(ParamGameCount, int32(1)), Param(ParamMasterPeerCount, int32(2))})
		}, "F304E203E50B03E40B01E30B02", "F304E20003E56900000003E46900000001E36900000002"},
		{"event 230", func(p Protocol) ([]byte, error) {
			return AppendEvent(nil, p, EventGameList, Params{Param(ParamGameList, table(pair("room1",
				table(pair(byte(255), byte(4)), pair(byte(252), byte(1)), pair(byte(253), true), pair("map", int32(1))))))})
		}, "F304E601DE15010705726F6F6D31150403FF030403FC030103FD1C07036D61700B01",
			"F304E60001DE680001730005726F6F6D3168000462FF620462FC620162FD6F017300036D61706900000001"},
		{"resp 226 full", func(p Protocol) ([]byte, error) {
			return AppendResponse(nil, p, OpJoinGame, ReturnGameFull, "room is full", nil)
		}, "F303E2FD7F070C726F6F6D2069732066756C6C00", "F303E27FFD73000C726F6F6D2069732066756C6C0000"},
		{"event 254", func(p Protocol) ([]byte, error) {
			return AppendEvent(nil, p, EventLeave, Params{Param(ParamActorNr, int32(1)), Param(ParamActorList, []int32{2}),
				Param(ParamIsInactive, false), Param(ParamMasterClientID, int32(2))})
		}, "F304FE04FE0B01FC490104E91BCB0B02", ""},
		{"event 253 from the server", func(p Protocol) ([]byte, error) {
			return AppendEvent(nil, p, EventPropertiesChanged, Params{Param(ParamActorNr, int32(0)), Param(ParamTargetActorNr, int32(0)),
				Param(ParamProperties, table(pair(byte(247), []string{"bob"})))})
		}, "F304FD03FE1EFD1EFB150103F7470103626F62", ""},
		{"event 7", func(p Protocol) ([]byte, error) {
			return AppendContentEvent(nil, p, 7, &Content{GpBinaryV18, []byte("\x07\x05hello")}, 1)
		}, "F3040702F5070568656C6C6FFE0B01", "F304070002F573000568656C6C6FFE6900000001"},
		{"event without content", func(p Protocol) ([]byte, error) { return AppendContentEvent(nil, p, 7, nil, 1) },
			"F3040701FE0B01", "F304070001FE6900000001"}, // LB-221
		{"disconnect", func(p Protocol) ([]byte, error) { return AppendDisconnect(nil, p, 7, "bye") },
			"F30507000703627965 00", "F3050007730003627965 0000"}, // wire W-28
	}
	for _, tt := range tests {
		for p, want := range map[Protocol]string{GpBinaryV18: tt.v18, GpBinaryV16: tt.v16} {
			if want == "" {
				continue
			}
			t.Run(tt.name+" "+p.String(), func(t *testing.T) {
				got, err := tt.append(p)
				if err != nil {
					t.Fatal(err)
				}
				want := strings.ToLower(strings.ReplaceAll(want, " ", ""))
				if hex.EncodeToString(got) != want {
					t.Errorf("\n got %x\nwant %s", got, want)
				}
			})
		}
	}
}

func TestContentEventJSON(t *testing.T) {
	got, err := AppendContentEvent(nil, JSON, 3, &Content{GpBinaryV18, []byte("\x07\x03str")}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(got), "~m~") || !strings.Contains(string(got), `"evt":3`) || !strings.Contains(string(got), `245,"str"`) {
		t.Errorf("got %s", got)
	}
}

func TestParseRequest(t *testing.T) {
	var r Request
	// GS req 253 {247 4, 246 1, 244 7, 245 "hello"} in both formats and JSON.
	for p, msg := range map[Protocol][]byte{
		GpBinaryV18: unhex(t, "F302FD04F70304F60301F40307F5070568656C6C6F"),
		GpBinaryV16: unhex(t, "F302FD0004F76204F66201F46207F573000568656C6C6F"),
		JSON:        []byte(`{"req":253,"vals":[247,4,246,1,244,7,245,"hello"]}`),
	} {
		if err := ParseRequest(p, msg, &r); err != nil {
			t.Fatalf("%s: %v", p, err)
		}
		code, _, err1 := r.Byte(ParamEventCode)
		cache, _, err2 := r.Byte(ParamCache)
		group, _, err3 := r.Byte(ParamReceiverGroup)
		text, ok, err4 := r.String(ParamData)
		if r.Code != OpRaiseEvent || code != 7 || cache != 4 || group != 1 || text != "hello" || !ok || errors.Join(err1, err2, err3, err4) != nil {
			t.Errorf("%s: got op %v code %d cache %d group %d %q: %v", p, r.Code, code, cache, group, text, errors.Join(err1, err2, err3, err4))
		}
	}
}

// LB-006: one value, any integer width.
func TestIntegersOfAnyWidth(t *testing.T) {
	for _, v := range []any{byte(2), int16(2), int32(2), int64(2)} {
		for _, p := range []Protocol{GpBinaryV16, GpBinaryV18} {
			msg, err := AppendRequest(nil, p, OpJoinLobby, Params{Param(ParamLobbyType, v)})
			if err != nil {
				t.Fatal(err)
			}
			var r Request
			if err := ParseRequest(p, msg, &r); err != nil {
				t.Fatal(err)
			}
			if n, ok, err := r.Byte(ParamLobbyType); n != 2 || !ok || err != nil {
				t.Errorf("%s %T: got %d, %v, %v", p, v, n, ok, err)
			}
		}
	}
}

// LB-004, LB-005: the error names the parameter.
func TestParamErrors(t *testing.T) {
	msg, _ := AppendRequest(nil, GpBinaryV18, OpJoinGame, Params{Param(ParamRoomName, []byte{1}), Param(ParamJoinMode, int32(300)), Param(ParamActorList, "x")})
	var r Request
	if err := ParseRequest(GpBinaryV18, msg, &r); err != nil {
		t.Fatal(err)
	}
	_, _, err1 := r.String(ParamRoomName)
	_, _, err2 := r.Byte(ParamJoinMode)
	_, _, err3 := r.Ints(ParamActorList)
	for i, err := range []error{err1, err2, err3} {
		var pe *ParamError
		if !errors.As(err, &pe) || pe.Code != ReturnInvalidOperation {
			t.Errorf("error %d: %v", i, err)
		}
	}
	if err1 == nil || !strings.Contains(err1.Error(), "255 (RoomName)") {
		t.Errorf("error does not name the parameter: %v", err1)
	}
}

// WJ-058, WJ-062, WJ-063: only well-known keys become bytes.
func TestJSONProperties(t *testing.T) {
	var r Request
	if err := ParseRequest(JSON, []byte(`{"req":227,"vals":[248,{"255":4,"253":true,"250":["a"],"249":true,"5":1,"1000":2,"a":1},249,{"255":"Bob","hp":10}]}`), &r); err != nil {
		t.Fatal(err)
	}
	room, ok, err := r.RoomProperties(ParamGameProperties)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	for key, want := range map[any]any{byte(255): byte(4), byte(253): true, "249": true, "5": int32(1), "1000": int32(2), "a": int32(1)} {
		if got, ok := room.Get(key); !ok || got != want {
			t.Errorf("room property %v (%T) is %v (%T), want %v (%T)", key, key, got, got, want, want)
		}
	}
	actor, ok, err := r.ActorProperties(ParamPlayerProperties)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if got, _ := actor.Get(byte(255)); got != "Bob" {
		t.Errorf("nickname is %v", got)
	}
	if err := ParseRequest(JSON, []byte(`{"req":227,"vals":[248,{"255":"four"}]}`), &r); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.RoomProperties(ParamGameProperties); err == nil {
		t.Error("MaxPlayers of type string was accepted")
	}
}

func TestIgnored(t *testing.T) {
	var r Request
	for _, h := range []string{"", "F3", "0002E200", "F304E200", "F301", "F308"} {
		if err := ParseRequest(GpBinaryV18, unhex(t, h), &r); !errors.Is(err, ErrIgnored) {
			t.Errorf("%s: %v, want ErrIgnored", h, err)
		}
	}
}

func FuzzParseRequest(f *testing.F) {
	f.Add(byte(GpBinaryV18), unhex(f, "F302FD04F70304F60301F40307F5070568656C6C6F"))
	f.Add(byte(GpBinaryV16), unhex(f, "F302FD0004F76204F66201F46207F573000568656C6C6F"))
	f.Add(byte(JSON), []byte(`{"req":253,"vals":[247,4,246,1,244,7,245,"hello"]}`))
	f.Fuzz(func(t *testing.T, p byte, msg []byte) {
		switch Protocol(p) {
		case GpBinaryV16, GpBinaryV18, JSON:
		default:
			return
		}
		var r Request
		if ParseRequest(Protocol(p), msg, &r) != nil {
			return
		}
		for _, field := range r.Fields {
			_, _, _ = r.Int(ParamCode(field.Key))
			_, _, _ = r.Ints(ParamCode(field.Key))
			_, _, _ = r.Strings(ParamCode(field.Key))
			_, _, _ = r.RoomProperties(ParamCode(field.Key))
			_, _, _ = r.ActorProperties(ParamCode(field.Key))
			if c, ok := r.Content(ParamCode(field.Key)); ok {
				for _, to := range []Protocol{GpBinaryV16, GpBinaryV18, JSON} {
					_, _ = AppendContentEvent(nil, to, 1, &c, 1)
				}
			}
		}
	})
}

func TestSlabPiecesDoNotOverlap(t *testing.T) {
	var s Slab
	var pieces [][]byte
	for i := range 5000 {
		b := s.Grow(8)
		for range i%40 + 1 { // some outgrow what they asked for
			b = append(b, byte(i))
		}
		pieces = append(pieces, s.Keep(b))
	}
	for i, p := range pieces {
		if len(p) != i%40+1 {
			t.Fatalf("piece %d has %d bytes", i, len(p))
		}
		for _, c := range p {
			if c != byte(i) {
				t.Fatalf("piece %d was overwritten: %x", i, p)
			}
		}
	}
}

func BenchmarkAppendContentEvent(b *testing.B) {
	content := Content{GpBinaryV18, append([]byte{0x43, 64}, make([]byte, 64)...)}
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = AppendContentEvent(buf[:0], GpBinaryV18, 7, &content, 3)
	}
}

func BenchmarkParseRaiseEvent(b *testing.B) {
	msg, err := AppendRequest(nil, GpBinaryV18, OpRaiseEvent, Params{Param(ParamReceiverGroup, byte(1)), Param(ParamEventCode, byte(7)), Param(ParamData, make([]byte, 64))})
	if err != nil {
		b.Fatal(err)
	}
	var r Request
	b.ReportAllocs()
	for b.Loop() {
		if err := ParseRequest(GpBinaryV18, msg, &r); err != nil {
			b.Fatal(err)
		}
	}
}
