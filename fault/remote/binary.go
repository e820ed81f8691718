package remote

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// dirVar names a directory with programs belay-hold-SYSTEM-ARCHITECTURE.
const dirVar = "BELAY_HOLD_DIR"

// program is a belay-hold for another host.
type program struct {
	path  string
	bytes []byte
	// sum is its SHA-256 in hexadecimal.
	sum string
}

// platform turns the answer of `uname -sm` into Go's words.
func platform(uname string) (system, arch string, err error) {
	words := strings.Fields(uname)
	if len(words) != 2 {
		return "", "", fmt.Errorf("it calls itself %q", strings.TrimSpace(uname))
	}
	arch = map[string]string{"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}[words[1]]
	system = map[string]string{"Linux": "linux", "Darwin": "darwin"}[words[0]]
	if arch == "" || system == "" {
		return "", "", fmt.Errorf("there is no belay-hold for %s on %s", words[0], words[1])
	}
	return system, arch, nil
}

// find returns the holder program for a system: from BELAY_HOLD_DIR, or beside this program.
func find(system, arch string) (program, error) {
	name := "belay-hold-" + system + "-" + arch
	var tried []string
	for _, path := range candidates(name, system == runtime.GOOS && arch == runtime.GOARCH) {
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			tried = append(tried, path)
			continue
		}
		if err != nil {
			return program{}, fmt.Errorf("read holder program: %w", err)
		}
		sum := sha256.Sum256(b)
		return program{path, b, hex.EncodeToString(sum[:])}, nil
	}
	return program{}, fmt.Errorf("no holder program for %s/%s: looked for %s: build it with `make holders`, or say with %s where it is",
		system, arch, strings.Join(tried, ", "), dirVar)
}

func candidates(name string, ours bool) []string {
	var out []string
	if dir := os.Getenv(dirVar); dir != "" {
		return []string{filepath.Join(dir, name)}
	}
	exe, err := os.Executable()
	if err != nil {
		return nil
	}
	if real, err := filepath.EvalSymlinks(exe); err == nil {
		exe = real
	}
	dir := filepath.Dir(exe)
	out = append(out, filepath.Join(dir, name), filepath.Join(dir, "..", "lib", "belay", name))
	if ours {
		out = append(out, filepath.Join(dir, "belay-hold"))
	}
	return out
}
