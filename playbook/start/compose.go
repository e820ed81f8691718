package start

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"
)

// largest is the size of a Compose file that is read: real ones are a few kilobytes.
const largest = 1 << 20

// Compose makes services of a Compose file: their needs, probes from ports and health checks, and commands that stop and start
// them. Lookup is where ${VARIABLES} come from. The notes list what could not be taken over, so that nothing is lost in silence.
// Docs/decisions/0002 says which part of the format is read.
func Compose(text []byte, lookup func(string) (string, bool)) (services []Service, notes []string, err error) {
	if len(text) > largest {
		return nil, nil, errors.New("read compose file: it is larger than 1 MiB")
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, nil, fmt.Errorf("read compose file: %w", err)
	}
	if len(doc.Content) == 0 {
		return nil, nil, errors.New("read compose file: it is empty")
	}
	c := &composeFile{lookup: lookup, root: resolve(doc.Content[0])}
	if err := c.read(); err != nil {
		return nil, nil, fmt.Errorf("read compose file: %w", err)
	}
	return c.services, c.notes, nil
}

// composeFile is the file that is being read.
type composeFile struct {
	lookup   func(string) (string, bool)
	root     *yaml.Node
	services []Service
	notes    []string
}

func (c *composeFile) note(format string, args ...any) {
	if n := fmt.Sprintf(format, args...); !slices.Contains(c.notes, n) {
		c.notes = append(c.notes, n)
	}
}

func (c *composeFile) read() error {
	if c.root.Kind != yaml.MappingNode {
		return errors.New("it is not a mapping")
	}
	if get(c.root, "include") != nil {
		c.note("include: the included files are not read; run `docker compose config > all.yaml` and start from that")
	}
	list := get(c.root, "services")
	if list == nil || list.Kind != yaml.MappingNode || len(list.Content) == 0 {
		return errors.New("it names no services")
	}
	for name, node := range pairs(list) {
		if !identifier().MatchString(name) {
			c.note("service %q: the name cannot be used, it is left out", name)
			continue
		}
		if slices.ContainsFunc(c.services, func(s Service) bool { return s.ID == name }) {
			return fmt.Errorf("the service %s is there twice", name)
		}
		c.services = append(c.services, c.service(name, node))
	}
	if len(c.services) == 0 {
		return errors.New("it names no service that can be used")
	}
	c.needs(list)
	return nil
}

// service reads one service but its needs.
func (c *composeFile) service(name string, node *yaml.Node) Service {
	s := Service{ID: name, Platform: "Docker Compose", Technology: c.text(get(node, "image"))}
	if build := get(node, "build"); s.Technology == "" && build != nil {
		s.Technology = "built from " + cmp.Or(c.text(build), c.text(get(build, "context")), c.text(get(build, "dockerfile")), "the project")
	}
	if get(node, "extends") != nil {
		c.note("%s: extends is not followed; run `docker compose config > all.yaml` and start from that", name)
	}
	if len(sequence(get(node, "profiles"))) > 0 {
		c.note("%s: it belongs to a profile, and is only there when that is chosen", name)
	}
	c.probe(&s, node)
	s.Restart = "docker compose up --detach --wait " + name
	s.Stop = "docker compose kill " + name
	s.Stopped = "! docker compose ps --status running --services | grep -qx " + name
	for _, v := range sequence(get(node, "volumes")) {
		if v := c.volume(v); v != "" {
			s.Comments = append(s.Comments, "It keeps data in "+v+": a canary would show what a failure loses.")
		}
	}
	return s
}

// volume names where a volume is kept: a name, or a path on the host. Anonymous and temporary ones keep nothing.
func (c *composeFile) volume(node *yaml.Node) string {
	node = resolve(node)
	if node.Kind == yaml.MappingNode {
		if c.text(get(node, "type")) == "tmpfs" || c.text(get(node, "read_only")) == "true" {
			return ""
		}
		return c.text(get(node, "source"))
	}
	source, rest, ok := strings.Cut(c.text(node), ":")
	if !ok || strings.HasSuffix(rest, ":ro") {
		return ""
	}
	return source
}

// needs reads depends_on and links when all names are known.
func (c *composeFile) needs(list *yaml.Node) {
	for i := range c.services {
		s := &c.services[i]
		node := get(list, s.ID)
		var names []string
		depends := get(node, "depends_on")
		if depends != nil && depends.Kind == yaml.MappingNode {
			for name := range pairs(depends) {
				names = append(names, name)
			}
		}
		for _, n := range sequence(depends) {
			names = append(names, c.text(n))
		}
		for _, n := range sequence(get(node, "links")) {
			name, _, _ := strings.Cut(c.text(n), ":")
			names = append(names, name)
		}
		for _, name := range names {
			known := slices.ContainsFunc(c.services, func(o Service) bool { return o.ID == name })
			switch {
			case !known || name == s.ID:
				c.note("%s: depends on %q, which is no service of the file", s.ID, name)
			case c.reaches(name, s.ID):
				c.note("%s: depends on %s, which depends on it in turn; that is left out", s.ID, name)
			case !slices.Contains(s.Needs, name):
				s.Needs = append(s.Needs, name)
			}
		}
	}
	for i := range c.services {
		s := &c.services[i]
		needed := slices.ContainsFunc(c.services, func(o Service) bool { return slices.Contains(o.Needs, s.ID) })
		s.Unknown = !needed && s.URL == "" && s.Address == ""
	}
}

// reaches says whether from needs to, directly or through others.
func (c *composeFile) reaches(from, to string) bool {
	seen := map[string]bool{}
	queue := []string{from}
	for len(queue) > 0 {
		id := queue[0]
		queue = queue[1:]
		if id == to {
			return true
		}
		if seen[id] {
			continue
		}
		seen[id] = true
		for _, s := range c.services {
			if s.ID == id {
				queue = append(queue, s.Needs...)
			}
		}
	}
	return false
}

// checkURL finds the URL that a health check asks.
var checkURL = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`https?://[^\s"'|&;<>]+`) })

// probe takes the first published port. It is asked by HTTP where the health check does so or the port inside is one of the
// web; everything else is connected to.
func (c *composeFile) probe(s *Service, node *yaml.Node) {
	health := get(node, "healthcheck")
	test := c.text(get(health, "test"))
	for _, word := range sequence(get(health, "test")) {
		test += " " + c.text(word)
	}
	asked := checkURL().FindString(test)
	for _, p := range sequence(get(node, "ports")) {
		published, ok := c.port(s.ID, p)
		if !ok {
			continue
		}
		path := "/"
		if asked != "" {
			_, after, _ := strings.Cut(asked, "://")
			if i := strings.IndexAny(after, "/?"); i >= 0 && after[i] == '/' {
				path = after[i:]
			}
		}
		switch {
		case asked != "" || slices.Contains([]string{"80", "3000", "5000", "8000", "8080", "8081", "9000"}, published.inside):
			s.URL = "http://" + published.at + path
		case published.inside == "443" || published.inside == "8443":
			s.URL = "https://" + published.at + path
		default:
			s.Address = published.at
		}
		return
	}
	c.note("%s: it publishes no port, so it has no probe and no scenario: an outage of it could not be measured", s.ID)
}
