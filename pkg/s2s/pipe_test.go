package s2s

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a network in memory for virtual time: one address, at which there may
// be a listener. Like a socket without any buffer, a pipe holds nothing.
type pipes struct {
	mu    sync.Mutex
	ln    *pipeListener
	dials []time.Time
}

type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) listen() *pipeListener {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ln = &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	return p.ln
}

func (p *pipes) dial(ctx context.Context, addr string) (net.Conn, error) {
	p.mu.Lock()
	p.dials = append(p.dials, time.Now())
	ln := p.ln
	p.mu.Unlock()
	if ln == nil {
		return nil, fmt.Errorf("nobody at %s", addr)
	}
	a, b := net.Pipe()
	select {
	case ln.conns <- a:
		return b, nil
	case <-ln.closed:
	case <-ctx.Done():
	}
	return nil, errors.New("connection refused")
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// log collects what handlers report, from any goroutine.
type log struct {
	mu    sync.Mutex
	lines []string
}

func (l *log) add(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprintf(format, args...))
}

// take returns and forgets the lines.
func (l *log) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := strings.Join(l.lines, "; ")
	l.lines = nil
	return s
}

// handlers logs everything; a request is answered with its own text.
func (l *log) handlers() Handlers {
	return Handlers{
		Up:      func(k *Link) { l.add("up %s", k.Peer().ID) },
		Down:    func(k *Link, err error) { l.add("down %s: %v", k.Peer().ID, err) },
		Message: func(_ *Link, m Message) { l.add("%T%+v", m, m) },
		Event:   func(_ *Link, e Event) { l.add("%T%+v", e, e) },
		Failed:  func(_ string, err error) { l.add("failed %v", err) },
		Request: func(_ *Link, r *Request) {
			text, _ := r.Params.Get(1)
			if err := r.Reply(5, fmt.Sprint("echo ", text), nil); err != nil {
				l.add("reply %v", err)
			}
		},
	}
}

var sharedKey = []byte("0123456789abcdef0123456789abcdef")

func master(generation int64) Hello {
	return Hello{ID: "ms-1", Role: RoleMaster, Generation: generation, Cluster: "test"}
}

func gameServer(id string) Hello {
	return Hello{
		ID: id, Role: RoleGameServer, Generation: 1_700_000_000_000, Cluster: "test", Region: "eu", Version: "1.2.3",
		Addresses: map[string]string{"udp4": "203.0.113.7:5056"},
	}
}

// running is something that runs until it is stopped.
type running struct {
	stop context.CancelFunc
	done chan struct{}
}

func start(t *testing.T, run func(context.Context)) *running {
	ctx, stop := context.WithCancel(t.Context())
	r := &running{stop, make(chan struct{})}
	go func() {
		defer close(r.done)
		run(ctx)
	}()
	return r
}

func (r *running) end() {
	r.stop()
	<-r.done
}

func serve(t *testing.T, l *Listener, ln net.Listener) *running {
	return start(t, func(ctx context.Context) {
		if err := l.Serve(ctx, ln); err != nil {
			t.Error(err)
		}
	})
}

func keep(t *testing.T, o *Outbound) *running { return start(t, o.Run) }

// after lets everything live for d of virtual time.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
