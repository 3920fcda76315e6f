package auth

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/transport"
)

// gated is an application of one peer behind a gate, and its session.
type gated struct {
	Gate
	sent, over atomic.Int32
}

func (g *gated) Connect(p *app.Peer) app.Handler {
	g.Start(p, time.Minute)
	return g
}

func (g *gated) Operation(*photon.Request)       {}
func (g *gated) Closed(transport.Reason)         {}
func (g *gated) ID() uint64                      { return 1 }
func (g *gated) Info() *transport.Info           { return &transport.Info{Protocol: photon.GpBinaryV18} }
func (g *gated) RTT() time.Duration              { return 0 }
func (g *gated) Send([]byte, photon.Delivery)    { g.sent.Add(1) }
func (g *gated) Close(transport.Reason)          { g.over.Add(1) }
func (g *gated) counts() (answers, closed int32) { return g.sent.Load(), g.over.Load() }

// A success that is taken back is answered once, and the client has to go, whether
// that comes before or after Succeed: the two may run on different goroutines.
func TestRevoke(t *testing.T) {
	full := app.Fail(photon.ReturnMaxCcuReached, "full")
	op := app.Op{Code: photon.OpAuthenticate}
	for name, run := range map[string]func(t *testing.T, g *gated){
		"before": func(t *testing.T, g *gated) {
			g.Revoke(op, full)
			if g.Succeed() {
				t.Error("a revoked authentication succeeds")
			}
		},
		"after": func(t *testing.T, g *gated) {
			for range 2 {
				if !g.Succeed() {
					t.Error("no success")
				}
			}
			g.Revoke(op, full)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &gated{}
				app.NewServer(app.Options{Logger: zerolog.Nop()}, g).Accept(g)
				if err := g.Begin(); err != nil {
					t.Fatal(err)
				}
				run(t, g)
				if answers, closed := g.counts(); answers != 1 || closed != 0 || g.Authenticated() {
					t.Errorf("%d answers, closed %d times, authenticated %v", answers, closed, g.Authenticated())
				}
				time.Sleep(failedGrace + time.Second)
				synctest.Wait()
				if answers, closed := g.counts(); answers != 1 || closed != 1 {
					t.Errorf("later %d answers, closed %d times", answers, closed)
				}
			})
		})
	}
	t.Run("gone", func(t *testing.T) {
		g := &gated{}
		app.NewServer(app.Options{Logger: zerolog.Nop()}, g).Accept(g)
		_ = g.Begin()
		g.Gate.Closed()
		g.Revoke(op, full)
		if answers, _ := g.counts(); answers != 0 {
			t.Error("an answer to who is gone")
		}
	})
}
