package bench

import (
	"os"
	"testing"
)

func TestProcessUse(t *testing.T) {
	_, memory, err := ProcessUse(os.Getpid())
	if err != nil || memory < 1<<20 {
		t.Errorf("%d bytes, %v", memory, err)
	}
	if _, _, err := ProcessUse(1 << 30); err == nil {
		t.Error("found a process that is not there")
	}
}
