package plugin_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/plugin"
)

// script is a plug-in in a few lines of shell: what comes before the verbs, and what each does.
func script(t *testing.T, verbs map[plugin.Verb]string) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("#!/bin/sh\nrequest=$(cat)\necho \"$request\" >>\"$0.log\"\ncase $request in\n")
	for do, what := range map[plugin.Verb]string{
		plugin.DoPlan:    `echo '{"target": "mark", "class": "restore", "changes": ["make a mark"], "undo": {"step": 1}}'`,
		plugin.DoInject:  `touch "$0.mark"; echo '{"undo": {"step": 2}}'`,
		plugin.DoConfirm: `if [ -e "$0.mark" ]; then echo '{"seen": "the mark"}'; else echo '{"seen": ""}'; fi`,
		plugin.DoRevert:  `rm -f "$0.mark"; echo '{}'`,
		plugin.DoResidue: `if [ -e "$0.mark" ]; then echo '{"residue": ["the mark"]}'; else echo '{"residue": []}'; fi`,
	} {
		if v, ok := verbs[do]; ok {
			what = v
		}
		b.WriteString(`*'"do":"` + string(do) + `"'*) ` + what + ";;\n")
	}
	b.WriteString("esac\n")
	path := filepath.Join(t.TempDir(), "plug")
	if err := os.WriteFile(path, []byte(b.String()), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func target(t *testing.T, path string) fault.Target {
	t.Helper()
	target, err := plugin.Kinds().Decode(faulttest.Spec(t, object{"plugin": object{"run": []string{path}, "config": object{"a": 1}}}))
	if err != nil {
		t.Fatal(err)
	}
	return target
}

func requests(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path + ".log")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func there(path string) bool { _, err := os.Stat(path); return err == nil }

// TestRefusals is what a plan is refused for.
func TestRefusals(t *testing.T) {
	plan := func(v string) map[plugin.Verb]string { return map[plugin.Verb]string{plugin.DoPlan: v} }
	for _, c := range []struct {
		verbs map[plugin.Verb]string
		want  string // PLUG is its path
	}{
		{plan(`echo '{"refused": "not today"}'`), "PLUG refuses: not today"},
		{plan(`echo '{"error": "no database"}'`), "PLUG: the plug-in says: no database"},
		{plan(`echo oh no >&2; exit 3`), "PLUG: exit 3: oh no"},
		{plan(`kill -9 $$`), "PLUG: exit 137"},
		{plan(`true`), "PLUG: reply to plan: it is empty"},
		{plan(`head -c 300000 /dev/zero`), "PLUG: reply to plan: longer than 262144 bytes"},
		{plan(`echo '{"target": "x", "class": "self-ending", "changes": ["x"], "ends_after": "3m"}'`), "PLUG: the fault would end by itself after 3m0s only, and its limit is 30s"},
		{map[plugin.Verb]string{plugin.DoConfirm: `echo '{"seen": "it all"}'`}, "PLUG sees the fault already: it all"},
		{map[plugin.Verb]string{plugin.DoConfirm: `echo '{"error": "blind"}'`}, "look before the fault: PLUG: the plug-in says: blind"},
	} {
		path := script(t, c.verbs)
		_, err := target(t, path).Plan(t.Context(), fault.Ask{ID: "f1", Limit: 30 * time.Second})
		if want := strings.ReplaceAll(c.want, "PLUG", path); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
		if log := requests(t, path); strings.Contains(log, `"do":"inject"`) {
			t.Errorf("it was injected all the same: %s", log)
		}
	}
	for _, c := range []struct {
		config object
		want   string
	}{
		{object{}, "fault plugin: run: give a program as a list of arguments"},
		{object{"run": []string{"x"}, "fidelity": "big"}, "fault plugin: fidelity: must be signal, network, process, host, zone, region or data"},
		{object{"run": []string{"x"}, "shell": "x"}, `fault plugin: unknown field "shell"`},
		{object{"run": []string{"/no/such/program"}}, "find command: stat /no/such/program: no such file or directory"},
	} {
		target, err := plugin.Kinds().Decode(faulttest.Spec(t, object{"plugin": c.config}))
		if err == nil {
			_, err = target.Plan(t.Context(), fault.Ask{ID: "f1"})
		}
		if err == nil || !strings.HasPrefix(strings.Replace(err.Error(), `exec: "/no/such/program": `, "", 1), c.want) {
			t.Errorf("%v:\ngot  %v\nwant %s", c.config, err, c.want)
		}
	}
}

// injected plans and injects, and returns the undo that was saved last.
func injected(t *testing.T, target fault.Target) (json.RawMessage, error) {
	t.Helper()
	p, err := target.Plan(t.Context(), fault.Ask{ID: "f1", Limit: time.Minute, Exercise: "e1"})
	if err != nil {
		t.Fatal(err)
	}
	undo := p.Undo
	err = target.Inject(t.Context(), undo, func(u json.RawMessage) error { undo = u; return nil })
	return undo, err
}

// TestRequests shows every line that a plug-in gets in a whole life.
func TestRequests(t *testing.T) {
	path := script(t, nil)
	target := target(t, path)
	undo, err := injected(t, target)
	if err != nil {
		t.Fatal(err)
	}
	save := func(u json.RawMessage) error { undo = u; return nil }
	if seen, err := target.Confirm(t.Context(), undo); err != nil || seen != "the mark" {
		t.Errorf("confirm: %q, %v", seen, err)
	}
	for range 2 {
		if _, err := target.Revert(t.Context(), undo, save); err != nil {
			t.Error(err)
		}
	}
	if left, err := target.Residue(t.Context(), undo); err != nil || len(left) > 0 {
		t.Errorf("residue: %v, %v", left, err)
	}
	const want = `{"version":1,"do":"plan","id":"f1","exercise":"e1","limit":"1m0s","config":{"a":1}}
{"version":1,"do":"confirm","id":"f1","exercise":"e1","config":{"a":1},"undo":{"step":1}}
{"version":1,"do":"inject","id":"f1","exercise":"e1","config":{"a":1},"undo":{"step":1}}
{"version":1,"do":"confirm","id":"f1","exercise":"e1","config":{"a":1},"undo":{"step":2}}
{"version":1,"do":"revert","id":"f1","exercise":"e1","config":{"a":1},"undo":{"step":2}}
{"version":1,"do":"revert","id":"f1","exercise":"e1","config":{"a":1},"undo":{"step":2},"again":true}
{"version":1,"do":"residue","id":"f1","exercise":"e1","config":{"a":1},"undo":{"step":2}}
`
	if got := requests(t, path); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// TestDiesHalfWay is taken back with the undo of the plan, because there is no later one.
func TestDiesHalfWay(t *testing.T) {
	path := script(t, map[plugin.Verb]string{plugin.DoInject: `touch "$0.mark"; kill -9 $$`})
	target := target(t, path)
	undo, err := injected(t, target)
	if err == nil || err.Error() != path+": exit 137" {
		t.Errorf("inject: %v", err)
	}
	if !there(path + ".mark") {
		t.Fatal("it did not get half way")
	}
	out, err := target.Revert(t.Context(), undo, func(json.RawMessage) error { return nil })
	if err != nil || len(out.Superseded) > 0 || there(path+".mark") {
		t.Errorf("revert: %+v, %v", out, err)
	}
	if log := requests(t, path); !strings.Contains(log, `"do":"revert","id":"f1","exercise":"e1","config":{"a":1},"undo":{"step":1}`) {
		t.Error(log)
	}
}

// TestSaysHalfWay keeps the undo of an injection that reports an error.
func TestSaysHalfWay(t *testing.T) {
	path := script(t, map[plugin.Verb]string{plugin.DoInject: `touch "$0.mark"; echo '{"error": "one of two", "undo": {"step": 7}}'`})
	target := target(t, path)
	undo, err := injected(t, target)
	if err == nil || err.Error() != path+": the plug-in says: one of two" {
		t.Errorf("inject: %v", err)
	}
	if _, err := target.Revert(t.Context(), undo, func(json.RawMessage) error { return nil }); err != nil {
		t.Error(err)
	}
	if log := requests(t, path); !strings.Contains(log, `"do":"revert","id":"f1","exercise":"e1","config":{"a":1},"undo":{"step":7}`) {
		t.Error(log)
	}
}

// TestHangs ends a plug-in that does not answer, with all that it started, and takes the fault back.
func TestHangs(t *testing.T) {
	path := script(t, map[plugin.Verb]string{plugin.DoInject: `touch "$0.mark"; (trap '' TERM; while :; do sleep 600; done) & sleep 600`})
	target := target(t, path)
	p, err := target.Plan(t.Context(), fault.Ask{ID: "f1"})
	if err != nil {
		t.Fatal(err)
	}
	undo := p.Undo
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for !there(path+".mark") && t.Context().Err() == nil {
			time.Sleep(time.Millisecond)
		}
		cancel() // the fault is to end
	}()
	began := time.Now()
	if err := target.Inject(ctx, undo, func(u json.RawMessage) error { undo = u; return nil }); err == nil {
		t.Error("a plug-in that hangs has injected")
	}
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("it took %s to end it", took)
	}
	var u struct{ Group struct{ PID int } }
	if err := json.Unmarshal(undo, &u); err != nil || u.Group.PID < 2 {
		t.Fatalf("group %d, %v", u.Group.PID, err)
	}
	ps, err := exec.Command("ps", "-A", "-o", "pgid=,stat=,args=").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(ps)) {
		if f := strings.Fields(line); f[0] == strconv.Itoa(u.Group.PID) && !strings.HasPrefix(f[1], "Z") {
			t.Errorf("something of it still runs: %s", line)
		}
	}
	if _, err := target.Revert(t.Context(), undo, func(json.RawMessage) error { return nil }); err != nil || there(path+".mark") {
		t.Errorf("revert: %v", err)
	}
}

// TestOutlivesItsHolder ends an injection that is still at work when another process takes the fault back.
func TestOutlivesItsHolder(t *testing.T) {
	path := script(t, map[plugin.Verb]string{plugin.DoInject: `touch "$0.begun"; sleep 1; touch "$0.mark"; echo '{}'`})
	first := target(t, path)
	p, err := first.Plan(t.Context(), fault.Ask{ID: "f1"})
	if err != nil {
		t.Fatal(err)
	}
	saved := make(chan json.RawMessage, 4)
	done := make(chan error, 1)
	go func() {
		done <- first.Inject(context.Background(), p.Undo, func(u json.RawMessage) error { saved <- u; return nil })
	}()
	undo := <-saved
	for end := time.Now().Add(10 * time.Second); !there(path + ".begun"); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the injection never began")
		}
	}
	// From here on this test is the reaper: the undo is all that it knows.
	reaper := target(t, path)
	if _, err := reaper.Revert(t.Context(), undo, func(json.RawMessage) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err == nil {
		t.Error("the injection was not ended")
	}
	if there(path + ".mark") {
		t.Error("the injection went on after its revert")
	}
}

// TestBlindPlugin is never confirmed, so that an exercise with it is invalid.
func TestBlindPlugin(t *testing.T) {
	path := script(t, map[plugin.Verb]string{plugin.DoInject: `echo '{}'`})
	target := target(t, path)
	undo, err := injected(t, target)
	if err != nil {
		t.Fatal(err)
	}
	if seen, err := target.Confirm(t.Context(), undo); err == nil || err.Error() != path+" does not see the fault" {
		t.Errorf("confirm: %q, %v", seen, err)
	}
}

// TestOneShot has nothing to take back, so that its plug-in is not asked to.
func TestOneShot(t *testing.T) {
	path := script(t, map[plugin.Verb]string{plugin.DoPlan: `echo '{"target": "mark", "class": "one-shot", "changes": ["make a mark"]}'`})
	target := target(t, path)
	undo, err := injected(t, target)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := target.Revert(t.Context(), undo, nil); err != nil {
		t.Error(err)
	}
	if left, err := target.Residue(t.Context(), undo); err != nil || len(left) > 0 {
		t.Errorf("residue: %v, %v", left, err)
	}
	if log := requests(t, path); strings.Contains(log, "revert") || strings.Contains(log, "residue") {
		t.Error(log)
	}
}
