package evidence

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gowebpki/jcs"
)

// canonicalPayload returns the RFC 8785 form of a payload, and nil for none. That form writes every number as a
// float64 does, so a number that a float64 cannot hold exactly is refused here rather than changed in silence.
func canonicalPayload(payload json.RawMessage) (json.RawMessage, error) {
	if len(bytes.TrimSpace(payload)) == 0 || string(bytes.TrimSpace(payload)) == "null" {
		return nil, nil
	}
	if len(payload) > MaxPayload {
		return nil, fmt.Errorf("payload of %d bytes is larger than %d: keep the raw data in a file and name its digest", len(payload), MaxPayload)
	}
	if !utf8.Valid(payload) {
		return nil, errors.New("payload is not UTF-8")
	}
	// jcs is lenient about malformed text; encoding/json is not.
	if !json.Valid(payload) {
		return nil, errors.New("payload is not JSON")
	}
	if err := checkNumbers(payload); err != nil {
		return nil, err
	}
	canonical, err := jcs.Transform(payload)
	if err != nil {
		return nil, fmt.Errorf("payload has no canonical form: %w", err)
	}
	return canonical, nil
}

// checkNumbers refuses integers that a float64 rounds, and numbers too large for one.
func checkNumbers(payload []byte) error {
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber()
	for {
		token, err := d.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("payload is not JSON: %w", err)
		}
		if number, ok := token.(json.Number); ok && !exact(number.String()) {
			return fmt.Errorf("payload number %s is not exact in RFC 8785 (integers end at 2^53): write it as a string", number)
		}
	}
}

// exact reports whether an integer keeps its digits, or at least its value, in RFC 8785. Other numbers are floats in
// every reader and keep their value.
func exact(number string) bool {
	f, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return false
	}
	if strings.ContainsAny(number, ".eE") {
		return true
	}
	if text, err := jcs.NumberToJSON(f); err == nil && text == number {
		return true
	}
	written, ok := new(big.Int).SetString(number, 10)
	if !ok {
		return false
	}
	kept, _ := big.NewFloat(f).Int(nil)
	return written.Cmp(kept) == 0
}

// inForm reports whether the payload is stored as Chain stores it. White space and the escapes that encoding/json adds
// for HTML are forgiven, so that a record may travel through another JSON file; a number written differently is not,
// because several texts of a number have the same canonical form.
func inForm(payload json.RawMessage) bool {
	canonical, err := canonicalPayload(payload)
	if err != nil {
		return false
	}
	if len(payload) == 0 || len(canonical) == 0 {
		return len(payload) == len(canonical)
	}
	stored, err1 := json.Marshal(payload)
	wanted, err2 := json.Marshal(canonical)
	return err1 == nil && err2 == nil && bytes.Equal(stored, wanted)
}
