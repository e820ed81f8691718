package e2e

import "time"

// The shapes that docs/reference/json.md promises, written down a second time on purpose: a field that is renamed in the
// product must fail here.

type assessment struct {
	Stage    *int        `json:"stage"`
	Criteria []criterion `json:"criteria"`
	Next     string      `json:"next"`
	Lost     []string    `json:"lost"`
}

type criterion struct {
	ID       string   `json:"id"`
	Stage    int      `json:"stage"`
	State    string   `json:"state"`
	Evidence []string `json:"evidence"`
	Why      string   `json:"why"`
	Next     string   `json:"next"`
}

type exercise struct {
	ID          string     `json:"id"`
	Scenario    string     `json:"scenario"`
	Environment string     `json:"environment"`
	Mode        string     `json:"mode"`
	Verdict     string     `json:"verdict"`
	Why         string     `json:"why"`
	Objective   string     `json:"objective"`
	Procedure   string     `json:"procedure"`
	Attribution string     `json:"attribution"`
	OutageMS    []*float64 `json:"outage_ms"`
	Loss        *struct {
		Rows   *int       `json:"rows"`
		SpanMS []*float64 `json:"span_ms"`
	} `json:"loss"`
	SplitMS map[string]*float64 `json:"split_ms"`
	RTOMS   *int64              `json:"rto_ms"`
	RPOMS   *int64              `json:"rpo_ms"`
	Started time.Time           `json:"started"`
	Ended   time.Time           `json:"ended"`
	Fault   struct {
		State      string   `json:"state"`
		Class      string   `json:"class"`
		Superseded []string `json:"superseded"`
		Residue    []string `json:"residue"`
	} `json:"fault"`
	Deviations []string `json:"deviations"`
}

type demonstration struct {
	Stage     *int        `json:"stage"`
	Criteria  []criterion `json:"criteria"`
	Exercises []exercise  `json:"exercises"`
	Ledger    string      `json:"ledger"`
}

type faults struct {
	Faults []struct {
		ID     string `json:"id"`
		Target string `json:"target"`
		Class  string `json:"class"`
		State  string `json:"state"`
		Since  string `json:"since"`
	} `json:"faults"`
}
