package s2s

import (
	"crypto/hmac"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// RefusedError says that the accepting side did not want the link.
type RefusedError struct {
	ReturnCode int16 // ReturnAuthFailed to ReturnOtherDials
	Debug      string
}

// Error implements the error interface.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("s2s: refused with %d %s", e.ReturnCode, e.Debug)
}

// errHandshake is the error for whatever is not the handshake's next step.
var errHandshake = errors.New("s2s: something else than the handshake's next step")

// handshake is a connection on its way to a Link.
type handshake struct {
	conn  *patience
	in    *frameReader
	start time.Time
	nonce [16]byte // drawn here
	buf   []byte
}

func newHandshake(conn net.Conn, dialer bool) (*handshake, error) {
	now := time.Now()
	h := &handshake{conn: &patience{Conn: conn, until: now.Add(handshakeTimeout)}, start: now}
	h.in = newFrameReader(h.conn, dialer)
	if _, err := rand.Read(h.nonce[:]); err != nil {
		return nil, err
	}
	return h, conn.SetWriteDeadline(h.conn.until)
}

// write writes the frame whose message f appends.
func (h *handshake) write(f func([]byte) ([]byte, error)) error {
	b, err := f(beginFrame(h.buf[:0]))
	if err != nil {
		return err
	}
	h.buf = b
	if !endFrame(b, 0) {
		return errHandshake
	}
	_, err = h.conn.Write(b)
	return err
}

// message returns the next message and answers pings on the way.
func (h *handshake) message() ([]byte, error) {
	for {
		b, ping, err := h.in.next()
		if err != nil || !ping {
			return b, err
		}
		if len(b) == pingSize {
			if _, err := h.conn.Write(appendPong(nil, uint32(time.Since(h.start).Milliseconds()), be32(b))); err != nil {
				return nil, err
			}
		}
	}
}

// finish lifts the limits that hold for strangers.
func (h *handshake) finish() {
	h.conn.until = time.Time{}
	h.in.limit = MaxFrame
}

// call makes one operation of the dialling side.
func (h *handshake) call(op Op, params gpbinary.Params) (gpbinary.Params, error) {
	err := h.write(func(b []byte) ([]byte, error) {
		return photon.AppendRequest(b, photon.GpBinaryV16, photon.OpCode(op), params)
	})
	if err != nil {
		return nil, err
	}
	b, err := h.message()
	if err != nil {
		return nil, err
	}
	if t, encrypted, err := photon.Type(b); err != nil || encrypted || t != photon.TypeResponse {
		return nil, errHandshake
	}
	r, n, err := gpbinary.DecodeResponse(gpbinary.V16, b[2:])
	if err := complete(n, b[2:], err); err != nil {
		return nil, err
	}
	if r.ReturnCode != ReturnOk {
		return nil, &RefusedError{r.ReturnCode, r.Debug}
	}
	if Op(r.Code) != op {
		return nil, errHandshake
	}
	return r.Params, nil
}

// expect reads one operation on the accepting side.
func (h *handshake) expect(op Op) (gpbinary.Params, error) {
	b, err := h.message()
	if err != nil {
		return nil, err
	}
	if t, encrypted, err := photon.Type(b); err != nil || encrypted || t != photon.TypeRequest {
		return nil, errHandshake
	}
	r, n, err := gpbinary.DecodeRequest(gpbinary.V16, b[2:])
	if err := complete(n, b[2:], err); err != nil {
		return nil, err
	}
	if Op(r.Code) != op {
		return nil, errHandshake
	}
	return r.Params, nil
}

func (h *handshake) respond(op Op, rc int16, debug string, params gpbinary.Params) error {
	return h.write(func(b []byte) ([]byte, error) {
		return photon.AppendResponse(b, photon.GpBinaryV16, photon.OpCode(op), photon.ReturnCode(rc), debug, params)
	})
}

// dial does the dialling side's part: init, Hello and, with a key, Auth. A key
// here wants the other side to prove that it has it too.
func (h *handshake) dial(self Hello, key []byte, handlers *Handlers) (*Link, error) {
	err := h.write(func(b []byte) ([]byte, error) {
		return photon.AppendInit(b, photon.Init{Protocol: photon.GpBinaryV16, AppID: AppName}, ""), nil
	})
	if err != nil {
		return nil, err
	}
	b, err := h.message()
	if err != nil {
		return nil, err
	}
	if t, _, err := photon.Type(b); err != nil || t != photon.TypeInitResponse {
		return nil, errHandshake
	}
	p, err := h.call(OpHello, (&hello{Hello: self, protocol: ProtocolVersion, nonce: h.nonce}).params())
	if err != nil {
		return nil, err
	}
	peer, err := parseHello(p)
	if err != nil {
		return nil, err
	}
	if !compatible(peer.protocol) {
		return nil, &RefusedError{ReturnIncompatible, "protocol " + peer.protocol}
	}
	if len(key) > 0 {
		p, err := h.call(OpAuth, gpbinary.Params{param(1, authCode(key, macClient, peer.nonce, self.ID, self.Generation))})
		if err != nil {
			return nil, err
		}
		f := fields{params: p}
		if !hmac.Equal(field[[]byte](&f, 1), authCode(key, macServer, h.nonce, peer.ID, peer.Generation)) {
			return nil, &RefusedError{ReturnAuthFailed, "the other side does not have the key"}
		}
	}
	h.finish()
	l := newLink(h.conn, h.in, true, handlers)
	l.peer = peer.Hello
	return l, nil
}

// accept does the accepting side's part. admit is the last step before the final
// ok: it registers the link or names the code of refusal. A *RefusedError says
// what was answered. An error together with a link means that the link was
// admitted and then could not be told so.
func (h *handshake) accept(self Hello, key []byte, handlers *Handlers, admit func(*Link) *RefusedError) (*Link, error) {
	b, err := h.message()
	if err != nil {
		return nil, err
	}
	in, err := photon.ParseInit(b)
	if err != nil {
		return nil, err
	}
	if in.Protocol != photon.GpBinaryV16 || in.Token != nil {
		return nil, errHandshake
	}
	if err := h.write(func(b []byte) ([]byte, error) { return append(b, photon.InitResponse...), nil }); err != nil {
		return nil, err
	}
	p, err := h.expect(OpHello)
	if err != nil {
		return nil, err
	}
	peer, err := parseHello(p)
	if err != nil {
		return nil, err
	}
	if refused := judge(&self, &peer); refused != nil {
		return nil, h.refuse(OpHello, refused)
	}
	own := &hello{Hello: self, protocol: ProtocolVersion, nonce: h.nonce}
	op, answer := OpHello, own.replyParams()
	if len(key) > 0 {
		if err := h.respond(op, ReturnOk, "", answer); err != nil {
			return nil, err
		}
		p, err := h.expect(OpAuth)
		if errors.Is(err, errHandshake) {
			return nil, h.refuse(OpAuth, &RefusedError{ReturnAuthFailed, "not authenticated"})
		}
		if err != nil {
			return nil, err
		}
		f := fields{params: p}
		if !hmac.Equal(field[[]byte](&f, 1), authCode(key, macClient, h.nonce, peer.ID, peer.Generation)) {
			return nil, h.refuse(OpAuth, &RefusedError{ReturnAuthFailed, "wrong key"})
		}
		op, answer = OpAuth, gpbinary.Params{param(1, authCode(key, macServer, peer.nonce, self.ID, self.Generation))}
	}
	h.finish()
	l := newLink(h.conn, h.in, false, handlers)
	l.peer = peer.Hello
	if refused := admit(l); refused != nil {
		return nil, h.refuse(op, refused)
	}
	return l, h.respond(op, ReturnOk, "", answer)
}

// judge refuses servers that do not belong here, by what they say themselves.
func judge(self *Hello, peer *hello) *RefusedError {
	switch {
	case !compatible(peer.protocol):
		return &RefusedError{ReturnIncompatible, "protocol is " + ProtocolVersion}
	case peer.Cluster != self.Cluster:
		return &RefusedError{ReturnWrongCluster, "another cluster"}
	case peer.ID == self.ID && peer.Generation == self.Generation && peer.Role == self.Role:
		return &RefusedError{ReturnSelf, "that is this server itself"}
	case peer.ID == "" || len(peer.ID) > maxID || peer.ID == self.ID:
		return &RefusedError{ReturnDuplicate, "node id is empty, too long or taken"}
	case self.Role == RoleMaster && peer.Role == RoleMaster && !DialsMaster(peer.ID, self.ID):
		return &RefusedError{ReturnOtherDials, "of two masters the one of smaller id dials"}
	}
	return nil
}

func (h *handshake) refuse(op Op, e *RefusedError) error {
	if err := h.respond(op, e.ReturnCode, e.Debug, nil); err != nil {
		return err
	}
	return e
}
