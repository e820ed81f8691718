// Package file breaks files and directories. It must put every byte back, except where somebody has changed it since, and
// never touch a path that its plan did not name. Start at File.
package file
