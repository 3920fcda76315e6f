package plugin

// Hook is a set of callbacks.
type Hook uint16

// The callbacks.
const (
	HookCreateGame Hook = 1 << iota
	HookBeforeJoin
	HookJoin
	HookLeave
	HookRaiseEvent
	HookBeforeSetProperties
	HookSetProperties
	HookBeforeCloseGame
	HookCloseGame

	// AllHooks are all nine.
	AllHooks Hook = 1<<iota - 1
)

var hookNames = map[string]Hook{
	"OnCreateGame": HookCreateGame, "BeforeJoin": HookBeforeJoin, "OnJoin": HookJoin, "OnLeave": HookLeave,
	"OnRaiseEvent": HookRaiseEvent, "BeforeSetProperties": HookBeforeSetProperties, "OnSetProperties": HookSetProperties,
	"BeforeCloseGame": HookBeforeCloseGame, "OnCloseGame": HookCloseGame,
}

// ParseHook returns the callback of a name, for example "OnRaiseEvent".
func ParseHook(name string) (Hook, bool) {
	h, ok := hookNames[name]
	return h, ok
}

// Filter is what a plugin wants to be asked. What is left out is continued
// without the plugin.
type Filter struct {
	Hooks Hook
	// Events are the codes for which OnRaiseEvent is called; nil is all.
	Events []EventRange
}

// EventRange is a range of event codes, both ends included.
type EventRange struct{ From, To byte }
