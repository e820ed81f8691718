package playbook_test

import (
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/belay-dr/belay/fault/targets/all"
	"github.com/belay-dr/belay/measure/canary"
	"github.com/belay-dr/belay/measure/probe"
	"github.com/belay-dr/belay/playbook"
)

// The kinds of this file stand for those of the other rooms: each form that a kind can have is there once.

type httpKind struct {
	URL    string            `yaml:"url" json:"url"`
	Method string            `yaml:"method,omitempty" json:"method,omitempty"`
	Header map[string]string `yaml:"header,omitempty" json:"header,omitempty"`
	Body   any               `yaml:"body,omitempty" json:"body,omitempty"`
	Field  string            `yaml:"field,omitempty" json:"field,omitempty"`
	Within time.Duration     `yaml:"within,omitempty" json:"within,omitempty"`
	Expect *struct {
		Status int  `yaml:"status,omitempty" json:"status,omitempty"`
		TLS    bool `yaml:"tls,omitempty" json:"tls,omitempty"`
	} `yaml:"expect,omitempty" json:"expect,omitempty"`
}

func (h *httpKind) Short(values []string, list bool) error {
	if list {
		return errors.New("want a URL, got a list")
	}
	h.URL = values[0]
	return nil
}

func (h *httpKind) Validate() []playbook.Problem {
	if strings.HasPrefix(h.URL, "${") {
		return nil
	}
	if u, err := url.Parse(h.URL); err != nil || u.Host == "" || !strings.HasPrefix(u.Scheme, "http") {
		return []playbook.Problem{{Key: "url", Message: "is no URL of a web page", Hint: "http://host/path"}}
	}
	return nil
}

type tcpKind struct {
	Address string `yaml:"address" json:"address"`
}

func (t *tcpKind) Short(values []string, list bool) error {
	if list {
		return errors.New("want host:port, got a list")
	}
	t.Address = values[0]
	return nil
}

type runKind struct {
	Args []string `yaml:"args" json:"args"`
}

func (r *runKind) Short(values []string, list bool) error {
	r.Args = values
	return nil
}

type processKind struct {
	Kill string `yaml:"kill,omitempty" json:"kill,omitempty"`
	Stop string `yaml:"stop,omitempty" json:"stop,omitempty"`
}

// realKinds are the kinds that the command line wires.
func realKinds() playbook.Kinds {
	return playbook.Kinds{"probe": probe.Kinds(), "check": probe.Checks(), "canary": canary.Kinds(), "fault": all.Kinds().Configs()}
}

func testKinds() playbook.Kinds {
	web := func() any { return &httpKind{} }
	tcp := func() any { return &tcpKind{} }
	return playbook.Kinds{
		"probe":  {"http": web, "tcp": tcp},
		"check":  {"http": web, "tcp": tcp, "run": func() any { return &runKind{} }},
		"canary": {"http": web},
		"fault":  {"process": func() any { return &processKind{} }},
	}
}
