package canary

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/belay-dr/belay/measure/probe"
)

// HTTP is a canary for a collection with a REST interface.
type HTTP struct {
	// URL is the collection: POST creates a row there, GET lists the rows.
	URL string `yaml:"url" json:"url"`
	// Body is the row to create. {marker} stands for the row's own mark (namespace and number), {seq} for the number
	// alone, {stamp} for the time. At least one of the first two must be in it; Field is where the marker is found again.
	Body    string            `yaml:"body" json:"body"`
	Headers map[string]string `yaml:"headers,omitempty" json:"headers,omitempty"`
	// Method creates a row; POST when empty.
	Method string `yaml:"method,omitempty" json:"method,omitempty"`
	// Read is where the rows are read back; URL when empty. It must be the serving node, not a replica or a cache.
	Read string `yaml:"read,omitempty" json:"read,omitempty"`
	// Items is the path of the list in the answer; $ when empty.
	Items string `yaml:"items,omitempty" json:"items,omitempty"`
	// Field is the path of the marker within one row, for example $.last_name.
	Field string `yaml:"field" json:"field"`
	// Delete is the path of the row's own URL within one row, for example $.url. Without it rows are left behind.
	Delete string `yaml:"delete,omitempty" json:"delete,omitempty"`
	// Refused lists statuses besides 4xx that are certain not to have written, for example 503 of a gateway.
	Refused []int `yaml:"refused,omitempty" json:"refused,omitempty"`
	// Identity is asked when the rows are read back.
	Identity *Beacon `yaml:"identity,omitempty" json:"identity,omitempty"`
	// Timeout is for reading back and cleaning up: 30s when empty. Writes take the schedule's.
	Timeout string `yaml:"timeout,omitempty" json:"timeout,omitempty"`
}

// Beacon is where a service says who it is.
type Beacon struct {
	URL string `yaml:"url" json:"url"`
	// Path is where in the answer, for example $.environment.
	Path string `yaml:"path" json:"path"`
}

// defaultTimeout bounds reading back and cleaning up.
const defaultTimeout = 30 * time.Second

// CheckConfig says what is wrong, by key. Text that still holds a placeholder is left to the time when it is filled in.
func (c *HTTP) CheckConfig() map[string]string {
	wrong := map[string]string{}
	for key, text := range map[string]string{"url": c.URL, "read": c.Read} {
		if why := wrongURL(text); why != "" && (text != "" || key == "url") {
			wrong[key] = why
		}
	}
	if !strings.Contains(c.Body, "{marker}") {
		wrong["body"] = "it must hold {marker}, so that its rows are found again and nobody else's are touched"
	}
	for key, text := range map[string]string{"items": c.Items, "field": c.Field, "delete": c.Delete} {
		if text == "" || strings.Contains(text, "${") {
			continue
		}
		if _, err := probe.ParsePath(text); err != nil {
			wrong[key] = err.Error()
		}
	}
	if c.Field == "" {
		wrong["field"] = "is missing: where in a row is the marker? For example $.last_name"
	}
	for _, status := range c.Refused {
		if status < 300 || status > 599 {
			wrong["refused"] = fmt.Sprintf("%d is not the status of a refusal", status)
		}
	}
	if d, err := time.ParseDuration(c.Timeout); c.Timeout != "" && !strings.Contains(c.Timeout, "${") && (err != nil || d <= 0) {
		wrong["timeout"] = fmt.Sprintf("%q is not a length of time such as 30s", c.Timeout)
	}
	if c.Identity != nil {
		if why := wrongURL(c.Identity.URL); why != "" {
			wrong["identity.url"] = why
		}
		if _, err := probe.ParsePath(c.Identity.Path); err != nil {
			wrong["identity.path"] = err.Error()
		}
	}
	return wrong
}

func wrongURL(text string) string {
	if strings.Contains(text, "${") {
		return ""
	}
	u, err := url.Parse(text)
	switch {
	case text == "":
		return "is missing: where are the rows?"
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return fmt.Sprintf("%q is not the URL of a collection", text)
	}
	return ""
}

func (c *HTTP) method() string {
	if c.Method == "" {
		return http.MethodPost
	}
	return c.Method
}

func (c *HTTP) readURL() string {
	if c.Read == "" {
		return c.URL
	}
	return c.Read
}

func (c *HTTP) timeout() time.Duration {
	if d, err := time.ParseDuration(c.Timeout); err == nil && d > 0 {
		return d
	}
	return defaultTimeout
}
