package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/belay-dr/belay/internal/cli/term"
)

// chapter is one part of the story, with the commands that belong to it.
type chapter struct {
	title    string
	commands []string
}

// chapters order the commands as the story goes. A command that is missing here fails a test.
func chapters() []chapter {
	return []chapter{
		{"See it work", []string{"demo"}},
		{"Promise: write down what you depend on and how you recover", []string{"init", "lint", "render", "agree"}},
		{"Practise: break it on purpose, recover by the playbook, measure from outside", []string{"doctor", "exercise"}},
		{"Prove: evidence that cannot be edited unnoticed", []string{"evidence"}},
		{"Place: where you stand, and the one next action", []string{"stage"}},
		{"Safety: no fault outlives its exercise", []string{"halt", "fault"}},
		{"More", []string{"version", "completion", "help"}},
	}
}

// overview is what `belay` alone prints: the story, not the alphabet.
func overview(app *App, root *cobra.Command) {
	p := app.Out()
	p.Prose(p.Bold("belay") + ` climbs the five stages of resiliency with your team: write the playbook, break the
system on purpose, recover it by the playbook, and see from the evidence where you stand.`)
	byName := map[string]*cobra.Command{}
	for _, cmd := range root.Commands() {
		byName[cmd.Name()] = cmd
	}
	for _, c := range chapters() {
		p.Line("")
		p.Line("%s", p.Bold(c.title))
		for _, name := range c.commands {
			if cmd := byName[name]; cmd != nil {
				p.Text(14, fmt.Sprintf("  %s  %s", pad(name, 10), cmd.Short))
			}
		}
	}
	p.Line("")
	p.Line("%s", p.Bold("Start here"))
	p.Line("  $ belay demo               the Bookstore on this machine, half a minute")
	p.Line("  $ belay init               a playbook for your own application")
	p.Line("  $ belay COMMAND --help     flags and examples of a command")
	p.Line("  $ belay help TOPIC         %s", strings.Join(topicNames(), ", "))
}

// showHelp writes the help of one command or topic.
func showHelp(app *App, cmd *cobra.Command) {
	if !cmd.HasParent() {
		overview(app, cmd)
		return
	}
	p := app.Out()
	p.Prose(strings.TrimSpace(firstOf(cmd.Long, cmd.Short)))
	if cmd.IsAdditionalHelpTopicCommand() {
		return
	}
	flags := flagLines(cmd.LocalFlags())
	p.Line("\n%s", p.Bold("Usage"))
	if cmd.Annotations[onlyHolds] == "" || len(flags) > 0 {
		p.Line("  %s", cmd.UseLine())
	}
	if cmd.HasAvailableSubCommands() {
		p.Line("  %s COMMAND", cmd.CommandPath())
		p.Line("\n%s", p.Bold("Commands"))
		listCommands(p, cmd)
	}
	if len(flags) > 0 {
		p.Line("\n%s", p.Bold("Flags"))
		for _, line := range flags {
			p.Text(hangOf(flags), line)
		}
	}
	if cmd.Example != "" {
		p.Line("\n%s", p.Bold("Examples"))
		p.Line("%s", strings.TrimRight(cmd.Example, "\n "))
	}
	if cmd.HasAvailableSubCommands() {
		p.Line("\n`%s COMMAND --help` tells more about a command.", cmd.CommandPath())
	}
}

func listCommands(p *term.Printer, cmd *cobra.Command) {
	width := 0
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			width = max(width, len(sub.Name()))
		}
	}
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			p.Text(width+4, fmt.Sprintf("  %s  %s", pad(sub.Name(), width), sub.Short))
		}
	}
}

// flagLines describes each flag in a line: name, value, meaning, default. --help goes without saying.
func flagLines(flags *pflag.FlagSet) []string {
	var names, texts []string
	width := 0
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		name := "    --" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", --" + f.Name
		}
		if value != "" {
			name += " " + strings.ToUpper(value)
		}
		switch f.DefValue {
		case "", "false", "0", "0s", "[]":
		default:
			usage += fmt.Sprintf(" (default %s)", f.DefValue)
		}
		names, texts = append(names, name), append(texts, usage)
		width = max(width, len(name))
	})
	lines := make([]string, len(names))
	for i := range names {
		lines[i] = "  " + pad(names[i], width) + "  " + texts[i]
	}
	return lines
}

// hangOf is where the texts of flag lines begin.
func hangOf(lines []string) int {
	hang := 0
	for _, line := range lines {
		name := strings.TrimLeft(line, " ")
		if i := strings.Index(name, "  "); i >= 0 {
			hang = max(hang, len(line)-len(name)+i)
		}
	}
	return hang + 2
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-len(s)))
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
