package resource

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/cgroup"
)

func (d *DiskSlow) target() fault.Target          { return limits{d} }
func (d *DiskSlow) where() Where                  { return d.Where }
func (d *DiskSlow) controller() cgroup.Controller { return cgroup.IO }

// speed is one number of a disk's limits. Zero is not asked for.
type speed struct {
	// file is of version 1, and key is of io.max in version 2.
	file, key string
	most      int64
	text      string
}

// speeds are in the order in which the kernel says them.
func (d *DiskSlow) speeds() []speed {
	read, _ := d.Read.Bytes()
	write, _ := d.Write.Bytes()
	return []speed{
		{"blkio.throttle.read_bps_device", "rbps", read, "reads at " + Size(read) + " a second"},
		{"blkio.throttle.write_bps_device", "wbps", write, "writes at " + Size(write) + " a second"},
		{"blkio.throttle.read_iops_device", "riops", int64(d.ReadOps), fmt.Sprintf("%d reads a second", d.ReadOps)},
		{"blkio.throttle.write_iops_device", "wiops", int64(d.WriteOps), fmt.Sprintf("%d writes a second", d.WriteOps)},
	}
}

func (d *DiskSlow) phrase() string {
	var out []string
	for _, s := range d.speeds() {
		if s.most > 0 {
			out = append(out, s.text)
		}
	}
	disk := d.Path
	if disk == "" {
		disk = d.Device
	}
	return "the disk of " + disk + " to " + strings.Join(out, ", ")
}

func (d *DiskSlow) plan(s spot, u *limitUndo) error {
	device := d.Device
	if d.Path != "" {
		var err error
		if device, err = diskOf(d.Path); err != nil {
			return err
		}
		u.Dir = nearestDir(d.Path)
	} else if _, err := os.Stat("/sys/dev/block/" + device); err != nil {
		return fmt.Errorf("no disk %s: `lsblk` shows them", device)
	}
	var err error
	if s.base.V2 {
		u.Settings, err = d.settings2(s, device)
	} else {
		u.Settings, err = d.settings1(s, device)
	}
	return err
}

func (d *DiskSlow) settings1(s spot, device string) ([]setting, error) {
	var out []setting
	for _, sp := range d.speeds() {
		if sp.most == 0 {
			continue
		}
		set := setting{File: sp.file, Device: device, New: strconv.FormatInt(sp.most, 10), None: "0"}
		now, err := set.read(s.from)
		if err == nil {
			err = sp.slower(s.from, now)
		}
		if err != nil {
			return nil, err
		}
		if !s.alone {
			set.Old = now
		}
		out = append(out, set)
	}
	return out, nil
}

// settings2 changes only the asked numbers of the disk's one line.
func (d *DiskSlow) settings2(s spot, device string) ([]setting, error) {
	set := setting{File: "io.max", Device: device, None: "rbps=max wbps=max riops=max wiops=max"}
	now, err := set.read(s.from)
	switch {
	case errors.Is(err, os.ErrNotExist) && !s.alone:
		return nil, fmt.Errorf("%s has no io.max: the io controller is not enabled for it", s.from)
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return nil, err
	case !s.alone:
		set.Old = now
	}
	old := map[string]string{}
	for field := range strings.FieldsSeq(now) {
		key, value, _ := strings.Cut(field, "=")
		old[key] = value
	}
	var line []string
	for _, sp := range d.speeds() {
		value := old[sp.key]
		if value == "" {
			value = "max"
		}
		if sp.most > 0 {
			if err := sp.slower(s.from, value); err != nil {
				return nil, err
			}
			value = strconv.FormatInt(sp.most, 10)
		}
		line = append(line, sp.key+"="+value)
	}
	set.New = strings.Join(line, " ")
	return []setting{set}, nil
}

// slower refuses a limit that is none because there is a tighter one.
func (s speed) slower(g cgroup.Group, old string) error {
	if now, err := strconv.ParseInt(old, 10, 64); err == nil && now <= s.most {
		return fmt.Errorf("%s is limited to %d already (%s): ask for less", g, now, s.key)
	}
	return nil
}

// diskOf is the whole disk that a path is on, by its numbers.
func diskOf(path string) (string, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return "", fmt.Errorf("find the disk of %s: %w", path, err)
	}
	major, minor := unix.Major(st.Dev), unix.Minor(st.Dev)
	if major == 0 {
		// The file system names itself by a number that is no disk's. It may still be on one.
		source := mountSource(path)
		if unix.Stat(source, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFBLK {
			return "", fmt.Errorf("%s is on no disk (%s): give device instead of path", path, source)
		}
		major, minor = unix.Major(st.Rdev), unix.Minor(st.Rdev)
	}
	device := fmt.Sprintf("%d:%d", major, minor)
	dir, err := filepath.EvalSymlinks("/sys/dev/block/" + device)
	if err != nil {
		return "", fmt.Errorf("find the disk of %s: %w", path, err)
	}
	// Limits are for whole disks: of a partition, it is the directory above.
	if _, err := os.Stat(filepath.Join(dir, "partition")); err == nil {
		dir = filepath.Dir(dir)
	}
	b, err := os.ReadFile(filepath.Join(dir, "dev"))
	if err != nil {
		return "", fmt.Errorf("find the disk of %s: %w", path, err)
	}
	return strings.TrimSpace(string(b)), nil
}

// mountSource is what is mounted where the path is: "/dev/sda1", "tmpfs".
func mountSource(path string) string {
	table := "/proc/self/mountinfo"
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		real = path
	}
	// As another process sees it: the link in there leads to our own root by name, and to the other's in truth.
	if pid, inner, ok := strings.Cut(strings.TrimPrefix(path, "/proc/"), "/root"); ok && strings.Trim(pid, "0123456789") == "" {
		table, real = "/proc/"+pid+"/mountinfo", "/"+strings.TrimPrefix(inner, "/")
	}
	b, _ := os.ReadFile(table)
	best, source := "", ""
	for line := range strings.Lines(string(b)) {
		before, after, ok := strings.Cut(line, " - ")
		f, g := strings.Fields(before), strings.Fields(after)
		if !ok || len(f) < 5 || len(g) < 2 {
			continue
		}
		point := f[4]
		if (real == point || strings.HasPrefix(real, strings.TrimSuffix(point, "/")+"/")) && len(point) >= len(best) {
			best, source = point, g[1]
		}
	}
	return source
}

// nearestDir is the path if it is a directory, else the one it is in.
func nearestDir(path string) string {
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		return path
	}
	return filepath.Dir(path)
}

// confirm reads and writes on that disk from inside the group, and takes the time.
func (d *DiskSlow) confirm(ctx context.Context, u limitUndo) (string, error) {
	if u.Dir == "" {
		return "the limit is in place: " + u.Settings[0].name(u.Group) + " is " + u.Settings[0].New, nil
	}
	got, err := diskIn(ctx, u.Group, d.trial(u.Dir))
	switch {
	case errors.Is(err, errNoGuest):
		return "the limit is in place, and no process of our own could try it: " + u.Settings[0].name(u.Group) + " is " + u.Settings[0].New, nil
	case err != nil:
		return "", err
	}
	return d.judge(got)
}

// trial is how much a process of our own reads and writes: a quarter of a second at the speed that was asked for.
func (d *DiskSlow) trial(dir string) diskTrial {
	t := diskTrial{Dir: dir, Block: 64 << 10}
	if d.ReadOps > 0 || d.WriteOps > 0 {
		t.Block = 4 << 10
	}
	bytes := int64(16 << 20)
	for _, s := range d.speeds() {
		switch {
		case s.most == 0:
		case strings.HasSuffix(s.key, "iops"):
			bytes = min(bytes, s.most*t.Block/4)
		default:
			bytes = min(bytes, s.most/4)
		}
	}
	t.Blocks = max(bytes/t.Block, 2)
	return t
}

// judge compares what was asked with what was got. The kernel lets the first tenth of a second through.
func (d *DiskSlow) judge(got diskResult) (string, error) {
	var seen []string
	for _, s := range d.speeds() {
		if s.most == 0 {
			continue
		}
		took := got.Write
		if strings.HasPrefix(s.key, "r") {
			took = got.Read
		}
		n, unit := float64(got.Bytes), "bytes"
		if strings.HasSuffix(s.key, "iops") {
			n, unit = float64(got.Blocks), "operations"
		}
		rate := n / max(took.Seconds(), 1e-6)
		text := fmt.Sprintf("%.0f %s a second", rate, unit)
		if unit == "bytes" {
			text = Size(int64(rate)) + " a second"
		}
		if rate > 2.5*float64(s.most) {
			return "", fmt.Errorf("a process of our own reads or writes %s, and was to have %s", text, s.text)
		}
		verb := "wrote "
		if strings.HasPrefix(s.key, "r") {
			verb = "read "
		}
		seen = append(seen, verb+text)
	}
	return fmt.Sprintf("a process of our own in the cgroup %s (asked: %s)", strings.Join(seen, ", "), strings.TrimPrefix(d.phrase(), "the disk of ")), nil
}

// diskBound is how long a trial may take.
const diskBound = 8 * time.Second
