package playbook

import "slices"

// closed is a type with a fixed set of words. The receiver's value does not matter.
type closed interface {
	words() []string
}

func texts[T ~string](values ...T) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}

func (EnvironmentKind) words() []string { return texts(NonProduction, Production) }
func (Role) words() []string            { return texts(Roles()...) }
func (Class) words() []string {
	return texts(DisasterRecovery, CriticalDependency, NonCriticalDependency)
}
func (Attribution) words() []string { return texts(ByProcedure, ByPlatform, ByReversal) }
func (Repeat) words() []string      { return texts(RepeatSafe, RepeatCheck, RepeatAsk, RepeatNever) }

// yaml11 are the bare words that YAML 1.1 tools read as something other than text.
func yaml11(word string) bool {
	return slices.Contains([]string{"on", "off", "yes", "no", "true", "false", "null", "~"}, plain(word))
}
