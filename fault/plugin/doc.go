// Package plugin breaks whatever a program of the user's own breaks. It must never trust that program: what it says is
// checked, what it starts is ended.
//
// Start at Command, which runs three commands and knows nothing but their exit codes, or at Spoken, which speaks the
// protocol of docs/writing-a-plugin.md with a Program here or with an HTTP endpoint (the folder endpoint).
package plugin
