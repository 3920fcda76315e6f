package plugin

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Int reads a whole number from least on; absent if the key is absent or empty.
// The errors of this and the others name the key.
func (c Config) Int(key string, absent, least int) (int, error) {
	text := c[key]
	if text == "" {
		return absent, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least {
		return absent, fmt.Errorf("%s is %q, want a whole number from %d on", key, text, least)
	}
	return n, nil
}

// Duration reads a time like 1m30s, not negative; absent if the key is absent or
// empty.
func (c Config) Duration(key string, absent time.Duration) (time.Duration, error) {
	text := c[key]
	if text == "" {
		return absent, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return absent, fmt.Errorf("%s is %q, want a duration like 90s or 1m30s", key, text)
	}
	return d, nil
}

// Bool reads true or false; absent if the key is absent or empty.
func (c Config) Bool(key string, absent bool) (bool, error) {
	text := c[key]
	if text == "" {
		return absent, nil
	}
	on, err := strconv.ParseBool(text)
	if err != nil {
		return absent, fmt.Errorf("%s is %q, want true or false", key, text)
	}
	return on, nil
}

// List reads values between commas, without the spaces around them and without
// empty ones.
func (c Config) List(key string) (list []string) {
	for part := range strings.SplitSeq(c[key], ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}
