package playbook

import "slices"

// closed is a type with a fixed set of words. The receiver's value does not matter.
type closed interface {
	Words() []string
}

func texts[T ~string](values ...T) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}

// Words lists the kinds of environment.
func (EnvironmentKind) Words() []string { return texts(NonProduction, Production) }

// Words lists the roles.
func (Role) Words() []string { return texts(Roles()...) }

// Words lists the classes of scenario.
func (Class) Words() []string {
	return texts(DisasterRecovery, CriticalDependency, NonCriticalDependency)
}

// Words lists what a recovery can be attributed to.
func (Attribution) Words() []string { return texts(ByProcedure, ByPlatform, ByReversal) }

// Words lists what may be done with a step that was started and never reported.
func (Repeat) Words() []string { return texts(RepeatSafe, RepeatCheck, RepeatAsk, RepeatNever) }

// yaml11 says whether YAML 1.1 tools read a bare word as something other than text.
func yaml11(word string) bool {
	return slices.Contains([]string{"on", "off", "yes", "no", "true", "false", "null", "~"}, plain(word))
}
