// Package network breaks the network of a host, of a process or of a container: it cuts peers off, slows them down, loses
// and resets. It must never cut the path that the runner itself needs, and never leave a rule, a route or a queue behind.
//
// The packages below it: filter says which packets a fault is about, nft makes tables that the kernel takes back when
// their owner dies, and shape delays, loses and limits. Start at Network, then at Target.
package network
