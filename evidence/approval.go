package evidence

import (
	"encoding/json"
	"fmt"
	"time"

	"golang.org/x/crypto/ssh"
)

// ApprovalNamespace is the namespace of the SSH signature over an approval.
const ApprovalNamespace = "belay-approval"

// Approval is the payload of KindApproval: a person lets one exercise begin, exactly as planned, until a time.
type Approval struct {
	Application string `json:"application"`
	Scenario    string `json:"scenario"`
	Environment string `json:"environment"`
	// Intent is the digest of what would be done. A change of the plan makes the approval worth nothing.
	Intent string `json:"intent"`
	Person string `json:"person"`
	// Role is what the person speaks for.
	Role string `json:"role"`
	// Until is when it ends.
	Until  time.Time `json:"until"`
	Signed time.Time `json:"signed"`
	// Signature is an armoured SSH signature over the message of Message; Key is the signer's public key.
	Signature string `json:"signature,omitempty"`
	Key       string `json:"key,omitempty"`
}

// Message is the text that is signed.
func (a Approval) Message() string {
	return "belay approval\n" + lines(
		"application", a.Application, "scenario", a.Scenario, "environment", a.Environment, "intent", a.Intent,
		"person", a.Person, "role", a.Role,
		"until", a.Until.UTC().Format(time.RFC3339), "signed", a.Signed.UTC().Format(time.RFC3339),
	)
}

// Sign returns the approval with its time and a signature.
func (a Approval) Sign(now time.Time, signer ssh.Signer) (Approval, error) {
	a.Signed = now.UTC().Truncate(time.Second)
	var err error
	if a.Signature, a.Key, err = sign(a.Message(), ApprovalNamespace, signer); err != nil {
		return Approval{}, fmt.Errorf("sign approval: %w", err)
	}
	return a, nil
}

// Verify checks the signature against the person's keys, which are in authorized_keys form.
func (a Approval) Verify(keys []string) error {
	return verify(a.Message(), ApprovalNamespace, a.Signature, keys)
}

// Counts says that the approval is signed by one of the keys, is for this intent in this environment, and has begun and not ended.
func (a Approval) Counts(application, environment, intent string, keys []string, now time.Time) bool {
	return a.Application == application && a.Environment == environment && a.Intent == intent && intent != "" &&
		now.Before(a.Until) && !now.Before(a.Signed.Add(-time.Minute)) && a.Verify(keys) == nil
}

// Draft makes the record: its subject is the scenario, and its grade follows from the keys.
func (a Approval) Draft(keys []string) (Draft, error) {
	payload, err := json.Marshal(a)
	if err != nil {
		return Draft{}, fmt.Errorf("write approval: %w", err)
	}
	grade := Claimed
	if a.Verify(keys) == nil {
		grade = Attested
	}
	return Draft{
		Kind: KindApproval, Subject: a.Scenario, Grade: grade, Actor: a.Person, Environment: a.Environment,
		Digests: map[string]string{"intent": a.Intent}, Payload: payload,
	}, nil
}
