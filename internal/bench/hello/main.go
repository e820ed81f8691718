// Command hello is the smallest program that cobra can make: what `belay --version` is compared with.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

func main() {
	cmd := &cobra.Command{Use: "hello", Version: "1", Run: func(*cobra.Command, []string) { fmt.Println("hello") }}
	if err := cmd.Execute(); err != nil {
		os.Exit(1)
	}
}
