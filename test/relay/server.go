//go:build linux

package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/boson-project/boson/pkg/bench"
)

// The cores of compare.
const (
	serverCore = 0
	loadCore   = 1
)

// server is a child process on the servers' core.
type server struct {
	cmd     *exec.Cmd
	udp     string // also the name server's address
	tcp, ws string
	pprof   string
}

// startServer starts one of this program's servers: plain, boson or cluster.
func startServer(kind string) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &server{}
	for _, a := range []*string{&s.udp, &s.tcp, &s.ws, &s.pprof} {
		if *a, err = freePort(); err != nil {
			return nil, err
		}
	}
	var args []string
	switch kind {
	case "plain":
		args = []string{"plain", "-listen", s.udp}
	case "boson":
		args = []string{"boson", "-listen", s.udp, "-tcp", s.tcp, "-ws", s.ws, "-pprof", s.pprof}
	case "cluster":
		args = []string{"cluster", "-nameserver", s.udp, "-pprof", s.pprof}
	}
	s.cmd = exec.Command(self, args...)
	s.cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	s.cmd.Stderr = os.Stderr
	// A child inherits the cores of the thread that starts it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := pin(0, serverCore); err != nil {
		return nil, err
	}
	if err = s.cmd.Start(); err == nil {
		err = pin(0, loadCore)
	}
	if err != nil {
		return nil, err
	}
	return s, s.await(kind)
}

// await waits until the server is there.
func (s *server) await(kind string) error {
	// Its socket is bound when the port is taken.
	err := retry(func() error {
		c, err := net.ListenPacket("udp4", s.udp)
		if err != nil {
			return nil
		}
		_ = c.Close()
		return fmt.Errorf("no server at %s", s.udp)
	})
	if err == nil && kind == "boson" {
		err = retry(func() error {
			c, err := net.Dial("tcp", s.ws)
			if err == nil {
				_ = c.Close()
			}
			return err
		})
	}
	return err
}

func retry(try func() error) (err error) {
	for range 500 {
		if err = try(); err == nil {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return err
}

func (s *server) stop() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// memory is what the server's live objects and stacks take after a collection.
func (s *server) memory() (int64, error) {
	r, err := http.Get("http://" + s.pprof + "/debug/pprof/heap?gc=1&debug=1")
	if err != nil {
		return 0, err
	}
	defer r.Body.Close()
	var total int64
	lines := bufio.NewScanner(r.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		for _, name := range []string{"# HeapAlloc = ", "# Stack = "} {
			if rest, ok := strings.CutPrefix(line, name); ok {
				n, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
				if err != nil {
					return 0, err
				}
				total += n
			}
		}
	}
	return total, lines.Err()
}

// cpu is what the server has used so far.
func (s *server) cpu() time.Duration {
	cpu, _, err := bench.ProcessUse(s.cmd.Process.Pid)
	if err != nil {
		return 0
	}
	return cpu
}

// freePort is an address that nobody uses now.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// pin binds a thread, 0 for this one, to a core.
func pin(tid, core int) error {
	var set unix.CPUSet
	set.Set(core)
	return unix.SchedSetaffinity(tid, &set)
}

// pinAll binds all threads of this process to a core, and those still to come.
func pinAll(core int) error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, t := range threads {
		if tid, err := strconv.Atoi(t.Name()); err == nil {
			if err := pin(tid, core); err != nil {
				return err
			}
		}
	}
	return nil
}
