package playbook

// Playbook is one application's playbook: belay.yaml and the files under scenarios/.
type Playbook struct {
	// Application is the short name of the application, for example "bookstore".
	Application string `yaml:"application" json:"application"`
	// Team is the team that owns it.
	Team string `yaml:"team,omitempty" json:"team,omitempty"`
	// Summary says in a sentence or two what the application does.
	Summary string `yaml:"summary,omitempty" json:"summary,omitempty"`
	// Environments are the places where the application runs. One text is bound to each of them.
	Environments Table[Environment] `yaml:"environments" json:"environments"`
	// Services are the application's own parts and everything it depends on.
	Services Table[Service] `yaml:"services" json:"services"`
	// People are the team members and how to reach them.
	People Table[Person] `yaml:"people" json:"people"`
	// Vendors are the third parties to call, and what to tell them.
	Vendors Table[Vendor] `yaml:"vendors,omitempty" json:"vendors,omitempty"`
	// Severities is the stated scale, worst first. Empty means DefaultSeverities.
	Severities Table[Severity] `yaml:"severities,omitempty" json:"severities,omitempty"`
	// Notifications say who is told what, when, why and how.
	Notifications []Notification `yaml:"notifications,omitempty" json:"notifications,omitempty"`
	// Agreement says which roles must sign.
	Agreement Agreement `yaml:"agreement,omitempty" json:"agreement,omitempty"`
	// Actions are the things a step can use, bound to commands per environment.
	Actions Table[Action] `yaml:"actions,omitempty" json:"actions,omitempty"`

	// Scenarios are the files under scenarios/, by file name without ending, in name order.
	Scenarios Table[Scenario] `yaml:"-" json:"scenarios"`

	// positions holds the place of everything that is written, by dotted path.
	positions map[string]Pos
}

// Environment is one place where the application runs.
type Environment struct {
	// Kind is "non-production" or "production".
	Kind EnvironmentKind `yaml:"kind" json:"kind"`
	// Vars are the values of ${placeholders} here.
	Vars Table[string] `yaml:"vars,omitempty" json:"vars,omitempty" text:"any"`
	// Identity pins what must be seen live before a fault or a step, for example aws_account.
	Identity Table[string] `yaml:"identity,omitempty" json:"identity,omitempty"`
	// Approvals says who must approve an exercise here.
	Approvals *Approvals `yaml:"approvals,omitempty" json:"approvals,omitempty"`
	// Window is when exercises may run, in the form of Hours.
	Window *Hours `yaml:"window,omitempty" json:"window,omitempty"`
	// Freeze lists spans in which no exercise may run.
	Freeze []Freeze `yaml:"freeze,omitempty" json:"freeze,omitempty"`
	// Secrets are references; their values never enter the playbook or the evidence.
	Secrets Table[SecretRef] `yaml:"secrets,omitempty" json:"secrets,omitempty"`
	// Measure sets the probes' pace here. Zero fields take the defaults of DefaultPace.
	Measure Pace `yaml:"measure,omitempty" json:"measure,omitempty"`
}

// EnvironmentKind tells production from everything else.
type EnvironmentKind string

// The kinds of environment.
const (
	NonProduction EnvironmentKind = "non-production"
	Production    EnvironmentKind = "production"
)

// Approvals are the signatures an exercise needs before it starts.
type Approvals struct {
	Count int      `yaml:"count" json:"count"`
	Roles []Role   `yaml:"roles,omitempty" json:"roles,omitempty"`
	Valid Duration `yaml:"valid,omitempty" json:"valid,omitempty"`
}

// Freeze is a span in which nothing is broken on purpose. From and Until are RFC 3339 or YYYY-MM-DD.
type Freeze struct {
	From  string `yaml:"from" json:"from"`
	Until string `yaml:"until" json:"until"`
	Why   string `yaml:"why,omitempty" json:"why,omitempty"`
}

// SecretRef says where a secret is found when a step runs. Exactly one field is set.
type SecretRef struct {
	File string `yaml:"file,omitempty" json:"file,omitempty"`
	Env  string `yaml:"env,omitempty" json:"env,omitempty"`
}

// Pace is how often and how patiently the observer asks.
type Pace struct {
	// Period is the time between the starts of two probes.
	Period Duration `yaml:"period,omitempty" json:"period,omitempty"`
	// Timeout is how long a probe waits for an answer.
	Timeout Duration `yaml:"timeout,omitempty" json:"timeout,omitempty"`
	// Window is how long a service must answer without a failure to count as stable; at least Timeout + 2 x Period.
	Window Duration `yaml:"window,omitempty" json:"window,omitempty"`
	// Baseline is how long the service must have been steady before the fault, without one failing probe. A failure begins it
	// again, for three baselines and five seconds at most; then the exercise is invalid.
	Baseline Duration `yaml:"baseline,omitempty" json:"baseline,omitempty"`
	// TimeBox ends an exercise that is still going on.
	TimeBox Duration `yaml:"time_box,omitempty" json:"time_box,omitempty"`
}

// Service is one row of the architecture table and one row of the dependency table.
type Service struct {
	// Name is what people call it, for example "Bookstore API". Empty means the identifier of the row.
	Name         string   `yaml:"name,omitempty" json:"name,omitempty"`
	Purpose      string   `yaml:"purpose,omitempty" json:"purpose,omitempty"`
	Platform     string   `yaml:"platform,omitempty" json:"platform,omitempty"`
	Technologies []string `yaml:"technologies,omitempty" json:"technologies,omitempty"`
	Identifier   string   `yaml:"identifier,omitempty" json:"identifier,omitempty"`
	Zone         string   `yaml:"zone,omitempty" json:"zone,omitempty"`
	VPC          string   `yaml:"vpc,omitempty" json:"vpc,omitempty"`
	Subnet       string   `yaml:"subnet,omitempty" json:"subnet,omitempty"`
	Endpoint     string   `yaml:"endpoint,omitempty" json:"endpoint,omitempty"`
	// Standby names the service that takes over from this one.
	Standby string `yaml:"standby,omitempty" json:"standby,omitempty"`
	// Uses points at a service that another team owns: team/service@version.
	Uses string `yaml:"uses,omitempty" json:"uses,omitempty"`

	// Critical says when the application cannot do without it. Only a service with Uses may leave it out.
	Critical Criticality `yaml:"critical,omitempty" json:"critical"`
	// RTO is the longest time in which its function must be restored.
	RTO Duration `yaml:"rto,omitempty" json:"rto,omitempty"`
	// RPO is the longest span of data that may be lost.
	RPO Duration `yaml:"rpo,omitempty" json:"rpo,omitempty"`
	// Workaround is what people do by hand meanwhile.
	Workaround string `yaml:"workaround,omitempty" json:"workaround,omitempty"`
	// Needs are the child dependencies, by service identifier.
	Needs []string `yaml:"needs,omitempty" json:"needs,omitempty"`
	// Tolerates is the threshold at which a non-critical dependency begins to hurt.
	Tolerates *Tolerance `yaml:"tolerates,omitempty" json:"tolerates,omitempty"`
	// Severity is how bad the loss of a non-critical dependency is, on the stated scale.
	Severity string `yaml:"severity,omitempty" json:"severity,omitempty"`

	// Probes tell from outside whether it works. The first one decides; others are shown.
	Probes Table[Spec] `yaml:"probes,omitempty" json:"probes,omitempty" kind:"probe"`
	// Canary writes through the service so that loss can be measured.
	Canary *Spec `yaml:"canary,omitempty" json:"canary,omitempty" kind:"canary"`
	// Observability says where metrics, logs and dashboards are, by name.
	Observability Table[string] `yaml:"observability,omitempty" json:"observability,omitempty"`
}

// Tolerance is the threshold of a non-critical dependency: it may be gone For so long, and then Level happens.
type Tolerance struct {
	For   Duration `yaml:"for" json:"for"`
	Level string   `yaml:"level,omitempty" json:"level,omitempty"`
}

// Person is one team member.
type Person struct {
	// Name is the person's full name. Empty means the identifier of the row.
	Name     string `yaml:"name,omitempty" json:"name,omitempty"`
	Position string `yaml:"position,omitempty" json:"position,omitempty"`
	// Roles are what the person may agree to: development, testing, operations, stakeholder.
	Roles []Role `yaml:"roles,omitempty" json:"roles,omitempty"`
	// Services are the services the person knows, or ["all"].
	Services []string `yaml:"services,omitempty" json:"services,omitempty"`
	Email    string   `yaml:"email,omitempty" json:"email,omitempty"`
	Phone    string   `yaml:"phone,omitempty" json:"phone,omitempty"`
	Slack    string   `yaml:"slack,omitempty" json:"slack,omitempty"`
	// Available is when the person can be reached: hours, or "on-call" (always).
	Available *Hours `yaml:"available,omitempty" json:"available,omitempty"`
	// ReportsTo draws the organisational chart.
	ReportsTo string `yaml:"reports_to,omitempty" json:"reports_to,omitempty"`
	// Rotation is a calendar of shifts instead of one person's hours.
	Rotation *Rotation `yaml:"rotation,omitempty" json:"rotation,omitempty"`
	// Keys are the person's public SSH keys, in authorized_keys form. Agreements are checked against them.
	Keys []string `yaml:"keys,omitempty" json:"keys,omitempty"`
	Note string   `yaml:"note,omitempty" json:"note,omitempty"`
}

// Role is what a person speaks for in an agreement.
type Role string

// The four roles that agree on a playbook.
const (
	Development Role = "development"
	Testing     Role = "testing"
	Operations  Role = "operations"
	Stakeholder Role = "stakeholder"
)

// Roles lists the four roles in the order in which they are shown.
func Roles() []Role { return []Role{Development, Testing, Operations, Stakeholder} }

// Rotation is a shared on-call calendar.
type Rotation struct {
	ICal string `yaml:"ical" json:"ical"`
}

// Vendor is a third party whose help a recovery may need.
type Vendor struct {
	Name     string   `yaml:"name,omitempty" json:"name,omitempty"`
	Services []string `yaml:"services,omitempty" json:"services,omitempty"`
	Phone    string   `yaml:"phone,omitempty" json:"phone,omitempty"`
	Email    string   `yaml:"email,omitempty" json:"email,omitempty"`
	URL      string   `yaml:"url,omitempty" json:"url,omitempty"`
	Contract string   `yaml:"contract,omitempty" json:"contract,omitempty"`
	Response Duration `yaml:"response,omitempty" json:"response,omitempty"`
	Note     string   `yaml:"note,omitempty" json:"note,omitempty"`
}

// Severity is one level of the stated scale.
type Severity struct {
	Means string `yaml:"means" json:"means"`
	// RTO is the longest recovery time that goes with this level; zero means no limit.
	RTO Duration `yaml:"rto,omitempty" json:"rto,omitempty"`
}

// Notification says who is told what, when, why and how.
type Notification struct {
	// When is a condition such as "severity >= critical" or "always".
	When string   `yaml:"when" json:"when"`
	Who  []string `yaml:"who" json:"who"`
	How  []string `yaml:"how,omitempty" json:"how,omitempty"`
	// Within is how soon.
	Within Duration `yaml:"within,omitempty" json:"within,omitempty"`
	Why    string   `yaml:"why,omitempty" json:"why,omitempty"`
	// What is the message, with ${placeholders}.
	What string `yaml:"what,omitempty" json:"what,omitempty"`
}

// Agreement says which roles must sign the substance, and whether the author may be one of them.
type Agreement struct {
	// Roles default to all four.
	Roles []Role `yaml:"roles,omitempty" json:"roles,omitempty"`
	// Author is the person who wrote the playbook.
	Author string `yaml:"author,omitempty" json:"author,omitempty"`
	// AuthorMaySign lets the author sign for a role.
	AuthorMaySign bool `yaml:"author_may_sign,omitempty" json:"author_may_sign,omitempty"`
}
