package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/belay-dr/belay/fault"
)

// lock is the fault that holds a lock on a table for as long as its session lives.
type lock struct {
	server
	Lock
	conn *pgx.Conn
}

// mode is what we take, and the weakest that somebody cannot have then.
func (l *lock) mode() (taken, refused string) {
	if l.WritesOnly {
		return "exclusive", "row exclusive"
	}
	return "access exclusive", "access share"
}

func (l *lock) Plan(ctx context.Context, ask fault.Ask) (fault.Plan, error) {
	u := ownUndo{Name: unique(ask.ID), Limit: ask.Limit}
	kind, may, using := "", false, 0
	err := l.with(ctx, nil, "plan", func(ctx context.Context, c *pgx.Conn) (err error) {
		if u.At, err = look(ctx, c); err != nil {
			return err
		}
		var schema, name string
		err = c.QueryRow(ctx, `select c.oid, n.nspname, c.relname, c.relkind::text, has_table_privilege(c.oid, 'update, delete, truncate'),
			(select count(distinct pid) from pg_locks where relation = c.oid and database = (select oid from pg_database where datname = current_database()))
			from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = to_regclass($1)`, l.Table).Scan(&u.OID, &schema, &name, &kind, &may, &using)
		u.Table = pgx.Identifier{schema, name}.Sanitize()
		return err
	})
	taken, _ := l.mode()
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return fault.Plan{}, fmt.Errorf("%s: there is no table %s in database %s: name its schema too", u.At, l.Table, u.At.Database)
	case err != nil:
		return fault.Plan{}, err
	case kind != "r" && kind != "p":
		return fault.Plan{}, fmt.Errorf("%s is no table", u.Table)
	case !may:
		return fault.Plan{}, fmt.Errorf("%s may not lock %s: grant it update, delete or truncate on it", u.At.User, u.Table)
	}
	p := fault.Plan{
		Target: fmt.Sprintf("table %s of %s", u.Table, u.At), Class: fault.SelfEnding, Fidelity: fault.Process, KernelEnds: true,
		Changes:   []string{fmt.Sprintf("lock table %s in %s mode in a session of our own, and keep it", u.Table, taken)},
		Claims:    []string{fmt.Sprintf("%s table %s of %s", u.At, u.Table, u.At.Database)},
		Mechanism: "a transaction in the holder's own session", Needs: []string{"update, delete or truncate on the table"},
		Radius: []string{fmt.Sprintf("every session that uses the table waits; %d do now", using)},
	}
	p.Undo, err = json.Marshal(u)
	return p, err
}

func (l *lock) Inject(ctx context.Context, undo json.RawMessage, _ fault.Save) error {
	u, err := readOwn(undo)
	if err != nil {
		return err
	}
	if l.conn, err = l.open(ctx, &u.At, u.Name); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*askBound)
	defer cancel()
	if err := remember(ctx, l.conn, u.Limit); err != nil {
		return err
	}
	taken, _ := l.mode()
	// Whoever waits for such a lock lets everybody wait behind it, so it does not wait long.
	for _, s := range []string{"begin", fmt.Sprintf("set local lock_timeout = %d", askBound.Milliseconds()), "lock table " + u.Table + " in " + taken + " mode"} {
		if _, err := l.conn.Exec(ctx, s); err != nil {
			if isCode(err, lockNotThere) {
				err = fmt.Errorf("somebody uses it for longer than %s: %w", askBound, err)
			}
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	var same bool
	if err := l.conn.QueryRow(ctx, `select to_regclass($1)::oid = $2`, u.Table, u.OID).Scan(&same); err != nil || !same {
		return errors.Join(fmt.Errorf("%s is another table now", u.Table), err)
	}
	return nil
}

// Confirm tries to use the table in another session.
func (l *lock) Confirm(ctx context.Context, undo json.RawMessage) (string, error) {
	u, err := readOwn(undo)
	if err != nil {
		return "", err
	}
	_, refused := l.mode()
	err = l.with(ctx, &u.At, "confirm", func(ctx context.Context, c *pgx.Conn) error {
		var held bool
		if err := c.QueryRow(ctx, `select exists (select from pg_locks l join pg_stat_activity a using (pid)
			where l.relation = $1 and l.granted and a.application_name = $2)`, u.OID, ours+u.Name).Scan(&held); err != nil || !held {
			return errors.Join(errors.New("the server lists no lock of ours"), err)
		}
		if _, err := c.Exec(ctx, "begin"); err != nil {
			return err
		}
		_, err := c.Exec(ctx, "lock table "+u.Table+" in "+refused+" mode nowait")
		if err == nil {
			return fmt.Errorf("another session could lock %s", u.Table)
		}
		if !isCode(err, lockNotThere) {
			return fmt.Errorf("try to lock %s in another session: %w", u.Table, err)
		}
		return nil
	})
	return fmt.Sprintf("another session could not lock %s in %s mode", u.Table, refused), err
}

func (l *lock) Revert(ctx context.Context, undo json.RawMessage, _ fault.Save) (fault.Outcome, error) {
	u, err := readOwn(undo)
	if err != nil {
		return fault.Outcome{}, err
	}
	if l.conn == nil {
		return l.endOthers(ctx, u)
	}
	var out fault.Outcome
	if !l.conn.IsClosed() {
		if _, err := l.conn.Exec(ctx, "rollback"); err != nil {
			out.Superseded = []string{"somebody ended the session that had the lock"}
		}
	}
	closeConn(l.conn)
	l.conn = nil
	return out, nil
}

func (l *lock) Residue(ctx context.Context, undo json.RawMessage) ([]string, error) {
	u, err := readOwn(undo)
	if err != nil {
		return nil, err
	}
	return l.leftover(ctx, u)
}
