package postgres

import (
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/belay-dr/belay/fault"
)

// Postgres is the config: where the server is, and exactly one of terminate, lock, fill, pause_replay and server.
type Postgres struct {
	// URL is where the server is, without a password: "postgres://chaos@db:5432/shop". What it leaves out comes from
	// libpq's environment (PGHOST, PGUSER, PGPASSWORD, PGPASSFILE ...).
	URL string `yaml:"url,omitempty" json:"url,omitempty"`
	// PasswordFile holds the password. It is read when it is needed and kept nowhere.
	PasswordFile string `yaml:"password_file,omitempty" json:"password_file,omitempty"`
	// Terminate ends sessions of clients.
	Terminate *Sessions `yaml:"terminate,omitempty" json:"terminate,omitempty"`
	// Lock holds a lock on a table.
	Lock *Lock `yaml:"lock,omitempty" json:"lock,omitempty"`
	// Fill opens connections until there are so many, or no more are given.
	Fill *Fill `yaml:"fill,omitempty" json:"fill,omitempty"`
	// PauseReplay lets a standby receive what its primary writes, and not apply it.
	PauseReplay bool `yaml:"pause_replay,omitempty" json:"pause_replay,omitempty"`
	// Server ends or pauses the server of a data directory on this host.
	Server *Server `yaml:"server,omitempty" json:"server,omitempty"`
}

// Sessions are the sessions of clients: those that fit everything that is given, of which at least one must be.
type Sessions struct {
	Database    string `yaml:"database,omitempty" json:"database,omitempty"`
	User        string `yaml:"user,omitempty" json:"user,omitempty"`
	Application string `yaml:"application,omitempty" json:"application,omitempty"`
	// Max is how many may be ended; 0 means 1. More is a refusal, not a choice.
	Max int `yaml:"max,omitempty" json:"max,omitempty"`
}

// Lock is a lock on a table that a session of ours has.
type Lock struct {
	// Table, with its schema if that is not in the search path.
	Table string `yaml:"table,omitempty" json:"table,omitempty"`
	// WritesOnly lets others read: EXCLUSIVE instead of ACCESS EXCLUSIVE.
	WritesOnly bool `yaml:"writes_only,omitempty" json:"writes_only,omitempty"`
}

// Short accepts {lock: orders} for {lock: {table: orders}}.
func (l *Lock) Short(values []string, list bool) error {
	if list || len(values) != 1 {
		return errOneTable
	}
	l.Table = values[0]
	return nil
}

// UnmarshalJSON accepts the same short form.
func (l *Lock) UnmarshalJSON(b []byte) error {
	type plain Lock
	return fault.ShortJSON(b, l.Short, (*plain)(l))
}

// Fill says how many connections.
type Fill struct {
	// Connections is how many are opened at most; 0 means until the server gives no more to this role.
	Connections int `yaml:"connections,omitempty" json:"connections,omitempty"`
}

// Server is a server on this host, by its data directory.
type Server struct {
	Data string `yaml:"data,omitempty" json:"data,omitempty"`
	// How it ends: kill (the default: SIGKILL, as if it crashed), immediate (SIGQUIT, which it answers by ending without a
	// checkpoint) or pause (it and all its sessions stand still until the fault ends).
	How string `yaml:"how,omitempty" json:"how,omitempty"`
	// Standby says that the server may be a standby.
	Standby bool `yaml:"standby,omitempty" json:"standby,omitempty"`
	// Max is how many processes a pause may stop; 0 means 100.
	Max int `yaml:"max,omitempty" json:"max,omitempty"`
	// AnyUser lets root hit a server that runs as another user.
	AnyUser bool `yaml:"any_user,omitempty" json:"any_user,omitempty"`
}

// The ways in which a server ends.
const (
	howKill      = "kill"
	howImmediate = "immediate"
	howPause     = "pause"
)

// CheckConfig says what is wrong.
func (p *Postgres) CheckConfig() map[string]string {
	given := 0
	for _, there := range []bool{p.Terminate != nil, p.Lock != nil, p.Fill != nil, p.PauseReplay, p.Server != nil} {
		if there {
			given++
		}
	}
	if given != 1 {
		return map[string]string{"": "give exactly one of terminate, lock, fill, pause_replay and server"}
	}
	wrong := map[string]string{}
	if text := checkURL(p.URL); text != "" {
		wrong["url"] = text
	}
	if p.PasswordFile != "" && !path.IsAbs(p.PasswordFile) {
		wrong["password_file"] = "must be an absolute path"
	}
	switch {
	case p.Terminate != nil:
		maps.Copy(wrong, p.Terminate.check())
	case p.Lock != nil && (p.Lock.Table == "" || strings.ContainsAny(p.Lock.Table, ";\x00\n")):
		wrong["lock.table"] = "say which table"
	case p.Fill != nil && p.Fill.Connections < 0:
		wrong["fill.connections"] = "must not be negative"
	case p.Server != nil:
		maps.Copy(wrong, p.Server.check())
		if p.URL != "" || p.PasswordFile != "" {
			wrong["url"] = "server needs none: it is found by its data directory on this host"
		}
	}
	return wrong
}

func (s *Sessions) check() map[string]string {
	switch {
	case s.Database == "" && s.User == "" && s.Application == "":
		return map[string]string{"terminate": "give at least one of database, user and application"}
	case s.Max < 0:
		return map[string]string{"terminate.max": "must not be negative"}
	}
	return nil
}

func (s *Server) check() map[string]string {
	wrong := map[string]string{}
	if !path.IsAbs(s.Data) {
		wrong["server.data"] = "must be the absolute path of a data directory"
	}
	if !slices.Contains([]string{"", howKill, howImmediate, howPause}, s.How) {
		wrong["server.how"] = "must be kill, immediate or pause"
	}
	if s.Max < 0 {
		wrong["server.max"] = "must not be negative"
	}
	return wrong
}

// checkURL refuses what is no URL of one server, and any password in it: configs are written to records.
func checkURL(text string) string {
	if text == "" {
		return ""
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return `must be a URL such as "postgres://chaos@db:5432/shop"`
	}
	_, there := u.User.Password()
	for key := range u.Query() {
		there = there || strings.Contains(strings.ToLower(key), "password")
	}
	switch {
	case there:
		return "must not hold a password: give password_file, or PGPASSWORD in the environment"
	case strings.Contains(u.Host, ","):
		return "names several servers: name one"
	}
	return ""
}

// Target is the fault itself.
func (p *Postgres) Target() fault.Target {
	s := server{url: p.URL, passwordFile: p.PasswordFile}
	switch {
	case p.Terminate != nil:
		return terminate{s, *p.Terminate}
	case p.Lock != nil:
		return &lock{server: s, Lock: *p.Lock}
	case p.Fill != nil:
		return &fill{server: s, Fill: *p.Fill}
	case p.PauseReplay:
		return replay{s}
	}
	return p.Server.target()
}
