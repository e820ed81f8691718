package resource

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/belay-dr/belay/fault"
)

// Resource is the config of a fault of resources: exactly one of its fields.
type Resource struct {
	// CPULimit throttles a cgroup, or the cgroup of a process.
	CPULimit *CPULimit `yaml:"cpu_limit,omitempty" json:"cpu_limit,omitempty"`
	// MemoryLimit lets a cgroup have less memory.
	MemoryLimit *MemoryLimit `yaml:"memory_limit,omitempty" json:"memory_limit,omitempty"`
	// DiskSlow makes a disk slow for a cgroup.
	DiskSlow *DiskSlow `yaml:"disk_slow,omitempty" json:"disk_slow,omitempty"`
	// CPUPressure uses processor time up.
	CPUPressure *CPUPressure `yaml:"cpu_pressure,omitempty" json:"cpu_pressure,omitempty"`
	// MemoryPressure uses memory up.
	MemoryPressure *MemoryPressure `yaml:"memory_pressure,omitempty" json:"memory_pressure,omitempty"`
	// FDExhaustion lets processes open no more files and connections.
	FDExhaustion *FDExhaustion `yaml:"fd_exhaustion,omitempty" json:"fd_exhaustion,omitempty"`
	// DiskFill fills a file system.
	DiskFill *DiskFill `yaml:"disk_fill,omitempty" json:"disk_fill,omitempty"`
}

// Victims says which processes: one of pid_file and pid.
type Victims struct {
	// PIDFile holds process IDs, one a line.
	PIDFile string `yaml:"pid_file,omitempty" json:"pid_file,omitempty"`
	PID     int    `yaml:"pid,omitempty" json:"pid,omitempty"`
	// Max is how many processes may be hit; 0 means 1. More is a refusal, not a choice.
	Max int `yaml:"max,omitempty" json:"max,omitempty"`
	// AnyUser lets root hit processes of other users.
	AnyUser bool `yaml:"any_user,omitempty" json:"any_user,omitempty"`
}

// Where says which cgroup is limited: the one with a name, or the one of a process.
type Where struct {
	// Cgroup is its directory, or its path below the top of the hierarchy: /system.slice/app.service.
	Cgroup  string `yaml:"cgroup,omitempty" json:"cgroup,omitempty"`
	Victims `yaml:",inline"`
	// Alone gives the process a cgroup of its own for as long as the fault lives.
	Alone bool `yaml:"alone,omitempty" json:"alone,omitempty"`
	// whole is a process whose cgroup is meant, whoever else is in it. Only At sets it.
	whole int
}

// CPULimit is how much processor time there is: one of share and cpus.
type CPULimit struct {
	Where `yaml:",inline"`
	// Share is a part of one processor: 20%.
	Share Amount `yaml:"share,omitempty" json:"share,omitempty"`
	// CPUs is a number of processors: 0.2, 1.5.
	CPUs float64 `yaml:"cpus,omitempty" json:"cpus,omitempty"`
}

// MemoryLimit is how much memory there is.
type MemoryLimit struct {
	Where `yaml:",inline"`
	Bytes Amount `yaml:"bytes" json:"bytes"`
	// MayKill allows a limit below what is in use now, at which the kernel kills processes at once.
	MayKill bool `yaml:"may_kill,omitempty" json:"may_kill,omitempty"`
}

// DiskSlow is how fast a disk is. What is not given stays as it is.
type DiskSlow struct {
	Where `yaml:",inline"`
	// Path is a directory or file on the disk. Device names the disk instead, by its numbers: "8:0".
	Path   string `yaml:"path,omitempty" json:"path,omitempty"`
	Device string `yaml:"device,omitempty" json:"device,omitempty"`
	// Read and Write are bytes a second, ReadOps and WriteOps operations a second.
	Read     Amount `yaml:"read,omitempty" json:"read,omitempty"`
	Write    Amount `yaml:"write,omitempty" json:"write,omitempty"`
	ReadOps  int    `yaml:"read_ops,omitempty" json:"read_ops,omitempty"`
	WriteOps int    `yaml:"write_ops,omitempty" json:"write_ops,omitempty"`
}

// CPUPressure is how much processor time is used up.
type CPUPressure struct {
	// Load is for each processor: 80%. Empty means all of it.
	Load Amount `yaml:"load,omitempty" json:"load,omitempty"`
	// CPUs is how many processors are loaded; 0 means all.
	CPUs int `yaml:"cpus,omitempty" json:"cpus,omitempty"`
	// Cgroup is one that the pressure comes from, so that it takes what is that cgroup's only.
	Cgroup string `yaml:"cgroup,omitempty" json:"cgroup,omitempty"`
	whole  int
}

// MemoryPressure is how much memory is used up: one of bytes and share.
type MemoryPressure struct {
	Bytes Amount `yaml:"bytes,omitempty" json:"bytes,omitempty"`
	// Share is a part of what is available now: 50%.
	Share Amount `yaml:"share,omitempty" json:"share,omitempty"`
	// Reserve is what must stay available; less than a tenth of all and than 256MiB must be said.
	Reserve Amount `yaml:"reserve,omitempty" json:"reserve,omitempty"`
	// Cgroup is one that the pressure comes from, so that it takes what is that cgroup's only.
	Cgroup string `yaml:"cgroup,omitempty" json:"cgroup,omitempty"`
	whole  int
}

// FDExhaustion says whose descriptors run out.
type FDExhaustion struct {
	Victims `yaml:",inline"`
	// Leave is how many more it may open.
	Leave int `yaml:"leave,omitempty" json:"leave,omitempty"`
}

// DiskFill says which file system is filled: one of bytes and leave, or nothing for all.
type DiskFill struct {
	// Dir is a directory on it.
	Dir   string `yaml:"dir" json:"dir"`
	Bytes Amount `yaml:"bytes,omitempty" json:"bytes,omitempty"`
	// Leave is what stays free.
	Leave Amount `yaml:"leave,omitempty" json:"leave,omitempty"`
	// RecordsToo allows to fill the file system that the undo records are on.
	RecordsToo bool `yaml:"records_too,omitempty" json:"records_too,omitempty"`
}

// part is one kind of fault of this package.
type part interface {
	// check says what is wrong besides where it happens, by key.
	check() map[string]string
	// checkWhere says what is wrong with where it happens.
	checkWhere() map[string]string
	target() fault.Target
}

// parts are the given kinds, by key.
func (r *Resource) parts() map[string]part {
	out := map[string]part{}
	add(out, "cpu_limit", r.CPULimit)
	add(out, "memory_limit", r.MemoryLimit)
	add(out, "disk_slow", r.DiskSlow)
	add(out, "cpu_pressure", r.CPUPressure)
	add(out, "memory_pressure", r.MemoryPressure)
	add(out, "fd_exhaustion", r.FDExhaustion)
	add(out, "disk_fill", r.DiskFill)
	return out
}

func add[T any, P interface {
	*T
	part
}](to map[string]part, key string, p P) {
	if p != nil {
		to[key] = p
	}
}

// keys are the names of the kinds.
const keys = "cpu_limit, memory_limit, disk_slow, cpu_pressure, memory_pressure, fd_exhaustion and disk_fill"

// CheckConfig says what is wrong.
func (r *Resource) CheckConfig() map[string]string {
	return r.checkBy(func(p part) map[string]string {
		wrong := p.checkWhere()
		if wrong == nil {
			wrong = map[string]string{}
		}
		maps.Copy(wrong, p.check())
		return wrong
	})
}

// CheckAmounts is CheckConfig for a config that does not say where, because At will.
func (r *Resource) CheckAmounts() map[string]string { return r.checkBy(part.check) }

func (r *Resource) checkBy(check func(part) map[string]string) map[string]string {
	given := r.parts()
	if len(given) != 1 {
		return map[string]string{"": "give exactly one of " + keys}
	}
	wrong := map[string]string{}
	for key, p := range given {
		for inside, what := range check(p) {
			wrong[strings.TrimSuffix(key+"."+inside, ".")] = what
		}
	}
	return wrong
}

// Target returns the target. Its Inject, Confirm, Revert and Residue need nothing but the undo.
func (r *Resource) Target() fault.Target {
	for _, p := range r.parts() {
		return p.target()
	}
	return nil
}

// At is the same fault in the place of one process: limits and pressure are in its cgroups, whoever else is in them;
// descriptors are its own; a directory, and the path of a slow disk, are as that process sees them. For code that knows the
// process, for example the first one of a container.
func (r Resource) At(pid int) *Resource {
	inside := func(path string) string {
		if path == "" {
			return ""
		}
		return filepath.Join("/proc", strconv.Itoa(pid), "root", path)
	}
	where := Where{whole: pid}
	switch {
	case r.CPULimit != nil:
		c := *r.CPULimit
		c.Where = where
		r.CPULimit = &c
	case r.MemoryLimit != nil:
		c := *r.MemoryLimit
		c.Where = where
		r.MemoryLimit = &c
	case r.DiskSlow != nil:
		c := *r.DiskSlow
		c.Where, c.Path = where, inside(c.Path)
		r.DiskSlow = &c
	case r.CPUPressure != nil:
		c := *r.CPUPressure
		c.whole = pid
		r.CPUPressure = &c
	case r.MemoryPressure != nil:
		c := *r.MemoryPressure
		c.whole = pid
		r.MemoryPressure = &c
	case r.FDExhaustion != nil:
		c := *r.FDExhaustion
		c.Victims = Victims{PID: pid, AnyUser: true}
		r.FDExhaustion = &c
	case r.DiskFill != nil:
		c := *r.DiskFill
		c.Dir = inside(c.Dir)
		r.DiskFill = &c
	}
	return &r
}

func (v Victims) checkWhere() map[string]string {
	switch {
	case (v.PIDFile == "") == (v.PID == 0):
		return map[string]string{"": "give exactly one of pid_file and pid"}
	case v.PID < 0 || v.PID == 1:
		return map[string]string{"pid": "must be above 1"}
	case v.Max < 0:
		return map[string]string{"max": "must not be negative"}
	case v.PIDFile != "" && !filepath.IsAbs(v.PIDFile):
		return map[string]string{"pid_file": "must be an absolute path"}
	}
	return nil
}

func (w Where) checkWhere() map[string]string {
	switch {
	case w.Cgroup == "":
		wrong := w.Victims.checkWhere()
		if _, none := wrong[""]; none {
			return map[string]string{"": "give exactly one of cgroup, pid_file and pid"}
		}
		return wrong
	case w.PIDFile != "" || w.PID != 0:
		return map[string]string{"": "give exactly one of cgroup, pid_file and pid"}
	case w.Alone:
		return map[string]string{"alone": "is for one process: give pid_file or pid"}
	case w.Max < 0:
		return map[string]string{"max": "must not be negative"}
	}
	return checkCgroup(w.Cgroup)
}

func checkCgroup(path string) map[string]string {
	switch {
	case path == "":
		return nil
	case slices.Contains(strings.Split(path, "/"), ".."):
		return map[string]string{"cgroup": "must not contain .."}
	case !filepath.IsAbs(path):
		return map[string]string{"cgroup": fmt.Sprintf("must begin with a slash: %q is a path below the top of the hierarchy", "/"+path)}
	}
	return nil
}
