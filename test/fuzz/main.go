// Command fuzz runs every fuzz target of the repository for a short time each.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

var target = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(f \*testing\.F\)`)

func main() {
	fuzztime := flag.String("fuzztime", "20000x", "time or number of runs for each target")
	flag.Parse()
	failed, passed := 0, 0
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, "_test.go") {
			return err
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for _, m := range target.FindAllSubmatch(text, -1) {
			pkg, name := "./"+filepath.Dir(file), string(m[1])
			cmd := exec.Command("go", "test", pkg, "-run", "^$", "-fuzz", "^"+name+"$", "-fuzztime", *fuzztime)
			out, err := cmd.CombinedOutput()
			if err != nil {
				failed++
				fmt.Printf("FAIL %s %s\n%s\n", pkg, name, out)
				continue
			}
			passed++
			last := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
			fmt.Printf("ok   %s %s: %s\n", pkg, name, last[max(0, len(last)-3)])
		}
		return nil
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "fuzz:", err)
		os.Exit(1)
	}
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 || passed == 0 {
		os.Exit(1)
	}
}
