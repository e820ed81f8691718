// Package e2e drives the built binary from outside, over the Bookstore with real processes and real faults, and holds it to
// its documented contract (docs/reference/json.md). It knows nothing of Belay's inside but the ledger's file, which it
// reads to see how far an exercise has come.
//
// A few runs of everything by default; with BELAY_TORTURE=1 as many as a release needs.
package e2e
