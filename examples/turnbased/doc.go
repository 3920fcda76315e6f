// Package turnbased is a room plugin that is the authority in a game of turns:
// tic-tac-toe, in which no client can cheat. It shows rules on the server, state
// in room properties, and players who drop out and come back.
//
// # For clients
//
// Create or join a room with the plugin [Name]. The creator plays X, who joins
// plays O. To move, raise event [EvMove] with the cell, 0 to 8, as content. A move
// against the rules is answered with a response to RaiseEvent, return code 32752
// (PluginReportedError), which says why; a good one is not relayed, but shows in
// the room's properties:
//
//	board   string   nine of X, O and .
//	x, o    int      ActorNr of the players; 0: not there yet
//	turn    int      ActorNr of who is to move; 0: nobody
//	move    int      how many moves were made
//	winner  int      ActorNr; 0: nobody yet, -1: a draw
//
// When the game is over all get event [EvOver] from the room itself (sender 0),
// with the winner as content. Clients believe no other sender.
//
// Who loses the connection has a minute to rejoin (PlayerTtl), and finds the whole
// game in the properties. Who leaves for good, or is away for longer, has lost.
//
// # How it works
//
//   - The properties are all the state there is; the plugin keeps none. So who
//     rejoins is up to date with the join response, and with a plugin that saves
//     rooms a game would survive its server.
//   - A move is a compare-and-swap on "move": it counts only on top of the board
//     that was looked at. Here nothing can come in between; as soon as a decision
//     is postponed (to ask a web service, for example) something can.
//   - OnRaiseEvent drops a good move with Cancel, because others get it as
//     PropertiesChanged, and fails a bad one.
//   - BeforeSetProperties refuses whoever writes the game's properties, and
//     OnCreateGame overwrites what the creator put there.
package turnbased
