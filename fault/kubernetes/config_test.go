package kubernetes

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/belay-dr/belay/fault"
)

func writeConfig(t *testing.T, server string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config")
	text := fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: one\nclusters: [{name: c, cluster: {server: %q}}]\n"+
		"users: [{name: u, user: {token: x}}]\ncontexts: [{name: one, context: {cluster: c, user: u}}]\n", server)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Every mistake of a config, by its words.
func TestConfig(t *testing.T) {
	for config, want := range map[string]string{
		`{}`: "give exactly one of delete, evict, scale, restart, cordon, drain, taint, block, chaos_mesh and litmus",
		`{"delete": {"selector": "a=b"}, "scale": {"deployment": "x"}}`: "give exactly one of",
		`{"delete": {"selector": ""}}`:                                  `delete.selector: give a label selector such as "app=web"`,
		`{"delete": {"selector": "a in b"}}`:                            "delete.selector: is no label selector: ",
		`{"delete": {"selector": "a=b", "max": -1}}`:                    "delete.max: must not be negative",
		`{"delete": {"selector": "a=b", "percent": 101}}`:               "delete.percent: must be between 1 and 100",
		`{"delete": {"selector": "a=b", "seed": "x"}}`:                  "delete.seed: chooses nothing without percent",
		`{"delete": {"selector": "a=b", "grace": -1}}`:                  "delete.grace: must not be negative",
		`{"scale": {}}`:                                                                "scale: give exactly one of deployment, stateful_set and daemon_set",
		`{"scale": {"daemon_set": "x"}}`:                                               "scale.daemon_set: has no replicas: drain or taint its nodes instead",
		`{"cordon": {}}`:                                                               "cordon: give exactly one of node and selector",
		`{"cordon": {"node": "a", "selector": "b"}}`:                                   "cordon: give exactly one of node and selector",
		`{"taint": {"node": "a", "key": "k", "effect": "Never"}}`:                      "taint.effect: must be NoSchedule, PreferNoSchedule or NoExecute",
		`{"taint": {"node": "a", "key": "-", "effect": "NoExecute"}}`:                  "taint.key: must be a taint's key",
		`{"block": {"selector": "a", "direction": "up"}}`:                              "block.direction: must be ingress, egress or both",
		`{"chaos_mesh": {"kind": "Schedule", "spec": {"a": 1}}}`:                       "chaos_mesh.kind: must be a chaos of Chaos Mesh",
		`{"chaos_mesh": {"kind": "PodChaos", "spec": {}}}`:                             "chaos_mesh.spec: give the spec of the resource",
		`{"chaos_mesh": {"kind": "PodChaos", "spec": {"duration": "1s"}}}`:             "chaos_mesh.spec.duration: is the fault's limit: leave it out",
		`{"litmus": {"spec": {}}}`:                                                     "litmus.spec.experiments: give exactly one experiment, not 0: each is a fault of its own",
		`{"litmus": {"spec": {"experiments": [{}]}}}`:                                  "litmus.spec.experiments: the experiment has no name",
		`{"litmus": {"spec": {"engineState": "stop", "experiments": [{"name":"x"}]}}}`: "litmus.spec.engineState: is set by Belay: leave it out",
		`{"cordon": {"node": "a", "nodes": "b"}}`:                                      `unknown field "nodes"`,
	} {
		_, err := Kinds().Decode(fault.Spec{Kind: "kubernetes", Config: json.RawMessage(config)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", config, err, want)
		}
	}
}

// A choice is never empty, never more than max or the percentage, has nobody twice, and is the same for the same seed.
func TestChoose(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfNDistinct(rapid.Int(), 1, 50, rapid.ID).Draw(t, "pods")
		percent := rapid.IntRange(1, 100).Draw(t, "percent")
		most := rapid.IntRange(0, 60).Draw(t, "max")
		seed := rapid.String().Draw(t, "seed")
		got := choose(all, percent, most, seed)
		bound := max(1, len(all)*percent/100)
		if most > 0 {
			bound = min(bound, most)
		}
		if len(got) != bound {
			t.Fatalf("%d of %d, want %d", len(got), len(all), bound)
		}
		seen := map[int]bool{}
		for _, v := range got {
			if seen[v] || !slices.Contains(all, v) {
				t.Fatalf("%d is there twice, or never was", v)
			}
			seen[v] = true
		}
		if again := choose(all, percent, most, seed); !slices.Equal(got, again) {
			t.Fatalf("%v, and then %v", got, again)
		}
	})
	if a, b := choose([]int{1, 2, 3, 4, 5, 6, 7, 8}, 50, 0, "one"), choose([]int{1, 2, 3, 4, 5, 6, 7, 8}, 50, 0, "two"); slices.Equal(a, b) {
		t.Errorf("the seed decides nothing: %v", a)
	}
}

// Whatever the ID of a fault, its marks are names that the API takes, and differ from those of another.
func TestMarks(t *testing.T) {
	ids := rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9_-]{0,63}`)
	rapid.Check(t, func(t *rapid.T) {
		a, b := ids.Draw(t, "one"), ids.Draw(t, "another")
		one, err := newMark(fault.Ask{ID: a}, nil, fixed())
		if err != nil {
			t.Fatal(err)
		}
		other, _ := newMark(fault.Ask{ID: b}, nil, fixed())
		if (one.ID == other.ID || one.object() == other.object()) != (a == b) {
			t.Fatalf("%q and %q become %q and %q, %s and %s", a, b, one.ID, other.ID, one.object(), other.object())
		}
		checkNames(t, one)
	})
}
