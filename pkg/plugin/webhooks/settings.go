package webhooks

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/boson-project/boson/pkg/plugin"
)

// The settings (plugins.md 11.1); docs/webhooks.md explains them.
const (
	keyBaseURL            = "BaseUrl"
	keyHeaders            = "CustomHttpHeaders"
	keyPathCreate         = "PathCreate"
	keyPathLoad           = "PathLoad"
	keyPathClose          = "PathClose"
	keyPathBeforeJoin     = "PathBeforeJoin"
	keyPathJoin           = "PathJoin"
	keyPathLeave          = "PathLeave"
	keyPathEvent          = "PathEvent"
	keyPathGameProperties = "PathGameProperties"
	keyHasErrorInfo       = "HasErrorInfo"
	keyIsPersistent       = "IsPersistent"
	keyAsyncJoin          = "AsyncJoin"
	// These two are Boson's own.
	keyMaxEvents     = "MaxEventsPerSecond"
	keyDeadLetterDir = "DeadLetterDir"
)

// maxValue is the length of a setting's value in characters.
const maxValue = 1024

type settings struct {
	baseURL string
	headers map[string]string
	// The relative paths; an empty one turns its hook off.
	create, load, close, beforeJoin, join, leave, event, gameProperties string

	hasErrorInfo, isPersistent, asyncJoin bool

	// maxEvents is how many PathEvent calls a room may make in a second; 0 is any
	// number.
	maxEvents int
	// deadLetterDir is where states are written that could not be saved; "" is nowhere.
	deadLetterDir string
}

// parseSettings reads an application's settings. Keys that it does not know are
// left alone: the configuration of the original has some, like AssemblyName.
func parseSettings(config plugin.Config) (*settings, error) {
	s := &settings{baseURL: config[keyBaseURL], deadLetterDir: config[keyDeadLetterDir], asyncJoin: true}
	fail := func(format string, args ...any) (*settings, error) {
		return nil, fmt.Errorf("plugin "+Name+": "+format, args...)
	}
	for _, key := range [...]string{
		keyBaseURL, keyHeaders, keyPathCreate, keyPathLoad, keyPathClose, keyPathBeforeJoin, keyPathJoin, keyPathLeave,
		keyPathEvent, keyPathGameProperties,
	} {
		if n := utf8.RuneCountInString(config[key]); n > maxValue {
			return fail("%s has %d characters, at most %d", key, n, maxValue)
		}
	}
	if s.baseURL == "" {
		return fail("%s is missing", keyBaseURL)
	}
	for key, path := range map[string]*string{
		keyPathCreate: &s.create, keyPathLoad: &s.load, keyPathClose: &s.close, keyPathBeforeJoin: &s.beforeJoin,
		keyPathJoin: &s.join, keyPathLeave: &s.leave, keyPathEvent: &s.event, keyPathGameProperties: &s.gameProperties,
	} {
		*path = config[key]
		if *path == "" {
			continue
		}
		u, err := url.Parse(s.url(*path, plugin.Environment{}))
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return fail("%s and %s do not make an http or https address", keyBaseURL, key)
		}
	}
	if s.load == "" {
		s.load = s.create
	}
	if text := config[keyHeaders]; text != "" {
		if err := json.Unmarshal([]byte(text), &s.headers); err != nil {
			return fail("%s is not a JSON object of strings", keyHeaders)
		}
	}
	for key, flag := range map[string]*bool{
		keyHasErrorInfo: &s.hasErrorInfo, keyIsPersistent: &s.isPersistent, keyAsyncJoin: &s.asyncJoin,
	} {
		text := config[key]
		if text == "" {
			continue
		}
		on, err := strconv.ParseBool(strings.ToLower(text))
		if err != nil {
			return fail("%s is %q, not true or false", key, text)
		}
		*flag = on
	}
	if text := config[keyMaxEvents]; text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return fail("%s is %q, not a number of calls", keyMaxEvents, text)
		}
		s.maxEvents = n
	}
	if s.isPersistent && (s.create == "" || s.close == "") {
		return fail("%s needs %s and %s", keyIsPersistent, keyPathCreate, keyPathClose)
	}
	return s, nil
}

// url returns the address of a path: the path of BaseUrl, the path, and the query
// of both (plugins.md 11.1). Tags in it are replaced.
func (s *settings) url(path string, env plugin.Environment) string {
	base, baseQuery, _ := strings.Cut(s.baseURL, "?")
	path, query, _ := strings.Cut(path, "?")
	address := strings.TrimSuffix(base, "/") + "/" + strings.TrimPrefix(path, "/")
	separator := "?"
	for _, q := range [...]string{query, baseQuery} {
		if q != "" {
			address += separator + q
			separator = "&"
		}
	}
	return strings.NewReplacer(
		"{AppVersion}", tag(env.AppVersion), "{AppId}", tag(env.AppID), "{Region}", tag(env.Region), "{Cloud}", tag(env.Cloud),
	).Replace(address)
}

// tag is a value as it stands in an address: without spaces, and escaped, for
// clients choose AppVersion and must not choose the address with it.
func tag(value string) string {
	value = strings.ReplaceAll(value, " ", "")
	if value == "." || value == ".." {
		return "" // these would walk through the path
	}
	return url.QueryEscape(value)
}
