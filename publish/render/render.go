// Package render writes the whole playbook as one document that a person can print and use offline, at three in the
// morning, without Belay: as Markdown, or as one HTML file that loads nothing else.
//
// It writes what the playbook says and what follows from it, and nothing it would have to measure. It never runs
// anything. Start reading at document.go, which gathers what both forms show; markdown.go and html.go only set it.
package render

import (
	"bytes"
	"fmt"
	"io"
	"time"

	"github.com/belay-dr/belay/playbook"
	"github.com/belay-dr/belay/playbook/lint"
)

// Options say what goes into a document.
type Options struct {
	// Environment limits commands to one environment and fills in its values. Empty means all of them.
	Environment string
	// Findings are shown in the appendix. Nil means that lint is run.
	Findings []lint.Finding
	// At is the time for which the call order says who can be reached. Zero leaves availability out of the order.
	At time.Time
}

// Markdown writes the playbook as one Markdown document with Mermaid diagrams.
func Markdown(w io.Writer, pb *playbook.Playbook, opts Options) error {
	doc, err := newDocument(pb, opts)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	writeMarkdown(&b, doc)
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write markdown: %w", err)
	}
	return nil
}

// HTML writes the playbook as one self-contained HTML document with inline SVG diagrams and no script.
func HTML(w io.Writer, pb *playbook.Playbook, opts Options) error {
	doc, err := newDocument(pb, opts)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := page().Execute(&b, doc); err != nil {
		return fmt.Errorf("write html: %w", err)
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write html: %w", err)
	}
	return nil
}
