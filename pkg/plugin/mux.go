package plugin

import (
	"fmt"
	"maps"
	"slices"
)

// Mux is a factory for an application with several plugins: for each name that
// clients may ask for, who makes it. Rooms whose creator asks for none get the
// plugin of the entry "", or have none if there is no such entry. All share the
// application's Config.
type Mux map[string]Factory

// Create implements Factory. ErrNoSuchPlugin: the name has no entry.
func (m Mux) Create(host Host, name string, config Config) (Plugin, error) {
	if f, ok := m[name]; ok {
		return f.Create(host, name, config)
	}
	if name == "" || name == DefaultName {
		return Default{}, nil
	}
	return nil, ErrNoSuchPlugin
}

// CheckConfig implements ConfigChecker: it asks all that are one.
func (m Mux) CheckConfig(config Config) error {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if c, ok := m[name].(ConfigChecker); ok {
			if err := c.CheckConfig(config); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return nil
}

// Loads implements Loader: what any of them says.
func (m Mux) Loads(config Config) (onRejoin, onJoin bool) {
	for _, f := range m {
		if l, ok := f.(Loader); ok {
			rejoin, join := l.Loads(config)
			onRejoin, onJoin = onRejoin || rejoin, onJoin || join
		}
	}
	return onRejoin, onJoin
}
