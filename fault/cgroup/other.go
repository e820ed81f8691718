//go:build !linux

package cgroup

import (
	"errors"

	"github.com/belay-dr/belay/fault/proc"
)

// errNone says that this system has none.
var errNone = errors.New("cgroups are only on Linux")

// Has says whether this system has the controller, and in which version.
func Has(Controller) (int, error) { return 0, errNone }

// Of is the group of a process that has the controller's files.
func Of(proc.Process, Controller) (Group, error) { return Group{}, errNone }

// At is the group with this path.
func At(string, Controller) (Group, error) { return Group{}, errNone }

// There says that the group still exists.
func (Group) There() bool { return false }

// Read returns a file of the group.
func (Group) Read(string) (string, error) { return "", errNone }

// Write writes one value to a file of the group.
func (Group) Write(string, string) error { return errNone }

// Writable says whether we may write to a file of the group.
func (Group) Writable(string) bool { return false }

// Stat returns a file of lines with a word and a number.
func (Group) Stat(string) (map[string]int64, error) { return nil, errNone }

// Procs are the processes in the group itself.
func (Group) Procs() ([]int, error) { return nil, errNone }

// All are the processes in the group and in the groups below it.
func (Group) All() ([]int, error) { return nil, errNone }

// Parent is the group above.
func (Group) Parent() (Group, error) { return Group{}, errNone }

// Add moves a process into the group.
func (Group) Add(int) error { return errNone }

// Make makes a group below this one.
func (Group) Make(string) (Group, error) { return Group{}, errNone }

// Remove removes an empty group.
func (Group) Remove() error { return errNone }

// Below are the groups right below this one.
func (Group) Below() ([]Group, error) { return nil, errNone }
