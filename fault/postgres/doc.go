// Package postgres breaks PostgreSQL: it ends sessions, locks a table, fills the connections, pauses the replay of a
// standby, and ends the server of a data directory. It must never write a password anywhere, never touch a session or a
// process that its plan did not name, and never change what it could not put back exactly. Start at Postgres.
package postgres
