// Package daemon makes running programs of the servers: it turns the
// configuration into their options, starts and stops them, and serves
// operators' HTTP. cmd/ holds nothing but calls to it.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/config"
)

// Version of this build, set by the linker.
var Version = "dev"

// Node is one server of a cluster, or several in one process.
type Node interface {
	// Start listens and returns once the node serves, or the error that keeps it from doing so.
	Start(ctx context.Context) error
	// Drain waits until the node can stop without harm, or ctx ends.
	Drain(ctx context.Context) error
	// Stop closes everything, at the latest when ctx ends.
	Stop(ctx context.Context) error
	// Ready says what is missing until the node can serve; nil: nothing.
	Ready() error
}

// stopTimeout bounds the time between the end of a drain and the end of the process.
const stopTimeout = 10 * time.Second

// Main runs a program until SIGINT or SIGTERM and returns its exit code. A
// second signal ends a drain at once.
func Main(program string, args []string, preset func(*config.Config), make func(*config.Config, zerolog.Logger) (Node, error)) int {
	cfg, err := config.Load(program, args, os.Getenv, os.Stdout, preset)
	if errors.Is(err, config.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", program, err)
		return 2
	}
	log := NewLogger(cfg.Log, os.Stderr)
	node, err := make(cfg, log)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", program, err)
		return 2
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := newSignals()
	defer signal.Stop(signals)

	if err := node.Start(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", program, err)
		return 1
	}
	log.Info().Str("version", Version).Msg(program + " is ready")
	sig := <-signals
	log.Info().Stringer("signal", sig).Msg("draining; a second signal stops at once")

	drainCtx, stopDrain := context.WithCancel(ctx)
	go func() {
		select {
		case <-signals:
			stopDrain()
		case <-drainCtx.Done():
		}
	}()
	if err := node.Drain(drainCtx); err != nil && !errors.Is(err, context.Canceled) {
		log.Warn().Err(err).Msg("drain ended early")
	}
	stopDrain()
	stopCtx, cancelStop := context.WithTimeout(ctx, stopTimeout)
	defer cancelStop()
	if err := node.Stop(stopCtx); err != nil {
		log.Error().Err(err).Msg("stopped with errors")
		return 1
	}
	log.Info().Msg("stopped")
	return 0
}

func newSignals() chan os.Signal {
	c := make(chan os.Signal, 2)
	signal.Notify(c, os.Interrupt, syscall.SIGTERM)
	return c
}

// NewLogger returns the log of a program.
func NewLogger(cfg config.Log, out *os.File) zerolog.Logger {
	level, err := zerolog.ParseLevel(cfg.Level)
	if err != nil {
		level = zerolog.InfoLevel
	}
	zerolog.TimeFieldFormat = zerolog.TimeFormatUnixMs
	if cfg.Format == "json" {
		return zerolog.New(out).Level(level).With().Timestamp().Logger()
	}
	w := zerolog.ConsoleWriter{Out: out, TimeFormat: "15:04:05.000", NoColor: os.Getenv("NO_COLOR") != "" || !isTerminal(out)}
	return zerolog.New(w).Level(level).With().Timestamp().Logger()
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
