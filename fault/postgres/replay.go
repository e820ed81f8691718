package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/belay-dr/belay/fault"
)

// replay is the fault that lets a standby receive what its primary writes, and not apply it: it falls behind, and what
// reads from it gets old rows. Its primary and its other standbys feel nothing.
type replay struct{ server }

type replayUndo struct {
	At   place  `json:"at"`
	Name string `json:"name"`
	// Paused says that we have paused it, Resumed that we have begun to resume it.
	Paused  bool `json:"paused,omitempty"`
	Resumed bool `json:"resumed,omitempty"`
}

func (u replayUndo) keep(save fault.Save) error {
	b, err := json.Marshal(u)
	if err != nil {
		return err
	}
	return save(b)
}

func readReplay(undo json.RawMessage) (u replayUndo, err error) {
	if err := json.Unmarshal(undo, &u); err != nil {
		return u, fmt.Errorf("read undo: %w", err)
	}
	return u, nil
}

// The states of a replay, beside those of PostgreSQL.
const (
	notPaused = "not paused"
	paused    = "paused"
	primary   = "primary"
)

// state is that of the replay. A server that is no standby replays nothing.
func state(ctx context.Context, c *pgx.Conn) (s string, err error) {
	err = c.QueryRow(ctx, `select case when pg_is_in_recovery() then pg_get_wal_replay_pause_state() else 'primary' end`).Scan(&s)
	if err != nil {
		return "", fmt.Errorf("ask how the replay is: %w", err)
	}
	return s, nil
}

func (r replay) Plan(ctx context.Context, ask fault.Ask) (fault.Plan, error) {
	u := replayUndo{Name: ask.ID}
	var now string
	var may bool
	var behind int64
	err := r.with(ctx, nil, "plan", func(ctx context.Context, c *pgx.Conn) (err error) {
		if u.At, err = look(ctx, c); err != nil {
			return err
		}
		if now, err = state(ctx, c); err != nil || now == primary {
			return err
		}
		return c.QueryRow(ctx, `select has_function_privilege('pg_wal_replay_pause()', 'execute') and has_function_privilege('pg_wal_replay_resume()', 'execute'),
			coalesce(pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()), 0)::bigint`).Scan(&may, &behind)
	})
	switch {
	case err != nil:
		return fault.Plan{}, err
	case now == primary:
		return fault.Plan{}, fmt.Errorf("%s is no standby: name the standby that is to fall behind", u.At)
	case now != notPaused:
		return fault.Plan{}, fmt.Errorf("the replay of %s is %s already", u.At, now)
	case !may:
		return fault.Plan{}, fmt.Errorf("%s may not pause the replay of %s: grant it execute on pg_wal_replay_pause() and pg_wal_replay_resume()", u.At.User, u.At)
	}
	p := fault.Plan{
		Target: "the replay of " + u.At.String(), Class: fault.Restore, Fidelity: fault.Data, Mechanism: "pg_wal_replay_pause",
		Changes: []string{"pause the replay of " + u.At.String()}, Claims: []string{u.At.String() + " replay"}, Elsewhere: true,
		Needs:  []string{"execute on pg_wal_replay_pause() and pg_wal_replay_resume()"},
		Radius: []string{fmt.Sprintf("who reads from this standby gets old rows (it is %d bytes behind now), and its disk fills with what it does not apply", behind)},
	}
	p.Undo, err = json.Marshal(u)
	return p, err
}

func (r replay) Inject(ctx context.Context, undo json.RawMessage, save fault.Save) error {
	u, err := readReplay(undo)
	if err != nil {
		return err
	}
	err = r.with(ctx, &u.At, u.Name, func(ctx context.Context, c *pgx.Conn) error {
		if now, err := state(ctx, c); err != nil || now != notPaused {
			return errors.Join(fmt.Errorf("the replay is %s by now", now), err)
		}
		_, err := c.Exec(ctx, `select pg_wal_replay_pause()`)
		return err
	})
	if err != nil {
		return err
	}
	u.Paused = true
	return u.keep(save)
}

func (r replay) Confirm(ctx context.Context, undo json.RawMessage) (string, error) {
	u, err := readReplay(undo)
	if err != nil {
		return "", err
	}
	var at string
	err = r.with(ctx, &u.At, u.Name, func(ctx context.Context, c *pgx.Conn) error {
		if now, err := state(ctx, c); err != nil || now != paused {
			return errors.Join(fmt.Errorf("the replay is %s", now), err)
		}
		return c.QueryRow(ctx, `select pg_last_wal_replay_lsn()::text`).Scan(&at)
	})
	return fmt.Sprintf("the standby says that its replay is paused at %s", at), err
}

// Revert resumes a replay that is still paused. One that was resumed or promoted was dealt with by somebody else.
func (r replay) Revert(ctx context.Context, undo json.RawMessage, save fault.Save) (out fault.Outcome, err error) {
	u, err := readReplay(undo)
	if err != nil {
		return out, err
	}
	err = r.surely(ctx, u, func(ctx context.Context, c *pgx.Conn) error {
		now, err := state(ctx, c)
		switch {
		case err != nil:
			return err
		case now == primary && u.Paused:
			out.Superseded = []string{u.At.String() + " was promoted since its replay was paused"}
			return nil
		case now == notPaused && u.Paused && !u.Resumed:
			out.Superseded = []string{"somebody resumed the replay of " + u.At.String()}
			return nil
		case now == primary || now == notPaused:
			return nil
		}
		u.Resumed = true
		if err := u.keep(save); err != nil {
			return err
		}
		_, err = c.Exec(ctx, `select pg_wal_replay_resume()`)
		return err
	})
	if u.At.ended(err) && u.Paused {
		// A pause does not outlive its server.
		return fault.Outcome{Superseded: []string{u.At.String() + " does not answer: a server that was stopped replays when it is started again"}}, nil
	}
	return out, err
}

// surely asks the standby until it answers or has ended.
func (r replay) surely(ctx context.Context, u replayUndo, do func(context.Context, *pgx.Conn) error) error {
	return u.At.surely(ctx, func() error { return r.with(ctx, &u.At, u.Name, do) })
}

func (r replay) Residue(ctx context.Context, undo json.RawMessage) (left []string, err error) {
	u, err := readReplay(undo)
	if err != nil {
		return nil, err
	}
	err = r.surely(ctx, u, func(ctx context.Context, c *pgx.Conn) error {
		now, err := state(ctx, c)
		if err == nil && now != notPaused && now != primary {
			left = []string{"the replay of " + u.At.String() + " is still " + now}
		}
		return err
	})
	if u.At.ended(err) {
		return nil, nil
	}
	return left, err
}
