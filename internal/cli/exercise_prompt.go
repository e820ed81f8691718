package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/exercise/local"
	"github.com/belay-dr/belay/internal/cli/term"
	"github.com/belay-dr/belay/publish/render"
)

// prompt asks a person and reads the answers, line by line. From a terminal each line is taken at once. From a pipe a line is
// only taken when a question is open, so that a script of answers can be written in advance.
type prompt struct {
	interactive bool
	inputs      chan<- local.Input
	out         *term.Printer

	mu       sync.Mutex
	changed  *sync.Cond
	question *exercise.Doing
	answered string
	// next is what Belay does or waits for, and looked the step whose result it looked at last.
	next, looked string
	over         bool
	done         chan struct{}
}

func newPrompt(interactive bool, inputs chan<- local.Input, out *term.Printer) *prompt {
	p := &prompt{interactive: interactive, inputs: inputs, out: out, done: make(chan struct{})}
	p.changed = sync.NewCond(&p.mu)
	return p
}

// show prints a question when it is new.
func (p *prompt) show(v exercise.View) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := v.Question
	if q != nil && (p.question == nil || p.question.Command != q.Command) {
		ask(p.out, v, *q)
	}
	p.question, p.next = q, v.Next
	if c := v.Current; c != nil && c.Kind == exercise.DoExpect && c.Expect != nil {
		p.next = "Belay looks whether step " + c.Step + " has worked: " + checkWords(c.Expect)
		if c.Step != p.looked {
			p.looked = c.Step
			p.out.Text(2, "  "+p.next)
		}
	}
	p.changed.Broadcast()
}

// checkWords says what a check looks at.
func checkWords(c *exercise.Check) string {
	return render.Words(c.Kind, json.RawMessage(exercise.Readable(string(c.Config))))
}

// finish lets the reader go.
func (p *prompt) finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.over {
		p.over = true
		close(p.done)
	}
	p.changed.Broadcast()
}

// read reads lines until there are none or the exercise is over.
func (p *prompt) read(r io.Reader) {
	lines := bufio.NewScanner(r)
	first := true
	for lines.Scan() {
		first = false
		q, ok := p.turn()
		if !ok {
			return
		}
		in, err := parseInput(lines.Text(), q)
		if err != nil {
			p.out.Line("%s", err)
			continue
		}
		if in.Kind == "" {
			continue
		}
		if !p.give(in, q) {
			return
		}
	}
	if !first { // otherwise nobody is there at all, and nothing is to be broken
		p.turn()
	}
	close(p.inputs)
}

// turn waits until a line may be taken and returns the open question; not ok when the exercise is over.
func (p *prompt) turn() (*exercise.Doing, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for !p.interactive && !p.over && (p.question == nil || p.question.Command == p.answered) {
		p.changed.Wait()
	}
	return p.question, !p.over
}

// give hands the input over.
func (p *prompt) give(in local.Input, q *exercise.Doing) bool {
	switch in.Kind {
	case local.SayNote, local.SayDeviation, local.SayStop:
	default:
		if q == nil {
			p.mu.Lock()
			p.out.Text(0, "nothing is asked just now: "+p.next+"; note TEXT, deviation TEXT and stop are taken at any time")
			p.mu.Unlock()
			return true
		}
		p.mu.Lock()
		p.answered = q.Command
		p.mu.Unlock()
	}
	select {
	case p.inputs <- in:
		return true
	case <-p.done:
		return false
	}
}

// parseInput reads one line. A line may begin with @NAME, the person who says it.
func parseInput(line string, q *exercise.Doing) (local.Input, error) {
	var in local.Input
	first, rest := word(line)
	if name, ok := strings.CutPrefix(first, "@"); ok {
		in.By = name
		first, rest = word(rest)
	}
	in.Text = rest
	switch kind := local.InputKind(strings.ToLower(first)); kind {
	case "":
		return in, nil
	case local.SayNote, local.SayDeviation:
		if rest == "" {
			return in, fmt.Errorf("say what: %s TEXT", first)
		}
		in.Kind = kind
		return in, nil
	case local.SayStop, local.SayFailed, local.SaySkip, local.SayRun:
		in.Kind = kind
		return in, nil
	case local.SayDone, "yes", "y":
		in.Kind = local.SayDone
		return withValues(in), nil
	case "again":
		in.Kind, in.Choice = local.SayChoice, "again"
		return in, nil
	case "no":
		in.Kind = local.SayFailed
		return in, nil
	}
	if q != nil {
		for _, o := range q.Options {
			if o.ID == first {
				in.Kind, in.Choice = local.SayChoice, first
				return in, nil
			}
		}
	}
	return in, fmt.Errorf("%q is none of: %s", first, answers(q))
}

// withValues takes NAME=VALUE words as captured values.
func withValues(in local.Input) local.Input {
	var rest []string
	for _, w := range strings.Fields(in.Text) {
		if name, value, ok := strings.Cut(w, "="); ok && name != "" {
			in.Captures = append(in.Captures, exercise.Captured{Name: name, Value: value})
			continue
		}
		rest = append(rest, w)
	}
	in.Text = strings.Join(rest, " ")
	return in
}

// answers lists what may be said.
func answers(q *exercise.Doing) string {
	list := []string{"done", "failed"}
	if q != nil && q.Node == exercise.NodeAsk {
		list = nil
		for _, o := range q.Options {
			list = append(list, o.ID)
		}
		if q.Hint != "" {
			list = append(list, "done (takes "+q.Hint+")")
		}
	}
	if q != nil && q.Node == exercise.NodeRun {
		list = append(list, "run")
	}
	if q != nil && q.Kind == exercise.DoSettle {
		list = append(list, "again")
	}
	return strings.Join(append(list, "skip WHY", "note TEXT", "deviation TEXT", "stop"), ", ")
}

// ask prints a question: the step's exact text, who does it, what is expected, and the time.
func ask(out *term.Printer, v exercise.View, q exercise.Doing) {
	out.Line("")
	head := "Declare"
	if q.Step != "" {
		head = fmt.Sprintf("Step %s (%d of %d)", q.Step, q.Number, q.Of)
	}
	out.Line("%s  %s", out.Bold(head), out.Dim(elapsedText(out, v)))
	if q.Kind == exercise.DoSettle {
		out.Line("  Belay was interrupted while this step was carried out. Was it done?")
	}
	for _, line := range strings.Split(q.Text, "\n") {
		out.Text(2, "  "+line)
	}
	field := func(name, value string) {
		if name += ":"; value != "" {
			for _, line := range strings.Split(strings.TrimRight(value, "\n"), "\n") {
				out.Text(12, "  "+pad(name, 9)+" "+line)
				name = ""
			}
		}
	}
	if len(q.Argv) > 0 {
		field("command", exercise.Readable(strings.Join(q.Argv, " ")))
	}
	field("command", exercise.Readable(q.Shell))
	field("where", q.Where)
	field("who", q.By)
	field("note", q.Note)
	field("example", q.Example)
	if q.Expect != nil {
		field("expected", checkWords(q.Expect)+" (Belay looks when you say done)")
	}
	for _, o := range q.Options {
		mark := ""
		if o.ID == q.Hint {
			mark = "  <- this is what Belay sees"
		}
		out.Text(15, "  "+pad(o.ID, 12)+" "+o.Text+mark)
	}
	field("values", strings.Join(q.Capture, ", "))
	if q.Node != exercise.NodeAsk && q.Hint != "" {
		field("hint", q.Hint)
	}
	field("again", q.Why)
	out.Text(7, "  say: "+answers(&q))
}
