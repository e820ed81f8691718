package resource

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Amount is a number of bytes ("64MiB", "10MB", 4096) or a share ("20%", 0.2), as it is written.
type Amount string

// Short accepts a number without quotes.
func (a *Amount) Short(values []string, list bool) error {
	if list || len(values) != 1 {
		return errors.New("give one amount, such as 64MiB or 20%")
	}
	*a = Amount(values[0])
	return nil
}

// UnmarshalJSON accepts a text or a number.
func (a *Amount) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) == nil {
		*a = Amount(text)
		return nil
	}
	var n json.Number
	if err := json.Unmarshal(b, &n); err != nil {
		return errors.New("give one amount, such as 64MiB or 20%")
	}
	*a = Amount(n)
	return nil
}

// unit is a number of bytes with a name. KB and MB are decimal and KiB and MiB are not, as everybody but some tools has it.
type unit struct {
	name  string
	bytes float64
}

// units are longest names first, so that KiB is not taken for B.
func units() []unit {
	return []unit{
		{"KiB", 1 << 10},
		{"MiB", 1 << 20},
		{"GiB", 1 << 30},
		{"TiB", 1 << 40},
		{"PiB", 1 << 50},
		{"Ki", 1 << 10},
		{"Mi", 1 << 20},
		{"Gi", 1 << 30},
		{"Ti", 1 << 40},
		{"kB", 1e3},
		{"KB", 1e3},
		{"MB", 1e6},
		{"GB", 1e9},
		{"TB", 1e12},
		{"B", 1},
		{"", 1},
	}
}

// Bytes reads a number of bytes.
func (a Amount) Bytes() (int64, error) {
	text := strings.TrimSpace(string(a))
	for _, u := range units() {
		number, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		n, err := decimal(strings.TrimSpace(number))
		if err != nil || n < 0 || n*u.bytes > math.MaxInt64/2 {
			break
		}
		return int64(n * u.bytes), nil
	}
	return 0, fmt.Errorf("%q is not a number of bytes: write for example 64MiB or 10MB", short(text))
}

// Share reads a part of a whole, above 0 and up to 1.
func (a Amount) Share() (float64, error) {
	number, percent := strings.CutSuffix(strings.TrimSpace(string(a)), "%")
	n, err := decimal(strings.TrimSpace(number))
	if percent {
		n /= 100
	}
	if err != nil || n <= 0 || n > 1 {
		return 0, fmt.Errorf("%q is not a share: write for example 20%% or 0.2, at most 100%%", short(string(a)))
	}
	return n, nil
}

// decimal is a plain number: no exponent, no infinity, no hexadecimal.
func decimal(text string) (float64, error) {
	if strings.Trim(text, "0123456789.") != "" {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseFloat(text, 64)
}

// short is a text for a message.
func short(text string) string {
	if len(text) > 40 {
		return text[:40] + "…"
	}
	return text
}

// Size is a number of bytes for a person: "1.5 GiB".
func Size(n int64) string {
	f, names := float64(n), [...]string{"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"}
	i := 0
	for f >= 1024 && i < len(names)-1 {
		f /= 1024
		i++
	}
	text := strconv.FormatFloat(f, 'f', 1, 64)
	return strings.TrimSuffix(text, ".0") + " " + names[i]
}
