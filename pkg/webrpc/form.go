package webrpc

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/gpjson"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/secure"
	"github.com/boson-project/boson/pkg/webcall"
)

// target is a Target that was read.
type target struct {
	origin string // scheme://host:port
	path   string // escaped, with tags, without slash at the end
	query  string
	header http.Header
}

// parseTarget returns nil for a target without URL.
func parseTarget(t Target) (*target, error) {
	if t.BaseURL == "" {
		return nil, nil
	}
	u, err := url.Parse(t.BaseURL)
	switch {
	case err != nil:
		return nil, fmt.Errorf("base URL can't be read")
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return nil, fmt.Errorf("base URL %q is not an http or https URL", u.Redacted())
	case u.User != nil:
		return nil, fmt.Errorf("base URL %q holds a user; send a header instead", u.Redacted())
	case strings.ContainsAny(u.Host, "{}"):
		return nil, fmt.Errorf("base URL %q has a {tag} in its host", u.Redacted())
	}
	header, err := parseHeaders(t.Headers)
	if err != nil {
		return nil, err
	}
	// Tags stand in the text as they are; the rest is escaped as in the URL.
	path := strings.NewReplacer("%7B", "{", "%7D", "}").Replace(u.EscapedPath())
	return &target{origin: u.Scheme + "://" + u.Host, path: strings.TrimRight(path, "/"), query: u.RawQuery, header: header}, nil
}

// rule is the entry for webcall.Rules: everything below the base URL, as far as
// it has no tags.
func (t *target) rule() string {
	path, _, tagged := strings.Cut(t.path, "{")
	if tagged {
		path = path[:strings.LastIndexByte(path, '/')]
	}
	return t.origin + path + "/"
}

// maxPath of 209, in bytes.
const maxPath = 4096

// url joins the base URL and a client's path. The error is a
// *photon.ParamError for paths that would lead elsewhere.
func (t *target) url(who *secure.Token, path string) (string, error) {
	path, query, _ := strings.Cut(path, "?")
	if len(path)+len(query) > maxPath {
		return "", photon.BadParam(photon.ParamURIPath, "has more than %d bytes", maxPath)
	}
	if path == "" {
		return "", photon.BadParam(photon.ParamURIPath, "is empty")
	}
	// A first segment with a colon is no scheme behind the slash.
	u, err := url.Parse("/" + strings.TrimPrefix(path, "/"))
	if err != nil || strings.ContainsAny(path, "\\#") || strings.ContainsAny(u.Path, "\\") {
		return "", photon.BadParam(photon.ParamURIPath, "is not a relative path")
	}
	if strings.Contains(path, "//") || strings.Contains(u.Path, "//") ||
		slices.ContainsFunc(strings.Split(u.Path, "/"), func(s string) bool { return s == ".." || s == "." }) {
		return "", photon.BadParam(photon.ParamURIPath, "is not a relative path without //, . and ..")
	}
	tags := strings.NewReplacer("{AppId}", tag(who.AppID), "{AppVersion}", tag(who.AppVersion), "{Region}", tag(who.Region), "{Cloud}", tag(who.Cluster))
	out := t.origin + tags.Replace(t.path) + u.EscapedPath()
	query = escapeQuery(query)
	if own := tags.Replace(t.query); own != "" {
		if query != "" {
			query += "&"
		}
		query += own
	}
	if query != "" {
		out += "?" + query
	}
	return out, nil
}

// tag is the text that stands for a tag in URLs: without spaces
// (loadbalancing-webhooks.md 3), and without anything that has a meaning there.
func tag(value string) string { return url.QueryEscape(strings.ReplaceAll(value, " ", "")) }

// escapeQuery leaves a client's query as it is but for bytes that no URL has.
func escapeQuery(query string) string {
	var b strings.Builder
	for i := range len(query) {
		if c := query[i]; c <= ' ' || c >= 0x7f || c == '#' || c == '"' || c == '<' || c == '>' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// reserved are the members that a client can't set. Many web frameworks read
// names without case.
var reserved = []string{"AppId", "AppVersion", "Region", "UserId", "AuthCookie"}

// appendBody appends the call's JSON object: the members that say who calls,
// then the entries of a client's table, or its other value as RpcParams.
func appendBody(b []byte, proto photon.Protocol, t *secure.Token, r *Request) ([]byte, error) {
	members := []gpbinary.Pair{
		{Key: "AppId", Value: t.AppID}, {Key: "AppVersion", Value: t.AppVersion},
		{Key: "Region", Value: t.Region}, {Key: "UserId", Value: t.UserID},
	}
	if photon.WebFlags(r.Flags)&photon.WebSendAuthCookie != 0 && len(t.AuthCookie) > 0 {
		members = append(members, gpbinary.Pair{Key: "AuthCookie", Value: gpjson.Raw(t.AuthCookie)})
	}
	if entries, ok := rootMembers(proto, r.Params); ok {
		for _, e := range entries {
			key, ok := e.Key.(string)
			if ok && !slices.ContainsFunc(reserved, func(name string) bool { return strings.EqualFold(name, key) }) {
				members = append(members, e)
			}
		}
	} else if r.Params != nil {
		members = append(members, gpbinary.Pair{Key: "RpcParams", Value: r.Params})
	}
	b, err := gpjson.AppendWeb(b, gpjson.WebObject(members...))
	if err != nil {
		return nil, photon.BadParam(photon.ParamWebRPCParameters, "can't be sent as JSON: %v", err)
	}
	return b, nil
}

// rootMembers returns the entries of a Dictionary<string,object>, or of a
// JavaScript object.
func rootMembers(proto photon.Protocol, params any) ([]gpbinary.Pair, bool) {
	switch v := params.(type) {
	case *gpbinary.Dictionary:
		return v.Pairs, v.Key.Kind == gpbinary.KindString
	case *gpbinary.Hashtable:
		if proto == photon.JSON { // its keys are strings
			return v.Pairs(), true
		}
	}
	return nil, false
}

// answer makes the parameters of the response (loadbalancing-webhooks.md 1.4),
// or the error that the client gets.
func answer(path string, resp *webcall.Response) (photon.Params, error) {
	switch resp.Status {
	case webcall.Success:
	case webcall.QueueFull:
		return nil, app.Fail(photon.ReturnHTTPLimitReached, "too many WebRpc calls wait on this server")
	default:
		return nil, failed(resp.Reason)
	}
	var body struct {
		ResultCode json.RawMessage
		Message    *string
		Data       json.RawMessage
	}
	if err := json.Unmarshal(resp.Body, &body); err != nil {
		return nil, failed("the answer is not a JSON object with ResultCode, Message and Data")
	}
	var code int64
	if !present(body.ResultCode) || json.Unmarshal(body.ResultCode, &code) != nil {
		return nil, failed("the answer has no ResultCode that is a whole number")
	}
	params := photon.Params{photon.Param(photon.ParamURIPath, path), photon.Param(photon.ParamWebRPCReturnCode, byte(code))}
	if body.Message != nil {
		params = append(params, photon.Param(photon.ParamWebRPCReturnMessage, *body.Message))
	}
	if present(body.Data) {
		data, err := gpjson.DecodeWeb(body.Data)
		if err != nil {
			return nil, failed("the answer's Data can't be read")
		}
		if _, ok := data.(*gpbinary.Dictionary); !ok {
			data = gpjson.WebObject(gpbinary.Pair{Key: "Data", Value: data})
		}
		params = append(params, photon.Param(photon.ParamWebRPCParameters, data))
	}
	return params, nil
}

func failed(reason string) error {
	return app.Fail(photon.ReturnExternalHTTPCallFailed, "WebRpc: "+reason)
}

func present(m json.RawMessage) bool { return len(m) > 0 && string(m) != "null" }
