package evidence

import (
	"fmt"
	"time"

	"golang.org/x/crypto/ssh"
)

// HeadNamespace is the namespace of the SSH signature over a chain head.
const HeadNamespace = "belay-head"

// Head is a signed statement about how far a ledger reached. Kept away from the ledger, it shows that a tail was cut
// off or that the ledger was written anew.
type Head struct {
	Application string `json:"application"`
	// Person is who signed.
	Person string `json:"person"`
	// Seq and Hash are those of the last record seen.
	Seq  int64  `json:"seq"`
	Hash string `json:"hash"`
	// Time is when it was signed, in UTC, to the second.
	Time time.Time `json:"time"`
	// Key is the signer's public key in authorized_keys form, Signature an armoured SSH signature over Message.
	Key       string `json:"key"`
	Signature string `json:"signature"`
}

// NewHead describes the end of a ledger, not yet signed. Records must not be empty.
func NewHead(application, person string, records []Record, now time.Time) Head {
	last := records[len(records)-1]
	return Head{Application: application, Person: person, Seq: last.Seq, Hash: last.Hash, Time: now.UTC().Truncate(time.Second)}
}

// Message is the text that is signed.
func (h Head) Message() string {
	return "belay chain head\n" + lines(
		"application", h.Application,
		"person", h.Person,
		"records", fmt.Sprint(h.Seq),
		"hash", "sha256:"+h.Hash,
		"signed", h.Time.UTC().Format(time.RFC3339),
	)
}

// Sign returns the head with a signature.
func (h Head) Sign(signer ssh.Signer) (Head, error) {
	var err error
	if h.Signature, h.Key, err = sign(h.Message(), HeadNamespace, signer); err != nil {
		return Head{}, fmt.Errorf("sign head: %w", err)
	}
	return h, nil
}

// Verify checks the signature against the person's keys, which are in authorized_keys form.
func (h Head) Verify(keys []string) error {
	return verify(h.Message(), HeadNamespace, h.Signature, keys)
}

// checkHead compares a ledger with what a head saw.
func checkHead(records []Record, h Head) Problems {
	saw := fmt.Sprintf("a head signed by %s on %s", h.Person, h.Time.UTC().Format("2006-01-02 15:04 MST"))
	end := int64(0)
	for _, r := range records {
		if r.Seq == h.Seq {
			if r.Hash == h.Hash {
				return nil
			}
			return Problems{{Seq: r.Seq, ID: r.ID, Kind: r.Kind, Rule: RuleHead, Message: fmt.Sprintf(
				"its hash is %s, but %s saw %s here: the ledger was written anew", short(r.Hash), saw, short(h.Hash))}}
		}
		end = max(end, r.Seq)
	}
	if end > h.Seq {
		return Problems{{Seq: h.Seq, Rule: RuleHead, Message: fmt.Sprintf("it is missing, but %s saw it", saw)}}
	}
	return Problems{{Rule: RuleHead, Message: fmt.Sprintf("the ledger ends at %d, but %s saw %d: its tail was cut off", end, saw, h.Seq)}}
}
