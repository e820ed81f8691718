package network

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/belay-dr/belay/fault"
)

// decode reads {"network": ...} as a request does.
func decode(text string) error {
	var s fault.Spec
	if err := json.Unmarshal([]byte(`{"network": `+text+`}`), &s); err != nil {
		return err
	}
	_, err := Kinds().Decode(s)
	return err
}

// TestConfig has one line for each thing that a config may get wrong. None of it needs rights or Linux.
func TestConfig(t *testing.T) {
	for text, want := range map[string]string{
		`{"partition": {"to": ["db:5432", "10.0.0.0/8"]}}`:                                  "",
		`{"partition": "db:5432", "netns": "blue"}`:                                         "",
		`{"partition": ["db:5432", "cache"], "pid": 7}`:                                     "",
		`{"partition": {"to": ["${db}:5432"]}}`:                                             "",
		`{"blackhole": "10.0.0.1"}`:                                                         "",
		`{"reset": {"to": ["db:5432"], "once": true}}`:                                      "",
		`{"delay": {"to": ["db"], "time": "100ms", "jitter": "10ms", "direction": "both"}}`: "",
		`{"loss": {"to": ["db"], "percent": 0.5}}`:                                          "",
		`{"reorder": {"to": ["db"], "percent": 25}}`:                                        "",
		`{"rate": {"to": ["db"], "rate": "1.5mbit"}}`:                                       "",

		`{}`:                               "fault network: give exactly one of partition, blackhole, reset, delay, loss, duplicate, corrupt, reorder and rate",
		`{"partition": "a", "reset": "b"}`: "fault network: give exactly one of partition,",
		`{"partition": {}}`:                "fault network: partition.to: name at least one peer: host, host:port, address or network",
		`{"partition": []}`:                "give at least one peer",
		`{"partition": ["db", "x:y"]}`:     `fault network: partition.to[1]: "x:y": port "y" is not 1 to 65535`,
		`{"partition": {"to": ["db"], "how": "maybe"}}`:                               "fault network: partition.how: must be drop, reject or blackhole",
		`{"partition": {"to": ["db"], "protocol": "sctp"}}`:                           "fault network: partition.protocol: must be any, tcp, udp or icmp",
		`{"partition": {"to": ["db"], "direction": "up"}}`:                            "fault network: partition.direction: must be out, in or both",
		`{"partition": {"to": ["db"], "ports": [0]}}`:                                 "fault network: partition.ports[0]: must be 1 to 65535",
		`{"partition": {"to": ["db"], "ports": [70000]}}`:                             "fault network: ports: must be a whole number from 0 to 65535, not 70000",
		`{"partition": {"to": ["db"], "ports": [7], "protocol": "icmp"}}`:             "fault network: partition.ports: icmp has none",
		`{"partition": {"to": ["db"], "how": "blackhole", "ports": [7]}}`:             "fault network: partition.how: a blackhole route is about hosts as a whole",
		`{"partition": {"to": ["db:1"], "how": "blackhole"}}`:                         `fault network: partition.to[0]: "db:1" has a port, and a route is about hosts as a whole`,
		`{"blackhole": "db:1"}`:                                                       `fault network: blackhole.to[0]: "db:1" has a port`,
		`{"partition": "a", "netns": "x", "pid": 7}`:                                  "fault network: give at most one of netns, pid_file and pid",
		`{"partition": "a", "pid": -7}`:                                               "fault network: pid: must be above 0",
		`{"partition": "a", "max": 257}`:                                              "fault network: max: must be 1 to 256",
		`{"partition": {"to": ["db"], "prots": [7]}}`:                                 `unknown field "prots"`,
		`{"partition": "a", "only": "nft table"}`:                                     `unknown field "only"`,
		`{"delay": {"to": ["db"], "time": "100"}}`:                                    `"100" is no time: give one such as 100ms`,
		`{"delay": {"to": ["db"]}}`:                                                   "fault network: delay.time: must be above 0 and at most 1m0s",
		`{"delay": {"to": ["db"], "time": "10ms", "jitter": "11ms"}}`:                 "fault network: delay.jitter: must not be below 0 nor above time",
		`{"loss": {"to": ["db"], "percent": 0}}`:                                      "fault network: loss.percent: must be above 0 and at most 100",
		`{"corrupt": {"to": ["db"], "percent": 100.5}}`:                               "fault network: corrupt.percent: must be above 0 and at most 100",
		`{"reorder": {"to": ["db"], "percent": 10, "by": "2m"}}`:                      "fault network: reorder.by: must not be below 0 and at most 1m0s",
		`{"rate": {"to": ["db"], "rate": "8 mph"}}`:                                   `"8 mph" is no rate: give bits per second such as 8mbit, 512kbit or 1gbit`,
		`{"rate": {"to": ["db"], "rate": "999bit"}}`:                                  "fault network: rate.rate: must be at least 1kbit",
		`{"partition": {"to": ["a"` + strings.Repeat(`,"a"`, maxSelectors) + `]}}`:    "fault network: partition.to: names 65 peers; the most is 64",
		`{"partition": {"to": ["a"], "ports": [1` + strings.Repeat(",1", 64) + `]}}`:  "fault network: partition.ports: names 65 ports; the most is 64",
		`{"rate": {"to": ["db"], "rate": "8mbit", "protocol": "tcp", "percent": 10}}`: `unknown field "percent"`,
	} {
		err := decode(text)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s:\n%v\nwant %s", text, err, want)
		}
	}
}

// TestUnits shows that what is written is read as the same.
func TestUnits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := Bits(rapid.Int64Range(1, 1e12).Draw(t, "rate"))
		span := Span(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "span"))
		b, err := rate.MarshalText()
		var rate2 Bits
		if err != nil || rate2.UnmarshalText(b) != nil || rate2 != rate {
			t.Errorf("%d is written %s and read %d", rate, b, rate2)
		}
		b, err = span.MarshalText()
		var span2 Span
		if err != nil || span2.UnmarshalText(b) != nil || span2 != span {
			t.Errorf("%d is written %s and read %d", span, b, span2)
		}
	})
	for text, want := range map[string]Bits{"8mbit": 8e6, "512kbit": 512e3, "1.5gbit": 15e8, "9600bit": 9600, "8 Mbit": 8e6, "1e3kbit": 1e6} {
		var got Bits
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "8", "mbit", "-8mbit", "NaNmbit", "Infbit", "1e30gbit"} {
		if err := new(Bits).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is read", text)
		}
	}
}

// FuzzConfig never panics, and a config that has nothing wrong has a target.
func FuzzConfig(f *testing.F) {
	f.Add(`{"partition": {"to": ["db:5432"], "how": "reject"}}`)
	f.Add(`{"rate": {"to": ["[::1]:80"], "rate": "8mbit"}, "pid_file": "/x"}`)
	f.Add(`{"reorder": null, "delay": {"to": [""], "time": "1ms"}}`)
	f.Fuzz(func(t *testing.T, text string) {
		n := new(Network)
		if fault.StrictJSON([]byte(text), n) != nil || len(n.CheckConfig()) > 0 {
			return
		}
		if n.Target() == nil {
			t.Errorf("%s has no target", text)
		}
	})
}
