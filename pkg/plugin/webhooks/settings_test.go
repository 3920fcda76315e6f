package webhooks

import (
	"maps"
	"strings"
	"testing"

	"github.com/boson-project/boson/pkg/plugin"
)

var testEnv = plugin.Environment{AppID: "app-guid", AppVersion: "1.0", Region: "eu", Cloud: "self"}

// PL-116
func TestURL(t *testing.T) {
	for _, test := range []struct{ base, path, version, want string }{
		{"https://a.example", "create", "1.0", "https://a.example/create"},
		{"https://a.example/v1/", "/create", "1.0", "https://a.example/v1/create"},
		{"https://a.example/v1?code=x&y=1", "create", "1.0", "https://a.example/v1/create?code=x&y=1"},
		{"https://a.example?code=x", "create?z=2", "1.0", "https://a.example/create?z=2&code=x"},
		{"https://a.example/{AppId}/{AppVersion}?r={Region}&c={Cloud}", "e", "1.0 beta", "https://a.example/app-guid/1.0beta/e?r=eu&c=self"},
		{"https://a.example", "{Region}/{AppVersion}", "1.0", "https://a.example/eu/1.0"},
		// Clients choose the version; it does not choose the address.
		{"https://a.example/{AppVersion}", "e", "../x?admin=1#", "https://a.example/..%2Fx%3Fadmin%3D1%23/e"},
		{"https://a.example/{AppVersion}", "e", "..", "https://a.example//e"},
		{"https://{AppVersion}.example", "e", "evil.net/", "https://evil.net%2F.example/e"},
	} {
		env := testEnv
		env.AppVersion = test.version
		if got := (&settings{baseURL: test.base}).url(test.path, env); got != test.want {
			t.Errorf("%s and %s: %s, want %s", test.base, test.path, got, test.want)
		}
	}
}

func TestSettings(t *testing.T) {
	good := plugin.Config{
		"BaseUrl": "https://a.example/{AppId}?code=1", "PathCreate": "create", "PathClose": "close", "IsPersistent": "True", "HasErrorInfo": "true",
		"CustomHttpHeaders": `{"X-Key": "1"}`, "MaxEventsPerSecond": "3", "AssemblyName": "whatever",
	}
	s, err := parseSettings(good)
	if err != nil {
		t.Fatal(err)
	}
	if !s.isPersistent || !s.hasErrorInfo || !s.asyncJoin || s.load != "create" || s.headers["X-Key"] != "1" || s.maxEvents != 3 {
		t.Errorf("settings %+v", s)
	}
	for _, test := range []struct{ key, value, want string }{
		{"BaseUrl", "", "BaseUrl is missing"},
		{"BaseUrl", "a.example", "do not make an http or https address"},
		{"BaseUrl", "ftp://a.example", "do not make an http or https address"},
		{"BaseUrl", "https://a.example/" + strings.Repeat("é", 1025), "at most 1024"},
		{"PathClose", "", "IsPersistent needs PathCreate and PathClose"},
		{"CustomHttpHeaders", `["a"]`, "CustomHttpHeaders is not a JSON object of strings"},
		{"AsyncJoin", "maybe", `AsyncJoin is "maybe", not true or false`},
		{"MaxEventsPerSecond", "-1", `MaxEventsPerSecond is "-1", not a number of calls`},
	} {
		config := maps.Clone(good)
		config[test.key] = test.value
		if err := (factory{}).CheckConfig(config); err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s = %.20q: error %v, want one line with %q", test.key, test.value, err, test.want)
		}
	}
}
