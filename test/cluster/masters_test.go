package cluster

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/daemon"
	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// asServer makes the test's own program a master: such a one can be killed.
const asServer = "BOSON_TEST_MASTER"

func TestMain(m *testing.M) {
	if file := os.Getenv(asServer); file != "" {
		os.Exit(daemon.Main("master", []string{"--config", file}, nil, daemon.NewMaster))
	}
	os.Exit(m.Run())
}

// manyMasters is a region with several masters and game servers that know each
// other by lists, or by gossip.
type manyMasters struct {
	t       testing.TB
	ns      *config.Config
	masters []*config.Config
	stop    []func() // of the masters
	stopGS  []func()
}

func newRegion(t testing.TB, masters, gameServers int, gossip bool, change func(*config.Config)) *manyMasters {
	t.Helper()
	base := separate(t)
	base.Cluster.Masters = nil
	if change != nil {
		change(base)
	}
	r := &manyMasters{t: t}
	seed := freeAddress(t)
	named := func(id string) *config.Config {
		own := *base
		own.Cluster.NodeID = id
		if gossip {
			own.Cluster.Gossip = config.Gossip{Listen: freeAddress(t), Join: []string{seed}}
		}
		return &own
	}
	for i := range masters {
		m := named(fmt.Sprint("ms-", i))
		m.Master.S2S = freeAddress(t)
		m.Master.Listen = config.Endpoints{UDP: freeAddress(t), TCP: freeAddress(t), WS: freeAddress(t)}
		r.masters = append(r.masters, m)
	}
	r.ns = named("ns-0")
	if gossip {
		r.ns.Cluster.Gossip.Listen = seed
	} else {
		for _, m := range r.masters {
			base.Cluster.Masters = append(base.Cluster.Masters, m.Master.S2S)
			r.ns.NameServer.Regions = append(r.ns.NameServer.Regions, config.Region{Region: "eu", Announce: config.Announce{
				UDP: m.Master.Listen.UDP, TCP: m.Master.Listen.TCP, WS: m.Master.Listen.WS,
			}})
		}
	}
	run(t, daemon.NewNameServer, r.ns)
	for _, m := range r.masters {
		m.Cluster.Masters = base.Cluster.Masters
		m.Admin.Listen = freeAddress(t)
		r.stop = append(r.stop, run(t, daemon.NewMaster, m))
	}
	for i := range gameServers {
		g := named(fmt.Sprint("gs-", i))
		g.GameServer.Listen = config.Endpoints{UDP: freeAddress(t), TCP: freeAddress(t), WS: freeAddress(t)}
		r.stopGS = append(r.stopGS, run(t, daemon.NewGameServer, g))
	}
	for i := range r.masters {
		r.knows(i, masters-1, gameServers)
	}
	for i := range r.masters {
		m := r.on(i, client.TCP, "probe")
		eventually(r.t, func() bool {
			return m.ask(photon.OpCreateGame, roomName(fmt.Sprint("probe ", i, time.Now().UnixNano()))).ReturnCode == 0
		}, fmt.Sprintf("rooms can be made at master %d", i))
		m.Close()
	}
	return r
}

// knows waits until a master has its links. That others have theirs to it is not
// enough: the ends of a link are not up in the same moment.
func (r *manyMasters) knows(i, masters, gameServers int) {
	r.t.Helper()
	want := []string{fmt.Sprintf("\nboson_ms_masters %d\n", masters), fmt.Sprintf("\nboson_ms_gameservers %d\n", gameServers)}
	eventually(r.t, func() bool {
		answer, err := http.Get("http://" + r.masters[i].Admin.Listen + "/metrics")
		if err != nil {
			return false
		}
		defer func() { _ = answer.Body.Close() }()
		text, err := io.ReadAll(answer.Body)
		return err == nil && strings.Contains(string(text), want[0]) && strings.Contains(string(text), want[1])
	}, fmt.Sprintf("master %d has its links", i))
}

func (r *manyMasters) address(i int, t client.Transport) string {
	e := r.masters[i].Master.Listen
	switch t {
	case client.UDP:
		return e.UDP
	case client.WebSocket:
		return "ws://" + e.WS
	default:
		return e.TCP
	}
}

// on is a raw peer that has authenticated on a master.
func (r *manyMasters) on(i int, transport client.Transport, user string) *raw {
	r.t.Helper()
	p := dialAddress(r.t, r.address(i, transport), Form{transport, photon.GpBinaryV18}, nil)
	p.ok(photon.OpAuthenticate, photon.Param(photon.ParamApplicationID, "test"), photon.Param(photon.ParamAppVersion, "1.0"),
		photon.Param(photon.ParamUserID, user))
	return p
}

// player is a whole client that begins at a master.
func (r *manyMasters) player(i int, user string) *player {
	r.t.Helper()
	p := newPlayer(r.t, client.Settings{
		AppID: "test", AppVersion: "1.0", Master: r.address(i, client.TCP), UserID: user, NickName: user,
		Transport: client.TCP, Protocol: photon.GpBinaryV18,
	})
	p.must(p.Connect(p.ctx()))
	return p
}

// walkers are n clients that begin at all masters in turn, over all transports.
func (r *manyMasters) walkers(ctx context.Context, n int) (all []*walker) {
	r.t.Helper()
	for i := range n {
		f := Forms[i%len(Forms)]
		w := &walker{user: fmt.Sprint("user", i), opt: client.Options{Transport: f.Transport, Protocol: f.Protocol, AppID: "test"}}
		if err := w.start(ctx, r.address(i%len(r.masters), f.Transport)); err != nil {
			r.t.Fatal(err)
		}
		r.t.Cleanup(func() { w.close(); w.master.Close() })
		all = append(all, w)
	}
	return all
}

// meet lets all go into the room of that name at once, and checks that it is one.
// A client is patient with what a master says of rooms that end just then.
func meet(ctx context.Context, t *testing.T, all []*walker, room string) {
	t.Helper()
	var wg sync.WaitGroup
	for _, w := range all {
		wg.Go(func() {
			for {
				err := w.join(ctx, room)
				if c := code(err); (c == photon.ReturnGameDoesNotExist || c == photon.ReturnServerFull) && ctx.Err() == nil {
					time.Sleep(10 * time.Millisecond)
					continue
				}
				if err != nil {
					t.Errorf("%s, %s (%s): %v", room, w.user, Form{w.opt.Transport, w.opt.Protocol}, err)
				}
				return
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	var numbers []int32
	for _, w := range all {
		numbers = append(numbers, w.nr)
	}
	slices.Sort(numbers)
	for i, nr := range numbers {
		if nr != int32(i+1) {
			t.Fatalf("%s: actors %v", room, numbers)
		}
	}
	for _, w := range all {
		wg.Go(func() {
			if err := w.leave(ctx); err != nil {
				t.Errorf("%s, %s leaves: %v", room, w.user, err)
			}
		})
	}
	wg.Wait()
}

// Clients of three masters call join-or-create for one name at once, over and over,
// also for the name of a room that has just ended: always one room. CL-25
func TestMeetAcrossMasters(t *testing.T) {
	for _, how := range []string{"list", "gossip"} {
		t.Run(how, func(t *testing.T) {
			r := newRegion(t, 3, 3, how == "gossip", nil)
			ctx, cancel := context.WithTimeout(context.Background(), 6*Timeout)
			defer cancel()
			all := r.walkers(ctx, 24)
			begin := time.Now()
			for round := range 200 {
				if round >= 12 && time.Since(begin) > 3*time.Second {
					break
				}
				meet(ctx, t, all, fmt.Sprint("meet ", round-round%2))
			}
		})
	}
}

// Of two clients on two masters that create one name at once exactly one succeeds,
// and the other is told that the name is taken. CL-24
func TestCreateAcrossMasters(t *testing.T) {
	r := newRegion(t, 2, 2, false, nil)
	peers := []*raw{r.on(0, client.TCP, "ann"), r.on(1, client.TCP, "bob")}
	for round := range 1000 {
		codes := make([]photon.ReturnCode, len(peers))
		var wg sync.WaitGroup
		for i, p := range peers {
			wg.Go(func() { codes[i] = p.ask(photon.OpCreateGame, roomName(fmt.Sprint("new ", round))).ReturnCode })
		}
		wg.Wait()
		slices.Sort(codes)
		if codes[0] != photon.ReturnOk || codes[1] != photon.ReturnGameIDAlreadyExists {
			if codes[1] != photon.ReturnOk || codes[0] != photon.ReturnGameIDAlreadyExists {
				t.Fatalf("round %d: %v", round, codes)
			}
		}
	}
}

// Random-or-create at several masters at once: the players meet. CL-32
func TestRandomAcrossMasters(t *testing.T) {
	r := newRegion(t, 3, 2, false, nil)
	for round := range 50 {
		var wg sync.WaitGroup
		rooms := make([]string, 3)
		lobby := []gpbinary.Param{photon.Param(photon.ParamLobbyName, fmt.Sprint("lobby ", round)), photon.Param(photon.ParamLobbyType, byte(0)),
			photon.Param(photon.ParamJoinMode, byte(photon.CreateIfNotExists))}
		for i := range rooms {
			p := r.on(i, client.TCP, fmt.Sprint("seeker", i))
			wg.Go(func() { _, rooms[i] = answered(p.ok(photon.OpJoinRandomGame, lobby...)) })
		}
		wg.Wait()
		if rooms[0] == "" || rooms[1] != rooms[0] || rooms[2] != rooms[0] {
			t.Fatalf("round %d: sent to %q", round, rooms)
		}
	}
}

// Players of several masters that are sent to the last free places of a room at once
// never overfill it: the game server tells those who came too late. CL-32
func TestLastPlaces(t *testing.T) {
	r := newRegion(t, 2, 1, false, nil)
	for round := range 10 {
		lobby := &client.TypedLobby{Name: fmt.Sprint("lobby ", round)}
		opt := client.NewRoomOptions()
		opt.MaxPlayers = 3
		host := r.player(0, fmt.Sprint("host", round))
		host.must(host.CreateRoom(host.ctx(), client.EnterRoomParams{RoomName: fmt.Sprint("r", round), RoomOptions: opt, Lobby: lobby}))
		var players []*player
		for i := range 4 {
			p := r.player(i%2, fmt.Sprint("player", round, i))
			players = append(players, p)
			r.on(i%2, client.TCP, "probe").rooms(lobby.Name, lobby.Type, 1)
		}
		errs := make([]error, len(players))
		var wg sync.WaitGroup
		for i, p := range players {
			wg.Go(func() { errs[i] = p.JoinRandomRoom(p.ctx(), client.JoinRandomRoomParams{Lobby: lobby}) })
		}
		wg.Wait()
		in := 0
		for _, err := range errs {
			switch code(err) {
			case photon.ReturnOk:
				in++
			case photon.ReturnGameFull, photon.ReturnNoRandomMatchFound:
			default:
				t.Errorf("round %d: %v", round, err)
			}
		}
		if in != 2 {
			t.Errorf("round %d: %d players for two places: %v", round, in, errs)
		}
		for _, p := range append(players, host) {
			p.Close()
		}
	}
}

// What happens at one master and in rooms is known at the other: rooms in lists and
// by name, friends, application and lobby statistics. CL-19 to CL-22
func TestOneRegionAtEveryMaster(t *testing.T) {
	for _, how := range []string{"list", "gossip"} {
		t.Run(how, func(t *testing.T) {
			r := newRegion(t, 2, 2, how == "gossip", func(c *config.Config) {
				c.Master.ListInterval, c.Master.StatsInterval = 10*time.Millisecond, 200*time.Millisecond
			})
			arena := &client.TypedLobby{Name: "arena"}
			watchers := []*player{r.player(0, "watcher0"), r.player(1, "watcher1")}
			for _, w := range watchers {
				w.must(w.JoinLobby(w.ctx(), arena))
				next(t, w.lists, "initial room list")
			}
			ann, bob := r.player(0, "ann"), r.player(1, "bob")
			opt := client.NewRoomOptions()
			opt.MaxPlayers = 4
			opt.CustomRoomProperties = map[string]any{"map": "m1"}
			opt.CustomRoomPropertiesForLobby = []string{"map"}
			ann.must(ann.CreateRoom(ann.ctx(), client.EnterRoomParams{RoomName: "r", RoomOptions: opt, Lobby: arena}))
			for i, w := range watchers { // CL-19, CL-20
				if list := next(t, w.lists, "room list update"); len(list) != 1 || list[0].Name != "r" || list[0].MaxPlayers != 4 {
					t.Errorf("master %d lists %+v", i, list)
				}
			}
			bob.must(bob.JoinRandomRoom(bob.ctx(), client.JoinRandomRoomParams{ExpectedCustomRoomProperties: map[string]any{"map": "m1"}, Lobby: arena}))
			if name := bob.CurrentRoom().Name; name != "r" {
				t.Errorf("bob is in %q", name)
			}
			r.player(0, "here")
			r.player(1, "there")
			for i, w := range watchers {
				eventually(t, func() bool { // CL-22
					f, err := w.FindFriends(w.ctx(), []string{"ann", "bob", "here", "there", "nobody"}, 0)
					w.must(err)
					return f[0].IsOnline && f[0].Room == "r" && f[1].Room == "r" && f[2].IsOnline && f[2].Room == "" && f[3].IsOnline && !f[4].IsOnline
				}, fmt.Sprintf("master %d finds all friends", i))
				probe := r.on(i, client.TCP, "probe")
				probe.stats(2, 1, 5) // CL-21: two watchers, here, there and the probe
				eventually(t, func() bool {
					s := probe.ok(photon.OpGetLobbyStats, photon.Param(photon.ParamLobbyName, []string{"arena"}), photon.Param(photon.ParamLobbyType, []byte{0}))
					players, _ := s.Ints(photon.ParamPeerCount)
					rooms, _ := s.Ints(photon.ParamGameCount)
					return players[0] == 4 && rooms[0] == 1 // two in the room, two in the lobby
				}, fmt.Sprintf("master %d has the lobby's statistics", i))
				probe.Close()
			}
			// A room that closes, changes and ends is so at both.
			ann.must(ann.SetIsOpen(ann.ctx(), false))
			for i := range watchers {
				r.on(i, client.TCP, fmt.Sprint("late", i)).known("r", photon.ReturnGameClosed)
			}
			ann.must(ann.LeaveRoom(ann.ctx(), false))
			bob.must(bob.LeaveRoom(bob.ctx(), false))
			for i := range watchers {
				r.on(i, client.TCP, fmt.Sprint("later", i)).known("r", photon.ReturnGameDoesNotExist)
			}
			// A master that leaves takes its users with it: left are watcher0, here,
			// late0, later0, ann and this one.
			r.stop[1]()
			r.on(0, client.TCP, "last").stats(0, 0, 6)
		})
	}
}

// stats waits for application statistics.
func (r *raw) stats(players, rooms, onMaster int32) {
	r.t.Helper()
	var last string
	defer func() {
		if r.t.Failed() {
			r.t.Log("last:", last)
		}
	}()
	r.await(fmt.Sprintf("statistics of %d players in %d rooms, %d on masters", players, rooms, onMaster), func(e *client.Event) bool {
		if e.Code != photon.EventAppStats {
			return false
		}
		p, _ := e.Int32(photon.ParamPeerCount)
		g, _ := e.Int32(photon.ParamGameCount)
		m, _ := e.Int32(photon.ParamMasterPeerCount)
		last = fmt.Sprint(p, g, m)
		return p == players && g == rooms && m == onMaster
	})
}

// The limit of players counts those of all masters. CL-55
func TestLimitAcrossMasters(t *testing.T) {
	r := newRegion(t, 2, 1, false, func(c *config.Config) { c.Apps.MaxCCU = 3 })
	r.on(0, client.TCP, "one")
	r.on(1, client.TCP, "two")
	r.on(1, client.TCP, "three")
	tries := 0 // who was let in once is on the way back for a while
	eventually(t, func() bool {
		tries++
		late := dialAddress(t, r.address(0, client.TCP), Form{client.TCP, photon.GpBinaryV18}, nil)
		defer late.Close()
		return late.ask(photon.OpAuthenticate, photon.Param(photon.ParamApplicationID, "test"), photon.Param(photon.ParamAppVersion, "1.0"),
			photon.Param(photon.ParamUserID, fmt.Sprint("late", tries))).ReturnCode == photon.ReturnMaxCcuReached
	}, "the fourth player is one too many")
}

// killable runs a master of the region, which must be stopped, as a process of its
// own. It can be killed, and started again.
func (r *manyMasters) killable(i int) (kill func()) {
	r.t.Helper()
	text, err := yaml.Marshal(r.masters[i])
	if err != nil {
		r.t.Fatal(err)
	}
	file := filepath.Join(r.t.TempDir(), "master.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		r.t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		r.t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), asServer+"="+file)
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	killed := false
	kill = func() {
		if !killed {
			killed = true
			_ = cmd.Process.Kill()
			_ = cmd.Wait() // it says that it was killed
		}
	}
	r.t.Cleanup(kill)
	return kill
}

// Of three masters one is killed and started again, over and over, while clients
// of the two others meet in rooms of new names and of names used before: they always
// do, in one room, and soon. A client that is in a room notices nothing.
// CL-26, CL-30, CL-33
func TestMasterKilled(t *testing.T) {
	for _, how := range []string{"list", "gossip"} {
		t.Run(how, func(t *testing.T) {
			r := newRegion(t, 3, 3, how == "gossip", nil)
			r.stop[2]()
			ctx, cancel := context.WithTimeout(context.Background(), 12*Timeout)
			defer cancel()
			two := *r
			two.masters = r.masters[:2]
			all := two.walkers(ctx, 8)
			inRoom := [2]*player{r.player(0, "ann"), r.player(1, "bob")}
			for _, p := range inRoom {
				p.must(p.JoinOrCreateRoom(p.ctx(), client.EnterRoomParams{RoomName: "lasting"}))
			}
			var meeting atomic.Value
			for round := range 2 {
				kill := r.killable(2)
				eventually(t, func() bool { return r.hears(2) }, "the master is there again")
				// It knows the room, and decides of the names of the others too.
				third := r.on(2, client.TCP, "third")
				third.known("lasting", photon.ReturnOk)
				deciding := make(chan struct{})
				go func() {
					defer close(deciding)
					for i := 0; ctx.Err() == nil; i++ {
						name := fmt.Sprint("third ", round, i)
						if i%2 == 0 {
							name, _ = meeting.Load().(string)
						}
						params := photon.Params{roomName(name), photon.Param(photon.ParamJoinMode, byte(photon.CreateIfNotExists))}
						if _, err := third.Operation(ctx, photon.OpJoinGame, params); err != nil {
							return
						}
					}
				}()
				for i := range 12 {
					if i == 6 {
						kill()
					}
					name := fmt.Sprint("meet ", round, (i+1)/2)
					meeting.Store(name)
					meet(ctx, t, all, name)
				}
				<-deciding
				inRoom[0].must(inRoom[0].RaiseEvent(1, int32(round), nil, client.SendReliable))
				if e := next(t, inRoom[1].events, "event"); e.content != int32(round) {
					t.Errorf("got %+v", e)
				}
			}
			// The users of the lost master are gone.
			r.on(0, client.TCP, "last").stats(2, 1, int32(len(all))+1)
		})
	}
}

// hears says whether a master answers clients.
func (r *manyMasters) hears(i int) bool {
	c, err := net.Dial("tcp", r.masters[i].Master.Listen.TCP)
	if err == nil {
		_ = c.Close()
	}
	return err == nil
}

// sentTo is the master that the name server sends a user to.
func (r *manyMasters) sentTo(user string) (string, error) {
	p, err := client.Dial(r.t.Context(), client.Options{Transport: client.UDP, Protocol: photon.GpBinaryV18}, r.ns.NameServer.Listen.UDP)
	if err != nil {
		return "", err
	}
	defer p.Close()
	resp, err := p.Operation(r.t.Context(), photon.OpAuthenticate, photon.Params{
		photon.Param(photon.ParamApplicationID, "test"), photon.Param(photon.ParamAppVersion, "1.0"),
		photon.Param(photon.ParamRegion, "eu"), photon.Param(photon.ParamUserID, user),
	})
	if err == nil {
		err = resp.Err()
	}
	if err != nil {
		return "", err
	}
	address, _ := resp.String(photon.ParamAddress)
	return address, nil
}

// The name server spreads clients over the masters of a region, and over those that
// live: one that is stopped gets none, one that is back gets its share. CL-57
func TestNameServerKnowsWhoLives(t *testing.T) {
	for _, how := range []string{"list", "gossip"} {
		t.Run(how, func(t *testing.T) {
			r := newRegion(t, 2, 1, how == "gossip", nil)
			spread := func(want ...int) func() bool {
				return func() bool {
					seen := map[string]bool{}
					for i := range 12 {
						address, err := r.sentTo(fmt.Sprint("user", i))
						if err != nil {
							return false
						}
						seen[address] = true
					}
					for _, i := range want {
						if !seen[r.masters[i].Master.Listen.UDP] {
							return false
						}
					}
					return len(seen) == len(want)
				}
			}
			eventually(t, spread(0, 1), "clients are sent to both masters")
			r.stop[0]()
			eventually(t, spread(1), "clients are sent to the master that is left")
			r.stop[0] = run(t, daemon.NewMaster, r.masters[0])
			eventually(t, spread(0, 1), "clients are sent to both masters again")
		})
	}
}

// At the deadline of a drain rooms are closed, their players told why, and the
// server can stop. CL-42, CL-43
func TestDrainDeadline(t *testing.T) {
	cfg := separate(t)
	cfg.GameServer.DrainTimeout = 300 * time.Millisecond
	run(t, daemon.NewNameServer, cfg)
	run(t, daemon.NewMaster, cfg)
	gs, err := daemon.NewGameServer(cfg, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	if err := gs.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), Timeout)
		defer cancel()
		if err := gs.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	ann := separateClient(t, cfg, "ann")
	eventually(t, func() bool { return ann.CreateRoom(ann.ctx(), client.EnterRoomParams{RoomName: "r"}) == nil }, "a room can be made")
	drained := make(chan error, 1)
	go func() { drained <- gs.Drain(t.Context()) }()
	bob := separateClient(t, cfg, "bob")
	eventually(t, func() bool { return gs.Ready() != nil }, "the server drains")
	if err := next(t, ann.lost, "disconnect"); err == nil || !strings.Contains(err.Error(), "stopped") {
		t.Errorf("ann was told %v", err)
	}
	if err := next(t, drained, "end of the drain"); err != nil {
		t.Error(err)
	}
	if err := bob.CreateRoom(bob.ctx(), client.EnterRoomParams{RoomName: "new"}); code(err) != photon.ReturnServerFull {
		t.Errorf("a new room while draining: %v", err)
	}
}
