package playbook

import (
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"
)

// Duration is a length of time with a unit: 12h, 90s, 1h30m, 7d, 250ms. A day has 24 hours and a week 7 days.
type Duration time.Duration

// D returns d as a time.Duration.
func (d Duration) D() time.Duration { return time.Duration(d) }

// The lengths that time.Duration does not name.
const (
	day  = 24 * time.Hour
	week = 7 * day
)

// unit is one unit of length and its sign in the text.
type unit struct {
	sign   string
	length time.Duration
}

// units lists the units from the longest to the shortest. They must appear in this order in a text.
func units() []unit {
	return []unit{{"w", week}, {"d", day}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond}}
}

// The reasons why a text is no duration.
var (
	errNoUnit      = errors.New("a length of time needs a unit")
	errNegative    = errors.New("a length of time cannot be negative")
	errTooLong     = errors.New("a length of time cannot be over 292 years")
	errNotDuration = errors.New("not a length of time")
	errUnitOrder   = errors.New("the units of a length of time go from the longest to the shortest, each once")
	errTooFine     = errors.New("a length of time cannot be finer than a nanosecond")
)

// ParseDuration reads a length of time such as 12h, 1h30m, 7d or 250ms. Units are w, d, h, m, s and ms, longest first.
// Zero needs a unit, too.
func ParseDuration(text string) (Duration, error) {
	if strings.HasPrefix(text, "-") {
		return 0, errNegative
	}
	if text == "" || len(text) > 64 {
		return 0, errNotDuration
	}
	var sum time.Duration
	rest, order := text, -1
	for rest != "" {
		number := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789."))]
		rest = rest[len(number):]
		sign := rest[:len(rest)-len(strings.TrimLeft(rest, "abcdefghijklmnopqrstuvwxyz"))]
		rest = rest[len(sign):]
		if number == "" {
			return 0, errNotDuration
		}
		if sign == "" && rest == "" {
			return 0, errNoUnit
		}
		at, length := findUnit(sign)
		if at < 0 {
			return 0, errNotDuration
		}
		if at <= order {
			return 0, errUnitOrder
		}
		order = at
		part, err := times(number, length)
		if err != nil {
			return 0, err
		}
		if sum+part < sum {
			return 0, errTooLong
		}
		sum += part
	}
	return Duration(sum), nil
}

func findUnit(sign string) (int, time.Duration) {
	for i, u := range units() {
		if u.sign == sign {
			return i, u.length
		}
	}
	return -1, 0
}

// times multiplies a decimal number with a length exactly.
func times(number string, length time.Duration) (time.Duration, error) {
	if strings.Count(number, ".") > 1 || strings.HasPrefix(number, ".") || strings.HasSuffix(number, ".") {
		return 0, errNotDuration
	}
	r, ok := new(big.Rat).SetString(number)
	if !ok {
		return 0, errNotDuration
	}
	r.Mul(r, new(big.Rat).SetInt64(int64(length)))
	if !r.IsInt() {
		return 0, errTooFine
	}
	if !r.Num().IsInt64() {
		return 0, errTooLong
	}
	return time.Duration(r.Num().Int64()), nil
}

// String writes the duration as it is written in a playbook. Whole days are written as days from two days on, so that
// 24h stays 24h and 7d stays 7d.
func (d Duration) String() string {
	if d == 0 {
		return "0s"
	}
	if d < 0 {
		return "-" + positive(-uint64(d))
	}
	return positive(uint64(d))
}

// positive writes a number of nanoseconds.
func positive(ns uint64) string {
	if ns%uint64(day) == 0 && ns >= 2*uint64(day) {
		return fmt.Sprintf("%dd", ns/uint64(day))
	}
	var b strings.Builder
	for _, u := range units()[2:] {
		length := uint64(u.length)
		if n := ns / length; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u.sign)
			ns %= length
		}
	}
	if ns > 0 {
		return withFraction(b.String(), ns)
	}
	return b.String()
}

// withFraction adds what is finer than a millisecond as a decimal fraction of the milliseconds.
func withFraction(text string, ns uint64) string {
	fraction := strings.TrimRight(fmt.Sprintf("%06d", ns), "0")
	if whole, ok := strings.CutSuffix(text, "ms"); ok {
		return whole + "." + fraction + "ms"
	}
	return text + "0." + fraction + "ms"
}

// MarshalText writes the duration as String does; in JSON it is that text in quotes.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("read duration %q: %w", text, err)
	}
	*d = parsed
	return nil
}
