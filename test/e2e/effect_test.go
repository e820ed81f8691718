package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/belay-dr/belay/fault/hold"

	machine "github.com/belay-dr/belay/exercise"
)

// A fault that has no effect proves nothing. What could be hit when the guard looked is gone when the fault is made: the
// exercise is INVALID, says why, and nothing is held or left.
func TestNoEffect(t *testing.T) {
	w := newShop(t)
	w.quick()
	for _, c := range noEffects(t, w) {
		t.Run(c.name, func(t *testing.T) {
			w.t = t
			c.write(w)
			run, goOn := w.stage(machine.Cleared, c.name, "automatic")
			c.undermine()
			goOn()
			e := decode[exercise](w, run.wait(waitForPhase, 3))
			w.checkInvalid(e, "the fault was not seen to take effect: ", c.why)
			if c.left != nil {
				c.left()
			}
		})
	}
}

// noEffect is a fault that is undermined after the guard has let it through.
type noEffect struct {
	scene
	undermine func()
	why       string
	left      func()
}

func noEffects(t *testing.T, w *world) []noEffect {
	victim, port := bystander(t), listener(t)
	file := filepath.Join(w.dir, "bystander.txt")
	must(t, os.WriteFile(file, []byte("here\n"), 0o644))
	liar := filepath.Join(w.dir, "liar.sh")
	must(t, os.WriteFile(liar, []byte(liarText), 0o755))
	proxied := listener(t)
	list := []noEffect{
		{
			scene:     scene{name: "dead-process", fault: fmt.Sprintf("{process: {kill: {pid: %d}}}", victim.Process.Pid)},
			undermine: func() { end(victim) }, why: "does not run",
		},
		{
			scene:     scene{name: "gone-file", fault: fmt.Sprintf("{file: {lost: %q}}", file)},
			undermine: func() { must(t, os.Remove(file)) }, why: "bystander.txt",
		},
		{
			scene:     scene{name: "silent-proxy", fault: fmt.Sprintf(`{proxy: {listen: %q, upstream: %q, ping: greeting, delay: 100ms}}`, "[::1]:"+portOf(proxied), proxied.Addr())},
			undermine: func() { proxied.Close() }, why: "refused",
		},
		{
			scene:     scene{name: "liar", fault: fmt.Sprintf("{plugin: {run: [%q]}}", liar)},
			undermine: func() {}, why: "confirm",
			left: func() {
				if _, err := os.Stat(filepath.Join(w.dir, "reverted")); err != nil {
					t.Errorf("the plug-in was not asked to revert: %v", err)
				}
			},
		},
	}
	if needs(t) {
		list = append(list, noEffect{
			scene:     scene{name: "wrong-port", fault: fmt.Sprintf("{network: {partition: {to: [%q], protocol: tcp}}}", port.Addr())},
			undermine: func() { port.Close() }, why: "refused",
		})
	}
	return list
}

// liarText is a plug-in that says that it has made the fault, and never sees it.
const liarText = `#!/bin/sh
request=$(cat)
case $request in
*'"do":"plan"'*) echo '{"target": "nothing at all", "class": "restore", "changes": ["say so"]}' ;;
*'"do":"confirm"'*) echo '{"seen": ""}' ;;
*'"do":"residue"'*) echo '{"residue": []}' ;;
*'"do":"revert"'*) touch "${0%/*}/reverted"; echo '{}' ;;
*) echo '{}' ;;
esac
`

func portOf(l net.Listener) string {
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// checkInvalid looks at all that an exercise without effect must say, and at what it must not leave.
func (w *world) checkInvalid(e exercise, why ...string) {
	t := w.t
	t.Helper()
	t.Logf("%s: %s", e.Verdict, e.Why)
	text, again := w.shown(e.ID)
	for _, e := range []exercise{e, again} {
		if e.Verdict != "INVALID" || e.Attribution != "" || e.Procedure == "followed" {
			t.Errorf("verdict %s, attribution %q, procedure %s", e.Verdict, e.Attribution, e.Procedure)
		}
		for _, word := range why {
			if !strings.Contains(e.Why, word) {
				t.Errorf("why %q does not say %q", e.Why, word)
			}
		}
	}
	if !strings.Contains(text, "INVALID") || strings.Contains(text, "PASS") {
		t.Errorf("shown to people as:\n%s", text)
	}
	w.settled()
}

// settled fails unless no fault is held or left, and the evidence verifies.
func (w *world) settled() {
	w.t.Helper()
	list, err := hold.List(w.state)
	if err != nil {
		w.t.Error(err)
	}
	for _, s := range list {
		if s.State == "held" || s.State == "armed" || s.State == "planned" || len(s.Residue) > 0 {
			w.t.Errorf("left: %+v", s)
		}
	}
	if pids := w.pids("hold-internal"); len(pids) > 0 {
		w.t.Errorf("holders or reapers live on: %v", pids)
	}
	w.ok("evidence", "verify", "--dir", w.dir)
}

// What the guard sees beforehand is refused, and no exercise begins.
func TestNoEffectIsRefused(t *testing.T) {
	w := newShop(t)
	w.quick()
	gone := bystander(t)
	end(gone)
	closed := listener(t)
	must(t, closed.Close())
	pidFile := filepath.Join(w.dir, "gone.pid")
	must(t, os.WriteFile(pidFile, fmt.Appendln(nil, gone.Process.Pid), 0o644))
	cases := []struct {
		scene
		why string
	}{
		{scene{name: "dead-process", fault: fmt.Sprintf("{process: {kill: {pid: %d}}}", gone.Process.Pid)}, "does not run"},
		{scene{name: "stale-pid-file", fault: fmt.Sprintf("{process: {stop: {pid_file: %q}}}", pidFile)}, "gone.pid"},
		{scene{name: "no-file", fault: fmt.Sprintf("{file: {lost: %q}}", filepath.Join(w.dir, "nothing.txt"))}, "nothing.txt"},
		{scene{name: "nobody-proxied", fault: fmt.Sprintf("{proxy: {listen: %q, upstream: %q, ping: greeting, delay: 100ms}}", "[::1]:"+portOf(closed), closed.Addr())}, "refused"},
	}
	if needs(t) {
		cases = append(cases, struct {
			scene
			why string
		}{scene{name: "wrong-port", fault: fmt.Sprintf("{network: {partition: {to: [%q], protocol: tcp}}}", closed.Addr())}, "refused"})
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w.t = t
			c.write(w)
			o := w.want(3, "exercise", "run", c.name, "--env", "staging", "--mode", "automatic", "--dir", w.dir, "--json")
			t.Log(strings.TrimSpace(o.stderr))
			if !strings.Contains(o.stderr, "the fault cannot be made: ") || !strings.Contains(o.stderr, c.why) || !strings.Contains(o.stderr, "belay: hint: ") {
				t.Errorf("it does not say %q, or no way on:\n%s", c.why, o)
			}
			if o.stdout != "" {
				t.Errorf("printed %q", o.stdout)
			}
			if list := decode[struct{ Exercises []exercise }](w, w.ok("exercise", "list", "--json", "--dir", w.dir)); len(list.Exercises) != 0 {
				t.Errorf("an exercise is listed: %+v", list.Exercises)
			}
			if list, err := hold.List(w.state); err != nil || len(list) > 0 {
				t.Errorf("faults were made: %v, %v", list, err)
			}
		})
	}
}
