package room

import (
	"fmt"
	"strconv"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// Flags of parameter 251 in GetProperties (loadbalancing-operations.md 3.13).
const (
	roomPropertiesFlag  = 1
	actorPropertiesFlag = 2
)

// maxKeyList bounds what one request makes the room look up in every actor.
const maxKeyList = 1000

// getProperties is operation 251.
func (r *Room) getProperties(a *actor, req *photon.Request) error {
	flags, _, err := req.Byte(photon.ParamProperties)
	if err != nil {
		return err
	}
	roomKeys, err := keyList(req, photon.ParamGameProperties, jsonRoomKey)
	if err != nil {
		return err
	}
	actorKeys, err := keyList(req, photon.ParamPlayerProperties, jsonActorKey)
	if err != nil {
		return err
	}
	numbers, some, err := req.Ints(photon.ParamActorList)
	if err != nil {
		return err
	}
	wanted := make(map[int32]struct{}, len(numbers))
	for _, nr := range numbers {
		wanted[nr] = struct{}{}
	}
	var params photon.Params
	if flags&actorPropertiesFlag != 0 {
		tables := gpbinary.NewHashtable()
		for _, b := range r.actors {
			if _, ok := wanted[b.nr]; (ok || !some) && !b.unborn() {
				tables.Set(b.nr, selected(r.actorTable(b), actorKeys))
			}
		}
		params = append(params, photon.Param(photon.ParamPlayerProperties, tables))
	}
	if flags&roomPropertiesFlag != 0 {
		params = append(params, photon.Param(photon.ParamGameProperties, selected(r.roomTable(), roomKeys)))
	}
	r.respond(a.seat.sink, req, params)
	return nil
}

// selected returns t, or of it what keys name. nil selects all.
func selected(t *gpbinary.Hashtable, keys []any) *gpbinary.Hashtable {
	if keys == nil {
		return t
	}
	out := gpbinary.NewHashtable()
	for _, k := range keys {
		if v, ok := t.Get(k); ok {
			out.Set(k, v)
		}
	}
	return out
}

// keyList reads an array of property keys; nil if there is none. JSON keys are
// strings: fromJSON makes bytes of the well-known ones (websocket-json.md 4.5).
func keyList(req *photon.Request, p photon.ParamCode, fromJSON func(string) any) ([]any, error) {
	v, ok, err := req.Value(p)
	if err != nil || !ok || v == nil {
		return nil, err
	}
	keys := []any{}
	switch list := v.(type) {
	case gpbinary.ObjectArray:
		keys = append(keys, list...)
	case []string:
		for _, k := range list {
			keys = append(keys, k)
		}
	case []byte:
		for _, k := range list {
			keys = append(keys, k)
		}
	case []int32:
		for _, k := range list {
			keys = append(keys, k)
		}
	default:
		return nil, photon.BadParam(p, "is not an array of keys")
	}
	if len(keys) > maxKeyList {
		return nil, photon.BadParam(p, "names %d keys, at most %d", len(keys), maxKeyList)
	}
	for i, k := range keys {
		if !isPropertyKey(k) {
			return nil, photon.BadParam(p, "has at index %d no property key", i)
		}
		if s, ok := k.(string); ok && req.Protocol == photon.JSON {
			keys[i] = fromJSON(s)
		}
	}
	return keys, nil
}

func jsonRoomKey(s string) any {
	switch n, _ := strconv.Atoi(s); byte(n) {
	case photon.PropMaxPlayers, photon.PropIsVisible, photon.PropIsOpen, photon.PropPropsListedInLobby,
		photon.PropMasterClientID, photon.PropExpectedUsers, photon.PropPlayerTTL, photon.PropEmptyRoomTTL:
		return wellKnownKey(s, n)
	}
	return s
}

func jsonActorKey(s string) any {
	switch n, _ := strconv.Atoi(s); byte(n) {
	case photon.ActorPropNickName, photon.ActorPropIsInactive, photon.ActorPropUserID:
		return wellKnownKey(s, n)
	}
	return s
}

// wellKnownKey returns n as a byte if s is exactly its decimal form.
func wellKnownKey(s string, n int) any {
	if n == int(byte(n)) && strconv.Itoa(n) == s {
		return byte(n)
	}
	return s
}

// keyText is a property key for a debug message.
func keyText(key any) string {
	if s, ok := key.(string); ok {
		return fmt.Sprintf("%.64q", s)
	}
	if isPropertyKey(key) {
		return fmt.Sprint(key)
	}
	return "of an unknown kind"
}
