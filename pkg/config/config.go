// Package config is the one typed configuration of all Boson programs, from a
// YAML file, environment variables and flags; the later wins. Only this package
// and cmd read flags and the environment.
package config

import (
	"crypto/x509"
	"time"

	"github.com/boson-project/boson/pkg/auth"
)

// Config is everything that can be set. Default returns it with every default
// filled in; deploy/boson.yaml shows all of it.
type Config struct {
	Log     Log     `yaml:"log" doc:"what is logged and how"`
	Cluster Cluster `yaml:"cluster" doc:"the cluster that this server belongs to"`
	Apps    Apps    `yaml:"apps" doc:"applications (AppId) and their players"`
	WebRPC  WebRPC  `yaml:"web_rpc" doc:"operation WebRpc: clients call a web service of the game by way of master and game server"`
	Plugins Plugins `yaml:"plugins" doc:"rules of your own for rooms; docs/plugins.md"`
	Limits  Limits  `yaml:"limits" doc:"what one client may cost; ordinary games stay far below"`
	TLS     TLS     `yaml:"tls" doc:"certificate for secure WebSocket listeners"`
	Admin   Admin   `yaml:"admin" doc:"HTTP for operators: health, metrics, pprof"`
	Trace   Trace   `yaml:"trace" doc:"write down what clients say and hear, for looking into a problem; it costs speed and disk"`
	Policy  Policy  `yaml:"policy" doc:"policy files for clients in Flash and Silverlight; no current client asks for them"`

	NameServer NameServer `yaml:"nameserver" doc:"the name server: first contact of every client"`
	Master     Master     `yaml:"master" doc:"the master: lobbies and matchmaking"`
	GameServer GameServer `yaml:"gameserver" doc:"the game server: rooms"`
}

// Log configures the log.
type Log struct {
	Level  string `yaml:"level" doc:"debug, info, warn or error"`
	Format string `yaml:"format" doc:"console or json"`
}

// Cluster configures what the servers of one cluster share.
type Cluster struct {
	Name   string `yaml:"name" doc:"cluster name, parameter 196; servers of other clusters are not let in"`
	Region string `yaml:"region" doc:"region code that clients ask for"`
	NodeID string `yaml:"node_id" doc:"name of this server, unique in the cluster; empty: role and host name"`
	Key    string `yaml:"key" doc:"secret shared by all servers of the cluster: seals tokens, authenticates servers to each other"`
	OldKey string `yaml:"old_key" doc:"the key before the last change; its tokens stay valid"`
	Gossip Gossip `yaml:"gossip" doc:"membership by gossip; without it the static lists are used"`
	// Masters is the static list of the masters' S2S addresses.
	Masters []string `yaml:"masters" doc:"S2S addresses of all masters of the region (host:port), the same list on all servers, where gossip is off"`
}

// Gossip configures memberlist.
type Gossip struct {
	Listen    string   `yaml:"listen" doc:"host:port for gossip, TCP and UDP; empty: gossip is off"`
	Advertise string   `yaml:"advertise" doc:"host:port that other servers reach this one at; empty: found by itself"`
	Join      []string `yaml:"join" doc:"host:port of some servers of the cluster"`
}

// Apps configures applications.
type Apps struct {
	Allow           []string      `yaml:"allow" doc:"AppIds that may connect; empty: any"`
	Separation      string        `yaml:"separation" doc:"who never meets: version (AppId and AppVersion), app (AppId only) or none"`
	AllowAnonymous  bool          `yaml:"allow_anonymous" doc:"let clients in that bring no custom authentication"`
	Tokenless       bool          `yaml:"tokenless" doc:"game servers take clients that bring no token, with the user id they claim"`
	TokenLife       time.Duration `yaml:"token_life" doc:"how long a token is valid"`
	MaxCCU          int           `yaml:"max_ccu" doc:"players of one application at once, in one region; 0: no limit"`
	MaxRooms        int           `yaml:"max_rooms" doc:"rooms of one application at once, in one region; 0: no limit"`
	MaxPlayers      int           `yaml:"max_players" doc:"the largest MaxPlayers of a room, and that of rooms whose clients set none; 0: no limit"`
	MaxEmptyRoomTTL time.Duration `yaml:"max_empty_room_ttl" doc:"the longest EmptyRoomTTL a client may ask for"`
	Rules           []AppRules    `yaml:"rules" doc:"what is different for single applications; those named here may connect"`
	Auth            Auth          `yaml:"auth" doc:"custom authentication: web services and platforms that know the users"`
}

// AppRules are the rules of one application.
type AppRules struct {
	AppID      string    `yaml:"app_id" doc:"AppId"`
	Versions   []string  `yaml:"versions" doc:"AppVersions that may connect; empty: any"`
	Regions    string    `yaml:"regions" doc:"region codes that its clients may use, separated by semicolons; empty: all"`
	MaxCCU     int       `yaml:"max_ccu" doc:"instead of apps.max_ccu; -1: no limit"`
	MaxRooms   int       `yaml:"max_rooms" doc:"instead of apps.max_rooms; -1: no limit"`
	MaxPlayers int       `yaml:"max_players" doc:"instead of apps.max_players; -1: no limit"`
	Limits     AppLimits `yaml:"limits" doc:"instead of limits.*, for clients that have authenticated for the application; 0: as there"`
	// WebRPCURL and WebRPCHeaders go together: a secret of one service is none of another's business.
	WebRPCURL     string   `yaml:"web_rpc_url" doc:"instead of web_rpc.base_url and its headers; off: no WebRpc"`
	WebRPCHeaders []string `yaml:"web_rpc_headers" doc:"headers for web_rpc_url"`
}

// AppLimits are the limits of one application's clients. Zero is the one of Limits.
type AppLimits struct {
	MaxMessageSize       int `yaml:"max_message_size" doc:"bytes of one message, either direction"`
	MaxQueuedBytes       int `yaml:"max_queued_bytes" doc:"bytes that may wait for one client"`
	MaxMessagesPerSecond int `yaml:"max_messages_per_second" doc:"messages from one client; negative: no limit"`
	MaxBytesPerSecond    int `yaml:"max_bytes_per_second" doc:"bytes from one client; negative: no limit"`
	MaxPeersPerAddress   int `yaml:"max_peers_per_address" doc:"clients of the application from one address on one server; negative: no limit"`
}

// Off takes a setting back for one application.
const Off = "off"

// WebRPC configures operation WebRpc.
type WebRPC struct {
	BaseURL       string        `yaml:"base_url" doc:"http or https URL that the clients' paths are added to; empty: off. {AppId}, {AppVersion} and {Region} in its path or query stand for the client's"`
	Headers       []string      `yaml:"headers" doc:"headers of every call, each as Name: value, for the service to know its caller by"`
	Timeout       time.Duration `yaml:"timeout" doc:"how long the service may take to answer"`
	RateLimit     int           `yaml:"rate_limit" doc:"calls of one connection within a minute; 0: no limit"`
	AllowPrivate  bool          `yaml:"allow_private" doc:"let a host name in base_url lead to loopback and private addresses; an address or localhost there needs no leave"`
	MaxConcurrent int           `yaml:"max_concurrent" doc:"calls of one server at once; 2000 more wait"`
	CA            string        `yaml:"ca" doc:"file (PEM) with certificates to trust instead of the system's"`
}

// Auth configures custom authentication.
type Auth struct {
	Providers         []AuthProvider `yaml:"providers" doc:"who knows the users, one provider per ClientAuthenticationType"`
	AllowUnconfigured bool           `yaml:"allow_unconfigured" doc:"let clients in whose type has no provider, as who they claim to be"`
	OwnUserIDs        bool           `yaml:"own_user_ids" doc:"ignore user ids that clients choose; those of the providers count, or random ones"`
	MaxConcurrent     int            `yaml:"max_concurrent" doc:"requests to one provider at once"`
	MaxQueued         int            `yaml:"max_queued" doc:"requests that wait for one provider"`
	QueueTimeout      time.Duration  `yaml:"queue_timeout" doc:"how long a request may wait for its turn"`
	RequestTimeout    time.Duration  `yaml:"request_timeout" doc:"how long a provider may take to answer"`
	MaxErrors         int            `yaml:"max_errors" doc:"errors in a row after which requests to a provider pause"`
	MaxBackoff        time.Duration  `yaml:"max_backoff" doc:"the longest pause; the first takes one second"`
}

// AuthProvider is one provider. auth.Settings says more of each kind.
type AuthProvider struct {
	Kind string `yaml:"kind" doc:"http (a web service of your own, the default), steam, facebook, oculus, epic, openid or static"`
	Type int    `yaml:"type" doc:"ClientAuthenticationType, 0 to 254; 0 is Custom, or that of the platform"`
	URL  string `yaml:"url" doc:"http or https URL to ask; of openid: where the issuer's keys are; platforms have their own"`
	// Keys and Secret are a reason to keep the file from others.
	Keys   map[string]string `yaml:"keys" doc:"http: keys and values sent with every request; they win over a client's"`
	AppID  string            `yaml:"app_id" doc:"platforms: the game's id there; openid: the audience of the tokens"`
	Secret string            `yaml:"secret" doc:"steam: Web API key; facebook and oculus: app secret"`
	Issuer string            `yaml:"issuer" doc:"openid: issuer of the tokens"`
	Refuse []string          `yaml:"refuse" doc:"steam: turn away users with vac_ban, publisher_ban, or whose game is borrowed"`
	Users  map[string]string `yaml:"users" doc:"static: each user's secret, as it is or as sha256: and its hash; clients bring user and token"`
	// RejectIfUnavailable is true when nil.
	RejectIfUnavailable *bool  `yaml:"reject_if_unavailable" doc:"refuse clients while the service does not answer (true) or let them in (false)"`
	CA                  string `yaml:"ca" doc:"file (PEM) with certificates to trust instead of the system's"`
}

// Make returns the provider and its ClientAuthenticationType. Errors begin with
// the setting's name. It reads no file: roots is what CA names.
func (p *AuthProvider) Make(roots *x509.CertPool, maxConns int) (auth.Provider, byte, error) {
	provider, typ, err := auth.NewProvider(auth.Settings{
		Kind: p.Kind, URL: p.URL, Keys: p.Keys, AppID: p.AppID, Secret: p.Secret, Issuer: p.Issuer,
		Refuse: p.Refuse, Users: p.Users, RootCAs: roots, MaxConns: maxConns,
	})
	if p.Type != 0 {
		typ = byte(p.Type)
	}
	return provider, typ, err
}

// Limits mirrors transport.Limits.
type Limits struct {
	MaxMessageSize       int           `yaml:"max_message_size" doc:"bytes of one message, either direction"`
	MaxQueuedBytes       int           `yaml:"max_queued_bytes" doc:"bytes that may wait for one client"`
	MaxMessagesPerSecond int           `yaml:"max_messages_per_second" doc:"messages from one client; negative: no limit"`
	MaxBytesPerSecond    int           `yaml:"max_bytes_per_second" doc:"bytes from one client; 0: no limit"`
	UDPTransmitRate      int           `yaml:"udp_transmit_rate" doc:"bytes per second to one UDP client: above it reliable messages wait and unreliable ones are dropped; negative: no limit"`
	MaxPeers             int           `yaml:"max_peers" doc:"clients on one listener"`
	MaxPeersPerAddress   int           `yaml:"max_peers_per_address" doc:"clients from one address on one listener; negative: no limit"`
	InitTimeout          time.Duration `yaml:"init_timeout" doc:"time until a connection has said what it wants"`
	AuthTimeout          time.Duration `yaml:"auth_timeout" doc:"time until a client has authenticated"`
	IdleTimeout          time.Duration `yaml:"idle_timeout" doc:"silence after which a TCP or WebSocket client is closed"`
}

// TLS names a certificate.
type TLS struct {
	Cert       string `yaml:"cert" doc:"certificate file (PEM); it is read again when it changes"`
	Key        string `yaml:"key" doc:"key file (PEM)"`
	SelfSigned bool   `yaml:"self_signed" doc:"make a certificate at start, for tests on one machine"`
}

// Admin configures the operators' HTTP server.
type Admin struct {
	Listen string `yaml:"listen" doc:"host:port; empty: off"`
	GRPC   string `yaml:"grpc" doc:"host:port of the API for boson status, rooms, drain and close; empty: off"`
	Token  string `yaml:"token" doc:"secret that every call of the API must bring; needed where grpc is not on loopback"`
	PProf  bool   `yaml:"pprof" doc:"serve Go profiles under /debug/pprof"`
}

// Trace configures captures of messages. Secrets in them are masked.
type Trace struct {
	Dir  string `yaml:"dir" doc:"directory for two files per client: decoded messages as text, and a capture for Wireshark; empty: off"`
	User string `yaml:"user" doc:"the UserId to trace; empty: everybody"`
}

// Policy configures the policy servers (wire.md 10).
type Policy struct {
	Flash       string `yaml:"flash" doc:"host:port, usually :843; empty: off"`
	Silverlight string `yaml:"silverlight" doc:"host:port, usually :943; empty: off"`
	Ports       string `yaml:"ports" doc:"TCP ports that Flash clients may connect to"`
}

// Endpoints are the addresses of one server: where it listens, and what it
// tells clients to connect to. They are two settings because NAT, containers
// and clouds make them differ.
type Endpoints struct {
	UDP    string `yaml:"udp" doc:"host:port to listen on; empty: off"`
	TCP    string `yaml:"tcp" doc:"host:port to listen on; empty: off"`
	WS     string `yaml:"ws" doc:"host:port to listen on for WebSocket; empty: off"`
	WSS    string `yaml:"wss" doc:"host:port to listen on for secure WebSocket; empty: off"`
	TLS    string `yaml:"tls" doc:"host:port to listen on for TCP in TLS; empty: off. Clients are told of it only where tcp is off"`
	AltUDP string `yaml:"alt_udp" doc:"host:port of a second UDP listener, for clients that are set to alternative ports: they replace the port of every address that they are told, with 27000 on name servers, 27001 on masters, 27002 on game servers; empty: off"`
	// HTTP is for those who look for the long polling of old.
	HTTP string `yaml:"http" doc:"host:port for plain HTTP: answers browsers' region pings, and 404 to clients of the obsolete long polling (6060 to 6063); empty: off"`
}

// Announce is what clients are told to connect to.
type Announce struct {
	Host string `yaml:"host" doc:"host name or IPv4 address that clients are sent to; empty: the address listened on, or where that is every one, that of this machine that reaches the client"`
	IPv6 string `yaml:"ipv6" doc:"IPv6 address for clients on IPv6; empty: host"`
	UDP  string `yaml:"udp" doc:"host:port instead of host and the listening port"`
	TCP  string `yaml:"tcp" doc:"host:port instead of host and the listening port"`
	WS   string `yaml:"ws" doc:"host:port or ws://host:port/path instead of host and the listening port"`
	WSS  string `yaml:"wss" doc:"host:port or wss://host:port/path instead of host and the listening port"`
}

// NameServer configures the name server.
type NameServer struct {
	Listen       Endpoints `yaml:"listen" doc:"where the name server listens"`
	Regions      []Region  `yaml:"regions" doc:"the masters of all regions, one entry each, where gossip is off; clients are spread over those of a region that answer; empty: the one of this file, by master.announce and master.listen. With boson up: of the other regions"`
	AllowRegions string    `yaml:"allow_regions" doc:"region codes that clients may use, separated by semicolons; empty: all"`
}

// Region is one master that the name server knows.
type Region struct {
	Region   string   `yaml:"region" doc:"region code"`
	Cluster  string   `yaml:"cluster" doc:"cluster name"`
	Announce Announce `yaml:"announce" doc:"the master's addresses for clients"`
	Check    string   `yaml:"check" doc:"host:port to try by TCP whether the master lives, where a region has several; empty: announce's TCP address"`
}

// Master configures the master.
type Master struct {
	Listen             Endpoints     `yaml:"listen" doc:"where the master listens for clients"`
	Announce           Announce      `yaml:"announce" doc:"what clients are told"`
	S2S                string        `yaml:"s2s" doc:"host:port for game servers and other masters"`
	S2SAnnounce        string        `yaml:"s2s_announce" doc:"host:port that game servers and other masters reach it at, for gossip; empty: found by itself"`
	DrainTimeout       time.Duration `yaml:"drain_timeout" doc:"how long clients may stay after a stop was asked for, where another master takes over"`
	LostHold           time.Duration `yaml:"lost_hold" doc:"how long rooms of a lost game server stay known, should it come back"`
	ListInterval       time.Duration `yaml:"list_interval" doc:"time between two room list updates"`
	ListLimit          int           `yaml:"list_limit" doc:"rooms in a room list, and changed rooms in one update of it"`
	GameListLimit      int           `yaml:"game_list_limit" doc:"rooms in the answer to a search of an SQL lobby (GetGameList)"`
	MaxLobbies         int           `yaml:"max_lobbies" doc:"lobbies of one application and version"`
	LobbyStatsLimit    int           `yaml:"lobby_stats_limit" doc:"lobbies in lobby statistics, the fullest; 0: all"`
	StatsInterval      time.Duration `yaml:"stats_interval" doc:"time between two application statistics events"`
	LobbyStatsInterval time.Duration `yaml:"lobby_stats_interval" doc:"time between two lobby statistics events"`
}

// GameServer configures a game server.
type GameServer struct {
	Listen       Endpoints     `yaml:"listen" doc:"where the game server listens"`
	Announce     Announce      `yaml:"announce" doc:"what clients are told"`
	MaxPeers     int           `yaml:"max_peers" doc:"clients this server is good for; its load level follows from it"`
	MaxRooms     int           `yaml:"max_rooms" doc:"rooms at once; 0: no limit"`
	DrainTimeout time.Duration `yaml:"drain_timeout" doc:"how long rooms may go on after a stop was asked for"`
	LoadByCPU    bool          `yaml:"load_by_cpu" doc:"let the process's CPU count for the load level; a server at its highest level gets no new rooms"`
	NICMbit      int           `yaml:"nic_mbit" doc:"bandwidth of the network card, for the load level"`
}

// Default returns the configuration with every default.
func Default() *Config {
	return &Config{
		Log:     Log{Level: "info", Format: "console"},
		Cluster: Cluster{Name: "default", Region: "eu", Masters: []string{"127.0.0.1:4520"}},
		Apps: Apps{Separation: "version", AllowAnonymous: true, TokenLife: time.Hour,
			MaxEmptyRoomTTL: 60 * time.Second,
			Auth: Auth{MaxConcurrent: 50, MaxQueued: 5000, QueueTimeout: 20 * time.Second, RequestTimeout: 30 * time.Second,
				MaxErrors: 10, MaxBackoff: 10 * time.Second}},
		WebRPC:  WebRPC{Timeout: 10 * time.Second, RateLimit: 10, MaxConcurrent: 100},
		Plugins: defaultPlugins(),
		Limits: Limits{MaxMessageSize: 512000, MaxQueuedBytes: 2_000_000, MaxMessagesPerSecond: 5000, MaxPeers: 100000,
			UDPTransmitRate: 256 << 10, MaxPeersPerAddress: 5000, InitTimeout: 10 * time.Second, AuthTimeout: 30 * time.Second, IdleTimeout: 15 * time.Second},
		Policy: Policy{Ports: "4530-4533,9090-9093"},
		NameServer: NameServer{
			Listen: Endpoints{UDP: ":5058", TCP: ":4533", WS: ":9093"},
		},
		Master: Master{
			Listen: Endpoints{UDP: ":5055", TCP: ":4530", WS: ":9090"},
			S2S:    "127.0.0.1:4520", DrainTimeout: 5 * time.Second, LostHold: 60 * time.Second, ListInterval: time.Second,
			ListLimit: 500, GameListLimit: 100, MaxLobbies: 10000,
			StatsInterval: 5 * time.Second, LobbyStatsInterval: 60 * time.Second,
		},
		GameServer: GameServer{
			Listen:   Endpoints{UDP: ":5056", TCP: ":4531", WS: ":9091"},
			MaxPeers: 10000, LoadByCPU: true, DrainTimeout: 30 * time.Minute, NICMbit: 1000,
		},
	}
}
