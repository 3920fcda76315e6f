// Command probeguest is package probe as a WebAssembly plugin.
package main

import (
	"github.com/boson-project/boson/pkg/plugin/wasm/guest"
	"github.com/boson-project/boson/pkg/plugin/wasm/testdata/probe"
)

func init() { guest.Serve(probe.Factory) }

func main() {}
