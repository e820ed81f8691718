package term

import (
	"fmt"
	"strconv"
	"time"
)

// When shows a time: "3 minutes ago" on a terminal, RFC 3339 in a pipe.
func (p *Printer) When(t time.Time) string {
	if !p.TTY {
		return t.UTC().Format(time.RFC3339)
	}
	d := p.Now.Sub(t)
	switch {
	case d < 0:
		return "in " + ago(-d)
	case d < 5*time.Second:
		return "just now"
	default:
		return ago(d) + " ago"
	}
}

func ago(d time.Duration) string {
	count := func(n int, unit string) string {
		if n == 1 {
			return "1 " + unit
		}
		return strconv.Itoa(n) + " " + unit + "s"
	}
	switch {
	case d < time.Minute:
		return count(int(d/time.Second), "second")
	case d < time.Hour:
		return count(int(d/time.Minute), "minute")
	case d < 48*time.Hour:
		return count(int(d/time.Hour), "hour")
	default:
		return count(int(d/(24*time.Hour)), "day")
	}
}

// Duration shows a length of time in two units at most: 850 ms, 8.2 s, 4 min 10 s, 12 h, 72 h, 3 d 4 h. It rounds to
// what is shown.
func Duration(d time.Duration) string {
	if d < 0 {
		return "-" + Duration(-d)
	}
	switch {
	case d == 0:
		return "0 s"
	case d < 999500*time.Microsecond:
		return strconv.FormatInt(d.Round(time.Millisecond).Milliseconds(), 10) + " ms"
	case d < 59950*time.Millisecond:
		return strconv.FormatFloat(d.Round(100*time.Millisecond).Seconds(), 'f', -1, 64) + " s"
	case d < time.Hour-500*time.Millisecond:
		return two(d.Round(time.Second), time.Minute, "min", time.Second, "s")
	case d.Round(time.Minute) <= 72*time.Hour: // objectives are written in hours: 24 h is not made 1 d
		return two(d.Round(time.Minute), time.Hour, "h", time.Minute, "min")
	default:
		return two(d.Round(time.Hour), 24*time.Hour, "d", time.Hour, "h")
	}
}

func two(d, big time.Duration, bigName string, small time.Duration, smallName string) string {
	text := fmt.Sprintf("%d %s", d/big, bigName)
	if rest := (d % big) / small; rest > 0 {
		text += fmt.Sprintf(" %d %s", rest, smallName)
	}
	return text
}

// Bounds shows [lower, upper] of milliseconds, the interval that holds the truth; a nil upper is open.
func Bounds(lowerMS float64, upperMS *float64) string {
	lower := Duration(millis(lowerMS))
	if upperMS == nil {
		return "[" + lower + ", ∞)"
	}
	return "[" + lower + ", " + Duration(millis(*upperMS)) + "]"
}

// Millis shows milliseconds, or a dash when there are none.
func Millis(ms *float64) string {
	if ms == nil {
		return "–"
	}
	return Duration(millis(*ms))
}

func millis(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }
