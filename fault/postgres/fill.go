package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/belay-dr/belay/fault"
)

// maxFill is how many connections one fault opens at most.
const maxFill = 10000

// fill is the fault that takes the connections of a role, or of the whole server.
type fill struct {
	server
	Fill
	conns []*pgx.Conn
}

// room is what the server says of its connections.
type room struct {
	limit, reserved, used int
	// role and base are the limits of the role and the database, -1 for none, and how many are used of them.
	role, roleUsed, base, baseUsed int
	super                          bool
}

// free is how many connections the role can still have.
func (r room) free() int {
	n := r.limit - r.used
	if !r.super {
		n -= r.reserved
	}
	if r.role >= 0 && !r.super {
		n = min(n, r.role-r.roleUsed)
	}
	if r.base >= 0 && !r.super {
		n = min(n, r.base-r.baseUsed)
	}
	return max(n, 0)
}

const rooms = `select current_setting('max_connections')::int,
	current_setting('superuser_reserved_connections')::int + coalesce(nullif(current_setting('reserved_connections', true), '')::int, 0),
	(select count(*) from pg_stat_activity where backend_type = 'client backend' or backend_type is null),
	r.rolconnlimit, (select count(*) from pg_stat_activity where usesysid = r.oid), d.datconnlimit, (select numbackends from pg_stat_database where datid = d.oid), r.rolsuper
	from pg_roles r, pg_database d where r.rolname = current_user and d.datname = current_database()`

func (f *fill) Plan(ctx context.Context, ask fault.Ask) (fault.Plan, error) {
	u := ownUndo{Name: unique(ask.ID), Limit: ask.Limit, Open: f.Connections}
	var r room
	err := f.with(ctx, nil, "plan", func(ctx context.Context, c *pgx.Conn) (err error) {
		if u.At, err = look(ctx, c); err != nil {
			return err
		}
		err = c.QueryRow(ctx, rooms).Scan(&r.limit, &r.reserved, &r.used, &r.role, &r.roleUsed, &r.base, &r.baseUsed, &r.super)
		r.used, r.roleUsed, r.baseUsed = r.used-1, r.roleUsed-1, r.baseUsed-1 // this session is soon gone
		return err
	})
	switch {
	case err != nil:
		return fault.Plan{}, err
	case r.super && f.Connections == 0:
		return fault.Plan{}, fmt.Errorf("%s is a superuser and would take the connections that are kept for those who repair: use another role, or say connections", u.At.User)
	case f.Connections > r.free():
		return fault.Plan{}, fmt.Errorf("%d connections are asked for, and %s has %d of %d free for %s", f.Connections, u.At, r.free(), r.limit, u.At.User)
	}
	what := fmt.Sprintf("open %d connections and keep them", f.Connections)
	if f.Connections == 0 {
		what = fmt.Sprintf("open connections until %s gets no more (about %d) and keep them", u.At.User, r.free())
	}
	p := fault.Plan{
		Target: fmt.Sprintf("the connections of %s to %s", u.At.User, u.At), Class: fault.SelfEnding, Fidelity: fault.Network, KernelEnds: true,
		Changes: []string{what}, Claims: []string{fmt.Sprintf("%s connections", u.At)}, Mechanism: "the holder's own connections",
		Radius: []string{fmt.Sprintf("%d of %d connections are in use, %d are free for this role; who shares its limit feels it", r.used, r.limit, r.free())},
	}
	p.Undo, err = json.Marshal(u)
	return p, err
}

func (f *fill) Inject(ctx context.Context, undo json.RawMessage, _ fault.Save) error {
	u, err := readOwn(undo)
	if err != nil {
		return err
	}
	limit := u.Open
	if limit == 0 {
		limit = maxFill
	}
	for len(f.conns) < limit {
		if err := f.one(ctx, u); isCode(err, tooMany) {
			break
		} else if err != nil {
			return fmt.Errorf("open connection %d: %w", len(f.conns)+1, err)
		}
	}
	if len(f.conns) == 0 {
		return errors.New("there was no connection left to take")
	}
	return nil
}

func (f *fill) one(ctx context.Context, u ownUndo) error {
	c, err := f.open(ctx, &u.At, u.Name)
	if err != nil {
		return err
	}
	f.conns = append(f.conns, c)
	return remember(ctx, c, u.Limit)
}

// Confirm asks for one more connection. One that somebody else gave back meanwhile is taken too.
func (f *fill) Confirm(ctx context.Context, undo json.RawMessage) (string, error) {
	u, err := readOwn(undo)
	if err != nil {
		return "", err
	}
	if u.Open > 0 && len(f.conns) == u.Open {
		alive := f.alive(ctx)
		if alive < u.Open {
			return "", fmt.Errorf("only %d of %d connections are left", alive, u.Open)
		}
		return fmt.Sprintf("%d connections are open and answer", alive), nil
	}
	err = f.one(ctx, u)
	if isCode(err, tooMany) {
		return fmt.Sprintf("with %d connections open, the server refused another one to %s", len(f.conns), u.At.User), nil
	}
	return "", errors.Join(errors.New("the server still gives connections"), err)
}

// alive counts the connections that nobody ended.
func (f *fill) alive(ctx context.Context) (n int) {
	for _, c := range f.conns {
		if !c.IsClosed() && c.Ping(ctx) == nil {
			n++
		}
	}
	return n
}

func (f *fill) Revert(ctx context.Context, undo json.RawMessage, _ fault.Save) (fault.Outcome, error) {
	u, err := readOwn(undo)
	if err != nil {
		return fault.Outcome{}, err
	}
	if f.conns == nil {
		return f.endOthers(ctx, u)
	}
	var out fault.Outcome
	if alive := f.alive(ctx); alive < len(f.conns) {
		out.Superseded = []string{fmt.Sprintf("somebody ended %d of the %d connections", len(f.conns)-alive, len(f.conns))}
	}
	for _, c := range f.conns {
		closeConn(c)
	}
	f.conns = nil
	return out, nil
}

func (f *fill) Residue(ctx context.Context, undo json.RawMessage) ([]string, error) {
	u, err := readOwn(undo)
	if err != nil {
		return nil, err
	}
	return f.leftover(ctx, u)
}
