// Package admin serves operators: health and readiness, Prometheus metrics and,
// if wanted, Go profiles (cluster.md 16, 20). It knows no servers; they hand it
// their counters.
package admin

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Options of the operators' HTTP server.
type Options struct {
	// Listen is host:port.
	Listen string
	// Ready says what is missing until the process can serve; nil: nothing.
	Ready func() error
	// PProf serves Go profiles.
	PProf bool
}

// HTTP is the operators' HTTP server.
type HTTP struct {
	server   *http.Server
	listener net.Listener
	registry *prometheus.Registry
	done     chan struct{}
}

// Listen starts the server. Its metrics are those of the Go runtime and of the
// collectors that Register adds.
func Listen(opt Options) (*HTTP, error) {
	l, err := net.Listen("tcp", opt.Listen)
	if err != nil {
		return nil, err
	}
	h := &HTTP{listener: l, registry: prometheus.NewRegistry(), done: make(chan struct{})}
	h.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := opt.Ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ok\n"))
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(h.registry, promhttp.HandlerOpts{}))
	if opt.PProf {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	h.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		defer close(h.done)
		_ = h.server.Serve(l) // ends with ErrServerClosed
	}()
	return h, nil
}

// Addr is where it listens.
func (h *HTTP) Addr() net.Addr { return h.listener.Addr() }

// Register adds metrics.
func (h *HTTP) Register(c prometheus.Collector) error { return h.registry.Register(c) }

// Shutdown stops the server and waits for its goroutine.
func (h *HTTP) Shutdown(ctx context.Context) error {
	err := h.server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = errors.Join(err, h.server.Close())
	}
	<-h.done
	return err
}
