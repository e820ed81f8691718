package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/belay-dr/belay/fault"
)

// terminate is the fault that ends sessions of clients. It is one-shot: whether they come back is for the application.
type terminate struct {
	server
	Sessions
}

// session is one session for all time: a process of the server and when it began.
type session struct {
	PID         int       `json:"pid"`
	Began       time.Time `json:"began"`
	User        string    `json:"user"`
	Database    string    `json:"database"`
	Application string    `json:"application"`
}

func (s session) String() string {
	text := fmt.Sprintf("session %d of %s in %s", s.PID, s.User, s.Database)
	if s.Application != "" {
		text += " (" + s.Application + ")"
	}
	return text
}

type terminateUndo struct {
	At       place     `json:"at"`
	Name     string    `json:"name"`
	Sessions []session `json:"sessions"`
}

// fitting are the sessions that are meant, and whether we may end each.
const fitting = `select pid, backend_start, coalesce(usename, ''), coalesce(datname, ''), coalesce(application_name, ''),
	pg_has_role(usesysid, 'member') or (not (select rolsuper from pg_roles where oid = usesysid) and pg_has_role('pg_signal_backend', 'member'))
	from pg_stat_activity
	where backend_type = 'client backend' and pid <> pg_backend_pid() and ($1 = '' or datname = $1)
	and ($2 = '' or usename = $2) and ($3 = '' or application_name = $3) order by backend_start, pid`

// words says what is looked for.
func (s Sessions) words() string {
	var out []string
	for _, part := range [...]struct{ name, value string }{{"database", s.Database}, {"user", s.User}, {"application", s.Application}} {
		if part.value != "" {
			out = append(out, part.name+" "+part.value)
		}
	}
	return strings.Join(out, ", ")
}

func (t terminate) Plan(ctx context.Context, ask fault.Ask) (fault.Plan, error) {
	u := terminateUndo{Name: ask.ID}
	total := 0
	err := t.with(ctx, nil, "plan", func(ctx context.Context, c *pgx.Conn) (err error) {
		if u.At, err = look(ctx, c); err != nil {
			return err
		}
		if err := c.QueryRow(ctx, `select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()`).Scan(&total); err != nil {
			return err
		}
		u.Sessions, err = t.find(ctx, c)
		return err
	})
	if err != nil {
		return fault.Plan{}, err
	}
	p := fault.Plan{
		Target: fmt.Sprintf("%d sessions of %s (%s)", len(u.Sessions), u.At, t.words()), Class: fault.OneShot, Fidelity: fault.Network,
		Mechanism: "pg_terminate_backend", Needs: []string{"the sessions' own role, or pg_signal_backend; pg_read_all_stats to see those of others"},
		Radius: []string{fmt.Sprintf("%d of %d sessions of clients; what they had not committed is rolled back", len(u.Sessions), total)},
	}
	for _, s := range u.Sessions {
		p.Changes = append(p.Changes, "end "+s.String())
		p.Claims = append(p.Claims, fmt.Sprintf("%s session %d", u.At, s.PID))
	}
	p.Undo, err = json.Marshal(u)
	return p, err
}

func (t terminate) find(ctx context.Context, c *pgx.Conn) ([]session, error) {
	rows, err := c.Query(ctx, fitting, t.Database, t.User, t.Application)
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	var found []session
	var s session
	var may bool
	var refusal error
	_, err = pgx.ForEachRow(rows, []any{&s.PID, &s.Began, &s.User, &s.Database, &s.Application, &may}, func() error {
		switch {
		case strings.HasPrefix(s.Application, ours):
			refusal = errors.Join(refusal, fmt.Errorf("%s is of another fault: it is never ended", s))
		case !may:
			refusal = errors.Join(refusal, fmt.Errorf("%s: this role may not end it: grant pg_signal_backend, or be a superuser for a superuser's", s))
		}
		found = append(found, s)
		return nil
	})
	switch limit := max(1, t.Max); {
	case err != nil:
		return nil, fmt.Errorf("list sessions: %w", err)
	case len(found) == 0:
		return nil, fmt.Errorf("no session has %s: `select * from pg_stat_activity` shows them (those of others only to pg_read_all_stats)", t.words())
	case len(found) > limit:
		return nil, fmt.Errorf("%d sessions have %s, and max is %d: raise max if all are meant, or name them more closely", len(found), t.words(), limit)
	}
	return found, refusal
}

func readTerminate(undo json.RawMessage) (u terminateUndo, err error) {
	if err := json.Unmarshal(undo, &u); err != nil {
		return u, fmt.Errorf("read undo: %w", err)
	}
	return u, nil
}

func (t terminate) Inject(ctx context.Context, undo json.RawMessage, _ fault.Save) error {
	u, err := readTerminate(undo)
	if err != nil {
		return err
	}
	return t.with(ctx, &u.At, u.Name, func(ctx context.Context, c *pgx.Conn) error {
		hit := 0
		for _, s := range u.Sessions {
			var done bool
			err := c.QueryRow(ctx, `select pg_terminate_backend(pid) from pg_stat_activity where pid = $1 and backend_start = $2`, s.PID, s.Began).Scan(&done)
			switch {
			case errors.Is(err, pgx.ErrNoRows):
				continue // it has ended by itself
			case err != nil:
				return fmt.Errorf("end %s: %w", s, err)
			}
			hit++
		}
		if hit == 0 {
			return errors.New("all these sessions have ended by themselves since the plan")
		}
		return nil
	})
}

func (t terminate) Confirm(ctx context.Context, undo json.RawMessage) (string, error) {
	u, err := readTerminate(undo)
	if err != nil {
		return "", err
	}
	err = t.with(ctx, &u.At, u.Name, func(ctx context.Context, c *pgx.Conn) error {
		for _, s := range u.Sessions {
			var there bool
			if err := c.QueryRow(ctx, `select exists (select from pg_stat_activity where pid = $1 and backend_start = $2)`, s.PID, s.Began).Scan(&there); err != nil {
				return err
			}
			if there {
				return fmt.Errorf("%s is still there", s)
			}
		}
		return nil
	})
	return fmt.Sprintf("the server does not list the %d sessions any more", len(u.Sessions)), err
}

func (t terminate) Revert(context.Context, json.RawMessage, fault.Save) (fault.Outcome, error) {
	return fault.Outcome{}, nil
}

func (t terminate) Residue(context.Context, json.RawMessage) ([]string, error) { return nil, nil }
