// Package nettest makes small networks for tests: two network namespaces with a wire between them, and services that
// answer. It takes everything away again, also when a test fails. It must never touch the network of the host. Start at
// Pair. The package is empty on systems other than Linux.
package nettest
