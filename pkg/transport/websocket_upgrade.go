package transport

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/gobwas/ws"

	"github.com/boson-project/boson/pkg/photon"
)

// webSocketHeadMax bounds the HTTP request that a connection starts with.
// Browsers send along the cookies that they have for the host.
const webSocketHeadMax = 16 << 10

// webSocketProtocols are the sub-protocols that the server knows, by name.
var webSocketProtocols = map[string]photon.Protocol{
	photon.GpBinaryV16.String(): photon.GpBinaryV16,
	photon.GpBinaryV18.String(): photon.GpBinaryV18,
	photon.JSON.String():        photon.JSON,
}

// handshake reads the HTTP request and answers it. It returns true when the
// connection is a WebSocket now; otherwise it is over.
func (w *webSocket) handshake() bool {
	head, ok := w.readHead()
	if !ok {
		return false
	}
	line, _, _ := strings.Cut(head, "\r\n")
	method, rest, _ := strings.Cut(line, " ")
	target, _, _ := strings.Cut(rest, " ")
	if !headerHas(head, "Upgrade", "websocket") {
		w.answerHTTP(plainAnswer(method, target))
		return false
	}
	if origin, isBrowser := headerValue(head, "Origin"); isBrowser && !w.originAllowed(origin) {
		w.answerHTTP(httpAnswer(http.StatusForbidden, "origin is not allowed"))
		return false
	}
	query, err := parseTarget(target)
	if err != nil {
		w.answerHTTP(httpAnswer(http.StatusBadRequest, err.Error()))
		return false
	}
	w.query = query.Init

	var answer bytes.Buffer
	protocol, err := upgrade(struct {
		io.Reader
		io.Writer
	}{strings.NewReader(head), &answer}, len(head))
	if err != nil {
		if answer.Len() == 0 { // not even a request
			answer.Write(httpAnswer(http.StatusBadRequest, "malformed request"))
		}
		w.answerHTTP(answer.Bytes())
		return false
	}
	if _, err := w.conn.Write(answer.Bytes()); err != nil {
		w.readFailed(err)
		return false
	}
	if protocol == photon.JSON && query.lastSegment != "" {
		w.query.AppID = query.lastSegment
	}
	w.upgraded(protocol)
	return true
}

// readHead reads up to the empty line that ends the request's head, and leaves
// in the buffer what follows it.
func (w *webSocket) readHead() (head string, ok bool) {
	searched := 0
	for {
		b := w.in.data()
		if i := bytes.Index(b[searched:], []byte("\r\n\r\n")); i >= 0 {
			n := searched + i + 4
			head = string(b[:n])
			w.in.consume(n)
			return head, true
		}
		if len(b) >= webSocketHeadMax {
			w.answerHTTP(httpAnswer(http.StatusRequestHeaderFieldsTooLarge, "request is too large"))
			return "", false
		}
		searched = max(0, len(b)-3)
		if !w.readMore() {
			return "", false
		}
	}
}

// upgrade reads the WebSocket handshake from rw and answers it there, either
// way. The first protocol of the client's list that the server knows wins; a
// client that names none speaks JSON. size is the length of the request.
func upgrade(rw io.ReadWriter, size int) (photon.Protocol, error) {
	chosen, offered, known := photon.JSON, false, false
	u := ws.Upgrader{
		// The library wants every line to fit its buffer.
		ReadBufferSize: max(ws.DefaultServerReadBufferSize, size),
		Protocol: func(name []byte) bool {
			p, ok := webSocketProtocols[string(name)]
			if offered = true; ok {
				chosen, known = p, true
			}
			return ok
		},
		OnBeforeUpgrade: func() (ws.HandshakeHeader, error) {
			if offered && !known {
				return nil, ws.RejectConnectionError(ws.RejectionStatus(http.StatusBadRequest), ws.RejectionReason("no known sub-protocol"))
			}
			return nil, nil
		},
	}
	_, err := u.Upgrade(rw)
	return chosen, err
}

// target is what a request line says.
type target struct {
	photon.Init
	lastSegment string
}

// parseTarget reads the request's path and query. The JavaScript SDK names its
// application in the last segment of the path, whatever is before it
// (websocket-json.md 1.1); the others do it in the query (wire.md 6.1).
func parseTarget(s string) (target, error) {
	path, query, _ := strings.Cut(s, "?")
	in, err := photon.ParseInitQuery(query)
	if err != nil {
		return target{}, err
	}
	segment := path[strings.LastIndexByte(path, '/')+1:]
	if text, err := url.PathUnescape(segment); err == nil {
		segment = text
	}
	return target{in, segment}, nil
}

// originAllowed says whether pages of origin may connect (websocket-json.md WJ-012).
func (w *webSocket) originAllowed(origin string) bool {
	for _, o := range w.l.cfg.AllowedOrigins {
		if o == "*" || strings.EqualFold(o, origin) {
			return true
		}
	}
	return len(w.l.cfg.AllowedOrigins) == 0
}

// plainAnswer answers requests that are no WebSocket handshake: the region ping
// of browsers (wire.md 11), and those who have lost their way.
func plainAnswer(method, target string) []byte {
	switch {
	case isHTTPPing(method, target):
		return httpAnswer(http.StatusOK, "ok")
	case method == http.MethodGet:
		return httpAnswer(http.StatusUpgradeRequired, "this is a WebSocket server", "Upgrade: websocket")
	}
	return httpAnswer(http.StatusNotFound, "this is a WebSocket server")
}

func httpAnswer(status int, text string, headers ...string) []byte {
	b := fmt.Appendf(nil, "HTTP/1.1 %d %s\r\n", status, http.StatusText(status))
	for _, h := range headers {
		b = append(append(b, h...), "\r\n"...)
	}
	return fmt.Appendf(b, "Content-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nAccess-Control-Allow-Origin: *\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n%s", len(text), text)
}

// answerHTTP answers a request that does not become a WebSocket, and ends the connection.
func (w *webSocket) answerHTTP(answer []byte) {
	if _, err := w.conn.Write(answer); err != nil {
		w.readFailed(err)
		return
	}
	w.Close(ReasonServerDisconnect)
}

// headerValue returns the value of a header in a request's head.
func headerValue(head, name string) (value string, ok bool) {
	for line := range strings.SplitSeq(head, "\r\n") {
		if k, v, found := strings.Cut(line, ":"); found && strings.EqualFold(strings.TrimSpace(k), name) {
			return strings.TrimSpace(v), true
		}
	}
	return "", false
}

// headerHas says whether a header has the given value.
func headerHas(head, name, value string) bool {
	v, ok := headerValue(head, name)
	return ok && strings.EqualFold(v, value)
}
