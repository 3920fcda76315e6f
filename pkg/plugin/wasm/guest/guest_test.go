//go:build !wasip1

package guest

import (
	"testing"

	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
	"github.com/boson-project/boson/pkg/plugin/wasm/abi"
)

type nothing struct{ plugin.Base }

func (nothing) Name() string    { return "nothing" }
func (nothing) Version() string { return "1" }

func BenchmarkRaiseEvent(b *testing.B) {
	nativeHost = func(abi.Op, int64, int64, []byte) ([]byte, error) { return nil, nil }
	Serve(plugin.FactoryFunc(func(plugin.Host, string, plugin.Config) (plugin.Plugin, error) { return nothing{}, nil }))
	if serve(abi.Setup, 1, 0, []byte{0}) != abi.None {
		b.Fatal("no setup")
	}
	var t abi.Table
	t.Text(photon.ParamUserID, "ann")
	t.Text(photon.ParamNickName, "Ann")
	t.Int(abi.KeyActorNr, 3)
	q := &plugin.RaiseEventRequest{EvCode: 50}
	q.SetData(make([]byte, 64))
	abi.Write(&t, abi.RaiseEvent{RaiseEventRequest: q})
	args, _ := t.Bytes()
	b.ReportAllocs()
	for b.Loop() {
		if serve(abi.OnRaiseEvent, 1, 7, args) != abi.None {
			b.Fatal("trouble")
		}
	}
}
