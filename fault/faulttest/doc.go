// Package faulttest is what every fault must pass: it is held by a real holder, and runner, holder and reaper are killed,
// frozen and halted at every point between the undo record and the residue. A target's own tests call Run with a Rig for
// each of its faults, and Main from their TestMain, because the test binary starts itself as runner, holder and reaper.
//
// By default each way to die is tried once, at the points that decide; with BELAY_TORTURE=1 twice at every point, and forty random kills instead of four.
package faulttest
