package doctor_test

import (
	"testing"

	"github.com/belay-dr/belay/doctor"
)

func TestJudge(t *testing.T) {
	risk, blocker := doctor.Finding{Severity: doctor.Risk}, doctor.Finding{Severity: doctor.Blocker}
	for _, test := range []struct {
		name     string
		checks   int
		findings []doctor.Finding
		want     doctor.Verdict
	}{
		{"nothing was looked at", 0, nil, doctor.Blocked},
		{"nothing was looked at, and there is a risk", 0, []doctor.Finding{risk}, doctor.Blocked},
		{"all is well", 3, nil, doctor.Clear},
		{"a risk", 3, []doctor.Finding{risk}, doctor.ClearWithRisks},
		{"a blocker", 3, []doctor.Finding{blocker}, doctor.Blocked},
		{"a blocker before a risk", 3, []doctor.Finding{blocker, risk}, doctor.Blocked},
		{"a risk before a blocker", 3, []doctor.Finding{risk, blocker}, doctor.Blocked},
	} {
		if got := doctor.Judge(test.checks, test.findings); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}
