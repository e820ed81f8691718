package cli

import "errors"

// mistakes returns the lines of a playbook's mistakes, `file:line:col: path: message`, or nothing when err is no such
// list.
func mistakes(err error) []string {
	var list listed
	if !errors.As(err, &list) {
		return nil
	}
	var lines []string
	for _, e := range list.Unwrap() {
		lines = append(lines, e.Error())
	}
	return lines
}
