package exercise

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/belay-dr/belay/playbook"
)

// procedure adds the steps of a procedure. prefix is that of a called scenario; trail are the scenarios being called.
func (c *compiler) procedure(name string, steps []playbook.Step, prefix string, trail []string) error {
	for i := range steps {
		for _, row := range steps[i].Capture {
			c.captures = append(c.captures, row.ID)
		}
		if a, ok := c.pb.Actions.Get(steps[i].Use); ok {
			if b, ok := a.Bindings.Get(c.environment); ok {
				c.captures = append(c.captures, b.Capture.IDs()...)
			}
		}
	}
	for i := range steps {
		s := &steps[i]
		if s.Call != "" {
			if err := c.called(name, s, prefix, trail, after(steps, i, prefix)); err != nil {
				return fmt.Errorf("step %s: %w", s.ID, err)
			}
			continue
		}
		n, err := c.node(name, s, prefix)
		if err != nil {
			return fmt.Errorf("step %s: %w", s.ID, err)
		}
		c.plan.Nodes = append(c.plan.Nodes, n)
	}
	return nil
}

// after names the step that follows; the end of a procedure is a jump to resume.
func after(steps []playbook.Step, i int, prefix string) string {
	if i+1 < len(steps) {
		return prefix + steps[i+1].ID
	}
	return string(playbook.ToResume)
}

// called copies another scenario's recovery in. Where it would end, it goes on with the step after the call.
func (c *compiler) called(name string, s *playbook.Step, prefix string, trail []string, next string) error {
	sc, ok := c.pb.Scenarios.Get(s.Call)
	if !ok {
		return fmt.Errorf("there is no scenario %q", s.Call)
	}
	if slices.Contains(trail, s.Call) {
		return fmt.Errorf("scenario %s calls itself", s.Call)
	}
	from := len(c.plan.Nodes)
	entry := prefix + s.ID
	if err := c.procedure(name, sc.Recovery, entry+"/", append(slices.Clone(trail), s.Call)); err != nil {
		return err
	}
	if from == len(c.plan.Nodes) {
		return fmt.Errorf("scenario %s has no recovery", s.Call)
	}
	home := func(jump string, last bool) string {
		if jump == string(playbook.ToResume) || (last && jump == string(playbook.Next)) {
			return next
		}
		return jump
	}
	for i := from; i < len(c.plan.Nodes); i++ {
		n, last := &c.plan.Nodes[i], i == len(c.plan.Nodes)-1
		n.OK, n.Failed = home(n.OK, last), home(n.Failed, last)
		for j := range n.Options {
			n.Options[j].Goto = home(n.Options[j].Goto, last)
		}
	}
	// Jumps to the call lead to its first step.
	c.plan.Nodes[from].ID = entry
	return nil
}

// node resolves one step to the environment's binding.
func (c *compiler) node(procedure string, s *playbook.Step, prefix string) (Node, error) {
	n := Node{
		ID: prefix + s.ID, Procedure: procedure, Note: s.Note, Example: s.Example, Where: s.Where, Wait: s.Wait.D(),
		To: slices.Clone(s.To), Optional: s.Optional, Timeout: s.Timeout.D(), Retry: s.Retry, Repeat: string(s.Repeat), By: s.By,
		NoReturn: s.NoReturn, OK: jump(s.Then.OK, playbook.Next, prefix), Failed: jump(s.Then.Failed, playbook.Stop, prefix),
	}
	text := s.Text
	b := playbook.Binding{Run: s.Run, Shell: s.Shell, Manual: s.Manual, Check: s.Check, Where: s.Where, Expect: s.Expect, Example: s.Example}
	captures := slices.Clone(s.Capture)
	if s.Use != "" {
		a, ok := c.pb.Actions.Get(s.Use)
		if !ok {
			return n, fmt.Errorf("there is no action %q", s.Use)
		}
		bound, ok := a.Bindings.Get(c.environment)
		if !ok {
			return n, fmt.Errorf("action %s has no binding for environment %s", s.Use, c.environment)
		}
		b = merge(*bound, s, a)
		captures = append(captures, bound.Capture...)
		if text == "" {
			text = a.Text
		}
		if n.Note == "" {
			n.Note = a.Note
		}
		n.Example, n.Where = b.Example, b.Where
		if n.Repeat == "" {
			n.Repeat = string(a.Repeat)
		}
		if n.Timeout == 0 {
			n.Timeout = a.Timeout.D()
		}
	}
	if n.Timeout == 0 {
		n.Timeout = playbook.DefaultStepTimeout.D()
	}
	for _, row := range captures {
		n.Captures = append(n.Captures, Capture{Name: row.ID, JSON: row.Value.JSON, Regexp: row.Value.Regexp, Sensitive: row.Value.Sensitive})
	}
	n.Kind = kindOf(s, b)
	return n, c.fillNode(&n, s, b, text)
}

// merge lays what the step says over its action's binding.
func merge(b playbook.Binding, s *playbook.Step, a *playbook.Action) playbook.Binding {
	switch {
	case s.Expect != nil:
		b.Expect = s.Expect
	case b.Expect == nil:
		b.Expect = a.Expect
	}
	if s.Where != "" {
		b.Where = s.Where
	}
	if s.Example != "" {
		b.Example = s.Example
	}
	return b
}

func kindOf(s *playbook.Step, b playbook.Binding) NodeKind {
	switch {
	case s.Ask != "":
		return NodeAsk
	case s.Approve != "":
		return NodeApprove
	case s.Notify != "":
		return NodeNotify
	case len(b.Run) > 0 || b.Shell != "":
		return NodeRun
	case b.Manual != "":
		return NodeManual
	case b.Check != nil:
		return NodeCheck
	case s.Wait > 0:
		return NodeWait
	}
	return NodeManual
}

// fillNode expands the texts and the checks of a node.
func (c *compiler) fillNode(n *Node, s *playbook.Step, b playbook.Binding, text string) error {
	var err error
	fill := func(to *string, from string) {
		if err == nil {
			*to, err = c.text(from)
		}
	}
	check := func(to **Check, from *playbook.Spec) {
		if err == nil {
			*to, err = c.check(from)
		}
	}
	for _, t := range []string{b.Manual, s.Ask, s.Approve, s.Notify} {
		if t != "" && text != "" && t != text {
			text += ": " + t
		} else if t != "" {
			text = t
		}
	}
	if n.Kind == NodeNotify {
		text = s.Notify
	}
	if n.Argv, err = c.texts(b.Run); err != nil {
		return err
	}
	fill(&n.Shell, b.Shell)
	fill(&n.Where, n.Where)
	fill(&n.Text, text)
	check(&n.Check, b.Check)
	check(&n.Expect, b.Expect)
	check(&n.If, s.If)
	for _, row := range s.Options {
		o := Option{ID: row.ID, Goto: jump(row.Value.Goto, playbook.Next, strings.TrimSuffix(n.ID, s.ID))}
		fill(&o.Text, row.Value.Text)
		check(&o.If, row.Value.If)
		n.Options = append(n.Options, o)
	}
	if err != nil {
		return err
	}
	n.describe()
	return c.secrets(n, b.Secrets)
}

// describe gives a step without words the best that can be said of it, and looking its natural repeat.
func (n *Node) describe() {
	if n.Text == "" {
		switch n.Kind {
		case NodeRun:
			n.Text = strings.Join(n.Argv, " ") + n.Shell
		case NodeCheck:
			n.Text = "Check " + n.Check.Kind + " " + string(n.Check.Config)
		case NodeWait:
			n.Text = fmt.Sprintf("Wait %s", n.Wait)
		}
	}
	if n.Repeat == "" {
		n.Repeat = string(playbook.RepeatAsk)
		if n.Kind == NodeCheck || n.Kind == NodeWait || n.Kind == NodeNotify {
			n.Repeat = string(playbook.RepeatSafe)
		}
	}
	if n.Kind == NodeWait {
		n.Timeout = max(n.Timeout, n.Wait+time.Minute)
	}
}

func (c *compiler) secrets(n *Node, names []string) error {
	for _, name := range names {
		ref, ok := c.env.Secrets.Get(name)
		if !ok {
			return fmt.Errorf("environment %s has no secret %q", c.environment, name)
		}
		n.Secrets = append(n.Secrets, Secret{Name: name, File: ref.File, Env: ref.Env})
	}
	return nil
}

// jump names where to go; IDs get the prefix of the called scenario.
func jump(j, standard playbook.Jump, prefix string) string {
	switch j {
	case "":
		return string(standard)
	case playbook.Next, playbook.ToResume, playbook.Stop:
		return string(j)
	}
	return prefix + string(j)
}
