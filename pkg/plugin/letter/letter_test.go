package letter

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestName(t *testing.T) {
	if got := Name("5", "app-guid", "1.0", "../a b/c"); got != "app-guid_1.0_..%2Fa+b%2Fc_5.json" {
		t.Error(got)
	}
	if got := Name("5", "..", "x"); strings.HasPrefix(got, ".") {
		t.Error(got)
	}
	if got := Name("5", strings.Repeat("/", 500)); len(got) > 255 || !strings.HasSuffix(got, "_5.json") {
		t.Errorf("%d bytes: %s", len(got), got)
	}
}

func TestWrite(t *testing.T) {
	before := Written.Load()
	dir := filepath.Join(t.TempDir(), "new")
	for _, body := range []string{"one", "two"} {
		if err := Write(dir, "a.json", []byte(body)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(dir, "a.json")); err != nil || string(got) != body {
			t.Errorf("%q, %v", got, err)
		}
	}
	// Where a file can't be made nothing is left of it.
	if err := os.Mkdir(filepath.Join(dir, "b.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	if Write(dir, "b.json", []byte("x")) == nil || Write(filepath.Join(dir, "a.json"), "c.json", nil) == nil {
		t.Error("a letter was written where none can be")
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 2 {
		t.Errorf("%v, %v", files, err)
	}
	if n := Written.Load() - before; n != 2 {
		t.Errorf("%d were counted, want 2", n)
	}
}
