package aws

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// maxPolicy is the most that S3 takes.
const maxPolicy = 20 << 10

// statement is the one statement that a fault adds to a policy.
type statement struct {
	Sid       string
	Effect    string
	Principal any
	Action    []string
	Resource  []string
	Condition map[string]map[string][]string
}

// sid names a fault in a policy, where only letters and digits are allowed.
func sid(faultID string) string {
	sum := sha256.Sum256([]byte(faultID))
	return "Belay" + hex.EncodeToString(sum[:8])
}

// statement is what denies.
func (d *Deny) statement(faultID, partition string, spare []string) statement {
	objects := "arn:" + partition + ":s3:::" + d.Bucket + "/" + d.Prefix + "*"
	s := statement{
		Sid: sid(faultID), Effect: "Deny", Principal: "*", Resource: []string{objects},
		Condition: map[string]map[string][]string{"ArnNotLike": {"aws:PrincipalArn": spare}},
	}
	if len(d.Principals) > 0 {
		s.Principal = map[string][]string{"AWS": d.Principals}
	}
	if d.Access != "write" {
		s.Action = append(s.Action, "s3:GetObject", "s3:GetObjectVersion")
	}
	if d.Access != "read" {
		s.Action = append(s.Action, "s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion")
	}
	if d.Prefix == "" && d.Access != "write" {
		s.Action = append(s.Action, "s3:ListBucket")
		s.Resource = append(s.Resource, "arn:"+partition+":s3:::"+d.Bucket)
	}
	return s
}

// document is a policy as far as it has to be understood: the rest is kept as it is.
type document map[string]json.RawMessage

// statements are those of a policy, which may have one that is not in a list.
func (d document) statements() ([]json.RawMessage, error) {
	raw := bytes.TrimSpace(d["Statement"])
	if len(raw) > 0 && raw[0] == '{' {
		return []json.RawMessage{raw}, nil
	}
	var out []json.RawMessage
	if len(raw) == 0 {
		return nil, nil
	}
	err := json.Unmarshal(raw, &out)
	return out, err
}

func parsePolicy(text string) (document, []json.RawMessage, error) {
	if text == "" {
		return document{"Version": json.RawMessage(`"2012-10-17"`)}, nil, nil
	}
	var d document
	if err := json.Unmarshal([]byte(text), &d); err != nil || d == nil {
		return nil, nil, errors.Join(err, errors.New("read policy: it is no object"))
	}
	all, err := d.statements()
	if err != nil {
		return nil, nil, fmt.Errorf("read policy: %w", err)
	}
	return d, all, nil
}

// with is the policy with one more statement.
func with(text string, s statement) (string, error) {
	d, all, err := parsePolicy(text)
	if err != nil {
		return "", err
	}
	ours, err := json.Marshal(s)
	if err != nil {
		return "", err
	}
	return d.render(append(all, ours))
}

// without is the policy without the statement of that name; empty when nothing is left. Found is the statement itself.
func without(text, name string) (rest string, found json.RawMessage, err error) {
	d, all, err := parsePolicy(text)
	if err != nil {
		return "", nil, err
	}
	var keep []json.RawMessage
	for _, raw := range all {
		var s struct{ Sid string }
		if json.Unmarshal(raw, &s) == nil && s.Sid == name {
			found = raw
			continue
		}
		keep = append(keep, raw)
	}
	if len(keep) == 0 {
		return "", found, nil
	}
	rest, err = d.render(keep)
	return rest, found, err
}

const otherSid pattern = `^Belay[0-9a-f]{16}$`

// othersStatement is the name of a statement in a policy that another fault has put there.
func othersStatement(text, ours string) string {
	_, all, _ := parsePolicy(text)
	for _, raw := range all {
		var s struct{ Sid string }
		if json.Unmarshal(raw, &s) == nil && s.Sid != ours && otherSid.matches(s.Sid) {
			return s.Sid
		}
	}
	return ""
}

func (d document) render(all []json.RawMessage) (string, error) {
	list, err := json.Marshal(all)
	if err != nil {
		return "", err
	}
	d["Statement"] = list
	b, err := json.Marshal(d)
	if err != nil {
		return "", err
	}
	if len(b) > maxPolicy {
		return "", fmt.Errorf("the policy would have %d bytes, and S3 takes %d", len(b), maxPolicy)
	}
	return string(b), nil
}

// samePolicy compares what two documents say, not how they are written. No policy equals only no policy.
func samePolicy(a, b string) bool {
	x, errX := canonical(a)
	y, errY := canonical(b)
	return errX == nil && errY == nil && x == y
}

// canonical is JSON with sorted keys and without blanks.
func canonical(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return "", err
	}
	b, err := json.Marshal(v)
	return string(b), err
}
