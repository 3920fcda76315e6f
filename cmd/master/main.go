// Command master runs a Boson master. Settings: master --help.
package main

import (
	"os"

	"github.com/boson-project/boson/pkg/daemon"
)

func main() {
	os.Exit(daemon.Main("master", os.Args[1:], nil, daemon.NewMaster))
}
