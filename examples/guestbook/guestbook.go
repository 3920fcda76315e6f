// Package guestbook is a server of its own on Boson's application framework: a
// guest book that any Photon client can write into and read. It shows what
// package app gives: typed operations, a fiber for state that all peers share,
// events to everybody, and every transport and serialization for free.
package guestbook

import (
	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/transport"
)

// Operation, event and parameter codes are the application's own.
const (
	OpSign photon.OpCode = 1
	OpRead photon.OpCode = 2

	EventSigned photon.EventCode = 1

	ParamName    photon.ParamCode = 1
	ParamText    photon.ParamCode = 2
	ParamCount   photon.ParamCode = 3
	ParamEntries photon.ParamCode = 4
)

// maxEntries is how much the book holds; older entries go.
const maxEntries = 100

type entry struct{ name, text string }

// Guestbook implements app.Application.
type Guestbook struct {
	router app.Router[*guest]
	// The book and the guests belong to the fiber: nothing else touches them.
	fiber   *app.Fiber[func()]
	entries []entry
	guests  map[*guest]struct{}
}

// New returns an empty guest book.
func New() *Guestbook {
	b := &Guestbook{guests: map[*guest]struct{}{}}
	b.fiber = app.NewFiber(0, func(batch []func()) {
		for _, fn := range batch {
			fn()
		}
	})
	app.Handle(&b.router, OpSign, b.sign)
	app.Handle(&b.router, OpRead, b.read)
	return b
}

// guest is one peer. Embedding *app.Peer makes it a Responder.
type guest struct {
	*app.Peer
	book *Guestbook
}

// Connect implements app.Application.
func (b *Guestbook) Connect(p *app.Peer) app.Handler {
	g := &guest{Peer: p, book: b}
	b.fiber.Post(func() { b.guests[g] = struct{}{} })
	return g
}

// Operation implements app.Handler.
func (g *guest) Operation(r *photon.Request) { g.book.router.Route(g, r) }

// Closed implements app.Handler.
func (g *guest) Closed(transport.Reason) {
	g.book.fiber.PostAlways(func() { delete(g.book.guests, g) })
}

// signRequest is the Sign operation. Both parameters are mandatory: without one
// the framework answers -2 and names it.
type signRequest struct {
	Name string `photon:"1"`
	Text string `photon:"2"`
}

func (b *Guestbook) sign(g *guest, op app.Op, req *signRequest) {
	if len(req.Text) > 200 {
		app.RespondError(g, op, photon.BadParam(ParamText, "has %d bytes, at most 200", len(req.Text)))
		return
	}
	b.fiber.Post(func() {
		b.entries = append(b.entries, entry{req.Name, req.Text})
		if len(b.entries) > maxEntries {
			b.entries = b.entries[1:]
		}
		g.Respond(op, photon.ReturnOk, "", photon.Params{photon.Param(ParamCount, int32(len(b.entries)))})
		for other := range b.guests {
			if other != g {
				other.SendEvent(EventSigned, photon.Params{photon.Param(ParamName, req.Name), photon.Param(ParamText, req.Text)})
			}
		}
	})
}

// readRequest is the Read operation.
type readRequest struct {
	Count int32 `photon:"3,optional"`
}

func (b *Guestbook) read(g *guest, op app.Op, req *readRequest) {
	b.fiber.Post(func() {
		from := 0
		if req.Count > 0 && int(req.Count) < len(b.entries) {
			from = len(b.entries) - int(req.Count)
		}
		var lines []string
		for _, e := range b.entries[from:] {
			lines = append(lines, e.name+": "+e.text)
		}
		g.Respond(op, photon.ReturnOk, "", photon.Params{photon.Param(ParamEntries, lines)})
	})
}
