package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// schemaVersion is kept in the file as PRAGMA user_version, applicationID as PRAGMA application_id ("Bely").
const (
	schemaVersion = 1
	applicationID = 0x42656c79
)

// schema makes an empty ledger. The table chain has one row: the end of the chain, which every writer takes first and
// so has the ledger to itself until it commits. The triggers stop honest mistakes; it is the hashes that find the
// others.
const schema = `
PRAGMA application_id = 0x42656c79;
PRAGMA user_version = 1;

CREATE TABLE record (
	seq         INTEGER PRIMARY KEY,
	id          TEXT NOT NULL UNIQUE,
	time        INTEGER NOT NULL, -- microseconds since 1970, UTC
	kind        TEXT NOT NULL,
	subject     TEXT NOT NULL,
	grade       TEXT NOT NULL,
	environment TEXT NOT NULL,
	digests     TEXT NOT NULL,    -- JSON object, or empty
	actor       TEXT NOT NULL,
	payload     TEXT NOT NULL,    -- RFC 8785 form, or empty
	prev        TEXT NOT NULL,
	hash        TEXT NOT NULL
) STRICT;
CREATE INDEX record_kind ON record (kind, seq);
CREATE INDEX record_subject ON record (subject, seq);

CREATE TABLE chain (
	one  INTEGER PRIMARY KEY CHECK (one = 1),
	seq  INTEGER NOT NULL,
	id   TEXT NOT NULL,
	hash TEXT NOT NULL
) STRICT;
INSERT INTO chain VALUES (1, 0, '', '0000000000000000000000000000000000000000000000000000000000000000');

CREATE TRIGGER record_no_update BEFORE UPDATE ON record
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: records are never changed'); END;
CREATE TRIGGER record_no_delete BEFORE DELETE ON record
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: records are never removed'); END;
CREATE TRIGGER record_no_replace BEFORE INSERT ON record
WHEN EXISTS (SELECT 1 FROM record WHERE seq = NEW.seq OR id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: records are never replaced'); END;
CREATE TRIGGER chain_no_delete BEFORE DELETE ON chain
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: its end is never removed'); END;
CREATE TRIGGER chain_forward BEFORE UPDATE ON chain WHEN NEW.seq < OLD.seq
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: its end never goes back'); END;
`

// triggers are the names in schema, for Check.
func triggers() []string {
	return []string{"record_no_update", "record_no_delete", "record_no_replace", "chain_no_delete", "chain_forward"}
}

// ErrNoLedger says that a file is something else.
var ErrNoLedger = errors.New("it is no ledger of belay")

// checkHeader looks at the first bytes of the file, so that SQLite never touches another program's database.
func checkHeader(path string) error {
	const magic, applicationAt = "SQLite format 3\x00", 68
	f, err := os.Open(path)
	if err != nil {
		return bare(err)
	}
	defer f.Close()
	header := make([]byte, applicationAt+4)
	switch _, err := io.ReadFull(f, header); {
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%w: the file is empty", ErrNoLedger)
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return bare(err)
	case !bytes.HasPrefix(header, []byte(magic)):
		return fmt.Errorf("%w: the file is not a SQLite database", ErrNoLedger)
	case binary.BigEndian.Uint32(header[applicationAt:]) != applicationID:
		return fmt.Errorf("%w: the file is another database", ErrNoLedger)
	}
	return nil
}

func checkSchema(ctx context.Context, db *sql.DB) error {
	var version, application int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if err := db.QueryRowContext(ctx, "PRAGMA application_id").Scan(&application); err != nil {
		return err
	}
	switch {
	case application != applicationID:
		return fmt.Errorf("%w: the file is another database", ErrNoLedger)
	case version > schemaVersion:
		return fmt.Errorf("it was written by a newer belay: its schema is %d, this one knows %d", version, schemaVersion)
	case version < schemaVersion:
		return fmt.Errorf("its schema is %d, which no belay has written", version)
	}
	return nil
}
