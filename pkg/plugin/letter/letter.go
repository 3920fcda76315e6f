// Package letter writes dead letters: states of rooms that nobody took, as files
// in a directory that an operator looks at. The plugins that save rooms share it.
package letter

import (
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
)

// Written counts the letters of this process.
var Written atomic.Int64

// maxName is the length of a name without its suffix: with one of up to 50 bytes
// it is below what file systems take.
const maxName = 200

// Name is a file name of some parts, each escaped, and a suffix that makes it
// unique: the parts are cut when they are long.
func Name(suffix string, parts ...string) string {
	escaped := make([]string, len(parts))
	for i, p := range parts {
		escaped[i] = url.QueryEscape(p)
	}
	name := strings.Join(escaped, "_")
	if len(name) > maxName {
		name = name[:maxName]
	}
	return strings.TrimLeft(name, ".") + "_" + suffix + ".json"
}

// writers bounds the writes at one time, so that a server that stops without its
// database does not write all its rooms at once.
var writers = make(chan struct{}, 4)

// Write writes a file that is whole or not there, in place of one of that name. It
// makes the directory if there is none. It blocks: not for a room's fiber.
func Write(dir, name string, body []byte) error {
	writers <- struct{}{}
	defer func() { <-writers }()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".letter")
	if err != nil {
		return err
	}
	_, err = f.Write(body)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, name))
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	Written.Add(1)
	return nil
}
