// Package act carries out the commands of an exercise that touch the world: it runs a step's program, looks at its
// expectation, takes captures out of its output, finds out which option of a decision holds.
//
// It never decides what comes next, never runs anything that the command does not name, and never returns a secret. Start at Actor.
package act
