package playbook_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/belay-dr/belay/playbook"
)

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"12h": 12 * time.Hour, "90s": 90 * time.Second, "1h30m": 90 * time.Minute, "7d": 168 * time.Hour, "2w": 336 * time.Hour,
		"250ms": 250 * time.Millisecond, "0s": 0, "1.5h": 90 * time.Minute, "1w2d3h4m5s6ms": 219*time.Hour + 4*time.Minute + 5*time.Second + 6*time.Millisecond,
		"0.000001ms": time.Nanosecond,
	} {
		got, err := playbook.ParseDuration(text)
		if err != nil || got.D() != want {
			t.Errorf("%s: got %v (%v), want %v", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"": "not a length of time", "12": "needs a unit", "0": "needs a unit", "h": "not a length of time", "12 h": "not a length of time",
		"-1h": "cannot be negative", "1m1h": "longest to the shortest", "1h1h": "longest to the shortest", "1.h": "not a length of time", "1..5h": "not a length of time",
		"12y": "not a length of time", "99999w": "over 292 years", "15000w15000w": "longest to the shortest", "15250w400000h": "over 292 years",
		"0.0000001ms": "finer than a nanosecond", "1h30": "needs a unit", "1e3s": "not a length of time", "٣h": "not a length of time", "1H": "not a length of time",
	} {
		if got, err := playbook.ParseDuration(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, %v, want %q", text, got, err, want)
		}
	}
}

func TestDurationIsWrittenAsPeopleDo(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 24 * time.Hour: "24h", 48 * time.Hour: "2d", 168 * time.Hour: "7d", 90 * time.Minute: "1h30m", 1500 * time.Millisecond: "1s500ms",
		time.Microsecond: "0.001ms", time.Millisecond + 1: "1.000001ms", -time.Hour: "-1h", 36 * time.Hour: "36h", math.MinInt64: "-2562047h47m16s854.775808ms",
	} {
		if got := playbook.Duration(d).String(); got != want {
			t.Errorf("%d: got %s, want %s", d, got, want)
		}
	}
}

func TestDurationRoundTrip(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		unit := rapid.SampledFrom([]int64{1, 1e3, 1e6, 1e9, 6e10, 36e11, 864e11}).Draw(r, "unit")
		want := playbook.Duration(rapid.Int64Range(0, math.MaxInt64/unit).Draw(r, "count") * unit)
		text, err := json.Marshal(want)
		if err != nil {
			r.Fatal(err)
		}
		var got playbook.Duration
		if err := json.Unmarshal(text, &got); err != nil || got != want {
			r.Fatalf("%d was written as %s and read as %d (%v)", want, text, got, err)
		}
		if string(text) != `"`+want.String()+`"` {
			r.Fatalf("JSON is %s, text is %s", text, want)
		}
	})
}

func FuzzDuration(f *testing.F) {
	for _, seed := range []string{"12h", "1h30m", "0s", "-1s", "1.5d", "99999999999999999999w", "1w1w", "ms", "0.000001ms"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := playbook.ParseDuration(text)
		if err != nil {
			return
		}
		if d < 0 {
			t.Fatalf("%q is negative: %d", text, d)
		}
		if again, err := playbook.ParseDuration(d.String()); err != nil || again != d {
			t.Fatalf("%q is %d, written as %s and read as %d (%v)", text, d, d, again, err)
		}
	})
}
