// Package plugin breaks whatever a program of the user's own breaks. It must never trust that program: what it says is
// checked, what it starts is ended. Start at Command.
package plugin
