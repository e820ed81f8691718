package imports

// module is the path of our own module.
const module = "github.com/belay-dr/belay/"

// rule says what the packages of one room may import of ours. Paths are relative to the module; "x" is that package
// alone, "x/..." is it and everything below. The longest matching Room wins.
type rule struct {
	Room string
	May  []string
	Why  string
}

// The pure packages of playbook count as part of it.
const promise = "playbook/..."

// rooms is the table of the house: a room imports only rooms above it.
func rooms() []rule {
	roots := []string{"measure", "fault", "doctor"}
	world := []string{"reach/...", "measure/...", "fault/..."}
	above := []string{
		promise, "evidence/...", "reach/...", "measure/...", "fault/...", "doctor/...", "exercise/...", "stage/...",
	}
	return []rule{
		{"playbook", nil, "the promise stands alone: it knows the kinds of others only through Kinds"},
		{"playbook/...", []string{promise}, "what reads a playbook needs nothing but the playbook"},
		{"evidence", nil, "a proof must be checkable without the rest of Belay"},
		{"evidence/...", []string{"evidence/..."}, "a store keeps records and knows nothing of their meaning"},
		{"reach", nil, "reaching a host does not depend on why"},
		{"reach/...", []string{"reach/..."}, "reaching a host does not depend on why"},
		{"measure", nil, "the arithmetic must be testable against simulated services alone"},
		{"measure/...", []string{"measure/...", "reach/..."}, "an observer looks, and reports samples; it judges nothing"},
		{"fault", nil, "what a fault is does not depend on who asks for it"},
		{"fault/...", []string{"fault/...", "reach/..."}, "a holder must be a small program that can be trusted alone"},
		{"doctor", []string{promise, "evidence"}, "findings are about the playbook and its evidence"},
		{
			"doctor/...", append([]string{promise, "evidence", "doctor/..."}, "reach/...", "measure/..."),
			"the doctor looks at the world, but breaks nothing",
		},
		{"exercise", append([]string{promise, "evidence"}, roots...), "the machine is pure; drivers are below"},
		{
			"exercise/...", append([]string{promise, "evidence", "doctor", "exercise/..."}, world...),
			"a driver carries out commands; it does not place the application",
		},
		{"stage", []string{promise, "evidence", "measure", "exercise", "doctor"}, "a stage is a function of evidence"},
		{"stage/...", []string{promise, "evidence", "measure", "exercise", "doctor", "stage/..."}, "a stage is a function of evidence"},
		{"publish/...", append([]string{"publish/..."}, above...), "telling comes after everything that is told"},
		{"hub/...", []string{"..."}, "the hub serves all of it"},
		{"internal/cli/term", nil, "how something looks must not depend on what it means"},
		{"internal/cli/...", []string{"..."}, "the command line wires all of it"},
		{"internal/calendar", nil, "hours are arithmetic"},
		{"internal/clock", nil, "the time comes from nowhere else"},
		{"internal/secret", nil, "redaction must work before anything else does"},
		{"internal/imports", nil, "the rules must not depend on what they rule"},
		{"internal/...", []string{"..."}, "tools of the build, not of the product"},
		{"cmd/belay-hold", []string{"fault/...", "reach/..."}, "the holder is a small program that can be trusted alone"},
		{"cmd/belay", []string{"internal/cli"}, "main only wires"},
		{"examples/...", []string{"..."}, "an example may use what users may use"},
		{"test/...", []string{"..."}, "a test of the whole may look everywhere"},
		{
			"playbook/schema/...",
			[]string{promise, "fault/...", "measure/...", "internal/cli"},
			"the schema of a playbook names the kinds of every room; it is made at build time",
		},
	}
}

// shared packages may be imported by every room.
func shared() []string {
	return []string{"internal/clock", "internal/secret", "internal/calendar"}
}

// guarded packages may be imported only by those named, whatever the table says.
func guarded() []rule {
	return []rule{
		{
			"examples/...",
			[]string{"examples/...", "internal/cli", "cmd/...", "test/..."},
			"the product must not depend on its example; only the demo starts it",
		},
		{
			"internal/cli/...",
			[]string{"internal/...", "cmd/belay", "test/...", "playbook/schema/..."},
			"nothing may depend on the command line",
		},
	}
}

// pure packages do no IO and read no clock; the same event always gives the same answer.
func pure() []string {
	return []string{
		"playbook", "playbook/lint", "playbook/roster", "playbook/start", "evidence", "reach", "measure", "fault",
		"doctor", "exercise", "stage", "publish", "internal/calendar",
	}
}

// pureModules are what pure packages may use of others. Each does no IO.
func pureModules() []string {
	return []string{
		"go.yaml.in/yaml/v4",      // parse YAML
		"github.com/gowebpki/jcs", // RFC 8785 canonical JSON
		// Checking a signature is arithmetic: a stage that took "signed" as somebody's word would be worth nothing. These
		// two could open connections, but only through calls that no pure package makes (they import neither net nor os).
		"github.com/hiddeco/sshsig",
		"golang.org/x/crypto",
	}
}

// worldly packages of the standard library touch the world or bring chance; pure packages must not import them.
func worldly() map[string]string {
	return map[string]string{
		"os":           "reads files and the environment",
		"os/exec":      "runs programs",
		"os/signal":    "listens to the system",
		"os/user":      "asks the system",
		"net":          "opens connections",
		"net/http":     "opens connections",
		"syscall":      "asks the system",
		"database/sql": "opens connections",
		"crypto/rand":  "brings chance: take it as a value",
		"math/rand":    "brings chance: take it as a value",
		"math/rand/v2": "brings chance: take it as a value",
		"log":          "writes",
	}
}

// clockCalls of package time read the clock or wait.
func clockCalls() map[string]bool {
	return map[string]bool{
		"Now": true, "Since": true, "Until": true, "Sleep": true, "After": true, "AfterFunc": true,
		"NewTimer": true, "NewTicker": true, "Tick": true,
	}
}

// emptyNames say nothing about what is inside.
func emptyNames() []string {
	return []string{"util", "utils", "helper", "helpers", "manager", "common", "misc"}
}

// maxLines is the longest a file may be: one idea.
const maxLines = 500
