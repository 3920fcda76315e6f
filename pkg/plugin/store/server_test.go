//go:build unix

package store

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

// dbServer is a real database server of the machine that listens on a socket of the
// file system, behind an address of TCP that stays while the server comes and goes.
type dbServer struct {
	t       *testing.T
	dir     string // data, and the socket; short, for sockets' names are
	socket  string
	command func() *exec.Cmd
	signal  os.Signal // ends it
	process *exec.Cmd
	front   net.Listener
	relays  sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool
}

// newDBServer makes one that is down. The socket's name is relative to dir.
func newDBServer(t *testing.T, socket string, signal os.Signal) *dbServer {
	t.Helper()
	dir, err := os.MkdirTemp("", "db")
	if err != nil {
		t.Fatal(err)
	}
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &dbServer{t: t, dir: dir, socket: filepath.Join(dir, socket), signal: signal, front: front, conns: map[net.Conn]bool{}}
	s.relays.Add(1)
	go s.accept()
	t.Cleanup(func() {
		_ = front.Close()
		s.mu.Lock()
		for c := range s.conns {
			_ = c.Close()
		}
		s.mu.Unlock()
		s.relays.Wait()
		s.stop()
		_ = os.RemoveAll(dir)
	})
	return s
}

func (s *dbServer) addr() string { return s.front.Addr().String() }

// accept relays connections; while the server is down they end at once.
func (s *dbServer) accept() {
	defer s.relays.Done()
	for {
		c, err := s.front.Accept()
		if err != nil {
			return
		}
		back, err := net.Dial("unix", s.socket)
		if err != nil {
			_ = c.Close()
			continue
		}
		s.mu.Lock()
		s.conns[c], s.conns[back] = true, true
		s.mu.Unlock()
		s.relays.Add(2)
		go s.relay(c, back)
		go s.relay(back, c)
	}
}

func (s *dbServer) relay(to, from net.Conn) {
	defer s.relays.Done()
	_, _ = io.Copy(to, from)
	_, _ = to.Close(), from.Close()
	s.mu.Lock()
	delete(s.conns, from)
	s.mu.Unlock()
}

// start runs the server and waits until it answers.
func (s *dbServer) start(answers func() bool) {
	s.t.Helper()
	s.process = s.command()
	if err := s.process.Start(); err != nil {
		s.t.Fatal(err)
	}
	eventually(s.t, "the database answers", answers)
}

// stop ends the server and waits for that.
func (s *dbServer) stop() {
	if s.process == nil {
		return
	}
	_ = s.process.Process.Signal(s.signal)
	_ = s.process.Wait()
	s.process = nil
}

// pause stops the process where it is; it keeps its connections and says nothing.
func (s *dbServer) pause() { _ = s.process.Process.Signal(syscall.SIGSTOP) }

func (s *dbServer) resume() { _ = s.process.Process.Signal(syscall.SIGCONT) }

// saveSome saves and loads as many rooms at once as there are workers.
func saveSome(t *testing.T, s Store, version int64) {
	t.Helper()
	var done sync.WaitGroup
	for i := range maxWorkers {
		done.Go(func() {
			key := fmt.Sprint(i)
			check(t, "save", s.Save(ctx, key, Saved{Version: version, State: []byte("x")}), nil)
			expect(t, s, key, version, "x")
		})
	}
	done.Wait()
}
