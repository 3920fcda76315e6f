package webcall

import (
	"errors"
	"net/netip"
	"net/url"
	"testing"
)

// PL-139: places on the Internet, and what is none.
func TestPublic(t *testing.T) {
	for _, a := range []string{"8.8.8.8", "1.1.1.1", "172.15.0.1", "172.32.0.1", "100.63.0.1", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"} {
		if !Public(netip.MustParseAddr(a)) {
			t.Errorf("%s is public", a)
		}
	}
	for _, a := range []string{
		"127.0.0.1", "127.255.0.1", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "0.0.0.0", "0.1.2.3",
		"100.64.0.1", "100.127.255.255", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::7f00:1", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fd12::1", "ff02::1", "2001:db8::1", "2001::1", "2002:7f00:1::", "100::1", "5f00::1",
		"::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1",
	} {
		if Public(netip.MustParseAddr(a)) {
			t.Errorf("%s is not public", a)
		}
	}
	if Public(netip.Addr{}) {
		t.Error("no address is public")
	}
}

// PL-139: which URLs may be called.
func TestCheck(t *testing.T) {
	allow := []string{"https://api.example.com/v1/", "open.example.com", "port.example.com:8443", "*.wild.example.com", "10.1.0.0/16", "http://127.0.0.1:8080/hook", "fd00::1"}
	for _, tt := range []struct {
		url            string
		listed, public bool
	}{
		{"https://api.example.com/v1/users?q=1", true, true},
		{"https://API.example.com.:443/v1", true, true},
		{"http://api.example.com/v1/", false, true},
		{"https://api.example.com/v10/", false, true},
		{"https://api.example.com/", false, true},
		{"https://api.example.com:444/v1/", false, true},
		{"https://api.example.com/v1/../admin", false, false},
		{"https://api.example.com/v1/%2e%2e/admin", false, false},
		{"https://api.example.com/v1/..%2fadmin", false, false},
		{`https://api.example.com/v1/..%5cadmin`, false, false},
		{"https://api.example.com@evil.example.com/v1/", false, false},
		{"https://user:secret@open.example.com/", false, false},
		{"http://open.example.com:81/x", true, true},
		{"https://open.example.com.evil.example/", false, true},
		{"https://port.example.com:8443/", true, true},
		{"https://port.example.com/", false, true},
		{"https://a.wild.example.com/", true, true},
		{"https://a.b.wild.example.com/", true, true},
		{"https://wild.example.com/", false, true},
		{"https://evilwild.example.com/", false, true},
		{"http://10.1.2.3:5000/", true, true},
		{"http://[::ffff:10.1.2.3]/", true, true},
		{"http://10.2.2.3/", false, false},
		{"http://127.0.0.1:8080/hook/x", true, true},
		{"http://127.0.0.1:8080/other", false, true}, // the address is listed, and public rules ask no more
		{"http://127.0.0.1:8081/hook", false, false},
		{"http://169.254.169.254/latest/meta-data", false, false},
		{"http://[::1]/", false, false},
		{"http://[fd00::1]:99/", true, true},
		{"http://[fe80::1%25eth0]/", false, false},
		{"http://８.８.８.８/", false, false},
		{"http://8.8.8.8/", false, true},
		{"ftp://open.example.com/", false, false},
		{"//open.example.com/", false, false},
		{"http:open.example.com", false, false},
		{"/path", false, false},
	} {
		u, err := url.Parse(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		for _, public := range []bool{false, true} {
			g, err := NewGuard(Rules{Allow: allow, Public: public})
			if err != nil {
				t.Fatal(err)
			}
			want := tt.listed || public && tt.public
			err = g.Check(u)
			var refused *RefusedError
			if (err == nil) != want || err != nil && !errors.As(err, &refused) {
				t.Errorf("%s, public %v: %v, want allowed: %v", tt.url, public, err, want)
			}
		}
	}
	for _, bad := range []string{"", "https://", "ftp://x/", "https://x/?q=1", "https://u@x/", "x/path", "a.*.com", "10.0.0.0/33", "http://[::1"} {
		if _, err := NewGuard(Rules{Allow: []string{bad}}); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// PL-139: which addresses are dialled for a host that may be called.
func TestCheckAddr(t *testing.T) {
	rules := map[string]Rules{
		"names":   {Allow: []string{"api.example.com", "127.0.0.1:8080", "localhost:9000"}},
		"private": {Allow: []string{"api.example.com"}, Private: true},
		"network": {Allow: []string{"api.example.com", "169.254.0.0/16"}},
	}
	for _, tt := range []struct {
		rules, host, port, addr string
		want                    bool
	}{
		{"names", "api.example.com", "443", "8.8.8.8", true},
		{"names", "api.example.com", "443", "10.0.0.1", false},
		{"names", "api.example.com", "8080", "127.0.0.1", false}, // the address is open, not the name that leads there
		{"names", "127.0.0.1", "8080", "127.0.0.1", true},
		{"names", "127.0.0.1", "8081", "127.0.0.1", false},
		{"names", "localhost", "9000", "::1", true},
		{"names", "localhost", "9000", "10.0.0.1", false},
		{"names", "localhost", "9001", "127.0.0.1", false},
		{"private", "api.example.com", "80", "10.0.0.1", true},
		{"private", "api.example.com", "80", "::ffff:192.168.0.1", true},
		{"private", "api.example.com", "80", "fd00::1", true},
		{"private", "api.example.com", "80", "::1", true},
		{"private", "api.example.com", "80", "169.254.169.254", false},
		{"private", "api.example.com", "80", "::ffff:169.254.169.254", false},
		{"private", "api.example.com", "80", "fe80::1%eth0", false},
		{"private", "api.example.com", "80", "0.0.0.0", false},
		{"network", "api.example.com", "80", "169.254.1.1", true},
		{"network", "api.example.com", "80", "::ffff:169.254.1.1", true},
		{"network", "api.example.com", "80", "127.0.0.1", false},
	} {
		g, err := NewGuard(rules[tt.rules])
		if err != nil {
			t.Fatal(err)
		}
		if err := g.checkAddr(tt.host, tt.port, netip.MustParseAddr(tt.addr)); (err == nil) != tt.want {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add("https://api.example.com/v1/x?y#z")
	f.Add("http://[::ffff:7f00:1]:80/")
	f.Add("https://api.example.com/v1/%2e%2e/")
	g, err := NewGuard(Rules{Allow: []string{"https://api.example.com/v1"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := url.Parse(text)
		if err != nil || g.Check(u) != nil {
			return
		}
		if u.Scheme != "https" || hostOf(u) != "api.example.com" || len(u.Path) < 3 || u.Path[:3] != "/v1" {
			t.Errorf("%q passed", text)
		}
	})
}
