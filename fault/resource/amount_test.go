package resource

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestAmounts(t *testing.T) {
	for text, want := range map[Amount]int64{
		"64MiB": 64 << 20, "10MB": 10e6, "1.5GiB": 3 << 29, "4096": 4096, "4096B": 4096, "2Ki": 2048, "1 kB": 1000, "0": 0, "2TB": 2e12,
	} {
		if got, err := text.Bytes(); err != nil || got != want {
			t.Errorf("%s is %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []Amount{"", "MiB", "-1", "1e9", "0x10", "10 gigs", "1..2", "99999999TiB", "inf", "NaN", "20%"} {
		if got, err := text.Bytes(); err == nil {
			t.Errorf("%s is taken for %d bytes", text, got)
		}
	}
	for text, want := range map[Amount]float64{"20%": 0.2, "0.2": 0.2, "100%": 1, "1": 1, "12.5 %": 0.125} {
		if got, err := text.Share(); err != nil || got != want {
			t.Errorf("%s is %g, %v, want %g", text, got, err, want)
		}
	}
	for _, text := range []Amount{"", "%", "0%", "101%", "1.01", "-5%", "1e-1", "20%%"} {
		if got, err := text.Share(); err == nil {
			t.Errorf("%s is taken for %g", text, got)
		}
	}
}

func TestAmountJSON(t *testing.T) {
	for text, want := range map[string]Amount{`"64MiB"`: "64MiB", `4096`: "4096", `0.2`: "0.2"} {
		var a Amount
		if err := json.Unmarshal([]byte(text), &a); err != nil || a != want {
			t.Errorf("%s is %q, %v", text, a, err)
		}
	}
	for _, text := range []string{`[]`, `{}`, `true`} {
		var a Amount
		if err := json.Unmarshal([]byte(text), &a); err == nil {
			t.Errorf("%s is taken for %q", text, a)
		}
	}
}

// TestSizeIsNear shows that what a person reads is what was asked for.
func TestSizeIsNear(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(0, 1<<50).Draw(t, "bytes")
		text := strings.ReplaceAll(strings.Replace(Size(n), "bytes", "B", 1), " ", "")
		got, err := Amount(text).Bytes()
		if err != nil || got > n+n/10+1 || got < n-n/10-1 {
			t.Fatalf("%d is said as %s, which is %d, %v", n, Size(n), got, err)
		}
	})
}

func FuzzAmount(f *testing.F) {
	for _, s := range []string{"64MiB", "20%", "1e9", "", "%", "1.5 GiB", "Inf", "99999999999999999999TB"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := Amount(s).Bytes(); err == nil && n < 0 {
			t.Errorf("%q is %d bytes", s, n)
		}
		if n, err := Amount(s).Share(); err == nil && (!(n > 0) || n > 1) {
			t.Errorf("%q is the share %g", s, n)
		}
	})
}
