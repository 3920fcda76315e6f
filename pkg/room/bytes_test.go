package room

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/boson-project/boson/pkg/photon"
)

// The exact bytes of loadbalancing-operations.md 8, which the real client has
// read; int arrays of V16 in the form that clients write.
func TestWorkedExamples(t *testing.T) {
	for p, want := range map[photon.Protocol][]string{
		photon.GpBinaryV18: {
			"F3 04 FF 02 FE 0B02 FC 49 02 02 04", // Join
			"F3 04 07 02 F5 07 05 68656C6C6F FE 0B01",
			"F3 04 FD 03 FE 0B01 FD 0B01 FB 15 01 03FF 07 0C 4E69636B46726F6D41757468",
			"F3 04 FE 04 FE 0B01 FC 49 01 04 E9 1B CB 0B02",
		},
		photon.GpBinaryV16: {
			"F3 04 FF 0002 FE 69 00000002 FC 79 0002 69 00000001 00000002",
			"F3 04 07 0002 F5 73 0005 68656C6C6F FE 69 00000001",
			"F3 04 FD 0003 FE 69 00000001 FD 69 00000001 FB 68 0001 62FF 73 000C 4E69636B46726F6D41757468",
			"F3 04 FE 0004 FE 69 00000001 FC 79 0001 69 00000002 E9 6F00 CB 69 00000002",
		},
	} {
		w := newWorld(t, Config{})
		ann := w.client(p, "ann").mustCreate(options()...)
		bob := w.client(p, "bob")
		if err := bob.join(); err != nil {
			t.Fatal(err)
		}
		bob.got = bob.got[1:] // the response
		ann.mustRaise(code(7), content("hello"))
		if err := ann.set(with(photon.ParamActorNr, int32(1)), props(photon.ActorPropNickName, "NickFromAuth"), broadcast); err != nil {
			t.Fatal(err)
		}
		if got := ann.last(false, 252).bytes; p == photon.GpBinaryV18 && hex.EncodeToString(got) != "f303fc00000800" {
			t.Errorf("response % x", got)
		}
		ann.fails(ann.do(photon.OpLeave), 0)
		got := make([]string, len(bob.got))
		for i, m := range bob.got {
			got[i] = strings.ToUpper(hex.EncodeToString(m.bytes))
			want[i] = strings.ReplaceAll(want[i], " ", "")
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got\n%s\nwant\n%s", p, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}
