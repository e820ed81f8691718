package file_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	_ "modernc.org/sqlite"
	"pgregory.net/rapid"

	"github.com/belay-dr/belay/fault"
)

// over makes a fault over a new directory. What is done there is hardly slower when it is only to list it.
func over(t *testing.T, config object) (dir string, revert func() fault.Outcome) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unmount(dir) })
	kind := "slow"
	if config["error"] != nil {
		kind = "errors"
	}
	config["path"] = dir
	target, undo := inject(t, object{"file": object{kind: config}})
	if seen, err := target.Confirm(t.Context(), undo); err != nil {
		t.Fatalf("confirm: %s, %v", seen, err)
	} else {
		t.Log(seen)
	}
	save := func(u []byte) error { undo = u; return nil }
	return dir, func() fault.Outcome {
		t.Helper()
		out, err := target.Revert(t.Context(), undo, func(u json.RawMessage) error { return save(u) })
		if err != nil {
			t.Fatal(err)
		}
		if left, err := target.Residue(t.Context(), undo); err != nil || len(left) > 0 || isMount(dir) {
			t.Errorf("residue: %v, %v", left, err)
		}
		return out
	}
}

func harmless() object { return object{"delay": "1ms", "operations": []string{"list"}} }

// TestEveryOperation is seen, late and failing, in a directory that is empty and stays so.
func TestEveryOperation(t *testing.T) {
	if !root(t) {
		return
	}
	all := []string{"read", "write", "sync", "open", "create", "remove", "rename", "list", "look", "change"}
	for _, config := range []object{{"delay": "20ms", "operations": all}, {"error": "EIO", "operations": all}, {"error": "EROFS"}, {"error": "ENOSPC"}} {
		dir, revert := over(t, config)
		revert()
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%v: %v, %v", config, left, err)
		}
	}
}

// TestDelayIsExact writes with a delay of 100 ms.
func TestDelayIsExact(t *testing.T) {
	if !root(t) {
		return
	}
	dir, revert := over(t, object{"delay": "100ms", "operations": []string{"write"}})
	f, err := os.Create(filepath.Join(dir, "file"))
	if err != nil {
		t.Fatal(err)
	}
	var took []time.Duration
	for range 20 {
		began := time.Now()
		if _, err := f.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	f.Close()
	slices.Sort(took)
	t.Logf("100 ms: p50 %s, max %s", took[10], took[19])
	if took[0] < 100*time.Millisecond || took[10] > 130*time.Millisecond {
		t.Errorf("p50 %s, min %s", took[10], took[0])
	}
	if out := revert(); len(out.Superseded) > 0 {
		t.Errorf("superseded: %v", out.Superseded)
	}
}

// TestOpenAcrossTheEnd keeps a file that was opened while the fault was held: its owner may be the recovery.
func TestOpenAcrossTheEnd(t *testing.T) {
	if !root(t) {
		return
	}
	dir, revert := over(t, object{"error": "EIO", "operations": []string{"sync"}})
	f, err := os.Create(filepath.Join(dir, "file"))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); !errors.Is(err, unix.EIO) {
		t.Errorf("sync: %v, want EIO", err)
	}
	out := revert()
	if len(out.Superseded) != 1 || !strings.Contains(out.Superseded[0], "are still open; process ") {
		t.Errorf("superseded: %v", out.Superseded)
	}
	_, err = f.WriteString("afterwards")
	if err := errors.Join(err, f.Sync()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	f.Close()
	if b, err := os.ReadFile(filepath.Join(dir, "file")); string(b) != "afterwards" {
		t.Errorf("the file is %q, %v", b, err)
	}
	var pid int
	_, words, _ := strings.Cut(strings.Join(out.Superseded, ""), "process ")
	_, _ = fmt.Sscan(words, &pid)
	for end := time.Now().Add(5 * time.Second); state(pid) != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("process %d lives on although nothing is open", pid)
		}
	}
}

// state is that of a process; 0 when it has ended.
func state(pid int) byte {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(b), ") ")
	if err != nil || pid == 0 || rest == "" || rest[0] == 'Z' {
		return 0
	}
	return rest[0]
}

// TestServerKilled takes the mount away when the process that serves it is killed: it would only give errors.
func TestServerKilled(t *testing.T) {
	if !root(t) {
		return
	}
	dir, revert := over(t, harmless())
	write(t, filepath.Join(dir, "file"), "kept")
	procs, _ := os.ReadDir("/proc")
	killed := 0
	for _, p := range procs {
		cwd, _ := os.Readlink(filepath.Join("/proc", p.Name(), "cwd"))
		cmd, _ := os.ReadFile(filepath.Join("/proc", p.Name(), "cmdline"))
		var pid int
		if _, err := fmt.Sscan(p.Name(), &pid); err == nil && cwd == dir && bytes.HasSuffix(cmd, []byte("work\x00file.over\x00")) {
			killed++
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
	if killed != 1 {
		t.Fatalf("%d processes serve %s", killed, dir)
	}
	for end := time.Now().Add(5 * time.Second); isMount(dir); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the mount stays")
		}
	}
	if b, err := os.ReadFile(filepath.Join(dir, "file")); string(b) != "kept" {
		t.Errorf("%q, %v", b, err)
	}
	if out := revert(); len(out.Superseded) != 1 {
		t.Errorf("superseded: %v", out.Superseded)
	}
}

// TestLocked refuses a directory in which somebody holds a lock, unless told otherwise.
func TestLocked(t *testing.T) {
	if !root(t) {
		return
	}
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(dir, "locked"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	config := object{"path": dir, "delay": "1s"}
	want := fmt.Sprintf("process %d holds a lock on %s, which would not hold against what is opened while the fault lasts: end it first, or say despite_locks: true", os.Getpid(), f.Name())
	if err := plan(t, object{"file": object{"slow": config}}); err == nil || err.Error() != want {
		t.Errorf("%v, want %q", err, want)
	}
	config["despite_locks"] = true
	if err := plan(t, object{"file": object{"slow": config}}); err != nil {
		t.Errorf("despite locks: %v", err)
	}
}

// TestNeeded refuses directories that the system or this program needs.
func TestNeeded(t *testing.T) {
	if !root(t) {
		return
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "x")
	for path, want := range map[string]string{
		"/": "belongs to the system", "/etc": "belongs to the system", "/proc/self": "is a symbolic link", "/sys/fs": "belongs to the system",
		file: "is not a directory", here: "works in " + here, filepath.Dir(here): "works in " + here,
	} {
		err := plan(t, object{"file": object{"slow": object{"path": path, "delay": "1s"}}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	dir, revert := over(t, harmless())
	if err := os.Mkdir(filepath.Join(dir, "in"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, filepath.Join(dir, "in")} {
		err := plan(t, object{"file": object{"slow": object{"path": path, "delay": "1s"}}})
		if err == nil || !strings.Contains(err.Error(), "of another fault already") {
			t.Errorf("%s: %v", path, err)
		}
	}
	revert()
}

// TestDatabase runs a database with several writers in the directory, and looks at it again when the mount is gone.
func TestDatabase(t *testing.T) {
	if !root(t) {
		return
	}
	dir, revert := over(t, harmless())
	for _, mode := range []string{"wal", "delete"} {
		path := filepath.Join(dir, mode+".db")
		db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode("+mode+")&_pragma=busy_timeout(20000)&_txlock=immediate")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec("create table rows (writer int, n int)"); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				for n := range 25 {
					if _, err := db.Exec("insert into rows values (?, ?)", w, n); err != nil {
						t.Errorf("%s: writer %d: %v", mode, w, err)
						return
					}
				}
			})
		}
		wg.Wait()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
	if out := revert(); len(out.Superseded) > 0 {
		t.Errorf("superseded: %v", out.Superseded)
	}
	for _, mode := range []string{"wal", "delete"} {
		db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, mode+".db"))
		if err != nil {
			t.Fatal(err)
		}
		var rows int
		var sound string
		err = errors.Join(db.QueryRow("select count(*) from rows").Scan(&rows), db.QueryRow("pragma integrity_check").Scan(&sound), db.Close())
		if err != nil || rows != 100 || sound != "ok" {
			t.Errorf("%s: %d rows, %s, %v", mode, rows, sound, err)
		}
	}
}

// TestAppend lets many writers append to one file, and a mapping of it see what they wrote.
func TestAppend(t *testing.T) {
	if !root(t) {
		return
	}
	dir, revert := over(t, harmless())
	path := filepath.Join(dir, "log")
	const writers, lines = 8, 200
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			for n := range lines {
				if _, err := fmt.Fprintf(f, "writer %d line %04d\n", w, n); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	b, err := unix.Mmap(int(f.Fd()), 0, writers*lines*len("writer 0 line 0000\n"), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(b)) {
		seen[line] = true
	}
	if len(seen) != writers*lines {
		t.Errorf("%d different lines, want %d", len(seen), writers*lines)
	}
	copy(b, "WRITER")
	if err := errors.Join(unix.Msync(b, unix.MS_SYNC), unix.Munmap(b), f.Close()); err != nil {
		t.Error(err)
	}
	revert()
	if b, err := os.ReadFile(path); err != nil || len(b) != len(seen)*len("writer 0 line 0000\n") || !bytes.HasPrefix(b, []byte("WRITER")) {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

// TestMirrorIsFaithful does the same random things in a directory with a mount over it and in a plain one: the answers must
// be the same, and afterwards the trees.
func TestMirrorIsFaithful(t *testing.T) {
	if !root(t) {
		return
	}
	dir, revert := over(t, harmless())
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.Mkdir(plain, 0o755); err != nil {
		t.Fatal(err)
	}
	n := 0
	rapid.Check(t, func(r *rapid.T) {
		n++
		tops := []string{filepath.Join(dir, fmt.Sprint(n)), filepath.Join(plain, fmt.Sprint(n))}
		for _, top := range tops {
			if err := errors.Join(os.Mkdir(top, 0o755), os.Chown(top, 3, 7), unix.Chmod(top, 0o2755)); err != nil {
				r.Fatal(err)
			}
		}
		for range rapid.IntRange(1, 40).Draw(r, "steps") {
			op := rapid.IntRange(0, len(things())-1).Draw(r, "op")
			a, b := rapid.SampledFrom(paths()).Draw(r, "a"), rapid.SampledFrom(paths()).Draw(r, "b")
			seed := rapid.Uint64().Draw(r, "seed")
			var said [2]string
			for i, top := range tops {
				said[i] = things()[op](filepath.Join(top, a), filepath.Join(top, b), rand.New(rand.NewPCG(seed, 1)))
			}
			if said[0] != said[1] {
				r.Fatalf("thing %d with %s and %s: %q, and in a plain directory %q", op, a, b, said[0], said[1])
			}
		}
		if got, want := tree(r, tops[0]), tree(r, tops[1]); got != want {
			r.Fatalf("the trees differ:\n%s\nplain:\n%s", got, want)
		}
	})
	revert()
	if got, want := tree(t, dir), tree(t, plain); got != want {
		t.Errorf("below the mount the trees differ:\n%s\nplain:\n%s", got, want)
	}
}

func paths() []string { return []string{"a", "b", "d", "d/a", "d/b", "d/e", "d/e/a", "x/y"} }

// errno is what a person would see.
func errno(err error) string {
	if n, ok := errors.AsType[unix.Errno](err); ok {
		return unix.ErrnoName(n)
	}
	return fmt.Sprint(err)
}

// things are what can be done with one or two paths. Each says what it saw.
func things() []func(a, b string, r *rand.Rand) string {
	text := func(r *rand.Rand) []byte { return bytes.Repeat([]byte{byte('a' + r.IntN(26))}, r.IntN(10000)) }
	return []func(a, b string, r *rand.Rand) string{
		func(a, _ string, r *rand.Rand) string { return errno(os.WriteFile(a, text(r), 0o640)) },
		func(a, _ string, r *rand.Rand) string { return errno(os.Mkdir(a, 0o750)) },
		func(a, b string, _ *rand.Rand) string { return errno(unix.Rename(a, b)) },
		func(a, b string, _ *rand.Rand) string {
			return errno(unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE))
		},
		func(a, b string, _ *rand.Rand) string {
			return errno(unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_NOREPLACE))
		},
		func(a, b string, _ *rand.Rand) string { return errno(unix.Link(a, b)) },
		func(a, b string, _ *rand.Rand) string { return errno(unix.Symlink("../"+filepath.Base(b), a)) },
		func(a, _ string, _ *rand.Rand) string { return errno(unix.Unlink(a)) },
		func(a, _ string, _ *rand.Rand) string { return errno(unix.Rmdir(a)) },
		func(a, _ string, r *rand.Rand) string { return errno(unix.Truncate(a, r.Int64N(20000))) },
		func(a, _ string, r *rand.Rand) string { return errno(unix.Chmod(a, 0o700|r.Uint32N(0o100))) },
		func(a, _ string, r *rand.Rand) string { return errno(unix.Lchown(a, r.IntN(10), r.IntN(10))) },
		func(a, _ string, r *rand.Rand) string { return errno(unix.Setxattr(a, "user.x", text(r)[:0], 0)) },
		func(a, _ string, _ *rand.Rand) string { return errno(unix.Removexattr(a, "user.x")) },
		func(a, _ string, r *rand.Rand) string {
			at := unix.NsecToTimespec(r.Int64N(1e18))
			return errno(unix.UtimesNanoAt(unix.AT_FDCWD, a, []unix.Timespec{at, at}, unix.AT_SYMLINK_NOFOLLOW))
		},
		func(a, _ string, r *rand.Rand) string {
			f, err := os.OpenFile(a, os.O_RDWR|os.O_APPEND, 0)
			if err != nil {
				return errno(err)
			}
			defer f.Close()
			_, err = f.Write(text(r))
			return errno(errors.Join(err, f.Sync()))
		},
		func(a, b string, r *rand.Rand) string { // a file that is removed or moved while it is open
			f, err := os.OpenFile(a, os.O_RDWR|os.O_CREATE, 0o600)
			if err != nil {
				return errno(err)
			}
			defer f.Close()
			if r.IntN(2) == 0 {
				err = unix.Unlink(a)
			} else {
				err = unix.Rename(a, b)
			}
			_, werr := f.WriteAt([]byte("open"), 3)
			st, serr := f.Stat()
			size := int64(-1)
			if serr == nil {
				size = st.Size()
			}
			return fmt.Sprint(errno(err), errno(werr), errno(serr), size)
		},
		func(a, _ string, _ *rand.Rand) string {
			var names []string
			list, err := os.ReadDir(a)
			for _, e := range list {
				names = append(names, e.Name()+e.Type().String())
			}
			return fmt.Sprint(names, errno(err))
		},
		func(a, _ string, _ *rand.Rand) string {
			b, err := os.ReadFile(a)
			return fmt.Sprintf("%x %s", b, errno(err))
		},
	}
}

// tree is everything that a tree is, except for times that nobody set.
func tree(t interface{ Fatal(...any) }, top string) string {
	var b strings.Builder
	err := filepath.WalkDir(top, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		links := st.Nlink
		if e.IsDir() {
			links = 0
		}
		x := make([]byte, 100)
		n, _ := unix.Lgetxattr(path, "user.x", x)
		fmt.Fprintf(&b, "%s %o %d:%d links %d xattr %d", strings.TrimPrefix(path, top), st.Mode, st.Uid, st.Gid, links, n)
		switch {
		case e.Type()&os.ModeSymlink != 0:
			to, _ := os.Readlink(path)
			b.WriteString(" -> " + to)
		case e.Type().IsRegular():
			body, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, " %x", body)
		}
		b.WriteByte('\n')
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
