// Package imports keeps the house in order: which room may import which, which packages must stay pure, and a few
// habits that a compiler does not check. It runs as a test, so that a breach fails the build.
//
// The rules are data, in rules.go, each with its reason. Nothing of the product imports this package.
package imports
