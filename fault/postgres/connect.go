package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// connectBound is how long a server may take to let us in, and askBound to answer.
	connectBound = 4 * time.Second
	askBound     = 5 * time.Second
	// maxPassword is larger than any password.
	maxPassword = 4 << 10
	// ours is how the names of our own sessions begin.
	ours = "belay "
)

var errOneTable = errors.New("give one table, or {table: ...}")

// server is where the config and the environment say.
type server struct{ url, passwordFile string }

// place is one server for all time, and where it was found. It goes into undos, so it holds no password.
type place struct {
	Host     string `json:"host"`
	Port     uint16 `json:"port"`
	User     string `json:"user"`
	Database string `json:"database"`
	// System is the identifier that a cluster gets at birth; a standby has its primary's.
	System string `json:"system,omitempty"`
	// Started is when the server was started.
	Started time.Time `json:"started"`
}

func (p place) String() string {
	if strings.HasPrefix(p.Host, "/") {
		return fmt.Sprintf("PostgreSQL at %s/.s.PGSQL.%d", p.Host, p.Port)
	}
	return "PostgreSQL at " + net.JoinHostPort(p.Host, strconv.Itoa(int(p.Port)))
}

// ended says that an error means that no server runs there any more. Only on this host can that be known: elsewhere, a network
// that is cut, or a service without an endpoint, looks the same, and the server goes on behind it.
func (p place) ended(err error) bool {
	ip := net.ParseIP(p.Host)
	here := strings.HasPrefix(p.Host, "/") || p.Host == "localhost" || ip != nil && ip.IsLoopback()
	return here && errors.Is(err, errUnreachable) && (errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOENT))
}

// errUnreachable says that the server does not answer at all.
var errUnreachable = errors.New("the server does not answer")

// config is what pgx needs. With a place it is for exactly that one, whatever the environment says now.
func (s server) config(at *place, name string) (*pgx.ConnConfig, error) {
	c, err := pgx.ParseConfig(s.url)
	if err != nil {
		return nil, errors.New("read url or libpq's environment: it is not understood") // pgx would print it
	}
	for _, f := range c.Fallbacks {
		if f.Host != c.Host || f.Port != c.Port {
			return nil, errors.New("the url or PGHOST names several servers: name one")
		}
	}
	if at != nil {
		c.Host, c.Port, c.User, c.Database = at.Host, at.Port, at.User, at.Database
		for _, f := range c.Fallbacks {
			f.Host, f.Port = at.Host, at.Port
		}
	}
	if s.passwordFile != "" {
		b, err := os.ReadFile(s.passwordFile)
		if err != nil {
			return nil, fmt.Errorf("read password file: %w", err)
		}
		if len(b) > maxPassword {
			return nil, fmt.Errorf("read password file: %s is too large", s.passwordFile)
		}
		c.Password = strings.TrimRight(string(b), "\r\n")
	}
	c.ConnectTimeout = connectBound
	c.RuntimeParams["application_name"] = ours + name
	return c, nil
}

// open opens a session. The caller closes it.
func (s server) open(ctx context.Context, at *place, name string) (*pgx.Conn, error) {
	c, err := s.config(at, name)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, connectBound)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, c)
	if err == nil {
		return conn, nil
	}
	where := place{Host: c.Host, Port: c.Port}
	var said *pgconn.PgError
	if errors.As(err, &said) {
		return nil, fmt.Errorf("connect to %s as %s: %w%s", where, c.User, said, hint(said.Code))
	}
	return nil, fmt.Errorf("connect to %s as %s: %w: %w: check url and network, or PGHOST and PGPORT", where, c.User, errUnreachable, reason(err))
}

// reason is the innermost error, which has no part of the config in it.
func reason(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %s", connectBound)
	}
	return errors.New("the connection was closed")
}

// hint is what helps against an error of the server.
func hint(code string) string {
	switch code {
	case "28P01", "28000":
		return ": give password_file, or PGPASSWORD or PGPASSFILE in the environment"
	case tooMany:
		return ": there is no connection left for this role"
	case "3D000":
		return ": name a database of this server in the url"
	}
	return ""
}

// The errors of the server that mean something here (appendix A of PostgreSQL's documentation).
const (
	tooMany      = "53300"
	lockNotThere = "55P03"
)

func isCode(err error, codes ...string) bool {
	var said *pgconn.PgError
	if !errors.As(err, &said) {
		return false
	}
	for _, c := range codes {
		if said.Code == c {
			return true
		}
	}
	return false
}

// with opens a session, does something in it, and closes it.
func (s server) with(ctx context.Context, at *place, name string, do func(context.Context, *pgx.Conn) error) error {
	conn, err := s.open(ctx, at, name)
	if err != nil {
		return err
	}
	defer closeConn(conn)
	ctx, cancel := context.WithTimeout(ctx, askBound)
	defer cancel()
	if at != nil && !at.Started.IsZero() {
		now, err := look(ctx, conn)
		if err != nil {
			return err
		}
		if now.System != at.System {
			return fmt.Errorf("%s is another cluster now", at)
		}
	}
	return do(ctx, conn)
}

func closeConn(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}

// look says which server this session is on.
func look(ctx context.Context, conn *pgx.Conn) (place, error) {
	c := conn.Config()
	p := place{Host: c.Host, Port: c.Port, User: c.User, Database: c.Database}
	var system *string
	err := conn.QueryRow(ctx, `select pg_postmaster_start_time(), case when has_function_privilege('pg_control_system()', 'execute')
		then (select system_identifier::text from pg_control_system()) end`).Scan(&p.Started, &system)
	if err != nil {
		return p, fmt.Errorf("ask %s who it is: %w", p, err)
	}
	if system != nil {
		p.System = *system
	}
	return p, nil
}
