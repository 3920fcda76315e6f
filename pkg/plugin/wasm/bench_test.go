package wasm

import (
	"fmt"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/plugin"
	"github.com/boson-project/boson/pkg/plugin/wasm/testdata/probe"
)

// BenchmarkHook is one OnRaiseEvent with 64 bytes of content that is continued:
// what the plugin costs, without the room.
func BenchmarkHook(b *testing.B) {
	run := func(b *testing.B, p plugin.Plugin) {
		c, control := raise(50, make([]byte, 64))
		fresh := *c
		b.ReportAllocs()
		for b.Loop() {
			*c = fresh
			control.decided = control.decided[:0]
			p.OnRaiseEvent(c)
		}
		if !c.IsSucceeded() {
			b.Fatal("not continued")
		}
	}
	b.Run("compiled-in", func(b *testing.B) {
		p, _ := probe.Factory(newFakeHost(), "", nil)
		run(b, p)
	})
	for _, guest := range []string{"probeguest", cGuest} {
		for _, limit := range []time.Duration{-1, 100 * time.Millisecond} {
			for _, shared := range []bool{false, true} {
				b.Run(fmt.Sprintf("%s/limit=%v/shared=%v", filepath.Base(guest), limit > 0, shared), func(b *testing.B) {
					p, _ := open(b, load(b, guest, func(o *Options) { o.CallTimeout, o.Shared = limit, shared }), nil)
					run(b, p)
				})
			}
		}
	}
}

// BenchmarkInstantiate is what an instance costs in time; its memory is reported
// too.
func BenchmarkInstantiate(b *testing.B) {
	for _, guest := range []string{"probeguest", cGuest} {
		b.Run(filepath.Base(guest), func(b *testing.B) {
			m := load(b, guest, nil)
			var size uint32
			for b.Loop() {
				i, err := m.instantiate()
				if err != nil {
					b.Fatal(err)
				}
				size = i.guest.Memory().Size()
				i.close()
			}
			b.ReportMetric(float64(size)/1024, "KiB-guest")
		})
	}
}

// BenchmarkRooms opens many rooms of a shared plugin and raises an event in each.
func BenchmarkRooms(b *testing.B) {
	const rooms = 10000
	for _, guest := range []string{"probeguest", cGuest} {
		b.Run(filepath.Base(guest), func(b *testing.B) {
			for b.Loop() {
				m := load(b, guest, func(o *Options) { o.Shared, o.MemoryMiB = true, 64 })
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				plugins := make([]plugin.Plugin, rooms)
				for n := range plugins {
					var err error
					if plugins[n], err = m.Create(newFakeHost(), "", nil); err != nil {
						b.Fatal(err)
					}
				}
				runtime.GC()
				runtime.ReadMemStats(&after)
				start := time.Now()
				for _, p := range plugins {
					c, _ := raise(50, make([]byte, 64))
					p.OnRaiseEvent(c)
					if !c.IsSucceeded() {
						b.Fatal("not continued")
					}
				}
				b.ReportMetric(float64(time.Since(start).Nanoseconds())/rooms, "ns/event")
				b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/rooms, "B/room")
				for _, p := range plugins {
					_ = p.(plugin.Closer).Close()
				}
			}
		})
	}
}
