package kubetest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// parts is the directory of the programs, or why there is none.
func parts() (string, error) {
	build, err := builder()
	if err != nil {
		return "", err
	}
	out, err := exec.Command("bash", build, "--where").Output()
	if err != nil {
		return "", errors.New("the control plane is not built: run tools/kubernetes/build once (about ten minutes)")
	}
	return strings.TrimSpace(string(out)), nil
}

// builder is the path of tools/kubernetes/build in the module that is being tested.
func builder() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		path := filepath.Join(dir, "tools", "kubernetes", "build")
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("no tools/kubernetes/build above the test")
		}
		dir = filepath.Dir(dir)
	}
}
