package s2s

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.NewReplacer(" ", "", "\n", "", "|", "", "\t", "").Replace(s))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func frame(message ...byte) []byte {
	b := append(beginFrame(nil), message...)
	endFrame(b, 0)
	return b
}

// Frames and pings arrive split and joined in any way (wire W-29).
func TestFrameReader(t *testing.T) {
	big := frame(bytes.Repeat([]byte{7}, 200_000)...)
	stream := bytes.Join([][]byte{frame(0xF3, 1, 0), appendPing(nil, 5), frame(), big, appendPing(nil, 6)}, nil)
	for name, r := range map[string]io.Reader{
		"whole":        bytes.NewReader(stream),
		"byte by byte": iotest.OneByteReader(bytes.NewReader(stream)),
	} {
		f := newFrameReader(r, false)
		f.limit = MaxFrame
		for i, want := range []struct {
			b    []byte
			ping bool
		}{{[]byte{0xF3, 1, 0}, false}, {[]byte{0, 0, 0, 5}, true}, {nil, false}, {big[7:], false}, {[]byte{0, 0, 0, 6}, true}} {
			b, ping, err := f.next()
			if err != nil || ping != want.ping || !bytes.Equal(b, want.b) {
				t.Fatalf("%s: unit %d: %d bytes, ping %v, %v", name, i, len(b), ping, err)
			}
		}
		if _, _, err := f.next(); err != io.EOF {
			t.Errorf("%s: end: %v", name, err)
		}
		if f.offset != int64(len(stream)) {
			t.Errorf("%s: offset %d of %d", name, f.offset, len(stream))
		}
	}
}

func TestPongReader(t *testing.T) {
	f := newFrameReader(bytes.NewReader(appendPong(nil, 1, 2)), true)
	if b, ping, err := f.next(); err != nil || !ping || len(b) != pongSize || be32(b[4:]) != 2 {
		t.Errorf("%x, %v, %v", b, ping, err)
	}
}

// cluster CL-10
func TestBadFrames(t *testing.T) {
	for name, s := range map[string]string{
		"first byte":      "fc 00000007 00 01",
		"length 6":        "fb 00000006 00 01",
		"length 0":        "fb 00000000 00 01",
		"negative length": "fb ffffffff 00 01",
		"over the limit":  "fb 00400001 00 01",
	} {
		f := newFrameReader(bytes.NewReader(append(frame(1), unhex(t, s)...)), false)
		f.limit = MaxFrame
		if _, _, err := f.next(); err != nil {
			t.Fatal(err)
		}
		_, _, err := f.next()
		if err == nil || !strings.Contains(err.Error(), "offset 8") {
			t.Errorf("%s: %v", name, err)
		}
	}
	f := newFrameReader(bytes.NewReader(unhex(t, "fb 00400000 00 01 f3")), false)
	f.limit = MaxFrame
	if _, _, err := f.next(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut: %v", err)
	}
	if cap(f.buf) > 128<<10 {
		t.Errorf("a length alone took %d bytes", cap(f.buf))
	}
}

func TestEndFrame(t *testing.T) {
	if endFrame(make([]byte, MaxFrame+1), 0) {
		t.Error("a frame over the limit was ended")
	}
	if b := append([]byte("before"), frame(1, 2)...); !endFrame(b, 6) || !bytes.Equal(b[6:], frame(1, 2)) {
		t.Errorf("%x", b)
	}
}

func FuzzFrames(f *testing.F) {
	f.Add(bytes.Join([][]byte{frame(0xF3, 1, 0), appendPing(nil, 5), frame()}, nil), false)
	f.Add(appendPong(frame(1), 1, 2), true)
	f.Add([]byte{0xFB, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0}, false)
	f.Fuzz(func(t *testing.T, b []byte, dialer bool) {
		r := newFrameReader(bytes.NewReader(b), dialer)
		for {
			m, _, err := r.next()
			if err != nil {
				return
			}
			if len(m) > len(b) {
				t.Fatalf("%d bytes of %d", len(m), len(b))
			}
		}
	})
}
