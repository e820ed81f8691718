// Package playbook is the promise: what an application depends on, who answers for it, how it fails and
// how it is recovered, written by its team and kept in its own repository.
//
// It loads and checks that text, and answers questions about it: who is called first, what a change touches,
// which parts an exercise proves. It never runs anything, opens no network connection and reads no file but
// through the fs.FS it is handed. Start reading at Playbook, then Load.
package playbook
