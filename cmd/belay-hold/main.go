// Command belay-hold holds one fault for as long as its standard input stays open. It is the same code as the belay
// binary's own holder, alone, so that a small static file can be copied to where a fault is needed.
package main

import (
	"os"

	"github.com/belay-dr/belay/fault/hold"
	"github.com/belay-dr/belay/fault/targets"
)

func main() {
	os.Exit(hold.Main(targets.Host(), targets.Workers(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
