package resource

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// The least that a limit may be: below, a process does not even end in time.
const (
	leastCPUs  = 0.01
	leastBytes = 1 << 20
	leastSpeed = 64 << 10
	// mostCPUs is beyond any machine.
	mostCPUs = 1 << 16
)

func wrong(key, format string, args ...any) map[string]string {
	return map[string]string{key: fmt.Sprintf(format, args...)}
}

func (c *CPULimit) check() map[string]string {
	if (c.Share == "") == (c.CPUs == 0) {
		return wrong("", "give exactly one of share and cpus")
	}
	if c.Share == "" {
		if c.CPUs < leastCPUs || c.CPUs > mostCPUs {
			return wrong("cpus", "must be at least %g", leastCPUs)
		}
		return nil
	}
	share, err := c.Share.Share()
	switch {
	case err != nil:
		return wrong("share", "%v", err)
	case share < leastCPUs:
		return wrong("share", "must be at least %g%%", leastCPUs*100)
	}
	return nil
}

// cpus is how many processors there are to be.
func (c *CPULimit) cpus() float64 {
	if c.Share == "" {
		return c.CPUs
	}
	share, _ := c.Share.Share()
	return share
}

func (m *MemoryLimit) check() map[string]string {
	return checkBytes("bytes", m.Bytes, leastBytes)
}

func checkBytes(key string, a Amount, least int64) map[string]string {
	n, err := a.Bytes()
	switch {
	case err != nil:
		return wrong(key, "%v", err)
	case n < least:
		return wrong(key, "must be at least %s", Size(least))
	}
	return nil
}

// isDevice says that these are the numbers of a disk.
func isDevice(text string) bool {
	major, minor, ok := strings.Cut(text, ":")
	a, err1 := strconv.ParseUint(major, 10, 12)
	b, err2 := strconv.ParseUint(minor, 10, 20)
	return ok && err1 == nil && err2 == nil && text == fmt.Sprintf("%d:%d", a, b)
}

func (d *DiskSlow) check() map[string]string {
	switch {
	case (d.Path == "") == (d.Device == ""):
		return wrong("", "give exactly one of path and device")
	case d.Path != "" && !filepath.IsAbs(d.Path):
		return wrong("path", "must be an absolute path")
	case d.Device != "" && !isDevice(d.Device):
		return wrong("device", "%q is not the numbers of a disk, such as 8:0: `lsblk` shows them", d.Device)
	case d.Read == "" && d.Write == "" && d.ReadOps == 0 && d.WriteOps == 0:
		return wrong("", "give at least one of read, write, read_ops and write_ops")
	case d.ReadOps < 0 || d.ReadOps > 1<<30:
		return wrong("read_ops", "must be at least 1")
	case d.WriteOps < 0 || d.WriteOps > 1<<30:
		return wrong("write_ops", "must be at least 1")
	}
	for key, a := range map[string]Amount{"read": d.Read, "write": d.Write} {
		if a == "" {
			continue
		}
		if w := checkBytes(key, a, leastSpeed); w != nil {
			return w
		}
	}
	return nil
}

func (p *CPUPressure) checkWhere() map[string]string { return checkCgroup(p.Cgroup) }

func (p *CPUPressure) check() map[string]string {
	if p.CPUs < 0 || p.CPUs > mostCPUs {
		return wrong("cpus", "must not be negative")
	}
	if p.Load == "" {
		return nil
	}
	if _, err := p.Load.Share(); err != nil {
		return wrong("load", "%v", err)
	}
	return nil
}

// load is for each processor.
func (p *CPUPressure) load() float64 {
	if p.Load == "" {
		return 1
	}
	load, _ := p.Load.Share()
	return load
}

func (p *MemoryPressure) checkWhere() map[string]string { return checkCgroup(p.Cgroup) }

func (p *MemoryPressure) check() map[string]string {
	if p.Reserve != "" {
		if w := checkBytes("reserve", p.Reserve, 0); w != nil {
			return w
		}
	}
	if (p.Bytes == "") == (p.Share == "") {
		return wrong("", "give exactly one of bytes and share")
	}
	if p.Share != "" {
		if _, err := p.Share.Share(); err != nil {
			return wrong("share", "%v", err)
		}
		return nil
	}
	return checkBytes("bytes", p.Bytes, leastBytes)
}

func (f *FDExhaustion) check() map[string]string {
	if f.Leave < 0 || f.Leave > 1<<20 {
		return wrong("leave", "must not be negative")
	}
	return nil
}

func (d *DiskFill) checkWhere() map[string]string { return nil }

func (d *DiskFill) check() map[string]string {
	switch {
	case !filepath.IsAbs(d.Dir):
		return wrong("dir", "must be an absolute path")
	case d.Bytes != "" && d.Leave != "":
		return wrong("", "give at most one of bytes and leave")
	case d.Bytes != "":
		return checkBytes("bytes", d.Bytes, 1)
	case d.Leave != "":
		return checkBytes("leave", d.Leave, 0)
	}
	return nil
}
