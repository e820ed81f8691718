// Package schema holds the JSON Schemas of belay.yaml and of the files under scenarios/, for editors that complete and check
// while one types. They are made from the types of package playbook and from every kind of probe, check, canary and fault;
// a test fails when they are not up to date ("go generate ./playbook/schema" writes them). Load knows more than a schema can say:
// it is the judge.
package schema

//go:generate go test . -run UpToDate -update

import "embed"

// The names of the schemas.
const (
	Belay    = "belay.schema.json"
	Scenario = "scenario.schema.json"
)

//go:embed *.schema.json
var files embed.FS

// Read returns the schema of that name.
func Read(name string) ([]byte, error) { return files.ReadFile(name) }
