package evidence

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// AgreementNamespace is the namespace of the SSH signature over an agreement, a dissent, an answer or a "seen".
const AgreementNamespace = "belay-agreement"

// Agreement is the payload of KindAgreement, KindDissent, KindAnswer and KindSeen.
type Agreement struct {
	Application string `json:"application"`
	Person      string `json:"person"`
	// Role is what the person speaks for; empty for "seen".
	Role string `json:"role,omitempty"`
	// Substance is the digest that was agreed to, and Parts its digests part by part.
	Substance string            `json:"substance"`
	Parts     map[string]string `json:"parts,omitempty"`
	// Text is the reason of a dissent or the words of an answer; Answers is the ID of the record that is answered.
	Text    string `json:"text,omitempty"`
	Answers string `json:"answers,omitempty"`
	// Signed is when it was signed, in UTC, to the second. It is part of the message, so that an old signature cannot be
	// written into a new record to look fresh.
	Signed time.Time `json:"signed,omitzero"`
	// Signature is an armoured SSH signature (namespace "belay-agreement") over the message of Message; Key is the
	// signer's public key in authorized_keys form. An unsigned agreement has grade claimed and does not count.
	Signature string `json:"signature,omitempty"`
	Key       string `json:"key,omitempty"`
}

// Message is the text that is signed. The kind is part of it, so that a "seen" cannot pass for an agreement.
func (a Agreement) Message(kind string) string {
	pairs := []string{"application", a.Application, "person", a.Person}
	if a.Role != "" {
		pairs = append(pairs, "role", a.Role)
	}
	pairs = append(pairs, "substance", a.Substance)
	if a.Answers != "" {
		pairs = append(pairs, "answers", a.Answers)
	}
	if a.Text != "" {
		pairs = append(pairs, "text", a.Text)
	}
	pairs = append(pairs, "signed", a.Signed.UTC().Format(time.RFC3339))
	return "belay " + kind + "\n" + lines(pairs...)
}

// Sign returns the agreement with its time and a signature.
func (a Agreement) Sign(kind string, now time.Time, signer ssh.Signer) (Agreement, error) {
	a.Signed = now.UTC().Truncate(time.Second)
	var err error
	if a.Signature, a.Key, err = sign(a.Message(kind), AgreementNamespace, signer); err != nil {
		return Agreement{}, fmt.Errorf("sign %s: %w", kind, err)
	}
	return a, nil
}

// Verify checks the signature against the person's keys, which are in authorized_keys form. ErrUnsigned and
// ErrKeyNotRegistered tell the two common reasons.
func (a Agreement) Verify(kind string, keys []string) error {
	return verify(a.Message(kind), AgreementNamespace, a.Signature, keys)
}

// Grade is attested when the signature is good and by one of the keys, and claimed otherwise.
func (a Agreement) Grade(kind string, keys []string) Grade {
	if a.Verify(kind, keys) == nil {
		return Attested
	}
	return Claimed
}

// Draft makes the record of the agreement: its subject is the person, and its grade follows from the keys.
func (a Agreement) Draft(kind string, keys []string) (Draft, error) {
	payload, err := json.Marshal(a)
	if err != nil {
		return Draft{}, fmt.Errorf("write %s: %w", kind, err)
	}
	return Draft{
		Kind: kind, Subject: a.Person, Grade: a.Grade(kind, keys), Actor: a.Person,
		Digests: map[string]string{"substance": a.Substance}, Payload: payload,
	}, nil
}

// lines writes "key: value" lines. A value with a line break or a control character is quoted, so that no value can
// add a line.
func lines(pairs ...string) string {
	var b strings.Builder
	for i := 0; i+1 < len(pairs); i += 2 {
		value := pairs[i+1]
		if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) || strings.HasPrefix(value, `"`) {
			value = fmt.Sprintf("%q", value)
		}
		fmt.Fprintf(&b, "%s: %s\n", pairs[i], value)
	}
	return b.String()
}
