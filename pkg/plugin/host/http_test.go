package host_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
	"github.com/boson-project/boson/pkg/plugin/plugintest"
	"github.com/boson-project/boson/pkg/webcall"
)

// web is a web service that answers by path, and a room whose plugin calls it.
// Real sockets: these tests run in real time.
type web struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string
	hold  chan struct{} // what /hold waits for
}

func newWeb(t *testing.T) *web {
	w := &web{hold: make(chan struct{})}
	w.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.mu.Lock()
		w.asked = append(w.asked, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", r.Method, r.URL.Path, r.Header.Get("X-Key"), body)))
		w.mu.Unlock()
		switch r.URL.Path {
		case "/404":
			rw.WriteHeader(http.StatusNotFound)
		case "/500":
			rw.WriteHeader(http.StatusInternalServerError)
		case "/hold":
			select {
			case <-w.hold:
			case <-r.Context().Done():
			}
		}
		_, _ = io.WriteString(rw, "answer to "+r.URL.Path)
	}))
	t.Cleanup(w.Close)
	return w
}

func (w *web) requests() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.asked...)
}

// with runs a test with a room whose plugin may call the service.
func (w *web) with(t *testing.T, opt plugintest.Options, test func(s *plugintest.Server, r *recorder, ann *plugintest.Client)) {
	t.Helper()
	r := &recorder{}
	opt.Factory = &factory{made: []*recorder{r}}
	opt.Allow = append(opt.Allow, strings.TrimPrefix(w.URL, "http://"))
	s := plugintest.New(t, opt)
	ann := s.Client("ann")
	wantOk(t, ann.Create("room"))
	test(s, r, ann)
	s.Stop()
}

// PL-91, PL-98: asynchronous requests, in order.
func TestAsyncHTTP(t *testing.T) {
	w := newWeb(t)
	w.with(t, plugintest.Options{}, func(_ *plugintest.Server, r *recorder, ann *plugintest.Client) {
		got := make(chan string, 3)
		r.raise = func(c *plugin.RaiseEventCall) {
			for i := range 3 {
				err := r.Host.HTTP(&plugin.HTTPRequest{
					URL: w.URL + fmt.Sprint("/", i), Method: "POST", Body: []byte("body"), Headers: map[string]string{"X-Key": "k", "Host": "other"},
					Async: true, UserState: i,
					Callback: func(a *plugin.HTTPResponse, state any) {
						// On the fiber: the host works.
						if err := r.Host.BroadcastEvent(plugin.Event{Code: 9}); err != nil {
							t.Error(err)
						}
						got <- fmt.Sprintf("%v %d %s %v", a.Status, a.HTTPCode, a.Text(), state)
					},
				})
				if err != nil {
					t.Error(err)
				}
			}
			_ = c.Continue()
		}
		ann.Raise(1, nil)
		for i := range 3 {
			if line := <-got; line != fmt.Sprintf("Success 200 answer to /%d %d", i, i) {
				t.Errorf("callback %d: %s", i, line)
			}
		}
		wantList(t, "requests", w.requests(), "POST /0 k body", "POST /1 k body", "POST /2 k body")
		ann.WaitEvent(9)
	})
}

// PL-92: a synchronous request holds up its room, and nothing else.
func TestSyncHTTP(t *testing.T) {
	w := newWeb(t)
	w.with(t, plugintest.Options{}, func(s *plugintest.Server, r *recorder, ann *plugintest.Client) {
		bob := s.Client("bob")
		wantOk(t, bob.Join("room"))
		other := s.Client("other")
		wantOk(t, other.Create("other room"))
		order := make(chan string, 10)
		r.raise = func(c *plugin.RaiseEventCall) {
			order <- fmt.Sprint("begin ", c.Request.EvCode)
			if c.Request.EvCode == 1 {
				_ = r.Host.HTTP(&plugin.HTTPRequest{URL: w.URL + "/hold", Callback: func(a *plugin.HTTPResponse, _ any) {
					order <- "callback " + a.Status.String()
				}})
			}
			order <- fmt.Sprint("end ", c.Request.EvCode)
			_ = c.Continue()
		}
		ann.Raise(1, nil)
		ann.Raise(2, nil)
		if first := <-order; first != "begin 1" {
			t.Error(first)
		}
		other.Raise(1, nil)
		other.Sync() // another room goes on
		for !r.Host.Suspended() {
			time.Sleep(time.Millisecond) // it is about to be
		}
		close(w.hold)
		for _, want := range []string{"callback Success", "end 1", "begin 2", "end 2"} {
			if got := <-order; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		if e := bob.WaitEvent(1); e.Sender() != 1 {
			t.Errorf("event %v", e)
		}
		bob.WaitEvent(2)
	})
}

// PL-93, PL-94, PL-97, PL-139: what can become of a request.
func TestHTTPStatus(t *testing.T) {
	w := newWeb(t)
	type outcome struct {
		url    string
		status plugin.HTTPStatus
		code   int
	}
	check := func(config webcall.Config, list ...outcome) {
		w.with(t, plugintest.Options{HTTP: config}, func(_ *plugintest.Server, r *recorder, ann *plugintest.Client) {
			for _, want := range list {
				got := make(chan *plugin.HTTPResponse, 1)
				r.Host.Enqueue(func() {
					_ = r.Host.HTTP(&plugin.HTTPRequest{URL: want.url, Callback: func(a *plugin.HTTPResponse, _ any) { got <- a }})
				})
				a := <-got
				if a.Status != want.status || a.HTTPCode != want.code || a.Status != plugin.HTTPSuccess && a.Reason == "" {
					t.Errorf("%s: %v %d %q", want.url, a.Status, a.HTTPCode, a.Reason)
				}
			}
			ann.Sync()
		})
	}
	check(webcall.Config{MaxErrors: 100},
		outcome{w.URL + "/ok", plugin.HTTPSuccess, 200},
		outcome{w.URL + "/404", plugin.HTTPError, 404},
		outcome{w.URL + "/500", plugin.HTTPError, 500},
		outcome{"http://127.0.0.1:1/", plugin.HTTPError, 0},
		outcome{"no url", plugin.HTTPError, 0},
		outcome{"ftp://127.0.0.1/", plugin.HTTPError, 0},
		outcome{"http://169.254.169.254/latest/meta-data", plugin.HTTPError, 0},
		outcome{"http://10.0.0.1/", plugin.HTTPError, 0},
	)
	// Apart from the others, which take longer than that on a busy machine.
	check(webcall.Config{RequestTimeout: 50 * time.Millisecond}, outcome{w.URL + "/hold", plugin.HTTPRequestTimeout, 0})
	w.with(t, plugintest.Options{HTTP: webcall.Config{MaxErrors: 2, ReconnectInterval: time.Hour}}, func(_ *plugintest.Server, r *recorder, _ *plugintest.Client) {
		var got []string
		done := make(chan struct{})
		r.Host.Enqueue(func() {
			for range 4 {
				_ = r.Host.HTTP(&plugin.HTTPRequest{URL: w.URL + "/500", Callback: func(a *plugin.HTTPResponse, _ any) { got = append(got, a.Status.String()) }})
			}
			close(done)
		})
		<-done
		wantList(t, "statuses", got, "Error", "Error", "Offline", "Offline")
	})
}

// PL-99: a call that waits for an answer, in creation too.
func TestHTTPFor(t *testing.T) {
	w := newWeb(t)
	r := &recorder{}
	s := plugintest.New(t, plugintest.Options{Factory: &factory{made: []*recorder{r}}, Allow: []string{strings.TrimPrefix(w.URL, "http://")}})
	r.create = func(c *plugin.CreateGameCall) {
		err := r.Host.HTTPFor(c, &plugin.HTTPRequest{URL: w.URL + "/create", Callback: func(a *plugin.HTTPResponse, _ any) {
			if a.Call != plugin.Deferrable(c) || !c.IsDeferred() {
				t.Error("the call is not the response's")
			}
			_ = c.Continue()
		}})
		if err != nil {
			t.Error(err)
		}
	}
	r.raise = func(c *plugin.RaiseEventCall) {
		_ = r.Host.HTTPFor(c, &plugin.HTTPRequest{URL: w.URL + "/hold", Callback: func(a *plugin.HTTPResponse, _ any) { _ = c.Continue() }})
	}
	ann, bob := s.Client("ann"), s.Client("bob")
	wantOk(t, ann.Create("room"))
	wantOk(t, bob.Join("room")) // it waits if it comes first
	ann.Raise(1, "waits")
	ann.Sync() // PL-15: the room goes on
	wantOk(t, ann.Set(0, table("k", "v")))
	close(w.hold)
	if e := bob.WaitEvent(1); e.Data() != "waits" {
		t.Errorf("event %v", e)
	}
}

// PL-100: a room that ends does not wait for its requests, and nothing is left.
func TestHTTPOfAClosedRoom(t *testing.T) {
	w := newWeb(t)
	w.with(t, plugintest.Options{}, func(s *plugintest.Server, r *recorder, ann *plugintest.Client) {
		r.raise = func(c *plugin.RaiseEventCall) {
			_ = r.Host.HTTP(&plugin.HTTPRequest{URL: w.URL + "/hold", Async: true, Callback: func(*plugin.HTTPResponse, any) {
				t.Error("the callback ran after the end")
			}})
			_ = c.Continue()
		}
		ann.Raise(1, nil)
		ann.Sync()
		wantOk(t, ann.Leave(false))
		<-r.Host.Context().Done()
	})
	close(w.hold)
}

// The requests of rooms need the room's end to be the server's: a stop does not
// hang on a room that waits for its service.
func TestStopWhileSuspended(t *testing.T) {
	w := newWeb(t)
	w.with(t, plugintest.Options{}, func(s *plugintest.Server, r *recorder, ann *plugintest.Client) {
		began := make(chan struct{})
		r.raise = func(c *plugin.RaiseEventCall) {
			close(began)
			_ = r.Host.HTTP(&plugin.HTTPRequest{URL: w.URL + "/hold"})
			_ = c.Continue()
		}
		ann.Send(photon.OpRaiseEvent, param(photon.ParamEventCode, byte(1)))
		<-began
		go func() {
			time.Sleep(20 * time.Millisecond)
			close(w.hold)
		}()
	})
}
