package lobby

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/photon"
)

const benchRooms = 100_000

// crowd is an App with many rooms. "level" has 1000 values, "mode" two.
func crowd(b *testing.B, id ID) *fixture {
	f := newFixture(b, Config{})
	for i := range benchRooms {
		f.put(Record{
			Name: fmt.Sprint("room", i), Lobby: id, Open: true, Visible: true, Players: 2, Created: int64(i),
			Users: []string{fmt.Sprint("a", i), fmt.Sprint("b", i)},
			Properties: table("level", int32(i%1000), "mode", fmt.Sprint("m", i%2),
				"C0", int32(i%1000), "C1", fmt.Sprint("m", i%2)),
		})
	}
	b.ReportAllocs()
	return f
}

func benchRandom(b *testing.B, id ID, q RandomRequest) {
	f := crowd(b, id)
	q.User, q.Lobby = "asker", id
	for b.Loop() {
		if _, err := f.JoinRandom(f.now, q); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkJoinRandom(b *testing.B) {
	for name, q := range map[string]RandomRequest{
		"any":       {},
		"selective": {Filter: table("mode", "m1", "level", int32(999))},
		"uniform":   {Filter: table("mode", "m1"), Mode: photon.RandomMatching},
		"serial":    {Filter: table("mode", "m1"), Mode: photon.SerialMatching},
	} {
		b.Run(name, func(b *testing.B) { benchRandom(b, ID{}, q) })
	}
}

func BenchmarkJoinRandomSQL(b *testing.B) {
	for name, sql := range map[string]string{
		"simple":   "C0 = 999",
		"four":     "C0 >= 998 AND C0 < 1000 AND C1 IN ('m1', 'm2') AND C1 LIKE 'M%'",
		"wide":     "C0 >= 400 AND C0 < 600 AND C1 = 'm1' AND C0 % 2 = 1",
		"chain":    "C0 > 1000 OR C1 = 'x';C0 = 1",
		"scanHalf": "C0 > 499 AND C1 LIKE 'M_' AND C0 % 1000 = 500 OR C0 + 0 = 1001 OR C0 = 1",
		"scanAll":  "C0 + 0 > 1000 OR C1 LIKE 'x%' OR C0 = 999 AND C1 = 'm1' AND C0 + 0 > 9999;C0 = 1",
	} {
		b.Run(name, func(b *testing.B) { benchRandom(b, ID{"sql", SQL}, RandomRequest{SQL: sql}) })
	}
}

func BenchmarkUpsert(b *testing.B) {
	f := crowd(b, ID{})
	recs := [2]Record{}
	for i := range recs {
		recs[i] = Record{Name: "room50000", Open: true, Visible: true, Players: 2, Users: []string{"a", "b"},
			Properties: table("level", int32(i), "mode", "m0", "C0", int32(i), "C1", "m0")}
	}
	i := 0
	for b.Loop() {
		f.Upsert(f.now, "gs1", &recs[i%2])
		i++
	}
}

// A room whose columns change, in an SQL lobby.
func BenchmarkUpsertSQL(b *testing.B) {
	f := crowd(b, ID{"sql", SQL})
	recs := [2]Record{}
	for i := range recs {
		recs[i] = Record{Name: "room50000", Lobby: ID{"sql", SQL}, Open: true, Visible: true, Players: 2, Users: []string{"a", "b"},
			Properties: table("C0", int32(i*500), "C1", "m0")}
	}
	i := 0
	for b.Loop() {
		f.Upsert(f.now, "gs1", &recs[i%2])
		i++
	}
}

// sink is a watcher that counts what it gets. Sessions behind real ones bound what
// may wait (limits.max_queued_bytes); the lobby itself keeps nothing for a watcher.
type sink struct {
	n     int
	bytes int
}

func (s *sink) Protocol() photon.Protocol {
	return [...]photon.Protocol{photon.GpBinaryV18, photon.JSON, photon.GpBinaryV16, photon.GpBinaryV18}[s.n%4]
}
func (s *sink) Send(msg []byte, d photon.Delivery) { s.bytes += len(msg) }

// The changes of one second, 5000 of 100 000 rooms and 500 removals, told to
// 10 000 watchers of three protocols: ten updates. The time is that of the update
// alone; BenchmarkUpsert is that of a change.
func BenchmarkTick(b *testing.B) {
	f := crowd(b, ID{})
	sinks := make([]*sink, 10_000)
	before := heap()
	for i := range sinks {
		sinks[i] = &sink{n: i}
		if err := f.JoinLobby(f.now, sinks[i], ID{}); err != nil {
			b.Fatal(err)
		}
	}
	held := heap() - before
	for _, s := range sinks {
		s.bytes = 0
	}
	players := int32(0)
	ticks := 0
	for b.Loop() {
		b.StopTimer()
		players++
		for i := range 5000 {
			f.put(Record{Name: fmt.Sprint("room", i), Open: true, Visible: true, Players: players % 200,
				Properties: table("level", int32(i), "mode", "m0")})
		}
		for i := 5000; i < 5500; i++ {
			f.put(Record{Name: fmt.Sprint("room", i), Open: true, Visible: players%2 == 0})
		}
		b.StartTimer()
		f.now = f.now.Add(time.Second)
		f.Tick(f.now)
		b.StopTimer()
		f.pass(time.Minute)
		ticks++
		b.StartTimer()
	}
	b.ReportMetric(float64(held)/float64(len(sinks)), "heap-B/watcher")
	sent := 0
	for _, s := range sinks {
		sent += s.bytes
	}
	b.ReportMetric(float64(sent)/float64(len(sinks))/float64(ticks), "sent-B/watcher")
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
