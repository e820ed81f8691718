package cli

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// commands lists every command, in the order of the story.
func commands(app *App) []*cobra.Command {
	return []*cobra.Command{
		newDemo(app),
		newInit(app),
		newLint(app),
		newRender(app),
		newDoctor(app),
		newAgree(app),
		newExercise(app),
		newStage(app),
		newEvidence(app),
		newFault(app),
		newHalt(app),
		newVersion(app),
		newCompletion(app),
		// Hidden: what Belay starts itself as.
		newHoldInternal(app),
		newBookstore(app),
	}
}

// newRoot makes the whole tree.
func newRoot(app *App) *cobra.Command {
	var version bool
	root := &cobra.Command{
		Use:               "belay",
		Short:             "Climb the five stages of resiliency, with a rope",
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		Args:              cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case version:
				return runVersion(app, versionOptions{})
			case len(args) > 0:
				return unknownCommand(cmd, args[0])
			default:
				overview(app, cmd)
				return nil
			}
		},
	}
	root.Flags().BoolVar(&version, "version", false, "print the version")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return Hint(Exit(Usage, err), "try `%s --help`", cmd.CommandPath())
	})
	root.AddCommand(commands(app)...)
	root.AddCommand(topics()...)
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) { showHelp(app, cmd) })
	root.SetUsageFunc(func(cmd *cobra.Command) error { showHelp(app, cmd); return nil })
	root.SetHelpCommand(newHelp(app))
	root.InitDefaultHelpCmd()
	strict(app, root)
	return root
}

// onlyHolds marks a command that does nothing itself.
const onlyHolds = "only holds others"

// group makes a command that only holds others, for example `belay evidence`. Alone it shows its help; with a word
// it does not know it says which one may have been meant.
func group(use, short string, subs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Args: cobra.ArbitraryArgs, Annotations: map[string]string{onlyHolds: "yes"},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(subs...)
	return cmd
}

// unknownCommand is the error for a word that is no command, with the nearest one that is.
func unknownCommand(cmd *cobra.Command, word string) error {
	err := Exitf(Usage, "unknown command %q for %q", word, cmd.CommandPath())
	switch near := nearest(cmd, word); {
	case near == nil:
	case near.IsAdditionalHelpTopicCommand():
		return Hint(err, "did you mean `%s help %s`?", cmd.CommandPath(), near.Name())
	default:
		return Hint(err, "did you mean `%s`?", near.CommandPath())
	}
	return Hint(err, "try `%s --help`", cmd.CommandPath())
}

// strict makes every mistake in arguments and flags a usage error, and gives commands that name no arguments none.
func strict(app *App, cmd *cobra.Command) {
	args := cmd.Args
	switch {
	case args != nil || !cmd.Runnable() || cmd.DisableFlagParsing:
	case cmd.HasSubCommands(): // a command that runs alone and holds others, such as demo
		args = func(cmd *cobra.Command, given []string) error {
			if len(given) > 0 {
				return unknownCommand(cmd, given[0])
			}
			return nil
		}
	default:
		args = cobra.NoArgs
	}
	if args != nil {
		cmd.Args = func(cmd *cobra.Command, given []string) error {
			for _, check := range []func() error{
				func() error { return args(cmd, given) }, func() error { return requiredFlags(app, cmd) }, cmd.ValidateFlagGroups,
			} {
				if err := check(); err != nil && codeOf(err) == Usage {
					return err
				} else if err != nil {
					return usageError(cmd, err)
				}
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		strict(app, sub)
	}
}

// requiredFlags names the flags that must be given and are not, and what they can be where that is known.
func requiredFlags(app *App, cmd *cobra.Command) error {
	var missing []string
	environment := false
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if len(f.Annotations[cobra.BashCompOneRequiredFlag]) == 0 || f.Changed {
			return
		}
		missing = append(missing, "--"+f.Name)
		environment = environment || f.Name == "env"
	})
	var text string
	switch len(missing) {
	case 0:
		return nil
	case 1:
		text = missing[0] + " is required"
	default:
		last := len(missing) - 1
		text = strings.Join(missing[:last], ", ") + " and " + missing[last] + " are required"
	}
	if names := environmentNames(app, cmd); environment && len(names) > 0 {
		text += " (environments: " + strings.Join(names, ", ") + ")"
	}
	return Hint(Exitf(Usage, "%s", text), "try `%s --help`", cmd.CommandPath())
}

// environmentNames are those of the playbook that the command would work with, if it can be read.
func environmentNames(app *App, cmd *cobra.Command) []string {
	dir := cmd.Flags().Lookup("dir")
	if dir == nil {
		return nil
	}
	w, err := app.Workspace(dir.Value.String())
	if err != nil {
		return nil
	}
	defer w.Close()
	pb, err := w.Playbook()
	if err != nil {
		return nil
	}
	return pb.Environments.IDs()
}

// usageError gives a mistake on the command line its exit code and the way to the command's help.
func usageError(cmd *cobra.Command, err error) error {
	text, _, _ := strings.Cut(err.Error(), "\n")
	switch {
	case strings.HasPrefix(text, "accepts "), strings.HasPrefix(text, "requires "), strings.HasPrefix(text, "unknown command "):
		text = "wrong number of arguments, expected: " + strings.TrimSuffix(cmd.UseLine(), " [flags]")
	case strings.HasPrefix(text, "invalid argument "):
		text += ", expected one of: " + strings.Join(cmd.ValidArgs, ", ")
	}
	return Hint(Exitf(Usage, "%s", text), "try `%s --help`", cmd.CommandPath())
}
