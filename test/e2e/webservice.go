package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
)

// noRPC is the AppId that has no web service; test/e2e/js/webrpc.test.mjs knows it.
const noRPC = "e2e-without-webrpc"

// The AppIds whose rooms are saved, by the server and by the web service;
// test/e2e/js/saved.test.mjs knows them.
const (
	storeApp    = "e2e-store"
	webhooksApp = "e2e-webhooks"
)

// startWebService starts the web service that the cluster calls for WebRpc and
// webhooks. It answers /rpc/fail with an error, /rpc/text with no JSON, all else
// below /rpc with what it was asked, and keeps rooms for /hooks.
func startWebService() *httptest.Server {
	kept := &keptRooms{states: map[string]json.RawMessage{}}
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		switch {
		case err != nil || r.URL.Path == "/rpc/fail":
			w.WriteHeader(http.StatusInternalServerError)
		case r.URL.Path == "/rpc/text":
			_, _ = io.WriteString(w, "hello")
		case strings.HasPrefix(r.URL.Path, "/hooks/"):
			_ = json.NewEncoder(w).Encode(kept.hook(body))
		default:
			_ = json.NewEncoder(w).Encode(map[string]any{"ResultCode": 5, "Message": "echo", "Data": map[string]any{
				"method": r.Method, "url": r.URL.String(), "type": r.Header.Get("Content-Type"), "key": r.Header.Get("X-Key"),
				"body": string(body), "values": map[string]any{"long": 5000000000, "double": 1.5, "yes": true, "none": nil, "list": []any{1, "x"}},
			}})
		}
	}))
}

// keptRooms is a web service as games write them for webhooks.
type keptRooms struct {
	mu     sync.Mutex
	states map[string]json.RawMessage
}

func (k *keptRooms) hook(body []byte) map[string]any {
	var call struct {
		AppID      string `json:"AppId"`
		AppVersion string
		GameID     string `json:"GameId"`
		Type       string
		State      json.RawMessage
		Data       any
	}
	if err := json.Unmarshal(body, &call); err != nil || call.AppID != webhooksApp {
		return map[string]any{"ResultCode": 99, "Message": "bad call: " + string(body)}
	}
	room := call.AppVersion + "/" + call.GameID
	k.mu.Lock()
	defer k.mu.Unlock()
	switch call.Type {
	case "Create":
		if call.GameID == "forbidden" {
			return map[string]any{"ResultCode": 1, "Message": "no such rooms here"}
		}
	case "Save":
		k.states[room] = call.State
	case "Close":
		delete(k.states, room)
	case "Load":
		if state, ok := k.states[room]; ok {
			return map[string]any{"ResultCode": 0, "State": state}
		}
		return map[string]any{"ResultCode": 0, "State": ""}
	case "Event":
		return map[string]any{"ResultCode": 1, "Message": fmt.Sprint("event ", call.Data)}
	}
	return map[string]any{"ResultCode": 0}
}

// webServiceSettings writes the part of the cluster's configuration that only a
// file can hold, with plugins as the directory of drop-in plugins, and returns flags.
func webServiceSettings(url, plugins string) (args string, remove func(), err error) {
	f, err := os.CreateTemp("", "boson-e2e-*.yaml")
	if err != nil {
		return "", nil, err
	}
	dir, err := os.MkdirTemp("", "boson-e2e-rooms-*")
	if err != nil {
		return "", nil, err
	}
	users := startService()
	remove = func() {
		_, _ = os.Remove(f.Name()), os.RemoveAll(dir)
		users.Close()
	}
	_, err = io.WriteString(f, strings.NewReplacer("APP", noRPC, "URL", url, "STORE", storeApp, "HOOKS", webhooksApp, "DIR", dir, "DROPIN", dropInApp, "PLUGINS", plugins).Replace(users.configuration()+`
web_rpc: {base_url: "URL/rpc?base=1", headers: ["X-Key: k"]}
plugins:
  dir: PLUGINS
  apps:
    - {app_id: DROPIN, factory: dir}
    - {app_id: STORE, factory: "builtin:store", config: {Store: "bolt:DIR"}}
    - app_id: HOOKS
      factory: builtin:webhooks
      config: {BaseUrl: "URL/hooks?base=1", PathCreate: create, PathClose: close, PathEvent: event, IsPersistent: "true", HasErrorInfo: "true"}
  http: {allow: ["URL/"]}
`))
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		remove()
		return "", nil, err
	}
	return " --config=" + f.Name(), remove, nil
}
