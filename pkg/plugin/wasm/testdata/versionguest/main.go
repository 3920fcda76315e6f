// Command versionguest is a plugin that is called as its configuration and build
// say; tests build it in two versions.
package main

import (
	"github.com/boson-project/boson/pkg/plugin"
	"github.com/boson-project/boson/pkg/plugin/wasm/guest"
)

// version is set by the linker.
var version = "1.0.0"

type named struct{ plugin.Base }

func (named) Name() string    { return "Named" }
func (named) Version() string { return version }

func init() {
	guest.Serve(plugin.FactoryFunc(func(host plugin.Host, _ string, _ plugin.Config) (plugin.Plugin, error) {
		return named{plugin.Base{Host: host}}, nil
	}))
}

func main() {}
