package measure_test

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	. "github.com/belay-dr/belay/measure"
)

// stage3 is the transcript of a database failure test: a probe journal that shows the start, one-minute averages out of order, and the history
// of an alarm. It is the classic case of an outage that nobody timed.
type stage3 struct {
	Timeout  float64 `json:"probe_timeout_s"`
	Sleep    float64 `json:"probe_sleep_s"`
	Cadence  float64 `json:"working_cadence_s"`
	Probes   []struct{ At, Outcome string }
	Averages []struct {
		At   string
		Mean float64
	}
	Alarms []struct{ At, State string }
}

func loadStage3(t *testing.T) stage3 {
	t.Helper()
	b, err := os.ReadFile("testdata/stage3.json")
	if err != nil {
		t.Fatal(err)
	}
	var s stage3
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// clockTime reads 21:18, 21:18:02 or 21:20:09.620.
func clockTime(t *testing.T, text string) time.Duration {
	t.Helper()
	for _, layout := range []string{"15:04:05.000", "15:04:05", "15:04"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.Sub(at.Truncate(24 * time.Hour))
		}
	}
	t.Fatalf("%q is no time of day", text)
	return 0
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func (s stage3) averages(t *testing.T) []Average {
	var out []Average
	for _, a := range s.Averages {
		out = append(out, Average{At: clockTime(t, a.At), Mean: a.Mean})
	}
	return out
}

// samples turns the transcript into what each probe can show. The journal and the averages know when a probe ended, to the second; a failing
// one had waited for the whole timeout. Of the end we know only: a probe that failed ended within the last bad minute, and one that was
// good ended within it too.
func (s stage3) samples(t *testing.T, lastBad time.Duration, firstGood time.Duration) []Sample {
	var out []Sample
	add := func(end time.Duration, outcome Outcome) {
		start := end // a good connection takes no time that the journal could show
		if outcome == Fail {
			start -= seconds(s.Timeout)
		}
		out = append(out, Sample{Seq: len(out), Start: start, End: end, Outcome: outcome})
	}
	for _, p := range s.Probes {
		add(clockTime(t, p.At), Outcome(p.Outcome))
	}
	add(lastBad, Fail)
	for at := firstGood; at < firstGood+time.Minute; at += seconds(s.Cadence) {
		add(at, OK)
	}
	return out
}

func TestStage3Transcript(t *testing.T) {
	s := loadStage3(t)
	start, stop, coarse, down := FromAverages(s.averages(t), time.Minute)
	if want := (Bounds{Lower: 3 * time.Minute, Upper: 5 * time.Minute}); !down || coarse != want {
		t.Errorf("from the averages: %v, want %v", coarse, want)
	}
	if at := clockTime(t, "21:18"); start.After != at {
		t.Errorf("the first bad minute is %v, want %v: were they sorted?", start.After, at)
	}

	pace := Pace{Period: seconds(s.Sleep), Timeout: seconds(s.Timeout)}
	lastBad, lastSecond := stop.After, stop.Until-time.Second
	strict := Outage(s.samples(t, lastBad, lastSecond), nil, pace, stop.Until+2*time.Minute)
	if want := (Bounds{Lower: 3*time.Minute + 37*time.Second, Upper: 4*time.Minute + 57*time.Second}); strict.Bounds != want {
		t.Errorf("strictly: %v, want %v", strict.Bounds, want)
	}

	// 0.8 is four good probes of five. At the cadence of a working probe the first of the four ended three cadences before the last.
	cadence := Outage(s.samples(t, lastBad, lastSecond-3*seconds(s.Cadence)), nil, pace, stop.Until+2*time.Minute)
	if want := (Bounds{Lower: 3*time.Minute + 37*time.Second, Upper: 4*time.Minute + 24*time.Second}); cadence.Bounds != want {
		t.Errorf("with the cadence: %v, want %v", cadence.Bounds, want)
	}

	delay := strict.Start.To(clockTime(t, s.Alarms[0].At))
	if want := (Bounds{Lower: 111620 * ms, Upper: 127620 * ms}); delay != want {
		t.Errorf("the alarm came %v late, want %v", delay, want)
	}
	// The alarm lasted four minutes, which lies within the bounds by luck: both of its ends are wrong.
	raised, cleared := clockTime(t, s.Alarms[0].At), clockTime(t, s.Alarms[1].At)
	if raised <= strict.Start.Until || cleared <= strict.Stop.Until || cleared-raised != 4*time.Minute {
		t.Errorf("alarm from %v to %v, outage starts in %v and stops in %v", raised, cleared, strict.Start, strict.Stop)
	}
}
