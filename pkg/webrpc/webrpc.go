// Package webrpc answers operation WebRpc (219): a client calls a method of the
// game's web service by way of the master or game server that it is on
// (loadbalancing-webhooks.md 1).
package webrpc

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/textproto"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/secure"
	"github.com/boson-project/boson/pkg/webcall"
)

// Target is one web service.
type Target struct {
	// BaseURL is http or https; empty: there is none. {AppId}, {AppVersion},
	// {Region} and {Cloud} behind the host stand for the client's values.
	BaseURL string
	// Headers are sent with every call, each as "Name: value".
	Headers []string
}

// Options of a Service. Zero numbers take the defaults.
type Options struct {
	// Default is for all applications that are not in Apps, by AppId.
	Default Target
	Apps    map[string]Target
	// Timeout of one call, its wait for a turn included once more; 10 s.
	Timeout time.Duration
	// PerMinute calls of one connection; 0 is no limit.
	PerMinute int
	// Private lets the services' names lead to loopback and private addresses.
	Private bool
	// MaxConcurrent calls of the whole server at once; 100.
	MaxConcurrent int
	// RootCAs to trust; nil: those of the system.
	RootCAs *x509.CertPool
	// Logger gets a debug line for each call that fails.
	Logger zerolog.Logger
}

// Limits beside those of Options.
const (
	// maxParallel calls of one connection are under way at once, maxOut with
	// those that wait.
	maxParallel = 16
	maxOut      = 64
	// maxQueued calls of the whole server wait.
	maxQueued = 2000
	// maxAnswer in bytes: what may go to a client in one message by default.
	maxAnswer = 500_000
)

// Service makes the calls of one server's clients. A nil *Service answers that
// there is no service. Its methods may be called from any goroutine.
type Service struct {
	opt     Options
	client  *webcall.Client
	calls   *webcall.Service
	targets map[string]*target
	other   *target
}

// New returns a service, to be closed after the peers have gone; nil where no
// application has a web service. The error names what is wrong with a target.
func New(opt Options) (*Service, error) {
	if opt.Timeout <= 0 {
		opt.Timeout = 10 * time.Second
	}
	s := &Service{opt: opt, targets: map[string]*target{}}
	rules := webcall.Rules{Private: opt.Private}
	add := func(t Target) (*target, error) {
		parsed, err := parseTarget(t)
		if parsed != nil {
			rules.Allow = append(rules.Allow, parsed.rule())
		}
		return parsed, err
	}
	var err error
	if s.other, err = add(opt.Default); err != nil {
		return nil, err
	}
	for appID, t := range opt.Apps {
		if s.targets[appID], err = add(t); err != nil {
			return nil, fmt.Errorf("application %q: %w", appID, err)
		}
	}
	if len(rules.Allow) == 0 {
		return nil, nil
	}
	if s.client, err = webcall.NewClient(webcall.ClientOptions{Rules: rules, MaxBody: maxAnswer, RootCAs: opt.RootCAs}); err != nil {
		return nil, err
	}
	// There is no offline mode: a few clients with bad paths could switch it on
	// for all.
	s.calls = webcall.NewService(s.client, webcall.Config{
		LaneConcurrent: maxParallel, MaxConcurrent: opt.MaxConcurrent, MaxQueued: maxQueued,
		QueueTimeout: opt.Timeout, RequestTimeout: opt.Timeout, MaxErrors: -1, MaxTimeouts: -1,
	})
	return s, nil
}

// Calls is the number of calls that are under way or wait.
func (s *Service) Calls() int {
	if s == nil {
		return 0
	}
	st := s.calls.Stats()
	return st.Running + st.Waiting
}

// Close ends the calls that are under way and waits for their goroutines. Their
// clients get no answer any more.
func (s *Service) Close() {
	if s != nil {
		s.calls.Close()
		s.client.Close()
	}
}

func (s *Service) target(appID string) *target {
	if s == nil {
		return nil
	}
	if t, ok := s.targets[appID]; ok {
		return t
	}
	return s.other
}

// Peer is a client of the server.
type Peer interface {
	app.Responder
	Protocol() photon.Protocol
}

// Request holds the parameters of WebRpc.
type Request struct {
	Path   string `photon:"209"`
	Params any    `photon:"208,optional"`
	Flags  byte   `photon:"234,optional"`
}

// Caller is what a Service keeps of one connection. Its zero value is ready.
type Caller struct {
	mu     sync.Mutex
	lane   *webcall.Lane
	recent []time.Time // calls of the last minute, oldest first
	out    int
	closed bool
}

// Close breaks off the connection's calls. It does not block.
func (c *Caller) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.lane != nil {
		c.lane.Close()
	}
}

// window is the time that Options.PerMinute is about.
const window = time.Minute

// begin takes one call of the connection's budget, or says why not.
func (c *Caller) begin(s *Service, now time.Time) (*webcall.Lane, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if limit := s.opt.PerMinute; limit > 0 {
		for len(c.recent) > 0 && now.Sub(c.recent[0]) >= window {
			c.recent = c.recent[1:]
		}
		if len(c.recent) >= limit {
			return nil, app.Fail(photon.ReturnHTTPLimitReached, fmt.Sprintf("more than %d WebRpc calls within a minute", limit))
		}
	}
	if c.out >= maxOut {
		return nil, app.Fail(photon.ReturnHTTPLimitReached, "too many WebRpc calls at once")
	}
	if c.lane == nil {
		c.lane = s.calls.Lane()
		if c.closed {
			c.lane.Close()
		}
	}
	if s.opt.PerMinute > 0 {
		c.recent = append(c.recent, now)
	}
	c.out++
	return c.lane, nil
}

func (c *Caller) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out--
}

// Call makes one call and answers the peer, at once or later from another
// goroutine; not at all when c is closed before. It does not block. c belongs
// to the peer's connection, t is its identity.
func (s *Service) Call(c *Caller, p Peer, t *secure.Token, op app.Op, r *Request) {
	call, err := s.request(p.Protocol(), t, r)
	if err != nil {
		app.RespondError(p, op, err)
		return
	}
	lane, err := c.begin(s, time.Now())
	if err != nil {
		app.RespondError(p, op, err)
		return
	}
	lane.Do(context.Background(), call, func(resp webcall.Response) {
		c.end()
		params, err := answer(r.Path, &resp)
		if err != nil {
			path, _, _ := strings.Cut(r.Path, "?") // a query may hold secrets
			s.opt.Logger.Debug().Str("app", t.AppID).Str("path", path).Stringer("status", resp.Status).Err(err).Msg("WebRpc failed")
			app.RespondError(p, op, err)
			return
		}
		p.Respond(op, photon.ReturnOk, "", params)
	})
}

// request makes the HTTP request of a call (loadbalancing-webhooks.md 1.3).
func (s *Service) request(proto photon.Protocol, t *secure.Token, r *Request) (*webcall.Request, error) {
	to := s.target(t.AppID)
	if to == nil {
		return nil, app.Fail(photon.ReturnInvalidOperation, "WebRpc is not configured")
	}
	url, err := to.url(t, r.Path)
	if err != nil {
		return nil, err
	}
	body, err := appendBody(nil, proto, t, r)
	if err != nil {
		return nil, err
	}
	return &webcall.Request{Method: http.MethodPost, URL: url, Header: to.header, Body: body}, nil
}

// parseHeaders reads "Name: value" lines.
func parseHeaders(lines []string) (http.Header, error) {
	h := http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}}
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		value = textproto.TrimString(value)
		if !ok || !token(name) || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return nil, fmt.Errorf("header %.40q is not of the form \"Name: value\"", name) // the value may be a secret
		}
		h.Set(name, value)
	}
	return h, nil
}

// token says whether a text can be a header's name.
func token(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == ""
}
