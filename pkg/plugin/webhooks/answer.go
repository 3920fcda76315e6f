package webhooks

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/boson-project/boson/pkg/plugin"
)

// answer is what the service says (plugins.md 11.3).
type answer struct {
	// state is that of a saved room; nil if there is none.
	state plugin.GameState
}

// refusedError says that the service itself said no: to ask again is no use.
type refusedError struct {
	code    int
	message string
}

func (e *refusedError) Error() string {
	if e.message == "" {
		return fmt.Sprintf("the web service refused with ResultCode %d", e.code)
	}
	return e.message
}

var (
	errNoResultCode = errors.New("the web service's answer has no ResultCode")
	errNotJSON      = errors.New("the web service's answer is not a JSON object")
)

// readAnswer returns what the service said, or why the call failed.
func readAnswer(r *plugin.HTTPResponse) (a answer, err error) {
	if r.Status != plugin.HTTPSuccess {
		if r.HTTPCode != 0 {
			return a, fmt.Errorf("the web service answered with HTTP status %d", r.HTTPCode)
		}
		return a, fmt.Errorf("the web service can't be asked: %s", r.Status)
	}
	var body struct {
		ResultCode *int
		Message    string
		State      json.RawMessage
	}
	if err := json.Unmarshal(r.Body, &body); err != nil {
		return a, errNotJSON
	}
	switch {
	case body.ResultCode == nil:
		return a, errNoResultCode
	case *body.ResultCode != 0:
		return a, &refusedError{code: *body.ResultCode, message: body.Message}
	}
	if s := bytes.TrimSpace(body.State); len(s) > 0 && string(s) != "null" && string(s) != `""` {
		a.state = s
	}
	return a, nil
}
