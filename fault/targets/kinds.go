package targets

import "github.com/belay-dr/belay/fault"

// Process is the config of a fault in one process.
type Process struct{}

// File is the config of a fault in files or directories.
type File struct{}

// Command is the config of a fault that commands of the user's own inject and take back.
type Command struct{}

// Kinds are the configs by kind, for whoever loads playbooks. Each config has a method CheckConfig() map[string]string
// that returns, by key (dotted, empty for the config itself), what is wrong with it.
func Kinds() map[string]func() any {
	return map[string]func() any{
		"process": func() any { return new(Process) },
		"file":    func() any { return new(File) },
		"command": func() any { return new(Command) },
	}
}

// Decode reads a spec strictly and returns its target.
func Decode(spec fault.Spec) (fault.Target, error) { return nil, nil }
