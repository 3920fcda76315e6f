package gpbinary

import "testing"

// The messages are such as games send. TestHotPathAllocations holds the
// allocations that matter.

// raiseEventRequest is RaiseEvent with a movement update as content.
func raiseEventRequest(tb testing.TB, v Version) []byte {
	tb.Helper()
	b, err := AppendRequest(nil, v, &OperationRequest{Code: 253, Params: Params{
		{244, uint8(201)}, {247, uint8(0)}, {245, movement()},
	}})
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func movement() *Hashtable {
	return NewHashtable(
		Pair{uint8(0), int32(123456)},
		Pair{uint8(1), int16(-1)},
		Pair{uint8(10), ObjectArray{int32(1001), false, nil, Custom{86, make([]byte, 12)}, Custom{81, make([]byte, 16)}, float32(3.5)}},
	)
}

func joinResponse() *OperationResponse {
	players := &Hashtable{}
	actors := []int32{}
	for i := range int32(8) {
		actors = append(actors, i+1)
		players.Set(i+1, NewHashtable(Pair{uint8(255), "player"}, Pair{uint8(253), "user id"}, Pair{"team", uint8(1)}))
	}
	return &OperationResponse{Code: 226, Params: Params{
		{254, int32(8)}, {252, actors}, {249, players},
		{248, NewHashtable(Pair{uint8(253), true}, Pair{uint8(254), true}, Pair{uint8(255), uint8(8)},
			Pair{uint8(250), []string{"map"}}, Pair{uint8(248), int32(1)}, Pair{"map", "forest"})},
	}}
}

func forVersions(b *testing.B, f func(b *testing.B, v Version)) {
	for _, v := range versions {
		b.Run(v.String(), func(b *testing.B) {
			b.ReportAllocs()
			f(b, v)
		})
	}
}

func BenchmarkReadTableRaiseEvent(b *testing.B) {
	forVersions(b, func(b *testing.B, v Version) {
		msg := raiseEventRequest(b, v)
		fields := make([]Field, 0, 8)
		b.SetBytes(int64(len(msg)))
		for b.Loop() {
			var err error
			if fields, _, err = ReadTable(v, msg[1:], fields[:0]); err != nil || len(fields) != 3 {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkAppendEventPasted(b *testing.B) {
	forVersions(b, func(b *testing.B, v Version) {
		content, err := Append(nil, v, movement())
		if err != nil {
			b.Fatal(err)
		}
		ev := &EventData{Code: 201, Params: Params{{245, Raw{v, content}}, {254, int32(3)}}}
		buf := make([]byte, 0, 512)
		for b.Loop() {
			if buf, err = AppendEvent(buf[:0], v, ev); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkAppendJoinResponse(b *testing.B) {
	forVersions(b, func(b *testing.B, v Version) {
		resp := joinResponse()
		buf := make([]byte, 0, 2048)
		var err error
		for b.Loop() {
			if buf, err = AppendResponse(buf[:0], v, resp); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDecodeHashtable(b *testing.B) {
	forVersions(b, func(b *testing.B, v Version) {
		table, err := Append(nil, v, movement())
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(table)))
		for b.Loop() {
			if _, _, err := Decode(v, table); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkTranscode(b *testing.B) {
	forVersions(b, func(b *testing.B, v Version) {
		to := versions[0]
		if v == to {
			to = versions[1]
		}
		table, err := Append(nil, v, movement())
		if err != nil {
			b.Fatal(err)
		}
		buf := make([]byte, 0, 512)
		for b.Loop() {
			if buf, _, err = Transcode(buf[:0], to, Raw{v, table}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// The way of one event allocates nothing here: reading the request's table, and
// writing the event with the content pasted (serialization.md 13).
func TestHotPathAllocations(t *testing.T) {
	for _, v := range versions {
		msg := raiseEventRequest(t, v)
		fields := make([]Field, 0, 8)
		ev := &EventData{Code: 201, Params: Params{{245, Raw{}}, {254, int32(3)}}}
		buf := make([]byte, 0, 512)
		fields, _, err := ReadTable(v, msg[1:], fields)
		if err != nil {
			t.Fatal(err)
		}
		ev.Params[0].Value = Raw{v, fields[2].Bytes}
		resp := joinResponse()
		for name, f := range map[string]func(){
			"ReadTable":      func() { fields, _, _ = ReadTable(v, msg[1:], fields[:0]) },
			"AppendEvent":    func() { buf, _ = AppendEvent(buf[:0], v, ev) },
			"AppendResponse": func() { buf, _ = AppendResponse(buf[:0], v, resp) },
			"AppendInt":      func() { buf = AppendInt(buf[:0], v, 70000) },
			"ReadInt":        func() { ReadInt(v, fields[0].Bytes) },
		} {
			if n := testing.AllocsPerRun(100, f); n != 0 {
				t.Errorf("%v %s: %v allocations", v, name, n)
			}
		}
	}
}
