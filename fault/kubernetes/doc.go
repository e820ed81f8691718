// Package kubernetes breaks what lives in a Kubernetes API: pods, workloads, nodes and their network policies, and lets
// Chaos Mesh and LitmusChaos break what they can. It must never touch an object that its plan did not name by UID, never
// the pod or node that Belay runs in, and never force a finalizer away.
//
// Such a fault does not end with its holder: it is Elsewhere. So what was before is written at the target too, in the same
// request that makes the change: a label belay.dev/fault with the fault's ID, and an annotation belay.dev/fault-ID with
// the old value and the limit. Both go when the fault is taken back.
//
// Start at Kubernetes (config.go), then alter.go for what is changed and put back, and own.go for what is created.
package kubernetes
