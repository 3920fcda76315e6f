package plugin

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// APIVersion is the version of this package that plugins are built against,
// major.minor. What is added makes a new minor one, so that a server without it
// does not load a plugin that needs it (plugins.md 5):
//
//   - 1.1: Host.CloseRoom
const APIVersion = "1.1"

// CheckAPI says whether a plugin built against that version can be loaded: the
// major number must be the same and the minor one not higher (plugins.md 5).
func CheckAPI(version string) error {
	major, minor, err := parseVersion(version)
	if err != nil {
		return err
	}
	ourMajor, ourMinor, _ := parseVersion(APIVersion)
	if major != ourMajor || minor > ourMinor {
		return fmt.Errorf("plugin is made for API version %s, this server has %s", version, APIVersion)
	}
	return nil
}

func parseVersion(version string) (major, minor int, err error) {
	first, rest, ok := strings.Cut(version, ".")
	second, _, _ := strings.Cut(rest, ".")
	if major, err = strconv.Atoi(first); err == nil && ok {
		minor, err = strconv.Atoi(second)
	}
	if err != nil || !ok || major < 0 || minor < 0 {
		return 0, 0, fmt.Errorf("API version %q is not major.minor", version)
	}
	return major, minor, nil
}

var registry = struct {
	sync.Mutex
	factories map[string]Factory
}{factories: map[string]Factory{}}

// Register makes a compiled-in factory known, which the configuration then
// chooses by its id. Call it from init. It panics on a second factory with the
// same id and on the id "Default": mistakes of the program, found at start.
func Register(id string, f Factory) {
	registry.Lock()
	defer registry.Unlock()
	if id == "" || id == DefaultName {
		panic("plugin: the id " + strconv.Quote(id) + " is reserved")
	}
	if _, ok := registry.factories[id]; ok {
		panic("plugin: two factories with the id " + strconv.Quote(id))
	}
	registry.factories[id] = f
}

// Registered returns the compiled-in factory with that id.
func Registered(id string) (Factory, bool) {
	registry.Lock()
	defer registry.Unlock()
	f, ok := registry.factories[id]
	return f, ok
}

// RegisteredIDs lists the ids of all compiled-in factories.
func RegisteredIDs() []string {
	registry.Lock()
	defer registry.Unlock()
	return slices.Sorted(maps.Keys(registry.factories))
}

// ErrReservedName says that a plugin calls itself Default.
var ErrReservedName = errors.New(`plugin: the name "Default" is reserved`)
