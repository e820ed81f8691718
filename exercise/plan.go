package exercise

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/measure"
)

// MachineVersion is the version of Step. A state made by another version is not continued.
const MachineVersion = 3

// Plan is an exercise before it begins: everything that it needs to know, frozen. It is plain data; two plans with the
// same JSON are the same plan.
type Plan struct {
	Machine     int    `json:"machine"`
	ID          string `json:"id"`
	Application string `json:"application"`
	Scenario    string `json:"scenario"`
	Title       string `json:"title"`
	Class       string `json:"class"`
	Severity    string `json:"severity,omitempty"`
	Environment string `json:"environment"`
	Production  bool   `json:"production,omitempty"`
	Mode        Mode   `json:"mode"`
	Runner      string `json:"runner"`
	// Lead is the person who runs the recovery.
	Lead string `json:"lead,omitempty"`
	// Planned is the wall clock when the plan was frozen; for display only.
	Planned time.Time `json:"planned"`

	// Identity is what must be seen live before the fault and before each step.
	Identity map[string]string `json:"identity,omitempty"`

	Covers []string `json:"covers"`
	// Probes tell from outside whether it works. The primary ones decide; others are shown.
	Probes []Probe `json:"probes"`
	// Canaries write through the covered services so that loss can be measured. The first one decides.
	Canaries []Canary `json:"canaries,omitempty"`
	// Assumptions are looked at before the fault.
	Assumptions []Assumption `json:"assumptions,omitempty"`
	// Fault is what the exercise breaks, and Limit the longest time it may be held.
	Fault *fault.Spec   `json:"fault,omitempty"`
	Limit time.Duration `json:"limit_ns"`

	// Nodes are the steps of all procedures: recovery, test, resume, backout, each in order.
	Nodes []Node `json:"nodes"`

	Pace measure.Pace `json:"pace"`
	// Baseline is how long the service must have been steady before the fault, without a single failing probe. BaselineLimit is
	// how long that is waited for; nothing is broken meanwhile.
	Baseline      time.Duration `json:"baseline_ns"`
	BaselineLimit time.Duration `json:"baseline_limit_ns"`
	// TimeBox ends an exercise that is still going on.
	TimeBox time.Duration `json:"time_box_ns"`
	// Grace is how long after the fault the service may still look healthy.
	Grace      time.Duration `json:"grace_ns"`
	RTO        time.Duration `json:"rto_ns,string"`
	RPO        time.Duration `json:"rpo_ns,string"`
	RecoversBy string        `json:"recovers_by"`

	// Notices say who is to be told when the disaster is declared. Belay shows them; it sends nothing.
	Notices []Notice `json:"notices,omitempty"`

	// Closure and Substance are digests of the playbook; Parts are the closure's, part by part.
	Closure   string            `json:"closure"`
	Substance string            `json:"substance"`
	Parts     map[string]string `json:"parts,omitempty"`
}

// Probe is one probe of one service.
type Probe struct {
	// Name is service/probe.
	Name    string `json:"name"`
	Service string `json:"service"`
	Check
	Primary bool `json:"primary,omitempty"`
}

// Canary is the canary of one service.
type Canary struct {
	Service string `json:"service"`
	Check
}

// Check is something of a kind that another room knows: a probe, a canary or a check with its config.
type Check struct {
	Kind   string          `json:"kind"`
	Config json.RawMessage `json:"config"`
}

// Assumption is something the recovery relies on.
type Assumption struct {
	Text  string `json:"text"`
	Check *Check `json:"check,omitempty"`
}

// Notice is a notification of the playbook whose condition holds for the scenario.
type Notice struct {
	// When is the condition, as it is written.
	When   string        `json:"when"`
	Who    []string      `json:"who"`
	How    []string      `json:"how,omitempty"`
	Within time.Duration `json:"within_ns,omitempty"`
	Why    string        `json:"why,omitempty"`
	// Text is the message.
	Text string `json:"text,omitempty"`
}

// The procedures of a scenario, as Node.Procedure names them.
const (
	Recovery = "recovery"
	Test     = "test"
	Resume   = "resume"
	Backout  = "backout"
)

// NodeKind is what a step is in the chosen environment.
type NodeKind string

// The kinds of node.
const (
	NodeManual  NodeKind = "manual"
	NodeRun     NodeKind = "run"
	NodeCheck   NodeKind = "check"
	NodeAsk     NodeKind = "ask"
	NodeApprove NodeKind = "approve"
	NodeWait    NodeKind = "wait"
	NodeNotify  NodeKind = "notify"
)

// Node is one step of a procedure, resolved to the environment's binding. Placeholders of the environment are
// expanded; those of captures are expanded when the step begins.
type Node struct {
	ID        string   `json:"id"`
	Procedure string   `json:"procedure"`
	Kind      NodeKind `json:"kind"`
	// Text says in words what the step does.
	Text    string   `json:"text"`
	Note    string   `json:"note,omitempty"`
	Example string   `json:"example,omitempty"`
	Argv    []string `json:"argv,omitempty"`
	Shell   string   `json:"shell,omitempty"`
	Where   string   `json:"where,omitempty"`
	Check   *Check   `json:"check,omitempty"`
	// Options are the answers of a decision, in the order in which they are tried.
	Options []Option      `json:"options,omitempty"`
	Wait    time.Duration `json:"wait_ns,omitempty"`
	To      []string      `json:"to,omitempty"`

	Optional bool          `json:"optional,omitempty"`
	If       *Check        `json:"if,omitempty"`
	Expect   *Check        `json:"expect,omitempty"`
	Captures []Capture     `json:"captures,omitempty"`
	Secrets  []Secret      `json:"secrets,omitempty"`
	Timeout  time.Duration `json:"timeout_ns"`
	Retry    int           `json:"retry,omitempty"`
	Repeat   string        `json:"repeat"`
	By       string        `json:"by,omitempty"`
	NoReturn bool          `json:"no_return,omitempty"`
	// OK and Failed are where to go: next, resume, stop, end (of a called scenario is a step's ID), or a step's ID.
	OK     string `json:"ok"`
	Failed string `json:"failed"`
}

// Option is one answer to a decision.
type Option struct {
	ID   string `json:"id"`
	Text string `json:"text,omitempty"`
	If   *Check `json:"if,omitempty"`
	Goto string `json:"goto"`
}

// Capture is a value taken out of a step's output. JSON and Regexp empty means the whole output, trimmed.
type Capture struct {
	Name      string `json:"name"`
	JSON      string `json:"json,omitempty"`
	Regexp    string `json:"regexp,omitempty"`
	Sensitive bool   `json:"sensitive,omitempty"`
}

// Secret is where a secret is found when a step runs. The step gets it as an environment variable.
type Secret struct {
	Name string `json:"name"`
	File string `json:"file,omitempty"`
	Env  string `json:"env,omitempty"`
}

// Digest is the SHA-256 of the plan's JSON, in lower-case hexadecimal.
func (p Plan) Digest() string { return p.digest("") }

// digest leaves out every place where a text stands, unless it is empty.
func (p Plan) digest(without string) string {
	b, err := json.Marshal(p)
	if err != nil {
		panic("exercise: a plan is always JSON: " + err.Error())
	}
	if without != "" {
		b = bytes.ReplaceAll(b, []byte(without), nil)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Intent is the digest of what would be done, whoever runs it and whenever: what an approval is bound to.
func (p Plan) Intent() string {
	id := p.ID
	p.ID, p.Runner, p.Planned = "", "", time.Time{}
	return p.digest(id)
}

// Primaries are the names of the probes that decide.
func (p Plan) Primaries() []string {
	var names []string
	for _, probe := range p.Probes {
		if probe.Primary {
			names = append(names, probe.Name)
		}
	}
	return names
}

// node returns the index of the node with the ID, or -1.
func (p Plan) node(id string) int {
	for i := range p.Nodes {
		if p.Nodes[i].ID == id {
			return i
		}
	}
	return -1
}

// first returns the index of the procedure's first node, or -1 when it has none.
func (p Plan) first(procedure string) int {
	for i := range p.Nodes {
		if p.Nodes[i].Procedure == procedure {
			return i
		}
	}
	return -1
}

// ByPeople lists the steps of the procedures recovery, test and resume that need a person, optional ones aside. An
// exercise is automatic only when there are none.
func (p Plan) ByPeople() []string {
	var ids []string
	for _, n := range p.Nodes {
		person := n.Kind == NodeManual || n.Kind == NodeApprove
		if person && !n.Optional && n.Procedure != Backout {
			ids = append(ids, n.ID)
		}
	}
	return ids
}
