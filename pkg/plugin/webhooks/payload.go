package webhooks

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/gpjson"
	"github.com/boson-project/boson/pkg/plugin"
)

// payload is the JSON object of a hook, member after member. The members have
// the order of the examples in loadbalancing-webhooks.md 3.
type payload struct {
	env    plugin.Environment
	gameID string
	b      []byte
	err    error
}

func newPayload(host plugin.Host) *payload {
	return &payload{env: host.Environment(), gameID: host.GameID(), b: []byte("{")}
}

// bytes ends the object. An error means that a value has no JSON form.
func (p *payload) bytes() ([]byte, error) { return append(p.b, '}'), p.err }

func (p *payload) name(name string) {
	if len(p.b) > 1 {
		p.b = append(p.b, ',')
	}
	p.b = append(strconv.AppendQuote(p.b, name), ':')
}

// value adds any value of Photon's (plugins.md 11.2).
func (p *payload) value(name string, v any) {
	p.name(name)
	b, err := gpjson.AppendWeb(p.b, photonValue(v, 0))
	if err != nil && p.err == nil {
		p.err = err
	}
	p.b = b
}

func (p *payload) int(name string, n int) {
	p.name(name)
	p.b = strconv.AppendInt(p.b, int64(n), 10)
}

func (p *payload) bool(name string, on bool) {
	p.name(name)
	p.b = strconv.AppendBool(p.b, on)
}

func (p *payload) raw(name string, text json.RawMessage) {
	p.name(name)
	p.b = append(p.b, text...)
}

func (p *payload) app() {
	p.value("AppVersion", p.env.AppVersion)
	p.value("AppId", p.env.AppID)
}

func (p *payload) game() { p.value("GameId", p.gameID) }

func (p *payload) region(typ string) {
	p.value("Region", p.env.Region)
	p.value("Type", typ)
}

func (p *payload) user(c *plugin.Call) {
	p.value("UserId", c.UserID())
	p.value("NickName", c.Nickname())
}

// extra is what web flags add.
type extra struct {
	state  plugin.GameState // nil for none
	cookie map[string]any   // nil for none
}

func (p *payload) extra(x extra) {
	if x.state != nil {
		p.raw("State", x.state)
	}
	if x.cookie != nil {
		p.value("AuthCookie", x.cookie)
	}
}

func createPayload(host plugin.Host, c *plugin.CreateGameCall) ([]byte, error) {
	p := newPayload(host)
	p.int("ActorNr", 1)
	p.app()
	p.name("CreateOptions")
	p.createOptions(c.CreateOptions)
	p.game()
	p.region("Create")
	p.user(&c.Call)
	return p.bytes()
}

// createOrder is the order of the room's options. Others follow, sorted.
var createOrder = [...]string{
	"MaxPlayers", "IsVisible", "IsOpen", "LobbyId", "LobbyType", "CustomProperties", "EmptyRoomTTL", "PlayerTTL",
	"CheckUserOnJoin", "DeleteCacheOnLeave", "SuppressRoomEvents", "PublishUserId",
}

func (p *payload) createOptions(options map[string]any) {
	pairs := make([]gpbinary.Pair, 0, len(options))
	for _, name := range createOrder {
		if v, ok := options[name]; ok {
			pairs = append(pairs, gpbinary.Pair{Key: name, Value: photonValue(v, 1)})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(options)) {
		if !slices.Contains(createOrder[:], name) {
			pairs = append(pairs, gpbinary.Pair{Key: name, Value: photonValue(options[name], 1)})
		}
	}
	b, err := gpjson.AppendWeb(p.b, gpbinary.NewHashtable(pairs...))
	if err != nil && p.err == nil {
		p.err = err
	}
	p.b = b
}

func loadPayload(host plugin.Host, c *plugin.CreateGameCall) ([]byte, error) {
	p := newPayload(host)
	p.int("ActorNr", max(int(c.Request.ActorNr), 0))
	p.app()
	p.bool("CreateIfNotExists", c.CreateIfNotExists)
	p.game()
	p.region("Load")
	p.user(&c.Call)
	return p.bytes()
}

func beforeJoinPayload(host plugin.Host, c *plugin.BeforeJoinCall) ([]byte, error) {
	p := newPayload(host)
	p.app()
	p.game()
	p.region("BeforeJoin")
	p.extra(extra{cookie: c.AuthCookie()})
	p.user(&c.Call)
	return p.bytes()
}

func joinPayload(host plugin.Host, c *plugin.JoinCall) ([]byte, error) {
	p := newPayload(host)
	p.int("ActorNr", int(c.ActorNr))
	p.app()
	p.game()
	p.region("Join")
	p.user(&c.Call)
	return p.bytes()
}

func leavePayload(host plugin.Host, c *plugin.LeaveCall, x extra) ([]byte, error) {
	p := newPayload(host)
	p.int("ActorNr", int(c.ActorNr))
	p.app()
	p.game()
	p.bool("IsInactive", c.IsInactive)
	p.value("Reason", strconv.Itoa(int(c.Reason)))
	p.region(c.Reason.String())
	p.extra(x)
	p.user(&c.Call)
	return p.bytes()
}

func eventPayload(host plugin.Host, c *plugin.RaiseEventCall, x extra) ([]byte, error) {
	data, err := c.Request.Data()
	if err != nil {
		return nil, err
	}
	p := newPayload(host)
	p.int("ActorNr", int(c.ActorNr))
	p.app()
	p.game()
	p.region("Event")
	p.int("EvCode", int(c.Request.EvCode))
	p.value("Data", data)
	p.extra(x)
	p.user(&c.Call)
	return p.bytes()
}

func propertiesPayload(host plugin.Host, c *plugin.BeforeSetPropertiesCall, x extra) ([]byte, error) {
	p := newPayload(host)
	p.int("ActorNr", int(c.ActorNr))
	p.app()
	p.game()
	if target := c.Request.ActorNumber; target == 0 {
		p.region("Game")
	} else {
		p.region("Actor")
		p.int("TargetActor", int(target))
	}
	p.value("Properties", c.Request.Properties)
	p.extra(x)
	p.user(&c.Call)
	return p.bytes()
}

// closePayload is a Save with a state, a Close without.
func closePayload(host plugin.Host, inactive int, state plugin.GameState) ([]byte, error) {
	p := newPayload(host)
	p.int("ActorCount", inactive)
	p.app()
	p.game()
	if state == nil {
		p.region("Close")
		return p.bytes()
	}
	p.region("Save")
	p.extra(extra{state: state})
	return p.bytes()
}

// photonValue turns what Go programs say, maps and lists, into the values of
// Photon's that JSON has a form for. Cookies and options are such maps.
func photonValue(v any, depth int) any {
	if depth > gpbinary.MaxDepth {
		return v // refused later
	}
	switch x := v.(type) {
	case int:
		return int64(x)
	case uint16:
		return int32(x)
	case map[string]any:
		t := gpbinary.NewHashtable()
		for _, name := range slices.Sorted(maps.Keys(x)) {
			t.Set(name, photonValue(x[name], depth+1))
		}
		return t
	case []any:
		out := make(gpbinary.ObjectArray, len(x))
		for i := range x {
			out[i] = photonValue(x[i], depth+1)
		}
		return out
	}
	return v
}
