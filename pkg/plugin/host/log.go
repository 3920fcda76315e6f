package host

import (
	"log/slog"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// logs are where a room's plugin and its host write to. They are made for the
// first line: most of many rooms never have one.
type logs struct {
	name   string // Plugin.<name>
	plugin string // name and version; "" as long as there is none
	once   sync.Once
	host   zerolog.Logger
	own    *slog.Logger // the plugin's, with a limit
}

// named gives the log its name, and the plugin's if there is one.
func (h *Host) named(name string) {
	l := &logs{name: name}
	if h.plugin != nil {
		l.plugin = h.plugin.Name() + " " + h.plugin.Version()
	}
	h.logs.Store(l)
}

// written returns the logs. It may be called from any goroutine.
func (h *Host) written() *logs {
	l := h.logs.Load()
	l.once.Do(func() {
		with := h.opt.Logger.With().Str("logger", l.name).Str("app", h.opt.Environment.AppID).Str("room", h.opt.GameID)
		if l.plugin != "" {
			with = with.Str("plugin", l.plugin)
		}
		l.host = with.Logger()
		l.own = slog.New(zerolog.NewSlogHandler(l.host.Sample(&zerolog.BurstSampler{Burst: logsPerSecond, Period: time.Second})))
	})
	return l
}

// log is the host's.
func (h *Host) log() *zerolog.Logger { return &h.written().host }

// Logger implements plugin.Host.
func (h *Host) Logger() *slog.Logger { return h.written().own }
