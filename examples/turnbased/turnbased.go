package turnbased

import (
	"errors"
	"slices"
	"strings"

	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
)

// Name is what clients ask for by RoomOptions.Plugins.
const Name = "TicTacToe"

// Event codes.
const (
	EvMove = 1 // from a client: a cell
	EvOver = 2 // from the room: the winner, as in property winner
)

// Draw is the winner of a game that nobody won.
const Draw = int32(-1)

// Keys of the room properties that are the game's.
const (
	keyBoard  = "board"
	keyX      = "x"
	keyO      = "o"
	keyTurn   = "turn"
	keyMove   = "move"
	keyWinner = "winner"
)

var keys = []string{keyBoard, keyX, keyO, keyTurn, keyMove, keyWinner}

// rejoinTime is the PlayerTtl of rooms whose creator sets none, in ms.
const rejoinTime = 60_000

func init() { plugin.Register("turnbased", Factory) }

// Factory makes the plugins of rooms.
var Factory plugin.FactoryFunc = func(host plugin.Host, _ string, _ plugin.Config) (plugin.Plugin, error) {
	return &game{plugin.Base{Host: host}}, nil
}

// game is the plugin of one room.
type game struct{ plugin.Base }

// Name implements plugin.Plugin.
func (*game) Name() string { return Name }

// Version implements plugin.Plugin.
func (*game) Version() string { return "1.0" }

// Filter implements plugin.Filtered: other events than the game's own, say chat,
// are none of its business.
func (*game) Filter() plugin.Filter {
	return plugin.Filter{
		Hooks: plugin.HookCreateGame | plugin.HookJoin | plugin.HookLeave | plugin.HookRaiseEvent |
			plugin.HookBeforeSetProperties,
		Events: []plugin.EventRange{{From: EvMove, To: EvOver}},
	}
}

// OnCreateGame makes the room one for two, with an empty board.
func (g *game) OnCreateGame(c *plugin.CreateGameCall) {
	r := c.Request
	if r.GameProperties == nil {
		r.GameProperties = plugin.NewTable()
	}
	p, start := r.GameProperties, newState()
	p.Delete(photon.PropMaxPlayersInt)
	p.Set(photon.PropMaxPlayers, byte(2))
	for _, v := range start.table().Pairs() {
		p.Set(v.Key, v.Value)
	}
	r.RoomFlags |= photon.FlagCheckUserOnJoin
	if r.PlayerTTL == 0 {
		r.PlayerTTL = rejoinTime
	}
	_ = c.Continue()
}

// OnJoin gives the second player the O and begins. Who rejoins has a part already.
func (g *game) OnJoin(c *plugin.JoinCall) {
	if c.Continue() != nil {
		return
	}
	if s := g.state(); s.o == 0 && c.ActorNr != s.x {
		s.o, s.turn = c.ActorNr, s.x
		_ = g.save(s, s.move)
	}
}

// OnLeave ends the game if a player goes for good.
func (g *game) OnLeave(c *plugin.LeaveCall) {
	_ = c.Continue()
	s := g.state()
	if c.IsInactive || s.turn == 0 || c.ActorNr != s.x && c.ActorNr != s.o {
		return
	}
	s.finish(s.other(c.ActorNr))
	if g.save(s, s.move) == nil {
		g.announce(s)
	}
}

// OnRaiseEvent takes moves.
func (g *game) OnRaiseEvent(c *plugin.RaiseEventCall) {
	if c.Request.EvCode != EvMove {
		_ = c.Fail("the room says when the game is over", nil)
		return
	}
	s := g.state()
	before := s.move
	data, _ := c.Request.Data()
	err := s.play(c.ActorNr, data)
	if err == nil {
		err = g.save(s, before)
	}
	if err != nil {
		_ = c.Fail(err.Error(), nil)
		return
	}
	_ = c.Cancel() // all get the properties instead
	if s.winner != 0 {
		g.announce(s)
	}
}

// BeforeSetProperties keeps clients' hands off the game's state.
func (g *game) BeforeSetProperties(c *plugin.BeforeSetPropertiesCall) {
	if c.Request.ActorNumber == 0 {
		for _, p := range c.Request.Properties.Pairs() {
			if key, ok := p.Key.(string); ok && slices.Contains(keys, key) {
				_ = c.Fail("property "+key+" is the game's", nil)
				return
			}
		}
	}
	_ = c.Continue()
}

// save writes the state, if it is still at the given move.
func (g *game) save(s state, move int32) error {
	_, err := g.Host.SetProperties(0, s.table(), plugin.SetOptions{
		Expected:  plugin.NewTable(plugin.Pair{Key: keyMove, Value: move}),
		Broadcast: true,
	})
	return err
}

func (g *game) announce(s state) {
	if err := g.BroadcastToAll(EvOver, s.winner); err != nil {
		g.Host.Logger().Error("the winner was not announced", "error", err)
	}
}

// state reads the game from the room's properties.
func (g *game) state() (s state) {
	p := g.Host.Properties()
	number := func(key string) int32 {
		v, _ := p.Get(key)
		n, _ := v.(int32)
		return n
	}
	board, _ := p.Get(keyBoard)
	s.board, _ = board.(string)
	s.x, s.o, s.turn, s.move, s.winner = number(keyX), number(keyO), number(keyTurn), number(keyMove), number(keyWinner)
	return s
}

// state is a game: the rules, which know nothing of rooms.
type state struct {
	board        string
	x, o         int32
	turn         int32
	move, winner int32
}

// newState is a game before its second player. The creator is always actor 1.
func newState() state { return state{board: strings.Repeat(".", 9), x: 1} }

func (s *state) table() *plugin.Table {
	return plugin.NewTable(
		plugin.Pair{Key: keyBoard, Value: s.board}, plugin.Pair{Key: keyX, Value: s.x}, plugin.Pair{Key: keyO, Value: s.o},
		plugin.Pair{Key: keyTurn, Value: s.turn}, plugin.Pair{Key: keyMove, Value: s.move}, plugin.Pair{Key: keyWinner, Value: s.winner},
	)
}

// play makes a move.
func (s *state) play(actorNr int32, data any) error {
	// A client's language decides what kind of number it sends.
	cell, ok := photon.AsInt(data)
	switch {
	case s.winner != 0:
		return errors.New("the game is over")
	case s.o == 0:
		return errors.New("the other player is not there yet")
	case s.turn != actorNr:
		return errors.New("it is not your turn")
	case !ok || cell < 0 || cell >= int64(len(s.board)):
		return errors.New("a move is a cell, 0 to 8")
	case s.board[cell] != '.':
		return errors.New("the cell is taken")
	}
	mark := "X"
	if actorNr == s.o {
		mark = "O"
	}
	s.board = s.board[:cell] + mark + s.board[cell+1:]
	s.move++
	s.turn = s.other(actorNr)
	switch {
	case s.won(mark[0]):
		s.finish(actorNr)
	case !strings.Contains(s.board, "."):
		s.finish(Draw)
	}
	return nil
}

func (s *state) finish(winner int32) { s.winner, s.turn = winner, 0 }

func (s *state) other(actorNr int32) int32 {
	if actorNr == s.x {
		return s.o
	}
	return s.x
}

var lines = [...][3]int{{0, 1, 2}, {3, 4, 5}, {6, 7, 8}, {0, 3, 6}, {1, 4, 7}, {2, 5, 8}, {0, 4, 8}, {2, 4, 6}}

func (s *state) won(mark byte) bool {
	for _, l := range lines {
		if s.board[l[0]] == mark && s.board[l[1]] == mark && s.board[l[2]] == mark {
			return true
		}
	}
	return false
}
