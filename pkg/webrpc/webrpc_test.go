package webrpc

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/secure"
)

// answered is what a peer got.
type answered struct {
	code   photon.ReturnCode
	debug  string
	params photon.Params
}

// peer collects answers.
type peer chan answered

func (p peer) Protocol() photon.Protocol { return photon.GpBinaryV18 }

func (p peer) Respond(op app.Op, rc photon.ReturnCode, debug string, params photon.Params) {
	p <- answered{rc, debug, params}
}

func service(t *testing.T, opt Options) *Service {
	t.Helper()
	s, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func (s *Service) call(c *Caller, p peer, t *secure.Token, path string) {
	s.Call(c, p, t, app.Op{Code: photon.OpWebRPC}, &Request{Path: path})
}

// loadbalancing-webhooks.md 1.1: not enabled is -2, for all or for one application.
func TestTargets(t *testing.T) {
	var asked []string
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.String()+" "+r.Header.Get("X-Key")+" "+r.Header.Get("Content-Type"))
		_, _ = io.WriteString(w, `{"ResultCode":0}`)
	}))
	defer web.Close()
	p := make(peer, 1)
	if s := service(t, Options{Apps: map[string]Target{"app": {}}}); s != nil {
		t.Error("a service without a target")
	} else if s.call(&Caller{}, p, ann, "m"); (<-p).code != photon.ReturnInvalidOperation {
		t.Error("not refused")
	}
	s := service(t, Options{
		Default: Target{BaseURL: web.URL + "/base", Headers: []string{"X-Key: general"}},
		Apps:    map[string]Target{"own": {BaseURL: web.URL + "/own/", Headers: []string{"x-key:special"}}, "none": {}},
	})
	for _, tt := range []struct {
		app, asked string
		code       photon.ReturnCode
	}{
		{"app", "POST /base/m?x general application/json", photon.ReturnOk},
		{"own", "POST /own/m?x special application/json", photon.ReturnOk},
		{"none", "", photon.ReturnInvalidOperation},
	} {
		asked = nil
		s.call(&Caller{}, p, &secure.Token{AppID: tt.app}, "m?x")
		if a := <-p; a.code != tt.code || (tt.asked != "") != (len(asked) == 1) || tt.asked != "" && asked[0] != tt.asked {
			t.Errorf("%s: %+v, asked %q", tt.app, a, asked)
		}
	}
}

// LB-272: 32745 for more than the calls of a minute.
func TestRateLimit(t *testing.T) {
	s := service(t, Options{Default: Target{BaseURL: "http://127.0.0.1:1"}, PerMinute: 3})
	var c Caller
	now := time.Now()
	for i, tt := range []struct {
		at time.Duration
		ok bool
	}{{0, true}, {10, true}, {20, true}, {30, false}, {59, false}, {60, true}, {69, false}, {70, true}, {79, false}, {200, true}, {201, true}, {202, true}, {203, false}} {
		_, err := c.begin(s, now.Add(tt.at*time.Second))
		if (err == nil) != tt.ok {
			t.Errorf("call %d at %d s: %v", i, tt.at, err)
		}
	}
	if _, err := new(Caller).begin(s, now); err != nil {
		t.Errorf("another connection: %v", err)
	}
	off := service(t, Options{Default: Target{BaseURL: "http://127.0.0.1:1"}})
	var many Caller
	for range maxOut {
		if _, err := many.begin(off, now); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := many.begin(off, now); err == nil {
		t.Error("no limit of calls under way")
	}
	many.end()
	if _, err := many.begin(off, now); err != nil {
		t.Error(err)
	}
}

// loadbalancing-webhooks.md 1.4: calls of one client run at once and are
// answered when they are ready; a client that has gone gets nothing and costs
// nothing.
func TestParallelAndGone(t *testing.T) {
	arrived, hold := make(chan string, 10), make(chan struct{})
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		arrived <- r.URL.Path
		if r.URL.Path != "/quick" {
			select {
			case <-hold:
			case <-r.Context().Done():
				arrived <- r.URL.Path + " broken off"
			}
		}
		fmt.Fprintf(w, `{"ResultCode":0,"Message":%q}`, r.URL.Path)
	}))
	defer web.Close()
	s := service(t, Options{Default: Target{BaseURL: web.URL}})
	p := make(peer, 10)
	var c, gone Caller
	s.call(&c, p, ann, "slow")
	<-arrived
	s.call(&c, p, ann, "quick")
	if a := <-p; a.code != photon.ReturnOk {
		t.Fatalf("%+v", a)
	} else if path, _ := a.params.Get(byte(photon.ParamURIPath)); path != "quick" {
		t.Errorf("first answer is for %v", path)
	}
	<-arrived

	other := make(peer, 10)
	s.call(&gone, other, ann, "gone")
	<-arrived
	gone.Close()
	if got := <-arrived; got != "/gone broken off" {
		t.Errorf("%s", got)
	}
	s.call(&gone, other, ann, "late")
	close(hold)
	if a := <-p; a.code != photon.ReturnOk {
		t.Errorf("%+v", a)
	}
	s.Close()
	if len(other) != 0 || len(arrived) != 0 {
		t.Errorf("%d answers to nobody, %d calls", len(other), len(arrived))
	}
}
