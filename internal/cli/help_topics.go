package cli

import "github.com/spf13/cobra"

// topic is a page of `belay help NAME`.
type topic struct {
	name, short, long string
}

func topicPages() []topic {
	return []topic{
		{"exit-codes", "What the exit codes mean", exitCodesPage},
		{"environment", "Environment variables that Belay reads", environmentPage},
		{"files", "Files that Belay reads and writes", filesPage},
	}
}

func topics() []*cobra.Command {
	var cmds []*cobra.Command
	for _, t := range topicPages() {
		cmds = append(cmds, &cobra.Command{Use: t.name, Short: t.short, Long: t.long})
	}
	return cmds
}

func topicNames() []string {
	var names []string
	for _, t := range topicPages() {
		names = append(names, t.name)
	}
	return names
}

const exitCodesPage = `Exit codes, the same for every command. Scripts may rely on them.

  0  ok
  1  something went wrong
  2  the command line or the playbook is not valid
  3  refused by a guard or a gate: a verdict other than PASS, a stage too low, a blocker
  4  not authorised: the person may not do this
  9  a fault could not be taken back: somebody must look

When several apply, 9 wins. Errors are one line on standard error, "belay: error: ...", and
where there is something to do about it a second one, "belay: hint: ...". The mistakes of an
invalid playbook come before them, one a line: file:line:col: path: what is wrong.`

const environmentPage = `Environment variables.

  BELAY_STATE_DIR   where held faults keep their undo records (see "belay help files")
  BELAY_AS          who you are, where --as is not given; then USER, LOGNAME
  NO_COLOR          any value: no colour
  CLICOLOR          0: no colour
  CLICOLOR_FORCE    any value but 0: colour, also in a pipe
  COLUMNS           the width of the terminal
  SSH_AUTH_SOCK     the SSH agent that signs agreements

What an environment of the playbook names under "secrets" is read as well, and given only to
the steps that ask for it.`

const filesPage = `Files. Everything is below the directory that --dir names, by default the current one.

  belay.yaml               the playbook: services, people, environments, actions
  scenarios/*.yaml         one scenario a file
  .belay/ledger.db         the ledger of evidence, append-only; keep it
  .belay/heads/            signed heads of the ledger's chain
  .belay/exercises/ID/     raw samples and canary writes of an exercise

The undo records of held faults are not beside the playbook, because a fault may take its disk
away: they are in $BELAY_STATE_DIR, by default the state directory of the user. "belay fault
list" shows them and "belay halt" ends them.`
