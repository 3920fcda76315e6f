//go:build linux

package main

import (
	"encoding/binary"
	"flag"
	"fmt"
	"net"
	"runtime"
	"time"
	"unsafe"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sys/unix"

	"github.com/boson-project/boson/pkg/bench"
)

// gatherTime is that of "boson bench".
const gatherTime = time.Millisecond

// header is sender and number (4 each) and the due time (8).
const header = 16

// load is the shape of "boson bench" for the plain relay: an open loop, one
// goroutine, a socket per player, times of arrival by the kernel.
func load(args []string) error {
	f := flag.NewFlagSet("load", flag.ContinueOnError)
	to := f.String("to", "127.0.0.1:7000", "the relay")
	rooms := f.Int("rooms", 8, "rooms")
	players := f.Int("players", 8, "players per room")
	rate := f.Float64("rate", 10, "events per second and player")
	size := f.Int("bytes", 64, "bytes of an event")
	warmup := f.Duration("warmup", time.Second, "before the measurement")
	duration := f.Duration("duration", 5*time.Second, "of the measurement")
	if err := f.Parse(args); err != nil {
		return err
	}
	r, err := runLoad(loadOptions{*to, *rooms, *players, *rate, *size, *warmup, *duration})
	if err != nil {
		return err
	}
	fmt.Printf("plain relay: %d rooms x %d players, %g events/s each of %d bytes\n", *rooms, *players, *rate, *size)
	fmt.Printf("  deliveries   %.0f/s of %.0f/s offered\n", r.perSecond, *rate*float64(*rooms**players*(*players-1)))
	fmt.Printf("  latency      p50 %.3g ms   p99 %.3g ms   max %.3g ms\n", r.p50, r.p99, r.max)
	fmt.Printf("  missing      %d of %d (%.3g %%)\n", r.expected-r.arrived, r.expected, 100*float64(r.expected-r.arrived)/float64(max(r.expected, 1)))
	fmt.Printf("  this client  %.2f cores\n", r.cores)
	return nil
}

type loadOptions struct {
	to               string
	rooms, players   int
	rate             float64
	size             int
	warmup, duration time.Duration
}

type loadResult struct {
	expected, arrived int64
	perSecond         float64 // deliveries
	p50, p99, max     float64 // ms
	cores             float64
}

func runLoad(o loadOptions) (res loadResult, err error) {
	addr, err := net.ResolveUDPAddr("udp4", o.to)
	if err != nil {
		return res, err
	}
	epoll, err := unix.EpollCreate1(0)
	if err != nil {
		return res, err
	}
	defer unix.Close(epoll)
	count := o.rooms * o.players
	fds := make([]int, count)
	for i := range fds {
		if fds[i], err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK, 0); err != nil {
			return res, err
		}
		defer unix.Close(fds[i])
		_ = unix.SetsockoptInt(fds[i], unix.SOL_SOCKET, unix.SO_RCVBUF, 1<<20)
		bench.PrepareSocket(fds[i])
		if err := unix.Connect(fds[i], &unix.SockaddrInet4{Port: addr.Port, Addr: [4]byte(addr.IP.To4())}); err != nil {
			return res, err
		}
		if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fds[i], &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fds[i])}); err != nil {
			return res, err
		}
		join := binary.BigEndian.AppendUint32(nil, joinMark)
		// Players of a room are due evenly spread, as in "boson bench".
		join = binary.BigEndian.AppendUint32(join, uint32(i%o.rooms))
		if _, err := unix.Write(fds[i], join); err != nil {
			return res, err
		}
	}
	in := bench.NewDatagrams()
	latency := hdrhistogram.New(1000, int64(time.Minute), 2)
	var sent, arrived, measured int64
	event := make([]byte, max(o.size, header))
	events := make([]unix.EpollEvent, 1024)
	gathered := time.Duration(0) // when datagrams were read
	period := float64(time.Second) / o.rate / float64(count)
	start, cpu := time.Now(), ownCPU()
	end := o.warmup + o.duration
	for {
		now := time.Since(start)
		if now > end+500*time.Millisecond {
			break
		}
		wait := time.Millisecond
		for range 64 {
			due := time.Duration(float64(sent) * period)
			if due >= end || due > now {
				wait = min(wait, max(due-now, 0))
				break
			}
			wait = 0
			binary.BigEndian.PutUint32(event, uint32(sent%int64(count)))
			binary.BigEndian.PutUint64(event[8:], uint64(due))
			_, _, _ = unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fds[sent%int64(count)]), uintptr(unsafe.Pointer(&event[0])), uintptr(len(event)), unix.MSG_DONTWAIT, 0, 0)
			sent++
		}
		if wait > 0 {
			ts := unix.NsecToTimespec(int64(wait))
			_, _, _ = unix.RawSyscall6(unix.SYS_PPOLL, 0, 0, uintptr(unsafe.Pointer(&ts)), 0, 0, 0)
		}
		now = time.Since(start)
		gather := gatherTime
		if wait <= 0 {
			gather *= 5 // as "boson bench", when it is behind with sending
		}
		if now-gathered < gather {
			continue
		}
		gathered = now
		runtime.Gosched()
		n, _ := unix.EpollWait(epoll, events, 0)
		zero := time.Now().UnixNano() - int64(time.Since(start))
		for i := range max(n, 0) {
			got := in.Read(int(events[i].Fd))
			read := time.Since(start)
			for j := range got {
				data, size, wall := in.Message(j)
				at := bench.Arrival(wall, zero, read)
				for ; len(data) > 0; data = data[min(size, len(data)):] {
					arrived++
					if at < o.warmup || at >= end {
						continue
					}
					measured++
					_ = latency.RecordValue(int64(max(at-time.Duration(binary.BigEndian.Uint64(data[8:])), 0)))
				}
			}
		}
	}
	res.expected, res.arrived = sent*int64(o.players-1), arrived
	res.perSecond = float64(measured) / o.duration.Seconds()
	res.p50, res.p99, res.max = ms(latency.ValueAtQuantile(50)), ms(latency.ValueAtQuantile(99)), ms(latency.Max())
	res.cores = float64(ownCPU()-cpu) / float64(time.Since(start))
	return res, nil
}

// ownCPU is what this process has used so far.
func ownCPU() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func ms(ns int64) float64 { return float64(ns) / 1e6 }
