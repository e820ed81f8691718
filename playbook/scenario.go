package playbook

// Scenario is one failure and the way back from it.
type Scenario struct {
	// Title is the scenario in words, for example "Bookstore API failure".
	Title string `yaml:"scenario" json:"scenario"`
	// Class is disaster-recovery, critical-dependency or non-critical-dependency.
	Class Class `yaml:"class" json:"class"`
	// Covers are the services whose failure this is.
	Covers []string `yaml:"covers" json:"covers"`
	// RecoversBy says what is expected to bring the service back: procedure, platform or reversal.
	RecoversBy Attribution `yaml:"recovers_by,omitempty" json:"recovers_by,omitempty"`
	Leads      Leads       `yaml:"leads" json:"leads"`
	// Severity is a level of the stated scale.
	Severity string       `yaml:"severity" json:"severity"`
	RTO      Duration     `yaml:"rto" json:"rto"`
	RPO      Duration     `yaml:"rpo" json:"rpo"`
	Overview []string     `yaml:"overview,omitempty" json:"overview,omitempty"`
	Assume   []Assumption `yaml:"assumptions,omitempty" json:"assumptions,omitempty"`
	// Platform is what the recovery needs to run on.
	Platform string `yaml:"platform,omitempty" json:"platform,omitempty"`
	// Fault is how an exercise produces this failure. Placeholders make it fit each environment.
	Fault *Spec `yaml:"fault,omitempty" json:"fault,omitempty" kind:"fault"`

	// Recovery brings the service back. It ends at its last step or at a jump to "resume".
	Recovery []Step `yaml:"recovery" json:"recovery"`
	// Test proves that the system works again. It always runs after the recovery and before Resume.
	Test []Step `yaml:"test" json:"test"`
	// Resume goes back to normal service.
	Resume []Step `yaml:"resume,omitempty" json:"resume,omitempty"`
	// Backout is what to do when stopped after a step of no return.
	Backout []Step `yaml:"backout,omitempty" json:"backout,omitempty"`
}

// Class is the kind of scenario.
type Class string

// The classes of scenario.
const (
	DisasterRecovery      Class = "disaster-recovery"
	CriticalDependency    Class = "critical-dependency"
	NonCriticalDependency Class = "non-critical-dependency"
)

// Attribution is what brought, or is expected to bring, a service back.
type Attribution string

// What a recovery can be attributed to. The zero value in a scenario means ByProcedure.
const (
	ByProcedure Attribution = "procedure"
	ByPlatform  Attribution = "platform"
	ByReversal  Attribution = "reversal"
)

// Leads are the people who run the recovery.
type Leads struct {
	Primary   string `yaml:"primary" json:"primary"`
	Secondary string `yaml:"secondary,omitempty" json:"secondary,omitempty"`
}

// Assumption is something the recovery relies on, with a check where one is possible.
type Assumption struct {
	Text  string `yaml:"text" json:"text"`
	Check *Spec  `yaml:"check,omitempty" json:"check,omitempty" kind:"check"`
}

// Step is one line of a procedure. Exactly one of Manual, Use, Run, Shell, Check, Ask, Approve, Wait,
// Notify and Call is set.
type Step struct {
	// ID is stable: exercises, captures and jumps refer to it. It is unique within the scenario.
	ID string `yaml:"id" json:"id"`

	// Manual is what a person does, in words.
	Manual string `yaml:"manual,omitempty" json:"manual,omitempty"`
	// Use names an action, whose binding for the environment is carried out.
	Use string `yaml:"use,omitempty" json:"use,omitempty"`
	// Run is a command, as an argument list; no shell is involved.
	Run []string `yaml:"run,omitempty" json:"run,omitempty" text:"any"`
	// Shell is a command for /bin/sh -c, for the rare step that needs one.
	Shell string `yaml:"shell,omitempty" json:"shell,omitempty"`
	// Check is something to be verified.
	Check *Spec `yaml:"check,omitempty" json:"check,omitempty" kind:"check"`
	// Ask is a decision: the question. Options are its answers.
	Ask string `yaml:"ask,omitempty" json:"ask,omitempty"`
	// Approve is a question that a person other than the runner answers with yes.
	Approve string `yaml:"approve,omitempty" json:"approve,omitempty"`
	// Wait is a pause of fixed length.
	Wait Duration `yaml:"wait,omitempty" json:"wait,omitempty"`
	// Notify is a message for the people and vendors in To.
	Notify string   `yaml:"notify,omitempty" json:"notify,omitempty"`
	To     []string `yaml:"to,omitempty" json:"to,omitempty"`
	// Call is another scenario whose recovery is carried out here.
	Call string `yaml:"call,omitempty" json:"call,omitempty"`

	// Options are the answers of Ask, in the order in which they are tried.
	Options Table[Option] `yaml:"options,omitempty" json:"options,omitempty"`

	// Text says in words what the step does, where its kind alone does not.
	Text string `yaml:"text,omitempty" json:"text,omitempty"`
	// Note is advice that lapses nothing when it changes.
	Note string `yaml:"note,omitempty" json:"note,omitempty"`
	// Example shows what the output looks like, for a person.
	Example string `yaml:"example,omitempty" json:"example,omitempty"`
	// Optional steps may be skipped by a person, with a reason; automatic mode skips them unless If holds.
	Optional bool `yaml:"optional,omitempty" json:"optional,omitempty"`
	// If lets automatic mode decide whether an optional step is carried out.
	If *Spec `yaml:"if,omitempty" json:"if,omitempty" kind:"check"`
	// Expect is what must be seen after the step; it is asked again until Timeout.
	Expect *Spec `yaml:"expect,omitempty" json:"expect,omitempty" kind:"check"`
	// Capture takes values out of the step's output, for ${name} in later steps.
	Capture Table[Capture] `yaml:"capture,omitempty" json:"capture,omitempty"`
	// Timeout bounds the step with its Expect. Zero means DefaultStepTimeout.
	Timeout Duration `yaml:"timeout,omitempty" json:"timeout,omitempty"`
	// Retry is how many more times a failed step is tried.
	Retry int `yaml:"retry,omitempty" json:"retry,omitempty"`
	// Repeat says what to do when it is not known whether the step was carried out. Zero means RepeatAsk.
	Repeat Repeat `yaml:"repeat,omitempty" json:"repeat,omitempty"`
	// By is the role or person who does it.
	By string `yaml:"by,omitempty" json:"by,omitempty"`
	// Where is the place it is done: empty for here, or a URL such as ssh://host.
	Where string `yaml:"where,omitempty" json:"where,omitempty"`
	// Then says where to go after it.
	Then Then `yaml:"then,omitempty" json:"then,omitempty"`
	// NoReturn marks a step after which STOP runs the backout instead of reverting.
	NoReturn bool `yaml:"no_return,omitempty" json:"no_return,omitempty"`
}

// Then is where a procedure goes after a step. In YAML it may be written as the jump of OK alone.
type Then struct {
	// OK is where to go when the step succeeded. Empty means Next.
	OK Jump `yaml:"ok,omitempty" json:"ok,omitempty"`
	// Failed is where to go when it did not. Empty means Stop.
	Failed Jump `yaml:"failed,omitempty" json:"failed,omitempty"`
}

// Jump is the identifier of a later step of the same procedure, or one of the names below.
type Jump string

// The named jumps.
const (
	// Next goes on with the following step.
	Next Jump = "next"
	// ToResume ends the recovery: the test procedure runs, then the resume procedure.
	ToResume Jump = "resume"
	// Stop ends the procedure as failed.
	Stop Jump = "stop"
)

// Option is one answer to a decision. In YAML it may be written as its jump alone.
type Option struct {
	Text string `yaml:"text,omitempty" json:"text,omitempty"`
	// If lets automatic mode choose it; the first option whose If holds wins, an option without If always holds.
	If   *Spec `yaml:"if,omitempty" json:"if,omitempty" kind:"check"`
	Goto Jump  `yaml:"goto,omitempty" json:"goto,omitempty"`
}

// Capture is where a value is taken from the step's output. In YAML it may be written as its JSON path alone.
// Exactly one of JSON and Regexp is set; both empty means the whole output, trimmed.
type Capture struct {
	// JSON is a path such as $.Instances[0].InstanceId.
	JSON string `yaml:"json,omitempty" json:"json,omitempty"`
	// Regexp has one group, which is the value.
	Regexp string `yaml:"regexp,omitempty" json:"regexp,omitempty"`
	// Sensitive values are kept by reference and never written down.
	Sensitive bool `yaml:"sensitive,omitempty" json:"sensitive,omitempty"`
}

// Repeat says whether a step may be carried out twice.
type Repeat string

// What may be done with a step that was started and never reported.
const (
	RepeatSafe  Repeat = "safe"
	RepeatCheck Repeat = "check"
	RepeatAsk   Repeat = "ask"
	RepeatNever Repeat = "never"
)

// Action is one thing a step can use: one text, one binding per environment.
type Action struct {
	Text   string `yaml:"text" json:"text"`
	Note   string `yaml:"note,omitempty" json:"note,omitempty"`
	Expect *Spec  `yaml:"expect,omitempty" json:"expect,omitempty" kind:"check"`
	Repeat Repeat `yaml:"repeat,omitempty" json:"repeat,omitempty"`
	// Timeout bounds the action with its Expect.
	Timeout Duration `yaml:"timeout,omitempty" json:"timeout,omitempty"`
	// Bindings are the action's other keys: each is the name of an environment.
	Bindings Table[Binding] `yaml:",environments" json:"bindings"`
}

// Binding is what an action is in one environment. Exactly one of Run, Shell, Manual and Check is set.
type Binding struct {
	Run     []string       `yaml:"run,omitempty" json:"run,omitempty" text:"any"`
	Shell   string         `yaml:"shell,omitempty" json:"shell,omitempty"`
	Manual  string         `yaml:"manual,omitempty" json:"manual,omitempty"`
	Check   *Spec          `yaml:"check,omitempty" json:"check,omitempty" kind:"check"`
	Where   string         `yaml:"where,omitempty" json:"where,omitempty"`
	Expect  *Spec          `yaml:"expect,omitempty" json:"expect,omitempty" kind:"check"`
	Example string         `yaml:"example,omitempty" json:"example,omitempty"`
	Capture Table[Capture] `yaml:"capture,omitempty" json:"capture,omitempty"`
	// Secrets names secrets of the environment that the command gets as environment variables.
	Secrets []string `yaml:"secrets,omitempty" json:"secrets,omitempty"`
}
