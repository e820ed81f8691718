package local

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Folder is where the raw data of an exercise lies.
func Folder(dir, id string) string { return filepath.Join(dir, ".belay", "exercises", id) }

// Busy is the error when another exercise is going on in the environment.
type Busy struct{ Exercise string }

// Error names the exercise.
func (b *Busy) Error() string {
	return fmt.Sprintf("exercise %s is going on in this environment", b.Exercise)
}

// lock is the right to exercise in one environment of a workspace. It ends with the process.
type lock struct{ f *os.File }

func lockPath(dir, environment string) string {
	return filepath.Join(dir, ".belay", "exercise-"+environment+".lock")
}

// takeLock takes the environment's lock for the exercise, or says who has it.
func takeLock(dir, environment, id string) (*lock, error) {
	path := lockPath(dir, environment)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock environment: %w", err)
	}
	if err := patiently(func() error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) }); err != nil {
		f.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock environment: %w", err)
		}
		holder, _ := os.ReadFile(path)
		return nil, &Busy{strings.TrimSpace(string(holder))}
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt([]byte(id+"\n"), 0)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock environment: %w", err)
	}
	return &lock{f}, nil
}

// release gives the lock back. Closing alone would not: a program that is being started at this moment shares the open file
// until its first instruction.
func (l *lock) release() {
	_ = unix.Flock(int(l.f.Fd()), unix.LOCK_UN)
	l.f.Close()
}

// patiently tries again for a moment while the file is locked: somebody who only looks (Running) has it for an instant.
func patiently(try func() error) error {
	const times, pause = 20, 5 * time.Millisecond
	err := try()
	for range times {
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return err
		}
		time.Sleep(pause)
		err = try()
	}
	return err
}

// Running names the exercise that is going on in the environment, or nothing.
func Running(dir, environment string) (string, error) {
	f, err := os.Open(lockPath(dir, environment))
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB); err == nil {
		return "", unix.Flock(int(f.Fd()), unix.LOCK_UN)
	}
	holder, err := os.ReadFile(lockPath(dir, environment))
	return strings.TrimSpace(string(holder)), err
}
