// Package local reaches this machine: it runs a command here. A command is a list of arguments and never passes through
// a shell unless its author asked for one. It must never leave a process of a cancelled command behind, and never keep
// more output than it was told to. Start at Run.
package local
