// Package evidence is the proof: graded records in a chain of hashes, so that nothing can be edited unnoticed.
//
// This package holds the records and their arithmetic (hashes, verification, signatures over chain heads) and does
// no IO; evidence/sqlite stores them. A record is durable before its writer is told so. Start at Record.
package evidence

import (
	"context"
	"encoding/json"
	"time"
)

// Grade says how a fact is known, worst first.
type Grade string

// The grades, in rising order.
const (
	Claimed  Grade = "claimed"  // somebody said so
	Attested Grade = "attested" // a named person said so and signed it
	Observed Grade = "observed" // Belay saw it
	Measured Grade = "measured" // Belay measured it, with bounds
)

// The kinds of record.
const (
	KindAgreement = "agreement"        // a person agrees, for a role, to a substance: payload Agreement
	KindDissent   = "dissent"          // a person objects to a substance
	KindAnswer    = "answer"           // a dissent is answered
	KindSeen      = "seen"             // a person has seen a substance
	KindLint      = "lint"             // what lint found
	KindDoctor    = "doctor"           // what the doctor found
	KindStarted   = "exercise.started" // an exercise and its frozen plan: subject is the exercise
	KindEvent     = "exercise.event"   // one event of an exercise's journal
	KindExercise  = "exercise.closed"  // an exercise's result
	KindNote      = "note"             // a remark on another record
	KindApproval  = "approval"         // a person lets an exercise begin as planned: subject is the scenario
	KindWaiver    = "waiver"           // a criterion waived for a while
)

// Draft is a record before it is chained.
type Draft struct {
	Kind        string            `json:"kind"`
	Subject     string            `json:"subject,omitempty"`
	Grade       Grade             `json:"grade"`
	Environment string            `json:"environment,omitempty"`
	Digests     map[string]string `json:"digests,omitempty"`
	Actor       string            `json:"actor,omitempty"`
	// Payload is JSON. It is kept in its RFC 8785 form, which knows no integers beyond 2^53: those are written as strings
	// (`json:",string"`), or the draft is refused.
	Payload json.RawMessage `json:"payload,omitempty"`
}

// Record is a link of the chain.
type Record struct {
	// Seq counts from 1 without gaps.
	Seq int64 `json:"seq"`
	// ID is a ULID.
	ID string `json:"id"`
	// Time is the wall clock at which it was written, in UTC, to the microsecond.
	Time time.Time `json:"time"`
	Draft
	// Prev is the previous record's Hash; the first one has 64 zeros.
	Prev string `json:"prev"`
	// Hash is the SHA-256 of the record's RFC 8785 form without Hash, in lower-case hexadecimal.
	Hash string `json:"hash"`
}

// Filter chooses records. Zero fields choose everything.
type Filter struct {
	Kinds   []string
	Subject string
	After   int64 // only records with a larger Seq
}

// Ledger is an append-only store of records. evidence/sqlite.Open returns one.
type Ledger interface {
	// Append chains the draft and returns when it is on disk.
	Append(ctx context.Context, d Draft) (Record, error)
	// List returns the matching records in order.
	List(ctx context.Context, f Filter) ([]Record, error)
}
