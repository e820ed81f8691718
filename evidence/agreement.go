package evidence

// Agreement is the payload of KindAgreement, KindDissent, KindAnswer and KindSeen.
type Agreement struct {
	Application string `json:"application"`
	Person      string `json:"person"`
	// Role is what the person speaks for; empty for "seen".
	Role string `json:"role,omitempty"`
	// Substance is the digest that was agreed to, and Parts its digests part by part.
	Substance string            `json:"substance"`
	Parts     map[string]string `json:"parts,omitempty"`
	// Text is the reason of a dissent or the words of an answer; Answers is the record that is answered.
	Text    string `json:"text,omitempty"`
	Answers string `json:"answers,omitempty"`
	// Signature is an armoured SSH signature (namespace "belay-agreement") over the message of Message; Key is the
	// signer's public key in authorized_keys form. An unsigned agreement has grade claimed and does not count.
	Signature string `json:"signature,omitempty"`
	Key       string `json:"key,omitempty"`
}
