package gpjson

import (
	"errors"
	"strings"
	"testing"

	"github.com/boson-project/boson/pkg/gpbinary"
)

// plugins.md 11.2, loadbalancing-auth.md 3.2: what web services get.
func TestAppendWeb(t *testing.T) {
	table := gpbinary.NewHashtable(
		gpbinary.Pair{Key: "z", Value: byte(1)}, gpbinary.Pair{Key: byte(7), Value: "seven"},
		gpbinary.Pair{Key: int32(-1), Value: nil}, gpbinary.Pair{Key: true, Value: []byte{1, 2}},
	)
	for _, tt := range []struct {
		value any
		want  string
	}{
		{nil, `null`},
		{int64(5e9), `5000000000`},
		{float32(0.5), `0.5`},
		{"a<b>&\n\"", `"a<b>&\n\""`},
		{[]byte{0, 1, 255}, `"AAH/"`},
		{[]byte{}, `""`},
		{[]int32{1, -2}, `[1,-2]`},
		{[]bool{true, false}, `[true,false]`},
		{gpbinary.ObjectArray{"x", nil, []byte{1}, gpbinary.ObjectArray{}}, `["x",null,"AQ==",[]]`},
		{&gpbinary.ArrayArray{Items: []any{[]byte{1}, nil}}, `["AQ==",null]`},
		{table, `{"z":1,"7":"seven","-1":null,"true":"AQI="}`},
		{[]*gpbinary.Hashtable{table, nil}, `[{"z":1,"7":"seven","-1":null,"true":"AQI="},null]`},
		{WebObject(gpbinary.Pair{Key: "k", Value: WebObject()}), `{"k":{}}`},
		{gpbinary.Custom{Code: 86, Data: []byte{1, 2}}, `{"$type":86,"$data":"AQI="}`},
		{Raw(`{"State":[1, 2]}`), `{"State":[1, 2]}`},
	} {
		got, err := AppendWeb([]byte("."), tt.value)
		if err != nil || string(got) != "."+tt.want {
			t.Errorf("%#v: %s, %v; want %s", tt.value, got, err, tt.want)
		}
	}
	if got, err := AppendWeb([]byte("."), gpbinary.ObjectArray{&gpbinary.EventData{}}); err == nil || string(got) != "." {
		t.Errorf("an event as a value became %s", got)
	}
	if _, err := AppendWeb(nil, make([]bool, MaxText)); !errors.Is(err, ErrTooLong) {
		t.Errorf("a long array: %v", err)
	}
}

// LB-271: numbers of web services are long and double, objects Dictionary<string,object>.
func TestDecodeWeb(t *testing.T) {
	v, err := DecodeWeb([]byte(`{"s":"x","l":5000000000,"i":1,"d":1.0,"b":true,"n":null,"a":[1,"y",{"o":{}}],"c":{"$type":86,"$data":"AQI="},"big":1e19,"i":2} `))
	want := WebObject(
		gpbinary.Pair{Key: "a", Value: gpbinary.ObjectArray{int64(1), "y", WebObject(gpbinary.Pair{Key: "o", Value: WebObject()})}},
		gpbinary.Pair{Key: "b", Value: true}, gpbinary.Pair{Key: "big", Value: 1e19},
		gpbinary.Pair{Key: "c", Value: gpbinary.Custom{Code: 86, Data: []byte{1, 2}}},
		gpbinary.Pair{Key: "d", Value: 1.0}, gpbinary.Pair{Key: "i", Value: int64(2)},
		gpbinary.Pair{Key: "l", Value: int64(5e9)}, gpbinary.Pair{Key: "n", Value: nil}, gpbinary.Pair{Key: "s", Value: "x"},
	)
	if err != nil || !gpbinary.EqualValues(v, want) {
		t.Errorf("%#v, %v", v, err)
	}
	nested := strings.Repeat(`[`, maxWebDepth) + `1` + strings.Repeat(`]`, maxWebDepth)
	if _, err := DecodeWeb([]byte(nested)); err != nil {
		t.Errorf("deepest: %v", err)
	}
	for _, bad := range []string{``, `{`, `1 2`, `{"a":1}x`, `1e999`, `[` + nested + `]`, `{"a" 1}`} {
		if v, err := DecodeWeb([]byte(bad)); err == nil {
			t.Errorf("%.40s became %v", bad, v)
		}
	}
	for _, plain := range []string{`{"$type":256,"$data":"AQI="}`, `{"$type":1,"$data":"?"}`, `{"$type":1.5,"$data":""}`, `{"$type":1,"$data":"","x":1}`, `{"$type":4294967297,"$data":""}`} {
		if v, err := DecodeWeb([]byte(plain)); err != nil {
			t.Errorf("%s: %v", plain, err)
		} else if _, ok := v.(*gpbinary.Dictionary); !ok {
			t.Errorf("%s became a %T", plain, v)
		}
	}
}

func FuzzDecodeWeb(f *testing.F) {
	for _, s := range []string{`{"a":[1,-2.5e3,"x\n\ud800",true,false,null],"b":{}}`, `{"$type":1,"$data":"AA=="}`, `[[[]]]`, `9223372036854775808`, "-0", "1e999"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := DecodeWeb(text)
		if err != nil {
			return
		}
		once, err := AppendWeb(nil, v)
		if err != nil {
			t.Fatal(err)
		}
		// A double may come back as a long (1.0 is written 1): the text stays.
		again, err := DecodeWeb(once)
		if err != nil {
			t.Fatalf("%s: %v", once, err)
		}
		twice, err := AppendWeb(nil, again)
		if err != nil {
			t.Fatal(err)
		}
		if string(once) != string(twice) && string(once) != "-0" && !strings.Contains(string(once), "-0") {
			t.Errorf("%s became %s", once, twice)
		}
		for _, version := range []gpbinary.Version{gpbinary.V16, gpbinary.V18} {
			if _, err := gpbinary.Append(nil, version, v); err != nil && len(text) < 30000 {
				t.Errorf("%s: %s: %v", version, text, err)
			}
		}
	})
}
