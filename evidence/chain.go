package evidence

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/gowebpki/jcs"
)

// Genesis is the Prev of the first record.
const Genesis = "0000000000000000000000000000000000000000000000000000000000000000"

// MaxPayload is the size of the largest payload a ledger takes. Raw data belongs in a file that the payload names by
// its digest.
const MaxPayload = 16 << 20

// Chain makes the record that follows the one whose hash is prev. The payload is put into its RFC 8785 form, the time
// into UTC and cut to the microsecond. A payload that would lose something by that (an integer beyond 2^53, text that
// is not UTF-8) is refused.
func Chain(seq int64, id string, at time.Time, d Draft, prev string) (Record, error) {
	payload, err := canonicalPayload(d.Payload)
	if err != nil {
		return Record{}, fmt.Errorf("chain record %d (%s): %w", seq, d.Kind, err)
	}
	d.Payload = payload
	if len(d.Digests) == 0 {
		d.Digests = nil
	}
	r := Record{Seq: seq, ID: id, Time: at.UTC().Truncate(time.Microsecond), Draft: d, Prev: prev}
	if r.Hash, err = r.Sum(); err != nil {
		return Record{}, fmt.Errorf("chain record %d (%s): %w", seq, d.Kind, err)
	}
	return r, nil
}

// Sum computes what the record's Hash must be. It is an error when the record has no canonical form.
func (r Record) Sum() (string, error) {
	// encoding/json writes one replacement for all bytes that are not UTF-8, so that different texts would look alike.
	fields := []string{r.ID, r.Kind, r.Subject, string(r.Grade), r.Environment, r.Actor, r.Prev, string(r.Payload)}
	for name, digest := range r.Digests {
		fields = append(fields, name, digest)
	}
	for _, field := range fields {
		if !utf8.ValidString(field) {
			return "", errors.New("text that is not UTF-8")
		}
	}
	text, err := json.Marshal(struct {
		Seq  int64     `json:"seq"`
		ID   string    `json:"id"`
		Time time.Time `json:"time"`
		Draft
		Prev string `json:"prev"`
	}{r.Seq, r.ID, r.Time.UTC(), r.Draft, r.Prev})
	if err != nil {
		return "", err
	}
	canonical, err := jcs.Transform(text)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:]), nil
}
