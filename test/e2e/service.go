package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
)

// service is the stand-in for the web services that know users: one of a game's
// own, and Steam.
type service struct{ *httptest.Server }

func startService() *service {
	mux := http.NewServeMux()
	mux.HandleFunc("/users", users)
	mux.HandleFunc("/steam", steam)
	return &service{httptest.NewServer(mux)}
}

// configuration is the file that the cluster is started with: providers, limits
// for applications that only some scenarios use, and a region that is not there.
func (s *service) configuration() []byte {
	return fmt.Appendf(nil, `
apps:
  rules:
    - {app_id: e2e-few-players, max_ccu: 2}
    - {app_id: e2e-few-rooms, max_rooms: 1, max_players: 3}
    - {app_id: e2e-version, versions: ["1.0"]}
    - {app_id: e2e-region, regions: elsewhere}
  auth:
    max_errors: 1000
    providers:
      - {url: "%[1]s/users", keys: {secret: "of the operator"}}
      - {kind: steam, app_id: "480", secret: web-key, url: "%[1]s/steam"}
      - {kind: static, type: 20, users: {ann: "anns secret"}}
nameserver:
  regions:
    - {region: elsewhere, announce: {host: 127.0.0.1, ws: "127.0.0.1:1"}}
`, s.URL)
}

// users answers as the web service of a game does; the client's parameters say
// with what.
func users(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	body, _ := io.ReadAll(r.Body)
	answer := map[string]any{"ResultCode": 1, "UserId": "user of " + q.Get("user"), "Nickname": q.Get("nick"),
		"AuthCookie": map[string]any{"hidden": "from clients"},
		"Data":       map[string]any{"method": r.Method, "body": string(body), "type": r.Header.Get("Content-Type"), "n": 5, "list": []any{1, "x"}}}
	switch {
	case q.Get("secret") != "of the operator":
		answer = map[string]any{"ResultCode": 3, "Message": "who are you?"}
	case q.Get("answer") == "no":
		answer = map[string]any{"ResultCode": 2, "Message": "wrong password"}
	case q.Get("answer") == "more":
		answer = map[string]any{"ResultCode": 0, "Data": map[string]any{"challenge": "x"}}
	case q.Get("answer") == "error":
		w.WriteHeader(http.StatusInternalServerError)
	case q.Get("answer") == "text":
		_, _ = io.WriteString(w, "it works!")
		return
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// steam answers as AuthenticateUserTicket does.
func steam(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	params := map[string]any{"params": map[string]any{"result": "OK", "steamid": "76561", "ownersteamid": "76561", "vacbanned": false, "publisherbanned": false}}
	if q.Get("key") != "web-key" || q.Get("appid") != "480" || q.Get("ticket") != "00ff" {
		params = map[string]any{"error": map[string]any{"errorcode": 101, "errordesc": "Invalid ticket"}}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"response": params})
}
