package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	machine "github.com/belay-dr/belay/exercise"
)

// watching makes this test binary an observer of its own: the URL and the address that must both answer.
const watching = "BELAY_E2E_WATCH"

// watch looks every few milliseconds until its input ends, and then writes the bounds of the outage in milliseconds: of what
// it saw failing, from the first to the last look, and of what it did not see in order around it.
func watch(spec string) int {
	url, address, _ := strings.Cut(spec, " ")
	over := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(over)
	}()
	fmt.Println("watching")
	var before, firstBad, lastBad, after time.Time
	for {
		select {
		case <-over:
			fmt.Printf("%d %d\n", lastBad.Sub(firstBad).Milliseconds(), after.Sub(before).Milliseconds())
			return 0
		case <-time.After(10 * time.Millisecond):
		}
		began := time.Now()
		good := answers(url, address)
		switch {
		case good && firstBad.IsZero():
			before = began // it was in order when this was sent
		case good && after.Before(lastBad):
			after = time.Now()
		case !good && firstBad.IsZero():
			firstBad, lastBad = time.Now(), began
		case !good:
			lastBad = began
		}
	}
}

// answers says whether the page is there and the address takes connections, soon enough.
func answers(url, address string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	c.Close()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.Do(req)
	if err != nil {
		return false
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	return err == nil && r.StatusCode == http.StatusOK && strings.Contains(string(body), "The Stand")
}

// newIsland is a Bookstore in a network namespace of its own, in which everything is started, also belay. Nil when there can be none.
func newIsland(t *testing.T, name string) *world {
	t.Helper()
	if !needs(t, "ip") {
		return nil
	}
	_ = exec.Command("ip", "netns", "del", name).Run() // left by a test that was killed
	command(t, "ip", "netns", "add", name)
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", name).Run() })
	command(t, "ip", "-n", name, "link", "set", "lo", "up")
	w := newWorld(t)
	w.inside = []string{"ip", "netns", "exec", name}
	t.Cleanup(func() { w.try(time.Minute, "demo", "down", "--dir", w.dir) })
	w.ok("demo", "up", "--dir", w.dir)
	w.quick()
	return w
}

// watch starts an observer inside. The function that it returns ends it, and gives the bounds of the outage that it saw.
func (w *world) watch() (bounds func() (lower, upper float64)) {
	w.t.Helper()
	self, err := os.Executable()
	must(w.t, err)
	a := w.addresses()
	argv := append(append([]string{}, w.inside...), self)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), watching+"="+a.API+"/books/ "+a.Database)
	in, err := cmd.StdinPipe()
	must(w.t, err)
	out, err := cmd.StdoutPipe()
	must(w.t, err)
	must(w.t, cmd.Start())
	w.t.Cleanup(func() { end(cmd) })
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		w.t.Fatal("the observer does not start")
	}
	return func() (lower, upper float64) {
		w.t.Helper()
		must(w.t, in.Close())
		if !lines.Scan() {
			w.t.Fatal("the observer says nothing")
		}
		if _, err := fmt.Sscan(lines.Text(), &lower, &upper); err != nil {
			w.t.Fatalf("the observer says %q: %v", lines.Text(), err)
		}
		return lower, upper
	}
}

// The API loses its database by a partition. In one exercise Belay ends it after the procedure has waited; in the other the
// fault's own limit does. Both recover by reversal, and the bounds hold what another observer saw.
func TestPartition(t *testing.T) {
	w := newIsland(t, "belay-e2e-part")
	if w == nil {
		return
	}
	partition := `{network: {partition: {to: ["${database_address}"], protocol: tcp}}}`
	for _, c := range []struct {
		scene
		limit []string
	}{
		{scene: scene{name: "released", covers: "database", by: "reversal", fault: partition, recovery: `  - {id: hold-on, text: Wait, wait: 1s}`}},
		{scene{name: "limited", covers: "database", by: "reversal", fault: partition, recovery: `  - {id: hold-on, text: Wait, wait: 5s}`}, []string{"--limit", "2500ms"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.t = t
			c.write(w)
			bounds := w.watch()
			o := w.try(time.Minute, append([]string{"exercise", "run", c.name, "--env", "staging", "--mode", "automatic", "--dir", w.dir, "--json"}, c.limit...)...)
			e := decode[exercise](w, o)
			lower, upper := bounds()
			if e.Verdict != "PASS" || e.Attribution != "reversal" || o.code != 0 {
				t.Errorf("verdict %s (%s), attribution %q, exit code %d", e.Verdict, e.Why, e.Attribution, o.code)
			}
			if e.Fault.Class != "self-ending" || e.Fault.State != "reverted" {
				t.Errorf("fault %+v", e.Fault)
			}
			if len(e.OutageMS) != 2 || e.OutageMS[0] == nil || e.OutageMS[1] == nil {
				t.Fatalf("outage %v", e.OutageMS)
			}
			t.Logf("outage [%.0f, %.0f] ms, another observer saw [%.0f, %.0f] ms", *e.OutageMS[0], *e.OutageMS[1], lower, upper)
			if lower <= 0 || upper < *e.OutageMS[0] || lower > *e.OutageMS[1] {
				t.Errorf("outage [%.0f, %.0f] ms, and another observer saw [%.0f, %.0f] ms", *e.OutageMS[0], *e.OutageMS[1], lower, upper)
			}
			w.settled()
			if left := command(t, append(append([]string{}, w.inside...), "ip", "route", "show", "table", "all", "type", "blackhole")...); left != "" {
				t.Errorf("left: %s", left)
			}
		})
	}
	t.Run("loopback", func(t *testing.T) {
		w.t = t
		// All of loopback is what the Bookstore and its probes need, but not what the runner was reached by: it is the plan that
		// has to say so.
		scene{name: "all-of-loopback", covers: "database", by: "reversal", fault: `{network: {partition: {to: ["127.0.0.0/8"]}}}`}.write(w)
		o := w.want(3, "exercise", "run", "all-of-loopback", "--env", "staging", "--mode", "automatic", "--dir", w.dir)
		if !strings.Contains(o.stderr, "loopback") {
			t.Errorf("the reason is not given:\n%s", o)
		}
		t.Log(o.stderr)
	})
}

// A partition that is lost with its holder proves nothing, also when the service is back at once; and the holder's sockets are
// nobody else's.
func TestPartitionLost(t *testing.T) {
	w := newIsland(t, "belay-e2e-lost")
	if w == nil {
		return
	}
	mark := filepath.Join(w.dir, "at-work")
	scene{name: "cut", covers: "database", fault: `{network: {partition: {to: ["${database_address}"], protocol: tcp}}}`, recovery: `  - {id: restart, shell: "sleep 30 & touch ` + mark + ` && sleep 30"}`}.write(w)
	run := w.start("exercise", "run", "cut", "--env", "staging", "--mode", "automatic", "--dir", w.dir, "--json")
	w.inPhase(run, "cut", machine.Recovering)
	w.until(waitForPhase, "the step is at work", func() bool { _, err := os.Stat(mark); return err == nil })
	w.nothingInherited(run)
	must(t, syscall.Kill(slices.Min(w.pids(holder)), syscall.SIGKILL))
	e := decode[exercise](w, run.wait(waitForPhase, 3))
	w.checkInvalid(e, "the fault was lost before the recovery (")
}
