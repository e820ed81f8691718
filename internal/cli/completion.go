package cli

import (
	"io"

	"github.com/spf13/cobra"
)

// newCompletion is `belay completion SHELL`.
func newCompletion(app *App) *cobra.Command {
	scripts := map[string]func(*cobra.Command, io.Writer) error{
		"bash":       func(root *cobra.Command, w io.Writer) error { return root.GenBashCompletionV2(w, true) },
		"zsh":        func(root *cobra.Command, w io.Writer) error { return root.GenZshCompletion(w) },
		"fish":       func(root *cobra.Command, w io.Writer) error { return root.GenFishCompletion(w, true) },
		"powershell": func(root *cobra.Command, w io.Writer) error { return root.GenPowerShellCompletionWithDesc(w) },
	}
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print a script that completes commands in your shell",
		Long:  "Print a script that completes commands and flags in your shell: bash, zsh, fish or powershell.",
		Example: `  $ source <(belay completion bash)
  $ belay completion zsh > "${fpath[1]}/_belay"
  $ belay completion fish > ~/.config/fish/completions/belay.fish`,
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		RunE: func(cmd *cobra.Command, args []string) error {
			return scripts[args[0]](cmd.Root(), app.outlet)
		},
	}
}
