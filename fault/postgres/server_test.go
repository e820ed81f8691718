package postgres

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/proc"
)

// TestImmediate ends a server by SIGQUIT: it says so itself, and recovers at its next start.
func TestImmediate(t *testing.T) {
	bin := programs(t)
	if bin == "" {
		return
	}
	c := newPrimary(t, bin)
	do(t, c.admin(t), "create table orders (id int)")
	target, p, err := plan(t, object{"server": object{"data": c.data, "how": "immediate", "any_user": true}})
	if err != nil {
		t.Fatal(err)
	}
	if p.Class != fault.OneShot || p.Mechanism != "SIGQUIT" || !strings.HasPrefix(p.Target, "the server of "+c.data+" (process ") {
		t.Errorf("plan: %+v", p)
	}
	u, err := readDown(p.Undo)
	if err != nil {
		t.Fatal(err)
	}
	if err := target.Inject(t.Context(), p.Undo, nil); err != nil {
		t.Fatal(err)
	}
	var seen string
	until(t, "confirmed", func() bool { seen, err = target.Confirm(t.Context(), p.Undo); return err == nil })
	if want := fmt.Sprintf("process %d is gone, and nobody listens on port %d of 127.0.0.1", u.Postmaster.PID, c.port); seen != want {
		t.Errorf("confirm: %q, want %q", seen, want)
	}
	log, _ := os.ReadFile(filepath.Join(c.dir, "server.log"))
	if !strings.Contains(string(log), "received immediate shutdown request") {
		t.Errorf("its log: %s", log)
	}
	if _, err := target.Revert(t.Context(), p.Undo, nil); err != nil {
		t.Error(err)
	}
	c.start(t)
	if n := answer[int](t, c.admin(t), "select count(*) from orders"); n != 0 {
		t.Errorf("%d rows", n)
	}
}

// TestPausedServer lets sessions that came after the plan stand still too.
func TestPausedServer(t *testing.T) {
	bin := programs(t)
	if bin == "" {
		return
	}
	c := newPrimary(t, bin)
	target, p, err := plan(t, object{"server": object{"data": c.data, "how": "pause", "any_user": true}})
	if err != nil {
		t.Fatal(err)
	}
	late := c.admin(t)
	pid := answer[int](t, late, "select pg_backend_pid()")
	undo := p.Undo
	save := fault.Save(func(u json.RawMessage) error { undo = u; return nil })
	if err := target.Inject(t.Context(), undo, save); err != nil {
		t.Fatal(err)
	}
	if seen, err := target.Confirm(t.Context(), undo); err != nil {
		t.Errorf("confirm: %q, %v", seen, err)
	}
	if i, err := proc.Look(pid); err != nil || i.State != proc.Traced {
		t.Errorf("the session that came later: %+v, %v", i, err)
	}
	if out, err := target.Revert(t.Context(), undo, save); err != nil || len(out.Superseded) > 0 {
		t.Errorf("revert: %+v, %v", out, err)
	}
	began := time.Now()
	if n := answer[int](t, late, "select 1"); n != 1 || time.Since(began) > 5*time.Second {
		t.Errorf("the session does not go on")
	}
}
