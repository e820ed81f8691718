package proc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
)

// maxPIDFile is larger than any pid file.
const maxPIDFile = 64 << 10

// ReadPIDFile reads the process IDs in a file, each once, in their order.
func ReadPIDFile(path string) ([]int, error) {
	st, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read pid file: there is no %s: is the service up, and is this where it writes its process ID", path)
	}
	if err != nil {
		return nil, fmt.Errorf("read pid file: %w", err)
	}
	if !st.Mode().IsRegular() || st.Size() > maxPIDFile {
		return nil, fmt.Errorf("read pid file: %s is not a small file", path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read pid file: %w", err)
	}
	var out []int
	for word := range strings.FieldsSeq(string(b)) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			return nil, fmt.Errorf("read pid file: %s: %.40q is not a process ID: is it the right file", path, word)
		}
		if !slices.Contains(out, pid) {
			out = append(out, pid)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("read pid file: %s is empty: is the service up", path)
	}
	return out, nil
}
