package wasm

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/boson-project/boson/pkg/plugin"
)

// ManifestSuffix is how the names of manifests end.
const ManifestSuffix = ".plugin.yaml"

const (
	// scanInterval is how often a directory is looked at.
	scanInterval = 5 * time.Second
	// maxManifest and maxFile bound what is read, in bytes.
	maxManifest = 64 << 10
	maxFile     = 256 << 20
)

// Manifest describes a drop-in plugin: a file NAME.plugin.yaml beside the
// WebAssembly file (plugins.md 15.1).
type Manifest struct {
	Name       string         `yaml:"name"`    // must be what the plugin calls itself
	Version    versionText    `yaml:"version"` // of the plugin, like 1.2.0; rooms get the highest
	API        versionText    `yaml:"api"`     // version of package plugin that it was made for
	Runtime    string         `yaml:"runtime"` // wasm, or empty
	File       string         `yaml:"file"`    // in the same directory, or below it
	SHA256     string         `yaml:"sha256"`  // in hex; optional
	Hooks      []string       `yaml:"hooks"`   // like OnRaiseEvent; absent: all
	EventCodes []string       `yaml:"eventCodes"`
	Instance   string         `yaml:"instance"` // perRoom (the default) or shared
	Limits     ManifestLimits `yaml:"limits"`
}

// versionText is a version as it stands there: without quotes 1.10 is a number in
// YAML, and the same as 1.1.
type versionText string

// UnmarshalYAML implements yaml.BytesUnmarshaler.
func (v *versionText) UnmarshalYAML(b []byte) error {
	text, _, _ := strings.Cut(string(b), " #")
	text = strings.TrimSpace(text)
	if text == "" || !strings.ContainsAny(text[:1], "\"'") {
		*v = versionText(text)
		return nil
	}
	return yaml.Unmarshal([]byte(text), (*string)(v))
}

// ManifestLimits are those of one instance.
type ManifestLimits struct {
	MemoryMiB     int `yaml:"memoryMiB"`     // 0: 16
	CallTimeoutMs int `yaml:"callTimeoutMs"` // 0: 100
}

// ParseManifest reads a manifest. An error says which entry is wrong.
func ParseManifest(text []byte) (*Manifest, error) {
	m := &Manifest{}
	if err := yaml.UnmarshalWithOptions(text, m, yaml.Strict()); err != nil {
		return nil, err
	}
	if _, err := m.options(); err != nil {
		return nil, err
	}
	return m, nil
}

// options checks the manifest and turns it into a module's options.
func (m *Manifest) options() (Options, error) {
	opt := Options{Name: m.Name, MemoryMiB: m.Limits.MemoryMiB, CallTimeout: time.Duration(m.Limits.CallTimeoutMs) * time.Millisecond}
	switch {
	case m.Name == "" || len(m.Name) > maxName:
		return opt, errors.New("name is empty or too long")
	case m.Name == plugin.DefaultName:
		return opt, plugin.ErrReservedName
	case m.Version == "" || len(m.Version) > maxName:
		return opt, errors.New("version is empty or too long")
	case m.Runtime != "" && m.Runtime != "wasm":
		return opt, fmt.Errorf("runtime is %q, want wasm", m.Runtime)
	case !filepath.IsLocal(m.File):
		return opt, fmt.Errorf("file is %q, want a file in the plugins' directory", m.File)
	case m.Limits.MemoryMiB < 0 || m.Limits.MemoryMiB > maxMemoryMiB:
		return opt, fmt.Errorf("limits.memoryMiB is %d, want 1 to %d", m.Limits.MemoryMiB, maxMemoryMiB)
	case m.Limits.CallTimeoutMs < 0 || m.Limits.CallTimeoutMs > 60000:
		return opt, fmt.Errorf("limits.callTimeoutMs is %d, want 1 to 60000", m.Limits.CallTimeoutMs)
	}
	if err := plugin.CheckAPI(string(m.API)); err != nil {
		return opt, fmt.Errorf("api: %w", err)
	}
	switch m.Instance {
	case "", "perRoom":
	case "shared":
		opt.Shared = true
	default:
		return opt, fmt.Errorf("instance is %q, want perRoom or shared", m.Instance)
	}
	for _, name := range m.Hooks {
		h, ok := plugin.ParseHook(name)
		if !ok {
			return opt, fmt.Errorf("hooks: there is no callback %q", name)
		}
		opt.Filter.Hooks |= h
	}
	for _, text := range m.EventCodes {
		from, to, ranged := strings.Cut(text, "-")
		if !ranged {
			to = from
		}
		a, err1 := strconv.ParseUint(strings.TrimSpace(from), 10, 8)
		b, err2 := strconv.ParseUint(strings.TrimSpace(to), 10, 8)
		if err1 != nil || err2 != nil || a > b {
			return opt, fmt.Errorf("eventCodes: %q is not a code or a range like 0-199", text)
		}
		opt.Filter.Events = append(opt.Filter.Events, plugin.EventRange{From: byte(a), To: byte(b)})
	}
	return opt, nil
}

// Directory is a directory with drop-in plugins. It is a plugin.Factory that
// makes the plugin of the name that is asked for, in the highest version that
// there is; for no name it makes plugin.Default. Its methods may be called from
// any goroutine.
type Directory struct {
	opt DirectoryOptions

	scanning sync.Mutex // one scan at a time

	mu    sync.Mutex
	state map[string]*loaded // by manifest; what scan has found last
	old   []*loaded          // released, with rooms that still run

	failures atomic.Int64

	stop chan struct{}
	done chan struct{}
}

// DirectoryOptions configure a Directory.
type DirectoryOptions struct {
	// Path is the directory. It may come into being later.
	Path string
	// CacheDir keeps compiled modules for the next start; empty: nowhere.
	CacheDir string
	Log      *slog.Logger // nil: nowhere
}

// loaded is one manifest and its module.
type loaded struct {
	manifest *Manifest
	path     string
	stamp    stamp
	module   *Module // nil if the file could not be loaded
	since    time.Time
	err      error
}

// stamp says whether files changed.
type stamp struct {
	manifest, file time.Time
	sizes          [2]int64
}

// PluginStatus is one plugin of a directory, for operators.
type PluginStatus struct {
	Name, Version string
	// Manifest is the file, without its directory.
	Manifest string
	// Active says that new rooms get this version.
	Active bool
	// Removed says that its files are gone or were replaced: it ends with its last room.
	Removed bool
	Rooms   int
	Loaded  time.Time
	// Error is why the newest files could not be loaded; an earlier state of them
	// may be in use all the same.
	Error string
}

// OpenDirectory loads what is in a directory and watches it until Close. Plugins
// that can't be loaded are no error: Status tells.
func OpenDirectory(opt DirectoryOptions) *Directory {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	d := &Directory{opt: opt, state: map[string]*loaded{}, stop: make(chan struct{}), done: make(chan struct{})}
	d.Reload()
	go d.watch()
	return d
}

func (d *Directory) watch() {
	defer close(d.done)
	tick := time.NewTicker(scanInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			d.Reload()
		case <-d.stop:
			return
		}
	}
}

// Close ends the watch and lets all modules go when their last rooms close.
func (d *Directory) Close() {
	close(d.stop)
	<-d.done
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range d.state {
		if l.module != nil {
			l.module.Release()
		}
	}
	d.state = map[string]*loaded{}
}

// Create implements plugin.Factory. plugin.ErrNoSuchPlugin: there is none of that name.
func (d *Directory) Create(host plugin.Host, name string, config plugin.Config) (plugin.Plugin, error) {
	if name == "" || name == plugin.DefaultName {
		return plugin.Default{}, nil
	}
	// A module may be released between the look and the use: then there is a newer one.
	for {
		m := d.active(name)
		if m == nil {
			return nil, fmt.Errorf("%w: %s", plugin.ErrNoSuchPlugin, name)
		}
		p, err := m.Create(host, name, config)
		if !errors.Is(err, ErrReleased) {
			return p, err
		}
	}
}

// active is the module that new rooms get.
func (d *Directory) active(name string) *Module {
	d.mu.Lock()
	defer d.mu.Unlock()
	if l := d.best(name); l != nil {
		return l.module
	}
	return nil
}

// best is the highest version of a name. The lock is held.
func (d *Directory) best(name string) *loaded {
	var best *loaded
	for _, l := range d.state {
		if l.module == nil || l.manifest.Name != name {
			continue
		}
		if best == nil {
			best = l
			continue
		}
		switch c := compareVersions(string(l.manifest.Version), string(best.manifest.Version)); {
		case c > 0, c == 0 && l.path > best.path: // the same version twice: the last by name
			best = l
		}
	}
	return best
}

// Status lists all plugins, by name and version.
func (d *Directory) Status() []PluginStatus {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []PluginStatus
	add := func(l *loaded, removed bool) {
		s := PluginStatus{Manifest: filepath.Base(l.path), Removed: removed, Loaded: l.since}
		if l.manifest != nil {
			s.Name, s.Version = l.manifest.Name, string(l.manifest.Version)
			s.Active = !removed && d.best(s.Name) == l
		}
		if l.module != nil {
			s.Rooms = l.module.Rooms()
		}
		if l.err != nil {
			s.Error = l.err.Error()
		}
		list = append(list, s)
	}
	for _, path := range slices.Sorted(maps.Keys(d.state)) {
		add(d.state[path], false)
	}
	d.old = slices.DeleteFunc(d.old, func(l *loaded) bool { return l.module.Rooms() == 0 })
	for _, l := range d.old {
		add(l, true)
	}
	slices.SortStableFunc(list, func(a, b PluginStatus) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		return compareVersions(a.Version, b.Version)
	})
	return list
}

// Failures counts how often files that were new or had changed could not be loaded.
func (d *Directory) Failures() int64 { return d.failures.Load() }

// Reload looks at the directory now, as happens every five seconds: what changed
// is loaded, what is gone is released. It returns when that is done.
func (d *Directory) Reload() {
	d.scanning.Lock()
	defer d.scanning.Unlock()
	paths, err := filepath.Glob(filepath.Join(d.opt.Path, "*"+ManifestSuffix))
	if err != nil {
		d.opt.Log.Error("plugins: the directory can't be read", "error", err)
		return
	}
	more, _ := filepath.Glob(filepath.Join(d.opt.Path, "*", "*"+ManifestSuffix))
	paths = append(paths, more...)
	for _, path := range paths {
		d.load(path)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for path, l := range d.state {
		if !slices.Contains(paths, path) {
			delete(d.state, path)
			d.release(l)
			d.opt.Log.Info("plugin removed", "manifest", path)
		}
	}
}

// release lets a module go. The lock is held.
func (d *Directory) release(l *loaded) {
	if l.module == nil {
		return
	}
	l.module.Release()
	if l.module.Rooms() > 0 {
		d.old = append(d.old, l)
	}
}

// load loads a manifest if it or its file changed. Only Reload calls it.
func (d *Directory) load(path string) {
	d.mu.Lock()
	was := d.state[path]
	d.mu.Unlock()
	now, manifest, err := look(path)
	if was != nil && was.stamp == now {
		return
	}
	next := &loaded{manifest: manifest, path: path, stamp: now, since: time.Now(), err: err}
	if err == nil {
		next.module, next.err = d.module(path, manifest)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if next.err != nil {
		d.failures.Add(1)
		d.opt.Log.Error("plugin can't be loaded", "manifest", path, "error", next.err)
		if was != nil && was.module != nil { // what was loaded stays
			kept := *was
			kept.stamp, kept.err = now, next.err
			next = &kept
		}
		d.state[path] = next
		return
	}
	d.state[path] = next
	if was != nil {
		d.release(was)
	}
	d.opt.Log.Info("plugin loaded", "manifest", path, "plugin", manifest.Name, "version", string(manifest.Version), "instance", manifest.Instance)
}

// look reads a manifest and when its files changed last.
func look(path string) (s stamp, m *Manifest, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return s, nil, err
	}
	s.manifest, s.sizes[0] = info.ModTime(), info.Size()
	text, err := read(path, maxManifest)
	if err != nil {
		return s, nil, err
	}
	if m, err = ParseManifest(text); err != nil {
		return s, nil, err
	}
	if info, err = os.Stat(filepath.Join(filepath.Dir(path), m.File)); err != nil {
		return s, m, err
	}
	s.file, s.sizes[1] = info.ModTime(), info.Size()
	return s, m, nil
}

func (d *Directory) module(path string, m *Manifest) (*Module, error) {
	opt, err := m.options()
	if err != nil {
		return nil, err
	}
	file, err := read(filepath.Join(filepath.Dir(path), m.File), maxFile)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(file); m.SHA256 != "" && !strings.EqualFold(m.SHA256, hex.EncodeToString(sum[:])) {
		return nil, fmt.Errorf("%s has another SHA-256 than the manifest says", m.File)
	}
	opt.CacheDir, opt.Log = d.opt.CacheDir, d.opt.Log.With("plugin", m.Name, "version", string(m.Version))
	return Load(file, opt)
}

func read(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("%s is larger than %d bytes", filepath.Base(path), most)
	}
	return b, err
}

// compareVersions orders versions like 1.10.0-beta2: numbers by value, and what
// follows a hyphen comes before the version without it (semver.org, 11).
func compareVersions(a, b string) int {
	a, _, _ = strings.Cut(strings.TrimPrefix(a, "v"), "+")
	b, _, _ = strings.Cut(strings.TrimPrefix(b, "v"), "+")
	coreA, preA, hasA := strings.Cut(a, "-")
	coreB, preB, hasB := strings.Cut(b, "-")
	if c := comparePoints(coreA, coreB, true); c != 0 {
		return c
	}
	switch {
	case hasA && !hasB:
		return -1
	case !hasA && hasB:
		return 1
	}
	return comparePoints(preA, preB, false)
}

// comparePoints compares parts between points; missing ones are 0 if zeros is
// set, and lower than any otherwise.
func comparePoints(a, b string, zeros bool) int {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range max(len(x), len(y)) {
		if !zeros && (i >= len(x) || i >= len(y)) {
			return len(x) - len(y)
		}
		p, q := "0", "0"
		if i < len(x) {
			p = x[i]
		}
		if i < len(y) {
			q = y[i]
		}
		m, err1 := strconv.ParseUint(p, 10, 64)
		n, err2 := strconv.ParseUint(q, 10, 64)
		switch {
		case err1 == nil && err2 == nil && m != n:
			if m < n {
				return -1
			}
			return 1
		case err1 == nil && err2 != nil:
			return -1
		case err1 != nil && err2 == nil:
			return 1
		case err1 != nil && p != q:
			return strings.Compare(p, q)
		}
	}
	return 0
}
