//go:build !unix

package main

import (
	"fmt"
	"os/exec"
	"strconv"
)

// ownGroup does nothing: killGroup finds the children by their parents.
func ownGroup(*exec.Cmd) {}

// terminateGroup fails: there is no signal that asks a process to end.
func terminateGroup(*exec.Cmd) error { return fmt.Errorf("not possible on this system") }

// killGroup ends a command and its children.
func killGroup(cmd *exec.Cmd) error {
	return exec.Command("taskkill", "/T", "/F", "/PID", strconv.Itoa(cmd.Process.Pid)).Run()
}
