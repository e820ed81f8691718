// Command belay carries a team up the five stages of resiliency. Everything it does is in internal/cli; this file
// only connects it to the process.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/belay-dr/belay/internal/cli"
)

func main() {
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup has a reason
		ends = append(ends, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	// The first interrupt asks the command to end tidily; a second one ends the process.
	context.AfterFunc(ctx, stop)
	// A reader that has gone away, as `head` does, ends no exercise in the middle. Steps get the usual behaviour back.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	os.Exit(cli.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
