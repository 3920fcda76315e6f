// Package matchtimer is a room plugin that runs a match by the clock: it waits
// for players, counts down, closes the room for newcomers, removes players who do
// nothing, and ends after its time. It shows timers, events of the room itself,
// and the removal of actors.
//
// # For clients
//
// The room tells how it stands by events of its own (sender 0) and by the room
// property "phase", a string:
//
//	phase      event          content
//	waiting    EvWaiting      int: how many players are missing
//	countdown  EvCountdown    int: seconds to go, each second
//	running    EvStarted      int: seconds that the match will last
//	over       EvEnded
//
// While it counts down and somebody leaves it waits again. From the start on
// IsOpen is false: matchmaking finds the room no more. Who raises no event for
// too long is thrown out: he is disconnected, and his user can't join again.
//
// # For operators
//
//	plugins:
//	  apps:
//	  - app_id: "*"
//	    factory: builtin:matchtimer
//	    config:
//	      players: "2"      # active players that a match needs
//	      countdown: 5s
//	      length: 3m
//	      idle: 30s         # 0s: nobody is thrown out
//
// # How it works
//
//   - Timers run on the room's fiber, like all callbacks. Timer.Stop is final: its
//     function does not run any more, even if it was due already. So a phase stops
//     the timer of the one before, and needs no flags.
//   - OnJoin and OnLeave look at the room after Continue, when the change is made.
//     The creator has no OnJoin: OnCreateGame stands for it.
//   - Every event of every player must be seen to know who is idle. That is the
//     price of this plugin (docs/performance.md); with idle: 0s its Filter leaves
//     events out, and they cost nothing again.
package matchtimer
