package postgres

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/belay-dr/belay/fault"
)

// ownUndo is the undo of faults that live in sessions of the holder's own. They end with the holder: the kernel closes
// its sockets, and the server ends what it had for them.
type ownUndo struct {
	At place `json:"at"`
	// Name is what the sessions are called, after "belay ".
	Name  string `json:"name"`
	Table string `json:"table,omitempty"`
	// OID is the table's, whatever it is called later.
	OID uint32 `json:"oid,omitempty"`
	// Limit ends them at the server, should the network be silent when the holder dies.
	Limit time.Duration `json:"limit,omitempty"`
	// Open is how many connections there are to be.
	Open int `json:"open,omitempty"`
}

func readOwn(undo json.RawMessage) (u ownUndo, err error) {
	if err := json.Unmarshal(undo, &u); err != nil {
		return u, fmt.Errorf("read undo: %w", err)
	}
	return u, nil
}

// unique is what the sessions of a fault are called. An ID may be a person's choice, and be used on another host too.
func unique(id string) string { return id[:min(len(id), 40)] + "-" + strings.ToLower(rand.Text()[:8]) }

// remember lets the server notice soon that nobody is at the other end any more, and end a session of ours that is older
// than the fault may be. What this server does not know is left out.
func remember(ctx context.Context, c *pgx.Conn, limit time.Duration) error {
	until := "0"
	if limit > 0 {
		until = strconv.FormatInt((limit + serverGrace).Milliseconds(), 10)
	}
	_, err := c.Exec(ctx, `select set_config(name, value, false) from (values ('tcp_keepalives_idle', '2'), ('tcp_keepalives_interval', '1'),
		('tcp_keepalives_count', '3'), ('idle_in_transaction_session_timeout', $1::text), ('idle_session_timeout', $1::text)) v (name, value)
		join pg_settings using (name)`, until)
	if err != nil {
		return fmt.Errorf("prepare the session: %w", err)
	}
	return nil
}

// serverGrace is how much longer than the fault's limit the server waits before it ends our sessions itself.
const serverGrace = 5 * time.Second

// endOthers is a revert without the sessions in hand: whoever had them is dead, and the kernel has closed them. What the
// server still lists is ended.
func (s server) endOthers(ctx context.Context, u ownUndo) (fault.Outcome, error) {
	err := u.At.surely(ctx, func() error {
		return s.patiently(ctx, func() (bool, error) {
			return false, s.with(ctx, &u.At, "revert", func(ctx context.Context, c *pgx.Conn) error {
				_, err := c.Exec(ctx, `select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1 and usename = current_user and pid <> pg_backend_pid()`, ours+u.Name)
				return err
			})
		})
	})
	if u.At.ended(err) {
		return fault.Outcome{Superseded: []string{u.At.String() + " has ended, and its sessions with it"}}, nil
	}
	return fault.Outcome{}, err
}

// patiently tries again for a moment while all connections are taken: ours are the first to go.
func (s server) patiently(ctx context.Context, try func() (again bool, err error)) error {
	for end := time.Now().Add(2 * time.Second); ; {
		again, err := try()
		if !again && !isCode(err, tooMany) || time.Now().After(end) {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// leftover waits a moment for the server to notice, and lists the sessions of ours that it still has.
func (s server) leftover(ctx context.Context, u ownUndo) (left []string, err error) {
	err = u.At.surely(ctx, func() error { return s.leftNow(ctx, u, &left) })
	if u.At.ended(err) {
		return nil, nil
	}
	return left, err
}

// leftNow is leftover of a server that answers.
func (s server) leftNow(ctx context.Context, u ownUndo, to *[]string) error {
	return s.patiently(ctx, func() (bool, error) {
		var left []string
		err := s.with(ctx, &u.At, "residue", func(ctx context.Context, c *pgx.Conn) error {
			rows, err := c.Query(ctx, `select pid from pg_stat_activity where application_name = $1`, ours+u.Name)
			if err != nil {
				return err
			}
			var pid int
			_, err = pgx.ForEachRow(rows, []any{&pid}, func() error {
				left = append(left, fmt.Sprintf("session %d of this fault is still there", pid))
				return nil
			})
			return err
		})
		*to = left
		return len(left) > 0, err
	})
}
