package playbook

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// scenarioFiles lists the scenario files in name order. Hidden files and files of other types are left alone.
func (l *loader) scenarioFiles(fsys fs.FS) ([]string, bool) {
	top := Pos{File: ScenarioDir, Line: 1, Col: 1}
	if _, err := fs.Stat(fsys, ScenarioDir); errors.Is(err, fs.ErrNotExist) {
		return nil, true
	}
	if err := inside(fsys, ScenarioDir); err != nil {
		l.note(top, "", err.Error(), "")
		return nil, false
	}
	entries, err := fs.ReadDir(fsys, ScenarioDir)
	if err != nil {
		l.note(top, "", "cannot be read: "+reason(err), "")
		return nil, false
	}
	var names []string
	for _, entry := range entries {
		name := path.Join(ScenarioDir, entry.Name())
		switch {
		case entry.IsDir() || strings.HasPrefix(entry.Name(), "."):
		case strings.HasSuffix(entry.Name(), ".yml"):
			l.note(Pos{File: name, Line: 1, Col: 1}, "", "the name of a scenario's file ends with .yaml",
				fmt.Sprintf("rename it to %q", strings.TrimSuffix(entry.Name(), ".yml")+".yaml"))
		case strings.HasSuffix(entry.Name(), ".yaml"):
			names = append(names, name)
		}
	}
	if len(names) > mostScenarios {
		l.note(top, "", fmt.Sprintf("there are %d scenarios; at most %d are read", len(names), mostScenarios), "")
		return nil, false
	}
	slices.Sort(names)
	return names, true
}

// read returns a file's bytes, without a byte order mark. A file over the limit is refused by its size, before it is read.
func (l *loader) read(fsys fs.FS, name string) ([]byte, bool) {
	top := Pos{File: name, Line: 1, Col: 1}
	refuse := func(message, hint string) ([]byte, bool) {
		l.note(top, "", message, hint)
		return nil, false
	}
	if err := inside(fsys, name); err != nil {
		return refuse(err.Error(), "")
	}
	info, err := fs.Stat(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return refuse("there is no such file", `"belay init" writes one`)
	}
	if err != nil {
		return refuse("cannot be read: "+reason(err), "")
	}
	if !info.Mode().IsRegular() {
		return refuse("is not a regular file", "")
	}
	file, err := fsys.Open(name)
	if err != nil {
		return refuse("cannot be read: "+reason(err), "")
	}
	defer file.Close()
	data := []byte{}
	if info.Size() <= longestFile {
		if data, err = io.ReadAll(io.LimitReader(file, longestFile+1)); err != nil {
			return refuse("cannot be read: "+reason(err), "")
		}
	}
	if info.Size() > longestFile || len(data) > longestFile {
		return refuse("the file is larger than 1 MiB", "keep logs and other data out of the playbook")
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	return data, l.readable(name, data)
}

// readable checks that the bytes are text.
func (l *loader) readable(name string, data []byte) bool {
	pos := Pos{File: name, Line: 1, Col: 1}
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			l.note(pos, "", fmt.Sprintf("the file is not UTF-8 text: found the byte 0x%02X", data[i]), "save it as UTF-8")
			return false
		case isControl(r):
			l.note(pos, "", fmt.Sprintf("the file holds the control character U+%04X", r), "remove it")
			return false
		case r == '\n' || r == '\r' && (i+1 == len(data) || data[i+1] != '\n'):
			pos.Line, pos.Col = pos.Line+1, 0
		}
		pos.Col++
		i += size
	}
	return true
}

// reason is why a file cannot be read, without its path, which the line already names.
func reason(err error) string {
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	return err.Error()
}

// inside refuses a name that leads out of fsys through a symbolic link. A file system may follow links blindly, as os.DirFS
// does, so each step of the way is looked at.
func inside(fsys fs.FS, name string) error {
	done, rest := ".", strings.Split(name, "/")
	for hops := 0; len(rest) > 0; {
		next := path.Join(done, rest[0])
		rest = rest[1:]
		info, err := fs.Lstat(fsys, next)
		if err != nil || info.Mode()&fs.ModeSymlink == 0 {
			done = next
			continue
		}
		target, err := fs.ReadLink(fsys, next)
		if err != nil {
			return fmt.Errorf("is a symbolic link that cannot be read")
		}
		full := path.Join(done, target)
		if path.IsAbs(target) || !fs.ValidPath(full) {
			return fmt.Errorf("is a symbolic link that leads out of the playbook's directory")
		}
		if hops++; hops > 16 {
			return fmt.Errorf("is a symbolic link that leads nowhere")
		}
		done, rest = ".", append(strings.Split(full, "/"), rest...)
	}
	return nil
}
