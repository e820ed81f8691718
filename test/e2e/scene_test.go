package e2e

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	machine "github.com/belay-dr/belay/exercise"
)

// addresses are where the Bookstore answers.
type addresses struct {
	API      string `json:"api"`
	CDN      string `json:"cdn"`
	Database string `json:"database"`
}

func (w *world) addresses() addresses {
	w.t.Helper()
	b, err := os.ReadFile(filepath.Join(w.dir, "bookstore.json"))
	must(w.t, err)
	var a addresses
	must(w.t, json.Unmarshal(b, &a))
	return a
}

// quick shortens the baseline: what these tests are about does not need a long one.
func (w *world) quick() {
	w.t.Helper()
	w.edit("belay.yaml", "baseline: 3200ms", "baseline: 800ms")
}

// edit replaces one text in a file of the playbook by another.
func (w *world) edit(file, old, changed string) {
	w.t.Helper()
	path := filepath.Join(w.dir, file)
	b, err := os.ReadFile(path)
	must(w.t, err)
	if strings.Count(string(b), old) != 1 {
		w.t.Fatalf("%s does not hold %q once", file, old)
	}
	must(w.t, os.WriteFile(path, []byte(strings.Replace(string(b), old, changed, 1)), 0o644))
}

// scene is a scenario of a test. Its fault is YAML on one line; without a recovery it has one step that waits.
type scene struct {
	name, fault, covers, by, recovery string
}

// write adds the scenario to the playbook.
func (s scene) write(w *world) {
	w.t.Helper()
	or := func(v, otherwise string) string {
		if v == "" {
			return otherwise
		}
		return v
	}
	text := `scenario: ` + s.name + `
class: disaster-recovery
covers: [` + or(s.covers, "cdn") + `]
recovers_by: ` + or(s.by, "procedure") + `
leads: {primary: bob, secondary: alice}
severity: critical
rto: 12h
rpo: 24h
overview: [Wait]
platform: this machine
fault: ` + s.fault + `
recovery:
` + or(s.recovery, `  - {id: hold-on, text: Wait, wait: 1s}`) + `
test:
  - {id: works, text: It works, check: {http: {url: "${api}/books/", expect: {status: 200}}}}
resume:
  - {id: over, text: It is over, check: {http: {url: "${api}/books/", expect: {status: 200}}}}
`
	must(w.t, os.WriteFile(filepath.Join(w.dir, "scenarios", s.name+".yaml"), []byte(text), 0o644))
}

// stage starts an exercise that pauses at a phase, and waits until it does. The function it returns lets the exercise go on.
func (w *world) stage(phase machine.Phase, scenario, mode string) (run *process, goOn func()) {
	w.t.Helper()
	file := filepath.Join(filepath.Dir(w.dir), "go-on-"+scenario)
	before := w.env
	w.env = append(append([]string{}, before...), "BELAY_TEST_PAUSE="+string(phase), "BELAY_TEST_PAUSE_UNTIL="+file)
	run = w.start("exercise", "run", scenario, "--env", "staging", "--mode", mode, "--as", "bob", "--dir", w.dir, "--json")
	w.env = before
	w.inPhase(run, scenario, phase)
	return run, func() { must(w.t, os.WriteFile(file, nil, 0o644)) }
}

// shown is what `belay exercise show` says of an exercise, for people and as JSON.
func (w *world) shown(id string) (text string, e exercise) {
	w.t.Helper()
	return w.ok("exercise", "show", id, "--dir", w.dir).stdout, decode[exercise](w, w.ok("exercise", "show", id, "--dir", w.dir, "--json"))
}

// bystander is a process that no probe looks at.
func bystander(t *testing.T) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sleep", "300")
	must(t, cmd.Start())
	t.Cleanup(func() { end(cmd) })
	return cmd
}

// end kills a process and waits for it.
func end(cmd *exec.Cmd) {
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

// listener answers on a port of its own until it is closed.
func listener(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("220 here\r\n"))
			_ = c.Close()
		}
	}()
	return l
}

// needs says whether all of these programs are here and we are root. Where tests must be complete, it fails the test otherwise.
func needs(t *testing.T, programs ...string) bool {
	t.Helper()
	var missing []string
	if os.Geteuid() != 0 {
		missing = append(missing, "root")
	}
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			missing = append(missing, p)
		}
	}
	if len(missing) == 0 {
		return true
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("this test needs %s", strings.Join(missing, ", "))
	}
	t.Logf("NOT TESTED: it needs %s", strings.Join(missing, ", "))
	return false
}

// command runs a program that must not fail.
func command(t *testing.T, argv ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, out)
	}
	return string(out)
}
