// Package aws breaks things in an AWS account through its API: EC2 instances stop, reboot or go, an RDS database fails over, an FIS
// experiment runs, a bucket is denied, a Route 53 record or health check says something else. All of them live in
// somebody else's API: a holder that dies does not end them, so the undo is on disk and, in short, in a tag at the target.
//
// It must never act in another account than the one the config names, never lock out whoever takes the fault back, and
// never let a credential get into a plan, a record or an error. SDK clients are local variables and never struct fields or
// interface values: otherwise the linker keeps all of their methods, which is tens of megabytes.
//
// Start at AWS, then at site, which every fault reaches its account through.
package aws
