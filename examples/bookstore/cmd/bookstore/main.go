// Command bookstore runs the example application alone, without Belay.
package main

import (
	"os"

	"github.com/belay-dr/belay/examples/bookstore"
)

func main() {
	os.Exit(bookstore.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
