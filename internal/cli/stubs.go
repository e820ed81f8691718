package cli

import (
	"github.com/spf13/cobra"
)

// Constructors that are not written yet. Delete the line when the command's own file arrives.

func stub(name string) *cobra.Command {
	return &cobra.Command{Use: name, Short: "not written yet", RunE: func(cmd *cobra.Command, args []string) error {
		return Exitf(Failed, "%s: not written yet", name)
	}}
}

func hidden(cmd *cobra.Command) *cobra.Command {
	cmd.Hidden = true
	return cmd
}
