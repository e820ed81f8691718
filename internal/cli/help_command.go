package cli

import (
	"github.com/spf13/cobra"
)

// newHelp is `belay help [COMMAND|TOPIC]`.
func newHelp(app *App) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND|TOPIC]",
		Short: "Help about a command or a topic",
		Example: `  $ belay help exercise run
  $ belay help exit-codes`,
		Args: cobra.ArbitraryArgs,
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			at := find(cmd.Root(), args)
			if at == nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var names []string
			for _, sub := range at.Commands() {
				if !sub.Hidden {
					names = append(names, cobra.CompletionWithDesc(sub.Name(), sub.Short))
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			at := cmd.Root()
			for _, word := range args {
				next := find(at, []string{word})
				if next == nil {
					return unknownCommand(at, word)
				}
				at = next
			}
			showHelp(app, at)
			return nil
		},
	}
}

// find walks down the tree by command names; nil when there is no such command.
func find(at *cobra.Command, path []string) *cobra.Command {
	for _, word := range path {
		var next *cobra.Command
		for _, sub := range at.Commands() {
			if sub.Name() == word || sub.HasAlias(word) {
				next = sub
			}
		}
		if next == nil {
			return nil
		}
		at = next
	}
	return at
}
