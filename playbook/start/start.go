// Package start makes a first playbook: small, valid, with comments that say what to fill in, from a few answers or from a
// Compose file.
//
// It returns texts and writes nothing. What it cannot know it says in a comment or a note, and never makes up.
// Start reading at Files, then Compose.
package start

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Answers are what a first playbook is made from.
type Answers struct {
	// Application is its short name.
	Application string
	Team        string
	// Environment is the non-production environment to begin with. Empty means staging.
	Environment string
	// Person answers for the application at first.
	Person Person
	// Services are the application's parts; the first one is what people call.
	Services []Service
	// RTO and RPO are the first objectives, for example 1h and 24h. An empty RTO means 1h. An empty RPO states none: nothing
	// measures what is lost until somebody adds a canary.
	RTO, RPO string
}

// Person is somebody to call.
type Person struct {
	Name, Email, Phone string
}

// Service is one part of the application. It has a scenario when URL or Address is there, because an outage must be measured.
type Service struct {
	// ID is its short name.
	ID string
	// URL is asked by the probe; Address, as host:port, is connected to where there is no URL.
	URL, Address string
	Platform     string
	Technology   string
	Needs        []string
	// Unknown says that nobody has said whether it is critical.
	Unknown bool
	// Restart brings it back, and Stop takes it away, as a command line. Stopped ends with 0 while it is away.
	Restart, Stop, Stopped string
	// PIDFile holds the number of its process; an exercise kills that process.
	PIDFile string
	// Comments are written above the service.
	Comments []string
}

// File is one file of the playbook, by its path with slashes.
type File struct {
	Path string
	Text string
}

// identifier is what names of applications and services may be. They are short, because names are made of them.
var identifier = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,47}$`) })

// Files returns the files of the playbook, belay.yaml first. The errors name each answer that is missing or cannot be used.
func Files(a Answers) ([]File, error) {
	a.Environment, a.RTO = cmp.Or(a.Environment, "staging"), cmp.Or(a.RTO, "1h")
	a.trim()
	if err := a.check(); err != nil {
		return nil, err
	}
	w := writer{a: a, person: slug(a.Person.Name)}
	files := []File{{Path: "belay.yaml", Text: w.main()}}
	for _, s := range a.Services {
		if s.URL != "" || s.Address != "" {
			files = append(files, File{Path: scenarioPath(s.ID, files), Text: w.scenario(s)})
		}
	}
	return files, nil
}

// scenarioPath is a name for the file that no other one has: such names are in lower case, without underscores.
func scenarioPath(service string, files []File) string {
	for n := 1; ; n++ {
		path := "scenarios/" + slug(service) + "-failure.yaml"
		if n > 1 {
			path = fmt.Sprintf("scenarios/%s-failure-%d.yaml", slug(service), n)
		}
		if !slices.ContainsFunc(files, func(f File) bool { return f.Path == path }) {
			return path
		}
	}
}

// trim takes the space off the answers: what is only space is no answer.
func (a *Answers) trim() {
	a.Services = slices.Clone(a.Services)
	texts := []*string{&a.Application, &a.Team, &a.Environment, &a.Person.Name, &a.Person.Email, &a.Person.Phone, &a.RTO, &a.RPO}
	for i := range a.Services {
		s := &a.Services[i]
		texts = append(texts, &s.ID, &s.URL, &s.Address, &s.Platform, &s.Technology, &s.Restart, &s.Stop, &s.Stopped, &s.PIDFile)
	}
	for _, t := range texts {
		*t = strings.TrimSpace(*t)
	}
}

func (a Answers) check() error {
	var wrong []error
	name := func(what, s string) {
		switch {
		case s == "":
			wrong = append(wrong, fmt.Errorf("%s has no name", what))
		case !identifier().MatchString(s):
			wrong = append(wrong, fmt.Errorf("%s cannot be called %q: use at most 48 letters, digits, - and _", what, s))
		}
	}
	name("the application", a.Application)
	name("the environment", a.Environment)
	if slug(a.Person.Name) == "" {
		wrong = append(wrong, errors.New("nobody answers for the application: name a person"))
	}
	if len(a.Services) == 0 {
		wrong = append(wrong, errors.New("the application has no service"))
	}
	var seen []string
	for _, s := range a.Services {
		name("a service", s.ID)
		if slices.Contains(seen, s.ID) {
			wrong = append(wrong, fmt.Errorf("the service %q is there twice", s.ID))
		}
		seen = append(seen, s.ID)
		if s.URL != "" && !strings.HasPrefix(s.URL, "http://") && !strings.HasPrefix(s.URL, "https://") {
			wrong = append(wrong, fmt.Errorf("the URL of %s must begin with http:// or https://, got %q", s.ID, s.URL))
		}
	}
	for _, s := range a.Services {
		if s.Stop != "" && s.Restart == "" {
			wrong = append(wrong, fmt.Errorf("%s can be stopped and not started again: give its restart command", s.ID))
		}
		for _, need := range s.Needs {
			if !slices.Contains(seen, need) {
				wrong = append(wrong, fmt.Errorf("%s needs %q, which is no service", s.ID, need))
			}
		}
	}
	return errors.Join(wrong...)
}

// slug makes an identifier of a name: "Alice Liddell" becomes alice-liddell.
func slug(name string) string {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
	s := strings.Join(words, "-")
	return strings.TrimRight(s[:min(len(s), 64)], "-")
}

// ParsePerson reads "Alice <alice@example.com>" or a name alone.
func ParsePerson(text string) Person {
	name, rest, ok := strings.Cut(text, "<")
	p := Person{Name: strings.TrimSpace(name)}
	if ok {
		p.Email = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), ">"))
	}
	return p
}
