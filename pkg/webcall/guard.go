package webcall

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Rules say where a Client may go. The zero value allows nothing.
type Rules struct {
	// Allow lists what may be called, in these forms:
	//
	//	https://api.example.com/v1/   this scheme, host, port and whatever is below the path
	//	api.example.com               this host, both schemes, any port
	//	api.example.com:8443          this host and port
	//	*.example.com                 every host below example.com
	//	10.1.0.0/16                   a network: URLs with its addresses, and names that lead there
	//
	// An entry with an address for a host (127.0.0.1:8080, http://[fd00::1]/) opens
	// that address, special or not; so does localhost. An entry with a name opens
	// public addresses only: whoever answers for the name could else point it
	// anywhere. List the network too.
	Allow []string
	// Public allows every other host as well, at public addresses.
	Public bool
	// Private opens loopback and private networks for the names that are
	// allowed. Link-local addresses (of metadata services, for one) stay closed.
	Private bool
}

// Guard checks URLs, and the addresses that are dialled for them. It does not
// change and may be used from any goroutine.
type Guard struct {
	rules    Rules
	entries  []entry
	networks []netip.Prefix
}

// entry is one of Rules.Allow that is no network.
type entry struct {
	scheme string // "" for both
	host   string // lower case; with a leading dot every host below
	port   string // "" for any
	path   string // "" or ends with no slash
}

// NewGuard returns a guard. The error names the entry that can't be read.
func NewGuard(r Rules) (*Guard, error) {
	g := &Guard{rules: r}
	for _, text := range r.Allow {
		if prefix, err := netip.ParsePrefix(text); err == nil {
			g.networks = append(g.networks, prefix.Masked())
			continue
		}
		e, err := parseEntry(text)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", text, err)
		}
		g.entries = append(g.entries, e)
	}
	return g, nil
}

func parseEntry(text string) (entry, error) {
	hasScheme := strings.Contains(text, "://")
	if !hasScheme {
		if addr, err := netip.ParseAddr(text); err == nil && addr.Is6() {
			text = "[" + text + "]"
		}
		text = "//" + text
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return entry{}, fmt.Errorf("is no URL, host or network")
	case hasScheme && u.Scheme != "http" && u.Scheme != "https":
		return entry{}, fmt.Errorf("is neither http nor https")
	case u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || !hasScheme && u.Path != "":
		return entry{}, fmt.Errorf("want a URL without user and query, a host, host:port or a network such as 10.1.0.0/16")
	}
	e := entry{scheme: u.Scheme, host: hostOf(u), port: u.Port(), path: strings.TrimSuffix(u.Path, "/")}
	if hasScheme {
		e.port = portOf(u)
	}
	if rest, ok := strings.CutPrefix(e.host, "*."); ok && rest != "" {
		e.host = "." + rest
	}
	if strings.Contains(e.host, "*") {
		return entry{}, fmt.Errorf("a * stands only before the first dot")
	}
	return e, nil
}

// hostOf is a URL's host in the form of entries.
func hostOf(u *url.URL) string {
	return strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
}

func portOf(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}

func (e *entry) matches(u *url.URL) bool {
	host := hostOf(u)
	switch {
	case e.scheme != "" && e.scheme != u.Scheme, e.port != "" && e.port != portOf(u):
		return false
	case strings.HasPrefix(e.host, ".") && !strings.HasSuffix(host, e.host), !strings.HasPrefix(e.host, ".") && host != e.host:
		return false
	}
	return e.path == "" || u.Path == e.path || strings.HasPrefix(u.Path, e.path+"/")
}

// RefusedError says why a call may not go out.
type RefusedError struct{ Why string }

// Error returns the reason. It holds no query and no credentials.
func (e *RefusedError) Error() string { return "not allowed: " + e.Why }

func refuse(format string, args ...any) error { return &RefusedError{fmt.Sprintf(format, args...)} }

// Check says whether a URL may be called, as far as that shows before its host
// is looked up. The error is a *RefusedError.
func (g *Guard) Check(u *url.URL) error {
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return refuse("scheme %.16q is neither http nor https", u.Scheme)
	case u.Opaque != "" || u.Hostname() == "":
		return refuse("the URL has no host")
	case strings.ContainsFunc(u.Host, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return refuse("the host is not in ASCII; write it as xn--...")
	case u.User != nil:
		return refuse("the URL holds a user; send a header instead")
	case strings.Contains(u.Path, `\`) || slices.ContainsFunc(strings.Split(u.Path, "/"), func(s string) bool { return s == "." || s == ".." }):
		return refuse("the path has a backslash, . or ..")
	}
	host := hostOf(u)
	if slices.ContainsFunc(g.entries, func(e entry) bool { return e.matches(u) }) {
		return nil
	}
	addr, err := netip.ParseAddr(host)
	isAddr := err == nil
	if isAddr && g.inNetworks(addr) {
		return nil
	}
	if !g.rules.Public {
		return refuse("host %.128q is not in the list", host)
	}
	if isAddr {
		return g.checkAddr(host, portOf(u), addr)
	}
	return nil
}

func (g *Guard) inNetworks(addr netip.Addr) bool {
	addr = addr.Unmap()
	return slices.ContainsFunc(g.networks, func(n netip.Prefix) bool { return n.Contains(addr) })
}

// checkAddr says whether an address may be dialled for a host that Check has
// let pass.
func (g *Guard) checkAddr(host, port string, addr netip.Addr) error {
	addr = addr.Unmap()
	switch {
	case addr.Zone() == "" && Public(addr), g.inNetworks(addr):
		return nil
	case g.rules.Private && (addr.IsLoopback() || addr.IsPrivate()):
		return nil
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	literal, err := netip.ParseAddr(host)
	if err == nil && literal.Unmap() == addr || host == "localhost" && addr.IsLoopback() {
		for i := range g.entries {
			if e := &g.entries[i]; e.host == host && (e.port == "" || e.port == port) {
				return nil
			}
		}
	}
	return refuse("address %s is not public", addr)
}

// dialTimeout bounds the look-up of a host and the way to it.
const dialTimeout = 10 * time.Second

// Dial connects to host:port. What the host's name leads to is checked when
// the socket is about to connect: another answer of the name service a moment
// later changes nothing.
func (g *Guard) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	d := net.Dialer{Timeout: dialTimeout, Control: func(_, dialled string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(dialled)
		if err != nil {
			return refuse("address %q can't be read", dialled)
		}
		return g.checkAddr(host, port, to.Addr())
	}}
	return d.DialContext(ctx, network, address)
}

// special are the networks that are no places on the Internet, beside those
// that package netip knows (IANA's special-purpose registries).
var special = func() (out []netip.Prefix) {
	for _, s := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
		"203.0.113.0/24", "240.0.0.0/4",
		"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
	} {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}()

var (
	globalV6 = netip.MustParsePrefix("2000::/3")
	nat64    = netip.MustParsePrefix("64:ff9b::/96")
)

// Public says whether an address is a place on the Internet: not loopback,
// link-local, private, multicast, or of another special range. Addresses that
// carry one of IPv4 count as that.
func Public(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if nat64.Contains(a) {
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	if !a.IsValid() || a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() {
		return false
	}
	if a.Is6() && !globalV6.Contains(a) {
		return false
	}
	return !slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(a) })
}
