package bookstore

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// playbookFiles is the Bookstore's playbook, with the values of one machine in its staging variables.
//
//go:embed playbook
var playbookFiles embed.FS

// The lines of belay.yaml between these two are the staging variables, which depend on the machine.
const (
	varsBegin = "    # staging variables: begin\n"
	varsEnd   = "    # staging variables: end\n"
)

// Init makes dir a Bookstore that is not running yet: its ports, its data, and its playbook.
func Init(ctx context.Context, dir string) (*Info, error) {
	return prepare(ctx, Options{Dir: dir, Exe: []string{"bookstore"}})
}

// writePlaybook writes the playbook into the Bookstore's directory. Files that exist are left as they are.
func writePlaybook(info *Info) error {
	root, err := fs.Sub(playbookFiles, "playbook")
	if err != nil {
		return err
	}
	return fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		to := filepath.Join(info.Dir, filepath.FromSlash(path))
		if err != nil || d.IsDir() {
			if err == nil {
				err = os.MkdirAll(to, 0o755)
			}
			return err
		}
		if _, err := os.Lstat(to); err == nil {
			return nil
		}
		content, err := fs.ReadFile(root, path)
		if err != nil {
			return err
		}
		if path == "belay.yaml" {
			if content, err = withVariables(content, info); err != nil {
				return err
			}
		}
		return writeWhole(to, content, 0o644)
	})
}

// withVariables puts the values of this machine between the two marks.
func withVariables(content []byte, info *Info) ([]byte, error) {
	before, rest, ok := bytes.Cut(content, []byte(varsBegin))
	_, after, ok2 := bytes.Cut(rest, []byte(varsEnd))
	if !ok || !ok2 {
		return nil, fmt.Errorf("write playbook: the marks of the variables are missing")
	}
	at := layout(info.Dir)
	var b bytes.Buffer
	b.Write(before)
	b.WriteString(varsBegin)
	b.WriteString("    vars:\n")
	for _, v := range [][2]string{
		{"dir", info.Dir},
		{"bookstore", at.command()},
		{"api", info.APIURL},
		{"cdn", info.CDNURL},
		// The supervisor stands for the server: it lives on when the application on it dies.
		{"server_address", info.Control},
		{"database_address", info.DatabaseAddress},
		{"api_pid_file", at.pid(API)},
		{"data_dir", at.data()},
		{"bucket_dir", at.bucket()},
	} {
		fmt.Fprintf(&b, "      %s: %s\n", v[0], strconv.Quote(v[1]))
	}
	b.WriteString(varsEnd)
	b.Write(after)
	return b.Bytes(), nil
}
