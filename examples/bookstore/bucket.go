package bookstore

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"
)

// staticFiles are the shop's static files, as collected from the application.
//
//go:embed static
var staticFiles embed.FS

// beacon is the object that says which CDN answers. It is uploaded last, so that a bucket that has it has everything.
const beacon = "static/status.json"

// collectStatic writes the application's static files into dir: the backup that a lost bucket is filled from.
func collectStatic(dir string) error {
	return fs.WalkDir(staticFiles, "static", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(dir, filepath.FromSlash(path))
		if d.IsDir() {
			return os.MkdirAll(to, 0o755)
		}
		content, err := staticFiles.ReadFile(path)
		if err != nil {
			return err
		}
		return writeWhole(to, content, 0o644)
	})
}

// createBucket makes the bucket. One that exists and can be used is left alone, one that cannot is put aside.
func createBucket(at layout) (aside string, err error) {
	if _, err := os.ReadDir(at.bucket()); err == nil {
		return "", nil
	}
	if aside, err = putAside(at.bucket()); err != nil {
		return "", err
	}
	if err := os.Mkdir(at.bucket(), 0o755); err != nil {
		return aside, fmt.Errorf("create bucket: %w", err)
	}
	return aside, nil
}

// upload copies every file of the backup into the bucket, the beacon last, and returns their names. Each takes a while.
func upload(at layout, each time.Duration) ([]string, error) {
	if _, err := os.Stat(at.bucket()); err != nil {
		return nil, fmt.Errorf("upload: %w", err)
	}
	names, err := objects(at.backup())
	if err != nil {
		return nil, fmt.Errorf("upload: %w", err)
	}
	sort.SliceStable(names, func(i, j int) bool { return names[i] != beacon && names[j] == beacon })
	for _, name := range names {
		time.Sleep(each)
		to := at.path("bucket", filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return nil, fmt.Errorf("upload %s: %w", name, err)
		}
		if err := copyFile(at.path("backup", filepath.FromSlash(name)), to); err != nil {
			return nil, fmt.Errorf("upload %s: %w", name, err)
		}
	}
	return names, nil
}

// objects names the files below dir, with slashes, in order.
func objects(dir string) ([]string, error) {
	var names []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		name, err := filepath.Rel(dir, path)
		names = append(names, filepath.ToSlash(name))
		return err
	})
	sort.Strings(names)
	return names, err
}

func runRecreateBucket(_ context.Context, c call) error {
	info, err := ReadInfo(c.dir)
	if err != nil {
		return err
	}
	aside, err := createBucket(layout(info.Dir))
	if err != nil {
		return err
	}
	if aside != "" {
		fmt.Fprintf(c.stdout, "the old bucket is kept in %s\n", aside)
	}
	fmt.Fprintln(c.stdout, "the bucket exists")
	return nil
}

func runUpload(_ context.Context, c call) error {
	info, err := ReadInfo(c.dir)
	if err != nil {
		return err
	}
	names, err := upload(layout(info.Dir), info.Delay/2)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "%d objects uploaded\n", len(names))
	return nil
}

func runVerifyBucket(_ context.Context, c call) error {
	info, err := ReadInfo(c.dir)
	if err != nil {
		return err
	}
	at := layout(info.Dir)
	names, err := objects(at.backup())
	if err != nil {
		return fmt.Errorf("verify bucket: %w", err)
	}
	var wrong []error
	for _, name := range names {
		want, err := os.ReadFile(at.path("backup", filepath.FromSlash(name)))
		if err != nil {
			return fmt.Errorf("verify bucket: %w", err)
		}
		got, err := os.ReadFile(at.path("bucket", filepath.FromSlash(name)))
		switch {
		case err != nil:
			wrong = append(wrong, fmt.Errorf("verify bucket: %s is missing: %w", name, err))
		case string(got) != string(want):
			wrong = append(wrong, fmt.Errorf("verify bucket: %s differs from the backup", name))
		}
	}
	if len(wrong) > 0 {
		return errors.Join(wrong...)
	}
	fmt.Fprintf(c.stdout, "%d objects are as in the backup\n", len(names))
	return nil
}
