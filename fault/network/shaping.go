package network

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// longest is the longest delay. Whatever is later is a partition.
const longest = time.Minute

// Span is a time as a config writes it: 100ms.
type Span time.Duration

// UnmarshalText reads 100ms or 1.5s.
func (s *Span) UnmarshalText(b []byte) error {
	d, err := time.ParseDuration(string(b))
	if err != nil {
		return fmt.Errorf("%q is no time: give one such as 100ms", b)
	}
	*s = Span(d)
	return nil
}

// MarshalText writes what UnmarshalText reads.
func (s Span) MarshalText() ([]byte, error) { return []byte(time.Duration(s).String()), nil }

// Bits are bits per second as a config writes them: 8mbit.
type Bits int64

// units are the factors of a rate, the longest name first where one ends like another.
var units = [...]struct {
	name   string
	factor int64
}{{"gbit", 1e9}, {"mbit", 1e6}, {"kbit", 1e3}, {"bit", 1}}

// UnmarshalText reads 8mbit, 512kbit, 1.5gbit or 9600bit, per second.
func (r *Bits) UnmarshalText(b []byte) error {
	for _, u := range units {
		number, ok := strings.CutSuffix(strings.ToLower(string(b)), u.name)
		if !ok {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || !(v > 0) || v*float64(u.factor) > 1e12 {
			break
		}
		*r = Bits(v * float64(u.factor))
		return nil
	}
	return fmt.Errorf("%q is no rate: give bits per second such as 8mbit, 512kbit or 1gbit", b)
}

// MarshalText writes what UnmarshalText reads.
func (r Bits) MarshalText() ([]byte, error) {
	for _, u := range units {
		if int64(r)%u.factor == 0 && r != 0 {
			return []byte(strconv.FormatInt(int64(r)/u.factor, 10) + u.name), nil
		}
	}
	return []byte("0bit"), nil
}

func (d *Delay) where() Where { return d.Where.with("any", "out") }

func (d *Delay) check() map[string]string {
	wrong := d.Where.check()
	t, j := time.Duration(d.Time), time.Duration(d.Jitter)
	if t <= 0 || t > longest {
		wrong["time"] = fmt.Sprintf("must be above 0 and at most %s", longest)
	}
	if j < 0 || j > t {
		wrong["jitter"] = "must not be below 0 nor above time"
	}
	return wrong
}

func (s *Share) where() Where { return s.Where.with("any", "out") }

func (s *Share) check() map[string]string { return percent(s.Where.check(), s.Percent) }

// percent adds what is wrong with a percentage.
func percent(wrong map[string]string, p float64) map[string]string {
	if !(p > 0 && p <= 100) {
		wrong["percent"] = "must be above 0 and at most 100"
	}
	return wrong
}

// defaultBy is how much later a reordered packet comes when the config does not say.
const defaultBy = 10 * time.Millisecond

func (r *Reorder) by() Span {
	if r.By == 0 {
		return Span(defaultBy)
	}
	return r.By
}

func (r *Reorder) where() Where { return r.Where.with("any", "out") }

func (r *Reorder) check() map[string]string {
	wrong := percent(r.Where.check(), r.Percent)
	if by := time.Duration(r.By); by < 0 || by > longest {
		wrong["by"] = fmt.Sprintf("must not be below 0 and at most %s", longest)
	}
	return wrong
}

func (r *Rate) where() Where { return r.Where.with("any", "out") }

func (r *Rate) check() map[string]string {
	wrong := r.Where.check()
	if r.Rate < 1000 {
		wrong["rate"] = "must be at least 1kbit"
	}
	return wrong
}
