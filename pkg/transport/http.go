package transport

import (
	"net/http"
	"strings"
)

// HTTPListener answers plain HTTP where clients of old looked for long polling
// (wire.md 9), and region pings of browsers (wire.md 11). It yields no sessions.
type HTTPListener struct{ *streamListener }

// ListenHTTP listens on addr (host:port; port 0 is a free one) and serves until Shutdown.
func ListenHTTP(addr string, cfg StreamConfig) (*HTTPListener, error) {
	l, err := listenStream(addr, cfg, HTTP, serveHTTP)
	if err != nil {
		return nil, err
	}
	return &HTTPListener{l}, nil
}

func serveHTTP(s *streamSession) {
	w := &webSocket{streamSession: s}
	head, ok := w.readHead()
	if !ok {
		return
	}
	line, _, _ := strings.Cut(head, "\r\n")
	method, rest, _ := strings.Cut(line, " ")
	target, _, _ := strings.Cut(rest, " ")
	if isHTTPPing(method, target) {
		w.answerHTTP(httpAnswer(http.StatusOK, "ok"))
		return
	}
	w.answerHTTP(httpAnswer(http.StatusNotFound, "this server has no HTTP long polling: connect by UDP, TCP or WebSocket"))
}

// isHTTPPing recognises the region ping of browsers.
func isHTTPPing(method, target string) bool {
	path, _, _ := strings.Cut(target, "?")
	return method == http.MethodGet && strings.HasPrefix(path, "/photon/")
}
