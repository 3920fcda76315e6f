package auth

import (
	"strings"
	"testing"
	"time"
)

// NUL is what separates AppId and AppVersion in application keys: two different
// pairs must never make one key. LB-013
func TestApplicationNames(t *testing.T) {
	a := New(Options{AllowAnonymous: true, TokenLife: time.Hour})
	for _, r := range []Request{
		{AppID: "a\x00b", AppVersion: "1"}, {AppID: "a", AppVersion: "b\x001"},
		{AppID: strings.Repeat("x", maxAppName+1)}, {AppID: "a", AppVersion: strings.Repeat("x", maxAppName+1)},
	} {
		if _, err := a.Credentials(&r, time.Now()); err == nil {
			t.Errorf("accepted %.20q %.20q", r.AppID, r.AppVersion)
		}
	}
	if _, err := a.Credentials(&Request{AppID: "a", AppVersion: "1.0_2.40"}, time.Now()); err != nil {
		t.Error(err)
	}
}
