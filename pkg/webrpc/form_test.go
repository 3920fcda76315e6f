package webrpc

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/gpjson"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/secure"
	"github.com/boson-project/boson/pkg/webcall"
)

var ann = &secure.Token{AppID: "app", AppVersion: "1.0", Region: "eu", Cluster: "default", UserID: "ann", AuthCookie: []byte(`{"top":"secret"}`)}

func read(t testing.TB, base string, headers ...string) *target {
	t.Helper()
	to, err := parseTarget(Target{BaseURL: base, Headers: headers})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// loadbalancing-webhooks.md 1.3, 1.4: one slash between, queries joined, nothing
// that leads elsewhere.
func TestURL(t *testing.T) {
	for _, tt := range []struct{ base, path, want string }{
		{"https://my.service.example", "method?id=1", "https://my.service.example/method?id=1"},
		{"https://my.service.example/", "/method", "https://my.service.example/method"},
		{"http://h:8080/api//", "a/b", "http://h:8080/api/a/b"},
		{"http://h/api?key=k&x=", "m", "http://h/api/m?key=k&x="},
		{"http://h/api?key=k", "m?a=b&key=own", "http://h/api/m?a=b&key=own&key=k"},
		{"http://h/", "m?", "http://h/m"},
		{"http://h/", "/", "http://h/"},
		{"http://h/", "a b/ü?q=ü x#y", "http://h/a%20b/%C3%BC?q=%C3%BC%20x%23y"},
		{"http://h/", "a:b", "http://h/a:b"},
		{"http://h/", "..a/b..", "http://h/..a/b.."},
		{"http://h/", "m?url=http://x/../y", "http://h/m?url=http://x/../y"},
		{"http://h/{AppId}/{AppVersion}?r={Region}&c={Cloud}", "m", "http://h/app/1.0/m?r=eu&c=default"},
		{"http://h/p%2Fq/", "m", "http://h/p%2Fq/m"},
	} {
		got, err := read(t, tt.base).url(ann, tt.path)
		if err != nil || got != tt.want {
			t.Errorf("%s + %s: %s, %v; want %s", tt.base, tt.path, got, err, tt.want)
		}
	}
	to := read(t, "http://h/api")
	for _, bad := range []string{
		"", "?x=1", "http://evil/x", "//evil/x", "///evil", "/%2fevil", "a//b", "..", "../x", "a/../../x", "a/%2e%2e/x", "a/..%2fx", "./x", "a/.",
		`\\evil\x`, `a\..\x`, "a%5c..", "a#b", "%zz", "a\nb", strings.Repeat("x", maxPath+1),
	} {
		got, err := to.url(ann, bad)
		var pe *photon.ParamError
		if !errors.As(err, &pe) || pe.Code != photon.ReturnInvalidOperation {
			t.Errorf("%q became %s, %v", bad, got, err)
		}
	}
	spaced := &secure.Token{AppID: "a b/../c", AppVersion: "?x#", Region: "eu"}
	if got, err := read(t, "http://h/{AppId}/{AppVersion}").url(spaced, "m"); err != nil || got != "http://h/ab%2F..%2Fc/%3Fx%23/m" {
		t.Errorf("%s, %v", got, err)
	}
	if got := read(t, "http://h/x/y{AppId}/z").rule(); got != "http://h/x/" {
		t.Errorf("rule %s", got)
	}
	for _, bad := range []Target{
		{BaseURL: "ftp://h/"}, {BaseURL: "/x"}, {BaseURL: "http://u:secret@h/"}, {BaseURL: "http://{AppId}.h/"}, {BaseURL: "http://h/%zz"},
		{BaseURL: "http://h", Headers: []string{"no colon secret"}}, {BaseURL: "http://h", Headers: []string{"A: secret\nB: y"}}, {BaseURL: "http://h", Headers: []string{"A B: secret"}},
	} {
		if _, err := New(Options{Default: bad}); err == nil || strings.Contains(err.Error(), "secret") && !strings.Contains(bad.BaseURL, "//h") {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func FuzzURL(f *testing.F) {
	f.Add("method?id=1")
	f.Add("a/%2e%2e/x")
	f.Add("a b#?ü")
	to, err := parseTarget(Target{BaseURL: "http://h:1/api?k=v"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path string) {
		text, err := to.url(ann, path)
		if err != nil {
			return
		}
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "http" || u.Host != "h:1" || u.Fragment != "" || !strings.HasPrefix(u.Path, "/api/") ||
			strings.ContainsAny(text, " \r\n\t") || !strings.HasSuffix(u.RawQuery, "k=v") || strings.Contains(u.Path+"/", "/../") {
			t.Errorf("%q became %s, %v", path, text, err)
		}
	})
}

// LB-270, LB-273: the body, byte by byte.
func TestBody(t *testing.T) {
	pairs := []gpbinary.Pair{{Key: "key1", Value: int32(1)}, {Key: "key2", Value: "yx"}, {Key: "key3", Value: true}}
	const who = `{"AppId":"app","AppVersion":"1.0","Region":"eu","UserId":"ann"`
	intKeys := &gpbinary.Dictionary{Key: gpbinary.TypeDesc{Kind: gpbinary.KindInt}, Val: gpbinary.TypeDesc{Kind: gpbinary.KindObject}, Pairs: []gpbinary.Pair{{Key: int32(5), Value: "x"}}}
	for _, tt := range []struct {
		name   string
		proto  photon.Protocol
		params any
		flags  byte
		want   string
	}{
		{"none", photon.GpBinaryV18, nil, 0, `}`},
		{"dictionary", photon.GpBinaryV18, gpjson.WebObject(pairs...), 0, `,"key1":1,"key2":"yx","key3":true}`},
		{"empty dictionary", photon.GpBinaryV16, gpjson.WebObject(), 0, `}`},
		{"object of JavaScript", photon.JSON, gpbinary.NewHashtable(pairs...), 0, `,"key1":1,"key2":"yx","key3":true}`},
		{"hashtable", photon.GpBinaryV16, gpbinary.NewHashtable(pairs...), 0, `,"RpcParams":{"key1":1,"key2":"yx","key3":true}}`},
		{"other dictionary", photon.GpBinaryV16, intKeys, 0, `,"RpcParams":{"5":"x"}}`},
		{"array", photon.GpBinaryV18, gpbinary.ObjectArray{int32(1), "x", nil}, 0, `,"RpcParams":[1,"x",null]}`},
		{"array of JavaScript", photon.JSON, gpbinary.ObjectArray{int32(1)}, 0, `,"RpcParams":[1]}`},
		{"bytes", photon.GpBinaryV18, []byte{1, 2}, 0, `,"RpcParams":"AQI="}`},
		{"text", photon.GpBinaryV18, "x", 0, `,"RpcParams":"x"}`},
		{"number", photon.JSON, 1.5, 0, `,"RpcParams":1.5}`},
		{"nested", photon.GpBinaryV18, gpjson.WebObject(gpbinary.Pair{Key: "t", Value: gpbinary.NewHashtable(gpbinary.Pair{Key: byte(1), Value: []byte{255}})}), 0, `,"t":{"1":"/w=="}}`},
		{"impostor", photon.GpBinaryV18, gpjson.WebObject(gpbinary.Pair{Key: "UserId", Value: "bob"}, gpbinary.Pair{Key: "userid", Value: "bob"},
			gpbinary.Pair{Key: "AuthCookie", Value: "forged"}, gpbinary.Pair{Key: "APPID", Value: "x"}, gpbinary.Pair{Key: "ok", Value: nil}), 0, `,"ok":null}`},
		{"cookie", photon.GpBinaryV18, gpjson.WebObject(pairs[:1]...), 2, `,"AuthCookie":{"top":"secret"},"key1":1}`},
		{"other flags", photon.GpBinaryV18, nil, 1 | 4 | 8, `}`},
	} {
		got, err := appendBody(nil, tt.proto, ann, &Request{Path: "m", Params: tt.params, Flags: tt.flags})
		if err != nil || string(got) != who+tt.want {
			t.Errorf("%s: %s, %v; want %s%s", tt.name, got, err, who, tt.want)
		}
	}
	bob := *ann
	bob.AuthCookie = nil
	if got, err := appendBody(nil, photon.JSON, &bob, &Request{Flags: 2}); err != nil || string(got) != who+"}" {
		t.Errorf("no cookie: %s, %v", got, err)
	}
	var pe *photon.ParamError
	if _, err := appendBody(nil, photon.GpBinaryV16, ann, &Request{Params: &gpbinary.EventData{}}); !errors.As(err, &pe) || pe.Code != photon.ReturnInvalidOperation {
		t.Errorf("an event as a parameter: %v", err)
	}
}

// LB-271, LB-272: the answer.
func TestAnswer(t *testing.T) {
	ok := func(body string) *webcall.Response { return &webcall.Response{HTTPCode: 200, Body: []byte(body)} }
	data := func(pairs ...gpbinary.Pair) any { return gpjson.WebObject(pairs...) }
	for _, tt := range []struct {
		body    string
		code    byte
		message any
		data    any
	}{
		{`{"ResultCode":0}`, 0, nil, nil},
		{`{"ResultCode":3,"Message":"no","Data":{"l":1,"d":1.5,"s":"x","b":true,"n":{"a":[null,2]}}}`, 3, "no", data(
			gpbinary.Pair{Key: "b", Value: true}, gpbinary.Pair{Key: "d", Value: 1.5}, gpbinary.Pair{Key: "l", Value: int64(1)},
			gpbinary.Pair{Key: "n", Value: data(gpbinary.Pair{Key: "a", Value: gpbinary.ObjectArray{nil, int64(2)}})}, gpbinary.Pair{Key: "s", Value: "x"})},
		{`{"ResultCode":256,"Message":"","Data":null}`, 0, "", nil},
		{`{"ResultCode":-1,"Message":null}`, 255, nil, nil},
		{`{"ResultCode":1,"Data":[1]}`, 1, nil, data(gpbinary.Pair{Key: "Data", Value: gpbinary.ObjectArray{int64(1)}})},
		{`{"ResultCode":1,"Data":"x"}`, 1, nil, data(gpbinary.Pair{Key: "Data", Value: "x"})},
		{` {"resultCode":7,"Other":{}} `, 7, nil, nil},
	} {
		params, err := answer("m?x", ok(tt.body))
		if err != nil {
			t.Errorf("%s: %v", tt.body, err)
			continue
		}
		for code, want := range map[photon.ParamCode]any{photon.ParamURIPath: "m?x", photon.ParamWebRPCReturnCode: tt.code,
			photon.ParamWebRPCReturnMessage: tt.message, photon.ParamWebRPCParameters: tt.data} {
			if got, there := params.Get(byte(code)); there != (want != nil) || !gpbinary.EqualValues(got, want) {
				t.Errorf("%s: %s is %T %v, want %v", tt.body, code, got, got, want)
			}
		}
	}
	for _, tt := range []struct {
		resp *webcall.Response
		code photon.ReturnCode
		text string
	}{
		{ok(``), photon.ReturnExternalHTTPCallFailed, "JSON"},
		{ok(`<html>`), photon.ReturnExternalHTTPCallFailed, "JSON"},
		{ok(`[]`), photon.ReturnExternalHTTPCallFailed, "JSON"},
		{ok(`{}`), photon.ReturnExternalHTTPCallFailed, "ResultCode"},
		{ok(`null`), photon.ReturnExternalHTTPCallFailed, "ResultCode"},
		{ok(`{"ResultCode":"0"}`), photon.ReturnExternalHTTPCallFailed, "ResultCode"},
		{ok(`{"ResultCode":1.5}`), photon.ReturnExternalHTTPCallFailed, "ResultCode"},
		{ok(`{"ResultCode":0,"Data":` + strings.Repeat("[", 99) + strings.Repeat("]", 99) + `}`), photon.ReturnExternalHTTPCallFailed, "Data"},
		{&webcall.Response{Status: webcall.Error, HTTPCode: 500, Reason: "HTTP 500", Body: []byte(`{"ResultCode":0}`)}, photon.ReturnExternalHTTPCallFailed, "HTTP 500"},
		{&webcall.Response{Status: webcall.RequestTimeout, Reason: "no answer in time"}, photon.ReturnExternalHTTPCallFailed, "no answer in time"},
		{&webcall.Response{Status: webcall.QueueTimeout, Reason: "waited"}, photon.ReturnExternalHTTPCallFailed, "waited"},
		{&webcall.Response{Status: webcall.QueueFull}, photon.ReturnHTTPLimitReached, "too many"},
	} {
		params, err := answer("m", tt.resp)
		var oe *app.OpError
		if !errors.As(err, &oe) || oe.Code != tt.code || !strings.Contains(oe.Text, tt.text) {
			t.Errorf("%s: %v, %v", tt.resp.Body, params, err)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add(`{"ResultCode":3,"Message":"no","Data":{"l":1,"d":1.5,"n":{"a":[null,2]}}}`)
	f.Add(`{"ResultCode":1e3,"Data":{"$type":1,"$data":""}}`)
	f.Fuzz(func(t *testing.T, body string) {
		params, err := answer("m", &webcall.Response{Body: []byte(body)})
		if err != nil {
			return
		}
		for _, p := range []photon.Protocol{photon.GpBinaryV16, photon.GpBinaryV18, photon.JSON} {
			// Texts may be too long for 1.6; nothing else may fail.
			if _, err := photon.AppendResponse(nil, p, photon.OpWebRPC, photon.ReturnOk, "", params); err != nil && len(body) < 30000 {
				t.Errorf("%s: %s: %v", p, body, err)
			}
		}
	})
}
