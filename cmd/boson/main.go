// Command boson is the tool for people: it runs a whole cluster in one process,
// and looks after one.
package main

import (
	"fmt"
	"os"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/daemon"
)

func main() {
	root := &cobra.Command{
		Use: "boson", Short: "Boson: a Photon-compatible multiplayer server cluster",
		SilenceUsage: true, SilenceErrors: true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.AddCommand(operatorCommands()...)
	root.AddCommand(upCommand(), doctorCommand(), benchCommand(), &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		Run: func(*cobra.Command, []string) { fmt.Println("boson", daemon.Version) },
	})
	if err := root.Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "boson:", err)
		os.Exit(1)
	}
}

func upCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "up [settings]",
		Short: "Run a whole cluster in this process; \"boson up --help\" lists the settings",
		// Settings are those of package config, flags included.
		DisableFlagParsing: true,
		Run: func(_ *cobra.Command, args []string) {
			os.Exit(daemon.Main("boson up", args, daemon.UpPreset, func(cfg *config.Config, log zerolog.Logger) (daemon.Node, error) {
				return daemon.NewUp(cfg, log, os.Stdout)
			}))
		},
	}
}
