package hold

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault"
)

// DefaultDir is where undo records are kept on this host: BELAY_STATE_DIR when it is set, else a fixed place for root or
// for this user. It is never inside a workspace, so that a fault in one cannot take its own undo away. A user without a
// home that can be written to gets a private directory in the system's place for temporary files.
func DefaultDir() (string, error) {
	if dir := os.Getenv("BELAY_STATE_DIR"); dir != "" {
		return filepath.Abs(dir)
	}
	for _, dir := range places() {
		if usable(dir) {
			return dir, nil
		}
	}
	return filepath.Join(shelter(), "holds"), nil
}

// places are where undo records may be, best first.
func places() []string {
	if runtime.GOOS != "darwin" && os.Geteuid() == 0 {
		return []string{"/var/lib/belay/holds"}
	}
	var out []string
	if dir := os.Getenv("XDG_STATE_HOME"); runtime.GOOS != "darwin" && filepath.IsAbs(dir) {
		out = append(out, filepath.Join(dir, "belay", "holds"))
	}
	home, err := os.UserHomeDir()
	if err != nil {
		// Without HOME the system still knows who we are.
		if me, err := user.LookupId(strconv.Itoa(os.Geteuid())); err == nil {
			home = me.HomeDir
		}
	}
	if !filepath.IsAbs(home) || home == "/" {
		return out
	}
	if runtime.GOOS == "darwin" {
		return append(out, filepath.Join(home, "Library", "Application Support", "belay", "holds"))
	}
	return append(out, filepath.Join(home, ".local", "state", "belay", "holds"))
}

// usable says that the directory is there, or that we may make it. One that is there but not ours to write is an error
// to be shown, and no reason to look elsewhere: it may hold records.
func usable(dir string) bool {
	if _, err := os.Lstat(dir); err == nil {
		return true
	}
	up := filepath.Dir(dir)
	st, err := os.Stat(up)
	if errors.Is(err, fs.ErrNotExist) && up != dir {
		return usable(up)
	}
	return err == nil && st.IsDir() && unix.Access(up, unix.W_OK|unix.X_OK) == nil
}

// shelter is this user's directory where there is no other place. Anybody may make one of that name first, so it is
// checked before it is used.
func shelter() string {
	return filepath.Join(os.TempDir(), "belay-"+strconv.Itoa(os.Geteuid()))
}

// openDir makes the directory and refuses one that others could write to: an undo record is carried out with our rights.
func openDir(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make the undo directory: %w: set BELAY_STATE_DIR to a directory of your own", err)
	}
	if err := safeShelter(dir); err != nil {
		return "", err
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", fmt.Errorf("open the undo directory: %w", err)
	}
	if err := safeDir(real); err != nil {
		return "", err
	}
	return filepath.Abs(real)
}

func safeDir(dir string) error {
	st, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("open the undo directory: %w", err)
	}
	if !st.IsDir() {
		return fmt.Errorf("open the undo directory: %s is not a directory", dir)
	}
	if st.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("open the undo directory: others may read or write %s: chmod 700 %s", dir, dir)
	}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok && int(sys.Uid) != os.Geteuid() {
		return fmt.Errorf("open the undo directory: %s belongs to user %d, not to us (%d)", dir, sys.Uid, os.Geteuid())
	}
	return nil
}

// safeShelter refuses a shelter that somebody else has made or has put a link in place of.
func safeShelter(dir string) error {
	if filepath.Dir(dir) != shelter() {
		return nil
	}
	for _, d := range []string{filepath.Dir(dir), dir} {
		st, err := os.Lstat(d)
		if err != nil {
			return fmt.Errorf("open the undo directory: %w", err)
		}
		if st.Mode()&fs.ModeSymlink != 0 {
			return fmt.Errorf("open the undo directory: %s is a symbolic link: set BELAY_STATE_DIR to a directory of your own", d)
		}
		if err := safeDir(d); err != nil {
			return fmt.Errorf("%w: set BELAY_STATE_DIR to a directory of your own", err)
		}
	}
	return nil
}

// readDir is openDir for those who only look: a directory that does not exist yet is empty.
func readDir(dir string) (string, bool, error) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	if err := safeShelter(dir); err != nil {
		return "", false, err
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", false, fmt.Errorf("open the undo directory: %w", err)
	}
	return real, true, safeDir(real)
}

// Apart refuses a fault that would touch the undo records in dir, as its holder would. dir need not exist.
func Apart(dir string, touches []string) error {
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	return apart(dir, touches)
}

// apart refuses a fault that would take its own undo record away, or change it.
func apart(dir string, touches []string) error {
	for _, t := range touches {
		if real, err := filepath.EvalSymlinks(t); err == nil {
			t = real
		}
		if fault.Within(dir, t) || fault.Within(t, dir) {
			return fmt.Errorf("%w: the undo records are in %s, which the fault would touch (%s): set BELAY_STATE_DIR elsewhere", ErrRefused, dir, t)
		}
	}
	return nil
}
