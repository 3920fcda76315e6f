package guest

import (
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
	"github.com/boson-project/boson/pkg/plugin/wasm/abi"
)

// hostError returns the error that a host call ended with.
func hostError(code abi.ErrorCode, text []byte) error {
	if code != abi.Refused {
		return abi.ErrorOf(code, string(text))
	}
	q := &abi.Reader{Request: &photon.Request{}}
	if err := abi.Parse(text, q.Request); err != nil {
		return err
	}
	return &plugin.RefusedError{ReturnCode: int16(q.Number(abi.KeyReturnCode)), Text: q.Text(abi.KeyMessage)}
}

// hostCall makes a host call. The result is the caller's.
func hostCall(op abi.Op, room, call int64, t *abi.Table) ([]byte, error) {
	if t == nil {
		return hostCallBytes(op, room, call, nil)
	}
	b, err := t.Bytes()
	if err != nil {
		return nil, err
	}
	if t.Empty() {
		b = nil
	}
	return hostCallBytes(op, room, call, b)
}
