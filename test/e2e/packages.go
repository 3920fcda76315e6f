package main

import (
	"encoding/json"
	"fmt"
	"os"
)

type packageFile struct {
	Version      string            `json:"version"`
	Dependencies map[string]string `json:"dependencies"`
}

func readPackage(path string) (packageFile, error) {
	var p packageFile
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &p)
	}
	if err != nil {
		return p, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// pinned returns the exact versions that a package.json asks for.
func pinned(path string) (map[string]string, error) {
	p, err := readPackage(path)
	return p.Dependencies, err
}

func packageVersion(path string) (string, error) {
	p, err := readPackage(path)
	return p.Version, err
}
