// Package proxy breaks a dependency in a TCP proxy between the application and it, where there is no privilege to break it
// in the network. It must never open a way to a dependency that outlives the fault, nor touch toxics of others in somebody's Toxiproxy.
// Start at Proxy; inside.go is the proxy of our own, server.go somebody's.
package proxy
