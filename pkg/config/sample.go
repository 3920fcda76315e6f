package config

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Sample returns a configuration file with every setting at its default, each
// with its sentence. deploy/boson.yaml is it; a test holds that.
func Sample() string {
	var b strings.Builder
	b.WriteString("# Every setting of Boson with its default. Each can also be an environment variable\n" +
		"# (BOSON_MASTER_LISTEN_UDP) or a flag (--master.listen.udp); flags win over the\n" +
		"# environment, the environment over this file. A setting left out keeps its default.\n")
	sample(&b, reflect.ValueOf(Default()).Elem(), "")
	return b.String()
}

func sample(b *strings.Builder, v reflect.Value, indent string) {
	t := v.Type()
	for i := range t.NumField() {
		f, fv := t.Field(i), v.Field(i)
		name := f.Tag.Get("yaml")
		if indent == "" {
			b.WriteString("\n")
		}
		fmt.Fprintf(b, "%s# %s\n", indent, f.Tag.Get("doc"))
		switch {
		case fv.Kind() == reflect.Struct:
			fmt.Fprintf(b, "%s%s:\n", indent, name)
			sample(b, fv, indent+"  ")
		case fv.Kind() == reflect.Slice && fv.Type().Elem().Kind() == reflect.Struct:
			fmt.Fprintf(b, "%s%s: []\n", indent, name)
			example(b, fv.Type().Elem(), indent, "# - ", "#   ")
		default:
			fmt.Fprintf(b, "%s%s: %s\n", indent, name, yamlText(fv))
		}
	}
}

// example shows the settings of an element of a list, commented out.
func example(b *strings.Builder, t reflect.Type, indent, first, lead string) {
	for i := range t.NumField() {
		f := t.Field(i)
		if i > 0 {
			first = lead
		}
		if f.Type.Kind() == reflect.Struct {
			fmt.Fprintf(b, "%s%s%s: # %s\n", indent, first, f.Tag.Get("yaml"), f.Tag.Get("doc"))
			example(b, f.Type, indent, lead+"  ", lead+"  ")
			continue
		}
		fmt.Fprintf(b, "%s%s%s: ... # %s\n", indent, first, f.Tag.Get("yaml"), f.Tag.Get("doc"))
	}
}

func yamlText(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case string:
		return fmt.Sprintf("%q", x)
	case time.Duration:
		return x.String()
	case []string:
		quoted := make([]string, len(x))
		for i, s := range x {
			quoted[i] = fmt.Sprintf("%q", s)
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	default:
		return fmt.Sprint(x)
	}
}
