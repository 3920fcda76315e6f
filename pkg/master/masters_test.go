package master

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/announce"
	"github.com/boson-project/boson/pkg/auth"
	"github.com/boson-project/boson/pkg/cluster"
	"github.com/boson-project/boson/pkg/lobby"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/s2s"
	"github.com/boson-project/boson/pkg/transport"
)

const testApp = "app\x001.0"

// world is masters, game servers and the links between them in virtual time. Every
// message takes a time of its own, but messages of one link keep their order.
type world struct {
	t   *testing.T
	mu  sync.Mutex // guards all fields below and those of what is in it
	rng *rand.Rand
	ms  []*masterIn
	gs  []*gameServerIn
	// rooms of a name at this moment, and how many were ever made.
	rooms map[string]int
	made  int
	wire  sync.WaitGroup
	trace []happened
}

type happened struct {
	at     time.Time
	format string
	args   []any
}

// log writes down what happens, to be shown if a test fails. It is called with the
// lock, note without.
func (w *world) log(format string, args ...any) {
	if len(w.trace) == 4000 {
		w.trace = slices.Delete(w.trace, 0, 3600)
	}
	w.trace = append(w.trace, happened{time.Now(), format, args})
}

func (w *world) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log(format, args...)
}

// show prints what happened last to a room and to masters.
func (w *world) show(room string) {
	for _, h := range w.trace {
		l := h.at.Format("04:05.000000 ") + fmt.Sprintf(h.format, h.args...)
		if strings.Contains(l, room) || !strings.Contains(l, "room") {
			w.t.Log(l)
		}
	}
}

type masterIn struct {
	*Server
	w     *world
	id    string
	life  int // counts starts; what an earlier life says or hears is lost
	dead  bool
	links map[string]bool // to other masters
}

type gameServerIn struct {
	w        *world
	id       string
	reserved map[string]reserved
	rooms    map[string]*lobby.Record
	queue    map[*Server]time.Time // when the last message to a master arrives
}

type reserved struct {
	placement [16]byte
	until     time.Time
}

var errCut = errors.New("cut")

func newWorld(t *testing.T, seed uint64, masters, gameServers int) *world {
	w := &world{t: t, rng: rand.New(rand.NewPCG(seed, 1)), rooms: map[string]int{}}
	for i := range gameServers {
		w.gs = append(w.gs, &gameServerIn{w: w, id: fmt.Sprint("gs-", i), reserved: map[string]reserved{}, rooms: map[string]*lobby.Record{}, queue: map[*Server]time.Time{}})
	}
	for i := range masters {
		w.ms = append(w.ms, &masterIn{w: w, id: fmt.Sprint("ms-", i), dead: true, links: map[string]bool{}})
	}
	for _, m := range w.ms {
		w.start(m)
	}
	return w
}

// now is the master of the present life, and the number of that.
func (m *masterIn) now() (*Server, int) {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	return m.Server, m.life
}

// chance and delay draw from the seed.
func (w *world) chance(one int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rng.IntN(one) == 0
}

func (w *world) delay(most time.Duration) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Duration(w.rng.Int64N(int64(most)))
}

// start runs a master and links it to all who live.
func (w *world) start(m *masterIn) {
	s := New(Options{Auth: auth.New(auth.Options{}), ID: m.id, StatsInterval: 5 * time.Second, LobbyStatsInterval: time.Minute, LostHold: time.Minute, Logger: zerolog.Nop()})
	w.mu.Lock()
	m.Server, m.dead = s, false
	m.life++
	w.log("start %s", m.id)
	w.mu.Unlock()
	for _, g := range w.gs {
		s.ServerUp(w.asMaster(m, g), cluster.Normal)
		w.mu.Lock()
		for _, r := range g.rooms {
			g.tell(m, func(s *Server) { s.Upsert(g.id, r) })
		}
		w.mu.Unlock()
	}
	for _, o := range w.alive() {
		if o != m {
			other, _ := o.now()
			s.MasterSeen(o.id)
			other.MasterSeen(m.id)
			w.connect(m, o)
		}
	}
}

func (w *world) connect(a, b *masterIn) {
	w.mu.Lock()
	a.links[b.id], b.links[a.id] = true, true
	w.mu.Unlock()
	sa, _ := a.now()
	sb, _ := b.now()
	sa.MasterUp(w.other(a, b))
	sb.MasterUp(w.other(b, a))
}

// other is b as a sees it.
func (w *world) other(a, b *masterIn) Master {
	to, life := b.now()
	_, own := a.now()
	up := func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return !a.dead && !b.dead && b.life == life && a.life == own && a.links[b.id]
	}
	// Messages of one link arrive in order.
	var mu sync.Mutex
	last := time.Now()
	send := func(fn func()) {
		mu.Lock()
		at := time.Now().Add(w.delay(5 * time.Millisecond))
		if at.Before(last) {
			at = last
		}
		last = at
		mu.Unlock()
		w.wire.Go(func() {
			time.Sleep(time.Until(at))
			if up() {
				fn()
			}
		})
	}
	return Master{
		ID: b.id,
		Forward: func(ctx context.Context, f *s2s.Forward) (s2s.Decision, error) {
			answer := make(chan s2s.Decision, 1)
			send(func() {
				to.Decide(f, func(d s2s.Decision) { answer <- d })
			})
			select {
			case d := <-answer:
				return d, nil
			case <-ctx.Done():
				return s2s.Decision{}, ctx.Err()
			}
		},
		Claim: func(ctx context.Context, c *s2s.Claim) (Consent, error) {
			answer := make(chan Consent, 1)
			claim := *c
			send(func() {
				to.MasterClaims(a.id, claim, func(c Consent) {
					w.note("claim %s %s by %s at %s: %+v", claim.Room, claim.Server, a.id, b.id, c)
					answer <- c
				})
			})
			select {
			case c := <-answer:
				time.Sleep(w.delay(5 * time.Millisecond))
				if !up() {
					return Consent{}, errCut
				}
				return c, nil
			case <-ctx.Done():
				return Consent{}, ctx.Err()
			}
		},
		Send: func(m s2s.Message) {
			if r, ok := m.(*s2s.ClaimResult); ok {
				send(func() {
					w.note("result %s by %s at %s: %v", r.Room, a.id, b.id, r.Given)
					to.MasterClaimed(a.id, r)
				})
			}
		},
	}
}

// asMaster is a game server as a master sees it.
func (w *world) asMaster(m *masterIn, g *gameServerIn) GameServer {
	_, life := m.now()
	return GameServer{
		ID: g.id, Addresses: announce.Build(announce.Announcement{Host: "192.0.2.1"}, map[transport.Kind]netip.AddrPort{transport.TCP: netip.MustParseAddrPort("0.0.0.0:1")}),
		Reserve: func(_ context.Context, r Reservation) (ReserveResult, error) {
			time.Sleep(w.delay(5 * time.Millisecond))
			w.mu.Lock()
			result := g.reserve(r)
			w.log("reserve %s at %s by %s: %v", r.Room, g.id, m.id, result)
			w.mu.Unlock()
			time.Sleep(w.delay(5 * time.Millisecond))
			w.mu.Lock()
			defer w.mu.Unlock()
			if m.dead || m.life != life {
				return ReserveRefused, errCut
			}
			return result, nil
		},
		Release: func(r Reservation) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.log("release %s at %s by %s", r.Room, g.id, m.id)
			if g.reserved[r.Room].placement == r.Placement {
				delete(g.reserved, r.Room)
			}
		},
	}
}

func (g *gameServerIn) reserve(r Reservation) ReserveResult {
	old, ok := g.reserved[r.Room]
	switch {
	case g.w.rng.IntN(20) == 0:
		return ReserveRefused
	case g.rooms[r.Room] != nil, ok && old.placement != r.Placement && time.Now().Before(old.until):
		return ReserveExists
	}
	g.reserved[r.Room] = reserved{r.Placement, time.Now().Add(20 * time.Second)}
	return ReserveOk
}

// tell sends something to one master, in order. It is called with the lock.
func (g *gameServerIn) tell(m *masterIn, fn func(*Server)) {
	s, life := m.Server, m.life
	at := time.Now().Add(time.Duration(g.w.rng.Int64N(int64(15 * time.Millisecond))))
	if last := g.queue[s]; at.Before(last) {
		at = last
	}
	g.queue[s] = at
	g.w.wire.Go(func() {
		time.Sleep(time.Until(at))
		g.w.mu.Lock()
		ok := !m.dead && m.life == life
		g.w.mu.Unlock()
		if ok {
			fn(s)
		}
	})
}

func (g *gameServerIn) tellAll(fn func(*Server)) {
	for _, m := range g.w.ms {
		if !m.dead {
			g.tell(m, fn)
		}
	}
}

// client comes to the game server that a master named, to join or create.
func (g *gameServerIn) client(room string) {
	w := g.w
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log("client %s at %s", room, g.id)
	if g.rooms[room] != nil {
		return
	}
	if r, ok := g.reserved[room]; ok && time.Now().Before(r.until) {
		g.open(room)
		return
	}
	var alive []string
	for _, m := range w.ms {
		if !m.dead {
			alive = append(alive, m.id)
		}
	}
	owner := cluster.Owner(alive, s2s.RoomKey(testApp, room))
	for _, m := range w.ms {
		if m.id == owner {
			// Behind what it was told before.
			g.tell(m, func(s *Server) {
				s.RequestPlacement(g.id, testApp, room, func(answer ReserveResult) {
					w.mu.Lock()
					defer w.mu.Unlock()
					w.log("granted %s at %s by %s: %v", room, g.id, m.id, answer)
					if answer == ReserveOk && g.rooms[room] == nil {
						g.open(room)
					}
				})
			})
		}
	}
}

// open makes the room, which lives for a while. It is called with the lock.
func (g *gameServerIn) open(room string) {
	w := g.w
	w.log("open %s at %s", room, g.id)
	delete(g.reserved, room)
	r := &lobby.Record{App: testApp, Name: room, Open: true, Visible: true, Players: 1, Users: []string{"x"}, Created: time.Now().UnixMilli(), Incarnation: time.Now().UnixNano()}
	g.rooms[room] = r
	w.made++
	if w.rooms[room]++; w.rooms[room] > 1 && !w.t.Failed() {
		w.show(room)
		w.t.Errorf("%v: %d rooms of the name %s", time.Now(), w.rooms[room], room)
	}
	g.tellAll(func(s *Server) { s.Upsert(g.id, r) })
	life := time.Duration(w.rng.Int64N(int64(2 * time.Second)))
	w.wire.Go(func() {
		time.Sleep(life)
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(g.rooms, room)
		w.rooms[room]--
		w.log("end %s at %s", room, g.id)
		g.tellAll(func(s *Server) { s.Remove(g.id, testApp, room) })
	})
}

// ask lets a client ask a master for a room and go to where it is sent.
func (w *world) ask(m *masterIn, op photon.OpCode, room string) (d s2s.Decision) {
	answer := make(chan s2s.Decision, 1)
	w.note("ask %s %v at %s", room, op, m.id)
	s, _ := m.now()
	s.Decide(question(op, room), func(d s2s.Decision) { answer <- d })
	select {
	case d = <-answer:
		w.note("ask %s at %s: %+v", room, m.id, d)
	case <-time.After(time.Minute):
		return s2s.Decision{Code: -1} // the master died
	}
	if d.Code == photon.ReturnOk {
		time.Sleep(w.delay(300 * time.Millisecond))
		for _, g := range w.gs {
			if g.id == d.Server {
				g.client(room)
			}
		}
	}
	return d
}

// question is an operation that another master passed on.
func question(op photon.OpCode, room string) *s2s.Forward {
	params := photon.Params{photon.Param(photon.ParamRoomName, room)}
	if op == photon.OpJoinGame {
		params = append(params, photon.Param(photon.ParamJoinMode, byte(photon.CreateIfNotExists)))
	}
	msg, err := photon.AppendRequest(nil, photon.GpBinaryV18, op, params)
	if err != nil {
		panic(err)
	}
	f := &s2s.Forward{App: testApp, User: "user", Transport: byte(transport.TCP)}
	if err := photon.ParseRequest(photon.GpBinaryV18, msg, &f.Request); err != nil {
		panic(err)
	}
	return f
}

func (w *world) kill(m *masterIn) {
	w.mu.Lock()
	m.dead = true
	w.log("kill %s", m.id)
	clear(m.links)
	others := slices.DeleteFunc(slices.Clone(w.ms), func(o *masterIn) bool { return o == m || o.dead })
	for _, o := range others {
		delete(o.links, m.id)
	}
	old := m.Server
	w.mu.Unlock()
	for _, o := range others {
		s, _ := o.now()
		s.MasterDown(m.id, LossClosed)
	}
	w.wire.Go(old.Close)
}

// cut breaks the link between two masters for a while; gossip calls both alive.
func (w *world) cut(a, b *masterIn) {
	w.mu.Lock()
	linked := a.links[b.id] && !a.dead && !b.dead
	if linked {
		w.log("cut %s %s", a.id, b.id)
		delete(a.links, b.id)
		delete(b.links, a.id)
	}
	la, lb := a.life, b.life
	w.mu.Unlock()
	if !linked {
		return
	}
	sa, _ := a.now()
	sb, _ := b.now()
	sa.MasterDown(b.id, LossSilent)
	sb.MasterDown(a.id, LossSilent)
	w.wire.Go(func() {
		time.Sleep(w.delay(6 * time.Second))
		w.mu.Lock()
		again := !a.dead && !b.dead && a.life == la && b.life == lb
		w.mu.Unlock()
		if again {
			w.connect(a, b)
		}
	})
}

func (w *world) alive() []*masterIn {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(w.ms), func(m *masterIn) bool { return m.dead })
}

func (w *world) end() {
	for _, m := range w.alive() {
		w.mu.Lock()
		m.dead = true
		s := m.Server
		w.mu.Unlock()
		s.Close()
	}
	w.wire.Wait()
}

// Three masters under random delays, cuts, kills and restarts never let two rooms
// of one name come to be, whoever decides; and rooms do come to be. CL-26, CL-29
func TestNeverTwoRoomsOfOneName(t *testing.T) {
	for seed := range uint64(10) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const rounds = 500
				w := newWorld(t, seed, 3, 3)
				for round := range rounds {
					room := fmt.Sprint("room ", round%7)
					var asking sync.WaitGroup
					for _, m := range w.alive() {
						if w.chance(3) {
							continue
						}
						op := photon.OpJoinGame
						if w.chance(4) {
							op = photon.OpCreateGame
						}
						asking.Go(func() { w.ask(m, op, room) })
					}
					if w.chance(30) && len(w.alive()) > 1 {
						time.Sleep(w.delay(20 * time.Millisecond))
						m := w.alive()[round%len(w.alive())]
						w.kill(m)
						w.wire.Go(func() {
							time.Sleep(100*time.Millisecond + w.delay(4*time.Second))
							w.start(m)
						})
					} else if alive := w.alive(); w.chance(30) && len(alive) > 1 {
						w.cut(alive[0], alive[1])
					}
					if w.chance(2) {
						asking.Wait()
					} else {
						time.Sleep(w.delay(200 * time.Millisecond))
						w.wire.Go(asking.Wait)
					}
					if t.Failed() {
						break
					}
				}
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				w.end()
				if w.made < rounds/10 {
					t.Errorf("only %d rooms were made in %d rounds", w.made, rounds)
				}
			})
		})
	}
}

// While a master that gossip calls alive has no link, rooms of new names wait for
// it, then fail with 32762; rooms there are can be joined. When it is lost, the
// others go on. CL-27
func TestNoLinkToAMaster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 2, 1)
		a, b := w.ms[0], w.ms[1]
		ask := func(op photon.OpCode, room string) (d s2s.Decision, took time.Duration) {
			begin := time.Now()
			answer := make(chan s2s.Decision, 1)
			a.Decide(question(op, room), func(d s2s.Decision) { answer <- d })
			return <-answer, time.Since(begin)
		}
		w.mu.Lock()
		w.gs[0].open("there")
		clear(a.links)
		clear(b.links)
		w.mu.Unlock()
		time.Sleep(20 * time.Millisecond)
		a.MasterDown(b.id, LossSilent)
		if d, _ := ask(photon.OpJoinGame, "there"); d.Code != photon.ReturnOk || d.Server != "gs-0" {
			t.Errorf("join of a room that is there: %+v", d)
		}
		if d, took := ask(photon.OpCreateGame, "new"); d.Code != photon.ReturnServerFull || took < foreignTimeout || took > decideTimeout {
			t.Errorf("%+v after %v", d, took)
		}
		if d, took := ask(photon.OpCreateGame, ""); d.Code != photon.ReturnOk || took > 100*time.Millisecond {
			t.Errorf("a room that the master names: %+v after %v", d, took)
		}
		if m := a.Masters(); len(m) != 1 || m[0].Linked {
			t.Errorf("%+v", m)
		}
		a.MasterLost(b.id)
		if d, took := ask(photon.OpCreateGame, "new"); d.Code != photon.ReturnOk || took > 100*time.Millisecond {
			t.Errorf("%+v after %v", d, took)
		}
		time.Sleep(time.Minute)
		w.end()
	})
}

// A master that dies after it gave a name away is followed by others that know
// where: they send clients there, give the name to nobody else, and have it free
// again when nobody came. CL-28, CL-30
func TestClaimOutlivesItsMaster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3, 3, 3)
		a, b, c := w.ms[0], w.ms[1], w.ms[2]
		decide := func(m *masterIn, op photon.OpCode, room string) s2s.Decision {
			answer := make(chan s2s.Decision, 1)
			m.Decide(question(op, room), func(d s2s.Decision) { answer <- d })
			return <-answer
		}
		d := decide(a, photon.OpCreateGame, "r")
		if d.Code != photon.ReturnOk {
			t.Fatalf("%+v", d)
		}
		w.kill(a)
		for _, m := range []*masterIn{b, c} {
			if got := decide(m, photon.OpJoinGame, "r"); got.Server != d.Server {
				t.Errorf("%s sends to %+v, not to %s", m.id, got, d.Server)
			}
			if got := decide(m, photon.OpCreateGame, "r"); got.Code != photon.ReturnGameIDAlreadyExists {
				t.Errorf("%s: %+v", m.id, got)
			}
		}
		// The others go on as soon as they know that it is gone.
		begin := time.Now()
		if got := decide(b, photon.OpCreateGame, "other"); got.Code != photon.ReturnOk || time.Since(begin) > masterHold+time.Second {
			t.Errorf("%+v after %v", got, time.Since(begin))
		}
		time.Sleep(claimTTL)
		if got := decide(c, photon.OpCreateGame, "r"); got.Code != photon.ReturnOk {
			t.Errorf("nobody came, and the name is not free: %+v", got)
		}
		time.Sleep(time.Minute)
		w.end()
	})
}

// A master that starts gives no name away before it knows the others.
func TestSettling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 0, 1)
		m := &masterIn{w: w, id: "ms-0", links: map[string]bool{}}
		m.Server = New(Options{Auth: auth.New(auth.Options{}), ID: m.id, Settling: true, StatsInterval: 5 * time.Second, LobbyStatsInterval: time.Minute, Logger: zerolog.Nop()})
		m.ServerUp(w.asMaster(m, w.gs[0]), cluster.Normal)
		answer := make(chan s2s.Decision, 1)
		m.Decide(question(photon.OpCreateGame, "r"), func(d s2s.Decision) { answer <- d })
		time.Sleep(time.Second)
		select {
		case d := <-answer:
			t.Errorf("too early: %+v", d)
		default:
		}
		m.MastersSettled()
		if d := <-answer; d.Code != photon.ReturnOk || !strings.HasPrefix(d.Server, "gs-") {
			t.Errorf("%+v", d)
		}
		time.Sleep(time.Minute)
		m.Close()
	})
}
