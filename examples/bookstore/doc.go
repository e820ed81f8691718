// Package bookstore is the example application: an API for authors and books in front of a database and a CDN, each a
// process of its own on this machine, looked after by a small supervisor.
//
// It is weak on purpose (one of everything, backup and restore only), so that there is something to climb from. The
// supervisor never restarts what has died: that is for the playbook, which is in the folder playbook and is written out
// by Init. It writes the truth about every stop and start to truth.jsonl; Belay never reads that file, its tests do.
//
// Everything listens on 127.0.0.1. Start reading at Main for the commands, or at Up for the Go calls.
package bookstore
