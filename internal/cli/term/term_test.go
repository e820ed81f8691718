package term

import (
	"bytes"
	"testing"
	"time"
)

func TestColor(t *testing.T) {
	tests := []struct {
		name string
		tty  bool
		env  map[string]string
		want bool
	}{
		{"a terminal", true, nil, true},
		{"a pipe", false, nil, false},
		{"NO_COLOR", true, map[string]string{"NO_COLOR": "1"}, false},
		{"an empty NO_COLOR says nothing", true, map[string]string{"NO_COLOR": ""}, true},
		{"NO_COLOR wins over force", false, map[string]string{"NO_COLOR": "1", "CLICOLOR_FORCE": "1"}, false},
		{"CLICOLOR_FORCE in a pipe", false, map[string]string{"CLICOLOR_FORCE": "1"}, true},
		{"CLICOLOR_FORCE=0", false, map[string]string{"CLICOLOR_FORCE": "0"}, false},
		{"CLICOLOR=0", true, map[string]string{"CLICOLOR": "0"}, false},
		{"a dumb terminal", true, map[string]string{"TERM": "dumb"}, false},
	}
	for _, tt := range tests {
		env := func(k string) (string, bool) { v, ok := tt.env[k]; return v, ok }
		if got := wantsColor(tt.tty, env); got != tt.want {
			t.Errorf("%s: colour %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestWhen(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		ago  time.Duration
		want string
	}{
		{0, "just now"},
		{42 * time.Second, "42 seconds ago"},
		{90 * time.Second, "1 minute ago"},
		{3 * time.Hour, "3 hours ago"},
		{49 * time.Hour, "2 days ago"},
		{-2 * time.Hour, "in 2 hours"},
	}
	for _, tt := range tests {
		p := &Printer{TTY: true, Now: now}
		if got := p.When(now.Add(-tt.ago)); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.ago, got, tt.want)
		}
	}
	pipe := &Printer{Now: now}
	if got := pipe.When(now.In(time.FixedZone("", 3600))); got != "2026-11-22T12:00:00Z" {
		t.Errorf("in a pipe: %q", got)
	}
}

func TestDuration(t *testing.T) {
	tests := []struct {
		d    time.Duration
		want string
	}{
		{0, "0 s"},
		{400 * time.Microsecond, "0 ms"},
		{850 * time.Millisecond, "850 ms"},
		{999600 * time.Microsecond, "1 s"},
		{8230 * time.Millisecond, "8.2 s"},
		{59960 * time.Millisecond, "1 min"},
		{250 * time.Second, "4 min 10 s"},
		{time.Hour - 200*time.Millisecond, "1 h"},
		{12 * time.Hour, "12 h"},
		{24 * time.Hour, "24 h"},
		{72*time.Hour - time.Minute, "71 h 59 min"},
		{72 * time.Hour, "72 h"},
		{76 * time.Hour, "3 d 4 h"},
		{-90 * time.Second, "-1 min 30 s"},
	}
	for _, tt := range tests {
		if got := Duration(tt.d); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.d, got, tt.want)
		}
	}
}

func TestBounds(t *testing.T) {
	upper := 8731.0
	if got := Bounds(8213.4, &upper); got != "[8.2 s, 8.7 s]" {
		t.Errorf("closed: %q", got)
	}
	if got := Bounds(8213.4, nil); got != "[8.2 s, ∞)" {
		t.Errorf("open: %q", got)
	}
}

func TestTableFaces(t *testing.T) {
	fill := func(p *Printer) {
		table := p.Table("scenario", "verdict", "why")
		table.Row("api-failure", p.Word("PASS"), "the objective was met")
		table.Row("日本", p.Word("FAIL"), "two\nlines")
		table.Print()
	}
	tests := []struct {
		name string
		p    Printer
		want string
	}{
		{"in a pipe", Printer{}, "scenario     verdict  why\napi-failure  PASS     the objective was met\n日本         FAIL     two lines\n"},
		{
			"on a terminal",
			Printer{TTY: true, Width: 44},
			"SCENARIO     VERDICT  WHY\napi-failure  ✓ PASS   the objective was met\n日本         ✗ FAIL   two lines\n",
		},
		{
			"on a narrow terminal",
			Printer{TTY: true, Width: 42},
			"SCENARIO     VERDICT  WHY\napi-failure  ✓ PASS   the objective was\n                      met\n日本         ✗ FAIL   two lines\n",
		},
		{
			"on a very narrow terminal",
			Printer{TTY: true, Width: 30},
			"api-failure\n  verdict  ✓ PASS\n  why      the objective was\n           met\n日本\n  verdict  ✗ FAIL\n  why      two lines\n",
		},
	}
	for _, tt := range tests {
		var b bytes.Buffer
		p := tt.p
		p.Writer = &b
		fill(&p)
		if b.String() != tt.want {
			t.Errorf("%s:\n%s\nwant:\n%s", tt.name, b.String(), tt.want)
		}
	}
	var b bytes.Buffer
	fill(&Printer{Writer: &b, TTY: true, Color: true})
	if !bytes.Contains(b.Bytes(), []byte("\x1b[")) {
		t.Errorf("no colour in %q", b.String())
	}
}
