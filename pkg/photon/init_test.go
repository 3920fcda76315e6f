package photon

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Map(func(r rune) rune {
		if r == ' ' || r == '\n' || r == '\t' {
			return -1
		}
		return r
	}, s))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Recorded from official clients, without the TCP frame. wire W-24
const (
	init405   = "f300010601040005074d61737465720000000000000000000000000000000000000000000000000000"
	init416   = "f30001081e410606004d61737465720000000000000000000000000000000000000000000000000000"
	init418   = "f30001061e41080b004d61737465720000000000000000000000000000000000000000000000000000"
	init418v6 = "f30001081ec1080b004d61737465720000000000000000000000000000000000000000000000000000"
	initToken = "504f5354202f3f696e69743d266170703d4d617374657226636c69656e7476657273696f6e3d342e312e382e31312670726f746f636f6c3d477042696e617279563138267369643d33302620485454502f312e310d0a486f73743a203132372e302e302e313a343539330d0a436f6e74656e742d4c656e6774683a2031320d0a0d0a070a746f6b656e76616c7565"
)

func TestParseInit(t *testing.T) {
	tests := []struct {
		name, hex string
		want      Init
	}{
		{"4.0.5 V16", init405, Init{Protocol: GpBinaryV16, AppID: "Master", ClientVersion: [4]byte{4, 0, 5, 7}, SDKID: 1}},
		{"4.1.6 V18", init416, Init{Protocol: GpBinaryV18, AppID: "Master", ClientVersion: [4]byte{4, 1, 6, 6}, SDKID: 30}},
		{"4.1.8 V16", init418, Init{Protocol: GpBinaryV16, AppID: "Master", ClientVersion: [4]byte{4, 1, 8, 11}, SDKID: 30}},
		{"IPv6 bit", init418v6, Init{Protocol: GpBinaryV18, AppID: "Master", ClientVersion: [4]byte{4, 1, 8, 11}, SDKID: 30, IPv6: true}},
		// wire W-25
		{"token", initToken, Init{Protocol: GpBinaryV18, AppID: "Master", ClientVersion: [4]byte{4, 1, 8, 11}, SDKID: 30,
			Token: []byte("\x07\x0atokenvalue")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			msg := unhex(t, tt.hex)
			got, err := ParseInit(msg)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Token, tt.want.Token) {
				t.Errorf("token %q, want %q", got.Token, tt.want.Token)
			}
			got.Token, tt.want.Token = nil, nil
			if got.AppID != tt.want.AppID || got.Protocol != tt.want.Protocol || got.ClientVersion != tt.want.ClientVersion ||
				got.IPv6 != tt.want.IPv6 || got.SDKID != tt.want.SDKID {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestAppendInitIsWhatClientsSend(t *testing.T) {
	in := Init{Protocol: GpBinaryV16, AppID: "Master", ClientVersion: [4]byte{4, 1, 8, 11}, SDKID: 30}
	if got := hex.EncodeToString(AppendInit(nil, in, "")); got != init418 {
		t.Errorf("binary form\n got %s\nwant %s", got, init418)
	}
	in.Protocol, in.Token = GpBinaryV18, []byte("\x07\x0atokenvalue")
	if got := hex.EncodeToString(AppendInit(nil, in, "127.0.0.1:4593")); got != initToken {
		t.Errorf("HTTP form\n got %s\nwant %s", got, initToken)
	}
}

func TestParseInitRefuses(t *testing.T) {
	for name, h := range map[string]string{
		"empty": "", "short": init405[:60], "wrong magic": "00" + init405[2:], "not init": "f302" + init405[4:],
		"major 2": "f30002" + init405[6:], "minor 7": "f3000107" + init405[8:],
		"no header end":         hex.EncodeToString([]byte("POST /?init= HTTP/1.1\r\n")),
		"length beyond body":    hex.EncodeToString([]byte("POST /?init=&protocol=GpBinaryV18 HTTP/1.1\r\nContent-Length: 9\r\n\r\nab")),
		"negative length":       hex.EncodeToString([]byte("POST /?init= HTTP/1.1\r\nContent-Length: -1\r\n\r\nab")),
		"token is no value":     hex.EncodeToString([]byte("POST /?init= HTTP/1.1\r\nContent-Length: 2\r\n\r\n\x07\x09")),
		"unknown protocol":      hex.EncodeToString([]byte("POST /?protocol=GpBinaryV17 HTTP/1.1\r\n\r\n")),
		"POST without a target": hex.EncodeToString([]byte("POST \r\n\r\n")),
	} {
		t.Run(name, func(t *testing.T) {
			if in, err := ParseInit(unhex(t, h)); err == nil {
				t.Errorf("accepted as %+v", in)
			}
		})
	}
}

func TestParseInitQueryIsTolerant(t *testing.T) {
	in, err := ParseInitQuery("libversion=4.1.8.11&&sid=30&app=my%20app&xInit=&IPv6&other=1")
	if err != nil {
		t.Fatal(err)
	}
	if in.AppID != "my app" || !in.HasToken || !in.IPv6 || in.SDKID != 30 || in.ClientVersion != [4]byte{4, 1, 8, 11} {
		t.Errorf("got %+v", in)
	}
	if in, err := ParseInitQuery(""); err != nil || in.Protocol != GpBinaryV18 {
		t.Errorf("empty query: %+v, %v", in, err)
	}
}

func FuzzParseInit(f *testing.F) {
	for _, h := range []string{init405, init416, init418v6, initToken} {
		f.Add(unhex(f, h))
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		in, err := ParseInit(msg)
		if err == nil && len(in.Token) > len(msg) {
			t.Errorf("token of %d bytes out of %d", len(in.Token), len(msg))
		}
	})
}
