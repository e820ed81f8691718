package playbook_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belay-dr/belay/playbook"
)

// services makes a playbook from lines such as "api 2h: database cdn".
func services(lines ...string) *playbook.Playbook {
	pb := &playbook.Playbook{}
	for _, line := range lines {
		head, needs, _ := strings.Cut(line, ":")
		id, rto, _ := strings.Cut(head, " ")
		length, _ := time.ParseDuration(rto)
		pb.Services = append(pb.Services, playbook.Row[playbook.Service]{ID: id, Value: playbook.Service{
			RTO: playbook.Duration(length), Needs: strings.Fields(needs), Critical: playbook.Criticality{Level: playbook.Always},
		}})
	}
	return pb
}

func TestNeedsAndSupports(t *testing.T) {
	pb := services("web 1h: api cdn", "api 1h: db cache", "db 1h: disk", "cache 1h: disk", "cdn 1h", "disk 1h", "ring 1h: ring2", "ring2 1h: ring")
	for _, c := range []struct {
		name      string
		got, want []string
	}{
		{"needs web", pb.Needs("web"), []string{"api", "cdn", "db", "cache", "disk"}},
		{"needs disk", pb.Needs("disk"), nil},
		{"needs two", pb.Needs("db", "cdn"), []string{"disk"}},
		{"needs in a circle", pb.Needs("ring"), []string{"ring2"}},
		{"needs of nothing known", pb.Needs("nothing"), nil},
		{"supports disk", pb.Supports("disk"), []string{"db", "cache", "api", "web"}},
		{"supports web", pb.Supports("web"), nil},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestAchievableRTO(t *testing.T) {
	pb := services("web 1h: api cdn", "api 2h: db", "db 3h", "cdn 24h", "loop 1h: loop")
	got := pb.AchievableRTO("web")
	want := playbook.Achievable{
		Promised: playbook.Duration(time.Hour), Serial: playbook.Duration(25 * time.Hour), Parallel: playbook.Duration(24 * time.Hour), Path: []string{"web", "cdn"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	pb.Services[3].Value.Critical.Level = playbook.Never
	if got := pb.AchievableRTO("web"); got.Serial.String() != "6h" || got.Parallel.String() != "3h" || len(got.Path) != 3 {
		t.Errorf("without the CDN: %+v", got)
	}
	if got := pb.AchievableRTO("loop"); got.Serial.String() != "1h" {
		t.Errorf("in a circle: %+v", got)
	}
}

// TestAchievableRTOOfManyLayers would not end if each way through the layers were walked.
func TestAchievableRTOOfManyLayers(t *testing.T) {
	var lines []string
	for layer := 'a'; layer < 'z'; layer++ {
		for _, n := range "012" {
			below := string(layer + 1)
			lines = append(lines, string(layer)+string(n)+" 1h: "+below+"0 "+below+"1 "+below+"2")
		}
	}
	lines = append(lines, "z0 1h", "z1 1h", "z2 2h")
	if got := services(lines...).AchievableRTO("a0"); got.Serial.String() != "27h" || len(got.Path) != 26 {
		t.Errorf("got %+v", got)
	}
}

func TestConditions(t *testing.T) {
	pb := &playbook.Playbook{}
	for text, want := range map[string]string{
		"always": "critical major minor", "severity >= major": "critical major", "severity > major": "critical", "severity <= major": "major minor",
		"severity < major": "minor", "severity = major": "major", "severity != major": "critical minor",
	} {
		condition, err := playbook.ParseCondition(text)
		if err != nil {
			t.Fatal(err)
		}
		var holds []string
		for _, level := range pb.Scale().IDs() {
			if pb.Holds(condition, level) {
				holds = append(holds, level)
			}
		}
		if got := strings.Join(holds, " "); got != want {
			t.Errorf("%s: holds for %s, want %s", text, got, want)
		}
	}
}

func TestPaceFillsInWhatIsMissing(t *testing.T) {
	if diff := cmp.Diff(playbook.DefaultPace(), playbook.Pace{}.OrDefault()); diff != "" {
		t.Error(diff)
	}
	slow := playbook.Pace{Period: playbook.Duration(10 * time.Second), Timeout: playbook.Duration(5 * time.Second)}.OrDefault()
	if slow.Window.String() != "25s" {
		t.Errorf("the window of a slow pace is %s", slow.Window)
	}
}
