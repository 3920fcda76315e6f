package bench

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/boson-project/boson/pkg/photon"
)

// Messages come out whole, in order, however the stream is cut.
func TestStreamTake(t *testing.T) {
	big := bytes.Repeat([]byte{7}, 70_000)
	event := append([]byte{photon.Magic, byte(photon.TypeEvent), byte(eventCode)}, mark...)
	event = append(event, make([]byte, stampBytes)...)
	stamp{1, 0, 0}.put(event[3:], false)
	again := bytes.Clone(event)
	stamp{1, 1, 0}.put(again[3:], false)

	tcp := &tcpFraming{}
	var tcpBytes []byte
	tcpBytes = tcp.appendMessage(tcpBytes, event, reliably)
	tcpBytes = append(tcpBytes, 0xF0, 1, 2, 3, 4, 5, 6, 7, 8)
	tcpBytes = tcp.appendMessage(tcpBytes, big, reliably)
	tcpBytes = tcp.appendMessage(tcpBytes, again, reliably)

	var wsBytes []byte
	for _, m := range [][]byte{event, big, again} {
		frame := ws.NewBinaryFrame(m)
		wsBytes = append(wsBytes, ws.MustCompileFrame(frame)...)
		wsBytes = append(wsBytes, ws.MustCompileFrame(ws.NewPongFrame([]byte("x")))...)
	}
	for name, c := range map[string]struct {
		framing streamFraming
		bytes   []byte
	}{"tcp": {tcp, tcpBytes}, "ws": {&webSocketFraming{code: ws.OpBinary}, wsBytes}} {
		for _, cut := range []int{1, 2, 3, 1000, len(c.bytes)} {
			counts := newCounts(0, time.Second)
			u := &loopPlayer{
				loop:   &loop{opt: &Options{Protocol: photon.GpBinaryV18}, counts: counts, now: func() time.Duration { return 0 }},
				player: &player{pairs: make([]pair, 2)}, step: inRoom,
			}
			w := &streamWire{u: u, framing: c.framing}
			for b := c.bytes; len(b) > 0; {
				n := min(cut, len(b))
				if err := w.take(b[:n]); err != nil {
					t.Fatalf("%s by %d: %v", name, cut, err)
				}
				b = b[n:]
			}
			if counts.arrived != 2 || counts.disorder+counts.duplicates+counts.foreign != 0 || len(w.rest) != 0 {
				t.Errorf("%s by %d: arrived %d, %d bytes left", name, cut, counts.arrived, len(w.rest))
			}
			if cap(w.rest) > 100<<10 {
				t.Errorf("%s by %d: keeps %d bytes", name, cut, cap(w.rest))
			}
		}
	}
}

// A client's frame is one that any server reads.
func TestMaskedFrame(t *testing.T) {
	for _, n := range []int{0, 125, 126, 65535, 65536} {
		payload := bytes.Repeat([]byte{9}, n)
		r := bytes.NewReader(appendMasked(nil, ws.OpBinary, payload))
		h, err := ws.ReadHeader(r)
		rest, _ := io.ReadAll(r)
		ws.Cipher(rest, h.Mask, 0)
		if err != nil || !h.Masked || !h.Fin || h.Length != int64(n) || !bytes.Equal(rest, payload) {
			t.Errorf("%d bytes: %+v, %v", n, h, err)
		}
	}
}
