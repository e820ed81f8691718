// Package dockertest starts a real Docker Engine for tests: Debian's, in a network namespace, with directories and a
// control group of its own, so that it never meets an engine of the host. One engine serves all tests of a test binary. A
// keeper process ends it, and everything that it started, as soon as the test binary has ended, however that ends. Start
// at Start and Main.
package dockertest
