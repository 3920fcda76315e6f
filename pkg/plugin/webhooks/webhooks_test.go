package webhooks

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/gameserver"
	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
	"github.com/boson-project/boson/pkg/plugin/plugintest"
	"github.com/boson-project/boson/pkg/transport"
)

// service stands in for a game's web service.
type service struct {
	t      *testing.T
	server *httptest.Server
	calls  chan call

	mu     sync.Mutex
	answer map[string]string // by path; {"ResultCode":0} if there is none
	hold   map[string]chan struct{}
}

type call struct {
	path, query, body string
	header            http.Header
}

func newService(t *testing.T) *service {
	s := &service{t: t, calls: make(chan call, 100), answer: map[string]string{}, hold: map[string]chan struct{}{}}
	s.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Method != http.MethodPost {
			t.Errorf("method %s", r.Method)
		}
		s.mu.Lock()
		text, ok := s.answer[r.URL.Path]
		hold := s.hold[r.URL.Path]
		s.mu.Unlock()
		// Only now: what a test says after it has seen the call is for the next one.
		s.calls <- call{path: r.URL.Path, query: r.URL.RawQuery, body: string(body), header: r.Header}
		if hold != nil {
			<-hold
		}
		switch {
		case !ok:
			text = `{"ResultCode":0}`
		case text == "500":
			w.WriteHeader(500)
		}
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(s.server.Close)
	return s
}

// says changes the answer of a path.
func (s *service) says(path, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer[path] = text
}

// holds keeps the answers of a path back until the channel is closed.
func (s *service) holds(path string) chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := make(chan struct{})
	s.hold[path] = c
	return c
}

// next waits for a call.
func (s *service) next(path string) call {
	s.t.Helper()
	select {
	case c := <-s.calls:
		if c.path != path {
			s.t.Fatalf("call of %s with %s, want %s", c.path, c.body, path)
		}
		return c
	case <-time.After(10 * time.Second):
		s.t.Fatalf("no call of %s", path)
		panic("unreachable")
	}
}

// gets waits for a call and compares what it says.
func (s *service) gets(path, body string) {
	s.t.Helper()
	if c := s.next(path); c.body != body {
		s.t.Errorf("%s got\n%s\nwant\n%s", path, c.body, body)
	}
}

// gotNothing says that no call has come. To be asked when one would have.
func (s *service) gotNothing() {
	s.t.Helper()
	select {
	case c := <-s.calls:
		s.t.Errorf("unexpected call of %s with %s", c.path, c.body)
	default:
	}
}

// start runs a server whose rooms have the plugin with these settings.
func (s *service) start(settings ...string) *plugintest.Server {
	s.t.Helper()
	return s.startWith(factory{}, settings...)
}

func (s *service) startWith(f plugin.Factory, settings ...string) *plugintest.Server {
	s.t.Helper()
	config := plugin.Config{"BaseUrl": s.server.URL}
	for i := 0; i < len(settings); i += 2 {
		config[settings[i]] = settings[i+1]
	}
	if err := (factory{}).CheckConfig(config); err != nil {
		s.t.Fatal(err)
	}
	load := gameserver.LoadNever
	if rejoin, join := (factory{}).Loads(config); join {
		load = gameserver.LoadJoin
	} else if rejoin {
		load = gameserver.LoadRejoin
	}
	return s.startFor(load, f, config)
}

// startFor is start where the server's own word about loading is another.
func (s *service) startFor(load gameserver.Load, f plugin.Factory, config plugin.Config) *plugintest.Server {
	s.t.Helper()
	return plugintest.New(s.t, plugintest.Options{
		Factory: f, Config: config, Load: load, Allow: []string{strings.TrimPrefix(s.server.URL, "http://")},
	})
}

func flags(f photon.WebFlags) gpbinary.Param { return photon.Param(photon.ParamWebFlags, byte(f)) }

var (
	playerTTL = photon.Param(photon.ParamPlayerTTL, int32(60000))
	noOptions = photon.Param(photon.ParamRoomOptionFlags, int32(photon.FlagCheckUserOnJoin|photon.FlagDeleteCacheOnLeave))
)

func expectCode(t *testing.T, what string, r *plugintest.Response, want photon.ReturnCode, text string) {
	t.Helper()
	if r.ReturnCode != want || text != "" && r.Debug != text {
		t.Errorf("%s: %d %q, want %d %q", what, r.ReturnCode, r.Debug, want, text)
	}
}

// common are the members of the test's room that each payload has.
const common = `"AppVersion":"1.0","AppId":"app-guid"`

// PL-117, PL-118, LB-275
func TestCreate(t *testing.T) {
	web := newService(t)
	s := web.start("PathCreate", "create", "CustomHttpHeaders",
		`{"X-Secret":"s","Content-Type":"text/plain","Range":"bytes=0-1","Host":"evil.example","Proxy-Connection":"x"}`)
	ann := s.Client("ann")
	table := plugin.NewTable(
		plugin.Pair{Key: photon.PropMaxPlayers, Value: byte(4)}, plugin.Pair{Key: "map", Value: int32(1)}, plugin.Pair{Key: "hidden", Value: int32(2)},
		plugin.Pair{Key: photon.PropPropsListedInLobby, Value: []string{"map"}})
	expectCode(t, "create", ann.Create("room1", photon.Param(photon.ParamGameProperties, table), photon.Param(photon.ParamEmptyRoomTTL, int32(2000)),
		playerTTL, noOptions), 0, "")
	c := web.next("/create")
	want := `{"ActorNr":1,` + common + `,"CreateOptions":{"MaxPlayers":4,"IsVisible":true,"IsOpen":true,"LobbyId":null,"LobbyType":0,` +
		`"CustomProperties":{"map":1},"EmptyRoomTTL":2000,"PlayerTTL":60000,"CheckUserOnJoin":true,"DeleteCacheOnLeave":true,` +
		`"SuppressRoomEvents":false,"PublishUserId":false},"GameId":"room1","Region":"eu","Type":"Create","UserId":"ann","NickName":"nick-ann"}`
	if c.body != want {
		t.Errorf("got\n%s\nwant\n%s", c.body, want)
	}
	if c.header.Get("X-Secret") != "s" || c.header.Get("Content-Type") != "application/json" || c.header.Get("Range") != "" || c.header.Get("Proxy-Connection") != "" {
		t.Errorf("headers %v", c.header)
	}

	bob := s.Client("bob")
	web.says("/create", `{"ResultCode":1,"Message":"not today"}`)
	expectCode(t, "refused create", bob.Create("room2"), photon.ReturnPluginReportedError, "not today")
	web.next("/create")
	web.says("/create", "500")
	expectCode(t, "create with a broken service", bob.Create("room2"), photon.ReturnPluginReportedError, "the web service answered with HTTP status 500")
	web.next("/create")
	// PL-121: without persistence a join that creates asks nobody.
	expectCode(t, "join or create", bob.JoinMode("room2", photon.CreateIfNotExists), 0, "")
	web.gotNothing()
}

// PL-122, PL-123, LB-276
func TestJoin(t *testing.T) {
	web := newService(t)
	s := web.start("PathBeforeJoin", "/before?x=1", "PathJoin", "join")
	ann := s.Client("ann")
	expectCode(t, "create", ann.Create("room1"), 0, "")
	bob := s.Client("bob", plugintest.AuthCookie(map[string]any{"level": 3}))
	web.says("/before", `{"ResultCode":7}`)
	expectCode(t, "refused join", bob.Join("room1"), photon.ReturnPluginReportedError, "the web service refused with ResultCode 7")
	c := web.next("/before")
	if want := `{` + common + `,"GameId":"room1","Region":"eu","Type":"BeforeJoin","AuthCookie":{"level":3},"UserId":"bob","NickName":"nick-bob"}`; c.body != want || c.query != "x=1" {
		t.Errorf("got %s with query %s, want %s", c.body, c.query, want)
	}
	web.says("/before", `{"ResultCode":0}`)
	expectCode(t, "join", bob.Join("room1"), 0, "")
	web.next("/before")
	web.gets("/join", `{"ActorNr":2,`+common+`,"GameId":"room1","Region":"eu","Type":"Join","UserId":"bob","NickName":"nick-bob"}`)
}

// playing is a room of ann and bob with a client's cookie.
func playing(s *plugintest.Server) (ann, bob *plugintest.Client) {
	ann = s.Client("ann", plugintest.AuthCookie(map[string]any{"level": 3}))
	ann.Create("room1", playerTTL, noOptions)
	bob = s.Client("bob")
	bob.Join("room1")
	bob.WaitEvent(photon.EventJoin)
	ann.WaitEvent(photon.EventJoin)
	ann.WaitEvent(photon.EventJoin)
	return ann, bob
}

// PL-124, PL-126, LB-277
func TestForwarding(t *testing.T) {
	web := newService(t)
	s := web.start("PathEvent", "event", "PathGameProperties", "properties", "PathCreate", "create", "PathClose", "close", "IsPersistent", "true")
	ann, _ := playing(s)
	web.next("/create")
	event := `{"ActorNr":1,` + common + `,"GameId":"room1","Region":"eu","Type":"Event","EvCode":7,"Data":"hello"`
	user := `,"UserId":"ann","NickName":"nick-ann"}`
	ann.Raise(7, "hello", flags(photon.WebSendAuthCookie|photon.WebSendState)) // without 0x01: nothing
	ann.Raise(7, "hello")
	ann.Raise(7, "hello", flags(photon.WebHTTPForward))
	web.gets("/event", event+user)
	ann.Raise(7, "hello", flags(photon.WebHTTPForward|photon.WebSendAuthCookie))
	web.gets("/event", event+`,"AuthCookie":{"level":3}`+user)
	ann.Raise(7, "hello", flags(photon.WebHTTPForward|photon.WebSendState))
	var got struct {
		State *struct{ ActorCounter int }
	}
	if c := web.next("/event"); json.Unmarshal([]byte(c.body), &got) != nil || got.State == nil || got.State.ActorCounter != 2 {
		t.Errorf("event with state: %s", c.body)
	}

	table := plugin.NewTable(plugin.Pair{Key: "turn", Value: int32(2)})
	ann.Set(0, table)
	ann.Set(0, table, flags(photon.WebHTTPForward))
	properties := `{"ActorNr":1,` + common + `,"GameId":"room1","Region":"eu","Type":`
	web.gets("/properties", properties+`"Game","Properties":{"turn":2}`+user)
	ann.Set(2, table, flags(photon.WebHTTPForward|photon.WebSendAuthCookie|photon.WebSendSync))
	web.gets("/properties", properties+`"Actor","TargetActor":2,"Properties":{"turn":2},"AuthCookie":{"level":3}`+user)
	// What the room refuses is no news.
	expected := photon.Param(photon.ParamExpectedValues, plugin.NewTable(plugin.Pair{Key: "turn", Value: int32(5)}))
	expectCode(t, "failed swap", ann.Set(0, table, flags(photon.WebHTTPForward), expected), photon.ReturnInvalidOperation, "")
	ann.Raise(7, "hello", flags(photon.WebHTTPForward))
	web.gets("/event", event+user)
}

// PL-125
func TestSendSync(t *testing.T) {
	web := newService(t)
	s := web.start("PathEvent", "event")
	ann, bob := playing(s)
	hold := web.holds("/event")
	ann.Raise(1, "at once", flags(photon.WebHTTPForward))
	bob.WaitEvent(1) // and the answer is not there yet
	ann.Raise(2, "later", flags(photon.WebHTTPForward|photon.WebSendSync))
	ann.Raise(3, "overtakes", flags(0))
	bob.WaitEvent(3)
	ann.Sync()
	if rest := strings.Join(bob.Rest(), " "); strings.Contains(rest, "later") {
		t.Errorf("bob has %s", rest)
	}
	web.says("/event", `{"ResultCode":1}`) // the event comes all the same
	close(hold)
	bob.WaitEvent(2)
}

// PL-129, LB-278
func TestErrorInfo(t *testing.T) {
	web := newService(t)
	for _, on := range []string{"true", "false"} {
		s := web.start("PathEvent", "event", "PathJoin", "join", "HasErrorInfo", on)
		web.says("/join", "no JSON")
		ann, bob := playing(s)
		web.next("/join")
		web.says("/event", `{"ResultCode":2,"Message":"bad event"}`)
		ann.Raise(1, nil, flags(photon.WebHTTPForward|photon.WebSendSync))
		web.next("/event")
		bob.WaitEvent(1) // behind the answer
		if on == "true" {
			for _, c := range []*plugintest.Client{ann, bob} {
				for _, want := range []string{errNotJSON.Error(), "bad event"} {
					if got := c.WaitEvent(photon.EventErrorInfo).Get(photon.ParamInfo); got != want {
						t.Errorf("%s is told %v, want %q", c.UserID, got, want)
					}
				}
			}
		} else if rest := strings.Join(bob.Got(), " "); strings.Contains(rest, "251") {
			t.Errorf("bob has %s", rest)
		}
		s.Stop()
	}
}

// PL-131
func TestMaxEvents(t *testing.T) {
	web := newService(t)
	s := web.start("PathEvent", "event", "MaxEventsPerSecond", "3")
	ann, bob := playing(s)
	for i := range 50 { // more than one second's worth, however slow the machine is
		ann.Raise(1, int32(i), flags(photon.WebHTTPForward))
	}
	r := ann.WaitResponse(photon.OpRaiseEvent)
	expectCode(t, "one event too many", r, photon.ReturnHTTPLimitReached, "")
	ann.Raise(2, nil) // what is not forwarded is not counted
	bob.WaitEvent(2)
	if got := bob.WaitEvent(1).Data(); got != int32(0) {
		t.Errorf("the first event is %v", got)
	}
}

// A service that does not answer lets a room's calls pile up to a bound.
func TestCongestion(t *testing.T) {
	web := newService(t)
	web.calls = make(chan call, 2*maxPending)
	s := web.start("PathEvent", "event", "PathGameProperties", "properties")
	ann, bob := playing(s)
	hold := web.holds("/event")
	for range maxPending {
		ann.Raise(1, nil, flags(photon.WebHTTPForward))
	}
	ann.Raise(2, nil, flags(photon.WebHTTPForward))
	expectCode(t, "one event too many", ann.WaitResponse(photon.OpRaiseEvent), photon.ReturnHTTPLimitReached, "")
	table := plugin.NewTable(plugin.Pair{Key: "turn", Value: int32(2)})
	expectCode(t, "properties", ann.Set(0, table, flags(photon.WebHTTPForward)), photon.ReturnHTTPLimitReached, "")
	expectCode(t, "properties of the room alone", ann.Set(0, table), 0, "")
	close(hold)
	for range maxPending {
		web.next("/event")
	}
	s.Stop() // the last answers are there
	if n := len(bob.Rest()); n < maxPending {
		t.Errorf("bob has %d messages", n)
	}
}

// PL-127
func TestLeave(t *testing.T) {
	web := newService(t)
	var host plugin.Host
	s := web.startWith(plugin.FactoryFunc(func(h plugin.Host, name string, c plugin.Config) (plugin.Plugin, error) {
		host = h
		return factory{}.Create(h, name, c)
	}), "PathLeave", "leave")
	ann := s.Client("ann")
	ann.Create("room1", photon.Param(photon.ParamPlayerTTL, int32(100)), noOptions)
	nr := int32(1)
	for _, test := range []struct {
		user, typ, reason string
		inactive, cookie  bool
		leave             func(c *plugintest.Client)
	}{
		{"bob", "ClientDisconnect", "0", true, false, func(c *plugintest.Client) { c.Drop(transport.ReasonClientDisconnect) }},
		{"cat", "TimeoutDisconnect", "4", true, false, func(c *plugintest.Client) { c.Drop(transport.ReasonTimeout) }},
		{"dan", "LeaveRequest", "101", false, true, func(c *plugintest.Client) { c.Call(photon.OpLeave, flags(photon.WebSendAuthCookie)) }},
		{"eve", "PluginRequest", "104", false, false, func(c *plugintest.Client) {
			nr := nr
			host.Enqueue(func() { host.RemoveActor(nr, plugin.Kick, "") })
		}},
	} {
		c := s.Client(test.user, plugintest.AuthCookie(map[string]any{"level": 3}))
		expectCode(t, "join", c.Join("room1"), 0, "")
		nr++
		test.leave(c)
		body := func(typ, reason string, inactive bool, cookie string) string {
			return fmt.Sprintf(`{"ActorNr":%d,%s,"GameId":"room1","IsInactive":%t,"Reason":"%s","Region":"eu","Type":"%s"%s,"UserId":"%s","NickName":"nick-%s"}`,
				nr, common, inactive, reason, typ, cookie, test.user, test.user)
		}
		cookie := ""
		if test.cookie {
			cookie = `,"AuthCookie":{"level":3}`
		}
		web.gets("/leave", body(test.typ, test.reason, test.inactive, cookie))
		if test.inactive {
			web.gets("/leave", body("PlayerTtlTimedOut", "102", false, ""))
		}
	}
}

// PL-128. The room waits for the calls that are under way when it ends.
func TestClose(t *testing.T) {
	web := newService(t)
	s := web.start("PathClose", "close", "PathLeave", "leave")
	ann := s.Client("ann")
	ann.Create("room1", playerTTL)
	ann.Leave(true)
	web.next("/leave")
	web.gets("/close", `{"ActorCount":1,`+common+`,"GameId":"room1","Region":"eu","Type":"Close"}`) // not persistent
	// Without PathClose, too, the last call is sent.
	s2 := web.start("PathLeave", "leave")
	bob := s2.Client("bob")
	bob.Create("room2")
	bob.Leave(false)
	web.next("/leave")
	s2.Stop()
	if n := s2.Rooms(); n != 0 {
		t.Errorf("%d rooms are left", n)
	}
}

// saves are settings of persistent rooms.
func saves(more ...string) []string {
	return append([]string{"PathCreate", "create", "PathLoad", "load", "PathClose", "close", "IsPersistent", "true"}, more...)
}

// PL-119, PL-120, PL-128
func TestSaveAndLoad(t *testing.T) {
	web := newService(t)
	s := web.start(saves()...)
	ann := s.Client("ann")
	expectCode(t, "create", ann.Create("room1", playerTTL, noOptions), 0, "")
	web.next("/create")
	ann.Set(0, plugin.NewTable(plugin.Pair{Key: "turn", Value: int32(5)}))
	ann.Leave(true)
	c := web.next("/close")
	var saved struct {
		Type       string
		ActorCount int
		State      json.RawMessage
	}
	if err := json.Unmarshal([]byte(c.body), &saved); err != nil || saved.Type != "Save" || saved.ActorCount != 1 || len(saved.State) < 10 {
		t.Fatalf("close: %s, %v", c.body, err)
	}

	// The room comes back, to the actor that left it. The refused do no harm to
	// what is saved: nothing is closed.
	web.says("/load", `{"ResultCode":0,"State":`+string(saved.State)+`}`)
	eve := s.Client("eve")
	expectCode(t, "rejoin of a stranger", eve.JoinMode("room1", photon.RejoinOnly), photon.ReturnJoinFailedWithRejoinerNotFound, "")
	web.gets("/load", `{"ActorNr":0,`+common+`,"CreateIfNotExists":false,"GameId":"room1","Region":"eu","Type":"Load","UserId":"eve","NickName":"nick-eve"}`)
	r := ann.JoinMode("room1", photon.RejoinOnly, photon.Param(photon.ParamActorNr, int32(1)))
	expectCode(t, "rejoin", r, 0, "")
	web.gets("/load", `{"ActorNr":1,`+common+`,"CreateIfNotExists":false,"GameId":"room1","Region":"eu","Type":"Load","UserId":"ann","NickName":"nick-ann"}`)
	if table, _ := r.Get(photon.ParamGameProperties).(*plugin.Table); table == nil || r.Get(photon.ParamActorNr) != int32(1) {
		t.Errorf("rejoined with %v", r.Params)
	} else if turn, _ := table.Get("turn"); turn != int32(5) {
		t.Errorf("turn is %v", turn)
	}
	expectCode(t, "join of a newcomer", eve.Join("room1"), 0, "")
	eve.Leave(false)
	ann.Leave(false)
	web.gets("/close", `{"ActorCount":0,`+common+`,"GameId":"room1","Region":"eu","Type":"Close"}`)

	// There is nothing.
	web.says("/load", `{"ResultCode":0,"State":""}`)
	expectCode(t, "join of nothing", ann.Join("room1"), photon.ReturnGameDoesNotExist, "")
	web.next("/load")
	expectCode(t, "join or create", ann.JoinMode("room1", photon.CreateIfNotExists), 0, "")
	web.gets("/load", `{"ActorNr":0,`+common+`,"CreateIfNotExists":true,"GameId":"room1","Region":"eu","Type":"Load","UserId":"ann","NickName":"nick-ann"}`)

	// Nonsense.
	for _, state := range []string{`{"Binary":{"18":"!"}}`, `[]`, `"text"`, `{"ActorList":[{"ActorNr":-1}]}`} {
		web.says("/load", `{"ResultCode":0,"State":`+state+`}`)
		expectCode(t, "join of "+state, eve.Join("room2"), photon.ReturnPluginReportedError, "the saved room can't be loaded")
		web.next("/load")
	}
	web.says("/load", `{"ResultCode":3,"Message":"no"}`)
	expectCode(t, "refused load", eve.Join("room2"), photon.ReturnPluginReportedError, "no")
	web.next("/load")
	web.gotNothing()
}

// PL-130
func TestNoAsyncJoin(t *testing.T) {
	web := newService(t)
	always := web.startFor(gameserver.LoadJoin, factory{}, plugin.Config{
		"BaseUrl": web.server.URL, "PathCreate": "create", "PathClose": "close", "IsPersistent": "true", "AsyncJoin": "false",
	})
	s := web.start(saves("AsyncJoin", "false")...)
	ann := s.Client("ann")
	for _, c := range []*plugintest.Client{ann, always.Client("ann")} {
		expectCode(t, "join", c.Join("room1"), photon.ReturnGameDoesNotExist, "")
		web.gotNothing()
	}
	web.says("/load", `{"ResultCode":0,"State":null}`)
	expectCode(t, "rejoin", ann.JoinMode("room1", photon.RejoinOnly), photon.ReturnGameDoesNotExist, "")
	web.next("/load")
}

// A save is tried again, and what nobody took is written down.
func TestSaveIsRetried(t *testing.T) {
	before := retryAfter
	defer func() { retryAfter = before }()
	retryAfter = [...]time.Duration{time.Millisecond, time.Millisecond, time.Millisecond}
	web := newService(t)
	dir := t.TempDir() + "/letters"
	s := web.start(saves("DeadLetterDir", dir)...)
	end := func(room string) string {
		ann := s.Client("ann")
		ann.Create(room, playerTTL, noOptions)
		web.next("/create")
		ann.Leave(true)
		return web.next("/close").body
	}
	web.says("/close", "500")
	body := end("room1")
	for range len(retryAfter) - 1 {
		web.gets("/close", body)
	}
	web.says("/close", `{"ResultCode":0}`)
	web.gets("/close", body) // the last attempt, which may have been answered with either
	web.says("/close", "500")
	body = end("room/2")
	for range retryAfter {
		web.gets("/close", body)
	}
	web.says("/close", `{"ResultCode":1}`) // a service that has said no is not asked again
	refused := end("room3")
	s.Stop()
	web.gotNothing()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	letters := map[string]bool{}
	for _, f := range files {
		text, err := os.ReadFile(dir + "/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		letters[string(text)] = true
	}
	if !letters[body] || !letters[refused] {
		t.Errorf("%d letters, without those of room/2 and room3", len(files))
	}
}

// The letter is there as long as a save has failed or is slow, for a server that stops
// does not wait for long, and gone when the service has taken the save.
func TestLetterOfASaveThatWorks(t *testing.T) {
	before := retryAfter
	defer func() { retryAfter = before }()
	retryAfter = [...]time.Duration{time.Millisecond, time.Millisecond, time.Millisecond}
	web := newService(t)
	dir := t.TempDir()
	s := web.start(saves("DeadLetterDir", dir)...)
	letters := func() int {
		files, err := filepath.Glob(dir + "/*.json")
		if err != nil {
			t.Fatal(err)
		}
		return len(files)
	}
	ann := s.Client("ann")
	ann.Create("room1", playerTTL, noOptions)
	web.next("/create")
	web.says("/close", "500")
	first := web.holds("/close")
	ann.Leave(true)
	body := web.next("/close").body
	web.says("/close", `{"ResultCode":0}`)
	second := web.holds("/close")
	close(first)
	web.gets("/close", body)
	for end := time.Now().Add(10 * time.Second); letters() == 0; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("no letter is written while the save is tried again")
		}
	}
	close(second)
	s.Stop()
	if n := letters(); n != 0 {
		t.Errorf("%d letters of a room that was saved", n)
	}
}

func TestNames(t *testing.T) {
	web := newService(t)
	s := web.start()
	for i, name := range []string{Name, "WebHooksPlugin1.2", "Webhooks"} {
		r := s.Client(fmt.Sprint("user", i)).Create(name, photon.Param(photon.ParamPlugins, []string{name}))
		expectCode(t, "create", r, 0, "")
		if r.Get(photon.ParamPluginName) != name {
			t.Errorf("plugin %v", r.Get(photon.ParamPluginName))
		}
	}
	expectCode(t, "create with another", s.Client("x").Create("x", photon.Param(photon.ParamPlugins, []string{"Other"})), photon.ReturnPluginMismatch, "")
}
