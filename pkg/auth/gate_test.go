package auth

import (
	"bytes"
	"testing"
	"testing/synctest"

	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/transport"
)

// told keeps what a peer was sent.
type told struct {
	transport.Session
	info transport.Info
	msgs [][]byte
}

func (s *told) Info() *transport.Info              { return &s.info }
func (s *told) Send(msg []byte, _ photon.Delivery) { s.msgs = append(s.msgs, msg) }
func (s *told) Close(transport.Reason)             {}

// LB-031: a refusal by one who decides on another goroutine is told, whether it comes
// before or after the success.
func TestRevoke(t *testing.T) {
	full := app.Fail(photon.ReturnMaxCcuReached, "full")
	for _, first := range []string{"refusal", "success"} {
		synctest.Test(t, func(t *testing.T) {
			var g Gate
			s := &told{info: transport.Info{Protocol: photon.GpBinaryV18}}
			g.Start(&app.Peer{Session: s}, failedGrace)
			if err := g.Begin(); err != nil {
				t.Fatal(err)
			}
			op := app.Op{Code: photon.OpAuthenticate}
			if first == "success" && !g.Succeed() {
				t.Error("no success")
			}
			g.Revoke(op, full)
			g.Revoke(op, full) // once is enough
			if g.Succeed() || g.Authenticated() || g.Closed() {
				t.Errorf("%s first: it is let in", first)
			}
			want, err := photon.AppendResponse(nil, photon.GpBinaryV18, op.Code, photon.ReturnMaxCcuReached, "full", nil)
			if err != nil || len(s.msgs) != 1 || !bytes.Equal(s.msgs[0], want) {
				t.Errorf("%s first: answers % x, want % x", first, s.msgs, want)
			}
		})
	}
}
