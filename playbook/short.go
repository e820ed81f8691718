package playbook

import "errors"

// errOneValue refuses a list where one text is the short form.
var errOneValue = errors.New("want one text or a mapping, got a list")

// one returns the only value of a short form.
func one(values []string, list bool) (string, error) {
	if list || len(values) != 1 {
		return "", errOneValue
	}
	return values[0], nil
}

// Short reads an option that is written as its jump alone.
func (o *Option) Short(values []string, list bool) error {
	jump, err := one(values, list)
	o.Goto = Jump(jump)
	return err
}

// Short reads a continuation that is written as its jump alone.
func (t *Then) Short(values []string, list bool) error {
	jump, err := one(values, list)
	t.OK = Jump(jump)
	return err
}

// Short reads a capture that is written as its JSON path alone.
func (c *Capture) Short(values []string, list bool) error {
	path, err := one(values, list)
	c.JSON = path
	return err
}
