package bookstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// runReplace lays out a replacement for the database or the API, which is started in a later step.
func runReplace(ctx context.Context, c call) error {
	if len(c.args) != 1 {
		return fmt.Errorf("%w: name the component to replace", errUsage)
	}
	info, err := ReadInfo(c.dir)
	if err != nil {
		return err
	}
	at := layout(info.Dir)
	switch component := c.args[0]; component {
	case Database:
		if err := stopped(info, Database); err != nil {
			return err
		}
		aside, err := putAside(at.data())
		if err != nil {
			return err
		}
		if aside != "" {
			fmt.Fprintf(c.stdout, "the old data is kept in %s\n", aside)
		}
		if err := createDataFile(ctx, at.dataFile(), false); err != nil {
			return err
		}
		fmt.Fprintf(c.stdout, "an empty database with the same schema is ready in %s\n", at.data())
	case API:
		if err := stopped(info, API); err != nil {
			return err
		}
		if err := linkOrCopy(at.image(), at.binary()); err != nil {
			return fmt.Errorf("replace api: %w", err)
		}
		fmt.Fprintf(c.stdout, "the API is installed again from its image\n")
	default:
		return fmt.Errorf("%w: %q cannot be replaced", errUsage, component)
	}
	return nil
}

// runRestore puts the latest complete snapshot in the place of the data file. Rows written after it was begun are lost.
func runRestore(_ context.Context, c call) error {
	info, err := ReadInfo(c.dir)
	if err != nil {
		return err
	}
	if err := stopped(info, Database); err != nil {
		return err
	}
	at := layout(info.Dir)
	names, err := listSnapshots(at.snapshots())
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return errors.New("restore database: there is no complete snapshot")
	}
	latest := names[len(names)-1]
	if err := os.MkdirAll(at.data(), 0o755); err != nil {
		return fmt.Errorf("restore database: %w", err)
	}
	// The logs belong to the file that is replaced: read with the snapshot they would spoil it.
	for _, log := range []string{"-wal", "-shm"} {
		if err := os.Remove(at.dataFile() + log); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("restore database: %w", err)
		}
	}
	if err := copyFile(filepath.Join(at.snapshots(), latest), at.dataFile()); err != nil {
		return fmt.Errorf("restore database: %w", err)
	}
	fmt.Fprintf(c.stdout, "restored %s\n", latest)
	return nil
}

// stopped returns an error when the component answers.
func stopped(info *Info, component string) error {
	if conn, err := dial(info.address(component)); err == nil {
		conn.Close()
		return fmt.Errorf("the %s is running: run `bookstore stop %s` first", component, component)
	}
	return nil
}

// putAside renames what is at path, if anything, and returns its new name.
func putAside(path string) (string, error) {
	if _, err := os.Lstat(path); os.IsNotExist(err) {
		return "", nil
	}
	aside := path + ".aside-" + time.Now().UTC().Format("20060102T150405.000000000Z")
	if err := os.Rename(path, aside); err != nil {
		return "", fmt.Errorf("put aside: %w", err)
	}
	return aside, nil
}

// copyFile copies a file so that it appears at once, complete and on disk.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	stat, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.CreateTemp(filepath.Dir(to), "."+filepath.Base(to)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(out.Name())
	_, err = io.Copy(out, in)
	if e := out.Chmod(stat.Mode().Perm()); err == nil {
		err = e
	}
	if e := out.Sync(); err == nil {
		err = e
	}
	if e := out.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return os.Rename(out.Name(), to)
}
