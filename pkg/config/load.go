package config

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

// ErrHelp is returned by Load when the arguments asked for help or a check;
// the text has been written and the program should end with code 0.
var ErrHelp = flag.ErrHelp

// setting is one leaf of Config: a YAML path, a flag and an environment variable.
type setting struct {
	path  string // master.listen.udp
	doc   string
	value reflect.Value
}

func (s setting) env() string {
	return "BOSON_" + strings.ToUpper(strings.ReplaceAll(s.path, ".", "_"))
}

// settings lists the leaves that fit a flag: all but lists of structs.
func settings(v reflect.Value, prefix string, out []setting) []setting {
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		path := f.Tag.Get("yaml")
		if prefix != "" {
			path = prefix + "." + path
		}
		fv := v.Field(i)
		switch {
		case fv.Kind() == reflect.Struct:
			out = settings(fv, path, out)
		case fv.Kind() == reflect.Slice && fv.Type().Elem().Kind() == reflect.Struct:
			// Only in the file.
		default:
			out = append(out, setting{path: path, doc: f.Tag.Get("doc"), value: fv})
		}
	}
	return out
}

// set parses text into a setting.
func (s setting) set(text string) error {
	switch p := s.value.Addr().Interface().(type) {
	case *string:
		*p = text
	case *bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q is not true or false", text)
		}
		*p = b
	case *int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", text)
		}
		*p = n
	case *time.Duration:
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%q is not a duration such as 500ms, 10s or 1h", text)
		}
		*p = d
	case *[]string:
		*p = nil
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part != "" {
				*p = append(*p, part)
			}
		}
	default:
		return fmt.Errorf("can't be set from text")
	}
	return nil
}

func (s setting) String() string {
	if !s.value.IsValid() {
		return ""
	}
	if list, ok := s.value.Interface().([]string); ok {
		return strings.Join(list, ",")
	}
	return fmt.Sprint(s.value.Interface())
}

// flagValue makes a setting a flag.Value.
type flagValue struct{ setting }

func (f flagValue) Set(text string) error { return f.set(text) }
func (f flagValue) IsBoolFlag() bool      { return f.value.IsValid() && f.value.Kind() == reflect.Bool }

// Load makes the configuration of a program: defaults, then preset (may be
// nil), then the file named by --config or BOSON_CONFIG, then the environment,
// then flags. Help goes to out. A mistake is one error that names the setting
// and where it stands.
func Load(program string, args []string, getenv func(string) string, out io.Writer, preset func(*Config)) (*Config, error) {
	cfg := Default()
	if preset != nil {
		preset(cfg)
	}
	fs := flag.NewFlagSet(program, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	file := fs.String("config", getenv("BOSON_CONFIG"), "configuration file (YAML)")
	check := fs.Bool("check-config", false, "check the configuration and exit")
	// Flags must win over the file, which is read after they are parsed: parse
	// into a scratch copy first, and set them again afterwards.
	scratch := Default()
	for _, s := range settings(reflect.ValueOf(scratch).Elem(), "", nil) {
		fs.Var(flagValue{s}, s.path, s.doc)
	}
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			writeHelp(out, program, cfg)
		}
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q; --help lists the flags", fs.Arg(0))
	}
	if *file != "" {
		text, err := os.ReadFile(*file)
		if err != nil {
			return nil, fmt.Errorf("configuration file: %w", err)
		}
		if err := parseYAML(text, cfg); err != nil {
			return nil, fmt.Errorf("configuration file %s: %w", *file, err)
		}
	}
	all := settings(reflect.ValueOf(cfg).Elem(), "", nil)
	byPath := map[string]setting{}
	for _, s := range all {
		byPath[s.path] = s
		if text := getenv(s.env()); text != "" {
			if err := s.set(text); err != nil {
				return nil, fmt.Errorf("environment variable %s: %w", s.env(), err)
			}
		}
	}
	var flagErr error
	fs.Visit(func(f *flag.Flag) {
		if s, ok := byPath[f.Name]; ok && flagErr == nil {
			if err := s.set(f.Value.String()); err != nil {
				flagErr = fmt.Errorf("flag --%s: %w", f.Name, err)
			}
		}
	})
	if flagErr != nil {
		return nil, flagErr
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if *check {
		fmt.Fprintln(out, "configuration is good")
		return nil, ErrHelp
	}
	return cfg, nil
}

// parseYAML reads a file over cfg. Unknown keys are an error with their line.
func parseYAML(text []byte, cfg *Config) error {
	err := yaml.UnmarshalWithOptions(text, cfg, yaml.Strict())
	if err != nil {
		var ye yaml.Error
		if errors.As(err, &ye) && ye.GetToken() != nil {
			return fmt.Errorf("line %d: %s", ye.GetToken().Position.Line, ye.GetMessage())
		}
		return errors.New(strings.TrimSpace(strings.SplitN(err.Error(), "\n", 2)[0]))
	}
	return nil
}

func writeHelp(out io.Writer, program string, cfg *Config) {
	fmt.Fprintf(out, "Usage: %s [flags]\n\nEvery setting can stand in a YAML file (--config FILE), in the environment, or be a flag; the later wins.\n\n", program)
	fmt.Fprintf(out, "  --config FILE\n  --check-config\n")
	for _, s := range settings(reflect.ValueOf(cfg).Elem(), "", nil) {
		fmt.Fprintf(out, "  --%s\n        %s (default %q, environment %s)\n", s.path, s.doc, s.String(), s.env())
	}
}
