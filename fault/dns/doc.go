// Package dns makes names fail: unknown, refused, wrong, slow or silent, for everybody in one network namespace, while all
// other names are passed on to the real servers byte by byte. It must never leave anybody without DNS: the redirection belongs
// to the holder's socket, so the kernel takes it back together with the server that answers.
// Start at DNS; decide.go is what becomes of one packet.
package dns
