package probe

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/belay-dr/belay/internal/clock"
	"github.com/belay-dr/belay/measure"
)

const ms = time.Millisecond

// slow answers after a while, or not before the deadline.
type slow struct {
	takes  func(n int) time.Duration
	asked  atomic.Int64
	flying atomic.Int64
	most   atomic.Int64
}

func (s *slow) Probe(ctx context.Context) Answer {
	s.most.Store(max(s.most.Load(), s.flying.Add(1)))
	defer s.flying.Add(-1)
	select {
	case <-time.After(s.takes(int(s.asked.Add(1) - 1))):
		return Answer{Outcome: measure.OK}
	case <-ctx.Done():
		return answer(ctx, ctx.Err())
	}
}

// watch runs a watcher for a while in fake time and returns its samples in the order of their numbers.
func watch(t *testing.T, w Watcher, p Prober, length time.Duration) []measure.Sample {
	var samples []measure.Sample
	w.Sink = func(target string, s measure.Sample) {
		if target != "books" {
			t.Errorf("a sample of %q", target)
		}
		samples = append(samples, s)
	}
	w.Origin = w.Clock.Boot()
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	w.Run(ctx, []Target{{Name: "books", Prober: p}})
	slices.SortFunc(samples, func(a, b measure.Sample) int { return a.Seq - b.Seq })
	return samples
}

// A service that becomes slow does not stretch the schedule: every probe starts when it was planned (no coordinated omission).
func TestWatchKeepsItsPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &slow{takes: func(n int) time.Duration {
			if n >= 10 && n < 30 {
				return time.Hour
			}
			return 20 * ms
		}}
		pace := measure.Pace{Period: 100 * ms, Timeout: 450 * ms}
		samples := watch(t, Watcher{Clock: clock.Bubble{}, Pace: pace}, p, 5*time.Second-ms)
		if len(samples) != 50 {
			t.Fatalf("%d samples, want 50", len(samples))
		}
		for i, s := range samples {
			want := measure.Sample{Seq: i, Start: time.Duration(i) * 100 * ms, End: time.Duration(i)*100*ms + 20*ms, Outcome: measure.OK}
			if i >= 10 && i < 30 {
				want.End, want.Outcome, want.Reason = want.Start+450*ms, measure.Fail, "timeout"
			}
			if s != want {
				t.Errorf("sample %d: %+v, want %+v", i, s, want)
			}
		}
		if most := p.most.Load(); most != 5 {
			t.Errorf("%d probes in flight at most, want 5", most)
		}
	})
}

// What is in flight when the watch ends is waited for, and is a sample like any other.
func TestWatchDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &slow{takes: func(int) time.Duration { return 300 * ms }}
		pace := measure.Pace{Period: 100 * ms, Timeout: 400 * ms}
		began := time.Now()
		samples := watch(t, Watcher{Clock: clock.Bubble{}, Pace: pace}, p, 250*ms)
		if len(samples) != 3 || p.flying.Load() != 0 {
			t.Fatalf("%d samples, %d in flight", len(samples), p.flying.Load())
		}
		for _, s := range samples {
			if s.Outcome != measure.OK {
				t.Errorf("%+v: the end of the watch must not fail a probe", s)
			}
		}
		if took := time.Since(began); took != 500*ms {
			t.Errorf("ended after %v, want 500ms", took)
		}
	})
}

func TestWatchBoundsWhatIsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &slow{takes: func(int) time.Duration { return time.Hour }}
		pace := measure.Pace{Period: 100 * ms, Timeout: time.Second}
		samples := watch(t, Watcher{Clock: clock.Bubble{}, Pace: pace, InFlight: 3, FirstSeq: 7}, p, 950*ms)
		var outcomes []string
		for i, s := range samples {
			outcomes = append(outcomes, string(s.Outcome))
			if s.Seq != 7+i || s.Outcome == measure.Void && s.Reason != "too many probes in flight" {
				t.Errorf("sample %d: %+v", i, s)
			}
		}
		if got := strings.Join(outcomes, " "); got != "fail fail fail void void void void void void void" {
			t.Error(got)
		}
	})
}

// sleepy is a clock whose machine slept: Boot jumps, timers do not notice.
type sleepy struct {
	clock.Bubble
	mu    sync.Mutex
	slept time.Duration
}

func (c *sleepy) sleep(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slept += d
}

func (c *sleepy) Boot() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.Bubble.Boot() + c.slept
}

func TestWatchReportsThatItSlept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clk := &sleepy{}
		time.AfterFunc(1050*ms, func() { clk.sleep(time.Minute) })
		var gaps []measure.Gap
		w := Watcher{Clock: clk, Pace: measure.Pace{Period: 100 * ms, Timeout: 80 * ms}, OnGap: func(g measure.Gap) { gaps = append(gaps, g) }}
		samples := watch(t, w, &slow{takes: func(int) time.Duration { return 70 * ms }}, 2*time.Second-ms)
		if len(gaps) != 1 || gaps[0].From > 1050*ms || gaps[0].Until < time.Minute+1050*ms || gaps[0].Until-gaps[0].From > time.Minute+150*ms {
			t.Fatalf("gaps %v", gaps)
		}
		for _, s := range samples {
			if s.Start > 1100*ms && s.Start < time.Minute {
				t.Errorf("a sample while asleep: %+v", s)
			}
			if s.Start > time.Minute && (s.Start%(100*ms) > ms) && s.Start > time.Minute+1200*ms {
				t.Errorf("the schedule shifted: %+v", s)
			}
		}
		if n := len(samples); n < 20 || n > 21 || samples[n-1].Seq != n-1 {
			t.Errorf("%d samples, the last is %+v", n, samples[n-1])
		}
	})
}

// A short delay of the observer costs void samples, not a gap.
func TestWatchIsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clk := &sleepy{}
		time.AfterFunc(1050*ms, func() { clk.sleep(230 * ms) })
		w := Watcher{Clock: clk, Pace: measure.Pace{Period: 100 * ms, Timeout: 80 * ms}, OnGap: func(g measure.Gap) { t.Errorf("gap %v", g) }}
		samples := watch(t, w, &slow{takes: func(int) time.Duration { return 10 * ms }}, 2*time.Second-ms)
		voids := 0
		for i, s := range samples {
			if s.Seq != i {
				t.Errorf("sample %d has number %d", i, s.Seq)
			}
			if s.Outcome == measure.Void {
				voids++
				if !strings.Contains(s.Reason, "late") {
					t.Error(s.Reason)
				}
			}
		}
		if voids != 2 {
			t.Errorf("%d void samples, want 2", voids)
		}
	})
}

// A real server that goes down and comes back: the true outage, as the server itself saw it, lies within the bounds.
func TestWatchARealServer(t *testing.T) {
	defer goleak.VerifyNone(t)
	clk := clock.System{}
	origin := clk.Boot()
	var down atomic.Int32 // 0 up, then the ways to be down
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch down.Load() {
		case 1:
			http.Error(w, "down", http.StatusServiceUnavailable)
		case 2:
			<-r.Context().Done()
		case 3:
			panic(http.ErrAbortHandler)
		case 4:
			w.Write([]byte(`{"cdn": "secondary"}`))
		default:
			w.Write([]byte(`{"cdn": "primary"}`))
		}
	}))
	defer server.Close()
	p := decode(t, "probe", "http", `{"url": "%s", "expect": {"json": {"$.cdn": "primary"}, "identity": "$.cdn"}}`, server.URL)
	pace := measure.Pace{Period: 40 * ms, Timeout: 500 * ms}
	var live *measure.Tracker // from the moment it goes down
	var baseline []measure.Sample
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var started, stopped, back [2]time.Duration
	good := 0
	identities := map[string]bool{}
	gaps := Watch(ctx, clk, origin, []Target{{"cdn", p}}, pace, func(_ string, s measure.Sample) {
		identities[s.Identity] = true
		if s.Outcome == measure.OK {
			good++
		}
		if good == 5 && started[0] == 0 { // the change lies between the two times
			started[0] = clk.Boot() - origin
			down.Store(1)
			started[1] = clk.Boot() - origin
			live = measure.NewTracker(pace, started[0])
			for _, b := range baseline {
				live.Feed(b)
			}
		}
		if live == nil {
			baseline = append(baseline, s)
			return
		}
		switch {
		case stopped[1] != 0:
		case s.Outcome == measure.Fail && down.Load() < 4:
			down.Add(1)
		case s.Identity == "secondary":
			stopped[0] = clk.Boot() - origin
			down.Store(0)
			stopped[1] = clk.Boot() - origin
		}
		for _, e := range live.Feed(s) {
			if e.Kind == measure.EdgeStable {
				back[0] = e.At
				cancel()
			}
		}
	})
	for _, g := range gaps {
		live.Gap(g)
	}
	if back[0] == 0 {
		t.Fatal(errors.New("never stable"))
	}
	r := live.Report(clk.Boot() - origin)
	least, most := stopped[0]-started[1], stopped[1]-started[0]
	if r.Bounds.Censored || r.Bounds.Lower > most || r.Bounds.Upper < least {
		t.Errorf("true outage [%v, %v] is not within %+v", least, most, r.Bounds)
	}
	if !identities["primary"] || !identities["secondary"] {
		t.Errorf("identities %v", identities)
	}
}
