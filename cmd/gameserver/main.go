// Command gameserver runs a Boson game server. Settings: gameserver --help.
package main

import (
	"os"

	"github.com/boson-project/boson/pkg/daemon"
)

func main() {
	os.Exit(daemon.Main("gameserver", os.Args[1:], nil, daemon.NewGameServer))
}
