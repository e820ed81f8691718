package playbook_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belay-dr/belay/playbook"
)

// everyKind has a field of each type that a kind may have.
type everyKind struct {
	Text     string            `yaml:"text,omitempty"`
	Flag     bool              `yaml:"flag,omitempty"`
	Count    int8              `yaml:"count,omitempty"`
	Size     uint16            `yaml:"size,omitempty"`
	Ratio    float64           `yaml:"ratio,omitempty"`
	For      time.Duration     `yaml:"for,omitempty"`
	Within   playbook.Duration `yaml:"within,omitempty"`
	Address  netip.Addr        `yaml:"address,omitempty"`
	Words    []string          `yaml:"words,omitempty"`
	Labels   map[string]string `yaml:"labels,omitempty"`
	Anything any               `yaml:"anything,omitempty"`
	Inner    *playbook.Spec    `yaml:"inner,omitempty" kind:"check"`
	Always   string            `yaml:"always" json:"always,omitempty"`
	Untagged string
	Nested   struct {
		Deep string `yaml:"deep,omitempty"`
	} `yaml:",inline"`
}

// decodeKind loads a playbook with one probe of this config.
func decodeKind(t *testing.T, config string) (*everyKind, error) {
	t.Helper()
	kinds := playbook.Kinds{
		"probe": {"every": func() any { return &everyKind{} }},
		"check": {"tcp": func() any { return &tcpKind{} }},
	}
	main := "application: a\nenvironments: {here: {kind: non-production, vars: {x: y}}}\npeople: {bob: {}}\n" +
		"services: {api: {critical: always, probes: {p: {every: " + config + "}}}}\n"
	pb, err := playbook.Load(fstest.MapFS{"belay.yaml": {Data: []byte(main)}}, kinds)
	if err != nil {
		return nil, err
	}
	return pb.Services[0].Value.Probes[0].Value.Config.(*everyKind), nil
}

func TestKindsAreDecodedStrictly(t *testing.T) {
	got, err := decodeKind(t, `{text: "", flag: true, count: -12, size: 0x10, ratio: 1.5, for: 90s, within: 1h, address: 10.0.0.1, words: [a, "", 3],
    labels: {a b: c, d: "${x}"}, anything: {list: [1, 2.5, true, null, text], nothing: ~}, inner: {tcp: "h:1"}, untagged: u, deep: d}`)
	if err != nil {
		t.Fatal(err)
	}
	want := &everyKind{
		Flag: true, Count: -12, Size: 16, Ratio: 1.5, For: 90 * time.Second, Within: playbook.Duration(time.Hour), Address: netip.MustParseAddr("10.0.0.1"),
		Words: []string{"a", "", "3"}, Labels: map[string]string{"a b": "c", "d": "${x}"},
		Anything: map[string]any{"list": []any{int64(1), 2.5, true, nil, "text"}, "nothing": nil},
		Inner:    &playbook.Spec{Kind: "tcp", Config: &tcpKind{Address: "h:1"}}, Untagged: "u",
	}
	want.Nested.Deep = "d"
	if diff := cmp.Diff(fmt.Sprintf("%+v", *want.Inner.Config.(*tcpKind)), fmt.Sprintf("%+v", *got.Inner.Config.(*tcpKind))); diff != "" {
		t.Error(diff)
	}
	want.Inner, got.Inner = nil, nil
	if got, want := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); got != want {
		t.Errorf("\ngot  %s\nwant %s", got, want)
	}
}

func TestMistakesInKinds(t *testing.T) {
	for config, want := range map[string]string{
		"{flag: yes}":                   `4:63: services.api.probes.p.every.flag: want true or false, got the text "yes" (did you mean true?)`,
		"{flag: off}":                   `4:63: services.api.probes.p.every.flag: want true or false, got the text "off" (did you mean false?)`,
		"{flag: 1}":                     "4:63: services.api.probes.p.every.flag: want true or false, got the number 1",
		"{count: 128}":                  "4:64: services.api.probes.p.every.count: the number is too large",
		"{count: 1.5}":                  "4:64: services.api.probes.p.every.count: want a whole number, got the number 1.5",
		"{count: [1]}":                  "4:64: services.api.probes.p.every.count: want a whole number, got a list",
		"{size: -1}":                    "4:63: services.api.probes.p.every.size: want a whole number, got the number -1",
		"{ratio: much}":                 `4:64: services.api.probes.p.every.ratio: want a number, got the text "much"`,
		"{ratio: .nan}":                 "4:64: services.api.probes.p.every.ratio: want a number, got the number .nan",
		"{ratio: 1e999}":                "4:64: services.api.probes.p.every.ratio: the number is too large",
		"{for: 90}":                     `4:62: services.api.probes.p.every.for: a length of time needs a unit: "90" (did you mean "90h"?)`,
		"{for: [90s]}":                  "4:62: services.api.probes.p.every.for: want a length of time such as 12h, got a list",
		`{for: "${x}"}`:                 "4:62: services.api.probes.p.every.for: a placeholder can only stand in a text; want a length of time such as 12h",
		"{address: 10.0.0.256}":         `4:66: services.api.probes.p.every.address: ParseAddr("10.0.0.256"): IPv4 field has value >255`,
		"{labels: [a]}":                 "4:65: services.api.probes.p.every.labels: want a mapping, got a list",
		"{labels: {a: }}":               "4:69: services.api.probes.p.every.labels.a: has no value (give it one, or leave the key out)",
		"{labels: {a: b, a: c}}":        `4:72: services.api.probes.p.every.labels.a: duplicate key "a" (the first one is on line 4)`,
		"{labels: {[a]: c}}":            "4:66: services.api.probes.p.every.labels: a key must be a text, got a list",
		"{anything: {a: !secret x}}":    "4:71: services.api.probes.p.every.anything.a: the YAML tag !secret has no meaning here (remove it)",
		"{inner: {tcp: [a, b]}}":        "4:70: services.api.probes.p.every.inner.tcp: want host:port, got a list",
		"{inner: {tcp: {}}}":            `4:65: services.api.probes.p.every.inner.tcp: missing required key "address"`,
		"{inner: {udp: x}}":             `4:65: services.api.probes.p.every.inner: unknown check "udp" (one of: tcp)`,
		"{inner: {}}":                   "4:64: services.api.probes.p.every.inner: a check has exactly one kind, got none",
		"{inner: tcp}":                  `4:64: services.api.probes.p.every.inner: want a check such as {tcp: ...}, got the text "tcp"`,
		"{hidden: x}":                   `4:57: services.api.probes.p.every.hidden: unknown key "hidden"`,
		"{text: true}":                  `4:63: services.api.probes.p.every.text: want a text, got the word true (did you mean "true", with quotes?)`,
		"{text: &t a, words: [*t, {}]}": "4:81: services.api.probes.p.every.words[1]: want a text, got a mapping",
	} {
		_, err := decodeKind(t, config)
		var all playbook.Errors
		if !errors.As(err, &all) || len(all) != 1 || err.Error() != "belay.yaml:"+want {
			t.Errorf("%s:\ngot  %v\nwant belay.yaml:%s", config, err, want)
		}
	}
	if _, err := decodeKind(t, "{anything: {a: ['${unknown}']}}"); err == nil || !strings.Contains(err.Error(), "every.anything.a[0]: unknown placeholder ${unknown}") {
		t.Errorf("got %v", err)
	}
}
