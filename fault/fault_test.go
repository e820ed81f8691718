package fault_test

import (
	"encoding/json"
	"testing"

	"github.com/belay-dr/belay/fault"
)

func TestSpecJSON(t *testing.T) {
	const text = `{"process":{"kill":{"pid_file":"/run/app.pid"}}}`
	var s fault.Spec
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatal(err)
	}
	if s.Kind != "process" || string(s.Config) != `{"kill":{"pid_file":"/run/app.pid"}}` {
		t.Errorf("it reads %s %s", s.Kind, s.Config)
	}
	b, err := json.Marshal(s)
	if err != nil || string(b) != text {
		t.Errorf("it writes %s, %v", b, err)
	}
	for _, bad := range []string{`{}`, `{"a": 1, "b": 2}`, `[]`, `"kill"`} {
		if err := json.Unmarshal([]byte(bad), &s); err == nil {
			t.Errorf("%s is taken for a fault", bad)
		}
	}
}
