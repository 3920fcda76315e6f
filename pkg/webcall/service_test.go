package webcall

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"
)

// web is a web service in virtual time: each call takes as long as take says,
// and answers with status; 0 fails.
type web struct {
	mu     sync.Mutex
	take   time.Duration
	status int
	asked  []string
	at     []time.Duration
	start  time.Time
	now    int // calls that are out
	most   int
}

func (w *web) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	w.asked = append(w.asked, r.URL.Path)
	w.at = append(w.at, time.Since(w.start))
	w.now++
	w.most = max(w.most, w.now)
	take, status := w.take, w.status
	w.mu.Unlock()
	timer := time.NewTimer(take)
	defer timer.Stop()
	var err error
	select {
	case <-timer.C:
	case <-r.Context().Done():
		err = r.Context().Err()
	}
	w.mu.Lock()
	w.now--
	w.mu.Unlock()
	if err == nil && status == 0 {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Header: http.Header{"X": {"y"}}, Body: io.NopCloser(strings.NewReader("body of " + r.URL.Path)), Request: r}, nil
}

func (w *web) set(status int, take time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status, w.take = status, take
}

func (w *web) heard() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.asked)
}

// results collects what done was called with.
type results struct {
	mu  sync.Mutex
	all []string
}

func (r *results) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.all
	r.all = nil
	return all
}

func (r *results) call(l *Lane, ctx context.Context, path string) {
	r.post(l, ctx, "http://web.test/"+path, nil)
}

func (r *results) post(l *Lane, ctx context.Context, url string, body []byte) {
	l.Do(ctx, &Request{URL: url, Body: body}, func(resp Response) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.all = append(r.all, strings.TrimPrefix(url, "http://web.test/")+" "+resp.Status.String())
	})
}

func (r *results) expect(t *testing.T, when string, want ...string) {
	t.Helper()
	synctest.Wait()
	got := r.take()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", when, got, want)
	}
}

// inService runs a test in virtual time.
func inService(t *testing.T, cfg Config, test func(t *testing.T, s *Service, w *web, r *results)) {
	synctest.Test(t, func(t *testing.T) {
		w := &web{status: 200, start: time.Now()}
		c, err := NewClient(ClientOptions{Rules: Rules{Allow: []string{"web.test"}}, Transport: w})
		if err != nil {
			t.Fatal(err)
		}
		s := NewService(c, cfg)
		test(t, s, w, &results{})
		s.Close()
		if n := goroutines(); n > 0 {
			t.Errorf("%d goroutines are left", n)
		}
	})
}

// goroutines counts those of services.
func goroutines() int {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	return bytes.Count(stacks, []byte("webcall.(*Service).run("))
}

// PL-91, PL-98: Do returns at once, calls of a room go out one by one and in order.
func TestLaneKeepsOrder(t *testing.T) {
	inService(t, Config{}, func(t *testing.T, s *Service, w *web, r *results) {
		w.set(200, time.Second)
		one, two := s.Lane(), s.Lane()
		for i := range 3 {
			r.call(one, t.Context(), fmt.Sprint("one", i))
			r.call(two, t.Context(), fmt.Sprint("two", i))
		}
		if time.Since(w.start) != 0 {
			t.Error("Do waited")
		}
		r.expect(t, "at once")
		for i := range 3 {
			time.Sleep(time.Second)
			r.expect(t, fmt.Sprint("after ", i+1, " s"), fmt.Sprint("one", i, " Success"), fmt.Sprint("two", i, " Success"))
		}
		if w.most != 2 {
			t.Errorf("%d calls at once, want one of each room", w.most)
		}
		w.set(200, 0)
		var want []string
		for i := range 200 {
			r.call(one, t.Context(), fmt.Sprint(i))
			want = append(want, fmt.Sprint(i, " Success"))
		}
		synctest.Wait()
		if got := r.take(); !slices.Equal(got, want) {
			t.Errorf("answers came as %q", got)
		}
	})
}

func TestConcurrentCalls(t *testing.T) {
	inService(t, Config{LaneConcurrent: 2, MaxConcurrent: 3}, func(t *testing.T, s *Service, w *web, r *results) {
		w.set(200, time.Second)
		for n := range 4 {
			l := s.Lane()
			for i := range 4 {
				r.call(l, t.Context(), fmt.Sprint(n, "-", i))
			}
		}
		synctest.Wait()
		// A room's second call comes after the first ones of the others.
		if got := w.heard(); !slices.Equal(sorted(got), []string{"/0-0", "/0-1", "/1-0"}) {
			t.Errorf("first calls: %q", got)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := w.heard()[3:]; !slices.Equal(sorted(got), []string{"/1-1", "/2-0", "/3-0"}) {
			t.Errorf("second calls: %q", got)
		}
		if w.most != 3 {
			t.Errorf("%d calls at once, want 3", w.most)
		}
		if st := s.Stats(); st.Running != 3 || st.Waiting != 10 || st.Ended[Success] != 3 {
			t.Errorf("%+v", st)
		}
		time.Sleep(time.Minute)
		if got := len(r.take()); got != 16 {
			t.Errorf("%d answers", got)
		}
	})
}

func sorted(s []string) []string { slices.Sort(s); return s }

// PL-94, PL-95: an answer that does not come, a turn that does not come.
func TestTimeouts(t *testing.T) {
	inService(t, Config{QueueTimeout: 45 * time.Second}, func(t *testing.T, s *Service, w *web, r *results) {
		w.set(200, time.Hour)
		l := s.Lane()
		for _, path := range []string{"a", "b", "c"} {
			r.call(l, t.Context(), path)
		}
		time.Sleep(29 * time.Second)
		r.expect(t, "before 30 s")
		time.Sleep(time.Second)
		r.expect(t, "after 30 s", "a RequestTimeout")
		time.Sleep(14 * time.Second)
		r.expect(t, "before 45 s")
		time.Sleep(time.Second)
		r.expect(t, "after 45 s", "c QueueTimeout")
		r.call(l, t.Context(), "d")
		time.Sleep(15 * time.Second)
		r.expect(t, "after 60 s", "b RequestTimeout")
		w.set(200, 0)
		time.Sleep(30 * time.Second)
		r.expect(t, "after 90 s", "d RequestTimeout")
		r.call(l, t.Context(), "e")
		r.expect(t, "at the end", "e Success")
	})
}

// PL-96: more than MaxQueued calls, or bytes, of all rooms.
func TestQueueFull(t *testing.T) {
	inService(t, Config{MaxQueued: 2, MaxQueuedBytes: 100}, func(t *testing.T, s *Service, w *web, r *results) {
		w.set(200, time.Second)
		one, two := s.Lane(), s.Lane()
		r.call(one, t.Context(), "out")
		r.call(one, t.Context(), "waits")
		r.call(two, t.Context(), "out too")
		r.call(two, t.Context(), "waits too")
		r.call(one, t.Context(), "x")
		r.call(two, t.Context(), "y")
		r.expect(t, "at once", "x QueueFull", "y QueueFull")
		time.Sleep(2 * time.Second)
		r.expect(t, "later", "out Success", "waits Success", "out too Success", "waits too Success")
		for _, path := range []string{"a", "b", "c"} {
			r.post(one, t.Context(), "http://web.test/"+path, make([]byte, 90))
		}
		time.Sleep(3 * time.Second)
		r.expect(t, "bytes", "a Success", "b Success", "c QueueFull")
	})
}

// PL-97: offline mode is one for all rooms of the application.
func TestOffline(t *testing.T) {
	inService(t, Config{MaxErrors: 3, MaxTimeouts: 2, RequestTimeout: 5 * time.Second}, func(t *testing.T, s *Service, w *web, r *results) {
		one, two := s.Lane(), s.Lane()
		w.set(500, 0)
		r.call(one, t.Context(), "1")
		r.call(two, t.Context(), "2")
		r.expect(t, "two errors", "1 Error", "2 Error")
		w.set(200, 0)
		r.call(one, t.Context(), "3")
		r.expect(t, "a success between", "3 Success")
		w.set(0, 0)
		r.call(one, t.Context(), "4")
		r.call(one, t.Context(), "5")
		r.call(one, t.Context(), "6")
		r.call(one, t.Context(), "7")
		r.expect(t, "three in a row; what waits is answered", "4 Error", "5 Error", "6 Error", "7 Offline")
		r.call(two, t.Context(), "8")
		r.expect(t, "another room", "8 Offline")
		if s.Stats().State != StateOffline {
			t.Error("not offline")
		}
		time.Sleep(9 * time.Second)
		r.call(two, t.Context(), "9")
		r.expect(t, "before the interval is over", "9 Offline")
		time.Sleep(time.Second)
		w.set(500, time.Second)
		r.call(two, t.Context(), "probe")
		r.call(one, t.Context(), "10")
		r.expect(t, "one probe only", "10 Offline")
		time.Sleep(time.Second)
		r.expect(t, "the probe fails", "probe Error")
		time.Sleep(10 * time.Second)
		w.set(200, 0)
		r.call(two, t.Context(), "probe")
		r.expect(t, "the probe is answered", "probe Success")
		if s.Stats().State != StateRunning {
			t.Error("not running")
		}

		w.set(200, time.Minute)
		r.call(one, t.Context(), "11")
		r.call(two, t.Context(), "12")
		time.Sleep(5 * time.Second)
		r.expect(t, "time-outs in a row", "11 RequestTimeout", "12 RequestTimeout")
		r.call(one, t.Context(), "13")
		r.expect(t, "offline again", "13 Offline")
	})
}

// PL-97: a probe that nobody waits for any more, or that never goes out, leaves
// the next call to be the probe; so it is with old calls that end meanwhile.
func TestLostProbe(t *testing.T) {
	inService(t, Config{MaxErrors: 1, QueueTimeout: 5 * time.Second, ReconnectInterval: 2 * time.Second}, func(t *testing.T, s *Service, w *web, r *results) {
		one, two, slow := s.Lane(), s.Lane(), s.Lane()
		w.set(200, 20*time.Second)
		r.call(slow, t.Context(), "slow")
		synctest.Wait()
		w.set(500, 0)
		r.call(one, t.Context(), "1")
		r.expect(t, "an error", "1 Error")

		time.Sleep(2 * time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		w.set(500, time.Second)
		r.call(one, ctx, "probe")
		synctest.Wait()
		cancel()
		r.expect(t, "the probe is cancelled")
		if st := s.Stats(); st.State != StateOffline || st.Running != 1 {
			t.Errorf("%+v", st)
		}
		r.call(two, t.Context(), "probe")
		synctest.Wait()
		two.Close()
		r.expect(t, "the probe's room is closed")

		r.call(slow, t.Context(), "probe") // waits behind the slow one
		time.Sleep(5 * time.Second)
		r.expect(t, "the probe had no turn", "probe QueueTimeout")
		one.Do(t.Context(), &Request{URL: "http://elsewhere.test"}, func(resp Response) {
			if resp.Status != Error || !strings.Contains(resp.Reason, "not allowed") {
				t.Errorf("%+v", resp)
			}
		})
		synctest.Wait()

		w.set(500, 2*time.Second)
		r.call(one, t.Context(), "probe")
		time.Sleep(20 * time.Second) // the slow one has a success meanwhile, from an older time
		r.expect(t, "all ended", "slow Success", "probe Error")
		if st := s.Stats(); st.State != StateOffline {
			t.Errorf("%+v", st)
		}
		w.set(200, 0)
		r.call(one, t.Context(), "probe")
		r.expect(t, "the end", "probe Success")
	})
}

// Bad URLs and forbidden hosts are the caller's mistake: they never take a
// service offline.
func TestRefusedCallsDoNotCount(t *testing.T) {
	inService(t, Config{MaxErrors: 2}, func(t *testing.T, s *Service, w *web, r *results) {
		l := s.Lane()
		for range 5 {
			for _, url := range []string{"http://elsewhere.test/", "ftp://web.test/", "http://[", "/relative"} {
				r.post(l, t.Context(), url, nil)
			}
		}
		synctest.Wait()
		if all := r.take(); len(all) != 20 || slices.ContainsFunc(all, func(a string) bool { return !strings.HasSuffix(a, " Error") }) {
			t.Errorf("%q", all)
		}
		r.call(l, t.Context(), "ok")
		r.expect(t, "the end", "ok Success")
		if n := len(w.heard()); n != 1 {
			t.Errorf("%d went out", n)
		}
	})
}

// PL-100: a closed lane and an ended context break off what waits and what is
// under way; nobody is called back.
func TestCloseAndCancel(t *testing.T) {
	inService(t, Config{}, func(t *testing.T, s *Service, w *web, r *results) {
		w.set(200, time.Hour)
		l := s.Lane()
		r.call(l, t.Context(), "a")
		r.call(l, t.Context(), "b")
		synctest.Wait()
		if n := goroutines(); n != 1 {
			t.Errorf("%d goroutines for one call", n)
		}
		l.Close()
		r.call(l, t.Context(), "c")
		r.expect(t, "closed")
		if n := goroutines(); n != 0 {
			t.Errorf("%d goroutines are left", n)
		}
		if st := s.Stats(); st.Waiting != 0 || st.Running != 0 {
			t.Errorf("%+v", st)
		}

		l = s.Lane()
		running, stopRunning := context.WithCancel(t.Context())
		waiting, stopWaiting := context.WithCancel(t.Context())
		r.call(l, running, "a")
		r.call(l, waiting, "b")
		r.call(l, t.Context(), "c")
		synctest.Wait()
		stopWaiting()
		synctest.Wait()
		if st := s.Stats(); st.Waiting != 1 || st.Running != 1 {
			t.Errorf("%+v", st)
		}
		w.set(200, 0)
		stopRunning()
		r.expect(t, "cancelled", "c Success")
		r.call(l, running, "d")
		r.expect(t, "cancelled before")
		if got := w.heard(); !slices.Equal(got, []string{"/a", "/a", "/c"}) {
			t.Errorf("went out: %q", got)
		}

		w.set(200, time.Hour)
		r.call(l, t.Context(), "e")
		r.call(l, t.Context(), "f")
		synctest.Wait()
		s.Close()
		r.call(l, t.Context(), "g")
		r.expect(t, "the service is closed")
	})
}

// An idle lane is no more than its struct, and lanes need no closing to be forgotten.
func TestIdleLane(t *testing.T) {
	if size := unsafe.Sizeof(Lane{}); size > 128 {
		t.Errorf("a lane has %d bytes", size)
	}
	s := NewService(nil, Config{})
	if n := testing.AllocsPerRun(100, func() { s.Lane().Close() }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

// Many goroutines at once: each call ends once, the limits hold.
func TestManyCallers(t *testing.T) {
	inService(t, Config{MaxConcurrent: 7, LaneConcurrent: 3, MaxErrors: 1 << 30}, func(t *testing.T, s *Service, w *web, r *results) {
		w.set(200, time.Millisecond)
		var wg sync.WaitGroup
		for n := range 20 {
			l := s.Lane()
			for i := range 5 {
				wg.Go(func() {
					for k := range 10 {
						ctx, cancel := context.WithCancel(t.Context())
						r.call(l, ctx, fmt.Sprint(n, i, k))
						if k == 9 {
							cancel()
						}
						defer cancel()
					}
					time.Sleep(time.Second)
				})
			}
		}
		wg.Wait()
		synctest.Wait()
		if got := len(r.take()); got != 900 {
			t.Errorf("%d answers, want 900", got)
		}
		if w.most > 7 {
			t.Errorf("%d calls at once", w.most)
		}
	})
}
