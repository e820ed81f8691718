package start

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// writer makes the texts.
type writer struct {
	a      Answers
	person string
}

// plainScalar is a text that YAML takes as it is, and never as a number, a date or a boolean.
var plainScalar = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9_./-]*$`) })

// value writes a text, in a place where placeholders are replaced, so that it stands for itself.
func value(s string) string {
	return scalar(strings.ReplaceAll(s, "${", "$${"))
}

// scalar writes a text as a YAML scalar on one line, which is never a number or a boolean.
func scalar(s string) string {
	switch strings.ToLower(s) {
	case "true", "false", "yes", "no", "on", "off", "null", "y", "n", "":
	default:
		if plainScalar().MatchString(s) {
			return s
		}
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(strings.ToValidUTF8(s, "?")); err != nil {
		return `""`
	}
	// DEL, NEL and their like are legal in JSON and not in YAML.
	return strings.Map(func(r rune) rune {
		if r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0xfeff || r == 0xfffe || r == 0xffff {
			return '?'
		}
		return r
	}, strings.TrimRight(b.String(), "\n"))
}

// comment writes a text as comment lines.
func comment(indent, text string) string {
	var b strings.Builder
	for _, line := range strings.Split(text, "\n") {
		line = strings.Map(func(r rune) rune {
			if r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0x2028 || r == 0x2029 || r == 0xfeff || r >= 0xfffe && r <= 0xffff {
				return ' '
			}
			return r
		}, strings.ToValidUTF8(line, "?"))
		b.WriteString(strings.TrimRight(indent+"# "+line, " ") + "\n")
	}
	return b.String()
}

// command writes a command line as the key of a step: a list of arguments, or a shell line where only a shell understands it.
func command(line string) string {
	if strings.ContainsAny(line, "'\"\\|&;<>()$`*?[]{}~#!\n\t=") {
		return "shell: " + value(line)
	}
	return "run: " + arguments(strings.Fields(line))
}

func arguments(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = value(w)
	}
	return "[" + strings.Join(out, ", ") + "]"
}

// argv is a command line where only a list of arguments is taken.
func argv(line string) string {
	if text, ok := strings.CutPrefix(command(line), "run: "); ok {
		return text
	}
	return arguments([]string{"sh", "-c", line})
}

// variable is the name of the value that holds a service's place.
func variable(id string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' {
			return '_'
		}
		return r
	}, "at_"+id)
}

// look is what a probe or a check of the service asks.
func look(s Service) string {
	if s.URL != "" {
		return fmt.Sprintf(`{http: {url: "${%s}", expect: {status: 200}}}`, variable(s.ID))
	}
	return fmt.Sprintf(`{tcp: "${%s}"}`, variable(s.ID))
}

func (w writer) main() string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }
	p("# The playbook of %s: what it depends on, who answers for it, and how it comes back after a failure.\n", w.a.Application)
	p("# `belay lint` says what is wrong or weak, `belay render` makes one document of it. Each failure has a file in scenarios/.\n\n")
	p("application: %s\n", scalar(w.a.Application))
	if w.a.Team != "" {
		p("team: %s\n", scalar(w.a.Team))
	}
	p("\nenvironments:\n  %s:\n    kind: non-production   # production asks for approvals, a window and an identity\n", scalar(w.a.Environment))
	p("    # How often and how patiently Belay asks: the shorter, the narrower the bounds of an outage.\n")
	p("    measure: {period: 250ms, timeout: 1s, window: 3s, baseline: 5s}\n")
	vars := false
	for _, s := range w.a.Services {
		at := s.URL
		if at == "" {
			at = s.Address
		}
		if at == "" {
			continue
		}
		if !vars {
			p("    vars:\n")
			vars = true
		}
		p("      %s: %s\n", variable(s.ID), scalar(at))
	}
	p("\nservices:\n")
	for _, s := range w.a.Services {
		w.service(&b, s)
	}
	p("\npeople:\n  %s:\n    name: %s\n", scalar(w.person), scalar(w.a.Person.Name))
	p("    # One person may speak for several roles at first. A second person, as deputy, is the next thing to add.\n")
	p("    roles: [development, testing, operations, stakeholder]\n    services: [all]\n")
	if w.a.Person.Email != "" {
		p("    email: %s\n", scalar(w.a.Person.Email))
	}
	if w.a.Person.Phone != "" {
		p("    phone: %s\n", scalar(w.a.Person.Phone))
	}
	if w.a.Person.Email == "" && w.a.Person.Phone == "" {
		p("    # phone: 555-555-5550   # at three in the morning somebody must be able to call\n")
	}
	p("    available: \"Mon-Fri 09:00-17:00\"   # or on-call; a zone may follow, for example Europe/Berlin\n")
	w.actions(&b)
	return b.String()
}

func (w writer) service(b *strings.Builder, s Service) {
	p := func(format string, args ...any) { fmt.Fprintf(b, format, args...) }
	for _, c := range s.Comments {
		b.WriteString(comment("  ", c))
	}
	p("  %s:\n", scalar(s.ID))
	if s.Platform != "" {
		p("    platform: %s\n", scalar(s.Platform))
	}
	if s.Technology != "" {
		p("    technologies: [%s]\n", scalar(s.Technology))
	}
	if s.Unknown {
		p("    critical: unknown   # take it away in an exercise, and write always or never\n")
	} else {
		p("    critical: always    # the application cannot do without it; or never, unknown, or a period\n")
		p("    rto: %s             # the longest time in which it must be back\n", w.a.RTO)
		if w.a.RPO != "" {
			p("    rpo: %s            # the longest span of data that may be lost\n", w.a.RPO)
		} else {
			p("    # rpo: 24h          # the longest span of data that may be lost; a canary below measures it\n")
		}
	}
	if len(s.Needs) > 0 {
		p("    needs: %s\n", arguments(s.Needs))
	}
	if s.URL != "" || s.Address != "" {
		p("    probes:\n      answers: %s\n", look(s))
	} else {
		p("    # probes: {answers: {http: {url: ...}}}   # without a probe no outage of it can be measured\n")
	}
	p("    # canary: ...          # numbered writes show what a failure loses: see the documentation\n")
	p("    # observability: {metrics: ..., logs: ...}\n")
}

// actions are the commands that the scenarios use, bound to the environment.
func (w writer) actions(b *strings.Builder) {
	first := true
	for _, s := range w.a.Services {
		if s.Restart == "" || s.URL == "" && s.Address == "" {
			continue
		}
		if first {
			b.WriteString("\nactions:\n")
			first = false
		}
		fmt.Fprintf(b, "  restart-%s:\n    text: Restart %s\n    expect: %s\n    repeat: safe   # running it twice does no harm\n    timeout: 5m\n    %s: {%s}\n",
			s.ID, s.ID, look(s), value(w.a.Environment), command(s.Restart))
	}
}

func (w writer) scenario(s Service) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }
	p("# %s has failed. Write each step so that somebody else can follow it at three in the morning.\n", s.ID)
	p("scenario: %s\nclass: disaster-recovery\ncovers: [%s]\nrecovers_by: procedure   # or platform, when it comes back by itself\n",
		value(s.ID+" failure"), value(s.ID))
	p("leads: {primary: %s}   # add secondary: a deputy\nseverity: critical\nrto: %s\n", value(w.person), w.a.RTO)
	if w.a.RPO != "" {
		p("rpo: %s\n", w.a.RPO)
	} else {
		p("rpo: 0s   # 0s states none: add a canary to the service, then say how much data may be lost\n")
	}
	p("overview:\n  - Restart %s\n  - Confirm that it answers\n\n", s.ID)
	w.fault(&b, s)
	p("\nrecovery:\n")
	if s.Restart != "" {
		p("  - {id: restart, use: restart-%s}\n", s.ID)
	} else {
		p("  # Put the command into an action of belay.yaml, and the exercise can run by itself: {id: restart, use: restart-%s}\n", s.ID)
		p("  - id: restart\n    manual: Start %s again, with the command that your team uses\n    expect: %s\n", s.ID, look(s))
	}
	p("\n# The test procedure proves that the system works again. It always runs.\ntest:\n  - {id: answers, check: %s}\n", look(s))
	p("\n# The resume procedure goes back to normal: rebuild what the recovery has used up, and look that it is protected again.\n")
	p("resume:\n  - {id: still-answers, check: %s}\n", look(s))
	return b.String()
}

// fault says how an exercise produces the failure.
func (w writer) fault(b *strings.Builder, s Service) {
	p := func(format string, args ...any) { fmt.Fprintf(b, format, args...) }
	switch {
	case s.PIDFile != "":
		p("# An exercise kills the process whose number is in this file. Nothing but the recovery starts it again.\n")
		p("fault: {process: {kill: {pid_file: %s}}}\n", value(s.PIDFile))
	case s.Stop != "":
		p("# An exercise stops it with this command; revert is for an exercise that is broken off, and does no harm twice.\n")
		p("# confirm ends with 0 while the service is away.\n")
		p("fault:\n  command:\n    inject: %s\n    revert: %s\n    confirm: %s\n", argv(s.Stop), argv(s.Restart), argv(w.stopped(s)))
	default:
		p("# How an exercise produces this failure. Without it somebody has to break the service by hand:\n")
		p("# fault: {process: {kill: {pid_file: /run/%s.pid}}}\n", s.ID)
	}
}

// stopped is a command that ends with 0 while the service is away.
func (w writer) stopped(s Service) string {
	switch {
	case s.Stopped != "":
		return s.Stopped
	case s.URL != "":
		return "! curl --silent --output /dev/null --max-time 2 " + quoted(s.URL)
	}
	i := strings.LastIndex(s.Address, ":")
	return "! nc -z -w 2 " + quoted(strings.Trim(s.Address[:max(i, 0)], "[]")) + " " + quoted(s.Address[i+1:])
}

// quoted is a word that a shell takes as it is.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
