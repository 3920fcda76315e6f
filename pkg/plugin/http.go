package plugin

import "strconv"

// HTTPRequest is a request to a web service (plugins.md 8.1). Where it may go
// is up to the configuration (plugins.http.allow).
type HTTPRequest struct {
	// URL is absolute, http or https.
	URL string
	// Method is GET if it is empty.
	Method      string
	Accept      string
	ContentType string
	// Headers are further headers. Connection, Content-Length, Host, Range and
	// Proxy-Connection are left out.
	Headers map[string]string
	Body    []byte
	// Async lets the room go on; without it the room waits for the answer.
	Async bool
	// UserState is handed to the callback.
	UserState any
	// Callback runs on the room's fiber.
	Callback func(r *HTTPResponse, userState any)
}

// HTTPStatus is what became of a request (plugins.md 8.3).
type HTTPStatus byte

// The statuses.
const (
	HTTPSuccess        HTTPStatus = 0 // the service answered with 2xx
	HTTPRequestTimeout HTTPStatus = 1 // no answer in time
	HTTPQueueTimeout   HTTPStatus = 2 // it waited too long for its turn
	HTTPOffline        HTTPStatus = 3 // too many failures: requests pause
	HTTPQueueFull      HTTPStatus = 4 // too many requests wait
	HTTPError          HTTPStatus = 5 // bad URL, unreachable, not allowed, or not 2xx
)

// String returns the status's name.
func (s HTTPStatus) String() string {
	switch s {
	case HTTPSuccess:
		return "Success"
	case HTTPRequestTimeout:
		return "RequestTimeout"
	case HTTPQueueTimeout:
		return "QueueTimeout"
	case HTTPOffline:
		return "Offline"
	case HTTPQueueFull:
		return "QueueFull"
	case HTTPError:
		return "Error"
	}
	return strconv.Itoa(int(s))
}

// HTTPResponse is the answer to a request.
type HTTPResponse struct {
	Status HTTPStatus
	// HTTPCode is the answer's status, 0 if there was none.
	HTTPCode int
	// Reason is for people.
	Reason string
	Body   []byte
	// Headers are the answer's, by canonical name. Their type is not http.Header,
	// so that WASM plugins need not carry package net/http.
	Headers map[string][]string
	Request *HTTPRequest
	// Call is the call that HTTPFor postponed, or nil.
	Call Deferrable
}

// Text returns the body as a string.
func (r *HTTPResponse) Text() string { return string(r.Body) }
