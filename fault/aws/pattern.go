package aws

import "regexp"

// pattern is a regular expression that is compiled where it is used: belay starts many times without it.
type pattern string

func (p pattern) matches(text string) bool { return regexp.MustCompile(string(p)).MatchString(text) }

func (p pattern) find(text string) []string {
	return regexp.MustCompile(string(p)).FindStringSubmatch(text)
}
