// Package nft makes tables of the kernel's packet filter. An owned table belongs to its socket: nobody else can change
// it, and the kernel takes it away when the socket is closed or its process dies, however that comes. It must never touch
// a table that it did not make itself.
//
// Start at Open. Rules for a filter come from Match, what is done with the packets from Drop, Reject, Lose, Queue and
// Redirect. The package is empty on systems other than Linux.
package nft
