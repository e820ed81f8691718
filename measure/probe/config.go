package probe

// HTTP asks a URL. In YAML a scalar is the URL.
type HTTP struct {
	// URL is http or https.
	URL string `yaml:"url" json:"url"`
	// Method is GET when empty.
	Method  string            `yaml:"method,omitempty" json:"method,omitempty"`
	Headers map[string]string `yaml:"headers,omitempty" json:"headers,omitempty"`
	// Body is sent as it is.
	Body string `yaml:"body,omitempty" json:"body,omitempty"`
	// Expect says what a good answer is. Without it, any status from 200 to 299 is.
	Expect Expect `yaml:"expect,omitempty" json:"expect,omitzero"`
	// Status is short for expect.status.
	Status Statuses `yaml:"status,omitempty" json:"status,omitempty"`
	// Follow is how many redirects are followed; none by default.
	Follow int `yaml:"follow,omitempty" json:"follow,omitempty"`
	// Bust adds a query parameter that is new each time, so that no cache can answer.
	Bust bool `yaml:"bust,omitempty" json:"bust,omitempty"`
	// Timeout is for this probe; a shorter deadline of the schedule wins. For example 2s.
	Timeout string `yaml:"timeout,omitempty" json:"timeout,omitempty"`
}

// Expect says what a good HTTP answer is. Everything named must hold.
type Expect struct {
	// Status is one code or a list of codes.
	Status Statuses `yaml:"status,omitempty" json:"status,omitempty"`
	// Contains is text that the body must hold.
	Contains string `yaml:"contains,omitempty" json:"contains,omitempty"`
	// JSON maps paths such as $.online or $.items[0].name to the value that must be there.
	JSON Values `yaml:"json,omitempty" json:"json,omitempty"`
	// Identity is the path of the beacon that says who answered, for example $.environment.
	Identity string `yaml:"identity,omitempty" json:"identity,omitempty"`
}

// TCP connects. In YAML a scalar is the address.
type TCP struct {
	// Address is host:port.
	Address string `yaml:"address" json:"address"`
	Timeout string `yaml:"timeout,omitempty" json:"timeout,omitempty"`
}

// DNS looks a name up, afresh. In YAML a scalar is the name.
type DNS struct {
	Name string `yaml:"name" json:"name"`
	// Equals is an address that must be among the answers.
	Equals string `yaml:"equals,omitempty" json:"equals,omitempty"`
	// Server is the host:port of the name server to ask; the system's when empty.
	Server  string `yaml:"server,omitempty" json:"server,omitempty"`
	Timeout string `yaml:"timeout,omitempty" json:"timeout,omitempty"`
}

// File looks at a file on this machine. In YAML a scalar is the path.
type File struct {
	Path string `yaml:"path" json:"path"`
	// Absent turns it round: the file must not exist.
	Absent bool `yaml:"absent,omitempty" json:"absent,omitempty"`
	// Contains is text that it must hold, within its first 16 MiB.
	Contains string `yaml:"contains,omitempty" json:"contains,omitempty"`
	// SHA256 is the digest of its content, in hexadecimal.
	SHA256 string `yaml:"sha256,omitempty" json:"sha256,omitempty"`
}

// Run runs a program and is ok when it exits with 0. In YAML a list is the program and its arguments.
type Run struct {
	Argv []string `yaml:"argv" json:"argv"`
	// Dir is the working directory; that of Belay when empty.
	Dir string            `yaml:"dir,omitempty" json:"dir,omitempty"`
	Env map[string]string `yaml:"env,omitempty" json:"env,omitempty"`
	// Contains is text that standard output must hold.
	Contains string `yaml:"contains,omitempty" json:"contains,omitempty"`
	Timeout  string `yaml:"timeout,omitempty" json:"timeout,omitempty"`
}
