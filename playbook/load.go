package playbook

import (
	"errors"
	"io/fs"
)

// Load reads belay.yaml and scenarios/*.yaml from fsys and checks them. The error is of type Errors and holds every mistake
// of the run; the playbook is then nil.
func Load(fsys fs.FS, kinds Kinds) (*Playbook, error) {
	return nil, errors.New("not there yet")
}

// longestIdentifier is the most characters that an identifier may have.
const longestIdentifier = 64
