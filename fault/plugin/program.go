package plugin

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/reach/local"
)

// Program is the config of a fault that a program of the user's own makes. It is started once for each request, which it reads from its
// standard input, and replies on its standard output: docs/writing-a-plugin.md.
type Program struct {
	// Run is the program and its arguments, never a shell line.
	Run []string `yaml:"run" json:"run"`
	// Config is handed to it as it is.
	Config map[string]any `yaml:"config,omitempty" json:"config,omitempty"`
	// Fidelity is how near the fault is to the real thing; empty lets the program say.
	Fidelity string `yaml:"fidelity,omitempty" json:"fidelity,omitempty"`
	// Dir is where it runs; empty means where the holder was started.
	Dir string `yaml:"dir,omitempty" json:"dir,omitempty"`
}

// CheckConfig says what is wrong.
func (p *Program) CheckConfig() map[string]string {
	wrong := map[string]string{}
	if len(p.Run) == 0 || p.Run[0] == "" {
		wrong["run"] = "give a program as a list of arguments"
	}
	if p.Fidelity != "" && fault.Fidelity(p.Fidelity).Rank() < 0 {
		wrong["fidelity"] = "must be signal, network, process, host, zone, region or data"
	}
	if len(wrong) == 0 {
		return nil
	}
	return wrong
}

// Target returns the target.
func (p *Program) Target() fault.Target {
	return Spoken{Via: program{p.Run, p.Dir}, Config: p.Config, Fidelity: fault.Fidelity(p.Fidelity)}
}

// program calls a program.
type program struct {
	argv []string
	dir  string
}

func (p program) Name() string { return quote(p.argv) }

// Place is the directory in which the program runs, for certain.
func (p program) Place() (string, error) {
	dir := p.dir
	var err error
	if dir == "" {
		dir, err = os.Getwd()
	} else {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		return "", err
	}
	return dir, findProgram(p.argv[0], dir)
}

func (p program) Call(ctx context.Context, place string, request []byte, started func(group int) error) ([]byte, error) {
	var reply few
	res, err := local.Run(ctx, local.Command{
		Argv: p.argv, Dir: place, Stdin: strings.NewReader(string(request)), Answer: &reply, Started: started, Limit: 4 << 10,
	})
	if err != nil {
		return nil, err
	}
	if res.Exit != 0 {
		return nil, fmt.Errorf("exit %d%s", res.Exit, said(res.Output))
	}
	return reply.b, nil
}

// few keeps as much as a reply may have, and one byte more. The rest is read and forgotten.
type few struct{ b []byte }

func (f *few) Write(p []byte) (int, error) {
	f.b = append(f.b, p[:min(len(p), max(0, LargestReply+1-len(f.b)))]...)
	return len(p), nil
}
