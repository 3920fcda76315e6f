package auth

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// providerFunc is a provider that is not a web service.
type providerFunc func(ctx context.Context, login *Login) (*Verdict, error)

func (f providerFunc) Check(ctx context.Context, login *Login) (*Verdict, error) {
	return f(ctx, login)
}

func authenticator(p providerFunc, custom Custom) *Authenticator {
	custom.Providers = []Configured{{Type: 0, Provider: p, RejectIfUnavailable: true}}
	return New(Options{AllowAnonymous: true, TokenLife: time.Hour, Custom: custom})
}

func always() bool { return true }

func typed(b byte) *byte { return &b }

func request() *Request { return &Request{AppID: "app", AuthType: typed(0)} }

func returnCode(err error) photon.ReturnCode {
	var oe *app.OpError
	if errors.As(err, &oe) {
		return oe.Code
	}
	return 0
}

// LB-053: pauses begin after errors in a row, double, have a limit, and let one
// question through when they end.
func TestPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, broken := 0, true
		a := authenticator(func(context.Context, *Login) (*Verdict, error) {
			asked++
			if broken {
				return nil, errors.New("down")
			}
			return &Verdict{Code: ResultSuccess}, nil
		}, Custom{MaxErrors: 3, MaxBackoff: 3 * time.Second})
		defer a.Close()
		try := func() (err error) {
			a.Authenticate(request(), always, func(_ Outcome, e error) { err = e })
			synctest.Wait()
			return err
		}
		expect := func(want int, when string) {
			t.Helper()
			if try(); asked != want {
				t.Fatalf("%s: asked %d times, want %d", when, asked, want)
			}
		}
		for i := range 3 {
			expect(i+1, "before the pause")
		}
		expect(3, "in the first pause")
		for i, pause := range []time.Duration{time.Second, 2 * time.Second, 3 * time.Second, 3 * time.Second} {
			time.Sleep(pause - time.Millisecond)
			expect(3+i, "right before the end of a pause")
			time.Sleep(time.Millisecond)
			expect(4+i, "after a pause")
			expect(4+i, "in the next pause")
		}
		time.Sleep(3 * time.Second)
		broken = false
		if err := try(); err != nil {
			t.Fatal(err)
		}
		broken = true
		for i := range 3 {
			expect(9+i, "after it was well again")
		}
		expect(11, "in a new first pause")
		time.Sleep(time.Second)
		expect(12, "after the new first pause")
	})
}

// A login that can't be used is the client's mistake and pauses nothing.
func TestClientsMistakesDoNotPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		a := authenticator(func(context.Context, *Login) (*Verdict, error) {
			asked++
			return nil, photon.BadParam(photon.ParamClientAuthenticationParams, "is bad")
		}, Custom{MaxErrors: 2})
		defer a.Close()
		for range 10 {
			a.Authenticate(request(), always, func(_ Outcome, err error) {
				if pe := (*photon.ParamError)(nil); !errors.As(err, &pe) {
					t.Errorf("got %v", err)
				}
			})
			synctest.Wait()
		}
		if asked != 10 {
			t.Errorf("asked %d times", asked)
		}
	})
}

// The queue is bounded, in number and in time, and nobody asks for those who went.
func TestQueueBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		a := authenticator(func(ctx context.Context, _ *Login) (*Verdict, error) {
			asked.Add(1)
			<-ctx.Done()
			return nil, ctx.Err()
		}, Custom{MaxConcurrent: 2, MaxQueued: 4, QueueTimeout: 5 * time.Second, RequestTimeout: 10 * time.Second})
		defer a.Close()
		var refused atomic.Int32
		ask := func(waiting func() bool) {
			a.Authenticate(request(), waiting, func(_ Outcome, err error) {
				if returnCode(err) != photon.ReturnCustomAuthenticationFailed {
					t.Errorf("got %v", err)
				}
				refused.Add(1)
			})
			synctest.Wait()
		}
		gone := func() bool { return false }
		ask(always)
		ask(always)
		ask(gone)
		ask(always)
		ask(always)
		ask(always)
		if n := refused.Load(); n != 0 {
			t.Fatalf("%d refused before the queue was full", n)
		}
		ask(always)
		if n := refused.Load(); n != 1 {
			t.Fatalf("%d refused, want the one above the bound", n)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		// Two were asked and timed out, three waited too long, one had gone.
		if a, r := asked.Load(), refused.Load(); a != 2 || r != 6 {
			t.Errorf("asked %d, refused %d", a, r)
		}
	})
}

// Close ends questions that are under way.
func TestCloseEndsQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := authenticator(func(ctx context.Context, _ *Login) (*Verdict, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}, Custom{})
		start := time.Now()
		answered := false
		a.Authenticate(request(), always, func(Outcome, error) { answered = true })
		a.Close()
		if !answered || time.Since(start) > 0 {
			t.Errorf("answered %v after %s", answered, time.Since(start))
		}
	})
}

// Rules of single applications.
func TestRules(t *testing.T) {
	a := New(Options{
		Allow: []string{"plain"}, Limits: Limits{MaxCCU: 100, MaxRooms: 10}, AllowAnonymous: true,
		Rules: map[string]Rules{"strict": {Versions: []string{"1", "2"}, Regions: []string{"eu"}, Limits: Limits{MaxCCU: 5, MaxPlayers: 8}}, "free": {Limits: Limits{MaxCCU: -1}}},
	})
	defer a.Close()
	for _, tt := range []struct {
		app, version string
		want         photon.ReturnCode
	}{
		{"plain", "9", 0}, {"strict", "2", 0}, {"free", "", 0},
		{"other", "1", photon.ReturnInvalidAuthentication}, {"strict", "3", photon.ReturnInvalidAuthentication}, {"strict", "", photon.ReturnInvalidAuthentication},
	} {
		_, err := a.Credentials(&Request{AppID: tt.app, AppVersion: tt.version}, time.Now())
		if got := returnCode(err); got != tt.want {
			t.Errorf("%s %q: %d, want %d", tt.app, tt.version, got, tt.want)
		}
	}
	for app, want := range map[string]Limits{"plain": {100, 10, 0}, "strict": {5, 10, 8}, "free": {0, 10, 0}} {
		if got := a.Limits(app); got != want {
			t.Errorf("limits of %s: %+v, want %+v", app, got, want)
		}
	}
	if !a.AllowsRegion("plain", "us") || !a.AllowsRegion("strict", "eu") || a.AllowsRegion("strict", "us") {
		t.Error("regions")
	}
}

// What services in the field answer beside the description: ids as numbers, nulls,
// numbers as texts, a byte order mark.
func TestVerdictForms(t *testing.T) {
	for _, tt := range []struct{ body, want string }{
		{`{"ResultCode":1,"UserId":12345678901234567,"Nickname":7,"Message":null}`, `1 "" "12345678901234567" "7"`},
		{`{"ResultCode":"1","UserId":null,"Nickname":null,"Data":null,"AuthCookie":null}`, `1 "" "" ""`},
		{"\ufeff" + `{"resultCode":2,"message":"no"}`, `2 "no" "" ""`},
		{`{"ResultCode":-3,"Message":5,"UserId":""}`, `-3 "5" "" ""`},
		{`{"ResultCode":1,"UserId":{"id":1}}`, ""},
		{`{"ResultCode":1,"UserId":true}`, ""},
		{`{"ResultCode":1.5}`, ""},
		{`{"UserId":"u"}`, ""},
		{`{"ResultCode":1,"AuthCookie":[1]}`, ""},
	} {
		got := ""
		if v, err := parseVerdict([]byte(tt.body)); err == nil {
			got = fmt.Sprintf("%d %q %q %q", v.Code, v.Message, v.UserID, v.Nickname)
		}
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.body, got, tt.want)
		}
	}
}

func FuzzVerdict(f *testing.F) {
	f.Add(`{"ResultCode":1,"UserId":"u","Data":{"a":[1,2.5,{"b":null}]},"AuthCookie":{"x":1}}`)
	f.Add(`{"ResultCode":0,"Data":{}}`)
	f.Add(`[`)
	f.Fuzz(func(t *testing.T, body string) {
		v, err := parseVerdict([]byte(body))
		if err != nil || v.Data == nil {
			return
		}
		for _, version := range []gpbinary.Version{gpbinary.V16, gpbinary.V18} {
			// Texts may be too long for 1.6; nothing else may fail.
			if _, err := gpbinary.Append(nil, version, v.Data); err != nil && len(body) < 30000 {
				t.Errorf("%s: %v", version, err)
			}
		}
	})
}

func FuzzQuery(f *testing.F) {
	p, err := NewHTTP(HTTPOptions{URL: "http://h/a?b=c", Keys: map[string]string{"secret": "x"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("user=x%20y&token=z")
	f.Add("SECRET=y&secret=z#&b=1")
	f.Fuzz(func(t *testing.T, params string) {
		r, err := p.(*httpProvider).request(t.Context(), &Login{Params: params})
		if err != nil {
			return
		}
		if q := r.URL.Query(); r.URL.Host != "h" || r.URL.Path != "/a" || len(q["secret"]) != 1 || q.Get("secret") != "x" || q.Get("b") != "c" {
			t.Errorf("%q became %s", params, r.URL)
		}
	})
}
