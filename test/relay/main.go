//go:build linux

// Command relay is the yardstick of docs/performance.md: a UDP relay without any
// protocol, which does what a game server can't avoid doing - a datagram in, and
// one out per receiver - with a load for it, and a Boson game server alone, bare
// of a cluster, to compare with.
//
//	relay plain -listen 127.0.0.1:7000            the plain relay
//	relay load -to 127.0.0.1:7000 -rooms 64 ...   a load for it
//	relay boson -listen 127.0.0.1:7001            a game server; load: boson bench --gameserver
//	relay cluster                                 a whole cluster; says where its name server is
//	relay compare                                 all of it in turn, and a table of the figures
//
// compare pins the servers to one core and the load to another one; otherwise do
// so with taskset.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	commands := map[string]func([]string) error{"plain": plain, "load": load, "boson": boson, "cluster": wholeCluster, "compare": compare, "idle": idle}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: relay plain|load|boson|cluster|compare [flags]")
		os.Exit(2)
	}
	if err := commands[os.Args[1]](os.Args[2:]); err != nil && err != flag.ErrHelp {
		fmt.Fprintln(os.Stderr, "relay:", err)
		os.Exit(1)
	}
}
