package calendar

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Example is a text that Parse accepts; errors show it.
const Example = `"Mon-Fri 09:00-17:00; Sat,Sun 10:00-14:00 America/Los_Angeles", or "on-call"`

// longest keeps a hostile text from growing: 7 days of several spans fit easily.
const longest = 400

// dayNames are the names of the days as written, by time.Weekday.
func dayNames() [7]string { return [7]string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"} }

// Parse reads hours: spans separated by semicolons, each with its days ("Mon-Fri", "Mon,Wed" or "daily") and its times
// ("09:00-17:00"), then an IANA zone, or UTC when there is none. "on-call" means always. Without days a span is daily.
// An error says what is wrong and shows how it is written.
func Parse(text string) (Hours, error) {
	h, err := parse(text)
	if err != nil {
		return Hours{}, fmt.Errorf("%w; write for example %s", err, Example)
	}
	h.Text = text
	return h, nil
}

func parse(text string) (Hours, error) {
	trimmed := strings.TrimSpace(text)
	switch {
	case trimmed == "":
		return Hours{}, errors.New("hours are empty")
	case len(text) > longest:
		return Hours{}, fmt.Errorf("hours are longer than %d characters", longest)
	case strings.EqualFold(trimmed, "on-call"):
		return Hours{OnCall: true}, nil
	}
	var h Hours
	parts := strings.Split(trimmed, ";")
	for i, part := range parts {
		words := strings.Fields(part)
		if len(words) > 0 && isZone(words[len(words)-1]) {
			zone := words[len(words)-1]
			if i != len(parts)-1 {
				return Hours{}, fmt.Errorf("time zone %q must come last, it is for all spans", zone)
			}
			if _, err := location(zone); err != nil {
				return Hours{}, err
			}
			h.Zone, words = zone, words[:len(words)-1]
		}
		spans, err := parseSpans(words)
		if err != nil {
			return Hours{}, err
		}
		h.Spans = append(h.Spans, spans...)
	}
	return h, nil
}

// isZone says whether a word can only be meant as a time zone: it is neither a day nor a time.
func isZone(word string) bool {
	if strings.Contains(word, "/") || word == "UTC" {
		return true
	}
	if len(word) < 2 || strings.ContainsAny(word, "0123456789:,-") || strings.EqualFold(word, "daily") {
		return false
	}
	_, ok := weekday(word)
	return !ok
}

func parseSpans(words []string) ([]Span, error) {
	var days []time.Weekday
	var err error
	switch len(words) {
	case 0:
		return nil, errors.New("a span is empty")
	case 1:
		if days, err = parseDays("daily"); err != nil {
			return nil, err
		}
		if !strings.Contains(words[0], ":") {
			return nil, fmt.Errorf("%q has no times", words[0])
		}
	case 2:
		if days, err = parseDays(words[0]); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("%q is not days and times", strings.Join(words, " "))
	}
	var spans []Span
	for _, times := range strings.Split(words[len(words)-1], ",") {
		from, until, err := parseTimes(times)
		if err != nil {
			return nil, err
		}
		spans = append(spans, Span{Days: days, From: from, Until: until})
	}
	return spans, nil
}

// parseDays reads "daily", "Mon", "Mon-Fri" (which may wrap: "Sat-Mon") or a list of these separated by commas.
func parseDays(text string) ([]time.Weekday, error) {
	var seen [7]bool
	if strings.EqualFold(text, "daily") {
		text = "Mon-Sun"
	}
	for _, part := range strings.Split(text, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, ok := weekday(first)
		if !ok {
			return nil, unknownDay(first)
		}
		to, ok := weekday(last)
		if !ok {
			return nil, unknownDay(last)
		}
		for d := from; ; d = (d + 1) % 7 {
			if seen[d] {
				return nil, fmt.Errorf("%s is named twice in %q", dayNames()[d], text)
			}
			seen[d] = true
			if d == to {
				break
			}
		}
	}
	var days []time.Weekday
	for _, d := range weekFromMonday() {
		if seen[d] {
			days = append(days, d)
		}
	}
	return days, nil
}

func unknownDay(word string) error {
	return fmt.Errorf("%q is not a day (Mon, Tue, Wed, Thu, Fri, Sat, Sun)", word)
}

// weekday knows the short and the long English names, in any case.
func weekday(word string) (time.Weekday, bool) {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if strings.EqualFold(word, dayNames()[d]) || strings.EqualFold(word, d.String()) {
			return d, true
		}
	}
	return 0, false
}

func weekFromMonday() []time.Weekday {
	return []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday, time.Saturday, time.Sunday}
}

func parseTimes(text string) (from, until int, err error) {
	first, last, ok := strings.Cut(text, "-")
	if !ok {
		return 0, 0, fmt.Errorf("%q is not a span of time", text)
	}
	if from, err = parseClock(first); err != nil {
		return 0, 0, err
	}
	if until, err = parseClock(last); err != nil {
		return 0, 0, err
	}
	if from == 1440 {
		return 0, 0, fmt.Errorf("a span cannot begin at 24:00 in %q", text)
	}
	if from == until {
		return 0, 0, fmt.Errorf("%q begins and ends at the same time (the whole day is 00:00-24:00)", text)
	}
	return from, until, nil
}

func parseClock(text string) (int, error) {
	hour, minute, ok := strings.Cut(text, ":")
	h, hourErr := digits(hour)
	m, minuteErr := digits(minute)
	if !ok || hourErr != nil || minuteErr != nil || len(minute) != 2 {
		return 0, fmt.Errorf("%q is not a time of day like 09:00", text)
	}
	if m > 59 || h > 24 || h == 24 && m > 0 {
		return 0, fmt.Errorf("%q is not between 00:00 and 24:00", text)
	}
	return h*60 + m, nil
}

func digits(text string) (int, error) {
	if len(text) < 1 || len(text) > 2 || strings.Trim(text, "0123456789") != "" {
		return 0, strconv.ErrSyntax
	}
	return strconv.Atoi(text)
}

// String writes the hours in the form that Parse reads, spans in order.
func (h Hours) String() string {
	if h.OnCall {
		return "on-call"
	}
	var b strings.Builder
	for i, s := range h.Spans {
		if i > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "%s %s-%s", daysText(s.Days), clockText(s.From), clockText(s.Until))
	}
	if h.Zone != "" {
		b.WriteString(" " + h.Zone)
	}
	return b.String()
}

// daysText writes days as runs from Monday on: "Mon-Fri", "Mon,Wed", "daily".
func daysText(days []time.Weekday) string {
	if len(days) == 7 {
		return "daily"
	}
	var runs []string
	week := weekFromMonday()
	for i := 0; i < len(week); i++ {
		if !slices.Contains(days, week[i]) {
			continue
		}
		j := i
		for j+1 < len(week) && slices.Contains(days, week[j+1]) {
			j++
		}
		run := dayNames()[week[i]]
		if j > i {
			run += "-" + dayNames()[week[j]]
		}
		runs = append(runs, run)
		i = j
	}
	return strings.Join(runs, ",")
}

func clockText(minute int) string { return fmt.Sprintf("%02d:%02d", minute/60, minute%60) }
