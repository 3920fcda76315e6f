// Package lobby is a master's knowledge of rooms and users, and what it decides
// with it: which names are taken, lobbies and their room lists, random
// matchmaking, friends, statistics (loadbalancing-matchmaking.md).
//
// An App is one virtual application's state machine. It knows neither game
// servers' load nor connections: it says that a room is to be created, and its
// caller chooses the server. Time and randomness are inputs. All methods of one
// App, and of the Watchers it is given, are called from one fiber; the times
// passed to it never go back.
package lobby
