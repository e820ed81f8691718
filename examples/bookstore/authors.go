package bookstore

import (
	"net/http"
)

// author is the shape of an author, its fields in the order in which they are shown.
type author struct {
	URL       string `json:"url"`
	BirthDate string `json:"birth_date"`
	FirstName string `json:"first_name"`
	LastName  string `json:"last_name"`
}

// authors are the authors in a store, in the order of their last names.
type authors struct{ store Store }

// authorColumns are the columns that makeAuthor takes, of a table called a.
const authorColumns = `a.id, CAST(a.birth_date AS TEXT), a.first_name, a.last_name`

func makeAuthor(r *http.Request, row []string) author {
	return author{link(r, "authors", row[0]), row[1], row[2], row[3]}
}

func (a authors) list(r *http.Request) (reply, error) {
	rows, err := a.store.Query(r.Context(), `SELECT `+authorColumns+` FROM authors a ORDER BY a.last_name, a.id`)
	if err != nil {
		return reply{}, err
	}
	all := make([]author, len(rows))
	for i, row := range rows {
		all[i] = makeAuthor(r, row)
	}
	return reply{status: http.StatusOK, body: all}, nil
}

func (a authors) get(r *http.Request, id string) (author, error) {
	rows, err := a.store.Query(r.Context(), `SELECT `+authorColumns+` FROM authors a WHERE a.id = $1`, &id)
	if err != nil {
		return author{}, err
	}
	if len(rows) == 0 {
		return author{}, errNotFound
	}
	return makeAuthor(r, rows[0]), nil
}

func (a authors) read(r *http.Request, id string) (reply, error) {
	found, err := a.get(r, id)
	return reply{status: http.StatusOK, body: found}, err
}

// authorFields are the columns a client may set. A birth date may be left out, and the database then refuses the row:
// so did the original, and the API answers 500.
type authorFields struct{ birthDate, firstName, lastName *string }

func readAuthor(r *http.Request, old authorFields) (authorFields, error) {
	in, err := readInput(r)
	if err != nil {
		return old, err
	}
	partial := r.Method == http.MethodPatch
	var p problems
	f := authorFields{
		birthDate: readDate(&p, in, "birth_date", old.birthDate),
		firstName: text{max: 100}.read(&p, in, "first_name", old.firstName, partial),
		lastName:  text{max: 100, required: true}.read(&p, in, "last_name", old.lastName, partial),
	}
	return f, p.err()
}

func (a authors) create(r *http.Request) (reply, error) {
	empty := ""
	f, err := readAuthor(r, authorFields{firstName: &empty})
	if err != nil {
		return reply{}, err
	}
	rows, err := a.store.Query(r.Context(),
		`INSERT INTO authors (birth_date, first_name, last_name) VALUES ($1, $2, $3) RETURNING id`, f.birthDate, f.firstName, f.lastName)
	if err != nil {
		return reply{}, err
	}
	made := author{link(r, "authors", rows[0][0]), *f.birthDate, *f.firstName, *f.lastName}
	return reply{status: http.StatusCreated, body: made, location: made.URL}, nil
}

func (a authors) update(r *http.Request, id string) (reply, error) {
	old, err := a.get(r, id)
	if err != nil {
		return reply{}, err
	}
	f, err := readAuthor(r, authorFields{&old.BirthDate, &old.FirstName, &old.LastName})
	if err != nil {
		return reply{}, err
	}
	rows, err := a.store.Query(r.Context(),
		`UPDATE authors SET birth_date = $1, first_name = $2, last_name = $3, updated_at = CURRENT_TIMESTAMP WHERE id = $4 RETURNING id`,
		f.birthDate, f.firstName, f.lastName, &id)
	if err != nil {
		return reply{}, err
	}
	if len(rows) == 0 {
		return reply{}, errNotFound
	}
	return reply{status: http.StatusOK, body: author{old.URL, *f.birthDate, *f.firstName, *f.lastName}}, nil
}

func (a authors) remove(r *http.Request, id string) (reply, error) {
	return removeRow(r, a.store, `DELETE FROM authors WHERE id = $1 RETURNING id`, id)
}

// removeRow deletes one row with what hangs on it.
func removeRow(r *http.Request, store Store, statement, id string) (reply, error) {
	rows, err := store.Query(r.Context(), statement, &id)
	if err != nil {
		return reply{}, err
	}
	if len(rows) == 0 {
		return reply{}, errNotFound
	}
	return reply{status: http.StatusNoContent}, nil
}
