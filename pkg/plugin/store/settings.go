package store

import (
	"fmt"
	"time"

	"github.com/boson-project/boson/pkg/plugin"
)

// The settings and their defaults; docs/persistence.md explains them.
const (
	keyStore        = "Store"
	keySaveInterval = "SaveInterval"
	keyTimeout      = "Timeout"
	keyMaxAge       = "MaxAge"
	keyLetterDir    = "DeadLetterDir"

	defaultSaveInterval = 30 * time.Second
	defaultTimeout      = 5 * time.Second
)

type settings struct {
	store        string
	saveInterval time.Duration // 0: only when the room ends
	timeout      time.Duration // of one request to the database
	maxAge       time.Duration // 0: as long as players may come back
	letterDir    string        // for states that could not be saved; "" is nowhere
}

// parseSettings reads an application's settings. Unknown keys are left alone.
func parseSettings(config plugin.Config) (*settings, error) {
	s := &settings{store: config[keyStore], letterDir: config[keyLetterDir], saveInterval: defaultSaveInterval, timeout: defaultTimeout}
	if _, err := parseStore(s.store); err != nil {
		return nil, fmt.Errorf("plugin %s: %w", Name, err)
	}
	for _, f := range []struct {
		key   string
		value *time.Duration
		zero  bool // may be 0
	}{{keySaveInterval, &s.saveInterval, true}, {keyTimeout, &s.timeout, false}, {keyMaxAge, &s.maxAge, true}} {
		text, ok := config[f.key]
		if !ok || text == "" {
			continue
		}
		d, err := time.ParseDuration(text)
		if err != nil || d < time.Second && (d != 0 || !f.zero) {
			return nil, fmt.Errorf(`plugin %s: %s is %q, not a time of at least a second, for example "30s"`, Name, f.key, text)
		}
		*f.value = d
	}
	return s, nil
}
