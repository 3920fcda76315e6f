package auth

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/secure"
)

// Provider knows the users of one ClientAuthenticationType
// (loadbalancing-auth.md 3). NewProvider makes those that come with Boson; with
// Register a program adds its own, for configurations to name.
type Provider interface {
	// Check asks about one login. It may block until ctx ends and is called from
	// several goroutines. An error says that there is no verdict: the provider
	// can't be reached or makes no sense. A *photon.ParamError or *app.OpError says
	// that the login itself can't be used, and goes to the client as it is.
	Check(ctx context.Context, login *Login) (*Verdict, error)
}

// Login is what a client brings.
type Login struct {
	AppID, AppVersion, UserID string
	// Params (216) are a URL-encoded query.
	Params string
	// Data (214): nil, a string, []byte, or a table or array of package gpbinary.
	Data any
}

// Result codes of providers; all others are failures too.
const (
	ResultIncomplete       = 0
	ResultSuccess          = 1
	ResultWrongCredentials = 2
)

// Verdict is a provider's answer. UserID, Nickname and Cookie count on success
// only, Data also when incomplete.
type Verdict struct {
	Code    int
	Message string
	// UserID takes the place of the client's own, if not empty.
	UserID   string
	Nickname string
	// Cookie is a JSON object that goes into the token and is never shown to
	// the client.
	Cookie []byte
	// Data goes to the client.
	Data *gpbinary.Dictionary
}

// Configured is a provider with its settings.
type Configured struct {
	Type     byte
	Provider Provider
	// RejectIfUnavailable refuses clients while the provider does not answer;
	// without it they are let in as they claim to be.
	RejectIfUnavailable bool
}

// Custom configures custom authentication. Zero numbers take the defaults of
// cluster.md 6.4.
type Custom struct {
	Providers []Configured
	// AllowUnconfigured lets clients in whose type has no provider.
	AllowUnconfigured bool
	// OwnUserIDs ignores the user ids that clients choose, once there is a provider.
	OwnUserIDs bool

	// MaxConcurrent questions to one provider at once; 50. MaxQueued wait; 5000.
	MaxConcurrent, MaxQueued int
	// QueueTimeout is how long a question may wait for its turn; 20 s.
	QueueTimeout time.Duration
	// RequestTimeout is how long a provider may take to answer; 30 s.
	RequestTimeout time.Duration
	// MaxErrors in a row pause the questions to a provider; 10. Pauses double from
	// one second up to MaxBackoff; 10 s.
	MaxErrors  int
	MaxBackoff time.Duration

	Logger zerolog.Logger
}

func (c Custom) withDefaults() Custom {
	for n, v := range map[*int]int{&c.MaxConcurrent: 50, &c.MaxQueued: 5000, &c.MaxErrors: 10} {
		if *n == 0 {
			*n = v
		}
	}
	for d, v := range map[*time.Duration]time.Duration{
		&c.QueueTimeout: 20 * time.Second, &c.RequestTimeout: 30 * time.Second, &c.MaxBackoff: 10 * time.Second,
	} {
		if *d == 0 {
			*d = v
		}
	}
	return c
}

// Outcome of an authentication that did not fail.
type Outcome struct {
	// Again: the client has to bring more; there is no token yet.
	Again bool
	Token *secure.Token
	// Data is for the client (parameter 245); may be nil.
	Data *gpbinary.Dictionary
}

// Authenticate checks a full authentication, with the provider if the client
// asks for one. done is called once, before Authenticate returns or later from
// another goroutine, but not at all when waiting says that nobody waits any more.
func (a *Authenticator) Authenticate(r *Request, waiting func() bool, done func(Outcome, error)) {
	t, err := a.claimed(r)
	if err != nil {
		done(Outcome{}, err)
		return
	}
	q := a.providers[t.Provider]
	switch {
	case t.Provider == photon.AuthNone, q == nil && a.opt.Custom.AllowUnconfigured:
		t, err := a.complete(t, time.Now())
		done(Outcome{Token: t}, err)
		return
	case q == nil:
		done(Outcome{}, app.Fail(photon.ReturnCustomAuthenticationFailed, fmt.Sprintf("authentication type %d has no provider here", t.Provider)))
		return
	}
	login := &Login{AppID: r.AppID, AppVersion: r.AppVersion, UserID: r.UserID, Params: r.AuthParams, Data: r.AuthData}
	q.ask(login, waiting, func(v *Verdict, err error) {
		done(a.judge(t, q.Configured, v, err))
	})
}

// maxText is the most of a provider's message that a client gets, in bytes;
// maxCookie keeps tokens at a size that travels in an init request.
const (
	maxText   = 1024
	maxCookie = 4096
)

// judge makes the outcome of a provider's answer (loadbalancing-auth.md 3.3).
func (a *Authenticator) judge(t *secure.Token, p Configured, v *Verdict, err error) (Outcome, error) {
	var oe *app.OpError
	var pe *photon.ParamError
	switch {
	case errors.As(err, &oe), errors.As(err, &pe):
		return Outcome{}, err
	case err != nil && p.RejectIfUnavailable:
		return Outcome{}, app.Fail(photon.ReturnCustomAuthenticationFailed, "the authentication service is not available")
	case err != nil:
		t, err := a.complete(t, time.Now())
		return Outcome{Token: t}, err
	case v.Code == ResultIncomplete:
		return Outcome{Again: true, Data: v.Data}, nil
	case v.Code != ResultSuccess:
		text := v.Message
		if text == "" {
			text = fmt.Sprintf("authentication failed with result code %d", v.Code)
		}
		return Outcome{}, app.Fail(photon.ReturnCustomAuthenticationFailed, cut(text, maxText))
	case len(v.UserID) > maxUserID, len(v.Nickname) > maxText, len(v.Cookie) > maxCookie:
		return Outcome{}, app.Fail(photon.ReturnCustomAuthenticationFailed, "the authentication service's answer is too large")
	}
	if v.UserID != "" {
		t.UserID = v.UserID
	}
	t.Nickname, t.AuthCookie = v.Nickname, v.Cookie
	t, err = a.complete(t, time.Now())
	return Outcome{Token: t, Data: v.Data}, err
}

// cut returns at most n bytes of s, in whole characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// queue asks one provider, from a bounded number of goroutines.
type queue struct {
	Configured
	opt     Custom
	ctx     context.Context
	pool    *app.Pool
	backoff backoff
}

func newQueue(ctx context.Context, p Configured, opt Custom) *queue {
	opt = opt.withDefaults()
	return &queue{
		Configured: p, opt: opt, ctx: ctx, pool: app.NewPool(opt.MaxConcurrent, opt.MaxQueued),
		backoff: backoff{maxErrors: opt.MaxErrors, max: opt.MaxBackoff},
	}
}

// Errors of providers that could not be asked.
var (
	errPaused    = errors.New("auth: provider is paused after errors")
	errBusy      = errors.New("auth: too many questions wait for the provider")
	errQueueTime = errors.New("auth: question waited too long for its turn")
)

func (q *queue) ask(login *Login, waiting func() bool, done func(*Verdict, error)) {
	asked := time.Now()
	if q.backoff.paused(asked) {
		done(nil, errPaused)
		return
	}
	taken := q.pool.Go(func() {
		if !waiting() {
			return
		}
		now := time.Now()
		switch {
		case now.Sub(asked) > q.opt.QueueTimeout:
			done(nil, errQueueTime)
		case !q.backoff.begin(now):
			done(nil, errPaused)
		default:
			done(q.check(login))
		}
	})
	if !taken {
		done(nil, errBusy)
	}
}

func (q *queue) check(login *Login) (*Verdict, error) {
	ctx, cancel := context.WithTimeout(q.ctx, q.opt.RequestTimeout)
	defer cancel()
	v, err := q.Provider.Check(ctx, login)
	var oe *app.OpError
	var pe *photon.ParamError
	answered := err == nil || errors.As(err, &oe) || errors.As(err, &pe)
	switch change := q.backoff.end(answered, time.Now()); {
	case change > 0:
		q.opt.Logger.Warn().Uint8("type", q.Type).Err(err).Dur("pause", change).Msg("authentication provider fails, questions pause")
	case change < 0:
		q.opt.Logger.Info().Uint8("type", q.Type).Msg("authentication provider answers again")
	case !answered:
		q.opt.Logger.Debug().Uint8("type", q.Type).Err(err).Msg("authentication provider failed")
	}
	return v, err
}

// backoff pauses after errors in a row. When a pause is over one question goes
// out; the others stay back until it is answered.
type backoff struct {
	maxErrors int
	max       time.Duration

	mu      sync.Mutex
	errors  int
	pauses  int
	until   time.Time
	probing bool
}

// firstPause is the length of the first pause.
const firstPause = time.Second

// paused says whether there is no point in asking now.
func (b *backoff) paused(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.errors >= b.maxErrors && (b.probing || now.Before(b.until))
}

// begin is called right before a question, end after it; false: don't ask.
func (b *backoff) begin(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.errors < b.maxErrors {
		return true
	}
	if b.probing || now.Before(b.until) {
		return false
	}
	b.probing = true
	return true
}

// end returns the length of a pause that began, -1 when pauses are over, or 0.
func (b *backoff) end(answered bool, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if answered {
		over := b.errors >= b.maxErrors
		b.errors, b.pauses, b.probing, b.until = 0, 0, false, time.Time{}
		if over {
			return -1
		}
		return 0
	}
	b.errors++
	// Questions that were under way when the pause began don't make it longer.
	if b.errors < b.maxErrors || now.Before(b.until) {
		return 0
	}
	pause := min(firstPause<<min(b.pauses, 20), b.max)
	b.pauses++
	b.probing, b.until = false, now.Add(pause)
	return pause
}
