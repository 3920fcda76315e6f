package plugin

// Plugin is one room's plugin. All methods are called on the room's fiber.
// Embed Base and override what you need.
type Plugin interface {
	// Name is unique among the factory's plugins, and what clients ask for by
	// RoomOptions.Plugins. "Default" is reserved.
	Name() string
	// Version is told to clients in responses to create and join.
	Version() string

	// OnCreateGame comes when a room is about to be created, or loaded: only here
	// may Host.SetState be called (plugins.md 4.1).
	OnCreateGame(*CreateGameCall)
	// BeforeJoin comes before the room checks whether a client may enter (4.2).
	BeforeJoin(*BeforeJoinCall)
	// OnJoin comes when the actor has its number, before anybody was told (4.3).
	OnJoin(*JoinCall)
	// OnLeave comes when an actor goes, for whatever reason (4.4).
	OnLeave(*LeaveCall)
	// OnRaiseEvent comes for each event that an actor raises (4.5).
	OnRaiseEvent(*RaiseEventCall)
	// BeforeSetProperties comes before properties change (4.6).
	BeforeSetProperties(*BeforeSetPropertiesCall)
	// OnSetProperties comes after they did (4.7).
	OnSetProperties(*SetPropertiesCall)
	// BeforeCloseGame comes when the room is about to end (4.8).
	BeforeCloseGame(*BeforeCloseGameCall)
	// OnCloseGame is the last callback, and the last chance to save state (4.9).
	OnCloseGame(*CloseGameCall)
}

// What a plugin may have besides; found by type assertion.
type (
	// ErrorReporter is told of the plugin's own mistakes and failures: panics,
	// calls without a decision, second decisions. state is the call, or nil.
	ErrorReporter interface {
		ReportError(code ErrorCode, err error, state any)
	}
	// MasterClientObserver is told when another actor became master client. 0 is
	// nobody.
	MasterClientObserver interface {
		OnMasterClientChanged(oldID, newID int32)
	}
	// Persistent says that the plugin saves rooms: OnCreateGame is then asked for
	// joins of rooms that are not in memory, too.
	Persistent interface {
		IsPersistent() bool
	}
	// StrictModer decides for itself about strict mode: with it, a callback that
	// returns without a decision fails the call; without it, the call is continued.
	StrictModer interface {
		StrictMode() bool
	}
	// UnknownTypeHandler is asked what to send in place of a value of a type that
	// has no serialization. false: the value is refused.
	UnknownTypeHandler interface {
		OnUnknownType(v any) (any, bool)
	}
	// Closer is called after OnCloseGame, when the room is gone.
	Closer interface {
		Close() error
	}
	// Filtered names the callbacks that the plugin wants. What it does not want
	// costs nothing: the room does not even look at the plugin. Asked once, after
	// the plugin was created.
	Filtered interface {
		Filter() Filter
	}
)

// Factory makes the plugins of an application, one per room.
type Factory interface {
	// Create makes the plugin of a room that is being created. name is the first
	// of RoomOptions.Plugins, or "" if the client asks for none; a client that
	// asked by name is refused with PluginMismatch if the plugin has another.
	// Create runs on the room's fiber and should not block. host serves that room
	// alone, and is not to be used for more than Logger and Environment yet.
	Create(host Host, name string, config Config) (Plugin, error)
}

// FactoryFunc is a function as Factory.
type FactoryFunc func(host Host, name string, config Config) (Plugin, error)

// Create implements Factory.
func (f FactoryFunc) Create(host Host, name string, config Config) (Plugin, error) {
	return f(host, name, config)
}

// ConfigChecker is a factory that can tell before the first room whether its
// configuration is good. The server asks when it starts, and does not start with
// a bad one.
type ConfigChecker interface {
	CheckConfig(config Config) error
}

// Loader is a factory whose plugins save rooms: it says which joins of rooms that
// are not in memory may bring one back, rejoins and plain joins. Masters ask, too.
type Loader interface {
	Loads(config Config) (onRejoin, onJoin bool)
}

// Config is what the configuration says to an application's plugins, as it
// stands there: keys and values are for the plugin to understand.
type Config map[string]string

// Base continues every call. A plugin embeds it; its factory sets Host.
type Base struct{ Host Host }

// OnCreateGame continues.
func (Base) OnCreateGame(c *CreateGameCall) { _ = c.Continue() }

// BeforeJoin continues.
func (Base) BeforeJoin(c *BeforeJoinCall) { _ = c.Continue() }

// OnJoin continues.
func (Base) OnJoin(c *JoinCall) { _ = c.Continue() }

// OnLeave continues.
func (Base) OnLeave(c *LeaveCall) { _ = c.Continue() }

// OnRaiseEvent continues.
func (Base) OnRaiseEvent(c *RaiseEventCall) { _ = c.Continue() }

// BeforeSetProperties continues.
func (Base) BeforeSetProperties(c *BeforeSetPropertiesCall) { _ = c.Continue() }

// OnSetProperties continues.
func (Base) OnSetProperties(c *SetPropertiesCall) { _ = c.Continue() }

// BeforeCloseGame continues.
func (Base) BeforeCloseGame(c *BeforeCloseGameCall) { _ = c.Continue() }

// OnCloseGame continues.
func (Base) OnCloseGame(c *CloseGameCall) { _ = c.Continue() }

// BroadcastToAll sends an event of the room itself to all active actors.
func (b Base) BroadcastToAll(code byte, data any) error {
	return b.Host.BroadcastEvent(Event{Code: code, Data: data})
}

// DefaultName is the name of "no plugin".
const DefaultName = "Default"

// Default is the plugin of rooms that have none: it continues every call.
type Default struct{ Base }

// Name implements Plugin.
func (Default) Name() string { return DefaultName }

// Version implements Plugin.
func (Default) Version() string { return "" }
