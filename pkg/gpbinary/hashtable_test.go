package gpbinary

import (
	"fmt"
	"math"
	"testing"
)

// serialization.md 12: keys compare with their exact type, floats by bits,
// customs and containers by content; the same with and without an index.
func TestHashtableKeys(t *testing.T) {
	keys := []any{
		uint8(1), int16(1), int32(1), int64(1), float32(1), float64(1), "1", true, false,
		math.Copysign(0, -1), 0.0, math.NaN(), float32(0),
		Custom{Code: 1, Data: []byte("a")}, Custom{Code: 1, Data: []byte("b")}, Custom{Code: 2, Data: []byte("a")},
		[]byte("a"), []int32{1}, []int64{1}, ObjectArray{int32(1)}, NewHashtable(Pair{"k", int32(1)}),
	}
	for _, size := range []int{1, indexMin, indexMin + 1, len(keys)} {
		for shift := range keys {
			h := &Hashtable{}
			for i := range size {
				h.Set(keys[(i+shift)%len(keys)], i)
			}
			if h.Len() != size {
				t.Fatalf("%d keys make %d pairs", size, h.Len())
			}
			for i := range keys {
				v, ok := h.Get(keys[(i+shift)%len(keys)])
				if ok != (i < size) || ok && v != i {
					t.Errorf("size %d: key %#v: %v %v, want %d", size, keys[(i+shift)%len(keys)], v, ok, i)
				}
			}
		}
	}
	h := NewHashtable(Pair{[]byte("a"), 1}, Pair{NewHashtable(Pair{"a", nil}, Pair{"b", nil}), 2})
	if v, _ := h.Get([]byte{'a'}); v != 1 {
		t.Errorf("a byte[] key is found by content: %v", v)
	}
	if v, _ := h.Get(NewHashtable(Pair{"b", nil}, Pair{"a", nil})); v != 2 {
		t.Errorf("a table as key is found in any order: %v", v)
	}
}

func TestHashtableOrder(t *testing.T) {
	for _, size := range []int{3, 30} {
		h := &Hashtable{}
		for i := range size {
			h.Set(int32(i), i)
		}
		h.Set(int32(1), "changed in place")
		clone := h.Clone()
		if !h.Delete(int32(0)) || h.Delete(int32(0)) || h.Delete("x") {
			t.Error("Delete tells whether the key was there")
		}
		h.Set(int32(0), "at the end")
		if p := h.Pairs(); p[0] != (Pair{int32(1), "changed in place"}) || p[size-1] != (Pair{int32(0), "at the end"}) {
			t.Errorf("order %v", p)
		}
		for i := range size {
			if v, ok := h.Get(int32(i)); !ok || i > 1 && v != i {
				t.Errorf("key %d: %v", i, v)
			}
		}
		if v, _ := clone.Get(int32(0)); v != 0 {
			t.Errorf("a change shows in the clone: %v", v)
		}
		for i := range size {
			h.Delete(int32(i))
		}
		if h.Len() != 0 {
			t.Errorf("%d left", h.Len())
		}
	}
}

func TestHashtableNil(t *testing.T) {
	var h *Hashtable
	if _, ok := h.Get("x"); ok || h.Len() != 0 || h.Pairs() != nil || h.Clone().Len() != 0 {
		t.Error("a nil table is empty")
	}
	if h := NewHashtable(Pair{"a", 1}, Pair{"b", 2}, Pair{"a", 3}); h.Len() != 2 || h.Pairs()[0].Value != 3 {
		t.Errorf("of equal keys the last value counts: %v", h.Pairs())
	}
}

// A decoded table must find its keys just as one that was built.
func TestHashtableDecoded(t *testing.T) {
	for _, size := range []int{indexMin, 1000} {
		h := &Hashtable{}
		for i := range size {
			h.Set(fmt.Sprint("key", i), int32(i))
		}
		for _, v := range versions {
			b, err := Append(nil, v, h)
			if err != nil {
				t.Fatal(err)
			}
			value, _, err := Decode(v, b)
			if err != nil || !Equal(value, h) {
				t.Fatal(err)
			}
			got := value.(*Hashtable)
			got.Set("key1", "new")
			got.Set("more", true)
			if x, _ := got.Get("key1"); x != "new" || got.Len() != size+1 {
				t.Errorf("%v, %d pairs", x, got.Len())
			}
		}
	}
}

func TestDictionaryGet(t *testing.T) {
	d := &Dictionary{Key: TypeDesc{Kind: KindInt}, Val: TypeDesc{Kind: KindString}, Pairs: []Pair{{int32(1), "a"}, {int32(2), "b"}}}
	if v, ok := d.Get(int32(2)); !ok || v != "b" {
		t.Errorf("%v %v", v, ok)
	}
	if _, ok := d.Get(uint8(2)); ok {
		t.Error("byte 2 is not int 2")
	}
}
