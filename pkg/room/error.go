package room

import (
	"errors"
	"fmt"

	"github.com/boson-project/boson/pkg/photon"
)

// Error is a refused operation: the return code and debug message that the
// client gets (loadbalancing-operations.md 7).
type Error struct {
	Code photon.ReturnCode
	Text string
	// Params of the response; only plugins have any to say.
	Params photon.Params
}

// Error returns the debug message.
func (e *Error) Error() string { return e.Text }

func refuse(code photon.ReturnCode, format string, args ...any) *Error {
	return &Error{Code: code, Text: fmt.Sprintf(format, args...)}
}

// Code returns the return code of an error of this package or of a parameter.
// Other errors are InternalServerError, nil is Ok.
func Code(err error) photon.ReturnCode {
	var e *Error
	var p *photon.ParamError
	switch {
	case err == nil:
		return photon.ReturnOk
	case errors.As(err, &e):
		return e.Code
	case errors.As(err, &p):
		return p.Code
	}
	return photon.ReturnInternalServerError
}
