package awstest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// ModelsDir is where Debian's python3-botocore has the service models.
const ModelsDir = "/usr/lib/python3/dist-packages/botocore/data"

// ErrNoModels says that the service models are not installed.
var ErrNoModels = errors.New("the AWS service models are missing: apt-get install python3-botocore")

// Model is one service as AWS describes it.
type Model struct {
	Metadata struct {
		APIVersion   string `json:"apiVersion"`
		Protocol     string `json:"protocol"`
		ServiceID    string `json:"serviceId"`
		XMLNamespace string `json:"xmlNamespace"`
		SigningName  string `json:"signingName"`
	} `json:"metadata"`
	Operations map[string]*Operation `json:"operations"`
	Shapes     map[string]*Shape     `json:"shapes"`
}

// Operation is one call.
type Operation struct {
	Name string `json:"name"`
	HTTP struct {
		Method string `json:"method"`
		URI    string `json:"requestUri"`
		Code   int    `json:"responseCode"`
	} `json:"http"`
	Input  *Ref  `json:"input"`
	Output *Ref  `json:"output"`
	Errors []Ref `json:"errors"`
}

// Ref is the use of a shape, with what the protocol needs to know of this use.
type Ref struct {
	Shape           string `json:"shape"`
	Location        string `json:"location"`
	LocationName    string `json:"locationName"`
	QueryName       string `json:"queryName"`
	ResultWrapper   string `json:"resultWrapper"`
	Flattened       bool   `json:"flattened"`
	TimestampFormat string `json:"timestampFormat"`
	XMLNamespace    struct {
		URI string `json:"uri"`
	} `json:"xmlNamespace"`
}

// Shape is one type.
type Shape struct {
	Type            string          `json:"type"`
	Required        []string        `json:"required"`
	Members         map[string]*Ref `json:"members"`
	Member          *Ref            `json:"member"`
	Key             *Ref            `json:"key"`
	Value           *Ref            `json:"value"`
	Enum            []string        `json:"enum"`
	Flattened       bool            `json:"flattened"`
	LocationName    string          `json:"locationName"`
	Payload         string          `json:"payload"`
	TimestampFormat string          `json:"timestampFormat"`
	Exception       bool            `json:"exception"`
	Error           struct {
		Code           string `json:"code"`
		HTTPStatusCode int    `json:"httpStatusCode"`
	} `json:"error"`
}

// loadModel reads the newest version of a service's model.
func loadModel(service string) (*Model, error) {
	found, err := filepath.Glob(filepath.Join(ModelsDir, service, "*", "service-2.json"))
	if err != nil || len(found) == 0 {
		return nil, errors.Join(ErrNoModels, err)
	}
	b, err := os.ReadFile(slices.Max(found))
	if err != nil {
		return nil, err
	}
	m := new(Model)
	if err := json.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("read model of %s: %w", service, err)
	}
	return m, nil
}

// shape is the shape of a reference; a model that lacks it is broken.
func (m *Model) shape(r *Ref) *Shape {
	s := m.Shapes[r.Shape]
	if s == nil {
		panic("the model has no shape " + r.Shape)
	}
	return s
}

// checkEnum refuses a word that the model does not list.
func (s *Shape) checkEnum(path, word string) error {
	if len(s.Enum) > 0 && !slices.Contains(s.Enum, word) {
		return fmt.Errorf("%s: %q is not one of %v", path, word, s.Enum)
	}
	return nil
}

// checkRequired refuses a structure that lacks what the model requires.
func (s *Shape) checkRequired(path string, v map[string]any) error {
	for _, name := range s.Required {
		if _, ok := v[name]; !ok {
			return fmt.Errorf("%s: %s is required", path, name)
		}
	}
	return nil
}
