// Package exercisetest reads the text scripts that every driver of the machine must agree on: a plan, the events in their
// order, and the full output. Start at Parse and Run; the scripts are in exercise/testdata.
package exercisetest

import (
	"fmt"
	"strings"
)

// Block is one command of a script with its input lines and its expected output.
type Block struct {
	// Command is the first line, Input the lines up to "----".
	Command string
	Input   []string
	Output  string
	// Comment is what stands before the command.
	Comment string
}

// Parse reads a script: blocks of a command, input lines, "----" and the output, parted by empty lines. Lines that begin with
// # before a command are comments.
func Parse(text string) ([]Block, error) {
	var blocks []Block
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i := 0; i < len(lines); {
		var b Block
		for i < len(lines) && (strings.TrimSpace(lines[i]) == "" || strings.HasPrefix(lines[i], "#")) {
			b.Comment += lines[i] + "\n"
			i++
		}
		if i == len(lines) {
			break
		}
		b.Command = lines[i]
		for i++; i < len(lines) && lines[i] != "----"; i++ {
			if lines[i] == "" {
				return nil, fmt.Errorf("read script: line %d: %q has no ---- after it", i+1, b.Command)
			}
			b.Input = append(b.Input, lines[i])
		}
		for i++; i < len(lines) && lines[i] != ""; i++ {
			b.Output += lines[i] + "\n"
		}
		blocks = append(blocks, b)
	}
	return blocks, nil
}

// Format writes blocks as a script.
func Format(blocks []Block) string {
	var out strings.Builder
	for i, b := range blocks {
		if i > 0 && b.Comment == "" {
			out.WriteString("\n")
		}
		out.WriteString(b.Comment + b.Command + "\n")
		for _, line := range b.Input {
			out.WriteString(line + "\n")
		}
		out.WriteString("----\n" + b.Output)
	}
	return out.String()
}

// Split cuts a script with several plans into one script for each plan.
func Split(text string) ([]string, error) {
	blocks, err := Parse(text)
	if err != nil {
		return nil, err
	}
	var parts [][]Block
	for _, b := range blocks {
		if strings.HasPrefix(b.Command, "plan ") || len(parts) == 0 {
			parts = append(parts, nil)
		}
		parts[len(parts)-1] = append(parts[len(parts)-1], b)
	}
	out := make([]string, len(parts))
	for i := range parts {
		out[i] = Format(parts[i])
	}
	return out, nil
}
