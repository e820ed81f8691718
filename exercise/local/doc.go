// Package local drives an exercise on this machine: one serial queue of events, each written to the ledger before what it
// asks for is done. It watches with measure/probe and measure/canary, holds the fault with fault/hold and carries out steps
// with exercise/act.
//
// It must never act on a command before CommandStarted is on disk, and never return while it holds a fault. Start at Run.
package local
