// Command nameserver runs a Boson name server. Settings: nameserver --help.
package main

import (
	"os"

	"github.com/boson-project/boson/pkg/daemon"
)

func main() {
	os.Exit(daemon.Main("nameserver", os.Args[1:], nil, daemon.NewNameServer))
}
