package plugin_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/plugin"
)

// TestReplies has one line for each thing that a reply must not be.
func TestReplies(t *testing.T) {
	const good = `{"target": "x", "class": "restore", "changes": ["y"]`
	for _, c := range []struct {
		do    plugin.Verb
		reply string
		want  string
	}{
		{plugin.DoPlan, "", "reply to plan: it is empty"},
		{plugin.DoPlan, "hello", "reply to plan: not one JSON object: invalid character 'h' looking for beginning of value"},
		{plugin.DoPlan, "null", "reply to plan: not one JSON object"},
		{plugin.DoPlan, "[]", "reply to plan: not one JSON object: must be an object, not a list"},
		{plugin.DoPlan, good + "} {}", "reply to plan: not one JSON object: more than one value"},
		{plugin.DoPlan, "{\"target\": \"\xff\"}", "reply to plan: it is not UTF-8"},
		{plugin.DoPlan, `{}`, "reply to plan: target is missing"},
		{plugin.DoPlan, `{"target": "x", "class": "restore"}`, "reply to plan: changes is missing"},
		{plugin.DoPlan, good + `, "kernel_ends": true}`, `reply to plan: the key "kernel_ends" does not belong there`},
		{plugin.DoPlan, good + `, "Fidelity": "zone"}`, `reply to plan: the key "Fidelity" does not belong there`},
		{plugin.DoPlan, good + `, "seen": "x"}`, `reply to plan: the key "seen" does not belong there`},
		{plugin.DoPlan, good + `, "refused": "no"}`, `reply to plan: the key`},
		{plugin.DoPlan, good + `, "fidelity": "galaxy"}`, `reply to plan: fidelity "galaxy": must be signal, network, process, host, zone, region or data`},
		{plugin.DoPlan, good + `, "radius": "all"}`, "reply to plan: json: cannot unmarshal string into Go struct field Reply.radius of type []string"},
		{plugin.DoPlan, good + `, "production": true}`, "reply to plan: json: cannot unmarshal bool into Go struct field Reply.production of type string"},
		{plugin.DoPlan, good + `, "production": "a\nb"}`, "reply to plan: production: a text with a line break or another control character"},
		{plugin.DoPlan, good + `, "radius": [""]}`, "reply to plan: radius: an empty text"},
		{plugin.DoPlan, good + `, "ends_after": "soon"}`, `reply to plan: ends_after "soon": must be a time with a unit`},
		{plugin.DoPlan, good + `, "undo": "` + strings.Repeat("x", 64<<10) + `"}`, "reply to plan: undo: longer than 65536 bytes"},
		{plugin.DoPlan, good + `, "radius": [` + strings.Repeat(`"x",`, 100) + `"x"]}`, "reply to plan: radius: more than 100"},
		{plugin.DoPlan, `{"target": "", "class": "restore", "changes": ["y"]}`, "reply to plan: target is empty"},
		{plugin.DoPlan, `{"target": "x", "class": "restore", "changes": []}`, "reply to plan: changes is empty: say what will be changed"},
		{plugin.DoPlan, `{"target": "x", "class": "harmless", "changes": ["y"]}`, `reply to plan: class "harmless": must be restore, one-shot or self-ending`},
		{plugin.DoPlan, `{"target": "x", "class": "self-ending", "changes": ["y"]}`, "reply to plan: class self-ending needs ends_after: nothing else could end it without the plug-in"},
		{plugin.DoPlan, `{"target": "x", "class": "one-shot", "changes": ["y"], "ends_after": "1s"}`, "reply to plan: class one-shot and ends_after: what is over at once has no end to come"},
		{plugin.DoPlan, `{"target": "` + strings.Repeat("x", 1001) + `", "class": "restore", "changes": ["y"]}`, "reply to plan: target: a text longer than 1000 bytes"},
		{plugin.DoPlan, `{"target": "x\u001b[2J", "class": "restore", "changes": ["y"]}`, "reply to plan: target: a text with a line break or another control character"},
		{plugin.DoInject, `{"seen": "x"}`, `reply to inject: the key "seen" does not belong there`},
		{plugin.DoConfirm, `{}`, "reply to confirm: seen is missing"},
		{plugin.DoConfirm, `{"seen": true}`, "reply to confirm: json: cannot unmarshal bool into Go struct field Reply.seen of type string"},
		{plugin.DoConfirm, `{"seen": "x", "error": "y"}`, `reply to confirm: the key "seen" does not belong there`},
		{plugin.DoRevert, `{"residue": []}`, `reply to revert: the key "residue" does not belong there`},
		{plugin.DoResidue, `{}`, "reply to residue: residue is missing"},
		{plugin.DoResidue, `{"residue": null, "superseded": []}`, `reply to residue: the key "superseded" does not belong there`},
		{plugin.DoResidue, strings.Repeat(" ", 256<<10) + "{}", "reply to residue: longer than 262144 bytes"},
	} {
		if _, err := plugin.ParseReply(c.do, []byte(c.reply)); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s %.80s:\ngot  %v\nwant %s", c.do, c.reply, err, c.want)
		}
	}
}

// FuzzReply never lets a reply through that could not be shown, kept or true.
func FuzzReply(f *testing.F) {
	verbs := []plugin.Verb{plugin.DoPlan, plugin.DoInject, plugin.DoConfirm, plugin.DoRevert, plugin.DoResidue}
	for n, reply := range []string{
		`{"target": "x", "class": "restore", "changes": ["y"], "undo": {"a": [1, 2]}, "radius": ["z"], "ends_after": "1m"}`,
		`{"undo": null}`, `{"seen": "x"}`, `{"superseded": ["x"]}`, `{"residue": []}`, `{"error": "x", "undo": 1}`, `{"refused": "x"}`,
	} {
		f.Add(uint8(n), []byte(reply))
	}
	f.Fuzz(func(t *testing.T, n uint8, reply []byte) {
		do := verbs[int(n)%len(verbs)]
		r, err := plugin.ParseReply(do, reply)
		if err != nil {
			return
		}
		for _, text := range slices.Concat([]string{r.Target, r.Seen, r.Refused, r.Error}, r.Changes, r.Radius, r.Claims, r.Superseded, r.Residue) {
			if len(text) > 1000 || strings.ContainsFunc(text, unicode.IsControl) {
				t.Errorf("nobody can read %q", text)
			}
		}
		if len(r.Undo) > 64<<10 || len(r.Undo) > 0 && !json.Valid(r.Undo) {
			t.Errorf("an undo that cannot be kept: %.100s", r.Undo)
		}
		if planned := do == plugin.DoPlan && r.Refused == "" && r.Error == ""; planned {
			if r.Target == "" || len(r.Changes) == 0 || r.Class == fault.SelfEnding && r.EndsAfter == "" {
				t.Errorf("a plan that says nothing: %+v", r)
			}
		} else if r.Target != "" || r.Class != "" || len(r.Changes) > 0 {
			t.Errorf("%s is no plan: %+v", do, r)
		}
	})
}
