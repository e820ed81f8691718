package render

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault/targets/all"
	"github.com/belay-dr/belay/internal/calendar"
	"github.com/belay-dr/belay/measure/canary"
	"github.com/belay-dr/belay/measure/probe"
	"github.com/belay-dr/belay/playbook"
	"github.com/belay-dr/belay/playbook/lint"
	"github.com/belay-dr/belay/playbook/roster"
)

var update = flag.Bool("update", false, "write the golden files")

func kinds() playbook.Kinds {
	return playbook.Kinds{"probe": probe.Kinds(), "check": probe.Checks(), "canary": canary.Kinds(), "fault": all.Kinds().Configs()}
}

func load(t testing.TB, dir string) *playbook.Playbook {
	t.Helper()
	pb, err := playbook.Load(os.DirFS(dir), kinds())
	if err != nil {
		t.Fatalf("load %s:\n%v", dir, err)
	}
	return pb
}

func rendered(t testing.TB, form func(io.Writer, *playbook.Playbook, Options) error, pb *playbook.Playbook, opts Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := form(&b, pb, opts); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestMarkdownGolden(t *testing.T) {
	pb := load(t, "testdata/bookstore")
	for name, opts := range map[string]Options{
		"bookstore.md":         {},
		"bookstore-staging.md": {Environment: "staging", At: time.Date(2024, 1, 17, 11, 0, 0, 0, time.UTC)},
	} {
		got := rendered(t, Markdown, pb, opts)
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s differs; look at the change and run go test ./publish/render -update", path)
		}
	}
}

// elements walks a document as strict XML: what a browser would forgive is an error here.
func elements(t testing.TB, doc string, visit func(xml.StartElement)) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(doc))
	d.Entity = xml.HTMLEntity
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("not well-formed: %v", err)
		}
		if e, ok := token.(xml.StartElement); ok {
			visit(e)
		}
	}
}

func TestHTMLLoadsNothing(t *testing.T) {
	for _, pb := range []*playbook.Playbook{load(t, "testdata/bookstore"), hostile(), {Application: "empty"}} {
		doc := rendered(t, HTML, pb, Options{})
		ids := map[string]bool{}
		var links []string
		elements(t, doc, func(e xml.StartElement) {
			switch e.Name.Local {
			case "script", "link", "img", "iframe", "object", "embed", "base", "form", "image", "use", "video", "audio":
				t.Errorf("%s: there is a <%s>", pb.Application, e.Name.Local)
			}
			for _, a := range e.Attr {
				switch name := strings.ToLower(a.Name.Local); {
				case name == "id":
					if ids[a.Value] {
						t.Errorf("%s: the id %s is there twice", pb.Application, a.Value)
					}
					ids[a.Value] = true
				case name == "src" || name == "srcset" || name == "action" || name == "style" || strings.HasPrefix(name, "on"):
					t.Errorf("%s: <%s> has the attribute %s", pb.Application, e.Name.Local, name)
				case name == "href" && strings.HasPrefix(a.Value, "#"):
					links = append(links, a.Value[1:])
				case name == "href" && !strings.HasPrefix(a.Value, "tel:") && !strings.HasPrefix(a.Value, "mailto:"):
					t.Errorf("%s: a link leads to %s", pb.Application, a.Value)
				}
			}
		})
		for _, l := range links {
			if !ids[l] {
				t.Errorf("%s: the link #%s leads nowhere", pb.Application, l)
			}
		}
		if m := regexp.MustCompile(`(?i)url\(\s*['"]?(?:https?:)?//|@import`).FindString(pageStyle); m != "" {
			t.Errorf("the style loads something: %s", m)
		}
	}
}

// TestEverythingIsThere takes the example's own playbook as it is now, not a frozen copy.
func TestEverythingIsThere(t *testing.T) {
	pb := load(t, "../../examples/bookstore/playbook")
	markdown, page := rendered(t, Markdown, pb, Options{}), rendered(t, HTML, pb, Options{})
	var text strings.Builder
	d := xml.NewDecoder(strings.NewReader(page))
	for token, err := d.Token(); err == nil; token, err = d.Token() {
		if c, ok := token.(xml.CharData); ok {
			text.Write(c)
			text.WriteByte(' ')
		}
	}
	squeeze := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	html := squeeze(text.String())
	want := func(s string) {
		t.Helper()
		if s = squeeze(s); !strings.Contains(html, s) {
			t.Errorf("the HTML document has no %q", s)
		}
		if !strings.Contains(markdown, escape(s)) && !strings.Contains(squeeze(markdown), s) {
			t.Errorf("the Markdown document has no %q", s)
		}
	}
	for _, row := range pb.People {
		for _, s := range []string{roster.PersonName(pb, row.ID), row.Value.Position, row.Value.Phone, row.Value.Email, row.Value.Note} {
			want(s)
		}
	}
	for _, row := range pb.Services {
		s := row.Value
		for _, v := range append([]string{s.Name, s.Purpose, s.Platform, s.Identifier, s.VPC, s.Subnet, s.Endpoint, s.Workaround}, s.Technologies...) {
			want(v)
		}
	}
	for _, n := range pb.Notifications {
		want(n.What)
		want(n.Why)
	}
	for _, row := range pb.Severities {
		want(row.Value.Means)
	}
	for _, row := range pb.Scenarios {
		s := row.Value
		want(s.Title)
		want(s.Platform)
		for _, line := range s.Overview {
			want(line)
		}
		for _, a := range s.Assume {
			want(a.Text)
		}
		for _, p := range s.Procedures() {
			for i, step := range p.Steps {
				want(step.ID)
				for _, text := range []string{step.Manual, step.Ask, step.Text, step.Note, step.Example} {
					want(text)
				}
				for id := range step.Options {
					want(step.Options[id].ID)
				}
				if a, ok := pb.Actions.Get(step.Use); ok {
					want(a.Text)
					for _, b := range a.Bindings {
						want(shellWords(b.Value.Run))
						want(b.Value.Manual)
						want(b.Value.Example)
					}
				}
				_ = i
			}
		}
	}
	for _, f := range lint.Check(pb) {
		want(f.ID)
		want(f.Message)
	}
}

const evil = `<script>alert("x")</script>'"&|` + "`*_[a](javascript:b)"

// hostile is a playbook whose every text wants to be more than text.
func hostile() *playbook.Playbook {
	h := calendar.Hours{OnCall: true}
	spec := playbook.Spec{Kind: "http", Config: map[string]any{"url": evil, evil: evil}}
	step := func(s playbook.Step) playbook.Step {
		s.ID, s.Note, s.Example, s.By, s.Expect = evil, evil, evil+"\n```\n# out", evil, &spec
		return s
	}
	return &playbook.Playbook{
		Application: evil, Team: evil, Summary: evil,
		Environments: playbook.Table[playbook.Environment]{{ID: evil, Value: playbook.Environment{Vars: playbook.Table[string]{{ID: "a", Value: evil}}}}},
		Services: playbook.Table[playbook.Service]{
			{ID: "a", Value: playbook.Service{Name: evil, Platform: evil, Needs: []string{"b"}, Probes: playbook.Table[playbook.Spec]{{ID: evil, Value: spec}}}},
			{ID: "b", Value: playbook.Service{Name: evil, Endpoint: "javascript:alert(1)"}},
		},
		People: playbook.Table[playbook.Person]{{ID: "p", Value: playbook.Person{
			Name: evil, Position: evil, Email: "x@y.z\"><script>",
			Phone: "javascript:1", Available: &h, Services: []string{"all"},
		}}},
		Vendors:       playbook.Table[playbook.Vendor]{{ID: "v", Value: playbook.Vendor{Name: evil, URL: "javascript:alert(1)"}}},
		Notifications: []playbook.Notification{{When: evil, Who: []string{evil}, What: evil}},
		Scenarios: playbook.Table[playbook.Scenario]{{ID: "s", Value: playbook.Scenario{
			Title: evil, Covers: []string{"a"}, Leads: playbook.Leads{Primary: "p"},
			Overview: []string{evil}, Assume: []playbook.Assumption{{Text: evil, Check: &spec}},
			Recovery: []playbook.Step{
				step(playbook.Step{Manual: evil}), step(playbook.Step{Run: []string{evil, "${a}" + evil}}),
				step(playbook.Step{Ask: evil, Options: playbook.Table[playbook.Option]{{ID: evil, Value: playbook.Option{Text: evil, If: &spec}}}}),
				step(playbook.Step{Shell: evil, Where: evil}), step(playbook.Step{Notify: evil, To: []string{evil}}),
			},
		}}},
	}
}

func TestHostileTextStaysText(t *testing.T) {
	page := rendered(t, HTML, hostile(), Options{})
	if strings.Contains(page, "<script") || strings.Contains(page, `href="javascript`) {
		t.Error("a text became markup in the HTML document")
	}
	markdown := rendered(t, Markdown, hostile(), Options{})
	inCode, ticks := false, ""
	spans := regexp.MustCompile("(?:^|[^\\\\])`[^`]*`")
	for _, line := range strings.Split(markdown, "\n") {
		trimmed := strings.TrimSpace(line)
		if strings.HasPrefix(trimmed, "```") {
			mark := trimmed[:len(trimmed)-len(strings.TrimLeft(trimmed, "`"))]
			switch {
			case !inCode:
				inCode, ticks = true, mark
			case trimmed == ticks:
				inCode = false
			}
			continue
		}
		if !inCode && strings.Contains(spans.ReplaceAllString(line, ""), "<script") {
			t.Errorf("a text became markup in the Markdown document: %s", line)
		}
		if !inCode && strings.HasPrefix(trimmed, "# out") {
			t.Error("an example closed its code block")
		}
	}
	if inCode {
		t.Error("a code block does not end")
	}
}

func TestUnknownEnvironment(t *testing.T) {
	var b bytes.Buffer
	err := HTML(&b, load(t, "testdata/bookstore"), Options{Environment: "stage"})
	if err == nil || err.Error() != `unknown environment "stage" (there are staging, production)` || b.Len() > 0 {
		t.Errorf("error %v, %d bytes written", err, b.Len())
	}
}

func TestShellWords(t *testing.T) {
	for want, args := range map[string][]string{
		"ls -la /tmp":           {"ls", "-la", "/tmp"},
		"echo 'two words'":      {"echo", "two words"},
		`echo 'it'\''s' ''`:     {"echo", "it's", ""},
		`curl "${api}/a b"`:     {"curl", "${api}/a b"},
		`x "${a}\"\\` + "\\`\"": {"x", "${a}\"\\`"},
	} {
		if got := shellWords(args); got != want {
			t.Errorf("%q is written %s, want %s", args, got, want)
		}
	}
}
