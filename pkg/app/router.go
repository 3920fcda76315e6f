package app

import (
	"errors"
	"reflect"
	"sync"

	"github.com/boson-project/boson/pkg/photon"
)

// Responder answers operations. *Peer is one, and so is any handler that
// embeds it.
type Responder interface {
	Respond(op Op, rc photon.ReturnCode, debug string, params photon.Params)
}

// Op is what an answer needs to know of its request, also after the request is
// gone: the code, and whether it came encrypted, for then the answer is too.
type Op struct {
	Code    photon.OpCode
	Encrypt bool
}

// OpOf returns the Op of a request.
func OpOf(r *photon.Request) Op { return Op{r.Code, r.Delivery.Encrypt} }

// Router calls the function that was registered for an operation, with the
// parameters decoded into its typed struct. Make it once, before the first
// peer; calls from many goroutines are safe then.
type Router[P Responder] struct {
	ops [256]func(P, *photon.Request)
}

// Handle registers fn for an operation. R is a struct whose fields carry
// parameter codes:
//
//	type JoinLobby struct {
//		Name string `photon:"213,optional"`
//		Type byte   `photon:"212,optional"`
//	}
//
// A field without "optional" is mandatory; pointer fields tell absent from
// zero. A missing or wrong parameter is answered with -2 and a message that
// names it; fn is not called then. Values do not alias the message.
func Handle[P Responder, R any](rt *Router[P], op photon.OpCode, fn func(peer P, op Op, req *R)) {
	_ = planOf[R]() // a bad tag shows at start
	rt.ops[op] = func(peer P, r *photon.Request) { Decode(peer, r, fn) }
}

// Decode is Handle for one request, without a router: for operations that are
// answered before a peer has one.
func Decode[P Responder, R any](peer P, r *photon.Request, fn func(peer P, op Op, req *R)) {
	req := new(R)
	if err := planOf[R]().decode(r, reflect.ValueOf(req)); err != nil {
		RespondError(peer, OpOf(r), err)
		return
	}
	fn(peer, OpOf(r), req)
}

// plans are the bindings of types that Decode has seen.
var plans sync.Map

func planOf[R any]() *binding {
	t := reflect.TypeFor[R]()
	if b, ok := plans.Load(t); ok {
		return b.(*binding)
	}
	b, _ := plans.LoadOrStore(t, bind(t))
	return b.(*binding)
}

// HandleRaw registers fn for an operation that decodes its request itself. The
// request is valid only during the call.
func HandleRaw[P Responder](rt *Router[P], op photon.OpCode, fn func(peer P, r *photon.Request)) {
	rt.ops[op] = fn
}

// Route calls the operation's function. An operation that has none is answered
// with -2.
func (rt *Router[P]) Route(peer P, r *photon.Request) {
	if fn := rt.ops[r.Code]; fn != nil {
		fn(peer, r)
		return
	}
	peer.Respond(OpOf(r), photon.ReturnInvalidOperation, "unknown operation "+r.Code.String(), nil)
}

// OpError is an operation's failure: what the client gets as return code and
// debug message.
type OpError struct {
	Code photon.ReturnCode
	Text string
}

// Error returns the text with the code's name.
func (e *OpError) Error() string { return e.Text + " (" + e.Code.String() + ")" }

// Fail makes an OpError.
func Fail(code photon.ReturnCode, text string) *OpError { return &OpError{code, text} }

// RespondError answers an operation with err's return code and text. Errors
// that carry no code are internal (-1); their text stays on the server.
func RespondError(peer Responder, op Op, err error) {
	var oe *OpError
	var pe *photon.ParamError
	switch {
	case errors.As(err, &oe):
		peer.Respond(op, oe.Code, oe.Text, nil)
	case errors.As(err, &pe):
		peer.Respond(op, pe.Code, pe.Error(), nil)
	default:
		peer.Respond(op, photon.ReturnInternalServerError, "internal server error", nil)
	}
}
