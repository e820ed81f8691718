package file

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// mounted is one line of /proc/self/mountinfo.
type mounted struct {
	id     int
	point  string
	kind   string
	source string
}

// mounts lists where file systems are mounted, bind mounts of files among them.
func mounts() ([]mounted, error) {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("list mounts: %w", err)
	}
	var out []mounted
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		left, right, _ := strings.Cut(lines.Text(), " - ")
		l, r := strings.Fields(left), strings.Fields(right)
		if len(l) < 5 || len(r) < 2 {
			continue
		}
		id, err := strconv.Atoi(l[0])
		if err != nil {
			return nil, fmt.Errorf("list mounts: %w", err)
		}
		out = append(out, mounted{id: id, point: unescape.Replace(l[4]), kind: r[0], source: unescape.Replace(r[1])})
	}
	return out, lines.Err()
}

// oursAt lists the mounts with this source.
func oursAt(source string) ([]mounted, error) {
	all, err := mounts()
	var out []mounted
	for _, m := range all {
		if m.kind == "fuse."+fuseType && m.source == source {
			out = append(out, m)
		}
	}
	return out, err
}

// detach takes exactly these mounts away, at once, also when files are open in them. They stay usable until they are
// closed, for as long as the file system is served.
func detach(source string) error {
	all, err := oursAt(source)
	if err != nil {
		return err
	}
	var errs []error
	for _, m := range all {
		errs = append(errs, m.detach())
	}
	return errors.Join(errs...)
}

func (m mounted) detach() error {
	fd, err := unix.Open(m.point, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil // it went while we looked
	}
	if err != nil {
		return fmt.Errorf("unmount %s: %w", m.point, err)
	}
	defer unix.Close(fd)
	id, err := mountID(fd)
	if err != nil {
		return fmt.Errorf("unmount %s: %w", m.point, err)
	}
	if id != m.id {
		if now, err := oursAt(m.source); err == nil && len(now) == 0 {
			return nil
		}
		return fmt.Errorf("unmount %s: something else is mounted over it", m.point)
	}
	if err := unix.Unmount("/proc/self/fd/"+strconv.Itoa(fd), unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("unmount %s: %w", m.point, err)
	}
	return nil
}

// mountID is the ID of the mount that an open path is on.
func mountID(fd int) (int, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", fd))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "mnt_id:"); ok {
			return strconv.Atoi(strings.TrimSpace(v))
		}
	}
	return 0, errors.New("the kernel does not say which mount it is")
}
