package lint

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/belay-dr/belay/internal/calendar"
	"github.com/belay-dr/belay/playbook"
)

func hours(text string) *playbook.Hours {
	h, err := calendar.Parse(text)
	if err != nil {
		panic(err)
	}
	return &h
}

func spec(kind string, config any) *playbook.Spec { return &playbook.Spec{Kind: kind, Config: config} }

func web() *playbook.Spec { return spec("http", map[string]any{"url": "${api}/books/"}) }

func row[T any](id string, v T) playbook.Row[T] { return playbook.Row[T]{ID: id, Value: v} }

const h = playbook.Duration(time.Hour)

// clean is a playbook in which lint finds nothing.
func clean() *playbook.Playbook {
	service := func(name string, needs ...string) playbook.Service {
		return playbook.Service{
			Name: name, Critical: playbook.Criticality{Level: playbook.Always}, RTO: 12 * h, RPO: 24 * h, Zone: "us-west-2a", Needs: needs,
			Probes:        playbook.Table[playbook.Spec]{row("home", *web())},
			Observability: playbook.Table[string]{row("metrics", "grafana")},
		}
	}
	api := service("Bookstore API", "database")
	api.Canary = spec("http", map[string]any{"url": "${api}/books/"})
	return &playbook.Playbook{
		Application: "bookstore",
		Environments: playbook.Table[playbook.Environment]{
			row("staging", playbook.Environment{Kind: playbook.NonProduction, Vars: playbook.Table[string]{row("api", "http://127.0.0.1:8001")}}),
			row("production", playbook.Environment{
				Kind: playbook.Production, Identity: playbook.Table[string]{row("region", "us-west-2")},
				Approvals: &playbook.Approvals{Count: 1},
			}),
		},
		Services: playbook.Table[playbook.Service]{row("api", api), row("database", service("Database"))},
		People: playbook.Table[playbook.Person]{
			row("alice", playbook.Person{Roles: playbook.Roles(), Services: []string{"all"}, Phone: "1", Available: hours("on-call")}),
			row("bob", playbook.Person{Services: []string{"api"}, Email: "bob@example.com", Available: hours("Mon-Fri 09:00-17:00")}),
		},
		Actions: playbook.Table[playbook.Action]{row("restart", playbook.Action{
			Text: "Restart the application", Expect: web(),
			Bindings: playbook.Table[playbook.Binding]{
				row("staging", playbook.Binding{Run: []string{"restart", "api"}}),
				row("production", playbook.Binding{Run: []string{"systemctl", "restart", "gunicorn"}}),
			},
		})},
		Scenarios: playbook.Table[playbook.Scenario]{row("api-failure", playbook.Scenario{
			Title: "API failure", Covers: []string{"api", "database"}, Severity: "critical", RTO: 12 * h, RPO: 24 * h,
			Leads:    playbook.Leads{Primary: "bob", Secondary: "alice"},
			Fault:    spec("process", map[string]any{"kill": "api"}),
			Recovery: []playbook.Step{{ID: "restart", Use: "restart"}},
			Test:     []playbook.Step{{ID: "works", Check: web()}},
			Resume:   []playbook.Step{{ID: "protected", Check: web()}},
		})},
	}
}

func svc(pb *playbook.Playbook, id string) *playbook.Service { s, _ := pb.Services.Get(id); return s }
func scn(pb *playbook.Playbook) *playbook.Scenario           { return &pb.Scenarios[0].Value }
func recovery(pb *playbook.Playbook, steps ...playbook.Step) { scn(pb).Recovery = steps }

// capturing is a step that sets ${instance}.
func capturing(s playbook.Step) playbook.Step {
	s.ID, s.Run, s.Expect = "launch", []string{"launch"}, web()
	s.Capture = playbook.Table[playbook.Capture]{row("instance", playbook.Capture{JSON: "$.id"})}
	return s
}

func using(id string) playbook.Step {
	return playbook.Step{ID: id, Run: []string{"connect", "${instance}"}, Expect: web()}
}

// cases has, for each rule, what triggers it and the nearest thing that does not.
var cases = []struct {
	id      string
	wrong   func(*playbook.Playbook)
	path    string
	message string
	near    func(*playbook.Playbook)
}{
	{
		"L001", func(pb *playbook.Playbook) { svc(pb, "database").RTO = 24 * h }, "services.database.rto",
		"the RTO of database is 24h, above the 12h of api, which needs it",
		func(pb *playbook.Playbook) { svc(pb, "api").RTO, scn(pb).RTO = 24*h, 12*h },
	},
	{
		"L002", func(pb *playbook.Playbook) { svc(pb, "database").RPO = 48 * h }, "services.database.rpo",
		"the RPO of database is 2d, above the 24h of api, which needs it",
		func(pb *playbook.Playbook) { svc(pb, "api").RPO = 48 * h },
	},
	{
		"L003", func(pb *playbook.Playbook) {
			scn(pb).RTO, svc(pb, "api").RTO, svc(pb, "database").RTO = 48*h, 48*h, 48*h
		}, "scenarios.api-failure.severity", "severity critical goes with an RTO of at most 24h, and the RTO is 2d",
		func(pb *playbook.Playbook) {
			scn(pb).RTO, svc(pb, "api").RTO, svc(pb, "database").RTO = 24*h, 24*h, 24*h
		},
	},
	{
		"L004", func(pb *playbook.Playbook) {
			scn(pb).RTO, svc(pb, "database").RTO = 13*h, 12*h
			svc(pb, "api").RTO = 13 * h
		},
		"scenarios.api-failure.rto", "the RTO is 13h, above the 12h of database, which it covers",
		func(pb *playbook.Playbook) { scn(pb).RTO = h },
	},
	{
		"L005", func(pb *playbook.Playbook) {
			pb.Services = append(pb.Services, row("cache", playbook.Service{
				Critical: playbook.Criticality{Level: playbook.Never}, Observability: svc(pb, "api").Observability,
			}))
		}, "services.cache", "cache is not critical, and nothing says how long the application tolerates its loss",
		func(pb *playbook.Playbook) {
			pb.Services = append(pb.Services, row("cache", playbook.Service{
				Tolerates: &playbook.Tolerance{For: h},
				Critical:  playbook.Criticality{Level: playbook.Never}, Observability: svc(pb, "api").Observability,
			}))
		},
	},
	{
		"L006", func(pb *playbook.Playbook) { svc(pb, "database").Critical.Level = playbook.Unknown }, "services.database.critical",
		"nobody has said whether database is critical: is a test planned?",
		func(pb *playbook.Playbook) { svc(pb, "database").Critical.Level = playbook.During },
	},
	{
		"L007", func(pb *playbook.Playbook) { svc(pb, "database").RTO = 0 }, "services.database", "database is critical and has no RTO",
		func(pb *playbook.Playbook) { svc(pb, "database").RTO, svc(pb, "database").Uses = 0, "platform/pg@v3" },
	},
	{
		"L008", func(pb *playbook.Playbook) { svc(pb, "api").Standby = "database" }, "services.api.standby",
		"the standby database of api is in the same zone, us-west-2a",
		func(pb *playbook.Playbook) {
			svc(pb, "api").Standby, svc(pb, "database").Zone = "database", "us-west-2b"
		},
	},
	{
		"L009", func(pb *playbook.Playbook) { svc(pb, "api").Observability = nil }, "services.api",
		"nothing says where to look at api: no metrics, logs or dashboards are named",
		func(pb *playbook.Playbook) {
			svc(pb, "api").Observability = playbook.Table[string]{row("logs", "journalctl -u api")}
		},
	},

	{
		"L101", func(pb *playbook.Playbook) {
			pb.People[0].Value.Available = hours("Mon-Fri 09:00-17:00; Sat-Sun 10:00-14:00 UTC")
		}, "scenarios.api-failure.leads",
		"no lead is available Mon-Thu 17:00-09:00, Fri 17:00-10:00, Sat 14:00-10:00, Sun 14:00-09:00 UTC (120 hours a week)",
		func(pb *playbook.Playbook) {
			pb.People[0].Value.Available = hours("daily 17:00-09:00; Sat-Sun 09:00-17:00")
		},
	},
	{
		"L102", func(pb *playbook.Playbook) { scn(pb).Leads = playbook.Leads{Primary: "alice", Secondary: "alice"} },
		"scenarios.api-failure.leads", "alice leads alone, without a deputy",
		func(pb *playbook.Playbook) { scn(pb).Leads = playbook.Leads{Primary: "alice", Secondary: "bob"} },
	},
	{
		"L103", func(pb *playbook.Playbook) { pb.People[1].Value.Email = "" }, "people.bob",
		"bob leads api-failure and has neither phone nor email",
		func(pb *playbook.Playbook) {
			pb.People = append(pb.People, row("carol", playbook.Person{})) // leads nothing
		},
	},
	{
		"L104", func(pb *playbook.Playbook) {
			pb.People[0].Value.Roles = []playbook.Role{"development", "operations", "stakeholder"}
		},
		"agreement.roles", "nobody holds the role testing, which must agree",
		func(pb *playbook.Playbook) {
			pb.People[0].Value.Roles = []playbook.Role{"stakeholder"}
			pb.Agreement.Roles = []playbook.Role{"stakeholder"}
		},
	},
	{
		"L105", func(pb *playbook.Playbook) { pb.People[1].Value.Available = nil }, "people.bob",
		"bob leads api-failure, and nothing says when bob is available",
		func(pb *playbook.Playbook) {
			pb.People[1].Value.Available, pb.People[1].Value.Rotation = nil, &playbook.Rotation{ICal: "x"}
		},
	},

	{
		"L201", func(pb *playbook.Playbook) { scn(pb).Covers = []string{"api"} }, "services.database",
		"database is critical and no scenario covers it",
		func(pb *playbook.Playbook) {
			scn(pb).Covers, svc(pb, "database").Critical.Level = []string{"api"}, playbook.Never
			svc(pb, "database").Tolerates = &playbook.Tolerance{For: h}
		},
	},
	{
		"L202", func(pb *playbook.Playbook) { scn(pb).Fault = nil }, "scenarios.api-failure",
		"api-failure says nothing about how an exercise produces this failure",
		func(pb *playbook.Playbook) {
			scn(pb).Fault = spec("command", map[string]any{"inject": []string{"stop"}})
		},
	},
	{
		"L203", func(pb *playbook.Playbook) { scn(pb).RecoversBy = playbook.ByReversal }, "scenarios.api-failure.recovers_by",
		"the fault process is one-shot: there is nothing to reverse",
		func(pb *playbook.Playbook) {
			scn(pb).RecoversBy, scn(pb).Fault = playbook.ByReversal, spec("process", map[string]any{"kill": nil, "stop": "api"})
		},
	},

	{
		"L301", func(pb *playbook.Playbook) {
			pb.Actions[0].Value.Bindings[1].Value.Run = []string{"ssh", "ec2-54-188-3-235.us-west-2.compute.amazonaws.com"}
		}, "actions.restart.production.run[1]", "host name ec2-54-188-3-235.us-west-2.compute.amazonaws.com is written out",
		func(pb *playbook.Playbook) {
			recovery(pb, playbook.Step{
				ID: "s", Run: []string{"curl", "http://127.0.0.1:80", "0.0.0.0", "::1", "${host}", "run-instances"},
				Expect: web(), Note: "it was 54.188.3.235", Example: "i-0123456789abcdef0",
			})
		},
	},
	{
		"L302", func(pb *playbook.Playbook) {
			scn(pb).Resume = []playbook.Step{{ID: "done", Manual: "The service is restored"}}
		},
		"scenarios.api-failure.resume", "the resume procedure has no action and no check",
		func(pb *playbook.Playbook) {
			scn(pb).Resume = []playbook.Step{{ID: "again", Manual: "Recreate the standby", Expect: web()}}
		},
	},
	{
		"L303", func(pb *playbook.Playbook) { recovery(pb, capturing(playbook.Step{Optional: true}), using("connect")) },
		"scenarios.api-failure.recovery[1].run[1]", "step connect uses ${instance}, which is not captured on every branch that leads to it",
		func(pb *playbook.Playbook) { recovery(pb, capturing(playbook.Step{}), using("connect")) },
	},
	{
		"L304", func(pb *playbook.Playbook) {
			recovery(pb, playbook.Step{ID: "a", Use: "restart", Then: playbook.Then{OK: "resume"}}, playbook.Step{ID: "b", Use: "restart"})
		}, "scenarios.api-failure.recovery[1]", "step b is never reached: every branch jumps past it",
		func(pb *playbook.Playbook) {
			recovery(pb, playbook.Step{ID: "a", Use: "restart", Then: playbook.Then{OK: "resume", Failed: "next"}}, playbook.Step{ID: "b", Use: "restart"})
		},
	},
	{
		"L305", func(pb *playbook.Playbook) { recovery(pb, playbook.Step{ID: "a", Run: []string{"restart"}}) },
		"scenarios.api-failure.recovery[0]", "step a acts, and neither it nor a step after it looks at the result",
		func(pb *playbook.Playbook) {
			recovery(pb, playbook.Step{ID: "a", Run: []string{"restart"}}, playbook.Step{ID: "w", Wait: 1}, playbook.Step{ID: "b", Check: web()})
		},
	},
	{
		"L306", func(pb *playbook.Playbook) { recovery(pb, playbook.Step{ID: "a", Approve: "Fail over?"}) },
		"scenarios.api-failure.recovery[0]", "step a needs an approval, and nothing says whose",
		func(pb *playbook.Playbook) {
			recovery(pb, playbook.Step{ID: "a", Approve: "Fail over?", By: "operations"})
		},
	},
	{
		"L307", func(pb *playbook.Playbook) {
			recovery(pb, playbook.Step{ID: "a", Manual: "Restart the rest as needed"})
		},
		"scenarios.api-failure.recovery[0].manual", `step a says "as needed": what exactly?`,
		func(pb *playbook.Playbook) {
			recovery(pb, playbook.Step{ID: "a", Manual: "Open the file handle with `lsof`"})
		},
	},
	{
		"L308", func(pb *playbook.Playbook) { pb.Actions[0].Value.Bindings = pb.Actions[0].Value.Bindings[:1] }, "actions.restart",
		"action restart has no binding in environment production",
		func(pb *playbook.Playbook) {
			pb.Actions = append(pb.Actions, row("unused", playbook.Action{Text: "Nobody uses it"}))
		},
	},
	{
		"L309", func(pb *playbook.Playbook) { scn(pb).Test = []playbook.Step{{ID: "look", Manual: "Look at the page"}} },
		"scenarios.api-failure.test", "the test procedure checks nothing",
		func(pb *playbook.Playbook) { scn(pb).Test = []playbook.Step{{ID: "use", Use: "restart"}} },
	},
	{
		"L310", func(pb *playbook.Playbook) { scn(pb).Recovery[0].NoReturn = true }, "scenarios.api-failure.recovery[0].no_return",
		"after step restart there is no way back, and no backout",
		func(pb *playbook.Playbook) {
			scn(pb).Recovery[0].NoReturn, scn(pb).Backout = true, []playbook.Step{{ID: "back", Use: "restart"}}
		},
	},

	{
		"L401", func(pb *playbook.Playbook) { svc(pb, "database").Probes = nil }, "scenarios.api-failure.covers",
		"database is covered and has no probe",
		func(pb *playbook.Playbook) {
			pb.Services = append(pb.Services, row("mail", playbook.Service{Uses: "platform/mail@v1", Critical: playbook.Criticality{Level: playbook.Always}}))
		},
	},
	{
		"L402", func(pb *playbook.Playbook) { svc(pb, "api").Canary = nil }, "scenarios.api-failure.rpo",
		"the RPO is 24h, and no canary measures what is lost",
		func(pb *playbook.Playbook) { scn(pb).RPO, svc(pb, "api").Canary = 0, nil },
	},
	{
		"L403", func(pb *playbook.Playbook) {
			scn(pb).RTO = playbook.Duration(25 * time.Second)
			pb.Environments[0].Value.Measure = playbook.Pace{Period: playbook.Duration(time.Second), Timeout: playbook.Duration(time.Second)}
		}, "scenarios.api-failure.rto",
		"the RTO is 25s, and in production an outage is seen only to 3s (period 1s + timeout 2s), more than a tenth of it",
		func(pb *playbook.Playbook) { scn(pb).RTO = playbook.Duration(30 * time.Second) },
	},

	{
		"L501", func(pb *playbook.Playbook) { pb.Environments[1].Value.Identity = nil }, "environments.production",
		"production is production and pins no identity",
		func(pb *playbook.Playbook) {
			pb.Environments[1].Value.Kind, pb.Environments[1].Value.Identity = playbook.NonProduction, nil
		},
	},
	{
		"L502", func(pb *playbook.Playbook) { pb.Environments[1].Value.Approvals.Count = 0 }, "environments.production",
		"production is production and needs nobody's approval",
		func(pb *playbook.Playbook) { pb.Environments[0].Value.Approvals = nil },
	},
}

func TestEachRule(t *testing.T) {
	tested := map[string]bool{}
	for _, tt := range cases {
		tested[tt.id] = true
		t.Run(tt.id, func(t *testing.T) {
			pb := clean()
			tt.wrong(pb)
			var got []Finding
			for _, f := range Check(pb) {
				if f.ID == tt.id {
					got = append(got, f)
				}
			}
			if len(got) != 1 || got[0].Path != tt.path || got[0].Message != tt.message {
				t.Errorf("found %+v\nwant one at %s: %s", got, tt.path, tt.message)
			}
			pb = clean()
			tt.near(pb)
			for _, f := range Check(pb) {
				if f.ID == tt.id {
					t.Errorf("the near miss is reported at %s: %s", f.Path, f.Message)
				}
			}
		})
	}
	for _, r := range Rules() {
		if !tested[r.ID] {
			t.Errorf("rule %s (%s) has no fixture", r.ID, r.Name)
		}
	}
}

func TestCleanPlaybook(t *testing.T) {
	for _, f := range Check(clean()) {
		t.Errorf("%s at %s: %s", f.ID, f.Path, f.Message)
	}
}

func TestRulesAreDocumentedAndInOrder(t *testing.T) {
	last := ""
	for _, r := range Rules() {
		if r.ID <= last {
			t.Errorf("%s comes after %s", r.ID, last)
		}
		last = r.ID
		if r.Name == "" || r.Why == "" || r.Hint == "" || r.Severity != Blocker && r.Severity != Risk {
			t.Errorf("%s is not documented: %+v", r.ID, r)
		}
		for _, s := range []string{r.Name, r.Why, r.Hint} {
			if strings.HasSuffix(s, ".") || s != strings.TrimSpace(s) {
				t.Errorf("%s: %q ends with a full stop or a space", r.ID, s)
			}
		}
	}
}

// TestCapturesOnBranches walks the ways in which a value can be missing.
func TestCapturesOnBranches(t *testing.T) {
	launch, connect := capturing(playbook.Step{}), using("connect")
	ask := func(gotos ...playbook.Jump) playbook.Step {
		s := playbook.Step{ID: "ask", Ask: "What failed?"}
		for i, g := range gotos {
			s.Options = append(s.Options, row(string(rune('a'+i)), playbook.Option{Goto: g}))
		}
		return s
	}
	failing := launch
	failing.Then.Failed = "connect"
	same := launch
	same.Run = []string{"launch", "${instance}"}
	seen := launch
	seen.Expect = spec("http", map[string]any{"url": "http://${instance}/"})
	back := launch
	back.NoReturn = true
	tests := []struct {
		name  string
		build func(*playbook.Scenario)
		want  []string
	}{
		{
			"an option jumps past the capture", func(s *playbook.Scenario) { s.Recovery = []playbook.Step{ask("next", "connect"), launch, connect} },
			[]string{"scenarios.api-failure.recovery[2].run[1]"},
		},
		{"all options pass it", func(s *playbook.Scenario) {
			s.Recovery = []playbook.Step{ask("next", "stop", "launch"), launch, connect}
		}, nil},
		{
			"the failed branch has no value", func(s *playbook.Scenario) { s.Recovery = []playbook.Step{failing, connect} },
			[]string{"scenarios.api-failure.recovery[1].run[1]"},
		},
		{
			"a step cannot use what it captures", func(s *playbook.Scenario) { s.Recovery = []playbook.Step{same} },
			[]string{"scenarios.api-failure.recovery[0].run[1]"},
		},
		{"but what it expects can", func(s *playbook.Scenario) { s.Recovery = []playbook.Step{seen} }, nil},
		{"the test runs after every end", func(s *playbook.Scenario) {
			s.Recovery, s.Test = []playbook.Step{ask("next", "resume"), launch}, []playbook.Step{connect}
		}, []string{"scenarios.api-failure.test[0].run[1]"}},
		{"the test after the one end", func(s *playbook.Scenario) {
			s.Recovery, s.Test = []playbook.Step{ask("next", "stop"), launch}, []playbook.Step{connect}
		}, nil},
		{"the backout after a step of no return", func(s *playbook.Scenario) {
			s.Recovery, s.Backout = []playbook.Step{back}, []playbook.Step{connect}
		}, []string{"scenarios.api-failure.backout[0].run[1]"}},
		{"unreachable steps say nothing more", func(s *playbook.Scenario) { s.Recovery = []playbook.Step{ask("stop"), connect, launch} }, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pb := clean()
			tt.build(scn(pb))
			var got []string
			for _, f := range Check(pb) {
				if f.ID == "L303" {
					got = append(got, f.Path)
				}
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("found %v, want %v", got, tt.want)
			}
		})
	}
}

// TestCaptureInOneEnvironment: the binding of one environment captures the value and that of the other does not.
func TestCaptureInOneEnvironment(t *testing.T) {
	pb := clean()
	pb.Actions[0].Value.Bindings[1].Value.Capture = playbook.Table[playbook.Capture]{row("instance", playbook.Capture{})}
	recovery(pb, playbook.Step{ID: "restart", Use: "restart"}, playbook.Step{ID: "dns", Manual: "Point the name to ${instance}"},
		capturing(playbook.Step{}))
	found := Blockers(Check(pb))
	want := "step dns uses ${instance} in staging, which is not captured on every branch that leads to it"
	if len(found) != 1 || found[0].Message != want {
		t.Errorf("found %+v, want %s", found, want)
	}
}

func TestLiterals(t *testing.T) {
	for text, want := range map[string][]string{
		"532151327118   r-0e57eca4a2e78d479":                             {"resource r-0e57eca4a2e78d479", "account 532151327118"},
		"--image-id ami-087ff330c90e99ac5 --subnet-id subnet-47ebaf0c":   {"resource ami-087ff330c90e99ac5", "resource subnet-47ebaf0c"},
		"sg-25268a50 sg-25268a50":                                        {"resource sg-25268a50"},
		"http://54.188.3.235:8000/":                                      {"address 54.188.3.235"},
		"ssh fd00:12::7 or 2001:db8::1.":                                 {"address fd00:12::7", "address 2001:db8::1"},
		"127.0.0.1 ::1 0.0.0.0 :: 10:20:30 300.1.1.1 a::b::c":            nil,
		"PostgreSQL 10.4, release 1.2.3, in us-west-2a, ami-from-backup": nil,
	} {
		var got []string
		for _, l := range findLiterals(text) {
			got = append(got, l.what+" "+l.value)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q: found %q, want %q", text, got, want)
		}
	}
}
