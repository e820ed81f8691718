package probe

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// CheckConfig says what is wrong, by key. Text that still holds a placeholder is left to the time when it is filled in.
func (c *HTTP) CheckConfig() map[string]string {
	wrong := problems{}
	wrong.url("url", c.URL)
	wrong.timeout(c.Timeout)
	if c.Method != "" && strings.ToUpper(c.Method) != c.Method {
		wrong["method"] = fmt.Sprintf("%q is not a method (did you mean %q?)", c.Method, strings.ToUpper(c.Method))
	}
	if c.Follow < 0 {
		wrong["follow"] = "it counts redirects, so it cannot be negative"
	}
	if len(c.Status) > 0 && len(c.Expect.Status) > 0 {
		wrong["status"] = "is given twice: here and below expect"
	}
	wrong.statuses("status", c.Status)
	wrong.statuses("expect.status", c.Expect.Status)
	for path := range c.Expect.JSON {
		wrong.path("expect.json", path)
	}
	if c.Expect.Identity != "" {
		wrong.path("expect.identity", c.Expect.Identity)
	}
	return wrong
}

// CheckConfig says what is wrong, by key.
func (c *TCP) CheckConfig() map[string]string {
	wrong := problems{}
	wrong.address("address", c.Address)
	wrong.timeout(c.Timeout)
	return wrong
}

// CheckConfig says what is wrong, by key.
func (c *DNS) CheckConfig() map[string]string {
	wrong := problems{}
	if c.Name == "" {
		wrong["name"] = "is missing: which name shall be looked up?"
	}
	if c.Server != "" {
		wrong.address("server", c.Server)
	}
	wrong.timeout(c.Timeout)
	return wrong
}

// CheckConfig says what is wrong, by key.
func (c *File) CheckConfig() map[string]string {
	wrong := problems{}
	if c.Path == "" {
		wrong["path"] = "is missing: which file shall be looked at?"
	}
	if c.Absent && (c.Contains != "" || c.SHA256 != "") {
		wrong["absent"] = "an absent file has no content to check"
	}
	if c.SHA256 != "" && !open(c.SHA256) && (len(c.SHA256) != 64 || strings.Trim(strings.ToLower(c.SHA256), "0123456789abcdef") != "") {
		wrong["sha256"] = "expected 64 hexadecimal digits"
	}
	return wrong
}

// CheckConfig says what is wrong, by key.
func (c *Run) CheckConfig() map[string]string {
	wrong := problems{}
	if len(c.Argv) == 0 || c.Argv[0] == "" {
		wrong["argv"] = "is missing: which program shall run? For example [pg_isready, -h, localhost]"
	}
	wrong.timeout(c.Timeout)
	return wrong
}

// Short takes the URL.
func (c *HTTP) Short(values []string, list bool) error {
	return short(&c.URL, values, list, "a URL such as http://127.0.0.1:8001/books/")
}

// Short takes the address.
func (c *TCP) Short(values []string, list bool) error {
	return short(&c.Address, values, list, "host:port")
}

// Short takes the name.
func (c *DNS) Short(values []string, list bool) error {
	return short(&c.Name, values, list, "a name such as api.example.com")
}

// Short takes the path.
func (c *File) Short(values []string, list bool) error {
	return short(&c.Path, values, list, "a path")
}

// Short takes the program and its arguments.
func (c *Run) Short(values []string, list bool) error {
	if !list {
		return fmt.Errorf("expected a list: [program, argument, ...]; it is not run by a shell")
	}
	c.Argv = values
	return nil
}

func short(field *string, values []string, list bool, what string) error {
	if list || len(values) != 1 {
		return fmt.Errorf("expected %s, not a list", what)
	}
	*field = values[0]
	return nil
}

// problems maps a key to what is wrong with it.
type problems map[string]string

// open says that text still holds a placeholder.
func open(text string) bool { return strings.Contains(text, "${") }

func (p problems) url(key, text string) {
	if text == "" {
		p[key] = "is missing: which URL shall be asked?"
		return
	}
	if open(text) {
		return
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		p[key] = fmt.Sprintf("%q is not a URL", text)
	case u.Scheme != "http" && u.Scheme != "https":
		p[key] = fmt.Sprintf("%q must begin with http:// or https://", text)
	case u.Host == "":
		p[key] = fmt.Sprintf("%q names no host", text)
	}
}

func (p problems) address(key, text string) {
	if text == "" {
		p[key] = "is missing: expected host:port"
		return
	}
	if open(text) {
		return
	}
	if _, port, err := net.SplitHostPort(text); err != nil || port == "" {
		p[key] = fmt.Sprintf("%q is not host:port", text)
	}
}

func (p problems) timeout(text string) {
	if text == "" || open(text) {
		return
	}
	if d, err := time.ParseDuration(text); err != nil || d <= 0 {
		p["timeout"] = fmt.Sprintf("%q is not a length of time such as 2s", text)
	}
}

func (p problems) statuses(key string, codes Statuses) {
	for _, code := range codes {
		if code < 100 || code > 599 {
			p[key] = fmt.Sprintf("%d is not an HTTP status (%d is %s)", code, http.StatusOK, http.StatusText(http.StatusOK))
		}
	}
}

func (p problems) path(key, text string) {
	if open(text) {
		return
	}
	if _, err := ParsePath(text); err != nil {
		p[key] = err.Error()
	}
}
