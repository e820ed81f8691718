package faulttest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/hold"
)

// seedVar names the seed of the random kills, to repeat them; roundsVar how many there are of each rig; timesVar a file to which each
// time from kill to gone is added: with it nothing else is tried.
const (
	seedVar   = "BELAY_SEED"
	roundsVar = "BELAY_KILLS"
	timesVar  = "BELAY_KILL_TIMES"
)

// KillTime is one line of that file: how long after a kill the effect was gone.
type KillTime struct {
	Rig string `json:"rig"`
	// Mechanism is how the fault is made, and By what took it back: the kernel, the end of the pipe, the reaper or a sweep.
	Mechanism string  `json:"mechanism"`
	By        string  `json:"by"`
	Killed    string  `json:"killed"`
	Ms        float64 `json:"ms"`
}

// random kills runner, holder and reaper in any combination, at random points and at random times, and looks that nothing is left.
func random(t *testing.T, rig func(testing.TB) Rig) {
	rounds := 4
	if os.Getenv("BELAY_TORTURE") != "" {
		rounds = 40
	}
	if n, err := strconv.Atoi(os.Getenv(roundsVar)); err == nil {
		rounds = n
	}
	seed := uint64(time.Now().UnixNano())
	if s, err := strconv.ParseUint(os.Getenv(seedVar), 10, 64); err == nil {
		seed = s
	}
	for n := range rounds {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			t.Logf("%s=%d repeats this", seedVar, seed)
			randomKill(t, rig(t), rand.New(rand.NewPCG(seed, uint64(n))))
		})
	}
}

// victims chooses who is killed. The three are in the order in which they are killed.
func victims(r *rand.Rand) []string {
	all := []string{"runner", "holder", "reaper"}
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:1+r.IntN(len(all))]
}

func randomKill(t *testing.T, rig Rig, r *rand.Rand) {
	dir := stateDir(t)
	who := victims(r)
	point, wait := "", time.Duration(0)
	if r.IntN(2) == 0 {
		point = points[r.IntN(len(points))]
	} else {
		wait = time.Duration(r.Int64N(int64(400*time.Millisecond + rig.Within/10)))
	}
	t.Logf("kill %v at %q after %s", who, point, wait)
	x := start(t, dir, request(rig), point)
	switch {
	case point == "reverting" || point == "reverted" || point == "settled":
		x.held()
		x.signal("holder", 15)
		x.reached()
	case point != "":
		x.reached()
	default:
		time.Sleep(wait)
	}
	broken := rig.Broken()
	killed := x.killEach(who)
	if point != "" && !has(who, "holder") {
		x.goOn()
	}
	if has(who, "holder") || has(who, "runner") {
		x.over(rig, dir, who, broken, killed)
	}
	// Whoever still lives is ended as a user would end it, and what all three left is for the next command.
	x.kill("runner")
	<-x.exited
	x.clean(rig, dir)
}

func has(who []string, one string) bool {
	for _, w := range who {
		if w == one {
			return true
		}
	}
	return false
}

// killEach returns when the first was killed. It kills without giving anybody the time to help another. Who is frozen cannot see the others die.
func (x *run) killEach(who []string) (began time.Time) {
	pids := map[string]int{}
	for _, w := range who {
		pids[w] = x.pid(w)
	}
	if len(who) > 1 {
		for _, w := range who {
			x.signal(w, 19)
		}
	}
	began = time.Now()
	for _, w := range who {
		x.kill(w)
	}
	for _, w := range who {
		x.until("the "+w+" is gone", 5*time.Second, func() bool { return !runs(pids[w]) })
	}
	return began
}

// over waits for the end of the effect that a kill must bring about, and notes how long it took.
func (x *run) over(rig Rig, dir string, who []string, broken bool, killed time.Time) {
	x.t.Helper()
	if !broken || rig.OneShot {
		return
	}
	by := "reaper"
	switch {
	case has(who, "holder") && rig.KernelEnds:
		by = "kernel"
	case !has(who, "holder"):
		by = "end of the pipe"
	case len(who) == 3:
		return // the next command sweeps
	case has(who, "reaper"):
		by = "runner"
	}
	x.until("the effect is gone", rig.within()+2*time.Second, func() bool { return !rig.Broken() })
	note(x.t, KillTime{Rig: x.t.Name(), Mechanism: mechanism(dir), By: by, Killed: strings.Join(who, "+"), Ms: float64(time.Since(killed).Microseconds()) / 1000})
}

// mechanism is what the record says.
func mechanism(dir string) string {
	st, _, _ := hold.Find(dir, "f1")
	return st.Mechanism
}

// clean waits until the record says that the fault is over, and looks for what is left.
func (x *run) clean(rig Rig, dir string) {
	x.t.Helper()
	var st fault.Status
	var found bool
	x.until("the fault is over", rig.within()+2*time.Second, func() bool {
		if _, err := hold.Sweep(x.t.Context(), rig.Kinds, dir); err != nil {
			x.t.Logf("sweep: %v", err)
		}
		st, found, _ = hold.Find(dir, "f1")
		return found && ended(st.State) || !found && x.pid("holder") == 0
	})
	if len(st.Residue) > 0 || len(st.Kept) > 0 {
		x.t.Errorf("left behind: %v %v", st.Residue, st.Kept)
	}
	if broken := rig.Broken(); broken != (rig.OneShot && st.State == fault.Ended) {
		x.t.Errorf("state %q, and broken is %v", st.State, broken)
	}
	if target, err := rig.Kinds.Decode(rig.Spec); err == nil && found {
		x.residue(target, dir)
	}
}

// residue asks the target itself once more, with the undo that was saved last.
func (x *run) residue(target fault.Target, dir string) {
	b, err := os.ReadFile(dir + "/f1.json")
	if err != nil {
		x.t.Fatal(err)
	}
	var rec struct {
		Undo json.RawMessage `json:"undo"`
	}
	if err := json.Unmarshal(b, &rec); err != nil {
		x.t.Fatal(err)
	}
	if left, err := target.Residue(x.t.Context(), rec.Undo); err != nil || len(left) > 0 {
		x.t.Errorf("residue: %v, %v", left, err)
	}
}

// note adds a line to the file of times, if one is asked for.
func note(t testing.TB, k KillTime) {
	t.Logf("%s, by the %s: gone after %.1f ms", k.Mechanism, k.By, k.Ms)
	path := os.Getenv(timesVar)
	if path == "" {
		return
	}
	b, err := json.Marshal(k)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(f, "%s\n", b); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
