package app

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// binding is the plan by which a request's parameters become a struct's fields.
// It is made once per type, when the operation is registered.
type binding struct{ fields []fieldBinding }

type fieldBinding struct {
	index    int
	param    photon.ParamCode
	optional bool
	pointer  bool
	set      func(r *photon.Request, p photon.ParamCode, dst reflect.Value) (bool, error)
}

// getter adapts a typed getter of photon.Request.
func getter[T any](get func(*photon.Request, photon.ParamCode) (T, bool, error)) func(*photon.Request, photon.ParamCode, reflect.Value) (bool, error) {
	return func(r *photon.Request, p photon.ParamCode, dst reflect.Value) (bool, error) {
		v, ok, err := get(r, p)
		if ok {
			*dst.Addr().Interface().(*T) = v
		}
		return ok, err
	}
}

var setters = map[reflect.Type]func(*photon.Request, photon.ParamCode, reflect.Value) (bool, error){
	reflect.TypeFor[string]():              getter((*photon.Request).String),
	reflect.TypeFor[bool]():                getter((*photon.Request).Bool),
	reflect.TypeFor[byte]():                getter((*photon.Request).Byte),
	reflect.TypeFor[int32]():               getter((*photon.Request).Int32),
	reflect.TypeFor[int64]():               getter((*photon.Request).Int),
	reflect.TypeFor[[]string]():            getter((*photon.Request).Strings),
	reflect.TypeFor[[]byte]():              getter((*photon.Request).Bytes),
	reflect.TypeFor[[]int32]():             getter((*photon.Request).Ints),
	reflect.TypeFor[*gpbinary.Hashtable](): getter((*photon.Request).Hashtable),
	reflect.TypeFor[any](): func(r *photon.Request, p photon.ParamCode, dst reflect.Value) (bool, error) {
		v, ok, err := r.Value(p)
		if ok && v != nil {
			dst.Set(reflect.ValueOf(v))
		}
		return ok, err
	},
	reflect.TypeFor[photon.Content](): func(r *photon.Request, p photon.ParamCode, dst reflect.Value) (bool, error) {
		c, ok := r.Content(p)
		if ok {
			dst.Set(reflect.ValueOf(c.Clone()))
		}
		return ok, nil
	},
}

// bind makes the plan for a struct whose fields are tagged `photon:"224"` or
// `photon:"220,optional"`. It panics on a tag or type that it does not know: a
// mistake of the programmer, found at start.
func bind(t reflect.Type) *binding {
	b := &binding{}
	for i := range t.NumField() {
		f := t.Field(i)
		tag, ok := f.Tag.Lookup("photon")
		if !ok {
			continue
		}
		number, option, _ := strings.Cut(tag, ",")
		code, err := strconv.ParseUint(number, 10, 8)
		if err != nil || option != "" && option != "optional" {
			panic(fmt.Sprintf("app: %s.%s: bad tag %q, want a parameter code and perhaps \",optional\"", t, f.Name, tag))
		}
		fb := fieldBinding{index: i, param: photon.ParamCode(code), optional: option == "optional"}
		ft := f.Type
		if set, ok := setters[ft]; ok {
			fb.set = set
		} else if ft.Kind() == reflect.Pointer && setters[ft.Elem()] != nil {
			fb.pointer, fb.set = true, setters[ft.Elem()]
		} else {
			panic(fmt.Sprintf("app: %s.%s: parameters can't be of type %s", t, f.Name, ft))
		}
		b.fields = append(b.fields, fb)
	}
	return b
}

// decode fills dst, a pointer to the plan's struct, from r.
func (b *binding) decode(r *photon.Request, dst reflect.Value) error {
	for i := range b.fields {
		f := &b.fields[i]
		target := dst.Elem().Field(f.index)
		value := target
		if f.pointer {
			value = reflect.New(target.Type().Elem()).Elem()
		}
		ok, err := f.set(r, f.param, value)
		if err != nil {
			return err
		}
		if !ok && !f.optional {
			return photon.Missing(f.param)
		}
		if ok && f.pointer {
			target.Set(value.Addr())
		}
	}
	return nil
}
