package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
)

// noRPC is the AppId that has no web service; test/e2e/js/webrpc.test.mjs knows it.
const noRPC = "e2e-without-webrpc"

// startWebService starts the web service that the cluster calls for WebRpc. It
// answers /rpc/fail with an error, /rpc/text with no JSON, and all else with
// what it was asked.
func startWebService() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		switch {
		case err != nil || r.URL.Path == "/rpc/fail":
			w.WriteHeader(http.StatusInternalServerError)
		case r.URL.Path == "/rpc/text":
			_, _ = io.WriteString(w, "hello")
		default:
			_ = json.NewEncoder(w).Encode(map[string]any{"ResultCode": 5, "Message": "echo", "Data": map[string]any{
				"method": r.Method, "url": r.URL.String(), "type": r.Header.Get("Content-Type"), "key": r.Header.Get("X-Key"),
				"body": string(body), "values": map[string]any{"long": 5000000000, "double": 1.5, "yes": true, "none": nil, "list": []any{1, "x"}},
			}})
		}
	}))
}

// webServiceSettings writes the part of the cluster's configuration that only a
// file can hold, and returns flags.
func webServiceSettings(url string) (args string, remove func(), err error) {
	f, err := os.CreateTemp("", "boson-e2e-*.yaml")
	if err != nil {
		return "", nil, err
	}
	remove = func() { _ = os.Remove(f.Name()) }
	_, err = io.WriteString(f, strings.NewReplacer("APP", noRPC, "URL", url).Replace(`
apps: {rules: [{app_id: APP, web_rpc_url: off}]}
web_rpc: {base_url: "URL/rpc?base=1", headers: ["X-Key: k"]}
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
