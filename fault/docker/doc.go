// Package docker breaks containers through the API of a Docker Engine, and makes faults of the network and of resources
// inside them from the host. It must never touch a container but by the ID and the start that its plan named: a container
// that was started or made anew since is the recovery's. Start at Docker and target.
package docker
