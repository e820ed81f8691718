package evidence

import (
	"fmt"
	"time"

	"golang.org/x/crypto/ssh"
)

// WaiverNamespace is the namespace of the SSH signature over a waiver.
const WaiverNamespace = "belay-waiver"

// Waiver is the payload of KindWaiver: a criterion need not be met for a while, because somebody took the risk.
type Waiver struct {
	Application string `json:"application"`
	// Criterion is the one that is waived, for example "seen".
	Criterion string `json:"criterion"`
	// Person asks, Approver grants and signs. They are two people.
	Person   string `json:"person"`
	Approver string `json:"approver"`
	Reason   string `json:"reason"`
	// Until is when it ends; a waiver without an end does not count.
	Until  time.Time `json:"until"`
	Signed time.Time `json:"signed"`
	// Signature is the approver's, over the message of Message; Key is the key that made it.
	Signature string `json:"signature,omitempty"`
	Key       string `json:"key,omitempty"`
}

// Message is the text that is signed.
func (w Waiver) Message() string {
	return "belay waiver\n" + lines(
		"application", w.Application, "criterion", w.Criterion, "person", w.Person, "approver", w.Approver,
		"reason", w.Reason, "until", w.Until.UTC().Format(time.RFC3339), "signed", w.Signed.UTC().Format(time.RFC3339),
	)
}

// Sign returns the waiver with its time and the approver's signature.
func (w Waiver) Sign(now time.Time, signer ssh.Signer) (Waiver, error) {
	w.Signed = now.UTC().Truncate(time.Second)
	var err error
	if w.Signature, w.Key, err = sign(w.Message(), WaiverNamespace, signer); err != nil {
		return Waiver{}, fmt.Errorf("sign waiver: %w", err)
	}
	return w, nil
}

// Verify checks the signature against the approver's keys, which are in authorized_keys form.
func (w Waiver) Verify(keys []string) error {
	return verify(w.Message(), WaiverNamespace, w.Signature, keys)
}
