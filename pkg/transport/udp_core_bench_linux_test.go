package transport

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/enet"
	"github.com/boson-project/boson/pkg/photon"
)

// echoServer is set in the process that BenchmarkUDPPerCore starts as its server.
const echoServer = "BOSON_TEST_UDP_ECHO"

// TestUDPEchoServer is no test but that process: it writes its address, then after
// each line that it reads the CPU time that it has used, in nanoseconds.
func TestUDPEchoServer(t *testing.T) {
	kind := os.Getenv(echoServer)
	if kind == "" {
		t.Skip("the server of a benchmark")
	}
	var addr net.Addr
	switch kind {
	case "plain", "batches":
		socket, err := openUDP("127.0.0.1:0", false)
		if err != nil {
			t.Fatal(err)
		}
		addr = socket.conn.LocalAddr()
		if kind == "plain" {
			go plainEcho(socket.conn)
		} else {
			go batchedEcho(socket)
		}
	default:
		a := newUDPApp()
		a.onReceive = func(p *udpAppPeer, _ []byte, d photon.Delivery) { p.Send(echoed, d) }
		l := startUDP(t, a, UDPConfig{TransmitRate: -1, Limits: Limits{MaxMessagesPerSecond: -1}})
		addr = net.UDPAddrFromAddrPort(l.Addr())
	}
	fmt.Println("echo", addr)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			t.Fatal(err)
		}
		fmt.Println("cpu", u.Utime.Nano()+u.Stime.Nano())
	}
}

// plainEcho is what a server of a few lines does: a system call each way.
func plainEcho(socket *net.UDPConn) {
	buf := make([]byte, 2000)
	for {
		n, from, err := socket.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		_, _ = socket.WriteToUDPAddrPort(buf[:n], from)
	}
}

// batchedEcho uses the batches of our own sockets, without a protocol.
func batchedEcho(socket *udpSocket) {
	for socket.read() == nil {
		for i := range socket.in.n {
			socket.out.add(socket.in.from[i], copy(socket.out.space(), socket.in.data[i]))
		}
		_ = socket.write()
	}
}

// BenchmarkUDPPerCore is datagrams in and out per second of one core: messages of
// 60 bytes from 128 clients, each with one under way, to a server in a process of
// its own on one core, and back. Its CPU time counts, so that what else the
// machine does, the clients among it, disturbs little. An iteration is a datagram
// in and one out. The plain ones echo datagrams of the same sizes.
func BenchmarkUDPPerCore(b *testing.B) {
	for _, kind := range []string{"plain", "batches", "unreliable", "reliable"} {
		b.Run(kind, func(b *testing.B) {
			cmd := exec.Command(os.Args[0], "-test.run=^TestUDPEchoServer$", "-test.v")
			cmd.Env = append(os.Environ(), echoServer+"="+kind, "GOMAXPROCS=1")
			cmd.Stderr = os.Stderr
			in, err := cmd.StdinPipe()
			if err != nil {
				b.Fatal(err)
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				b.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				b.Fatal(err)
			}
			lines := bufio.NewScanner(out)
			say := func(word string) string {
				b.Helper()
				for lines.Scan() {
					if value, ok := strings.CutPrefix(lines.Text(), word+" "); ok {
						return value
					}
				}
				b.Fatal("the server is gone")
				return ""
			}
			addr := netip.MustParseAddrPort(say("echo"))
			cpu := func() int64 {
				b.Helper()
				if _, err := io.WriteString(in, "\n"); err != nil {
					b.Fatal(err)
				}
				n, err := strconv.ParseInt(say("cpu"), 10, 64)
				if err != nil {
					b.Fatal(err)
				}
				return n
			}
			clients := make([]*echoClient, 128)
			for i := range clients {
				clients[i] = newEchoClient(b, addr, kind)
			}
			var left atomic.Int64
			left.Store(int64(b.N))
			before := cpu()
			b.ResetTimer()
			var wg sync.WaitGroup
			for _, c := range clients {
				wg.Go(func() {
					for left.Add(-1) >= 0 {
						c.turn()
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			used := float64(cpu() - before)
			b.ReportMetric(used/float64(b.N), "cpu-ns/op")
			b.ReportMetric(2*float64(b.N)/used*1e9, "datagrams/core-s")
			b.ReportMetric(0, "ns/op") // says more of the clients than of the server
			_ = in.Close()
			go func() { _, _ = io.Copy(io.Discard, out) }()
			if err := cmd.Wait(); err != nil {
				b.Error(err)
			}
			for _, c := range clients {
				_ = c.sock.Close()
			}
		})
	}
}

// echoClient has one message under way.
type echoClient struct {
	b    *testing.B
	sock *net.UDPConn
	conn *enet.Conn // nil for the plain ones
	d    photon.Delivery
	got  int
	buf  [2000]byte
}

func newEchoClient(b *testing.B, addr netip.AddrPort, kind string) *echoClient {
	b.Helper()
	sock, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(addr))
	if err != nil {
		b.Fatal(err)
	}
	c := &echoClient{b: b, sock: sock}
	if kind == "plain" || kind == "batches" {
		return c
	}
	if kind == "reliable" {
		c.d.Mode = photon.Reliable
	}
	cfg := enet.ClientConfig()
	cfg.PingInterval = time.Hour
	c.conn = enet.NewClientConn(cfg, enet.Connect{}, uint32(sock.LocalAddr().(*net.UDPAddr).Port), udpNow())
	_ = c.conn.Send(udpInit(), photon.Delivery{Mode: photon.Reliable})
	for c.got == 0 {
		c.exchange()
	}
	return c
}

// Receive implements enet.Receiver.
func (c *echoClient) Receive([]byte, photon.Delivery) { c.got++ }

// exchange writes what is due and reads one datagram.
func (c *echoClient) exchange() {
	for more := true; more; {
		var n int
		if n, more = c.conn.Output(udpNow(), c.buf[:]); n > 0 {
			_, _ = c.sock.Write(c.buf[:n])
		}
	}
	_ = c.sock.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if n, err := c.sock.Read(c.buf[:]); err == nil {
		_ = c.conn.Input(udpNow(), c.buf[:n], c)
	}
}

// turn sends one message and waits for it to come back.
func (c *echoClient) turn() {
	if c.conn != nil {
		for got := c.got; c.got == got; {
			if c.d.Mode == photon.Unreliable || c.conn.QueuedBytes() == 0 {
				_ = c.conn.Send(echoed, c.d)
			}
			for i := 0; i < 3 && c.got == got; i++ {
				c.exchange()
			}
		}
		return
	}
	for {
		_, _ = c.sock.Write(c.buf[:12+16+len(echoed)])
		_ = c.sock.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		if _, err := c.sock.Read(c.buf[:]); err == nil {
			return
		}
	}
}
