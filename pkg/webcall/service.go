package webcall

import (
	"container/list"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// Config of a Service. Zero numbers take the defaults (plugins.md 8.2).
type Config struct {
	// LaneConcurrent calls of one lane at once (HttpQueueMaxConcurrentRequests);
	// 1, which keeps their order.
	LaneConcurrent int
	// MaxConcurrent calls of all lanes at once; 100. As many goroutines at most.
	MaxConcurrent int
	// MaxQueued calls wait, of all lanes (HttpQueueMaxQueuedRequests); 5000.
	MaxQueued int
	// MaxQueuedBytes is what the bodies of those may have together; 64 MiB.
	MaxQueuedBytes int
	// QueueTimeout is how long a call may wait for its turn; 90 s.
	QueueTimeout time.Duration
	// RequestTimeout is how long an answer may take, redirects and body
	// included; 30 s.
	RequestTimeout time.Duration
	// MaxErrors and MaxTimeouts in a row take the service offline; 30, negative:
	// never. Only a success ends a row.
	MaxErrors, MaxTimeouts int
	// ReconnectInterval is how long it stays offline before one call is let
	// through; 10 s.
	ReconnectInterval time.Duration
	// Logger gets a line when the service goes offline and when it is back.
	Logger zerolog.Logger
}

func (c Config) withDefaults() Config {
	for n, v := range map[*int]int{
		&c.LaneConcurrent: 1, &c.MaxConcurrent: 100, &c.MaxQueued: 5000, &c.MaxQueuedBytes: 64 << 20,
		&c.MaxErrors: 30, &c.MaxTimeouts: 30,
	} {
		if *n == 0 {
			*n = v
		}
	}
	for d, v := range map[*time.Duration]time.Duration{
		&c.QueueTimeout: 90 * time.Second, &c.RequestTimeout: 30 * time.Second, &c.ReconnectInterval: 10 * time.Second,
	} {
		if *d <= 0 {
			*d = v
		}
	}
	return c
}

// State of a Service (plugins.md 8.2).
type State byte

// The states.
const (
	StateRunning State = iota
	StateOffline       // every call is answered at once, until ReconnectInterval is over
	StateProbing       // one call is out to see whether the service is back
)

// String returns the state's name.
func (s State) String() string { return [...]string{"Running", "Offline", "Probing"}[s] }

// Service calls the web services of one application: one limit and one offline
// mode for all of its lanes. Its methods may be called from any goroutine;
// none but Close blocks.
type Service struct {
	client *Client
	cfg    Config
	calls  sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	state    State
	until    time.Time // Offline: when to probe
	epoch    int       // counts changes of state; results of older calls don't matter
	errors   int       // in a row
	timeouts int       // in a row
	running  map[*call]struct{}
	bytes    int         // of the bodies of waiting
	waiting  list.List   // of *call, oldest first, all lanes
	ready    list.List   // of *Lane that have a call which only MaxConcurrent holds back
	expiry   *time.Timer // for the oldest of waiting; nil while there is none
	ended    [len(statusNames)]uint64
}

// NewService returns a service. Many may share a client.
func NewService(c *Client, cfg Config) *Service {
	return &Service{client: c, cfg: cfg.withDefaults(), running: map[*call]struct{}{}}
}

// Stats of a service.
type Stats struct {
	State            State
	Waiting, Running int
	// Ended counts the calls by Status.
	Ended [6]uint64
}

// Stats returns the service's counts.
func (s *Service) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Stats{State: s.state, Waiting: s.waiting.Len(), Running: len(s.running), Ended: s.ended}
}

// Lane returns the queue of one room. An idle lane costs its struct. It is to
// be closed with the room.
func (s *Service) Lane() *Lane { return &Lane{service: s} }

// Close ends all calls, those under way included, and waits for their
// goroutines. Their done is not called.
func (s *Service) Close() {
	s.mu.Lock()
	s.closed = true
	for e := s.waiting.Front(); e != nil; e = s.waiting.Front() {
		s.forget(e.Value.(*call))
	}
	for c := range s.running {
		c.cancel()
		s.forget(c)
	}
	if s.expiry != nil {
		s.expiry.Stop()
	}
	s.mu.Unlock()
	s.calls.Wait()
}

// answer is a done that is due; it is called without the lock.
type answer struct {
	call     *call
	response Response
}

func deliver(answers []answer) {
	for _, a := range answers {
		a.call.stop()
		if a.call.ctx.Err() == nil {
			a.call.done(a.response)
		}
	}
}

// What follows is called with the lock held.

// end takes a call out of the state machine and returns its answer.
func (s *Service) end(c *call, r Response) answer {
	s.forget(c)
	s.ended[r.Status]++
	return answer{c, r}
}

// forget takes a call out of the state machine. When it was the probe and has
// told nothing, the next call is.
func (s *Service) forget(c *call) {
	c.lane.remove(c)
	if c.probe && c.epoch == s.epoch && s.state == StateProbing {
		s.offline(0)
	}
}

// offline begins a pause. Calls that wait have to be answered by flush.
func (s *Service) offline(pause time.Duration) {
	s.state, s.until, s.errors, s.timeouts = StateOffline, time.Now().Add(pause), 0, 0
	s.epoch++
}

// flush answers what waits: none of it will be called.
func (s *Service) flush(out []answer) []answer {
	for e := s.waiting.Front(); e != nil; e = s.waiting.Front() {
		out = append(out, s.end(e.Value.(*call), pausedResponse))
	}
	return out
}

var pausedResponse = Response{Status: Offline, Reason: "calls pause after too many failures"}

// admit says whether a new call may wait for its turn, or why not.
func (s *Service) admit(c *call) (Response, bool) {
	if s.state == StateProbing || s.state == StateOffline && time.Now().Before(s.until) {
		return pausedResponse, false
	}
	if s.waiting.Len() >= s.cfg.MaxQueued || s.bytes+len(c.request.Body) > s.cfg.MaxQueuedBytes {
		return Response{Status: QueueFull, Reason: "too many calls wait"}, false
	}
	if s.state == StateOffline {
		s.state, c.probe = StateProbing, true
		s.epoch++
	}
	c.epoch = s.epoch
	return Response{}, true
}

// judge counts a result that came from the service.
func (s *Service) judge(c *call, r *Response) {
	if r.refused || c.epoch != s.epoch {
		return
	}
	switch r.Status {
	case Success:
		s.errors, s.timeouts = 0, 0
		if s.state == StateProbing {
			s.state = StateRunning
			s.epoch++
			s.cfg.Logger.Info().Msg("web service answers again")
		}
		return
	case RequestTimeout:
		s.timeouts++
	default:
		s.errors++
	}
	if s.state == StateProbing {
		s.offline(s.cfg.ReconnectInterval)
	} else if s.state == StateRunning && (reached(s.errors, s.cfg.MaxErrors) || reached(s.timeouts, s.cfg.MaxTimeouts)) {
		s.offline(s.cfg.ReconnectInterval)
		s.cfg.Logger.Warn().Stringer("last", r.Status).Str("reason", r.Reason).Dur("pause", s.cfg.ReconnectInterval).
			Msg("web service fails, calls pause")
	}
}

func reached(n, limit int) bool { return limit >= 0 && n >= limit }

// dispatch starts what may run.
func (s *Service) dispatch() {
	for len(s.running) < s.cfg.MaxConcurrent {
		e := s.ready.Front()
		if e == nil {
			return
		}
		l := e.Value.(*Lane)
		c := l.waiting.Front().Value.(*call)
		l.start(c)
		s.running[c] = struct{}{}
		ctx, cancel := context.WithTimeout(c.ctx, s.cfg.RequestTimeout)
		c.cancel = cancel
		s.calls.Go(func() { s.run(ctx, c) })
	}
}

// expire answers calls that waited too long; the timer calls it.
func (s *Service) expire() {
	s.mu.Lock()
	var out []answer
	now := time.Now()
	s.expiry = nil
	for e := s.waiting.Front(); e != nil && !s.closed; e = s.waiting.Front() {
		c := e.Value.(*call)
		if left := s.cfg.QueueTimeout - now.Sub(c.queued); left > 0 {
			s.expiry = time.AfterFunc(left, s.expire)
			break
		}
		out = append(out, s.end(c, Response{Status: QueueTimeout, Reason: "the call waited too long for its turn"}))
	}
	s.mu.Unlock()
	deliver(out)
}

// run makes a call, on a goroutine of its own. The call keeps its place in the
// lane until done has returned: so answers of a lane keep their order.
func (s *Service) run(ctx context.Context, c *call) {
	r := s.client.Do(ctx, c.request)
	s.mu.Lock()
	c.cancel()
	var out []answer
	if slices.Contains(c.lane.running, c) && c.ctx.Err() == nil {
		s.judge(c, &r)
		s.ended[r.Status]++
		out = append(out, answer{c, r})
		if s.state == StateOffline {
			out = s.flush(out)
		}
	}
	s.mu.Unlock()
	deliver(out)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(c)
	delete(s.running, c)
	s.dispatch()
}
