// Package cli is the command line: it reads flags, calls the rooms and shows what they say, on a terminal, in a pipe
// or as JSON. It decides nothing itself: what is right, met or refused is decided in the rooms, and only the mapping
// from an error to an exit code is here (exit.go).
//
// One file holds one command. Its constructor is `func newNoun(app *App) *cobra.Command`; it parses flags into an
// options struct and calls a run function `func runNoun(ctx, app, opts) error` that does the work. Start at Main, then
// root.go, where every command is listed once.
package cli
