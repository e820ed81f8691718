package calendar

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func must(t testing.TB, text string) Hours {
	t.Helper()
	h, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"Mon-Fri 09:00-17:00; Sat-Sun 10:00-14:00 America/Los_Angeles": "Mon-Fri 09:00-17:00; Sat-Sun 10:00-14:00 America/Los_Angeles",
		"on-call":                            "on-call",
		" On-Call ":                          "on-call",
		"daily 02:00-03:00 UTC":              "daily 02:00-03:00 UTC",
		"02:00-03:00":                        "daily 02:00-03:00",
		"Mon,Wed 9:00-12:00,13:00-17:30":     "Mon,Wed 09:00-12:00; Mon,Wed 13:00-17:30",
		"Fri-Mon 22:00-06:00 Europe/Berlin":  "Mon,Fri-Sun 22:00-06:00 Europe/Berlin",
		"monday-friday 00:00-24:00":          "Mon-Fri 00:00-24:00",
		"Sat 18:00-00:00":                    "Sat 18:00-00:00",
		"Mon-Wed,Fri 08:00-09:00 Asia/Tokyo": "Mon-Wed,Fri 08:00-09:00 Asia/Tokyo",
	} {
		h := must(t, text)
		if h.String() != want || h.Text != text {
			t.Errorf("Parse(%q) = %q with text %q, want %q", text, h.String(), h.Text, want)
		}
	}
}

func TestParseSaysWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   "hours are empty",
		"Mon-Fri":                            `"Mon-Fri" has no times`,
		"Mon-Fry 09:00-17:00":                `"Fry" is not a day (Mon, Tue, Wed, Thu, Fri, Sat, Sun)`,
		"9 - 5, M - F":                       `"9 - 5, M - F" is not days and times`,
		"Mon 9-17":                           `"9" is not a time of day like 09:00`,
		"Mon 09:00-25:00":                    `"25:00" is not between 00:00 and 24:00`,
		"Mon 09:60-17:00":                    `"09:60" is not between 00:00 and 24:00`,
		"Mon 09:00-09:00":                    `"09:00-09:00" begins and ends at the same time (the whole day is 00:00-24:00)`,
		"Mon 24:00-09:00":                    `a span cannot begin at 24:00 in "24:00-09:00"`,
		"Mon 09:00":                          `"09:00" is not a span of time`,
		"Mon,Mon 09:00-10:00":                `Mon is named twice in "Mon,Mon"`,
		"Mon 09:00-10:00 Mars/Olympus":       `unknown time zone "Mars/Olympus"`,
		"Mon 09:00-10:00 PST":                `unknown time zone "PST"`,
		"Mon 09:00-10:00 Local":              "time zone Local is not the same on every machine",
		"Mon 09:00-10:00 UTC; Tue 1:00-2:00": `time zone "UTC" must come last, it is for all spans`,
		"Mon 09:00-10:00;":                   "a span is empty",
		strings.Repeat("x", 401):             "hours are longer than 400 characters",
	} {
		_, err := Parse(text)
		if err == nil || err.Error() != want+"; write for example "+Example {
			t.Errorf("Parse(%q) gives %v, want %s", text, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"on-call", "Mon-Fri 09:00-17:00; Sat 10:00-14:00 UTC", "daily 22:00-06:00", "Mon 1:00-2:00,3:00-4:00 Europe/Rome", "9 - 5, M - F"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, err := Parse(text)
		if err != nil {
			if !strings.HasSuffix(err.Error(), Example) {
				t.Fatalf("the error shows no example: %v", err)
			}
			return
		}
		again, err := Parse(h.String())
		if err != nil {
			t.Fatalf("%q is written as %q, which is not read: %v", text, h.String(), err)
		}
		again.Text = h.Text
		if !reflect.DeepEqual(h, again) {
			t.Fatalf("%q becomes another calendar when written and read: %+v, %+v", text, h, again)
		}
	})
}

func TestOpen(t *testing.T) {
	tests := []struct {
		hours, at string
		open      bool
	}{
		{"Mon-Fri 09:00-17:00", "2024-01-15T09:00:00Z", true},
		{"Mon-Fri 09:00-17:00", "2024-01-15T16:59:59Z", true},
		{"Mon-Fri 09:00-17:00", "2024-01-15T17:00:00Z", false},
		{"Mon-Fri 09:00-17:00", "2024-01-14T12:00:00Z", false},
		{"Mon 22:00-06:00", "2024-01-16T05:59:00Z", true},  // Tuesday morning belongs to Monday's span
		{"Mon 22:00-06:00", "2024-01-15T05:59:00Z", false}, // Monday morning belongs to Sunday's, which has none
		{"Mon 18:00-00:00", "2024-01-15T23:59:00Z", true},
		{"Mon 18:00-00:00", "2024-01-16T00:00:00Z", false},
		{"Mon 09:00-17:00 America/Los_Angeles", "2024-01-15T16:59:00Z", false},
		{"Mon 09:00-17:00 America/Los_Angeles", "2024-01-15T17:00:00Z", true},
		{"Mon 09:00-17:00 America/Los_Angeles", "2024-07-15T16:00:00Z", true}, // summer time
		{"on-call", "2024-12-25T03:00:00Z", true},
	}
	for _, tt := range tests {
		at, err := time.Parse(time.RFC3339, tt.at)
		if err != nil {
			t.Fatal(err)
		}
		if open, err := must(t, tt.hours).Open(at); err != nil || open != tt.open {
			t.Errorf("%s at %s: open %v (%v), want %v", tt.hours, tt.at, open, err, tt.open)
		}
	}
	if _, err := (Hours{Zone: "Nowhere/Land"}).Open(time.Unix(0, 0)); err == nil {
		t.Error("an unknown zone is no error")
	}
}

func TestUncoveredInWords(t *testing.T) {
	monday := time.Date(2024, 1, 15, 0, 0, 0, 0, time.UTC)
	tests := []struct {
		hours []string
		zone  string
		want  string
		total time.Duration
	}{
		{
			[]string{"Mon-Fri 09:00-17:00", "Mon-Fri 09:00-17:00; Sat-Sun 10:00-14:00"},
			"",
			"Mon-Thu 17:00-09:00, Fri 17:00-10:00, Sat 14:00-10:00, Sun 14:00-09:00", 120 * time.Hour,
		},
		{[]string{"on-call"}, "", "never", 0},
		{nil, "", "at any time", 168 * time.Hour},
		{[]string{"daily 02:00-03:00"}, "", "daily 03:00-02:00", 161 * time.Hour},
		{[]string{"Mon-Fri 09:00-17:00"}, "", "Mon-Thu 17:00-09:00, Fri 17:00 to Mon 09:00", 128 * time.Hour},
		{[]string{"Mon-Sat 00:00-24:00"}, "", "Sun 00:00-24:00", 24 * time.Hour},
		{[]string{"daily 09:00-21:00 Europe/Berlin", "daily 21:00-09:00 Europe/Berlin"}, "Europe/Berlin", "never", 0},
	}
	for _, tt := range tests {
		var hours []Hours
		for _, text := range tt.hours {
			hours = append(hours, must(t, text))
		}
		gaps, err := Uncovered(hours, tt.zone, monday)
		if err != nil {
			t.Fatal(err)
		}
		if got := Wording(gaps); got != tt.want || Total(gaps) != tt.total {
			t.Errorf("%v leaves %s (%s), want %s (%s)", tt.hours, got, Total(gaps), tt.want, tt.total)
		}
	}
}

func TestTheWeekInWhichTheClocksChange(t *testing.T) {
	night := must(t, "daily 01:00-04:00 America/Los_Angeles")
	loc, _ := night.Location()
	for _, day := range []string{"2024-03-04", "2024-03-11", "2024-11-03"} {
		start, err := time.ParseInLocation("2006-01-02", day, loc)
		if err != nil {
			t.Fatal(err)
		}
		gaps, err := Uncovered([]Hours{night}, night.Zone, start)
		if err != nil {
			t.Fatal(err)
		}
		week := start.AddDate(0, 0, 7).Sub(start)
		open := week - Total(gaps)
		want := 21 * time.Hour
		switch week {
		case 167 * time.Hour:
			want = 20 * time.Hour // the hour from 02:00 to 03:00 does not exist on one day
		case 169 * time.Hour:
			want = 22 * time.Hour // the hour from 01:00 to 02:00 happens twice on one day
		}
		if open != want {
			t.Errorf("week of %s (%s): open for %s, want %s", day, week, open, want)
		}
	}
}

// hoursText draws a calendar that Parse accepts.
func hoursText(rt *rapid.T) string {
	var spans []string
	for range rapid.IntRange(1, 3).Draw(rt, "spans") {
		days := rapid.SampledFrom([]string{"daily", "Mon-Fri", "Sat,Sun", "Wed", "Fri-Mon"}).Draw(rt, "days")
		from := rapid.IntRange(0, 1439).Draw(rt, "from")
		until := rapid.IntRange(0, 1440).Filter(func(u int) bool { return u != from }).Draw(rt, "until")
		spans = append(spans, days+" "+clockText(from)+"-"+clockText(until))
	}
	zone := rapid.SampledFrom([]string{"", " UTC", " America/Los_Angeles", " Australia/Lord_Howe", " Asia/Kathmandu"}).Draw(rt, "zone")
	return strings.Join(spans, "; ") + zone
}

// Minute by minute is the truth; the fast arithmetic must agree with it, clock changes included.
func TestUncoveredAgreesWithTheMinutes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var hours []Hours
		for range rapid.IntRange(0, 2).Draw(rt, "calendars") {
			hours = append(hours, must(t, hoursText(rt)))
		}
		zone := rapid.SampledFrom([]string{"", "America/Los_Angeles", "Australia/Lord_Howe"}).Draw(rt, "zone")
		start := time.Unix(rapid.Int64Range(1_700_000_000, 1_735_000_000).Draw(rt, "week"), 0)
		gaps, err := Uncovered(hours, zone, start)
		if err != nil {
			rt.Fatal(err)
		}
		loc, _ := location(zone)
		local := start.In(loc)
		begin := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, loc)
		end := begin.AddDate(0, 0, 7)
		for at := begin; at.Before(end); at = at.Add(7 * time.Minute) {
			open := false
			for _, h := range hours {
				is, err := h.Open(at)
				if err != nil {
					rt.Fatal(err)
				}
				open = open || is
			}
			inGap := false
			for _, g := range gaps {
				inGap = inGap || !at.Before(g.From) && at.Before(g.Until)
			}
			if open == inGap {
				rt.Fatalf("at %s open is %v, and a gap says the opposite", at, open)
			}
		}
	})
}

func TestNextOpen(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := must(t, hoursText(rt))
		at := time.Unix(rapid.Int64Range(1_700_000_000, 1_735_000_000).Draw(rt, "at"), 0)
		next, ok, err := h.NextOpen(at)
		if err != nil || !ok {
			rt.Fatalf("%s never opens (%v)", h, err)
		}
		if open, _ := h.Open(next); !open || next.Before(at) {
			rt.Fatalf("%s is not open at %s", h, next)
		}
		if before := next.Add(-time.Nanosecond); !before.Before(at) {
			if open, _ := h.Open(before); open {
				rt.Fatalf("%s was open before %s", h, next)
			}
		}
	})
}
