package bookstore

import (
	"net/http"
	"time"
)

// book is the shape of a book, its fields in the order in which they are shown.
type book struct {
	URL             string   `json:"url"`
	Authors         []author `json:"authors"`
	PublicationDate string   `json:"publication_date"`
	Title           string   `json:"title"`
}

// books are the books in a store, in the order of their titles. Their authors can only be read.
type books struct {
	store Store
	today func() time.Time
}

// query returns the books that the condition chooses, each with its authors in the order of their last names.
func (b books) query(r *http.Request, where string, args ...*string) ([]book, error) {
	rows, err := b.store.Query(r.Context(),
		`SELECT b.id, CAST(b.publication_date AS TEXT), b.title FROM books b `+where+` ORDER BY b.title, b.id`, args...)
	if err != nil {
		return nil, err
	}
	written, err := b.store.Query(r.Context(), `SELECT l.book_id, `+authorColumns+` FROM authors a
JOIN books_authors l ON l.author_id = a.id JOIN books b ON b.id = l.book_id `+where+` ORDER BY a.last_name, a.id`, args...)
	if err != nil {
		return nil, err
	}
	by := map[string][]author{}
	for _, row := range written {
		by[row[0]] = append(by[row[0]], makeAuthor(r, row[1:]))
	}
	all := make([]book, len(rows))
	for i, row := range rows {
		all[i] = book{link(r, "books", row[0]), append([]author{}, by[row[0]]...), row[1], row[2]}
	}
	return all, nil
}

func (b books) list(r *http.Request) (reply, error) {
	all, err := b.query(r, "")
	return reply{status: http.StatusOK, body: all}, err
}

func (b books) get(r *http.Request, id string) (book, error) {
	found, err := b.query(r, `WHERE b.id = $1`, &id)
	if err == nil && len(found) == 0 {
		err = errNotFound
	}
	if err != nil {
		return book{}, err
	}
	return found[0], nil
}

func (b books) read(r *http.Request, id string) (reply, error) {
	found, err := b.get(r, id)
	return reply{status: http.StatusOK, body: found}, err
}

type bookFields struct{ publicationDate, title *string }

func readBook(r *http.Request, old bookFields) (bookFields, error) {
	in, err := readInput(r)
	if err != nil {
		return old, err
	}
	var p problems
	f := bookFields{
		publicationDate: readDate(&p, in, "publication_date", old.publicationDate),
		title:           text{max: 255, required: true}.read(&p, in, "title", old.title, r.Method == http.MethodPatch),
	}
	return f, p.err()
}

func (b books) create(r *http.Request) (reply, error) {
	today := b.today().UTC().Format(time.DateOnly)
	f, err := readBook(r, bookFields{publicationDate: &today})
	if err != nil {
		return reply{}, err
	}
	rows, err := b.store.Query(r.Context(),
		`INSERT INTO books (publication_date, title) VALUES ($1, $2) RETURNING id`, f.publicationDate, f.title)
	if err != nil {
		return reply{}, err
	}
	made := book{link(r, "books", rows[0][0]), []author{}, *f.publicationDate, *f.title}
	return reply{status: http.StatusCreated, body: made, location: made.URL}, nil
}

func (b books) update(r *http.Request, id string) (reply, error) {
	old, err := b.get(r, id)
	if err != nil {
		return reply{}, err
	}
	f, err := readBook(r, bookFields{&old.PublicationDate, &old.Title})
	if err != nil {
		return reply{}, err
	}
	rows, err := b.store.Query(r.Context(),
		`UPDATE books SET publication_date = $1, title = $2, updated_at = CURRENT_TIMESTAMP WHERE id = $3 RETURNING id`,
		f.publicationDate, f.title, &id)
	if err != nil {
		return reply{}, err
	}
	if len(rows) == 0 {
		return reply{}, errNotFound
	}
	return reply{status: http.StatusOK, body: book{old.URL, old.Authors, *f.publicationDate, *f.title}}, nil
}

func (b books) remove(r *http.Request, id string) (reply, error) {
	return removeRow(r, b.store, `DELETE FROM books WHERE id = $1 RETURNING id`, id)
}
